/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "src/base/lbs_rand.h"
#include "src/member/lbs_queue.h"
#include "t/unit/member/step.h"

#define MS APR_UINT64_C(1000)
#define SEC APR_UINT64_C(1000000)
#define WAIT ((apr_int64_t)(5 * SEC))

/* Rows as lbs_inflight_claim() makes them, of two children. */
static const lbs_inflight_t child_a = {1, 0x10002};
static const lbs_inflight_t child_b = {2, 0x10003};
static const lbs_inflight_t child_a_reborn = {1, 0x20002};

static lbs_queue_t *queue;
static lbs_gauge_t g;
static apr_uint64_t now;

static void start(void)
{
    memset(queue, 0, sizeof(*queue));
    lbs_gauge_init(&g);
    g.limit = 1;
    g.inflight = 1;
    now = 99999 * SEC;
}

static apr_status_t join(const lbs_inflight_t *row, apr_uint64_t *ticket)
{
    return lbs_queue_join(queue, 4, row, WAIT, now, ticket);
}

static apr_status_t turn(apr_uint64_t ticket)
{
    return lbs_queue_turn(queue, &g, now, ticket);
}

static void first_come_first_served(void)
{
    apr_uint64_t t[5];
    int i;

    start();
    ok(lbs_queue_empty(queue), "nobody waits");
    for (i = 0; i < 4; i++) {
        is_int(join(i % 2 ? &child_a : &child_b, &t[i]), APR_SUCCESS,
               "%d joins", i);
    }
    ok(!lbs_queue_empty(queue), "a newcomer has to queue up");
    is_int(lbs_queue_waiting(queue, now), 4, "four wait");
    is_int(join(&child_a, &t[4]), APR_ENOSPC, "queue=4: no fifth");
    is_int(turn(t[0]), APR_EAGAIN, "the member is full: nobody's turn");
    g.inflight = 0;
    is_int(turn(t[1]), APR_EAGAIN, "room: not the second one's");
    is_int(turn(t[0]), APR_SUCCESS, "but the first one's turn");
    lbs_queue_leave(queue, now, t[0]);
    is_int(turn(t[1]), APR_SUCCESS, "then the second one's");
    is_int(turn(t[2]), APR_EAGAIN, "not the third one's");
    g.limit = 2;
    is_int(turn(t[2]), APR_SUCCESS, "room for two: two at a time");
    is_int(turn(t[3]), APR_EAGAIN, "not three");
    lbs_queue_leave(queue, now, t[2]);
    is_int(turn(t[3]), APR_SUCCESS,
           "a request that leaves out of order makes room");
    g.limit = 0;
    is_int(turn(t[3]), APR_SUCCESS, "no limit any more: no waiting");
    lbs_queue_leave(queue, now, t[1]);
    lbs_queue_leave(queue, now, t[3]);
    lbs_queue_leave(queue, now, t[3]);
    ok(lbs_queue_empty(queue), "all gone");
    is_int(lbs_queue_waiting(queue, now), 0, "nobody waits");
}

static void deadlines(void)
{
    apr_uint64_t t[4];
    int i;

    start();
    for (i = 0; i < 4; i++) {
        (void)join(&child_a, &t[i]);
        now += SEC;
    }
    is_int(turn(t[3]), APR_EAGAIN, "four seconds: all wait");
    now += SEC + MS;
    is_int(lbs_queue_waiting(queue, now), 3, "the first one's time is over");
    is_int(turn(t[0]), APR_TIMEUP, "it is told");
    g.inflight = 0;
    is_int(turn(t[1]), APR_SUCCESS, "and is not waited for");
    now += 20 * SEC;
    lbs_queue_tick(queue, now);
    ok(lbs_queue_empty(queue),
       "a place that is never asked for again is dropped");
    is_int(turn(t[3]), APR_TIMEUP, "and told if it does");
    (void)lbs_queue_join(queue, 4, &child_a, APR_INT64_MAX, now, &t[0]);
    now += 1000 * SEC;
    is_int(turn(t[0]), APR_SUCCESS, "an absurd wait is a long wait");
}

static void a_child_dies(void)
{
    apr_uint64_t a, b, c;

    start();
    (void)join(&child_a, &a);
    (void)join(&child_b, &b);
    (void)join(&child_a_reborn, &c);
    g.inflight = 0;
    is_int(turn(b), APR_EAGAIN, "waits behind another child's");
    lbs_queue_abandon(queue, &child_a, now);
    is_int(turn(b), APR_SUCCESS, "which died: its turn");
    is_int(lbs_queue_waiting(queue, now), 2,
           "a late reaper does not drop the row's next owner's");
    is_int(turn(a), APR_TIMEUP, "the dead one's ticket is void");
}

