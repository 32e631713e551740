/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_plan_build_int.h - the builder's private memory. */
#ifndef LBS_PLAN_BUILD_INT_H
#define LBS_PLAN_BUILD_INT_H

#include <apr_pools.h>

#include "src/pick/lbs_plan_int.h"

/**
 * Allocate what a rebuild works with, so that rebuilding itself cannot fail.
 *
 * @return the builder; lives as long as pool
 */
lbs_plan_builder_t *lbs_plan_build_create(const lbs_plan_t *plan,
                                          apr_pool_t *pool);

/** @return n indexes of members, sorted by identity or by lbset, then by index
 */
apr_uint16_t *lbs_plan_sort(const lbs_plan_member_t *member, apr_uint32_t n,
                            int identity, apr_pool_t *pool);

#endif
