/* SPDX-License-Identifier: Apache-2.0 */
/* Processes and threads that insert, expire and die, in real time on a shared
 * table. t/unit/table/interleave.c tries the orders one by one; this tries
 * the machine.
 *
 * LBS_TEST_KEYS=1000000 in the environment makes the lockstep as long. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "t/unit/table/fixture.h"

static pid_t start(void (*body)(void *), void *data)
{
    pid_t pid = fork();

    if (pid < 0) {
        bail_out("cannot fork");
    }
    if (pid == 0) {
        body(data);
        _exit(0);
    }
    return pid;
}

static int finished(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status)
           && WEXITSTATUS(status) == 0;
}

/* --- two processes, the same keys at the same time ---------------------- */

typedef struct lockstep_t {
    lbs_atomic32_t arrived;
    lbs_atomic32_t seats;
    lbs_atomic64_t disagreed; /* found other slots than the other did */
    lbs_atomic64_t failed;
    lbs_atomic64_t slot[2]; /* found by each */
    lbs_table_t *table;
    apr_uint32_t keys;
} lockstep_t;

/* Both are here when it returns. */
static void meet(lockstep_t *both, apr_uint32_t *meeting)
{
    ++*meeting;
    lbs_atomic_add32_relaxed(&both->arrived, 1);
    while (lbs_atomic_load32_acquire(&both->arrived) < 2 * *meeting) {
        sched_yield();
    }
}

static void lockstep(void *data)
{
    lockstep_t *both = data;
    apr_uint32_t self = lbs_atomic_add32_relaxed(&both->seats, 1);
    apr_uint32_t meeting = 0;
    apr_uint32_t n;

    for (n = 0; n < both->keys; n++) {
        apr_time_t now = START + n * (IDLE / 500);
        lbs_table_hit_t hit = {LBS_TABLE_NONE, 0, 0};
        apr_status_t rv;

        meet(both, &meeting);
        rv =
            lbs_table_claim(both->table, key_of(n), 1 + self, now, IDLE, &hit);
        lbs_atomic_add64_relaxed(&both->failed,
                                 rv != APR_SUCCESS && rv != APR_EEXIST);
        rv = lbs_table_find(both->table, key_of(n), now, &hit);
        lbs_atomic_add64_relaxed(&both->failed, rv != APR_SUCCESS);
        lbs_atomic_store64_release(&both->slot[self], hit.slot);
        meet(both, &meeting);
        lbs_atomic_add64_relaxed(
            &both->disagreed,
            lbs_atomic_load64_acquire(&both->slot[0])
                != lbs_atomic_load64_acquire(&both->slot[1]));
        if (n >= 600) { /* ended by now: both remove it at once */
            rv =
                lbs_table_renew(both->table, key_of(n - 600), now, IDLE, &hit);
            lbs_atomic_add64_relaxed(&both->failed, rv == APR_SUCCESS);
        }
    }
}

static void test_lockstep(void)
{
    const char *keys = getenv("LBS_TEST_KEYS");
    lbs_table_slots_t *slots = make_slots(3);
    lockstep_t *both = shared(sizeof(*both));
    lbs_table_stats_t stats;
    apr_time_t end;
    pid_t other;

    both->table = make_table(2000, slots);
    both->keys = keys != NULL ? (apr_uint32_t)atoi(keys) : 20000;
    other = start(lockstep, both);
    lockstep(both);
    ok(finished(other), "two processes through %u keys in lockstep",
       (unsigned)both->keys);
    is_int(both->disagreed, 0, "they never disagree about an owner");
    is_int(both->failed, 0,
           "no claim or look-up fails, none outlives its end");
    end = START + both->keys * (IDLE / 500);
    is_sound(both->table, end, "after the lockstep");
    lbs_table_stats(both->table, &stats);
    is_int(stats.entries, lbs_table_count(both->table),
           "the count equals a walk");
    is_int(stats.expired + stats.entries, both->keys,
           "each key ended once or is there");
}

