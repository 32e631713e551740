/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_outline.h - the outline of this configuration, for the state
 * file and for a comparison with the one that is in it.
 */
#ifndef LBS_PERSIST_OUTLINE_H
#define LBS_PERSIST_OUTLINE_H

#include <apr_pools.h>

#include "src/preview/lbs_outline.h"

/**
 * All pools and members that have a slot, those of the configuration and those
 * that it has not any more. After the registry's pass was committed and the
 * secret was taken.
 *
 * Cost: linear in pools and members.
 *
 * @param pool  all of it lives in there; texts are not shared with the
 *              configuration
 */
lbs_outline_t *lbs_persist_outline(apr_pool_t *pool);

#endif
