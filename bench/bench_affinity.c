/* SPDX-License-Identifier: Apache-2.0 */
/* bench_affinity - what a request pays to have its key found and its cookie
 * checked, taken away and written.
 *
 *     bench_affinity             one TSV line per operation, nanoseconds
 *     bench_affinity NAME TIMES  only that, no output: for counting
 *                                instructions as the difference of two runs
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_general.h>

#include "src/affinity/lbs_cookie.h"
#include "src/affinity/lbs_keys.h"
#include "src/affinity/lbs_setcookie.h"
#include "src/affinity/lbs_token.h"

#define TIMES 200000
#define POOL 4711 /* a pool's identity */

/* What a browser sends to a site with the usual analytics: 480 bytes. */
#define OTHERS                                                                \
    "_ga=GA1.2.1111111111.1600000000; _gid=GA1.2.2222222222.1600000000; "     \
    "consent={\"necessary\":true,\"stats\":false,\"version\":\"2024-01\"}; "  \
    "csrftoken=abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzABCDEF; "  \
    "sessionid=0123456789abcdef0123456789abcdef; theme=dark; lang=en-GB; "    \
    "last=\"/a/b/c?d=e\"; _fbp=fb.1.1600000000000.1234567890; "               \
    "intercom-id=11111111-2222-3333-4444-555555555555; "                      \
    "cart=1234567890abcdef1234567890abcdef"

static apr_pool_t *memory;
static lbs_secret_t secret;
static char token_text[LBS_TOKEN_LEN + 1];
static char header[1024];
static const lbs_token_t token = {1700000000, 1700000000, 42, 43};

static apr_uint64_t find_cookie(void)
{
    lbs_slice_t wanted = lbs_slice_of("LBSTICKY_app");
    lbs_cookie_iter_t it;
    lbs_slice_t name, value;

    lbs_cookie_start(&it, header);
    while (lbs_cookie_next(&it, &name, &value)) {
        if (lbs_slice_eq(name, wanted)) {
            return value.n;
        }
    }
    return 0;
}

static apr_uint64_t strip_cookie(void)
{
    int found;

    return lbs_cookie_strip(memory, header, lbs_slice_of("LBSTICKY_app"),
                            &found)
           != NULL;
}

static apr_uint64_t read_setcookie(void)
{
    static const char line[] =
        "sessionid=0123456789abcdef0123456789abcdef; expires=Tue, 28 Nov 2023 "
        "22:13:20 GMT; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax";
    lbs_setcookie_t set;

    (void)lbs_setcookie_parse(line, lbs_slice_of("sessionid"), 0, &set);
    return set.value.n;
}

static lbs_setcookie_frame_t frame;

static apr_uint64_t write_setcookie(void)
{
    return (apr_uint64_t)*lbs_setcookie_line(memory, &frame, token_text);
}

static apr_uint64_t verify_token(void)
{
    lbs_token_t found = {0, 0, 0, 0};

    (void)lbs_token_verify(&found, token_text, LBS_TOKEN_LEN, &secret, POOL);
    return found.sid;
}

static apr_uint64_t sign_token(void)
{
    char text[LBS_TOKEN_LEN + 1];

    lbs_token_sign(text, &token, &secret, POOL);
    return (apr_uint64_t)text[0];
}

static apr_uint64_t find_in_query(void)
{
    lbs_slice_t value = {NULL, 0};

    (void)lbs_key_query("page=2&sort=price&dir=asc&q=shoes&tenant=acme",
                        lbs_slice_of("tenant"), &value);
    return value.n;
}

static apr_uint64_t mask_address(void)
{
    static const unsigned char address[16] = {0x20, 1, 0xd, 0xb8, 1, 2, 3, 4};
    unsigned char out[LBS_KEY_IP_LEN];

    return lbs_key_ip(out, address, 1, 32, 64) + out[8];
}

static const struct {
    const char *name;
    apr_uint64_t (*run)(void);
} operations[] = {
    {"find_cookie", find_cookie},       {"strip_cookie", strip_cookie},
    {"read_setcookie", read_setcookie}, {"write_setcookie", write_setcookie},
    {"verify_token", verify_token},     {"sign_token", sign_token},
    {"find_in_query", find_in_query},   {"mask_address", mask_address},
};

/* @return a sum that depends on every run, so that none is left out */
static apr_uint64_t repeat(apr_uint64_t (*run)(void), long times)
{
    apr_uint64_t sum = 0;

    while (times-- > 0) {
        sum += run();
        if (times % 256 == 0) {
            apr_pool_clear(memory);
        }
    }
    return sum;
}

static double seconds(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    static const char line[] = "correct horse battery staple";
    apr_uint64_t sum = 0;
    apr_size_t i;

    apr_initialize();
    apr_pool_create(&memory, NULL);
    if (lbs_secret_parse(&secret, line, strlen(line)) != NULL) {
        return 1;
    }
    lbs_token_sign(token_text, &token, &secret, POOL);
    lbs_setcookie_frame(memory, &lbs_cookie_defaults,
                        lbs_slice_of("LBSTICKY_app"), 1, &frame);
    snprintf(header, sizeof(header), "%s; LBSTICKY_app=%s", OTHERS,
             token_text);
    if (argc == 1) {
        printf("operation\tns\n");
    }
    for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (argc == 1) {
            double start = seconds();

            sum += repeat(operations[i].run, TIMES);
            printf("%s\t%.0f\n", operations[i].name,
                   (seconds() - start) * 1e9 / TIMES);
        }
        else if (argc == 3 && strcmp(argv[1], operations[i].name) == 0) {
            sum += repeat(operations[i].run, atol(argv[2]));
        }
    }
    apr_terminate();
    /* Never true: 2^64 of them are not counted in a lifetime. */
    return sum == APR_UINT64_MAX;
}