/* --- 4 processes of 64 threads, one key --------------------------------- */

#define PROCESSES 4
#define THREADS 64
#define CROWD_ROUNDS 25

typedef struct crowd_t {
    pthread_barrier_t barrier;
    lbs_atomic32_t seats;
    lbs_atomic64_t won;
    lbs_atomic64_t failed;
    lbs_table_t *table;
} crowd_t;

static void *crowd_thread(void *data)
{
    crowd_t *crowd = data;
    apr_uint32_t slot = 1 + lbs_atomic_add32_relaxed(&crowd->seats, 1) % 7;
    apr_uint64_t round;

    for (round = 0; round < CROWD_ROUNDS; round++) {
        lbs_table_hit_t hit;
        apr_status_t rv;

        pthread_barrier_wait(&crowd->barrier);
        rv = lbs_table_claim(crowd->table, key_of(round), slot, clock_now(),
                             IDLE, &hit);
        lbs_atomic_add64_relaxed(&crowd->won, rv == APR_SUCCESS);
        lbs_atomic_add64_relaxed(&crowd->failed,
                                 rv != APR_SUCCESS && rv != APR_EEXIST);
    }
    return NULL;
}

static void crowd_process(void *data)
{
    pthread_t thread[THREADS];
    int i;

    for (i = 0; i < THREADS; i++) {
        if (pthread_create(&thread[i], NULL, crowd_thread, data) != 0) {
            _exit(1);
        }
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
}

static void test_crowd(void)
{
    lbs_table_slots_t *slots = make_slots(8);
    crowd_t *crowd = shared(sizeof(*crowd));
    pthread_barrierattr_t attr;
    pid_t pid[PROCESSES];
    int good = 0;
    int i;

    crowd->table = make_table(100, slots);
    pthread_barrierattr_init(&attr);
    pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&crowd->barrier, &attr, PROCESSES * THREADS);
    for (i = 0; i < PROCESSES; i++) {
        pid[i] = start(crowd_process, crowd);
    }
    for (i = 0; i < PROCESSES; i++) {
        good += finished(pid[i]);
    }
    is_int(good, PROCESSES, "4 processes of 64 threads claim the same keys");
    is_int(crowd->won, CROWD_ROUNDS, "one claim wins each key");
    is_int(crowd->failed, 0, "the others are told its member");
    is_int(lbs_table_count(crowd->table), CROWD_ROUNDS, "one entry for each");
    is_sound(crowd->table, clock_now(), "after the crowd");
}

/* --- killed and stopped processes --------------------------------------- */

#define KILLS 300
#define STOPS 60
#define SOME_KEYS 40 /* in a table of 48 words: evictions too */

static void busy(void *data)
{
    lbs_table_t *table = data;
    lbs_rand_t rand = {(apr_uint64_t)getpid()};

    for (;;) {
        apr_uint64_t key = key_of(lbs_rand_below(&rand, SOME_KEYS));
        apr_uint32_t slot = 1 + lbs_rand_below(&rand, 3);
        apr_time_t now = clock_now();
        lbs_table_hit_t hit;

        if (lbs_rand_below(&rand, 3) == 0) {
            lbs_table_forget(table, key, now, &hit);
        }
        else {
            lbs_table_bind(table, key, slot, now, IDLE, &hit);
        }
    }
}

/* Everybody else goes on at once: every key can be bound and found. */
static int goes_on(lbs_table_t *table)
{
    lbs_table_hit_t hit;
    int good = 0;
    apr_uint64_t n;

    for (n = 0; n < SOME_KEYS; n++) {
        apr_time_t now = clock_now();

        good +=
            lbs_table_bind(table, key_of(n), 1, now, IDLE, &hit) == APR_SUCCESS
            && lbs_table_find(table, key_of(n), now, &hit) == APR_SUCCESS;
    }
    return good == SOME_KEYS;
}

