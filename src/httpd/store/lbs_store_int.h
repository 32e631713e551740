/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_store_int.h - how names and values in the store are made. */
#ifndef LBS_STORE_INT_H
#define LBS_STORE_INT_H

#include "src/affinity/lbs_secret.h"
#include "src/sharing/lbs_store_record.h"

/* Names and MACs of each secret: the first writes, the others are read. */
typedef struct lbs_store_secrets_t {
    apr_size_t count;
    lbs_store_record_secret_t secret[LBS_SECRET_MAX];
} lbs_store_secrets_t;

/** @return those in force; after lbs_store_start() */
const lbs_store_secrets_t *lbs_store_secrets(void);

#endif
