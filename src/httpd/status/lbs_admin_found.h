/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_admin_found.h - members that an administrator adds and removes. */
#ifndef LBS_ADMIN_FOUND_H
#define LBS_ADMIN_FOUND_H

#include "src/httpd/pool/lbs_pools.h"
#include "src/view/lbs_change.h"

/**
 * Do a LBS_CHANGE_ADD or LBS_CHANGE_REMOVE.
 *
 * @param member  to remove; NULL: none
 * @param reason  for the event
 * @param slot    out, on 200: of the member
 * @param wrong   out, else: a sentence
 * @return 200, or the status of a refusal
 */
int lbs_admin_found_change(apr_pool_t *memory, const lbs_pool_t *pool,
                           const lbs_member_t *member,
                           const lbs_change_t *change, const char *reason,
                           apr_uint32_t *slot, const char **wrong);

#endif
