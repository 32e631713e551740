/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_keys.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <arpa/inet.h>

#include "t/unit/tap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BIG 65536

typedef apr_status_t finder_t(const char *, lbs_slice_t, lbs_slice_t *);

static apr_pool_t *pool;

static const char *find_in(finder_t *find, const char *text, const char *name)
{
    static const char untouched[] = "untouched";
    lbs_slice_t value = lbs_slice_of(untouched);

    if (find(text, lbs_slice_of(name), &value) != APR_SUCCESS) {
        return value.p == untouched ? NULL : "touched";
    }
    return apr_pstrmemdup(pool, value.p, value.n);
}

static void keys_in_a_query(void)
{
    static const struct {
        const char *args;
        const char *want;
    } table[] = {
        {"LB=x", "x"},
        {"a=1&LB=x", "x"},
        {"LB=x&a=1", "x"},
        {"&&LB=x&&", "x"},
        {"LB=&LB=x", "x"},
        {"LB&LB=x", "x"},
        {"LB=x&LB=y", "x"},
        {"LB=a=b", "a=b"},
        {"LB=x;LB=y", "x;LB=y"},
        {"LB=%00", "%00"},
        {"LB=a%26b", "a%26b"},
        {"LB=\x80\xff", "\x80\xff"},
        {"LB=a+b", "a+b"},
        {"LB= x ", " x "},
        {"LB=\"x\"", "\"x\""},
        {"LB==", "="},
        {"LB=x#y", "x"},
        {"a=LB=x", NULL},
        {"a=1;LB=x", NULL},
        {"xLB=x", NULL},
        {"LB2=x", NULL},
        {"L=x", NULL},
        {"lb=x", NULL},
        {"%4cB=x", NULL},
        {"LB", NULL},
        {"LB=", NULL},
        {"LB=&", NULL},
        {"LB=&LB=&LB=", NULL},
        {"?LB=x", NULL},
        {" LB=x", NULL},
        {"=x", NULL},
        {"&", NULL},
        {"", NULL},
        {NULL, NULL},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(find_in(lbs_key_query, table[i].args, "LB"), table[i].want,
               "query %zu", i);
    }
    is_str(find_in(lbs_key_query, "b=2&a=1", "a"), "1",
           "one-letter name, one-character value");
    is_str(find_in(lbs_key_query, "=x", ""), NULL, "no name finds nothing");
}

static void keys_in_a_path(void)
{
    static const struct {
        const char *path;
        const char *want;
    } table[] = {
        {"/;LB=x", "x"},
        {"/a;LB=x", "x"},
        {"/a;LB=x/b", "x"},
        {"/a;LB=x;c=d", "x"},
        {"/a;c=d;LB=x", "x"},
        {"/a;LB=x?q=1", "x"},
        {"/a;LB=x#f", "x"},
        {"/a/b;LB=x/c/d", "x"},
        {"/a;LB=;LB=x", "x"},
        {"/a;LB=/b;LB=x", "x"},
        {"/a;LB;LB=x", "x"},
        {"/a;;LB=x", "x"},
        {"/a;LB=x;LB=y", "x"},
        {"/a;LB=x=y", "x=y"},
        {"/a;LB=x&y", "x&y"},
        {"/a;LB=%00%2F", "%00%2F"},
        {"/a;LB=\x80\xff", "\x80\xff"},
        {"http://host/a;LB=x", "x"},
        {"/a?b;LB=x", NULL},
        {"/a?;LB=x", NULL},
        {"/a#;LB=x", NULL},
        {"/LB=x", NULL},
        {"/a;b=;LBX=x", NULL},
        {"/a;XLB=x", NULL},
        {"/a;L=x", NULL},
        {"/a;lb=x", NULL},
        {"/a;b=LB=x", NULL},
        {"/a; LB=x", NULL},
        {"/a%3bLB=x", NULL},
        {"/a;LB", NULL},
        {"/a;LB=", NULL},
        {"/a;LB=?x", NULL},
        {"/a;LB=/x", NULL},
        {";", NULL},
        {"", NULL},
        {NULL, NULL},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(find_in(lbs_key_path, table[i].path, "LB"), table[i].want,
               "path %zu", i);
    }
    is_str(find_in(lbs_key_path, "/;b=2;a=1", "a"), "1",
           "one-letter name, one-character value");
}

