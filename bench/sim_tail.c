/* SPDX-License-Identifier: Apache-2.0 */
/* sim_tail - the tail of response times, simulated with the real picker.
 *
 * 100 members of 16 workers each with one queue. Half of the members are half
 * as fast, and each member's speed is drawn anew every few seconds, as when a
 * neighbour on the same machine comes and goes. Nobody tells the balancer:
 * but for weighted round-robin, which knows the lasting half of the truth,
 * all weights are 1. Service times are exponential, arrivals Poisson.
 *
 *     load      nothing else happens, at 70 and 90 % of the mean capacity
 *     failing   two members answer at once with an error, not ejected
 *     erring    the same, and the error is an answer of 500
 *     return    five members come back cold, at half their speed for
 *               five seconds; the first ten seconds count
 *     uneven    eight members of four workers, of which two are half and two
 *               a quarter as fast as the others, and stay so
 *     heavy     the same, and one request in twenty takes 21 times as long
 *
 * Same seed, same numbers: no clock is read. `sim_tail SEED WORKERS` takes
 * others. Each story is told some times and summed up; at the same time of the
 * same telling a member has the same speed under all policies and loads.
 * Lines marked with a minus are least-load without a guard.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>

#include "bench/sim_events.h"
#include "bench/sim_numbers.h"
#include "src/evidence/lbs_evidence.h"
#include "src/member/lbs_ewma.h"
#include "src/pick/lbs_pick.h"

#define MEMBERS 100
#define UNEVEN_MEMBERS 8
#define UNEVEN_WORKERS 4
#define SERVICE 0.040 /* seconds at speed 1, mean */
#define UNEVEN_SERVICE 0.020
#define SECOND 1000000        /* the unit of time is the microsecond */
#define WARM_UP (15 * SECOND) /* before anything is counted */
#define COUNTED(story)                                                        \
    ((story) == RETURN ? RAMP : (story) >= UNEVEN ? 200 * SECOND : 20 * SECOND)
#define TICK (SECOND / 10)
#define REDRAW (5.0 * SECOND) /* mean time between two speeds */
#define RAMP (10 * SECOND)
#define COLD (5 * SECOND)
#define COLD_SPEED 0.5
#define TIMES(story) ((story) == RETURN ? 15 : 3) /* told, with other dice */
#define FAILING 2 /* members 0 and 1, of the fast half */
#define RETURNING 5
#define FAIL_TIME 1000 /* microseconds in which a failing member answers */
#define WINDOW (10 * SECOND) /* LBStickyEject window= */

/* How the requests are spread. */
typedef enum policy_t {
    LEAST_LOAD,
    NO_CHARGE, /* least-load, failures counted as what they took */
    NO_GUARD,  /* least-load, returning members look idle and fast, no ramp */
    LEAST_BUSY,
    TWO_CHOICES,
    LEAST_CONNECTIONS,
    LEAST_TIME, /* average of 20 answers * (in flight + 1), all looked at */
    WEIGHTED_ROUND_ROBIN,
    ROUND_ROBIN,
    POLICIES
} policy_t;

static const char *const policy_name[POLICIES] = {
    [LEAST_LOAD] = "least-load",
    [NO_CHARGE] = "-failure-charge",
    [NO_GUARD] = "-return-guard",
    [LEAST_BUSY] = "least-busy",
    [TWO_CHOICES] = "two-choices",
    [LEAST_CONNECTIONS] = "least-connections",
    [LEAST_TIME] = "least-time",
    [WEIGHTED_ROUND_ROBIN] = "weighted-round-robin",
    [ROUND_ROBIN] = "round-robin",
};

typedef enum story_t { LOAD, FAIL, ERR, RETURN, UNEVEN, HEAVY } story_t;

typedef struct server_t {
    double base;          /* 1 or 0.5 */
    double speed;         /* base times what was drawn last */
    int busy;             /* workers */
    apr_int64_t *waiting; /* arrival times, a ring */
    apr_uint32_t room;
    apr_uint32_t first;
    apr_uint32_t count;
    apr_uint32_t in_row; /* failures, none more than WINDOW apart */
    apr_int64_t failed_at;
    lbs_evidence_t evidence;
    double average; /* of its answers, as least-time has it */
} server_t;

