/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_token.h"

#include "t/unit/tap.h"

#define POOL APR_UINT64_C(0xf5d7a5cb2afbbf04) /* www.example.com, app */
#define WEB1 APR_UINT64_C(0xf5e6b0ed0140cfd9) /* app, web1 */
#define ALL APR_UINT64_MAX
#define LINE "correct horse battery staple"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789-_";

static const lbs_token_t sample = {1700000000, 1699990000,
                                   APR_UINT64_C(0x0123456789abcdef), WEB1};

static lbs_secret_t the_secret;

static lbs_secret_t secret_of(const char *text)
{
    lbs_secret_t secret;

    if (lbs_secret_parse(&secret, text, strlen(text)) != NULL) {
        bail_out("no secret");
    }
    return secret;
}

static int same_token(const lbs_token_t *a, const lbs_token_t *b)
{
    return a->issued == b->issued && a->created == b->created
           && a->sid == b->sid && a->member == b->member;
}

static apr_status_t verify(const char *text, const lbs_secret_t *secret,
                           apr_uint64_t pool)
{
    lbs_token_t token = {1, 2, 3, 4};
    lbs_token_t untouched = token;
    apr_status_t rv =
        lbs_token_verify(&token, text, strlen(text), secret, pool);

    if (rv != APR_SUCCESS && !same_token(&token, &untouched)) {
        return APR_EGENERAL;
    }
    return rv;
}

/* Made by another implementation, in another language. */
static void golden_tokens(void)
{
    static const struct {
        lbs_token_t token;
        apr_uint64_t pool;
        const char *want;
    } table[] = {
        {{1700000000, 1699990000, APR_UINT64_C(0x0123456789abcdef), WEB1},
         POOL,
         "gQ4MWoPQ6S5HjvNMNrSXqGkD8A1ht_ozYSvEhzmlUImUApZ7"},
        {{0, 0, 0, 0}, 0, "OpO5CH3lSHM5kul2ouOghIxq-t4JF9odHECtbCvwqoDFc73I"},
        {{0xffffffff, 0xffffffff, ALL, ALL},
         ALL,
         "bpjL8Q5iOdlxnxf0KlJLomdNI0CVO_Z1cHSbDCdMNPTqPhe3"},
    };
    int i;

    for (i = 0; i < 3; i++) {
        char text[LBS_TOKEN_LEN + 1];
        lbs_token_t token;

        lbs_token_sign(text, &table[i].token, &the_secret, table[i].pool);
        is_str(text, table[i].want, "golden token %d", i);
        ok(lbs_token_verify(&token, text, LBS_TOKEN_LEN, &the_secret,
                            table[i].pool)
                   == APR_SUCCESS
               && same_token(&token, &table[i].token),
           "and what it holds");
    }
}

static void golden_identities(void)
{
    ok(lbs_token_pool_id("www.example.com", "app") == POOL, "of a pool");
    ok(lbs_token_member_id("app", "web1") == WEB1, "of a route");
    ok(lbs_token_member_id("app", "http://10.0.0.11:8000")
           == APR_UINT64_C(0xc2cd6c4c1fd78fb8),
       "of a URL");
    ok(lbs_token_pool_id("a", "bc") != lbs_token_pool_id("ab", "c")
           && lbs_token_pool_id("", "x") != lbs_token_pool_id("x", "")
           && lbs_token_pool_id("a", "b") != lbs_token_member_id("a", "b"),
       "where one name ends counts, and what it names");
}

static void what_is_no_token_by_its_shape(void)
{
    char text[LBS_TOKEN_LEN + 2];
    lbs_token_t token;
    int n, c, wrong = 0;

    lbs_token_sign(text, &sample, &the_secret, POOL);
    text[LBS_TOKEN_LEN] = 'A';
    for (n = 0; n <= LBS_TOKEN_LEN + 1; n++) {
        char *exact = malloc((apr_size_t)n + (n == 0));

        if (exact == NULL) {
            bail_out("no memory");
        }
        memcpy(exact, text, (apr_size_t)n);
        wrong +=
            lbs_token_verify(&token, exact, (apr_size_t)n, &the_secret, POOL)
            != (n == LBS_TOKEN_LEN ? APR_SUCCESS : APR_EINVAL);
        free(exact);
    }
    is_int(wrong, 0, "only 48 characters, and no byte behind them is read");
    wrong = 0;
    for (n = 0; n < LBS_TOKEN_LEN; n++) {
        char was = text[n];

        for (c = 0; c < 256; c++) {
            text[n] = (char)c;
            if (c != 0 && strchr(alphabet, c) != NULL) {
                continue;
            }
            wrong += lbs_token_verify(&token, text, LBS_TOKEN_LEN, &the_secret,
                                      POOL)
                     != APR_EINVAL;
        }
        text[n] = was;
    }
    is_int(wrong, 0, "any byte outside the alphabet, NUL, + and / too");
}

