/* SPDX-License-Identifier: Apache-2.0 */
/* What is in flight comes back to exactly 0, wherever a process is killed. */
#include "src/base/lbs_rand.h"
#include "src/member/lbs_inflight.h"
#include "t/unit/member/step.h"

#define ROWS 6u
#define SLOTS 3u
#define OPS 1000000u
#define KILLS 60

typedef struct shared_t {
    lbs_gauge_t gauges[SLOTS];
    lbs_atomic64_t ops;
    _Alignas(64) unsigned char block[4096];
} shared_t;

static shared_t *shared;
static lbs_rows_t rows;

static void start(void)
{
    apr_uint32_t i;

    memset(shared, 0, sizeof(*shared));
    for (i = 0; i < SLOTS; i++) {
        lbs_gauge_init(&shared->gauges[i]);
    }
    if (lbs_rows_bytes(ROWS, SLOTS) > sizeof(shared->block)) {
        bail_out("block too small");
    }
    lbs_rows_open(&rows, shared->block, ROWS, SLOTS);
}

/* Reap whoever owns a row but the given one. */
static int reap_all_but(const lbs_inflight_t *survivor)
{
    apr_uint32_t i;
    int free_rows = 0;

    for (i = 1; i < ROWS; i++) {
        apr_uint32_t pid = lbs_inflight_pid(&rows, i);
        lbs_inflight_t dead;

        if (i == survivor->index) {
            continue;
        }
        if (pid != 0
            && lbs_inflight_condemn(&rows, i, pid, &dead) == APR_SUCCESS) {
            (void)lbs_inflight_reap(&rows, &dead, shared->gauges);
        }
        free_rows += lbs_inflight_pid(&rows, i) == 0;
    }
    return free_rows == ROWS - 2;
}

/* One attempt each at a half-open, a limited and an unlimited member; the
 * last one is left open. */
static void attempts(void *unused)
{
    lbs_flight_t flight[SLOTS] = {{0, 0, 0, 0}};
    lbs_inflight_t mine;
    apr_uint32_t i;

    (void)unused;
    (void)lbs_inflight_claim(&rows, (apr_uint32_t)getpid(), &mine);
    for (i = 0; i < SLOTS; i++) {
        (void)lbs_inflight_enter(&rows, &mine, i, &shared->gauges[i],
                                 &flight[i]);
        lbs_inflight_heard(&rows, &mine, &flight[0]);
    }
    for (i = 0; i + 1 < SLOTS; i++) {
        lbs_inflight_leave(&rows, &mine, &shared->gauges[i], &flight[i]);
    }
}

/* A survivor has one attempt each at members 1 and 2. */
typedef struct survivor_t {
    lbs_inflight_t row;
    lbs_flight_t flight[SLOTS];
} survivor_t;

static void reaper(void *survivor)
{
    (void)reap_all_but(&((survivor_t *)survivor)->row);
}

static void survive(survivor_t *survivor)
{
    apr_uint32_t i;

    start();
    memset(survivor, 0, sizeof(*survivor));
    lbs_gauge_set(&shared->gauges[0], LBS_F_HALF_OPEN);
    lbs_atomic_store32_relaxed(&shared->gauges[1].limit, 2);
    (void)lbs_inflight_claim(&rows, (apr_uint32_t)getpid(), &survivor->row);
    for (i = 1; i < SLOTS; i++) {
        (void)lbs_inflight_enter(&rows, &survivor->row, i, &shared->gauges[i],
                                 &survivor->flight[i]);
    }
}

/* Nothing but the survivor's is left, and that goes to 0 too. */
static int all_given_back(void *what)
{
    survivor_t survivor = *(survivor_t *)what;
    apr_uint32_t i;
    int good = reap_all_but(&survivor.row);

    good &= shared->gauges[0].trial == 0;
    good &= lbs_gauge_inflight(&shared->gauges[0]) == 0;
    for (i = 1; i < SLOTS; i++) {
        good &= lbs_gauge_inflight(&shared->gauges[i]) == 1;
        good &= lbs_rows_waiting(&rows, i) == 1;
        lbs_inflight_leave(&rows, &survivor.row, &shared->gauges[i],
                           &survivor.flight[i]);
        good &= lbs_gauge_inflight(&shared->gauges[i]) == 0;
    }
    return good;
}

