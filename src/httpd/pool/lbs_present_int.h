/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_present_int.h - making a turn: for lbs_present.c. */
#ifndef LBS_PRESENT_INT_H
#define LBS_PRESENT_INT_H

#include "src/httpd/pool/lbs_pools_int.h"

typedef struct lbs_present_turn_t {
    apr_pool_t *memory; /* NULL: there is none */
    apr_uint64_t version;
    lbs_pools_t pools;
    apr_array_header_t *members; /* the found ones, each once: opaque */
} lbs_present_turn_t;

/**
 * Make a turn from the rosters.
 *
 * Locking: one thread of the process at a time makes and unmakes.
 *
 * @param turn     all zero; out
 * @param version  of the rosters; they may be newer already
 * @param usable   1: members get connections; 0: in the parent, which has
 *                 none
 */
void lbs_present_make(lbs_present_turn_t *turn, apr_uint64_t version,
                      int usable);

/** Give a turn back, and members that no other turn has. */
void lbs_present_unmake(lbs_present_turn_t *turn);

#endif