static void every_other_character_is_a_forgery(void)
{
    char text[LBS_TOKEN_LEN + 1];
    int n, c, wrong = 0;

    lbs_token_sign(text, &sample, &the_secret, POOL);
    for (n = 0; n < LBS_TOKEN_LEN; n++) {
        char was = text[n];

        for (c = 0; c < 64; c++) {
            text[n] = alphabet[c];
            wrong += verify(text, &the_secret, POOL)
                     != (alphabet[c] == was ? APR_SUCCESS : APR_EACCES);
        }
        text[n] = was;
    }
    is_int(wrong, 0, "48 places x 63 other characters are refused");
}

static void a_token_is_bound_to_its_pool(void)
{
    char text[LBS_TOKEN_LEN + 1];
    int bit, wrong = 0;

    lbs_token_sign(text, &sample, &the_secret, POOL);
    for (bit = 0; bit < 64; bit++) {
        wrong += verify(text, &the_secret, POOL ^ (APR_UINT64_C(1) << bit))
                 != APR_EACCES;
    }
    is_int(wrong, 0, "no other pool takes it");
}

static void secrets_are_rotated(void)
{
    lbs_secret_t before = secret_of("the old secret is this\n");
    lbs_secret_t during = secret_of("the new secret is this\n"
                                    "the old secret is this\n");
    lbs_secret_t after = secret_of("the new secret is this\n");
    char old_text[LBS_TOKEN_LEN + 1], new_text[LBS_TOKEN_LEN + 1];
    lbs_token_t token;

    lbs_token_sign(old_text, &sample, &before, POOL);
    lbs_token_sign(new_text, &sample, &during, POOL);
    is_int(verify(old_text, &before, POOL), APR_SUCCESS, "old, before");
    is_int(verify(new_text, &before, POOL), APR_EACCES, "new, before");
    ok(lbs_token_verify(&token, old_text, LBS_TOKEN_LEN, &during, POOL)
               == APR_SUCCESS
           && same_token(&token, &sample),
       "old, while both are known: the same member");
    is_int(verify(new_text, &during, POOL), APR_SUCCESS, "new, during");
    is_int(verify(old_text, &after, POOL), APR_EACCES, "old, afterwards");
    is_int(verify(new_text, &after, POOL), APR_SUCCESS, "new, afterwards");
}

/* Bits that differ between two tokens, 36 bytes in 48 digits. */
static int distance(const char *a, const char *b)
{
    int i, sum = 0;

    for (i = 0; i < LBS_TOKEN_LEN; i++) {
        long x = (strchr(alphabet, a[i]) - alphabet)
                 ^ (strchr(alphabet, b[i]) - alphabet);

        sum += __builtin_popcountl((unsigned long)x);
    }
    return sum;
}

static void tokens_look_random(void)
{
    char a[LBS_TOKEN_LEN + 1], b[LBS_TOKEN_LEN + 1];
    int i, least = 288, sum = 0;

    for (i = 0; i < 4000; i++) {
        lbs_token_t token = sample;
        int bits;

        lbs_token_sign(a, &token, &the_secret, POOL);
        /* The smallest change there can be, in each field in turn. */
        token.issued += i % 4 == 0;
        token.created += i % 4 == 1;
        token.sid ^= i % 4 == 2 ? APR_UINT64_C(1) << (i % 64) : 0;
        token.member ^= i % 4 == 3 ? APR_UINT64_C(1) << (i % 64) : 0;
        lbs_token_sign(b, &token, &the_secret, POOL);
        bits = distance(a, b);
        sum += bits;
        least = bits < least ? bits : least;
    }
    is_near(sum / 4000.0 / 288, 0.5, 0.02,
            "any change of a field changes half of the bits");
    ok(least > 288 / 4, "and never less than a quarter (%d of 288)", least);
}

static void random_tokens_come_back(void)
{
    apr_uint64_t seed = 11;
    int i, wrong = 0;

    for (i = 0; i < 20000; i++) {
        char text[LBS_TOKEN_LEN + 1];
        lbs_token_t token, back;
        apr_uint64_t part[4];
        int k;

        for (k = 0; k < 4; k++) {
            seed = seed * APR_UINT64_C(6364136223846793005) + 1;
            part[k] = lbs_hash_mix(seed);
        }
        token.issued = (apr_uint32_t)part[0];
        token.created = (apr_uint32_t)(part[0] >> 32);
        token.sid = part[1];
        token.member = part[2];
        lbs_token_sign(text, &token, &the_secret, part[3]);
        wrong += strspn(text, alphabet) != LBS_TOKEN_LEN
                 || lbs_token_verify(&back, text, LBS_TOKEN_LEN, &the_secret,
                                     part[3])
                        != APR_SUCCESS
                 || !same_token(&token, &back);
    }
    is_int(wrong, 0, "20000 random tokens come back as they were");
}

int main(void)
{
    the_secret = secret_of(LINE);
    golden_tokens();
    golden_identities();
    what_is_no_token_by_its_shape();
    every_other_character_is_a_forgery();
    a_token_is_bound_to_its_pool();
    secrets_are_rotated();
    tokens_look_random();
    random_tokens_come_back();
    return done_testing();
}
