/* SPDX-License-Identifier: Apache-2.0 */
#include "src/table/lbs_sweep.h"

#include "t/unit/table/fixture.h"

static void bind_many(lbs_table_t *table, apr_uint64_t first,
                      apr_uint64_t count, apr_uint32_t slot, apr_time_t now)
{
    apr_uint64_t n;

    for (n = first; n < first + count; n++) {
        lbs_table_bind(table, key_of(n), slot, now, IDLE, NULL);
    }
}

static lbs_sweep_report_t sweep_all(lbs_table_t *table, apr_time_t now,
                                    lbs_sweep_filter_t *filter, void *data)
{
    lbs_sweep_report_t report = {0};
    lbs_sweep_t *sweep;

    lbs_sweep_create(&sweep, table, pool);
    if (lbs_sweep_run(sweep, 0, now, filter, data, &report) != APR_SUCCESS) {
        bail_out("a sweep over everything must be a whole pass");
    }
    return report;
}

static void test_expires(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(1000, slots);
    lbs_sweep_report_t report;
    lbs_table_stats_t stats;

    bind_many(table, 0, 300, 1, START);
    bind_many(table, 300, 200, 2, START + IDLE / 2);
    report = sweep_all(table, START + IDLE / 4, NULL, NULL);
    is_int(report.live, 500, "nothing expires early");
    report = sweep_all(table, START + IDLE + IDLE / 4, NULL, NULL);
    is_int(report.expired, 300, "sessions that are over are removed");
    is_int(report.live, 200, "the rest stays");
    is_int(lbs_table_sessions(slots, 1), 0, "uncounted");
    is_int(lbs_table_sessions(slots, 2), 200, "others not");
    lbs_table_stats(table, &stats);
    is_int(stats.expired, 300, "and shown");
    is_sound(table, START, "after the sweep");
}

static void test_in_steps(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(1000, slots);
    lbs_table_t *older = make_table(700, slots);
    lbs_sweep_report_t report = {0};
    lbs_sweep_t *sweep;
    int calls = 0;

    bind_many(table, 0, 300, 1, START);
    bind_many(older, 300, 200, 1, START);
    lbs_table_chain(table, older, START);
    lbs_sweep_create(&sweep, table, pool);
    while (lbs_sweep_run(sweep, 7, START, NULL, NULL, &report)
           == APR_INCOMPLETE) {
        calls++;
    }
    is_int(report.live, 500, "steps of seven buckets see all of a chain");
    ok(calls > 40, "in many calls");
    report.live = 0;
    while (lbs_sweep_run(sweep, 7, START, NULL, NULL, &report)
           == APR_INCOMPLETE) {
        calls--;
    }
    is_int(report.live, 500, "and once more in the next pass");
    is_int(calls, 0, "of as many calls");
}

static int is_slot(void *data, const lbs_table_hit_t *hit)
{
    return hit->slot == *(apr_uint32_t *)data;
}

typedef struct drain_t {
    apr_uint32_t slot;
    apr_time_t now;
    apr_interval_time_t idle; /* sessions idle for longer have to go */
} drain_t;

static int is_drained(void *data, const lbs_table_hit_t *hit)
{
    drain_t *drain = data;

    return hit->slot == drain->slot
           && IDLE - (hit->expires_us - drain->now) > drain->idle;
}

static void test_filter(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(1000, slots);
    drain_t drain = {2, START + IDLE / 2, IDLE / 3};
    apr_uint32_t slot = 1;
    lbs_sweep_report_t report;

    bind_many(table, 0, 100, 1, START);
    bind_many(table, 100, 100, 2, START);
    bind_many(table, 200, 100, 2, START + IDLE / 4);
    bind_many(table, 300, 100, 3, START);
    report = sweep_all(table, START + IDLE / 2, is_slot, &slot);
    is_int(report.dropped, 100, "all sessions of a member can be forgotten");
    is_int(report.live, 300, "of no other");
    report = sweep_all(table, START + IDLE / 2, is_drained, &drain);
    is_int(report.dropped, 100, "those of a member that are idle for longer");
    is_int(lbs_table_sessions(slots, 2), 100, "not the others of that member");
    is_int(lbs_table_sessions(slots, 3), 100, "nor those of others");
    lbs_sweep_requantise(table, 3, 0, START);
    report = sweep_all(table, START + IDLE / 2, NULL, NULL);
    is_int(report.dead, 100, "a slot taken out of use loses its sessions");
    is_int(lbs_table_sessions(slots, 3), 0, "and their count");
    is_sound(table, START, "after the filters");
}