static void bounds(void)
{
    apr_uint64_t t[LBS_QUEUE_PLACES + 1];
    apr_uint32_t i;

    start();
    is_int(lbs_queue_join(queue, 0, &child_a, WAIT, now, &t[0]), APR_ENOSPC,
           "queue=0: nobody waits");
    for (i = 0; i < LBS_QUEUE_PLACES; i++) {
        if (lbs_queue_join(queue, 100000, &child_a, WAIT, now, &t[i])
            != APR_SUCCESS) {
            break;
        }
    }
    is_int(i, LBS_QUEUE_PLACES, "all places are taken");
    is_int(lbs_queue_join(queue, 100000, &child_a, WAIT, now, &t[i]),
           APR_ENOSPC, "and no more");
    lbs_queue_leave(queue, now, t[0]);
    is_int(lbs_queue_join(queue, 100000, &child_a, WAIT, now, &t[0]),
           APR_SUCCESS, "one leaves, one comes");
    is_int(lbs_queue_waiting(queue, now), LBS_QUEUE_PLACES, "full again");
}

/* Slow and obvious: an array in order of arrival. */
typedef struct twin_t {
    apr_uint64_t ticket;
    apr_uint64_t deadline_ms;
    int child;
} twin_t;

static twin_t twin[LBS_QUEUE_PLACES];
static int twins;

static void twin_remove(int at)
{
    memmove(&twin[at], &twin[at + 1],
            (size_t)(--twins - at) * sizeof(twin[0]));
}

static void twin_expire(void)
{
    int i;

    for (i = 0; i < twins; i++) {
        if (twin[i].deadline_ms <= now / 1000) {
            twin_remove(i--);
        }
    }
}

static int one_random_operation(lbs_rand_t *rand)
{
    apr_uint32_t what = lbs_rand_below(rand, 100);
    int i = twins > 0 ? (int)lbs_rand_below(rand, (apr_uint32_t)twins) : -1;
    int wrong = 0;
    int j;

    g.limit = 5;
    g.inflight = lbs_rand_below(rand, 6);
    if (what < 45) {
        apr_int64_t wait = lbs_rand_below(rand, 100000);
        const lbs_inflight_t *row = what % 2 ? &child_a : &child_b;
        apr_uint64_t ticket;
        apr_status_t rv = lbs_queue_join(queue, 20, row, wait, now, &ticket);

        if (rv == APR_SUCCESS) {
            wrong += twins >= 20;
            twin[twins++] =
                (twin_t){ticket, (now + (apr_uint64_t)wait) / 1000, what % 2};
            twin_expire();
        }
        return wrong + (rv != APR_SUCCESS && twins < 20);
    }
    if (what == 99) {
        lbs_queue_abandon(queue, &child_a, now);
        for (j = 0; j < twins; j++) {
            if (twin[j].child) {
                twin_remove(j--);
            }
        }
    }
    else if (what < 80 && i >= 0) {
        apr_status_t want =
            i < (int)(5 - lbs_gauge_inflight(&g)) ? APR_SUCCESS : APR_EAGAIN;

        wrong += turn(twin[i].ticket) != want;
        if (want == APR_SUCCESS) {
            lbs_queue_leave(queue, now, twin[i].ticket);
            twin_remove(i);
        }
    }
    else if (i >= 0) {
        lbs_queue_leave(queue, now, twin[i].ticket);
        twin_remove(i);
    }
    return wrong;
}

static void random_operations_against_a_twin(void)
{
    lbs_rand_t rand = {2};
    int wrong = 0;
    int i;

    start();
    for (i = 0; i < 300000; i++) {
        now += lbs_rand_below(&rand, 1000);
        twin_expire();
        wrong += one_random_operation(&rand);
        wrong += lbs_queue_waiting(queue, now) != (apr_uint32_t)twins;
    }
    is_int(wrong, 0, "300000 random operations agree with a list");
}

/* Threads wait for a member with room for one: served in order, all, and
 * never two at once. */
typedef struct waiter_t {
    pthread_t thread;
    int overtook;
    int crowded;
    int served;
} waiter_t;

static lbs_atomic64_t last_served;
static lbs_atomic32_t inside;

static void *waiter(void *arg)
{
    waiter_t *w = arg;
    apr_uint64_t ticket;
    int i;

    for (i = 0; i < 300; i++) {
        while (lbs_queue_join(queue, 64, &child_a, WAIT, now, &ticket)
               != APR_SUCCESS) {
            sched_yield();
        }
        while (lbs_queue_turn(queue, &g, now, ticket) != APR_SUCCESS) {
            sched_yield();
        }
        w->crowded += lbs_atomic_add32_relaxed(&inside, 1) != 0;
        w->overtook += lbs_atomic_load64_relaxed(&last_served) > ticket;
        lbs_atomic_store64_relaxed(&last_served, ticket);
        lbs_atomic_sub32_relaxed(&inside, 1);
        w->served++;
        lbs_queue_leave(queue, now, ticket);
    }
    return NULL;
}

