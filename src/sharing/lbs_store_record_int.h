/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_store_record_int.h - the signature of values in a store. */
#ifndef LBS_STORE_RECORD_INT_H
#define LBS_STORE_RECORD_INT_H

#include "src/sharing/lbs_store_record.h"

#define LBS_STORE_RECORD_MAC_LEN 16 /* bytes */

/** Sign a value under its name. @param mac  out */
void lbs_store_record_sign(const lbs_store_record_secret_t *secret,
                           const char *name, const unsigned char *value,
                           apr_size_t len,
                           unsigned char mac[LBS_STORE_RECORD_MAC_LEN]);

/** @return 1 when mac is that of the value. Takes the same time wherever the
 * first difference is. */
int lbs_store_record_is_signed(
    const lbs_store_record_secret_t *secret, const char *name,
    const unsigned char *value, apr_size_t len,
    const unsigned char mac[LBS_STORE_RECORD_MAC_LEN]);

#endif
