/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_secret.h"

#include "t/unit/tap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define A16 "aaaaaaaaaaaaaaaa"
#define B16 "bbbbbbbbbbbbbbbb"

static int has_key(const lbs_secret_t *secret, apr_size_t which,
                   const char *line)
{
    lbs_secret_t alone;

    return which < secret->count
           && lbs_secret_parse(&alone, line, strlen(line)) == NULL
           && memcmp(&secret->keys[which], &alone.keys[0],
                     sizeof(alone.keys[0]))
                  == 0;
}

static void texts_that_are_secrets(void)
{
    static const struct {
        const char *text;
        apr_size_t count;
    } table[] = {
        {A16, 1},
        {A16 "\n", 1},
        {A16 "\r\n", 1},
        {"\n\r\n\n" A16 "\n\n", 1},
        {A16 "\n" B16, 2},
        {A16 "\r\n" B16 "\r\n", 2},
        {A16 "\n\n\r\n" B16 "\n", 2},
        {A16 "\n" A16, 2},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        lbs_secret_t secret;
        const char *second = i == 7 ? A16 : B16;

        is_str(lbs_secret_parse(&secret, table[i].text, strlen(table[i].text)),
               NULL, "text %zu", i);
        is_int(secret.count, table[i].count, "so many secrets");
        ok(has_key(&secret, 0, A16), "the first line signs");
        ok(table[i].count < 2 || has_key(&secret, 1, second),
           "the second is the second");
    }
}

static void texts_that_are_none(void)
{
    static const struct {
        const char *text;
        const char *wanted;
    } table[] = {
        {"", "at least one line of 16 bytes or more"},
        {"\n\r\n\n", "at least one line of 16 bytes or more"},
        {"\r", "at least one line of 16 bytes or more"},
        {"aaaaaaaaaaaaaaa", "at least 16 bytes on each line"},
        {"aaaaaaaaaaaaaaa\r\n", "at least 16 bytes on each line"},
        {A16 "\nshort\n", "at least 16 bytes on each line"},
        {" \n" A16, "at least 16 bytes on each line"},
    };
    lbs_secret_t secret, untouched;
    char *big;
    apr_size_t i;

    memset(&secret, 0x55, sizeof(secret));
    memcpy(&untouched, &secret, sizeof(secret));
    for (i = 0; i < COUNT(table); i++) {
        is_str(lbs_secret_parse(&secret, table[i].text, strlen(table[i].text)),
               table[i].wanted, "no secret, text %zu", i);
    }
    big = malloc(LBS_SECRET_TEXT_MAX + 1);
    if (big == NULL) {
        bail_out("no memory");
    }
    memset(big, 'a', LBS_SECRET_TEXT_MAX + 1);
    is_str(lbs_secret_parse(&secret, big, LBS_SECRET_TEXT_MAX + 1),
           "at most 64 KB of text", "one byte too many");
    is_mem(&secret, &untouched, sizeof(secret), "nothing was touched");
    is_str(lbs_secret_parse(&secret, big, LBS_SECRET_TEXT_MAX), NULL,
           "64 KB are one secret");
    free(big);
}

static void eight_secrets_at_most(void)
{
    char text[9 * 17 + 1] = "";
    lbs_secret_t secret;
    int i;

    for (i = 0; i < 9; i++) {
        memset(text + 17 * i, 'a' + i, 16);
        text[17 * i + 16] = '\n';
    }
    is_str(lbs_secret_parse(&secret, text, 8 * 17), NULL, "eight");
    is_int(secret.count, 8, "all of them");
    ok(has_key(&secret, 7, "hhhhhhhhhhhhhhhh"), "in their order");
    is_str(lbs_secret_parse(&secret, text, 9 * 17), "at most 8 secrets",
           "nine");
}

static void every_byte_of_a_line_counts(void)
{
    static const apr_size_t lengths[] = {16, 17, 255, 256, 1024};
    char a[1024], b[1024];
    apr_size_t i, k;
    int same = 0;

    for (i = 0; i < COUNT(lengths); i++) {
        apr_size_t n = lengths[i];

        for (k = 0; k < n; k++) {
            lbs_secret_t one, other;

            memset(a, 'k', n);
            memset(b, 'k', n);
            b[k] = '\0';
            if (lbs_secret_parse(&one, a, n) != NULL
                || lbs_secret_parse(&other, b, n) != NULL) {
                bail_out("a line of %zu bytes is refused", n);
            }
            same += memcmp(lbs_secret_pick_key(&one),
                           lbs_secret_pick_key(&other), sizeof(lbs_hash_key_t))
                    == 0;
        }
    }
    is_int(same, 0, "lines of up to 1024 bytes that differ in one byte");
}

static void text_in_a_block_of_its_size(void)
{
    apr_size_t n;
    int bad = 0;

    for (n = 1; n <= 40; n++) {
        char *exact = malloc(n);
        lbs_secret_t secret;

        if (exact == NULL) {
            bail_out("no memory");
        }
        memset(exact, n % 2 ? 'x' : '\r', n);
        bad += (lbs_secret_parse(&secret, exact, n) == NULL)
               != (n % 2 ? n >= 16 : n >= 17);
        free(exact);
    }
    is_int(bad, 0, "no byte behind the text is read");
}

static void keys_are_the_same_everywhere(void)
{
    static const char text[] = "correct horse battery staple";
    static const unsigned char pick[] = {0xcc, 0xdc, 0x9d, 0x44, 0x36, 0x51,
                                         0x02, 0xd6, 0x28, 0xd8, 0x1a, 0xc9,
                                         0x5b, 0x6f, 0x7b, 0x6f};
    static const unsigned char peer[] = {0xbe, 0x9d, 0x9a, 0xf6, 0x9a, 0xdb,
                                         0xf3, 0x63, 0xb4, 0x16, 0x9e, 0xe2,
                                         0xf3, 0x95, 0x86, 0xed};
    lbs_secret_t secret, again;
    lbs_hash_key_t key;

    lbs_secret_parse(&secret, text, strlen(text));
    is_mem(lbs_secret_pick_key(&secret), pick, sizeof(pick),
           "golden vector of the pick key");
    lbs_secret_key(&key, &secret, 0, "peer");
    is_mem(&key, peer, sizeof(peer), "golden vector of a key on demand");
    lbs_secret_random(&again, text, strlen(text));
    is_mem(&again, &secret, sizeof(secret),
           "bytes and a line of the same bytes are one secret");
}

static void each_purpose_has_its_own_key(void)
{
    lbs_secret_t secret;
    const lbs_secret_keys_t *keys = &secret.keys[0];
    const lbs_hash_key_t *all[6];
    lbs_hash_key_t peer;
    int i, k, same = 0;

    lbs_secret_random(&secret, A16, 16);
    lbs_secret_key(&peer, &secret, 0, "peer");
    all[0] = &keys->master;
    all[1] = &keys->mac[0];
    all[2] = &keys->mac[1];
    all[3] = &keys->stream;
    all[4] = &keys->pick;
    all[5] = &peer;
    for (i = 0; i < 6; i++) {
        for (k = 0; k < i; k++) {
            same += memcmp(all[i], all[k], sizeof(peer)) == 0;
        }
    }
    is_int(same, 0, "six keys of one secret are six");
}

int main(void)
{
    texts_that_are_secrets();
    texts_that_are_none();
    eight_secrets_at_most();
    every_byte_of_a_line_counts();
    text_in_a_block_of_its_size();
    keys_are_the_same_everywhere();
    each_purpose_has_its_own_key();
    return done_testing();
}
