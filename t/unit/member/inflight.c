/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "src/base/lbs_rand.h"
#include "src/member/lbs_inflight.h"
#include "t/unit/tap.h"

#define ROWS 5u
#define SLOTS 9u
#define THREADS 50

static lbs_gauge_t gauges[SLOTS];
static _Alignas(64) unsigned char block[8192];
static lbs_rows_t rows;

static void start(void)
{
    apr_uint32_t i;

    memset(block, 0, sizeof(block));
    for (i = 0; i < SLOTS; i++) {
        lbs_gauge_init(&gauges[i]);
    }
    lbs_rows_open(&rows, block, ROWS, SLOTS);
}

static void sizes(void)
{
    apr_size_t bytes = lbs_rows_bytes(ROWS, SLOTS);

    ok(bytes > 0 && bytes <= sizeof(block) && bytes % 64 == 0,
       "a size in whole cache lines");
    is_int(lbs_rows_bytes(1, SLOTS), 0, "the common row alone is refused");
    is_int(lbs_rows_bytes(ROWS, 0), 0, "no slots are refused");
    is_int(lbs_rows_bytes(LBS_ROWS_MAX + 1, 1), 0, "too many rows");
    if (sizeof(apr_size_t) == 4) {
        is_int(lbs_rows_bytes(LBS_ROWS_MAX, ~0u), 0, "more than memory");
    }
}

static void every_child_gets_a_row(void)
{
    lbs_inflight_t row[ROWS + 1];
    lbs_inflight_t dead, again;
    apr_uint32_t i;

    start();
    for (i = 1; i < ROWS; i++) {
        is_int(lbs_inflight_claim(&rows, 100 + i, &row[i]), APR_SUCCESS,
               "child %u has a row", i);
        is_int(lbs_inflight_pid(&rows, row[i].index), 100 + i, "of its own");
    }
    is_int(lbs_inflight_claim(&rows, 200, &row[ROWS]), APR_ENOSPC,
           "none left");
    is_int(row[ROWS].index, LBS_INFLIGHT_COMMON,
           "the common one is for the rest");
    is_int(lbs_inflight_condemn(&rows, LBS_INFLIGHT_COMMON, 0, &dead),
           APR_NOTFOUND, "nobody can condemn the common row");
    is_int(lbs_inflight_condemn(&rows, 2, 999, &dead), APR_NOTFOUND,
           "nor a row in the name of another process");
    is_int(lbs_inflight_condemn(&rows, ROWS, 1, &dead), APR_NOTFOUND,
           "nor a row that does not exist");
    is_int(lbs_inflight_condemn(&rows, 2, 102, &dead), APR_SUCCESS,
           "condemned");
    is_int(lbs_inflight_condemn(&rows, 2, 102, &dead), APR_SUCCESS,
           "and once more by somebody else");
    is_int(lbs_inflight_claim(&rows, 201, &row[ROWS]), APR_ENOSPC,
           "not to be had before it is reaped");
    ok(lbs_inflight_condemned(&rows, 2, &again) && again.token == dead.token,
       "which anybody can see is still to do");
    ok(!lbs_inflight_condemned(&rows, 3, &again), "not with a living row");
    ok(!lbs_inflight_condemned(&rows, ROWS, &again),
       "nor one that is not there");
    is_int(lbs_inflight_reap(&rows, &dead, gauges), APR_SUCCESS, "reaped");
    is_int(lbs_inflight_reap(&rows, &dead, gauges), APR_NOTFOUND, "only once");
    ok(!lbs_inflight_condemned(&rows, 2, &again), "nothing is left to do");
    is_int(lbs_inflight_claim(&rows, 202, &row[ROWS]), APR_SUCCESS,
           "free again");
    is_int(row[ROWS].index, row[2].index, "the same row");
    ok(row[ROWS].token != row[2].token, "with another token");
    is_int(lbs_inflight_reap(&rows, &dead, gauges), APR_NOTFOUND,
           "a late reaper leaves the new owner alone");
    is_int(lbs_inflight_pid(&rows, 2), 202, "who still has it");
}

