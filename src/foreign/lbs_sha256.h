/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_sha256.h - SHA-256 of FIPS 180-4, for names that others hashed. Nothing
 * of this module's own is protected by it. */
#ifndef LBS_SHA256_H
#define LBS_SHA256_H

#include <apr.h>

#define LBS_SHA256_LEN 32 /* bytes of a digest */

/** @param digest  out */
void lbs_sha256(unsigned char digest[LBS_SHA256_LEN], const void *data,
                apr_size_t len);

#endif
