/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_reclaim.h"

#include <string.h>

#include "src/state/lbs_block_int.h"

/* A request that binds a session does so before it is counted out.
 *
 * Accepted: a process that sleeps in here while reloads bring the member back
 * and remove it again would judge by what it saw before. That takes minutes
 * of sleep in a few instructions; exactness would take a generation in every
 * word of the table. */
static int nobody_means(const lbs_registry_t *reg, apr_uint32_t slot,
                        apr_time_t sweep_began, apr_uint32_t words,
                        apr_time_t now)
{
    lbs_seat_t *seat = &reg->seats[slot].seat;
    apr_uint64_t quiet_at = lbs_atomic_load64_relaxed(&seat->quiet_at);

    if (lbs_atomic_load32_acquire(&seat->state) != LBS_SEAT_REMOVED) {
        return 0;
    }
    if (lbs_gauge_inflight(&reg->gauges[slot]) != 0) {
        quiet_at = 0;
    }
    else if (quiet_at == 0) {
        quiet_at = (apr_uint64_t)now;
    }
    lbs_atomic_store64_relaxed(&seat->quiet_at, quiet_at);
    return quiet_at != 0 && quiet_at < (apr_uint64_t)sweep_began && words == 0;
}

/* Forget all about a slot that is CLAIMED. The identity goes first: nobody
 * shall find a member that is half cleared. The gauge stays closed until the
 * next one gets it. */
static void clear_member(lbs_registry_t *reg, apr_uint32_t slot)
{
    lbs_member_seat_t *seat = &reg->seats[slot];

    lbs_atomic_store64_release(&reg->member_ids[slot], 0);
    memset(&reg->members[slot], 0, sizeof(lbs_member_record_t));
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
    memset(&reg->pools[slot], 0, sizeof(lbs_pool_record_t));
    memset(&reg->pool_rings[slot], 0, sizeof(lbs_ring_t));
    memset(seat->vhost, 0, sizeof(seat->vhost));
    memset(seat->name, 0, sizeof(seat->name));
    lbs_atomic_store32_relaxed(&seat->seat.named, 0);
    lbs_atomic_store32_relaxed(&seat->seat.came, 0);
    (void)lbs_seat_turn(&seat->seat, LBS_SEAT_CLAIMED, LBS_SEAT_FREE);
}

apr_uint32_t lbs_reclaim_slots(lbs_registry_t *reg, apr_time_t sweep_began,
                               const apr_uint32_t *words, apr_time_t now)
{
    apr_uint32_t pools = lbs_seat_pools_end(reg);
    apr_uint32_t members = lbs_seat_members_end(reg);
    apr_uint32_t freed = 0;
    apr_uint32_t i;

    for (i = 0; i < members; i++) {
        if (nobody_means(reg, i, sweep_began, words[i], now)
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
