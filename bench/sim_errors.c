/* SPDX-License-Identifier: Apache-2.0 */
/* sim_errors - visitors that a member's answers of 500 reach, simulated with
 * the real picker, evidence and ejection.
 *
 * Three members, or as many as are asked for. The first answers 500 at once,
 * the others 200 in 5 to 90 ms, or in 1 to 10 s. New visitors come one by one,
 * 60 a second; each asks once. No member is checked.
 *
 *     one        the first member answers 500 always
 *     half       the first member answers 500 to every second request
 *     two        the first two members answer 500 always
 *     all        everybody does
 *     page       all are well, but for one visitor, who is bound to the first
 *                member and asks for a broken page five times a second
 *
 * Printed are the 500s that new visitors got in the first second, in the first
 * ten, and in the ten after these, beside what an equal share is; how often a
 * member was ejected; and the first member's part of the new visitors in a
 * last ten seconds in which everybody is well, one for each equal share.
 *
 * Same seed, same numbers: no clock is read. `sim_errors SEED`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>

#include "src/member/lbs_eject.h"
#include "src/member/lbs_ewma.h"
#include "src/member/lbs_member_record.h"
#include "src/pick/lbs_pick.h"

#define MEMBERS_MAX 12
#define SECOND 1000000 /* the unit of time is the microsecond */
#define STEP 500       /* the simulation's smallest time */
#define TICK (SECOND / 10)
#define RATE 60
#define ILL (20 * SECOND)
#define END (30 * SECOND)
#define FLIGHTS 4096
#define TIMES 10 /* each story is told, with other dice */

typedef enum story_t { ONE, HALF, TWO, ALL, PAGE, STORIES } story_t;

static const char *const story_name[STORIES] = {"one", "half", "two", "all",
                                                "page"};

typedef enum policy_t {
    FULL,     /* as the module does */
    NO_EJECT, /* LBStickyEject off */
    NO_CHARGE /* a 5xx counts as what it took */
} policy_t;

static const char *const policy_name[] = {"status=auto", "eject-off",
                                          "-charge-eject-off"};

typedef struct flight_t {
    apr_uint64_t began;
    apr_uint64_t ends; /* 0: nothing in flight */
    apr_uint32_t member;
    int error;
    int bound; /* not a new visitor */
} flight_t;

typedef struct sim_t {
    story_t story;
    policy_t policy;
    apr_uint32_t members;
    int slow;
    lbs_rand_t rand;
    lbs_rand_t dice;
    apr_uint64_t now;
    lbs_gauge_t *gauges;
    lbs_member_record_t *record;
    lbs_eject_pool_t pool;
    lbs_pick_pool_t view;
    flight_t flight[FLIGHTS];
    apr_uint32_t turn; /* of HALF */
    double errors[3];  /* in the first second, the first ten, the next ten */
    double ejected;
    double back; /* new visitors of the first member at the end */
    double backs;
} sim_t;

static const lbs_eject_conf_t conf = {
    3, 50, 10 * SECOND, SECOND, 60 * SECOND, LBS_STALL_AUTO, 1};

static lbs_eject_on_t on_of(sim_t *sim, apr_uint32_t i)
{
    lbs_eject_on_t on = {&sim->record[i].eject, &sim->gauges[i], &sim->pool,
                         sim->policy == FULL ? &conf : NULL};

    return on;
}

static int errs(sim_t *sim, apr_uint32_t member)
{
    if (sim->now >= ILL || (sim->story != ALL && member > 1)) {
        return 0;
    }
    switch (sim->story) {
    case ONE:
        return member == 0;
    case HALF:
        return member == 0 && sim->turn++ % 2 == 0;
    case TWO:
    case ALL:
        return 1;
    default:
        return 0;
    }
}

static void put(sim_t *sim, apr_uint32_t member, int error, int bound)
{
    flight_t *f = sim->flight;
    apr_uint64_t least = sim->slow ? SECOND : 5000;
    apr_uint64_t most = sim->slow ? 10 * SECOND : 90000;

    while (f->ends != 0) {
        f++;
    }
    f->began = sim->now;
    f->ends = sim->now
              + (error ? STEP
                       : least
                             + (apr_uint64_t)((double)(most - least)
                                              * lbs_rand_unit(&sim->dice)));
    f->member = member;
    f->error = error;
    f->bound = bound;
    lbs_atomic_add64_relaxed(&sim->gauges[member].inflight, 1);
}

static void start_anew(sim_t *sim, apr_uint32_t member)
{
    lbs_evidence_begin_anew(&sim->record[member].eject.evidence, sim->now);
    lbs_ramp_start(&sim->record[member].ramp, &sim->gauges[member],
                   10 * SECOND, lbs_plan_median(sim->view.plan), sim->now);
}

