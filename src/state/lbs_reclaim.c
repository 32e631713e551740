/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_reclaim.h"

#include <stdlib.h>
#include <string.h>

#include "src/state/lbs_block_int.h"
#include "src/table/lbs_sweep.h"

/* A request that binds a session does so before it is counted out.
 *
 * Accepted: a process that sleeps in here while reloads bring the member back
 * and remove it again would judge by the old state. That takes minutes of
 * sleep in a few instructions; exactness would take a generation in every word
 * of the table. */
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

/* Clear a slot that is CLAIMED. The identity goes first, so that no process
 * finds a member that is half cleared. The gauge stays closed until the next
 * member gets it. */
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

/* @return 1 when its slot is free now */
static int reclaim_pool(lbs_registry_t *reg, apr_uint32_t slot)
{
    lbs_pool_seat_t *seat = &reg->pool_seats[slot];

    if (lbs_registry_next_member(reg, slot, LBS_REGISTRY_NONE)
            != LBS_REGISTRY_NONE
        || !lbs_seat_turn(&seat->seat, LBS_SEAT_REMOVED, LBS_SEAT_CLAIMED)) {
        return 0;
    }
    lbs_atomic_store64_release(&reg->pool_ids[slot], 0);
    memset(&reg->pools[slot], 0, sizeof(lbs_pool_record_t));
    memset(&reg->pool_rings[slot], 0, sizeof(lbs_ring_t));
    memset(seat->vhost, 0, sizeof(seat->vhost));
    memset(seat->name, 0, sizeof(seat->name));
    lbs_atomic_store32_relaxed(&seat->seat.named, 0);
    lbs_atomic_store32_relaxed(&seat->seat.came, 0);
    (void)lbs_seat_turn(&seat->seat, LBS_SEAT_CLAIMED, LBS_SEAT_FREE);
    return 1;
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
            (void)reclaim_pool(reg, i);
        }
    }
    return freed;
}

/* By force --------------------------------------------------------------- */

typedef struct removed_t {
    apr_uint32_t named; /* the last pass that named it */
    apr_uint32_t slot;
} removed_t;

static int by_age(const void *a, const void *b)
{
    const removed_t *x = a;
    const removed_t *y = b;

    return x->named < y->named ? -1 : x->named > y->named;
}

/* An earlier commit closed it, a request counts in as soon as it has chosen a
 * member, and out when it has bound its session: so none is to come.
 *
 * Accepted: a request that sleeps between its choice and counting in since
 * before that commit. Its session would name the next member of that slot,
 * which then gets it as a visitor; see nobody_means(). */
static int is_quiet(const lbs_registry_t *reg, apr_uint32_t slot)
{
    return lbs_atomic_load32_acquire(&reg->seats[slot].seat.state)
               == LBS_SEAT_REMOVED
           && lbs_gauge_inflight(&reg->gauges[slot]) == 0;
}

static int is_quiet_pool(const lbs_registry_t *reg, apr_uint32_t pool)
{
    apr_uint32_t slot = LBS_REGISTRY_NONE;

    if (lbs_atomic_load32_acquire(&reg->pool_seats[pool].seat.state)
        != LBS_SEAT_REMOVED) {
        return 0;
    }
    while ((slot = lbs_registry_next_member(reg, pool, slot))
           != LBS_REGISTRY_NONE) {
        if (!is_quiet(reg, slot)) {
            return 0;
        }
    }
    return 1;
}

/* Choose the oldest. @param takes  by slot of a member: 1 */
static void choose_members(const lbs_registry_t *reg, apr_uint32_t wanted,
                           unsigned char *takes, apr_pool_t *scratch)
{
    apr_uint32_t end = lbs_seat_members_end(reg);
    removed_t *all = apr_palloc(scratch, sizeof(*all) * (end + 1));
    apr_uint32_t count = 0;
    apr_uint32_t i;

    for (i = 0; i < end; i++) {
        if (is_quiet(reg, i)) {
            all[count++] = (removed_t){
                lbs_atomic_load32_relaxed(&reg->seats[i].seat.named), i};
        }
    }
    qsort(all, count, sizeof(*all), by_age);
    for (i = 0; i < count && i < wanted; i++) {
        takes[all[i].slot] = 1;
    }
}

/* The same for pools, with their members. */
static void choose_pools(const lbs_registry_t *reg, apr_uint32_t wanted,
                         unsigned char *takes, apr_pool_t *scratch)
{
    apr_uint32_t end = lbs_seat_pools_end(reg);
    removed_t *all = apr_palloc(scratch, sizeof(*all) * (end + 1));
    apr_uint32_t count = 0;
    apr_uint32_t slot, i;

    for (i = 0; wanted > 0 && i < end; i++) {
        if (is_quiet_pool(reg, i)) {
            all[count++] = (removed_t){
                lbs_atomic_load32_relaxed(&reg->pool_seats[i].seat.named), i};
        }
    }
    qsort(all, count, sizeof(*all), by_age);
    for (i = 0; i < count && i < wanted; i++) {
        slot = LBS_REGISTRY_NONE;
        while ((slot = lbs_registry_next_member(reg, all[i].slot, slot))
               != LBS_REGISTRY_NONE) {
            takes[slot] = 1;
        }
    }
}

/* Without a clock the words of a slot count as gone, and none is bound: one
 * walk removes them all. */
static void forget_sessions(lbs_registry_t *reg, lbs_table_t *table,
                            const unsigned char *takes, apr_time_t now,
                            apr_pool_t *scratch)
{
    lbs_sweep_t *sweep;
    apr_uint32_t i;

    for (i = 0; i < LBS_REGISTRY_MEMBERS; i++) {
        if (takes[i]) {
            lbs_atomic_store64_release(&reg->slots->quantum_us[i], 0);
        }
    }
    lbs_sweep_create(&sweep, table, scratch);
    (void)lbs_sweep_run(sweep, 0, now, NULL, NULL, NULL);
}

apr_uint32_t lbs_reclaim_oldest(lbs_registry_t *reg, lbs_table_t *table,
                                apr_uint32_t members, apr_uint32_t pools,
                                apr_time_t now, apr_pool_t *scratch)
{
    unsigned char takes[LBS_REGISTRY_MEMBERS] = {0};
    apr_uint32_t freed = 0;
    apr_uint32_t i;

    choose_members(reg, members, takes, scratch);
    choose_pools(reg, pools, takes, scratch);
    if (memchr(takes, 1, sizeof(takes)) != NULL) {
        forget_sessions(reg, table, takes, now, scratch);
    }
    for (i = 0; i < LBS_REGISTRY_MEMBERS; i++) {
        if (takes[i]
            && lbs_seat_turn(&reg->seats[i].seat, LBS_SEAT_REMOVED,
                             LBS_SEAT_CLAIMED)) {
            clear_member(reg, i);
            freed++;
        }
    }
    for (i = 0; pools > 0 && i < lbs_seat_pools_end(reg); i++) {
        if (lbs_atomic_load32_relaxed(&reg->pool_seats[i].seat.state)
            == LBS_SEAT_REMOVED) {
            freed += (apr_uint32_t)reclaim_pool(reg, i);
        }
    }
    return freed;
}