static void names_of_all_lengths_are_whole(void)
{
    static const apr_size_t lengths[] = {1, 255, 256, 1024};
    apr_size_t i;

    for (i = 0; i < COUNT(lengths); i++) {
        apr_size_t n = lengths[i];
        char *name = apr_palloc(pool, n + 1);
        char *args, *path;

        memset(name, 'n', n);
        name[n] = '\0';
        args = apr_psprintf(pool, "n%s=1&%sn=2&%s=3", name, name, name);
        path = apr_psprintf(pool, "/;n%s=1;%sn=2;%s=3", name, name, name);
        is_str(find_in(lbs_key_query, args, name), "3",
               "query, a name of %zu bytes", n);
        is_str(find_in(lbs_key_path, path, name), "3",
               "path, a name of %zu bytes", n);
    }
}

static void no_byte_behind_the_text_is_read(void)
{
    static const char *const texts[] = {"LB=", "LB", "L",    "a&", "a=1&LB",
                                        ";LB", ";",  ";LB=", "/;L"};
    apr_size_t i;

    for (i = 0; i < COUNT(texts); i++) {
        apr_size_t size = strlen(texts[i]) + 1;
        char *exact = malloc(size);

        if (exact == NULL) {
            bail_out("no memory");
        }
        memcpy(exact, texts[i], size);
        ok(find_in(lbs_key_query, exact, "LB") == NULL
               && find_in(lbs_key_path, exact, "LB") == NULL,
           "'%s' in a block of its size has no key", texts[i]);
        free(exact);
    }
}

static void long_urls_end_in_time(void)
{
    static const char *const patterns[] = {"&",    ";",   "=",  "LB", "LB=&",
                                           ";LB=", ";LB", "&L", "/"};
    char *text = malloc(BIG + 1);
    apr_size_t i;

    if (text == NULL) {
        bail_out("no memory");
    }
    for (i = 0; i < COUNT(patterns); i++) {
        apr_size_t at, len = strlen(patterns[i]);
        double took;

        for (at = 0; at < BIG; at++) {
            text[at] = patterns[i][at % len];
        }
        text[BIG] = '\0';
        took = thread_us();
        (void)find_in(lbs_key_query, text, "LBx");
        (void)find_in(lbs_key_path, text, "LBx");
        took = thread_us() - took;
        ok(took < 50000, "64 KB of '%s' in %d us", patterns[i], (int)took);
    }
    free(text);
}

static void routes_stand_behind_dots_the_longest_first(void)
{
    static const struct {
        const char *value;
        const char *want; /* all of them, with blanks between */
    } table[] = {
        {"abc.web1", "web1"}, {"a.b.c", "b.c c"}, {".web1", "web1"},
        {"a..x", ".x x"},     {"abc", ""},        {"abc.", ""},
        {"a.b.", ""},         {".", ""},          {"", ""},
        {"a.%00", "%00"},     {"a.\xff", "\xff"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        lbs_slice_t value = lbs_slice_of(table[i].value);
        lbs_slice_t route = {NULL, 0};
        const char *all = "";

        while (lbs_key_route_next(value, &route) == APR_SUCCESS) {
            all = apr_pstrcat(pool, all, *all != '\0' ? " " : "",
                              apr_pstrmemdup(pool, route.p, route.n), NULL);
        }
        is_str(all, table[i].want, "routes of '%s'", table[i].value);
    }
}

static const char *ip_key(const char *text, unsigned v4, unsigned v6)
{
    unsigned char addr[16], out[LBS_KEY_IP_LEN];
    int is_v6 = strchr(text, ':') != NULL;
    apr_size_t i, n;
    char *hex = apr_pcalloc(pool, 2 * LBS_KEY_IP_LEN + 1);

    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, text, addr) != 1) {
        bail_out("no address: %s", text);
    }
    n = lbs_key_ip(out, addr, is_v6, v4, v6);
    for (i = 0; i < n; i++) {
        apr_snprintf(hex + 2 * i, 3, "%02x", out[i]);
    }
    return hex;
}

