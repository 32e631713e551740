/* SPDX-License-Identifier: Apache-2.0 */
#include "src/member/lbs_state.h"

#define HELD (LBS_F_EJECTED | LBS_F_HALF_OPEN)

static const char *const state_names[LBS_STATES] = {
    "stopped", "disabled", "joining", "drain",   "leaving", "down",
    "ejected", "full",     "warming", "standby", "spare",   "up"};

lbs_state_t lbs_state_of(apr_uint32_t flags, apr_uint32_t inflight,
                         apr_uint32_t limit, apr_uint32_t ramp)
{
    if ((flags & (LBS_F_STOPPED | LBS_F_REMOVED)) != 0) {
        return LBS_STATE_STOPPED;
    }
    if ((flags & LBS_F_DISABLED) != 0) {
        return LBS_STATE_DISABLED;
    }
    if ((flags & (LBS_F_JOINING | LBS_F_WAITING)) != 0) {
        return LBS_STATE_JOINING;
    }
    if ((flags & (LBS_F_DRAIN | LBS_F_DRAINED)) != 0) {
        return LBS_STATE_DRAIN;
    }
    if ((flags & LBS_F_LEAVING) != 0) {
        return LBS_STATE_LEAVING;
    }
    if ((flags & LBS_F_DOWN) != 0) {
        return LBS_STATE_DOWN;
    }
    if ((flags & HELD) != 0) {
        return LBS_STATE_EJECTED;
    }
    if (limit != 0 && inflight >= limit) {
        return LBS_STATE_FULL;
    }
    if (ramp < 1000) {
        return LBS_STATE_WARMING;
    }
    if ((flags & LBS_F_STANDBY) != 0) {
        return LBS_STATE_STANDBY;
    }
    return (flags & LBS_F_SPARE) != 0 ? LBS_STATE_SPARE : LBS_STATE_UP;
}

const char *lbs_state_name(lbs_state_t state)
{
    return (unsigned)state < LBS_STATES ? state_names[state] : "";
}

int lbs_state_returns(apr_uint32_t before, apr_uint32_t after)
{
    const apr_uint32_t closed = LBS_F_CLOSED_NEW | LBS_F_HALF_OPEN;

    return (before & closed) != 0 && (after & closed) == 0;
}

int lbs_state_fails(lbs_state_t state)
{
    return state == LBS_STATE_DOWN || state == LBS_STATE_EJECTED;
}

int lbs_state_gravity(lbs_state_t state)
{
    static const lbs_state_t gravest[LBS_STATES] = {
        LBS_STATE_DOWN,    LBS_STATE_EJECTED, LBS_STATE_FULL,
        LBS_STATE_WARMING, LBS_STATE_JOINING, LBS_STATE_LEAVING,
        LBS_STATE_DRAIN,   LBS_STATE_STOPPED, LBS_STATE_DISABLED,
        LBS_STATE_UP,      LBS_STATE_STANDBY, LBS_STATE_SPARE};
    int place = 0;

    while (place < LBS_STATES && gravest[place] != state) {
        place++;
    }
    return place;
}