static void test_kills(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(26, slots);
    lbs_validate_report_t report;
    lbs_sweep_report_t swept = {0};
    lbs_sweep_t *sweep;
    lbs_rand_t rand = {5};
    apr_uint64_t half_done = 0;
    int damage = 0;
    int stuck = 0;
    int i;

    /* On a busy machine a child may not get far enough in time: go on until
     * one was caught in the middle, within reason. */
    for (i = 0; i < KILLS || (half_done == 0 && i < 10 * KILLS); i++) {
        pid_t pid = start(busy, table);

        usleep(300 + lbs_rand_below(&rand, 500));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        (void)lbs_validate_table(table, clock_now(), &report, pool);
        damage += report.torn != 0 || report.twins != 0;
        half_done += report.tentative + report.orphans;
        stuck += !goes_on(table);
    }
    ok(half_done != 0, "%d kills: some in the middle of an insert", KILLS);
    is_int(damage, 0, "%d kills: nothing torn, nothing twice", KILLS);
    is_int(stuck, 0, "%d kills: the others go on at once", KILLS);
    usleep(5000);
    lbs_sweep_create(&sweep, table, pool);
    for (i = 0; i < 3; i++) {
        lbs_sweep_run(sweep, 0, clock_now(), NULL, NULL, &swept);
    }
    printf("# kills left %lu inserts half done and miscounted %lu sessions\n",
           (unsigned long)half_done, (unsigned long)swept.corrected);
    is_sound(table, clock_now(), "after two sweeps");
    (void)lbs_validate_table(table, clock_now(), &report, pool);
    is_int(report.orphans + report.tentative, 0, "no insert left half done");
}

