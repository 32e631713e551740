/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_state.h - the states of a member, as people see them.
 *
 * A state is one word, the first that holds of a list. In shared memory a
 * member has a set of flags, because reasons add up: a disabled member may be
 * down as well, and is still down when it is enabled. Each flag has one owner,
 * which sets and clears it, and reports the change when lbs_gauge_set() or
 * lbs_gauge_clear() says that this call made it:
 *
 *     flag                    owner            sets      clears
 *     stopped, disabled,      administrator    disable   enable, reset
 *     standby, spare, drain   (state room)     standby
 *                                              drain
 *     drained                 tick             drained   enable, reset
 *     down                    lbs_check        down      up
 *     ejected                 lbs_eject        ejected   half-open
 *     half-open               lbs_eject        half-open up
 *     panic                   lbs_panic        panic     panic-over
 *     removed                 registry         removed   added
 *     leaving                 discovery        leaving   back
 *     joining                 discovery        added     up
 */
#ifndef LBS_STATE_H
#define LBS_STATE_H

#include <apr.h>

#include "src/member/lbs_gauge.h"

/* In the order in which they are looked at. */
typedef enum lbs_state_t {
    LBS_STATE_STOPPED,
    LBS_STATE_DISABLED,
    LBS_STATE_JOINING, /* found, and down until its first check passes, or not
                          open to newcomers yet */
    LBS_STATE_DRAIN,
    LBS_STATE_LEAVING, /* its source names it no more */
    LBS_STATE_DOWN,
    LBS_STATE_EJECTED, /* held or half-open */
    LBS_STATE_FULL,
    LBS_STATE_WARMING,
    LBS_STATE_STANDBY,
    LBS_STATE_SPARE,
    LBS_STATE_UP,
    LBS_STATES
} lbs_state_t;

/**
 * @param flags  of the gauge, unmasked: a member whose check is ignored is
 * shown as down
 * @param inflight  attempts in flight
 * @param limit     0: none
 * @param ramp      permille
 * @return the first state that holds
 */
lbs_state_t lbs_state_of(apr_uint32_t flags, apr_uint32_t inflight,
                         apr_uint32_t limit, apr_uint32_t ramp);

/** @return the state's name in JSON and metrics; "" when out of range */
const char *lbs_state_name(lbs_state_t state);

/**
 * Does a member take new visitors again by this change of its flags? Then its
 * slow start begins. An enabled member that is down does not return yet.
 *
 * @param before, after  of the gauge, as they are or as they count
 * @return 1 or 0
 */
int lbs_state_returns(apr_uint32_t before, apr_uint32_t after);

/** @return 1 when the member is not usable by a fault of its own: down or
 * ejected, and not closed by an operator */
int lbs_state_fails(lbs_state_t state);

/** @return the place of a state when the gravest comes first: 0 is down, then
 * other states by which visitors lose something, then what an operator wanted,
 * then up and the reserves */
int lbs_state_gravity(lbs_state_t state);

#endif