static void attempts_are_counted(void)
{
    lbs_flight_t flight = {0, 0, 0, 0};
    lbs_inflight_t row;

    start();
    (void)lbs_inflight_claim(&rows, 1, &row);
    is_int(lbs_inflight_enter(&rows, &row, SLOTS, gauges, &flight), APR_EINVAL,
           "no such slot");
    lbs_inflight_heard(&rows, &row, &flight);
    lbs_inflight_leave(&rows, &row, &gauges[3], &flight);
    is_int(lbs_gauge_inflight(&gauges[3]), 0, "leaving nothing is nothing");

    is_int(lbs_inflight_enter(&rows, &row, 3, &gauges[3], &flight),
           APR_SUCCESS, "enter");
    is_int(lbs_gauge_inflight(&gauges[3]), 1, "in flight");
    is_int(lbs_rows_waiting(&rows, 3), 1, "and waiting");
    lbs_inflight_heard(&rows, &row, &flight);
    lbs_inflight_heard(&rows, &row, &flight);
    is_int(lbs_rows_waiting(&rows, 3), 0, "heard: waits no more");
    lbs_inflight_unheard(&rows, &row, &flight);
    lbs_inflight_unheard(&rows, &row, &flight);
    is_int(lbs_rows_waiting(&rows, 3), 1, "that was no answer: it does");
    lbs_inflight_heard(&rows, &row, &flight);
    is_int(lbs_gauge_inflight(&gauges[3]), 1, "but streams on");
    lbs_inflight_leave(&rows, &row, &gauges[3], &flight);
    lbs_inflight_leave(&rows, &row, &gauges[3], &flight);
    is_int(lbs_gauge_inflight(&gauges[3]), 0, "left, once");
    is_int(lbs_rows_waiting(&rows, SLOTS + 5), 0, "no such slot, no waiting");
}

static void limit_is_never_passed(void)
{
    lbs_flight_t flight[3] = {{0, 0, 0, 0}};
    lbs_inflight_t row;
    int i;

    start();
    (void)lbs_inflight_claim(&rows, 1, &row);
    gauges[0].limit = 2;
    for (i = 0; i < 2; i++) {
        (void)lbs_inflight_enter(&rows, &row, 0, gauges, &flight[i]);
    }
    is_int(lbs_inflight_enter(&rows, &row, 0, gauges, &flight[2]), APR_EBUSY,
           "full");
    is_int(flight[2].aloft, 0, "and not in flight");
    is_int(lbs_rows_waiting(&rows, 0), 2, "nor in the row");
    gauges[0].limit = 1;
    lbs_inflight_leave(&rows, &row, gauges, &flight[0]);
    is_int(lbs_inflight_enter(&rows, &row, 0, gauges, &flight[2]), APR_EBUSY,
           "a lowered limit waits for attempts to end");
    lbs_inflight_leave(&rows, &row, gauges, &flight[1]);
    is_int(lbs_inflight_enter(&rows, &row, 0, gauges, &flight[2]), APR_SUCCESS,
           "room again");
}

static void closed_member_is_not_entered(void)
{
    lbs_flight_t flight = {0, 0, 0, 0};
    lbs_inflight_t row;

    start();
    (void)lbs_inflight_claim(&rows, 1, &row);
    lbs_gauge_set(gauges, LBS_F_DOWN);
    is_int(lbs_inflight_enter(&rows, &row, 0, gauges, &flight), APR_EAGAIN,
           "down since it was picked");
    lbs_gauge_set(gauges, LBS_F_PANIC);
    is_int(lbs_inflight_enter(&rows, &row, 0, gauges, &flight), APR_SUCCESS,
           "panic: down is ignored");
}

typedef struct worker_t {
    lbs_inflight_t row;
    pthread_barrier_t *start;
    pthread_barrier_t *tried;
    int trials;
} worker_t;

static void *client(void *arg)
{
    worker_t *w = arg;
    lbs_flight_t flight = {0, 0, 0, 0};

    pthread_barrier_wait(w->start);
    w->trials =
        lbs_inflight_enter(&rows, &w->row, 0, gauges, &flight) == APR_SUCCESS;
    pthread_barrier_wait(w->tried);
    lbs_inflight_leave(&rows, &w->row, gauges, &flight);
    return NULL;
}