static void test_stops(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(26, slots);
    lbs_validate_report_t report;
    lbs_rand_t rand = {6};
    int damage = 0;
    int stuck = 0;
    int i;
    pid_t pid = start(busy, table);

    for (i = 0; i < STOPS; i++) {
        usleep(200 + lbs_rand_below(&rand, 400));
        kill(pid, SIGSTOP);
        waitpid(pid, NULL, WUNTRACED);
        stuck += !goes_on(table);
        (void)lbs_validate_table(table, clock_now(), &report, pool);
        damage += report.torn != 0 || report.twins != 0;
        kill(pid, SIGCONT);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    is_int(stuck, 0, "%d stops: the others go on at once", STOPS);
    is_int(damage, 0, "%d stops: nothing torn, nothing twice", STOPS);
}

/* A process stopped between its two swaps, played by hand. */
static void test_half_an_insert(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(26, slots);
    lbs_place_t place = lbs_place_of(table, key_of(1));
    apr_uint64_t mine =
        lbs_word_tentative(lbs_place_want(&place, 0), START, 77);
    lbs_validate_report_t report;
    lbs_sweep_report_t swept = {0};
    lbs_sweep_t *sweep;
    lbs_table_hit_t hit;

    lbs_atomic_store64_release(lbs_place_word(&place, 0), mine);
    is_int(lbs_table_find(table, key_of(1), START, &hit), APR_NOTFOUND,
           "half an insert is not found");
    (void)lbs_validate_table(table, START, &report, pool);
    is_int(report.tentative, 1, "it is under way");
    lbs_sweep_create(&sweep, table, pool);
    lbs_sweep_run(sweep, 0, START + 2000, NULL, NULL, &swept);
    is_int(swept.orphans, 0, "2 ms on it may still come");
    lbs_sweep_run(sweep, 0, START - 500000, NULL, NULL, &swept);
    is_int(swept.orphans, 0, "a clock half a second back changes nothing");
    lbs_sweep_run(sweep, 0, START + 4000, NULL, NULL, &swept);
    is_int(swept.orphans, 1, "4 ms on the sweep takes it for dead");

    lbs_atomic_store64_release(lbs_place_word(&place, 0), mine);
    is_int(lbs_table_bind(table, key_of(1), 2, START, IDLE, NULL), APR_SUCCESS,
           "another process binds the key meanwhile");
    ok(lbs_atomic_load64_acquire(lbs_place_word(&place, 0)) != mine,
       "so the stopped one will find its word gone");
    is_int(lbs_table_count(table), 1, "one entry");
    is_sound(table, START, "then");
}

/* Others are inserting into all sixteen words: rare, but it must end. */
static void test_no_room_at_all(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(1, slots);
    lbs_table_hit_t hit = {77, 77, 77};
    int i;

    for (i = 0; i < LBS_PAIR; i++) {
        lbs_atomic_store64_release(
            &table->words[i], lbs_word_tentative((apr_uint64_t)(100 + i) << 32,
                                                 START, (apr_uint64_t)i));
    }
    is_int(lbs_table_bind(table, key_of(1), 1, START, IDLE, &hit), APR_EAGAIN,
           "no room between inserts under way");
    is_int(hit.slot, 77, "a failed bind leaves its result alone");
    is_int(lbs_table_sessions(slots, 1), 0, "and is not counted");
    is_int(lbs_table_bind(table, key_of(1), 1, START + 5000, IDLE, &hit),
           APR_SUCCESS, "5 ms later they are taken for dead");
    is_int(lbs_table_sessions(slots, 1), 1, "and it is counted");
}

/* Full of sessions in use, at sizes where others searched for long. */
static void test_full_in_time(apr_uint32_t sessions)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(sessions, slots);
    apr_uint64_t words = lbs_table_bytes(sessions) / 8;
    lbs_table_hit_t hit;
    int slow = 0;
    apr_uint64_t n;

    for (n = 0; n < 4 * words; n++) {
        lbs_table_bind(table, key_of(n), 1, START, IDLE, NULL);
        lbs_table_renew(table, key_of(n), START + IDLE / 2, IDLE, &hit);
    }
    for (; n < 4 * words + 2000; n++) {
        double start = thread_us();

        lbs_table_bind(table, key_of(n), 2, START + IDLE / 2, IDLE, NULL);
        slow += thread_us() - start > 1000;
    }
    ok(slow < 20,
       "%u sessions, full of busy ones: 99 of 100 inserts take "
       "less than a millisecond",
       (unsigned)sessions);
}

/* What is used a second time, at once or later, outlives what is not. */
static void test_second_use(void)
{
    lbs_table_slots_t *slots = make_slots(2);
    lbs_table_t *table = make_table(1000, slots);
    lbs_table_hit_t hit;
    lbs_table_stats_t stats;
    int lost = 0;
    int over = 0;
    apr_uint64_t n;

    for (n = 0; n < 100; n++) {
        lbs_table_bind(table, key_of(n), 1, START, IDLE, NULL);
        lbs_table_renew(table, key_of(n), START + (apr_time_t)n, IDLE, &hit);
    }
    for (n = 1000; n < 12000; n++) {
        lbs_table_bind(table, key_of(n), 1, START + SECOND, IDLE, NULL);
        lbs_table_stats(table, &stats);
        over += stats.entries > 1000;
    }
    for (n = 0; n < 100; n++) {
        lost += lbs_table_find(table, key_of(n), START + SECOND, &hit)
                != APR_SUCCESS;
    }
    is_int(lost, 0, "eleven thousand keys used once push out none of them");
    is_int(over, 0, "and there are never more than the table is for");
    is_int(stats.entries, 1000, "it is full");
    is_int(stats.evicted_unseen, 10100, "those gone are counted");
    is_int(stats.evicted_seen, 0, "by their kind");
}

int main(void)
{
    fixture_start();
    test_second_use();
    test_full_in_time(1);
    test_full_in_time(256);
    test_full_in_time(200000);
    test_half_an_insert();
    test_no_room_at_all();
    test_lockstep();
    test_crowd();
    test_kills();
    test_stops();
    return done_testing();
}