/* What is counted, of one or several runs. */
typedef struct result_t {
    tail_t all; /* but the returned */
    tail_t returned;
    double picked[MEMBERS];
} result_t;

typedef struct sim_t {
    policy_t policy;
    story_t story;
    double load;
    int workers;
    apr_uint32_t members;
    double capacity; /* requests per second */
    lbs_rand_t rand; /* of the picks */
    lbs_rand_t arrivals;
    lbs_rand_t services;
    lbs_rand_t speeds; /* the same for all policies and loads */
    apr_int64_t now;
    server_t server[MEMBERS];
    lbs_gauge_t *gauges;
    void *block;
    lbs_pick_pool_t view;
    events_t events;
    apr_uint64_t ticket;
    result_t *result;
} sim_t;

/* Members ---------------------------------------------------------------- */

static int is_failing(const sim_t *sim, apr_uint32_t member)
{
    return (sim->story == FAIL || sim->story == ERR) && member < FAILING;
}

static int is_returning(const sim_t *sim, apr_uint32_t member)
{
    return sim->story == RETURN && member < RETURNING;
}

static double service(sim_t *sim)
{
    return sim->story == HEAVY    ? mixed(&sim->services, UNEVEN_SERVICE)
           : sim->story == UNEVEN ? exponential(&sim->services, UNEVEN_SERVICE)
                                  : exponential(&sim->services, SERVICE);
}

static void start(sim_t *sim, apr_uint32_t member, apr_int64_t began)
{
    server_t *server = &sim->server[member];
    double speed = server->speed;
    double took;

    if (is_returning(sim, member) && sim->now < WARM_UP + COLD) {
        speed *= COLD_SPEED;
    }
    took = is_failing(sim, member) ? FAIL_TIME : service(sim) * SECOND / speed;
    server->busy++;
    schedule(&sim->events,
             (event_t){sim->now + (apr_int64_t)took, began, DONE, member});
}

static void take(sim_t *sim, apr_uint32_t member)
{
    server_t *server = &sim->server[member];

    sim->result->picked[member] += sim->now >= WARM_UP;
    lbs_atomic_add64_relaxed(&sim->gauges[member].inflight, 1);
    if (server->busy < sim->workers) {
        start(sim, member, sim->now);
        return;
    }
    if (server->count == server->room) {
        /* Unwrap the ring into one of twice the size. */
        apr_uint32_t room = server->room * 2 + 64;
        apr_int64_t *grown = malloc(room * sizeof(*grown));
        apr_uint32_t i;

        for (i = 0; i < server->count; i++) {
            grown[i] = server->waiting[(server->first + i) % server->room];
        }
        free(server->waiting);
        server->waiting = grown;
        server->room = room;
        server->first = 0;
    }
    server->waiting[(server->first + server->count++) % server->room] =
        sim->now;
}

/* The charge for a failure or a 5xx, as in lbs_verdict.c. */
static apr_uint32_t charge(sim_t *sim, server_t *server, const event_t *event)
{
    lbs_evidence_t *evidence = &server->evidence;
    apr_uint64_t now = (apr_uint64_t)sim->now;

    lbs_evidence_charged(evidence, (apr_uint64_t)event->began, now);
    if (sim->story == ERR) {
        lbs_evidence_visitor(evidence, WINDOW, now * 0x9e3779b97f4a7c15, now);
        return lbs_plan_error(sim->view.plan,
                              lbs_evidence_blame(evidence, WINDOW, now));
    }
    server->in_row =
        sim->now - server->failed_at <= WINDOW ? server->in_row + 1 : 1;
    server->failed_at = sim->now;
    return lbs_plan_failure(sim->view.plan, server->in_row);
}