/* Judge an answer as lbs_verdict.c does. */
static void answered(sim_t *sim, const flight_t *f)
{
    lbs_eject_on_t on = on_of(sim, f->member);
    lbs_evidence_t *evidence = &on.record->evidence;
    lbs_gauge_t *g = on.gauge;
    int trial = (lbs_gauge_flags(g) & LBS_F_HALF_OPEN) != 0;
    lbs_eject_attempt_t attempt = {f->began, trial, 0};
    lbs_eject_turn_t turn = LBS_EJECT_NONE;
    apr_uint64_t counts = sim->now - f->began;
    lbs_eject_why_t why;

    lbs_atomic_sub64_relaxed(&g->inflight, 1);
    if (!lbs_evidence_is_recent(evidence, f->began)) {
        counts = 0;
    }
    else {
        apr_uint64_t visitor = f->bound ? 1 : lbs_rand_next(&sim->dice);

        lbs_evidence_answer(evidence, conf.window_us, f->error, sim->now);
        if (!f->error) {
            lbs_evidence_answered_well(evidence);
            lbs_evidence_met(evidence, conf.window_us, visitor, sim->now);
        }
        else if (sim->policy != NO_CHARGE) {
            apr_uint64_t charge;

            lbs_evidence_visitor(evidence, conf.window_us, visitor, sim->now);
            lbs_evidence_charged(evidence, f->began, sim->now);
            charge = lbs_plan_error(
                sim->view.plan,
                lbs_evidence_blame(evidence, conf.window_us, sim->now));
            counts = counts > charge ? counts : charge;
        }
    }
    lbs_member_record_answered(&sim->record[f->member], g,
                               f->error ? 500 : 200, sim->now - f->began,
                               counts, sim->now);
    if (f->error) {
        turn = lbs_eject_erred(&on, &attempt, sim->now, &why);
    }
    if (turn == LBS_EJECT_NONE) {
        turn = lbs_eject_answered(&on, &attempt, sim->now);
    }
    sim->ejected += turn == LBS_EJECT_EJECTED;
    if (turn == LBS_EJECT_UP) {
        start_anew(sim, f->member);
    }
}

/* Do the work of a tick. */
static void tick(sim_t *sim)
{
    lbs_stall_news_t news = {.probe = {.kind = LBS_PROBE_NEVER}};
    lbs_window_sum_t all[LBS_WINDOW_CELLS] = {{0, 0}};
    lbs_window_sum_t own[LBS_WINDOW_CELLS];
    int part;
    lbs_eject_why_t why;
    apr_uint32_t ejected = 0;
    apr_uint32_t i;

    for (i = 0; i < sim->members; i++) {
        lbs_evidence_parts(&sim->record[i].eject.evidence, conf.window_us,
                           sim->now, own);
        for (part = 0; part < LBS_WINDOW_CELLS; part++) {
            all[part].all += own[part].all;
            all[part].bad += own[part].bad;
        }
        ejected += (apr_uint32_t)lbs_eject_out(&sim->record[i].eject);
    }
    lbs_eject_recount(&sim->pool, sim->members, sim->members, ejected);
    for (i = 0; i < sim->members; i++) {
        lbs_eject_on_t on = on_of(sim, i);
        lbs_evidence_t *evidence = &on.record->evidence;
        apr_uint32_t median = lbs_plan_median(sim->view.plan);

        lbs_evidence_parts(evidence, conf.window_us, sim->now, own);
        for (part = 0; part < LBS_WINDOW_CELLS; part++) {
            own[part].all = all[part].all - own[part].all;
            own[part].bad = all[part].bad - own[part].bad;
        }
        lbs_evidence_others(evidence, own);
        sim->ejected +=
            lbs_eject_judge(&on, sim->now, &why) == LBS_EJECT_EJECTED;
        (void)lbs_eject_tick(&on, &news, sim->now, &why);
        if (lbs_evidence_is_over(evidence, sim->now)) {
            apr_uint32_t time = lbs_ewma_read(on.gauge, sim->now);

            lbs_ewma_restart(on.gauge, time < median ? time : median,
                             sim->now);
        }
        (void)lbs_ramp_tick(&sim->record[i].ramp, on.gauge, 10 * SECOND,
                            sim->now);
    }
    (void)lbs_plan_rebuild(sim->view.plan, sim->gauges, (apr_int64_t)sim->now);
}

/* A new visitor; times are from the first one's. */
static void visit(sim_t *sim, apr_uint64_t start)
{
    lbs_pick_ask_t ask = {.rand = &sim->rand};
    apr_uint32_t member;
    int error;

    if (lbs_pick_member(&sim->view, &ask, &member) != APR_SUCCESS) {
        fputs("sim_errors: nobody was picked\n", stderr);
        exit(1);
    }
    error = errs(sim, member);
    put(sim, member, error, 0);
    sim->errors[0] += error && sim->now - start < SECOND;
    sim->errors[1] += error && sim->now - start < 10 * SECOND;
    sim->errors[2] += error && sim->now - start >= 10 * SECOND;
    if (sim->now - start >= ILL) {
        sim->back += member == 0;
        sim->backs++;
    }
}