static long killed_at_every_instruction(void)
{
    survivor_t survivor;
    long steps;
    int bad;

    survive(&survivor);
    steps = step_each(attempts, NULL, shared, sizeof(*shared), all_given_back,
                      &survivor, &bad);
    if (steps == STEP_DENIED) {
        ok(1, "a child killed at every instruction # SKIP no ptrace");
        return 0;
    }
    ok(steps > 100 && bad == 0,
       "a child killed at any of %ld instructions: counts back to exactly 0 "
       "(%d times not)",
       steps, bad);
    return steps;
}

/* The child dies after m instructions, its reaper after any. */
static void reaper_killed_at_every_instruction(long child_steps)
{
    survivor_t survivor;
    long stride = child_steps / 12 + 1;
    long steps = 0;
    long m;
    int bad = 0;

    for (m = 0; m < child_steps; m += stride) {
        int wrong;

        survive(&survivor);
        step_kill(attempts, NULL, m);
        steps += step_each(reaper, &survivor, shared, sizeof(*shared),
                           all_given_back, &survivor, &wrong);
        bad += wrong;
    }
    ok(bad == 0,
       "a reaper killed at any of %ld instructions: the next one ends it "
       "(%d times not)",
       steps, bad);
}

/* Dead: two attempts at member 1. Alive: the survivor. */
static void two_left_behind(survivor_t *survivor)
{
    lbs_flight_t flight;
    lbs_inflight_t dead;
    int i;

    survive(survivor);
    lbs_atomic_store32_relaxed(&shared->gauges[1].limit, 0);
    (void)lbs_inflight_claim(&rows, 1, &dead);
    for (i = 0; i < 2; i++) {
        (void)lbs_inflight_enter(&rows, &dead, 1, &shared->gauges[1], &flight);
    }
}

/* Another reaper is faster, then the sum grows to what it was before. */
static void overtake(void *what)
{
    survivor_t *survivor = what;
    lbs_flight_t flight;
    int i;

    (void)reap_all_but(&survivor->row);
    for (i = 0; i < 2; i++) {
        (void)lbs_inflight_enter(&rows, &survivor->row, 1, &shared->gauges[1],
                                 &flight);
    }
}

static void overtaken_reaper_corrects_nothing_twice(void)
{
    survivor_t survivor;
    long more = 1;
    int bad = 0;
    long n;

    for (n = 0; more == 1; n += 17 * STEP_STRIDE) {
        two_left_behind(&survivor);
        more = step_between(reaper, &survivor, n, overtake, &survivor);
        bad += more == 1 && lbs_gauge_inflight(&shared->gauges[1]) != 3;
    }
    ok(bad == 0,
       "a reaper overtaken at any of %ld instructions corrects "
       "nothing twice (%d times it did)",
       n, bad);
}

static void reap_the_dead(void *unused)
{
    lbs_inflight_t dead;
    apr_uint32_t i;

    (void)unused;
    for (i = 1; i < ROWS; i++) {
        if (lbs_inflight_condemn(&rows, i, 1, &dead) == APR_SUCCESS) {
            (void)lbs_inflight_reap(&rows, &dead, shared->gauges);
        }
    }
}

static void one_attempt(void *unused)
{
    lbs_flight_t flight;
    lbs_inflight_t mine;

    (void)unused;
    (void)lbs_inflight_claim(&rows, (apr_uint32_t)getpid(), &mine);
    (void)lbs_inflight_enter(&rows, &mine, 1, &shared->gauges[1], &flight);
    lbs_inflight_leave(&rows, &mine, &shared->gauges[1], &flight);
}