static void test_recount(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(1000, slots);
    lbs_sweep_report_t report = {0};
    lbs_sweep_t *sweep;

    bind_many(table, 0, 100, 1, START);
    bind_many(table, 100, 100, 2, START);
    /* Two killed after they had bound, one after it had removed. */
    lbs_atomic_sub64_relaxed(&slots->sessions[1], 2);
    lbs_atomic_add64_relaxed(&slots->sessions[2], 1);
    /* The last of a slot expired beside one that was not counted. */
    lbs_atomic_sub64_relaxed(&slots->sessions[3], 1);
    is_int(lbs_table_sessions(slots, 3), 0, "a count below zero shows as 0");
    lbs_sweep_create(&sweep, table, pool);
    lbs_sweep_run(sweep, 0, START, NULL, NULL, &report);
    is_int(report.corrected, 0, "one pass proves nothing");
    lbs_sweep_run(sweep, 0, START, NULL, NULL, &report);
    is_int(report.corrected, 4, "a second one does");
    is_sound(table, START, "after the recount");
    lbs_sweep_run(sweep, 0, START, NULL, NULL, &report);
    lbs_sweep_run(sweep, 0, START, NULL, NULL, &report);
    is_int(report.corrected, 4, "right counts stay");
}

/* Between the steps of the sweep others bind and forget; the counts are
 * right all the time and must not be "corrected". */
static void test_recount_beside_changes(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(1000, slots);
    lbs_sweep_report_t report = {0};
    lbs_sweep_t *sweep;
    lbs_rand_t rand = {3};
    int i;

    bind_many(table, 0, 500, 1, START);
    lbs_sweep_create(&sweep, table, pool);
    for (i = 0; i < 20000; i++) {
        apr_uint64_t n = lbs_rand_below(&rand, 600);

        if (lbs_rand_below(&rand, 2) != 0) {
            lbs_table_forget(table, key_of(n), START, NULL);
        }
        else {
            lbs_table_bind(table, key_of(n), 1 + (apr_uint32_t)n % 3, START,
                           IDLE, NULL);
        }
        lbs_sweep_run(sweep, 1 + lbs_rand_below(&rand, 30), START, NULL, NULL,
                      &report);
    }
    is_int(report.corrected, 0, "changes during a pass are no error");
    is_sound(table, START, "after the changes");
    /* Real errors larger than what the changes explain are found. */
    lbs_atomic_add64_relaxed(&slots->sessions[1], 1000);
    for (i = 0; i < 2000; i++) {
        lbs_table_bind(table, key_of(1000 + (apr_uint64_t)i % 3), 2, START,
                       IDLE, NULL);
        lbs_sweep_run(sweep, 30, START, NULL, NULL, &report);
    }
    ok(report.corrected > 900 && report.corrected <= 1000,
       "an error beyond what changes explain is");
}

static void ends_the_same(apr_interval_time_t from, apr_interval_time_t to)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(1000, slots);
    apr_uint64_t quantum = lbs_table_quantum(to, 0);
    apr_time_t most = from > to ? from / 256 : to / 256;
    int wrong = 0;
    apr_uint64_t n;

    lbs_atomic_store64_release(&slots->quantum_us[1],
                               lbs_table_quantum(from, 0));
    for (n = 0; n < 100; n++) {
        lbs_table_bind(table, key_of(n), 1, START + (apr_time_t)n * 777, from,
                       NULL);
    }
    is_int(lbs_sweep_requantise(table, 1, quantum, START + from / 2),
           APR_SUCCESS, "requantise");
    for (n = 0; n < 100; n++) {
        apr_time_t end = START + (apr_time_t)n * 777 + from;
        lbs_table_hit_t hit;

        wrong += lbs_table_find(table, key_of(n), START + from / 2, &hit)
                     != APR_SUCCESS
                 || hit.expires_us < end || hit.expires_us > end + 2 * most;
    }
    is_int(wrong, 0, "from idle %ld s to %ld s sessions keep their end",
           (long)(from / SECOND), (long)(to / SECOND));
    is_int(lbs_table_sessions(slots, 1), 100, "none is lost");
}

