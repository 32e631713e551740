/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_cachecontrol.h - keep shared caches from storing an answer.
 *
 * Source: RFC 9111, 5.2.2.
 */
#ifndef LBS_CACHECONTROL_H
#define LBS_CACHECONTROL_H

#include <apr_pools.h>

/**
 * What Cache-Control has to say so that no shared cache stores the answer,
 * without loosening anything the application said.
 *
 * `public` and `s-maxage` are taken out: they speak to shared caches only,
 * and some of these would believe them rather than `private`.
 *
 * Cost: one pass over the value.
 *
 * @param value  the field's value; NULL when there is none
 * @return the new value, from pool; NULL when the old one forbids it already
 */
const char *lbs_cachecontrol_private(apr_pool_t *pool, const char *value);

#endif
