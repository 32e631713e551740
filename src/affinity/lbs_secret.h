/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_secret.h - the secret of servers that accept each other's tokens.
 *
 * A secret is a line of text, at least LBS_SECRET_MIN bytes. Lines may be of
 * any length, so a line is first digested to one master key: the first 16
 * bytes of SHA-1 over a fixed prefix and the line. (Only the administrator
 * chooses the line, so SHA-1's collisions help no attacker.) From the master
 * key one key for each purpose is derived, so that a signature for one use is
 * not valid for another.
 *
 * The first secret signs, the others still verify: to change a secret, put
 * the new one before the old, and take the old one out when `idle` has gone
 * by. The value holds no pointer; it may be copied and shared, never logged.
 */
#ifndef LBS_SECRET_H
#define LBS_SECRET_H

#include <apr.h>

#include "src/base/lbs_hash.h"

#define LBS_SECRET_MAX 8  /* secrets: one that signs, seven old ones */
#define LBS_SECRET_MIN 16 /* bytes of one secret, line end not counted */
#define LBS_SECRET_TEXT_MAX 65536 /* bytes of all of them together */

/* The keys of one secret; for lbs_secret.c and lbs_token.c only. */
typedef struct lbs_secret_keys_t {
    lbs_hash_key_t master;
    lbs_hash_key_t mac[2];
    lbs_hash_key_t stream;
    lbs_hash_key_t pick;
} lbs_secret_keys_t;

typedef struct lbs_secret_t {
    apr_size_t count; /* 1 to LBS_SECRET_MAX */
    lbs_secret_keys_t keys[LBS_SECRET_MAX];
} lbs_secret_t;

/**
 * Read the secrets from a file's text or a command's output: one a line,
 * lines end with LF or CRLF, empty ones do not count. All other bytes belong
 * to the secret, also blanks at its ends.
 *
 * @param secret  out
 * @param text    need not end with a NUL
 * @param len     bytes of text
 * @return NULL, or a phrase that says what was wanted (secret untouched)
 */
const char *lbs_secret_parse(lbs_secret_t *secret, const char *text,
                             apr_size_t len);

/**
 * Make one secret of random bytes, for `LBStickySecret random`.
 *
 * @param secret  out
 * @param bytes   at least LBS_SECRET_MIN of them; the same bytes make the
 *                same secret
 */
void lbs_secret_random(lbs_secret_t *secret, const void *bytes,
                       apr_size_t len);

/**
 * A key for one purpose.
 *
 * @param which    0 for the secret that signs, up to secret->count - 1
 * @param purpose  a literal naming the use, for example "peer"
 */
void lbs_secret_key(lbs_hash_key_t *out, const lbs_secret_t *secret,
                    apr_size_t which, const char *purpose);

/**
 * The key of the method `hash`, of the secret that signs: the same on all
 * servers. Lives as long as secret.
 */
const lbs_hash_key_t *lbs_secret_pick_key(const lbs_secret_t *secret);

#endif