static void golden_keys_of_addresses(void)
{
    static const struct {
        const char *ip;
        unsigned v4, v6;
        const char *want;
    } table[] = {
        {"192.0.2.255", 32, 64, "04c00002ff"},
        {"192.0.2.255", 24, 64, "04c0000200"},
        {"192.0.2.255", 25, 64, "04c0000280"},
        {"192.0.2.255", 31, 64, "04c00002fe"},
        {"192.0.2.255", 1, 64, "0480000000"},
        {"192.0.2.255", 0, 64, "0400000000"},
        {"192.0.2.255", 33, 64, "04c00002ff"},
        {"::ffff:192.0.2.255", 32, 64, "04c00002ff"},
        {"::ffff:192.0.2.255", 24, 64, "04c0000200"},
        {"2001:db8:1:2:3:4:5:6", 32, 64, "0620010db8000100020000000000000000"},
        {"2001:db8:1:2:3:4:5:6", 32, 56, "0620010db8000100000000000000000000"},
        {"2001:db8:1:2:3:4:5:6", 32, 128,
         "0620010db8000100020003000400050006"},
        {"2001:db8:1:2:3:4:5:6", 32, 999,
         "0620010db8000100020003000400050006"},
        {"2001:db8:1:2:3:4:5:6", 32, 127,
         "0620010db8000100020003000400050006"},
        {"::1", 32, 128, "0600000000000000000000000000000001"},
        {"::192.0.2.1", 32, 128, "06000000000000000000000000c0000201"},
        {"::fffe:192.0.2.1", 32, 128, "0600000000000000000000fffec0000201"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(ip_key(table[i].ip, table[i].v4, table[i].v6), table[i].want,
               "key of %s /%u /%u", table[i].ip, table[i].v4, table[i].v6);
    }
}

/* Bit by bit, as nobody would write it twice. */
static void random_masks_against_a_bit_at_a_time(void)
{
    apr_uint64_t seed = 3;
    int round, wrong = 0;

    for (round = 0; round < 20000; round++) {
        unsigned char addr[16], want[LBS_KEY_IP_LEN] = {0};
        unsigned char out[LBS_KEY_IP_LEN] = {0};
        unsigned bits, i, length;
        int is_v6;

        for (i = 0; i < 16; i++) {
            seed = seed * APR_UINT64_C(6364136223846793005) + 1;
            addr[i] = (unsigned char)(seed >> 56);
        }
        is_v6 = (int)(seed >> 32) & 1;
        bits = (unsigned)(seed >> 40) % (is_v6 ? 129 : 33);
        length = is_v6 ? 16 : 4;
        want[0] = is_v6 ? 6 : 4;
        for (i = 0; i < bits; i++) {
            unsigned char mask = (unsigned char)(0x80u >> (i % 8));

            want[1 + i / 8] |= addr[i / 8] & mask;
        }
        wrong += lbs_key_ip(out, addr, is_v6, bits, bits) != 1 + length
                 || memcmp(out, want, sizeof(want)) != 0;
    }
    is_int(wrong, 0, "20000 random addresses and masks");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    keys_in_a_query();
    keys_in_a_path();
    names_of_all_lengths_are_whole();
    no_byte_behind_the_text_is_read();
    long_urls_end_in_time();
    routes_stand_behind_dots_the_longest_first();
    golden_keys_of_addresses();
    random_masks_against_a_bit_at_a_time();
    apr_terminate();
    return done_testing();
}