static void done(sim_t *sim, const event_t *event)
{
    server_t *server = &sim->server[event->member];
    lbs_gauge_t *g = &sim->gauges[event->member];
    apr_int64_t took = sim->now - event->began;
    int failed = is_failing(sim, event->member);

    lbs_evidence_answer(&server->evidence, WINDOW, failed,
                        (apr_uint64_t)sim->now);
    if (failed && sim->policy != NO_CHARGE) {
        lbs_ewma_charge(g, charge(sim, server, event), (apr_uint64_t)sim->now);
    }
    else {
        lbs_ewma_update(g, (apr_uint64_t)took, (apr_uint64_t)sim->now);
    }
    lbs_atomic_sub64_relaxed(&g->inflight, 1);
    server->average +=
        ((double)took - server->average) * (server->average == 0 ? 1 : 0.05);
    if (!failed || sim->story == ERR) {
        lbs_atomic_store64_relaxed(&g->heard_at, (apr_uint64_t)sim->now);
    }
    if (event->began >= WARM_UP && !failed) {
        tail_add(is_returning(sim, event->member) ? &sim->result->returned
                                                  : &sim->result->all,
                 took);
    }
    server->busy--;
    if (server->count > 0) {
        apr_int64_t began = server->waiting[server->first];

        server->first = (server->first + 1) % server->room;
        server->count--;
        start(sim, event->member, began);
    }
}

static void draw_speed(sim_t *sim, apr_uint32_t member)
{
    server_t *server = &sim->server[member];

    server->speed = server->base * (0.5 + lbs_rand_unit(&sim->speeds));
    schedule(
        &sim->events,
        (event_t){sim->now + (apr_int64_t)exponential(&sim->speeds, REDRAW), 0,
                  SPEED, member});
}

/* What lbs_health.c does at every tick; none but those that fail has any. */
static void weigh_evidence(sim_t *sim)
{
    apr_uint64_t now = (apr_uint64_t)sim->now;
    lbs_window_sum_t others[LBS_WINDOW_CELLS] = {{0, 0}};
    lbs_window_sum_t parts[LBS_WINDOW_CELLS];
    apr_uint32_t i, part;

    for (i = FAILING; i < sim->members; i++) {
        lbs_evidence_parts(&sim->server[i].evidence, WINDOW, now, parts);
        for (part = 0; part < LBS_WINDOW_CELLS; part++) {
            others[part].all += parts[part].all;
        }
    }
    for (i = 0; i < FAILING; i++) {
        lbs_evidence_others(&sim->server[i].evidence, others);
        if (lbs_evidence_is_over(&sim->server[i].evidence, now)) {
            lbs_ewma_set(&sim->gauges[i], lbs_plan_median(sim->view.plan),
                         now);
        }
    }
}

/* What the module's 100 ms tick does. */
static void tick(sim_t *sim)
{
    apr_int64_t back = sim->now - WARM_UP;
    apr_uint32_t i;

    for (i = 0; sim->story == RETURN && i < RETURNING; i++) {
        lbs_gauge_t *g = &sim->gauges[i];

        if (back < 0) {
            lbs_gauge_set(g, LBS_F_DOWN);
        }
        else if (lbs_gauge_clear(g, LBS_F_DOWN)) {
            lbs_ewma_set(
                g,
                sim->policy == NO_GUARD ? 1 : lbs_plan_median(sim->view.plan),
                (apr_uint64_t)sim->now);
        }
        if (sim->policy != NO_GUARD && back >= 0) {
            apr_int64_t ramp = back >= RAMP ? 1000 : 20 + 980 * back / RAMP;

            lbs_atomic_store32_relaxed(&g->ramp, (apr_uint32_t)ramp);
        }
    }
    weigh_evidence(sim);
    (void)lbs_plan_rebuild(sim->view.plan, sim->gauges, sim->now);
    schedule(&sim->events, (event_t){sim->now + TICK, 0, TICKED, 0});
}

/* Policies --------------------------------------------------------------- */

static int is_open(const sim_t *sim, apr_uint32_t member)
{
    return lbs_gauge_open_new(&sim->gauges[member]);
}

static apr_uint32_t any_open(sim_t *sim)
{
    apr_uint32_t member;

    do {
        member = lbs_rand_below(&sim->rand, sim->members);
    } while (!is_open(sim, member));
    return member;
}

static apr_uint32_t least_connections(sim_t *sim)
{
    apr_uint32_t first = any_open(sim);
    apr_uint32_t best = first;
    apr_uint32_t i;

    for (i = 1; i < sim->members; i++) {
        apr_uint32_t member = (first + i) % sim->members;

        if (is_open(sim, member)
            && lbs_gauge_inflight(&sim->gauges[member])
                   < lbs_gauge_inflight(&sim->gauges[best])) {
            best = member;
        }
    }
    return best;
}

