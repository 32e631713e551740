/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_reclaim.h"

#include "t/unit/state/fixture.h"

static void a_slot_is_reused_only_when_nobody_means_it(void)
{
    lbs_registry_t *reg = new_registry();
    static apr_uint32_t words[LBS_REGISTRY_MEMBERS];
    apr_uint32_t slots[256], pool, slot;
    lbs_clock_t clock = at(200);

    configure(reg, "12", 10, slots);
    configure(reg, "1", 100, slots);
    lbs_registry_gauges(reg)[slots['2']].ewma = 42;
    is_int(lbs_reclaim_slots(reg, 100, words), 0,
           "a sweep that began before the removal says nothing");
    words[slots['2']] = 1;
    is_int(lbs_reclaim_slots(reg, 101, words), 0,
           "one word of a session keeps the slot");
    words[slots['2']] = 0;
    lbs_registry_gauges(reg)[slots['2']].inflight = 1;
    is_int(lbs_reclaim_slots(reg, 101, words), 0,
           "one request in flight keeps the slot");
    lbs_registry_gauges(reg)[slots['2']].inflight = 0;
    is_int(lbs_reclaim_slots(reg, 101, words), 1, "then it is free");
    is_int(lbs_reclaim_slots(reg, 101, words), 0, "once");
    is_int(count_members(reg, LBS_REGISTRY_NONE), 1, "and gone");

    pool = lbs_registry_find_pool(reg, lbs_identity_pool("www", "app"));
    slot = member_of(reg, pool, "3", "http://w3");
    is_int(slot, slots['2'], "somebody else gets it");
    is_int(lbs_registry_gauges(reg)[slot].ewma, 0, "all clean");
    ok(!removed(reg, slot), "and open");

    lbs_registry_begin(reg);
    lbs_registry_commit(reg, &clock);
    is_int(lbs_reclaim_slots(reg, 300, words), 2, "all are removed");
    is_int(lbs_registry_next_pool(reg, LBS_REGISTRY_NONE), LBS_REGISTRY_NONE,
           "with the last member the pool goes");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    a_slot_is_reused_only_when_nobody_means_it();
    apr_terminate();
    return done_testing();
}