/* A reaper comes while a living child is inside an attempt. */
static void living_attempt_is_not_taken_for_a_dead_one(void)
{
    survivor_t survivor;
    long more = 1;
    int bad = 0;
    long n;

    for (n = 0; more == 1; n += 3 * STEP_STRIDE) {
        two_left_behind(&survivor);
        more = step_between(one_attempt, NULL, n, reap_the_dead, NULL);
        reap_the_dead(NULL); /* when the child was in the way */
        bad += lbs_gauge_inflight(&shared->gauges[1]) != 1;
        bad += !all_given_back(&survivor);
    }
    ok(bad == 0,
       "a reaper beside a living attempt at any of %ld "
       "instructions does not miscount it (%d times it did)",
       n, bad);
}

/* Children hammer the members and are killed at random; two reapers run
 * beside each other. */
static void hammer(unsigned seed)
{
    lbs_rand_t rand = {seed};
    lbs_flight_t flight[8] = {{0, 0, 0, 0}};
    lbs_inflight_t mine;

    (void)lbs_inflight_claim(&rows, (apr_uint32_t)getpid(), &mine);
    for (;;) {
        lbs_flight_t *one = &flight[lbs_rand_below(&rand, 8)];
        apr_uint32_t slot = one->slot;

        if (one->aloft) {
            lbs_inflight_heard(&rows, &mine, one);
            lbs_inflight_leave(&rows, &mine, &shared->gauges[slot], one);
            continue;
        }
        slot = lbs_rand_below(&rand, SLOTS);
        (void)lbs_inflight_enter(&rows, &mine, slot, &shared->gauges[slot],
                                 one);
        lbs_atomic_add64_relaxed(&shared->ops, 1);
    }
}

static pid_t spawn_hammer(unsigned seed)
{
    pid_t pid = fork();

    if (pid == 0) {
        hammer(seed);
    }
    return pid;
}

/* Until it is done: a child that sleeps inside an attempt delays a reaper. */
static void reap_pid(pid_t pid)
{
    int tries = 20000;
    apr_uint32_t i;
    lbs_inflight_t dead;

    for (i = 1; i < ROWS; i++) {
        while (tries-- > 0
               && lbs_inflight_condemn(&rows, i, (apr_uint32_t)pid, &dead)
                      == APR_SUCCESS
               && lbs_inflight_reap(&rows, &dead, shared->gauges)
                      == APR_EAGAIN) {
            usleep(200);
        }
    }
}

/* Kill one child, reap it from two processes at once. */
static void kill_and_reap(pid_t pid)
{
    int status;
    pid_t helper;

    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    helper = fork();
    reap_pid(pid);
    if (helper == 0) {
        _exit(0);
    }
    waitpid(helper, &status, 0);
}

static void a_million_attempts_with_kills(void)
{
    pid_t child[2];
    apr_uint32_t i;
    int kills;

    start();
    lbs_atomic_store32_relaxed(&shared->gauges[1].limit, 3);
    for (i = 0; i < 2; i++) {
        child[i] = spawn_hammer(i + 1);
    }
    for (kills = 0; kills < KILLS || shared->ops < OPS; kills++) {
        usleep(500 + 131 * ((useconds_t)kills % 13));
        kill_and_reap(child[kills % 2]);
        child[kills % 2] = spawn_hammer((unsigned)kills + 3);
    }
    kill_and_reap(child[0]);
    kill_and_reap(child[1]);
    for (i = 1; i < ROWS; i++) { /* now that all is quiet */
        reap_pid((pid_t)lbs_inflight_pid(&rows, i));
    }
    ok(shared->ops >= OPS, "%d children killed in %lu attempts", kills + 2,
       (unsigned long)shared->ops);
    for (i = 0; i < SLOTS; i++) {
        is_int(lbs_gauge_inflight(&shared->gauges[i]), 0,
               "member %u: in flight is exactly 0", i);
    }
    for (i = 0; i < ROWS; i++) {
        is_int(lbs_inflight_pid(&rows, i), 0, "row %u is free", i);
    }
}

int main(void)
{
    shared = step_shared(sizeof(*shared));
    reaper_killed_at_every_instruction(killed_at_every_instruction());
    overtaken_reaper_corrects_nothing_twice();
    living_attempt_is_not_taken_for_a_dead_one();
    a_million_attempts_with_kills();
    return done_testing();
}
