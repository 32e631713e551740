/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_active.h - which members are chosen from, by mod_proxy's rules.
 *
 * Of the lowest lbset with a usable member: its ordinary members that are
 * usable, and for each ordinary one that is not, one usable spare, in the
 * order of the configuration. If there are none, its usable standbys; else the
 * next lbset.
 */
#ifndef LBS_ACTIVE_H
#define LBS_ACTIVE_H

#include <apr.h>

#define LBS_ACTIVE_USABLE 1u  /* open to new sessions, its limit aside */
#define LBS_ACTIVE_SPARE 2u   /* stands in for one unusable member */
#define LBS_ACTIVE_STANDBY 4u /* stands in for all; a spare comes first */
#define LBS_ACTIVE_COLD 8u    /* warming up */
#define LBS_ACTIVE_TRIAL 16u  /* half-open: a spare still stands in */
#define LBS_ACTIVE_GONE 32u   /* no longer configured */

/* The members of a pool in the order in which they are asked. */
typedef struct lbs_active_order_t {
    const apr_uint16_t *member; /* n indexes, by lbset, then by index */
    const apr_uint32_t *lbset;  /* per index */
    apr_uint32_t n;
} lbs_active_order_t;

/**
 * @param chosen  out: room for n indexes
 * @param state   per index: LBS_ACTIVE_*
 * @return how many were chosen; 0: no member is usable
 */
apr_uint32_t lbs_active_choose(apr_uint16_t *chosen,
                               const lbs_active_order_t *order,
                               const unsigned char *state);

/**
 * The members that keys belong to while all are usable: the ordinary members
 * of the lowest lbset that has one, usable or not; all members if none is
 * ordinary.
 *
 * @param home   out: per index in the order 1 or 0; at least one is 1
 * @param state  per index: LBS_ACTIVE_*
 */
void lbs_active_homes(unsigned char *home, const lbs_active_order_t *order,
                      const unsigned char *state);

/** @return the end of the run of members with the lbset of order[from] */
static inline apr_uint32_t lbs_active_run(const lbs_active_order_t *order,
                                          apr_uint32_t from)
{
    apr_uint32_t to = from + 1;

    while (to < order->n
           && order->lbset[order->member[to]]
                  == order->lbset[order->member[from]]) {
        to++;
    }
    return to;
}

#endif
