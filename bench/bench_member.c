/* SPDX-License-Identifier: Apache-2.0 */
/* bench_member - what the bookkeeping of an attempt costs, as TSV.
 *
 *     attempt         enter, heard, answered, verdict, leave: one request
 *     attempt-limit   the same with a limit: a compare-and-swap for the sum
 *     queue-64        join, turn and leave behind 63 who wait
 *     waiting-128     attempts that wait for one member, summed over 128 rows
 *     reap-4096       a dead child's row over 4096 members, one in flight
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/member/lbs_member_record.h"
#include "src/member/lbs_queue.h"
#include "src/member/lbs_inflight.h"

#define ROWS 128u
#define SLOTS 4096u
#define MINUTE APR_UINT64_C(60000000)

static const lbs_eject_conf_t conf = {
    3, 50, 10000000, 1000000, 60000000, LBS_STALL_AUTO, 1};

static lbs_rows_t rows;
static lbs_inflight_t row;
static lbs_gauge_t *gauges;
static lbs_member_record_t *member;
static lbs_eject_pool_t pool;
static lbs_queue_t *queue;

static void *zeros(apr_size_t bytes)
{
    void *block = aligned_alloc(64, (bytes + 63) / 64 * 64);

    if (block == NULL) {
        abort();
    }
    return memset(block, 0, bytes);
}

static void attempt(apr_uint64_t i)
{
    const lbs_eject_on_t on = {&member->eject, gauges, &pool, &conf};
    apr_uint64_t now = MINUTE + i * 50;
    lbs_eject_attempt_t tried = {now, 0, 0};
    lbs_flight_t flight;

    if (lbs_inflight_enter(&rows, &row, 0, gauges, &flight) != APR_SUCCESS) {
        abort();
    }
    lbs_member_record_sent(member, now);
    lbs_inflight_heard(&rows, &row, &flight);
    lbs_member_record_answered(member, gauges, 200, 20000, 20000, now);
    if (lbs_eject_answered(&on, &tried, now) != LBS_EJECT_NONE) {
        abort();
    }
    lbs_inflight_leave(&rows, &row, gauges, &flight);
}

static void attempt_limit(apr_uint64_t i)
{
    lbs_atomic_store32_relaxed(&gauges->limit, 8);
    attempt(i);
}

static void wait_in_line(apr_uint64_t i)
{
    apr_uint64_t ticket;

    lbs_atomic_store32_relaxed(&gauges->limit, 1);
    if (lbs_queue_join(queue, 256, &row, 5000000, MINUTE, &ticket)
        != APR_SUCCESS) {
        abort();
    }
    if (i < 63) {
        return; /* these stay */
    }
    (void)lbs_queue_turn(queue, gauges, MINUTE, ticket);
    lbs_queue_leave(queue, MINUTE, ticket);
    if (i % 128 == 127) { /* or the round of places is full */
        lbs_queue_abandon(queue, &row, MINUTE);
        for (i = 0; i < 63; i++) {
            (void)lbs_queue_join(queue, 256, &row, 5000000, MINUTE, &ticket);
        }
    }
}

static void waiting(apr_uint64_t i)
{
    if (lbs_rows_waiting(&rows, (apr_uint32_t)i % SLOTS) != 0) {
        abort();
    }
}

static void reap(apr_uint64_t i)
{
    lbs_flight_t flight;
    lbs_inflight_t dead;

    lbs_atomic_store32_relaxed(&gauges->limit, 0);
    if (lbs_inflight_claim(&rows, 7, &dead) != APR_SUCCESS
        || lbs_inflight_enter(&rows, &dead, (apr_uint32_t)i % SLOTS,
                              &gauges[i % SLOTS], &flight)
               != APR_SUCCESS
        || lbs_inflight_condemn(&rows, dead.index, 7, &dead) != APR_SUCCESS
        || lbs_inflight_reap(&rows, &dead, gauges) != APR_SUCCESS) {
        abort();
    }
}

static double seconds(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static void measure(const char *what, void (*once)(apr_uint64_t),
                    apr_uint64_t times)
{
    double began = seconds();
    apr_uint64_t i;

    for (i = 0; i < times; i++) {
        once(i);
    }
    printf("%s\t%.0f\n", what, (seconds() - began) * 1e9 / (double)times);
}

int main(void)
{
    apr_uint32_t i;

    gauges = zeros(SLOTS * sizeof(*gauges));
    member = zeros(sizeof(*member));
    queue = zeros(sizeof(*queue));
    for (i = 0; i < SLOTS; i++) {
        lbs_gauge_init(&gauges[i]);
    }
    lbs_rows_open(&rows, zeros(lbs_rows_bytes(ROWS, SLOTS)), ROWS, SLOTS);
    (void)lbs_inflight_claim(&rows, 1, &row);
    lbs_eject_recount(&pool, 4, 4, 0);

    printf("operation\tns\n");
    measure("attempt", attempt, 2000000);
    measure("attempt-limit", attempt_limit, 2000000);
    measure("queue-64", wait_in_line, 200000);
    measure("waiting-128", waiting, 20000);
    measure("reap-4096", reap, 2000);
    return 0;
}
