/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_nonce.h - proof that a form came from our own page.
 *
 * Another site can make a browser send a form here, but it cannot read our
 * page, and so does not know the nonce that the form must hold. A nonce is the
 * time it was made and a keyed hash over it: nothing is kept, and every child,
 * also of the next generation, can check it.
 */
#ifndef LBS_NONCE_H
#define LBS_NONCE_H

#include "src/base/lbs_hash.h"

#define LBS_NONCE_LEN 24      /* characters, without the NUL */
#define LBS_NONCE_LIFE_S 7200 /* a form may be filled in that late */

/**
 * @param key  secret, for this purpose alone
 * @param scope  where it is to be good: the virtual host's name
 * @param now    Unix seconds
 * @param nonce  out: hex digits and a NUL
 */
void lbs_nonce_make(const lbs_hash_key_t *key, const char *scope,
                    apr_int64_t now, char nonce[LBS_NONCE_LEN + 1]);

/**
 * @param nonce  any string
 * @return 1 when it was made with this key, for this scope, in the last
 *         LBS_NONCE_LIFE_S seconds; takes as long for any other of its length
 */
int lbs_nonce_good(const lbs_hash_key_t *key, const char *scope,
                   apr_int64_t now, const char *nonce);

#endif