static void run(sim_t *sim)
{
    apr_uint64_t start = sim->now;
    apr_uint64_t visitor = start;
    apr_uint64_t bound = start;
    apr_uint64_t ticked = start;
    flight_t *f;

    for (; sim->now < start + END; sim->now += STEP) {
        for (f = sim->flight; f < sim->flight + FLIGHTS; f++) {
            if (f->ends != 0 && f->ends <= sim->now) {
                answered(sim, f);
                f->ends = 0;
            }
        }
        if (sim->now >= ticked) {
            tick(sim);
            ticked += TICK;
        }
        if (sim->now >= visitor) {
            visit(sim, start);
            visitor += SECOND / RATE;
        }
        if (sim->story == PAGE && sim->now >= bound) {
            put(sim, 0, sim->now < start + ILL, 1);
            bound += SECOND / 5;
        }
    }
}

static void simulate(sim_t *sim)
{
    apr_size_t bytes = lbs_plan_bytes(sim->members, 0);
    apr_size_t records = sim->members * sizeof(*sim->record);
    lbs_plan_member_t member[MEMBERS_MAX];
    apr_pool_t *memory;
    void *block;
    apr_uint32_t i;

    apr_pool_create(&memory, NULL);
    block = aligned_alloc(64, bytes);
    memset(block, 0, bytes);
    memset(member, 0, sizeof(member));
    memset(&sim->pool, 0, sizeof(sim->pool));
    memset(sim->flight, 0, sizeof(sim->flight));
    sim->gauges = aligned_alloc(64, sim->members * sizeof(*sim->gauges));
    sim->record = aligned_alloc(64, records);
    memset((void *)sim->record, 0, records);
    for (i = 0; i < sim->members; i++) {
        member[i].slot = i;
        member[i].weight = 100;
        lbs_gauge_init(&sim->gauges[i]);
    }
    if (lbs_plan_format(&sim->view.plan, block, bytes, member, sim->members, 0,
                        memory)
        != APR_SUCCESS) {
        exit(1);
    }
    sim->view.gauges = sim->gauges;
    sim->view.method = LBS_PICK_LEAST_LOAD;
    sim->now = TICK;
    run(sim);
    free(block);
    free(sim->gauges);
    free((void *)sim->record);
    apr_pool_destroy(memory);
}

static void tell(story_t story, policy_t policy, apr_uint32_t members,
                 int slow, apr_uint64_t seed)
{
    sim_t *sim = calloc(1, sizeof(*sim));
    double share = (story == TWO   ? 2.0
                    : story == ALL ? members
                                   : 1.0)
                   / (story == HALF ? 2.0 : 1.0) / members;
    int i;

    share = story == PAGE ? 0 : share;
    sim->story = story;
    sim->policy = policy;
    sim->members = members;
    sim->slow = slow;
    for (i = 0; i < TIMES; i++) {
        sim->rand.state = lbs_hash_mix(2 * (seed + (apr_uint64_t)i));
        sim->dice.state = lbs_hash_mix(2 * (seed + (apr_uint64_t)i) + 1);
        sim->turn = 0;
        simulate(sim);
    }
    printf("%s\t%s\t%u\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f\n",
           story_name[story], policy_name[policy], members,
           slow ? "1-10s" : "5-90ms", sim->errors[0] / TIMES, RATE * share,
           sim->errors[1] / TIMES, RATE * 10 * share, sim->errors[2] / TIMES,
           RATE * 10 * share, sim->ejected / TIMES,
           sim->back / sim->backs * members);
    fflush(stdout);
    free(sim);
}

int main(int argc, char **argv)
{
    apr_uint64_t seed = argc > 1 ? (apr_uint64_t)atoll(argv[1]) : 1;
    story_t s;
    policy_t p;

    apr_initialize();
    printf("story\tpolicy\tmembers\tanswers\tin_1s\tequal\tin_10s\tequal\t"
           "next_10s\tequal\tejections\tshare_when_well\n");
    for (s = 0; s < STORIES; s++) {
        for (p = FULL; p <= NO_CHARGE; p++) {
            tell(s, p, 3, 0, seed);
        }
    }
    tell(ONE, FULL, 2, 0, seed);
    tell(ONE, NO_EJECT, 2, 0, seed);
    tell(ONE, FULL, 3, 1, seed);
    tell(ONE, NO_EJECT, 3, 1, seed);
    tell(ONE, FULL, MEMBERS_MAX, 0, seed);
    tell(ONE, NO_EJECT, MEMBERS_MAX, 0, seed);
    apr_terminate();
    return 0;
}
