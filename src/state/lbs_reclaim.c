/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_reclaim.h"

#include <string.h>

#include "src/state/lbs_block_int.h"

/* An old child may still hold a request for a removed member: then that
 * counts as in flight, and binds its session before it is counted out. */
static int nobody_means(const lbs_registry_t *reg, apr_uint32_t slot,
                        apr_time_t sweep_began, apr_uint32_t words)
{
    const lbs_seat_t *seat = &reg->seats[slot].seat;

    return lbs_atomic_load32_acquire(&seat->state) == LBS_SEAT_REMOVED
           && lbs_atomic_load64_relaxed(&seat->removed_at)
                  < (apr_uint64_t)sweep_began
           && words == 0 && lbs_gauge_inflight(&reg->gauges[slot]) == 0;
}

/* Forget all about a slot that is CLAIMED. The identity goes first: nobody
 * shall find a member that is half cleared. The gauge stays closed until the
 * next one gets it. */
static void clear_member(lbs_registry_t *reg, apr_uint32_t slot)
{
    lbs_member_seat_t *seat = &reg->seats[slot];

    lbs_atomic_store64_release(&reg->member_ids[slot], 0);
    memset(&reg->members[slot], 0, sizeof(lbs_member_t));
    memset(&reg->rings[slot], 0, sizeof(lbs_ring_t));
    lbs_atomic_store64_release(&reg->slots->quantum_us[slot], 0);
    lbs_atomic_store64_relaxed(&reg->slots->sessions[slot], 0);
    memset((char *)seat + sizeof(lbs_seat_t), 0,
           sizeof(*seat) - sizeof(lbs_seat_t));
    lbs_atomic_store32_relaxed(&seat->seat.named, 0);
    lbs_atomic_store32_relaxed(&seat->seat.came, 0);
    (void)lbs_seat_turn(&seat->seat, LBS_SEAT_CLAIMED, LBS_SEAT_FREE);
}

static void reclaim_pool(lbs_registry_t *reg, apr_uint32_t slot)
{
    lbs_pool_seat_t *seat = &reg->pool_seats[slot];

    if (lbs_registry_next_member(reg, slot, LBS_REGISTRY_NONE)
            != LBS_REGISTRY_NONE
        || !lbs_seat_turn(&seat->seat, LBS_SEAT_REMOVED, LBS_SEAT_CLAIMED)) {
        return;
    }
    lbs_atomic_store64_release(&reg->pool_ids[slot], 0);
    memset(&reg->pools[slot], 0, sizeof(lbs_pool_t));
    memset(&reg->pool_rings[slot], 0, sizeof(lbs_ring_t));
    memset(seat->vhost, 0, sizeof(seat->vhost));
    memset(seat->name, 0, sizeof(seat->name));
    lbs_atomic_store32_relaxed(&seat->seat.named, 0);
    lbs_atomic_store32_relaxed(&seat->seat.came, 0);
    (void)lbs_seat_turn(&seat->seat, LBS_SEAT_CLAIMED, LBS_SEAT_FREE);
}

apr_uint32_t lbs_reclaim_slots(lbs_registry_t *reg, apr_time_t sweep_began,
                               const apr_uint32_t *words)
{
    apr_uint32_t pools = lbs_seat_pools_end(reg);
    apr_uint32_t members = lbs_seat_members_end(reg);
    apr_uint32_t freed = 0;
    apr_uint32_t i;

    for (i = 0; i < members; i++) {
        if (nobody_means(reg, i, sweep_began, words[i])
            && lbs_seat_turn(&reg->seats[i].seat, LBS_SEAT_REMOVED,
                             LBS_SEAT_CLAIMED)) {
            clear_member(reg, i);
            freed++;
        }
    }
    for (i = 0; i < pools; i++) {
        if (lbs_atomic_load32_relaxed(&reg->pool_seats[i].seat.state)
            == LBS_SEAT_REMOVED) {
            reclaim_pool(reg, i);
        }
    }
    return freed;
}