static apr_uint32_t least_time(sim_t *sim)
{
    apr_uint32_t first = any_open(sim);
    apr_uint32_t best = first;
    double shortest = 0;
    apr_uint32_t i;

    for (i = 0; i < sim->members; i++) {
        apr_uint32_t member = (first + i) % sim->members;
        double wait = (sim->server[member].average + 1000)
                      * (lbs_gauge_inflight(&sim->gauges[member]) + 1);

        if (is_open(sim, member) && (i == 0 || wait < shortest)) {
            best = member;
            shortest = wait;
        }
    }
    return best;
}

static apr_uint32_t two_choices(sim_t *sim)
{
    apr_uint32_t a = any_open(sim);
    apr_uint32_t b = any_open(sim);

    return lbs_gauge_inflight(&sim->gauges[b])
                   < lbs_gauge_inflight(&sim->gauges[a])
               ? b
               : a;
}

/* The fast half, the even members, has two places in three. */
static apr_uint32_t round_robin(sim_t *sim, int weighted)
{
    apr_uint32_t member;

    do {
        apr_uint64_t turn = sim->ticket++;

        member = (apr_uint32_t)(turn % sim->members);
        if (weighted) {
            apr_uint64_t pair = turn / 3 % (sim->members / 2);

            member = (apr_uint32_t)(2 * pair + (turn % 3 == 2));
        }
    } while (!is_open(sim, member));
    return member;
}

static apr_uint32_t choose(sim_t *sim)
{
    lbs_pick_ask_t ask = {.rand = &sim->rand};
    apr_uint32_t index = 0;

    switch (sim->policy) {
    case TWO_CHOICES:
        return two_choices(sim);
    case LEAST_CONNECTIONS:
        return least_connections(sim);
    case LEAST_TIME:
        return least_time(sim);
    case WEIGHTED_ROUND_ROBIN:
        return round_robin(sim, 1);
    case ROUND_ROBIN:
        return round_robin(sim, 0);
    default:
        if (lbs_pick_member(&sim->view, &ask, &index) != APR_SUCCESS) {
            fputs("sim_tail: nobody was picked\n", stderr);
            exit(1);
        }
        return index;
    }
}

/* Running ---------------------------------------------------------------- */

static int is_uneven(const sim_t *sim)
{
    return sim->story == UNEVEN || sim->story == HEAVY;
}

static void prepare(sim_t *sim, apr_pool_t *memory)
{
    apr_size_t bytes = lbs_plan_bytes(sim->members, 0);
    lbs_plan_member_t member[MEMBERS];
    apr_uint32_t i;

    sim->block = aligned_alloc(64, bytes);
    memset(sim->block, 0, bytes);
    memset(member, 0, sizeof(member));
    sim->gauges = aligned_alloc(64, MEMBERS * sizeof(*sim->gauges));
    for (i = 0; i < sim->members; i++) {
        member[i].slot = i;
        member[i].weight = 100;
        lbs_gauge_init(&sim->gauges[i]);
        if (is_uneven(sim)) {
            sim->server[i].speed = i < 4 ? 1 : i < 6 ? 0.5 : 0.25;
            sim->capacity +=
                sim->server[i].speed * sim->workers / UNEVEN_SERVICE;
        }
        else {
            sim->server[i].base = i % 2 ? 0.5 : 1;
            sim->capacity += 0.75 * sim->workers / SERVICE;
            draw_speed(sim, i);
        }
    }
    if (lbs_plan_format(&sim->view.plan, sim->block, bytes, member,
                        sim->members, 0, memory)
        != APR_SUCCESS) {
        exit(1);
    }
    sim->view.gauges = sim->gauges;
    sim->view.method =
        sim->policy == LEAST_BUSY ? LBS_PICK_LEAST_BUSY : LBS_PICK_LEAST_LOAD;
    sim->now = 1;
    tick(sim);
    schedule(&sim->events, (event_t){2, 0, ARRIVE, 0});
}

static void run(sim_t *sim)
{
    double gap = SECOND / (sim->capacity * sim->load);
    double arrival = 0;

    while (sim->now < WARM_UP + COUNTED(sim->story)) {
        event_t event = next_event(&sim->events);

        sim->now = event.at;
        switch (event.kind) {
        case ARRIVE:
            take(sim, choose(sim));
            arrival += exponential(&sim->arrivals, gap);
            schedule(&sim->events,
                     (event_t){(apr_int64_t)arrival + 2, 0, ARRIVE, 0});
            break;
        case DONE:
            done(sim, &event);
            break;
        case SPEED:
            draw_speed(sim, event.member);
            break;
        case TICKED:
            tick(sim);
            break;
        }
    }
}

