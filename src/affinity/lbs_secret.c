/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_secret.h"

#include <string.h>

#include <apr_sha1.h>

#include "src/base/lbs_assert.h"

#define WANT_TEXT "at most 64 KB of text"
#define WANT_LONGER "at least 16 bytes on each line"
#define WANT_FEWER "at most 8 secrets"
#define WANT_ONE "at least one line of 16 bytes or more"

_Static_assert(LBS_HASH_KEY_LEN <= APR_SHA1_DIGESTSIZE, "one digest, one key");

static void make_keys(lbs_secret_keys_t *keys, const void *bytes,
                      apr_size_t len)
{
    static const char prefix[] = "lbsticky secret";
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_sha1_ctx_t sha1;

    lbs_assert(len <= LBS_SECRET_TEXT_MAX);
    apr_sha1_init(&sha1);
    apr_sha1_update_binary(&sha1, (const unsigned char *)prefix,
                           sizeof(prefix));
    apr_sha1_update_binary(&sha1, bytes, (unsigned)len);
    apr_sha1_final(digest, &sha1);
    memcpy(keys->master.bytes, digest, LBS_HASH_KEY_LEN);
    lbs_hash_derive(&keys->mac[0], &keys->master, "token mac 0");
    lbs_hash_derive(&keys->mac[1], &keys->master, "token mac 1");
    lbs_hash_derive(&keys->stream, &keys->master, "token stream");
    lbs_hash_derive(&keys->pick, &keys->master, "pick");
}

const char *lbs_secret_parse(lbs_secret_t *secret, const char *text,
                             apr_size_t len)
{
    lbs_secret_t found;
    const char *end = text + len;

    if (len > LBS_SECRET_TEXT_MAX) {
        return WANT_TEXT;
    }
    memset(&found, 0, sizeof(found));
    while (text < end) {
        const char *newline = memchr(text, '\n', (apr_size_t)(end - text));
        const char *stop = newline != NULL ? newline : end;
        apr_size_t n = (apr_size_t)(stop - text);

        if (n > 0 && text[n - 1] == '\r') {
            n--;
        }
        if (n > 0 && n < LBS_SECRET_MIN) {
            return WANT_LONGER;
        }
        if (n > 0 && found.count == LBS_SECRET_MAX) {
            return WANT_FEWER;
        }
        if (n > 0) {
            make_keys(&found.keys[found.count++], text, n);
        }
        text = newline != NULL ? newline + 1 : end;
    }
    if (found.count == 0) {
        return WANT_ONE;
    }
    *secret = found;
    return NULL;
}

void lbs_secret_random(lbs_secret_t *secret, const void *bytes, apr_size_t len)
{
    lbs_assert(len >= LBS_SECRET_MIN);
    memset(secret, 0, sizeof(*secret));
    make_keys(&secret->keys[0], bytes, len);
    secret->count = 1;
}

void lbs_secret_key(lbs_hash_key_t *out, const lbs_secret_t *secret,
                    apr_size_t which, const char *purpose)
{
    lbs_assert(which < secret->count);
    lbs_hash_derive(out, &secret->keys[which].master, purpose);
}

const lbs_hash_key_t *lbs_secret_pick_key(const lbs_secret_t *secret)
{
    return &secret->keys[0].pick;
}