static void threads_are_served_in_order(void)
{
    waiter_t w[8];
    int overtook = 0, crowded = 0, served = 0;
    int i;

    start();
    g.inflight = 0;
    for (i = 0; i < 8; i++) {
        w[i] = (waiter_t){0};
        pthread_create(&w[i].thread, NULL, waiter, &w[i]);
    }
    for (i = 0; i < 8; i++) {
        pthread_join(w[i].thread, NULL);
        overtook += w[i].overtook;
        crowded += w[i].crowded;
        served += w[i].served;
    }
    is_int(served, 2400, "8 threads: all served");
    is_int(overtook, 0, "in order");
    is_int(crowded, 0, "one at a time");
    ok(lbs_queue_empty(queue), "and nobody is left");
}

static void come_and_go(void *unused)
{
    apr_uint64_t ticket;

    (void)unused;
    (void)join(&child_b, &ticket);
    (void)turn(ticket);
    lbs_queue_leave(queue, now, ticket);
}

/* What the survivors do: reap the dead one, go on in order. */
static int others_are_served(void *first)
{
    apr_uint64_t mine = *(apr_uint64_t *)first;
    apr_uint64_t later = 0;
    int good;

    lbs_queue_abandon(queue, &child_b, now);
    good = join(&child_a, &later) == APR_SUCCESS;
    good &= lbs_queue_waiting(queue, now) == 2;
    good &= turn(mine) == APR_SUCCESS && turn(later) == APR_EAGAIN;
    lbs_queue_leave(queue, now, mine);
    good &= turn(later) == APR_SUCCESS;
    lbs_queue_leave(queue, now, later);
    return good && lbs_queue_empty(queue);
}

static void killed_at_every_instruction(void)
{
    apr_uint64_t mine;
    long steps;
    int bad;

    start();
    g.inflight = 0;
    (void)join(&child_a, &mine);
    steps = step_each(come_and_go, NULL, queue, sizeof(*queue),
                      others_are_served, &mine, &bad);
    ok(bad == 0,
       "killed at any of %ld instructions: the others are served "
       "in order%s",
       steps, steps == STEP_DENIED ? " # SKIP no ptrace" : "");
}

/* The same without a reaper: the deadline does it. */
static int deadline_frees_the_others(void *first)
{
    apr_uint64_t before = now;
    apr_uint64_t later;
    int good;

    (void)first;
    now += 6 * SEC;
    good = join(&child_a, &later) == APR_SUCCESS;
    good &= turn(later) == APR_SUCCESS;
    lbs_queue_leave(queue, now, later);
    good &= lbs_queue_empty(queue);
    now = before;
    return good;
}

static void killed_and_never_reaped(void)
{
    long steps;
    int bad;

    start();
    g.inflight = 0;
    steps = step_each(come_and_go, NULL, queue, sizeof(*queue),
                      deadline_frees_the_others, NULL, &bad);
    ok(bad == 0, "and after the deadline without a reaper%s",
       steps == STEP_DENIED ? " # SKIP no ptrace" : "");
}

/* A child sleeps inside lbs_queue_join() while others come and go, until one
 * of them waits at the very place that the sleeper is about to take. */
static void come(void *unused)
{
    apr_uint64_t ticket;

    (void)unused;
    (void)join(&child_b, &ticket);
}

static void others_pass(void *stays)
{
    apr_uint64_t *ticket = stays;

    /* Fails when the sleeper has its place: then it waits before a full
     * round of others, and there is nothing to take. */
    while (join(&child_a, ticket) == APR_SUCCESS) {
        if (*ticket == LBS_QUEUE_PLACES) {
            return;
        }
        lbs_queue_leave(queue, now, *ticket);
    }
    *ticket = LBS_QUEUE_PLACES + 1;
}

static void sleeper_takes_nobodys_place(void)
{
    apr_uint64_t stays = 0;
    long more = 1;
    int passed = 0;
    int bad = 0;
    long n;

    for (n = 0; more == 1; n += 3 * STEP_STRIDE) {
        start();
        g.inflight = 0;
        more = step_between(come, NULL, n, others_pass, &stays);
        lbs_queue_abandon(queue, &child_b, now);
        if (more == 1 && stays == LBS_QUEUE_PLACES) {
            bad += turn(stays) != APR_SUCCESS;
            passed++;
        }
    }
    ok(bad == 0 && (passed > 0 || more == STEP_DENIED),
       "a child that sleeps at any of %ld instructions while a full "
       "round of others passes takes nobody's place%s",
       n, more == STEP_DENIED ? " # SKIP no ptrace" : "");
}

int main(void)
{
    queue = step_shared(sizeof(*queue));
    first_come_first_served();
    deadlines();
    a_child_dies();
    bounds();
    random_operations_against_a_twin();
    threads_are_served_in_order();
    killed_at_every_instruction();
    killed_and_never_reaped();
    sleeper_takes_nobodys_place();
    return done_testing();
}
