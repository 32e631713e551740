/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_connection.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "src/base/lbs_rand.h"
#include "t/unit/tap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static apr_pool_t *pool;

static const char *clean(const char *field)
{
    return lbs_connection_clean(pool, field, lbs_connection_protects, NULL);
}

static void protected_names_go_in_every_spelling(void)
{
    static const struct {
        const char *field;
        const char *want; /* NULL: nothing is left */
    } table[] = {
        {"close", "close"},
        {"keep-alive", "keep-alive"},
        {"Upgrade, HTTP2-Settings", "Upgrade, HTTP2-Settings"},
        {"keep-alive,Upgrade", "keep-alive,Upgrade"},
        {"X-Forwarded-Proto", NULL},
        {"close, x-forwarded-PROTO", "close"},
        {"X-Forwarded-Port zX-Forwarded-Proto", "zX-Forwarded-Proto"},
        {"X-Forwarded-Proto\tclose", "close"},
        {"\"X-Forwarded-Proto\", Upgrade", "Upgrade"},
        {"close;X-Forwarded-Port;q=1", "close, q, 1"},
        {",, ,close ,,Cookie,", "close"},
        {" close ", "close"},
        {"close,", "close"},
        {"close,  Upgrade", "close, Upgrade"},
        {"a b", "a, b"},
        {"cookie", NULL},
        {"Cookie2", "Cookie2"},
        {"Host, Idempotency-Key", NULL},
        {"Content-Length, transfer-encoding", NULL},
        {"LBSticky-Hop, lbsticky-anything", NULL},
        {"LBSticky", "LBSticky"},
        {"X-Forwarded", "X-Forwarded"},
        {"X-Forwarded-For", "X-Forwarded-For"},
        {"X-Forwarded-Proto\x80", NULL},
        {"X-Forwarded-Proto:close", "close"},
        {"(Cookie)", NULL},
        {"Cookie\\", NULL},
        {"", NULL},
        {", \t,", NULL},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        const char *got = clean(table[i].field);

        is_str(got != NULL ? got : "(nothing)",
               table[i].want != NULL ? table[i].want : "(nothing)", "<%s>",
               table[i].field);
    }
}

static void what_is_plain_costs_nothing(void)
{
    static const char *const fields[] = {"close", "keep-alive, Upgrade",
                                         "TE,close"};
    apr_size_t i;

    for (i = 0; i < COUNT(fields); i++) {
        ok(clean(fields[i]) == fields[i], "<%s> itself", fields[i]);
    }
}

static void usual_names_are_about_the_connection(void)
{
    ok(lbs_connection_is_usual(lbs_slice_of("Keep-Alive")), "Keep-Alive");
    ok(lbs_connection_is_usual(lbs_slice_of("upgrade")), "upgrade");
    ok(!lbs_connection_is_usual(lbs_slice_of("X-Custom")), "X-Custom");
    ok(!lbs_connection_is_usual(lbs_slice_of("clos")), "a prefix");
    ok(lbs_connection_is_forwarded(lbs_slice_of("x-forwarded-for")),
       "the field of a proxy in front");
    ok(lbs_connection_is_forwarded(lbs_slice_of("Forwarded")), "Forwarded");
    ok(!lbs_connection_is_forwarded(lbs_slice_of("Forward")), "Forward");
}

/* The slow twin: everything that is no token character becomes a blank, and
 * the words that are left are put together. */
static const char *twin(const char *field)
{
    static const char tokens[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        "!#$%&'*+-.^_`|~";
    char *copy = apr_pstrdup(pool, field), *c, *word, *last;
    const char *all = NULL;

    for (c = copy; *c != '\0'; c++) {
        *c = strchr(tokens, *c) != NULL ? *c : ' ';
    }
    for (word = apr_strtok(copy, " ", &last); word != NULL;
         word = apr_strtok(NULL, " ", &last)) {
        if (strcasecmp(word, "x-forwarded-proto") != 0
            && strcasecmp(word, "x-forwarded-port") != 0
            && strncasecmp(word, "lbsticky-", 9) != 0
            && strcasecmp(word, "cookie") != 0
            && strcasecmp(word, "host") != 0) {
            all =
                all == NULL ? word : apr_pstrcat(pool, all, ", ", word, NULL);
        }
    }
    return all;
}

static const char *random_field(lbs_rand_t *rand)
{
    static const char *const parts[] = {"close",
                                        "Cookie",
                                        "X-Forwarded-Proto",
                                        "lbsticky-hop",
                                        "a",
                                        "Host",
                                        ",",
                                        " ",
                                        ", ",
                                        ";",
                                        "\t",
                                        "\"",
                                        "\x81",
                                        "=",
                                        "x-forwarded-",
                                        "!",
                                        "-",
                                        "(",
                                        ",,",
                                        "z",
                                        "keep-alive",
                                        "\\",
                                        "\x1f"};
    const char *field = "";
    apr_uint32_t n = lbs_rand_below(rand, 9);

    while (n-- > 0) {
        field = apr_pstrcat(pool, field,
                            parts[lbs_rand_below(rand, COUNT(parts))], NULL);
    }
    return field;
}

/* Commas alone and commas with a blank are both plain. */
static const char *with_blanks(const char *field)
{
    const char *all = NULL;
    lbs_slice_t name;

    while (field != NULL && lbs_connection_next(&field, &name)) {
        const char *word = apr_pstrmemdup(pool, name.p, name.n);

        all = all == NULL ? word : apr_pstrcat(pool, all, ", ", word, NULL);
    }
    return all != NULL ? all : "";
}

static void the_same_as_the_slow_twin(void)
{
    lbs_rand_t rand = {1};
    int i, wrong = 0;

    for (i = 0; i < 100000; i++) {
        const char *field = random_field(&rand);
        const char *got = clean(field), *want = twin(field);

        if (strcmp(with_blanks(got), want != NULL ? want : "") != 0
            || (got != NULL && clean(got) != got)) {
            wrong++;
        }
        apr_pool_clear(pool);
    }
    is_int(wrong, 0, "100000 random fields");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    protected_names_go_in_every_spelling();
    what_is_plain_costs_nothing();
    usual_names_are_about_the_connection();
    the_same_as_the_slow_twin();
    return done_testing();
}
