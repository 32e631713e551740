/* SPDX-License-Identifier: Apache-2.0 */
/* relation.c - which sessions another configuration knows again. */
#include "src/preview/lbs_relation.h"

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "t/unit/tap.h"

static apr_pool_t *memory;

/* Two outlines of one pool; sources are words, secrets are letters. */
static lbs_outline_t *outline_of(const char *sources, const char *cookie,
                                 const char *secrets)
{
    lbs_outline_t *outline = lbs_outline_create(memory);
    lbs_outline_pool_t *pool = lbs_outline_add_pool(outline, "www:80", "app");
    char *last;
    char *words = apr_pstrdup(memory, sources);
    char *word;

    pool->cookie = cookie;
    for (word = apr_strtok(words, " ", &last); word != NULL;
         word = apr_strtok(NULL, " ", &last)) {
        lbs_outline_add_source(pool, word);
    }
    for (; *secrets != '\0'; secrets++) {
        APR_ARRAY_PUSH(outline->secrets, apr_uint64_t) =
            (apr_uint64_t)*secrets;
    }
    return outline;
}

static lbs_outline_pool_t *pool_of(const lbs_outline_t *outline)
{
    return &LBS_OUTLINE_AT(outline->pools, 0, lbs_outline_pool_t);
}

/* @return "kept", why they are lost, or "kept N" with N notes */
static const char *relate(const char *was, const char *cookie_was,
                          const char *secrets_were, const char *is,
                          const char *cookie_is, const char *secrets_are,
                          int by_token)
{
    lbs_outline_t *before = outline_of(was, cookie_was, secrets_were);
    lbs_outline_t *after = outline_of(is, cookie_is, secrets_are);
    lbs_relation_t relation = lbs_relation_find(
        before, pool_of(before), after, pool_of(after), by_token, memory);

    if (relation.lost != NULL) {
        return relation.notes->nelts == 0 ? relation.lost : "lost and noted";
    }
    return relation.notes->nelts == 0
               ? "kept"
               : apr_psprintf(memory, "kept %d", relation.notes->nelts);
}

static void test_sources(void)
{
    is_str(relate("ip", "C", "a", "ip", "C", "a", 0), "kept", "the same");
    is_str(relate("ip", "C", "a", "query=q ip", "D", "b", 0), "kept",
           "one more, and what is the cookie's alone");
    is_str(relate("ip", "C", "a", "ip/24", "C", "a", 0), "source",
           "another mask is another source");
    is_str(relate("ip", "C", "a", "", "C", "a", 0), "source", "none");
    is_str(relate("ip query=q", "C", "a", "ip", "C", "a", 0), "kept 1",
           "one of two");
    is_str(relate("", "C", "a", "ip", "C", "a", 0), "kept",
           "what is not known is kept");
}

static void test_cookie(void)
{
    is_str(relate("cookie", "C", "ab", "cookie", "C", "ba", 0), "kept",
           "another order of secrets");
    is_str(relate("cookie", "C", "ab", "cookie", "C", "b", 0), "secret",
           "without the one that signs");
    is_str(relate("cookie", "C", "ab", "cookie", "C", "a", 0), "kept",
           "without an old one");
    is_str(relate("cookie", "C", "a", "cookie", "D", "a", 0), "cookie",
           "another name");
    is_str(relate("cookie ip", "C", "a", "cookie ip", "D", "a", 0), "kept 1",
           "beside another source");
    is_str(relate("ip cookie", "C", "a", "cookie", "C", "b", 0), "secret",
           "the secret is told before the source");
}

static void test_token(void)
{
    lbs_outline_t *before = outline_of("cookie", "C", "a");

    is_str(relate("cookie", "C", "a", "cookie", "C", "a", 1), "kept",
           "a cookie leads to the same pool elsewhere");
    is_str(relate("ip", "C", "a", "ip", "C", "a", 1), "pool",
           "nothing else does");
    is_str(relate("ip cookie", "C", "a", "ip cookie", "C", "a", 1), "kept 1",
           "both");
    is_str(lbs_relation_find(before, pool_of(before), before, NULL, 0, memory)
               .lost,
           "pool", "no pool at all");
}

static int secrets(const char *sources, const char *were, const char *are)
{
    return lbs_relation_secrets(outline_of(sources, "C", were),
                                outline_of(sources, "C", are), memory)
        ->nelts;
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    test_sources();
    test_cookie();
    test_token();
    is_int(secrets("cookie", "abc", "cba"), 0, "all secrets verify");
    is_int(secrets("cookie", "abc", "b"), 2, "two do not");
    is_int(secrets("ip", "abc", "d"), 0, "no cookie is signed");
    return done_testing();
}