static void fifty_clients_at_the_end_of_a_hold(void)
{
    pthread_barrier_t go, tried;
    pthread_t thread[THREADS];
    worker_t worker[THREADS];
    int trials = 0;
    int i;

    start();
    lbs_gauge_set(gauges, LBS_F_HALF_OPEN);
    pthread_barrier_init(&go, NULL, THREADS);
    pthread_barrier_init(&tried, NULL, THREADS);
    for (i = 0; i < THREADS; i++) {
        worker[i] = (worker_t){{0, 0}, &go, &tried, 0};
        if (i < 4) {
            (void)lbs_inflight_claim(&rows, 1 + (apr_uint32_t)i,
                                     &worker[i].row);
        }
        worker[i].row = worker[i % 4].row;
        pthread_create(&thread[i], NULL, client, &worker[i]);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        trials += worker[i].trials;
    }
    is_int(trials, 1, "50 clients at the end of a hold: exactly one trial");
    is_int(gauges[0].trial, 0, "released when it left");
    is_int(lbs_gauge_inflight(gauges), 0, "and nothing in flight");
    pthread_barrier_destroy(&go);
    pthread_barrier_destroy(&tried);
}

static void common_row_does_not_probe(void)
{
    lbs_inflight_t row = {LBS_INFLIGHT_COMMON, 1};
    lbs_flight_t flight = {0, 0, 0, 0};

    start();
    lbs_gauge_set(gauges, LBS_F_HALF_OPEN);
    is_int(lbs_inflight_enter(&rows, &row, 0, gauges, &flight), APR_EAGAIN,
           "nobody could take back its trial");
    lbs_gauge_clear(gauges, LBS_F_HALF_OPEN);
    is_int(lbs_inflight_enter(&rows, &row, 0, gauges, &flight), APR_SUCCESS,
           "but it counts");
    lbs_inflight_leave(&rows, &row, gauges, &flight);
    is_int(lbs_gauge_inflight(gauges), 0, "and gives back");
}

static void damaged_sum_does_not_wrap(void)
{
    lbs_flight_t flight = {0, 0, 0, 0};
    lbs_inflight_t row;

    start();
    (void)lbs_inflight_claim(&rows, 1, &row);
    (void)lbs_inflight_enter(&rows, &row, 0, gauges, &flight);
    gauges[0].inflight = 0;
    lbs_inflight_leave(&rows, &row, gauges, &flight);
    is_int(lbs_gauge_inflight(gauges), 0, "0 less 1 is 0, not 4294967295");
}

/* Slow and obvious: a list of who is where. */
#define FLIGHTS 40
static lbs_flight_t twin_flight[FLIGHTS];
static apr_uint32_t twin_owner[FLIGHTS];

static int twin_agrees(void)
{
    apr_uint32_t slot;
    int good = 1;
    int i;

    for (slot = 0; slot < SLOTS; slot++) {
        apr_uint32_t aloft = 0;
        apr_uint32_t waiting = 0;

        for (i = 0; i < FLIGHTS; i++) {
            if (twin_flight[i].aloft && twin_flight[i].slot == slot) {
                aloft++;
                waiting += twin_flight[i].waiting;
            }
        }
        good &= lbs_gauge_inflight(&gauges[slot]) == aloft;
        good &= lbs_rows_waiting(&rows, slot) == waiting;
    }
    return good;
}

