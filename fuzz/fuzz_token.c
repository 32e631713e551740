/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a token: accepted only if signing what it holds gives the
 * same bytes again. The same bytes as the fields of one, and as secrets. */
#include "src/affinity/lbs_token.h"

#include "fuzz/input.h"

#define LINE "correct horse battery staple"
#define POOL APR_UINT64_C(0xf5d7a5cb2afbbf04)

static void check_any_bytes(const char *text, size_t n,
                            const lbs_secret_t *secret)
{
    char again[LBS_TOKEN_LEN + 1];
    lbs_token_t token;
    apr_status_t rv = lbs_token_verify(&token, text, n, secret, POOL);

    if (rv == APR_SUCCESS) {
        lbs_token_sign(again, &token, secret, POOL);
        must(n == LBS_TOKEN_LEN && memcmp(again, text, n) == 0);
    }
    else {
        must(rv
             == (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
                             == LBS_TOKEN_LEN
                         && n == LBS_TOKEN_LEN
                     ? APR_EACCES
                     : APR_EINVAL));
    }
}

static void check_fields(const uint8_t *data, size_t size,
                         const lbs_secret_t *secret)
{
    struct {
        lbs_token_t token;
        apr_uint64_t pool;
    } in;
    char text[LBS_TOKEN_LEN + 1];
    lbs_token_t back;

    memset(&in, 0, sizeof(in));
    if (size > 0) {
        memcpy(&in, data, size < sizeof(in) ? size : sizeof(in));
    }
    lbs_token_sign(text, &in.token, secret, in.pool);
    must(lbs_token_verify(&back, text, LBS_TOKEN_LEN, secret, in.pool)
         == APR_SUCCESS);
    must(memcmp(&back, &in.token, sizeof(back)) == 0);
    must(lbs_token_verify(&back, text, LBS_TOKEN_LEN, secret, in.pool + 1)
         == APR_EACCES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = input_string(data, size);
    lbs_secret_t fixed, secret;

    must(lbs_secret_parse(&fixed, LINE, strlen(LINE)) == NULL);
    check_any_bytes(text, size, &fixed);
    check_fields(data, size, &fixed);
    if (lbs_secret_parse(&secret, text, size) == NULL) {
        must(secret.count >= 1 && secret.count <= LBS_SECRET_MAX);
        check_fields(data, size, &secret);
    }
    free(text);
    return 0;
}