/* What a process leaves that was killed before it could give the word that it
 * wrote the unit that the slot has by now. */
static void test_strays(void)
{
    const apr_uint64_t unit = lbs_table_quantum(IDLE / 10, 0);
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(1000, slots);
    lbs_table_hit_t hit;

    bind_many(table, 0, 10, 1, START);
    lbs_atomic_store64_release(&slots->quantum_us[1], unit | LBS_QUANTUM_TURN);
    is_int(lbs_table_unit(slots, 1), (long)unit, "the unit is told bare");
    is_int(lbs_table_find(table, key_of(1), START + 9 * IDLE, &hit),
           APR_SUCCESS, "an end in another unit ends nothing");
    is_int(lbs_table_renew(table, key_of(1), START, IDLE / 10, &hit),
           APR_SUCCESS, "the next use");
    is_int(lbs_table_find(table, key_of(1), START + IDLE / 5, &hit),
           APR_TIMEUP, "gives it an end in the new one");
    is_int(sweep_all(table, START, NULL, NULL).live, 10, "so does the sweep");
    is_int(lbs_table_find(table, key_of(2),
                          START + (apr_time_t)((LBS_EXPIRY_AHEAD - 1) * unit),
                          &hit),
           APR_SUCCESS, "the furthest, for nobody knows it");
    is_int(lbs_table_find(table, key_of(2),
                          START + (apr_time_t)((LBS_EXPIRY_AHEAD + 1) * unit),
                          &hit),
           APR_TIMEUP, "but it ends");
    is_int(lbs_sweep_requantise(table, 1, 2 * unit, START), APR_SUCCESS,
           "the unit is changed back and forth");
    is_int(lbs_sweep_requantise(table, 1, unit, START), APR_SUCCESS, "twice");
    is_int(lbs_table_sessions(slots, 1), 10, "and all are there");
}

static void test_requantise(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(1000, slots);
    lbs_table_hit_t hit;

    ends_the_same(600 * SECOND, 60 * SECOND);
    ends_the_same(60 * SECOND, 7200 * SECOND);
    ends_the_same(60 * SECOND, 59 * SECOND);
    is_int(lbs_sweep_requantise(table, LBS_TABLE_SLOTS, 1, START), APR_EINVAL,
           "no slot, no quantum");

    bind_many(table, 0, 10, 1, START);
    lbs_sweep_requantise(table, 1, lbs_table_quantum(IDLE / 10, 0),
                         START + 2 * IDLE);
    is_int(lbs_table_count(table), 0, "sessions that are over by then go");

    /* While the words are half converted nobody may lose a session. */
    bind_many(table, 0, 10, 2, START);
    lbs_atomic_store64_release(&slots->quantum_us[2],
                               4 | LBS_QUANTUM_HOLD | LBS_QUANTUM_TURN);
    is_int(lbs_table_find(table, key_of(1), START, &hit), APR_SUCCESS,
           "found during a conversion");
    is_int(lbs_table_renew(table, key_of(1), START, IDLE, &hit), APR_SUCCESS,
           "renewed during a conversion");
    is_int(hit.slot, 2, "for its owner");
    is_int(sweep_all(table, START, NULL, NULL).live, 10,
           "not swept during a conversion");
}

int main(void)
{
    fixture_start();
    test_expires();
    test_in_steps();
    test_filter();
    test_recount();
    test_recount_beside_changes();
    test_requantise();
    test_strays();
    return done_testing();
}