static void random_operations_against_a_twin(void)
{
    lbs_rand_t rand = {7};
    lbs_inflight_t row[ROWS];
    lbs_inflight_t dead;
    apr_uint32_t pid[ROWS];
    apr_uint32_t next_pid = 1;
    int bad = 0;
    int i, j;

    start();
    for (i = 1; i < (int)ROWS; i++) {
        pid[i] = next_pid++;
        (void)lbs_inflight_claim(&rows, pid[i], &row[i]);
    }
    for (i = 0; i < 50000; i++) {
        apr_uint32_t who = 1 + lbs_rand_below(&rand, ROWS - 1);
        int n = (int)lbs_rand_below(&rand, FLIGHTS);
        lbs_flight_t *one = &twin_flight[n];

        if (lbs_rand_below(&rand, 100) == 0) { /* child who dies */
            bad +=
                lbs_inflight_condemn(&rows, row[who].index, pid[who], &dead);
            bad += lbs_inflight_reap(&rows, &dead, gauges);
            for (j = 0; j < FLIGHTS; j++) {
                twin_flight[j].aloft &= twin_owner[j] != who;
            }
            pid[who] = next_pid++;
            bad += lbs_inflight_claim(&rows, pid[who], &row[who]);
        }
        else if (!one->aloft) {
            apr_uint32_t slot = lbs_rand_below(&rand, SLOTS);

            twin_owner[n] = who;
            bad +=
                lbs_inflight_enter(&rows, &row[who], slot, &gauges[slot], one);
        }
        else if (lbs_rand_below(&rand, 2) == 0) {
            lbs_inflight_heard(&rows, &row[twin_owner[n]], one);
        }
        else {
            lbs_inflight_leave(&rows, &row[twin_owner[n]], &gauges[one->slot],
                               one);
        }
        bad += !twin_agrees();
    }
    is_int(bad, 0, "50000 random operations agree with a list");
}

static lbs_atomic32_t finished;

static void *hammer(void *arg)
{
    worker_t *w = arg;
    lbs_rand_t rand = {w->row.token};
    volatile int idle;
    int i;

    for (i = 0; i < 20000; i++) {
        lbs_flight_t flight = {0, 0, 0, 0};
        apr_uint32_t slot = lbs_rand_below(&rand, 3);

        if (lbs_inflight_enter(&rows, &w->row, slot, &gauges[slot], &flight)
            == APR_SUCCESS) {
            apr_uint32_t now = lbs_gauge_inflight(&gauges[slot]);

            w->trials += slot == 1 && now > 2;
            lbs_inflight_leave(&rows, &w->row, &gauges[slot], &flight);
        }
        for (idle = 0; idle < 50; idle++) { /* else the reaper never ends */
            (void)lbs_rand_next(&rand);
        }
    }
    lbs_atomic_add32_relaxed(&finished, 1);
    return NULL;
}

static void threads_and_a_reaper(void)
{
    worker_t worker[4];
    pthread_t thread[4];
    lbs_flight_t flight = {0, 0, 0, 0};
    lbs_inflight_t row = {1, 0};
    int reaped = 0;
    int i;

    start();
    gauges[1].limit = 2;
    for (i = 0; i < 4; i++) {
        worker[i] = (worker_t){{0, 0}, NULL, NULL, 0};
        if (i % 2 == 0) { /* two threads share a row */
            (void)lbs_inflight_claim(&rows, 1 + (apr_uint32_t)i,
                                     &worker[i].row);
        }
        worker[i].row = worker[i & ~1].row;
        pthread_create(&thread[i], NULL, hammer, &worker[i]);
    }
    while (lbs_atomic_load32_acquire(&finished) < 4) {
        if (lbs_inflight_claim(&rows, 77, &row) == APR_SUCCESS) {
            (void)lbs_inflight_enter(&rows, &row, 0, gauges, &flight);
            (void)lbs_inflight_condemn(&rows, row.index, 77, &row);
        }
        reaped += lbs_inflight_reap(&rows, &row, gauges) == APR_SUCCESS;
    }
    diag("%d children reaped meanwhile", reaped);
    for (i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        is_int(worker[i].trials, 0, "thread %d never saw a limit passed", i);
    }
    for (i = 1; i < (int)ROWS; i++) { /* who was too busy is now quiet */
        if (lbs_inflight_condemn(&rows, (apr_uint32_t)i, 77, &row)
            == APR_SUCCESS) {
            is_int(lbs_inflight_reap(&rows, &row, gauges), APR_SUCCESS,
                   "reaped");
        }
    }
    for (i = 0; i < 3; i++) {
        is_int(lbs_gauge_inflight(&gauges[i]), 0, "member %d back to 0", i);
    }
}

int main(void)
{
    sizes();
    every_child_gets_a_row();
    attempts_are_counted();
    limit_is_never_passed();
    closed_member_is_not_entered();
    fifty_clients_at_the_end_of_a_hold();
    common_row_does_not_probe();
    damaged_sum_does_not_wrap();
    random_operations_against_a_twin();
    threads_and_a_reaper();
    return done_testing();
}
