/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_manager.h"

#include "src/base/lbs_assert.h"
#include "src/state/lbs_block_int.h"

/* Did somebody change this field in balancer-manager? Yes if its value is
 * neither the one written last nor the one in force, and was there at the last
 * tick already.
 */
static int is_news(lbs_member_seat_t *seat, lbs_admin_field_t field,
                   apr_uint32_t shown, apr_uint32_t in_force)
{
    lbs_atomic32_t *wrote = &seat->wrote[field];
    lbs_atomic64_t *doubt = &seat->doubt[field];
    apr_uint64_t found = (apr_uint64_t)shown + 1;

    if (shown != in_force && shown != lbs_atomic_load32_relaxed(wrote)
        && lbs_atomic_load64_relaxed(doubt) != found) {
        lbs_atomic_store64_relaxed(doubt, found);
        return 0;
    }
    lbs_atomic_store64_relaxed(doubt, 0);
    if (shown == lbs_atomic_load32_relaxed(wrote)) {
        return 0;
    }
    lbs_atomic_store32_relaxed(wrote, shown);
    return shown != in_force;
}

static int in_doubt(const lbs_member_seat_t *seat)
{
    return lbs_atomic_load64_relaxed(&seat->doubt[LBS_ADMIN_STATE]) != 0
           || lbs_atomic_load64_relaxed(&seat->doubt[LBS_ADMIN_WEIGHT]) != 0;
}

static lbs_admin_values_t values_in_force(const lbs_gauge_t *gauge)
{
    lbs_admin_values_t values = {lbs_atomic_load32_relaxed(&gauge->flags)
                                     & LBS_ADMIN_FLAGS,
                                 lbs_atomic_load32_relaxed(&gauge->weight)};

    return values;
}

int lbs_manager_follow(lbs_registry_t *reg, apr_uint32_t slot,
                       const lbs_admin_values_t *shown, const lbs_clock_t *now,
                       lbs_admin_values_t *want)
{
    lbs_member_seat_t *seat;
    lbs_admin_values_t force;
    lbs_admin_change_t change = {.flags = shown->flags & LBS_ADMIN_FLAGS,
                                 .weight = shown->weight,
                                 .reason = "balancer-manager"};

    lbs_assert(slot < LBS_REGISTRY_MEMBERS);
    seat = &reg->seats[slot];
    force = values_in_force(&reg->gauges[slot]);
    if (is_news(seat, LBS_ADMIN_STATE, change.flags, force.flags)) {
        change.action = LBS_ADMIN_SET_FLAGS;
        /* Refused only for a member that was just removed. */
        (void)lbs_admin_apply(reg, slot, &change, now);
    }
    if (is_news(seat, LBS_ADMIN_WEIGHT, change.weight, force.weight)) {
        change.action = LBS_ADMIN_SET_WEIGHT;
        (void)lbs_admin_apply(reg, slot, &change, now);
    }
    force = values_in_force(&reg->gauges[slot]);
    if (in_doubt(seat)
        || (force.flags == change.flags && force.weight == change.weight)) {
        return 0;
    }
    *want = force;
    return 1;
}

void lbs_manager_wrote(lbs_registry_t *reg, apr_uint32_t slot,
                       const lbs_admin_values_t *values)
{
    lbs_member_seat_t *seat;

    lbs_assert(slot < LBS_REGISTRY_MEMBERS);
    seat = &reg->seats[slot];
    lbs_atomic_store32_relaxed(&seat->wrote[LBS_ADMIN_STATE],
                               values->flags & LBS_ADMIN_FLAGS);
    lbs_atomic_store32_relaxed(&seat->wrote[LBS_ADMIN_WEIGHT], values->weight);
}