static void report(const result_t *result, policy_t policy, story_t story,
                   double load)
{
    static const char *const story_name[] = {"load",   "failing", "erring",
                                             "return", "uneven",  "heavy"};

    printf("%s\t%.0f\t%s\t%ld\t%.1f\t%.1f\t%.1f\t", story_name[story],
           load * 100, policy_name[policy], result->all.total,
           tail_at(&result->all, 0.5), tail_at(&result->all, 0.99),
           tail_at(&result->all, 0.999));
    if (story == FAIL || story == ERR) {
        printf("%.3f\t-\n", share_of(result->picked, MEMBERS, FAILING));
    }
    else if (story == RETURN) {
        printf("%.3f\t%.2f\n", share_of(result->picked, MEMBERS, RETURNING),
               tail_at(&result->returned, 0.99) / tail_at(&result->all, 0.99));
    }
    else {
        printf("-\t-\n");
    }
    fflush(stdout);
}

static void simulate(sim_t *sim)
{
    apr_pool_t *memory;
    int i;

    apr_pool_create(&memory, NULL);
    prepare(sim, memory);
    run(sim);
    for (i = 0; i < (int)sim->members; i++) {
        free(sim->server[i].waiting);
    }
    free(sim->block);
    free(sim->gauges);
    free(sim->events.heap);
    apr_pool_destroy(memory);
}

static void tell(story_t story, double load, policy_t policy,
                 apr_uint64_t seed, int workers)
{
    result_t *result = calloc(1, sizeof(*result));
    sim_t *sim = malloc(sizeof(*sim));
    int i;

    for (i = 0; i < TIMES(story); i++) {
        memset(sim, 0, sizeof(*sim));
        sim->policy = policy;
        sim->story = story;
        sim->load = load;
        sim->members = MEMBERS;
        sim->workers = workers;
        if (is_uneven(sim)) {
            sim->members = UNEVEN_MEMBERS;
            sim->workers = UNEVEN_WORKERS;
        }
        sim->rand.state = lbs_hash_mix(4 * (seed + (apr_uint64_t)i));
        sim->arrivals.state = lbs_hash_mix(4 * (seed + (apr_uint64_t)i) + 1);
        sim->services.state = lbs_hash_mix(4 * (seed + (apr_uint64_t)i) + 2);
        sim->speeds.state = lbs_hash_mix(4 * (seed + (apr_uint64_t)i) + 3);
        sim->result = result;
        simulate(sim);
    }
    report(result, policy, story, load);
    free(sim);
    free(result);
}

/* Under all policies; those without a guard only where it is one. */
static void tell_all(story_t story, double load, apr_uint64_t seed,
                     int workers)
{
    policy_t p;

    for (p = 0; p < POLICIES; p++) {
        if ((p != NO_CHARGE || story == FAIL || story == ERR)
            && (p != NO_GUARD || story == RETURN)
            && (p <= NO_CHARGE || story != ERR)) {
            tell(story, load, p, seed, workers);
        }
    }
}

int main(int argc, char **argv)
{
    apr_uint64_t seed = argc > 1 ? (apr_uint64_t)atoll(argv[1]) : 1;
    int workers = argc > 2 ? atoi(argv[2]) : 16;

    apr_initialize();
    printf("story\tload\tpolicy\trequests\tp50_ms\tp99_ms\tp999_ms\t"
           "share_of_special\tp99_special_to_others\n");
    tell_all(UNEVEN, 0.5, seed, workers);
    tell_all(UNEVEN, 0.7, seed, workers);
    tell_all(UNEVEN, 0.9, seed, workers);
    tell_all(HEAVY, 0.7, seed, workers);
    tell_all(LOAD, 0.7, seed, workers);
    tell_all(LOAD, 0.9, seed, workers);
    tell_all(FAIL, 0.7, seed, workers);
    tell_all(ERR, 0.7, seed, workers);
    tell_all(RETURN, 0.7, seed, workers);
    apr_terminate();
    return 0;
}
