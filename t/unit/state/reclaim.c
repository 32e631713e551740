/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_reclaim.h"

#include "t/unit/state/saved.h"

static apr_uint32_t words[LBS_REGISTRY_MEMBERS];

static void a_slot_is_reused_only_when_nobody_means_it(void)
{
    lbs_registry_t *reg = new_registry();
    apr_uint32_t slot_of[256], pool, slot;
    lbs_gauge_t *gauge;

    configure(reg, "12", 10, slot_of);
    gauge = &lbs_registry_gauges(reg)[slot_of['2']];
    is_int(lbs_reclaim_slots(reg, 50, words, 90), 0, "nobody was removed");
    configure(reg, "1", 100, slot_of);
    gauge->ewma = 42;
    gauge->inflight = 1;
    is_int(lbs_reclaim_slots(reg, 150, words, 200), 0,
           "a request in flight keeps the slot");
    gauge->inflight = 0;
    is_int(lbs_reclaim_slots(reg, 250, words, 300), 0,
           "a sweep that began before it left may have missed its session");
    is_int(lbs_reclaim_slots(reg, 300, words, 310), 0,
           "one that began at that moment, too");
    words[slot_of['2']] = 1;
    is_int(lbs_reclaim_slots(reg, 301, words, 400), 0,
           "one session keeps the slot");
    words[slot_of['2']] = 0;
    gauge->inflight = 1;
    is_int(lbs_reclaim_slots(reg, 401, words, 500), 0,
           "a late request begins it all anew");
    gauge->inflight = 0;
    is_int(lbs_reclaim_slots(reg, 450, words, 600), 0, "as it does");
    is_int(lbs_reclaim_slots(reg, 601, words, 700), 1, "then it is free");
    is_int(lbs_reclaim_slots(reg, 601, words, 700), 0, "once");
    is_int(count_members(reg, LBS_REGISTRY_NONE), 1, "and gone");

    pool = lbs_registry_find_pool(reg, lbs_identity_pool("www", "app"));
    slot = member_of(reg, pool, "3", "http://w3");
    is_int(slot, slot_of['2'], "somebody else gets it");
    is_int(gauge->ewma, 0, "all clean");
    ok(!removed(reg, slot), "and open");
}

/* Remove everybody, and let them go. */
static apr_uint32_t remove_all(lbs_registry_t *reg, apr_time_t now)
{
    lbs_clock_t clock = at(now);

    lbs_registry_begin(reg);
    lbs_registry_commit(reg, &clock);
    (void)lbs_reclaim_slots(reg, now, words, now + 1);
    return lbs_reclaim_slots(reg, now + 2, words, now + 3);
}

static void nothing_is_left_behind(void)
{
    lbs_registry_t *reg = new_registry();
    apr_uint32_t slot_of[256], slot;
    lbs_ring_totals_t totals = {5, 5, 5, 5};

    configure(reg, "12", 10, slot_of);
    slot = slot_of['2'];
    lbs_member_record_sent(lbs_registry_member_record(reg, slot), 10);
    lbs_ring_feed(lbs_registry_ring(reg, slot), &totals, 50000000);
    lbs_registry_slots(reg)->quantum_us[slot] = 7;
    lbs_pool_record_decided(lbs_registry_pool_record(reg, 0),
                            LBS_DECISION_KEPT, LBS_REASON_NONE, 10);
    is_int(remove_all(reg, 100), 2, "all are removed");
    is_int(lbs_registry_next_pool(reg, LBS_REGISTRY_NONE), LBS_REGISTRY_NONE,
           "with the last member the pool goes");
    is_int(lbs_registry_slots(reg)->quantum_us[slot], 0,
           "nobody can bind a session to the slot");
    is_int(lbs_registry_member_record(reg, slot)->counts[LBS_COUNT_REQUESTS],
           0, "no counter is left");
    is_int(lbs_registry_ring(reg, slot)->next, 0, "no plot");
    is_int(lbs_registry_pool_record(reg, 0)->requests, 0,
           "no counter of the pool");
}

/* Where a reload finds no slot, those removed first give way. */
static void the_oldest_give_way(void)
{
    lbs_registry_t *reg = new_registry();
    lbs_gauge_t *gauges = lbs_registry_gauges(reg);
    lbs_clock_t now = moment(1000, 0);
    lbs_table_t *table;
    apr_uint32_t slot;

    name_all(reg, "abcd");
    lbs_registry_commit(reg, &now);
    table = new_table(reg, 1000);
    bind_all(reg, table, "abcd", 0, 400, now.mono);
    is_int(lbs_reclaim_oldest(reg, table, 10, 10, now.mono, memory), 0,
           "no configured member gives way");
    name_all(reg, "acd");
    lbs_registry_commit(reg, &now);
    name_all(reg, "cd");
    lbs_registry_commit(reg, &now);
    name_all(reg, "d");
    lbs_registry_commit(reg, &now);
    gauges[slots['b']].inflight = 1;
    is_int(lbs_reclaim_oldest(reg, table, 1, 0, now.mono, memory), 1,
           "one slot is wanted, and is freed");
    is_int(lbs_table_sessions(lbs_registry_slots(reg), slots['a']), 0,
           "of the one removed first that has nothing in flight");
    is_int(lbs_table_count(table), 300, "no word names it any more");
    is_int(count_right(reg, table, "abcd", 0, 400, now.mono), 300,
           "the sessions of others stay");
    slot = member_of(reg, pool_of(reg, "www", "app"), "e", "http://w");
    is_int(slot, slots['a'], "somebody else gets it");
    is_int(lbs_reclaim_oldest(reg, table, 9, 0, now.mono, memory), 1,
           "one more is free of requests");
    is_int(lbs_table_sessions(lbs_registry_slots(reg), slots['b']), 100,
           "a member that does not keeps slot and sessions");
    gauges[slots['b']].inflight = 0;
    lbs_registry_begin(reg);
    lbs_registry_commit(reg, &now);
    is_int(lbs_reclaim_oldest(reg, table, 0, 1, now.mono, memory), 4,
           "a pool goes with its three members");
    is_int(lbs_table_count(table), 0, "and all their sessions");
    is_int(lbs_registry_next_pool(reg, LBS_REGISTRY_NONE), LBS_REGISTRY_NONE,
           "nothing is left");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    a_slot_is_reused_only_when_nobody_means_it();
    nothing_is_left_behind();
    the_oldest_give_way();
    apr_terminate();
    return done_testing();
}
