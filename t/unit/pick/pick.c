/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every method. */
#include "t/unit/pick/pool.h"

static void test_names(void)
{
    lbs_pick_method_t method;
    int i;

    for (i = 0; i < LBS_PICK_METHODS; i++) {
        const char *name = lbs_pick_method_name((lbs_pick_method_t)i);

        method = LBS_PICK_METHODS;
        ok(lbs_pick_method_parse(name, &method) == NULL && (int)method == i,
           "%s is the name of a method", name);
    }
    method = LBS_PICK_METHODS;
    is_str(lbs_pick_method_parse("byrequests", &method),
           "least-load, least-busy, least-sessions, round-robin or hash",
           "an unknown name is answered with all names");
    is_int(method, LBS_PICK_METHODS, "and leaves the method alone");
    ok(lbs_pick_method_parse("", &method) != NULL, "so is no name");
    ok(lbs_pick_method_parse("hash ", &method) != NULL, "and a longer one");
}

/* The states that a member is in, by itself and as a spare or standby. */
enum { UP, DOWN, FULL, DRAIN, ZERO, STATES };
enum { ORDINARY, SPARE, STANDBY, KINDS };

static void put(pool_t *pool, apr_uint32_t i, int what)
{
    static const apr_uint32_t kind[KINDS] = {0, LBS_F_SPARE, LBS_F_STANDBY};
    static const apr_uint32_t flag[STATES] = {0, LBS_F_DOWN, 0, LBS_F_DRAIN,
                                              0};
    lbs_gauge_t *g = gauge_of(pool, i);

    lbs_gauge_init(g);
    lbs_gauge_set(g, kind[what / STATES] | flag[what % STATES]);
    if (what % STATES == FULL) {
        pool_set_full(pool, i);
    }
    if (what % STATES == ZERO) {
        pool_set_weight(pool, i, 0);
    }
}

/* What is said of each member beside what the rule says. @return mismatches
 */
static int survey(pool_t *pool, const may_t *may)
{
    lbs_pick_ask_t ask = pool_ask(pool);
    unsigned char stands[64];
    int wrong = 0;
    apr_uint32_t i;

    lbs_pick_survey(&pool->view, &ask, stands);
    for (i = 0; i < pool->n; i++) {
        int open = stands[i] == LBS_PICK_STANDS_OPEN;
        int closed = stands[i] == LBS_PICK_STANDS_CLOSED;

        wrong += open != may->pick[i] || closed == is_usable(pool, i);
        wrong += stands[i] == LBS_PICK_STANDS_FULL
                 && !lbs_gauge_full(gauge_of(pool, i));
    }
    return wrong;
}

/* All subsets of four members over the given states. @return mismatches */
static int all_subsets(pool_t *pool, int states, int rebuild, double *slowest)
{
    int wrong = 0;
    int code;
    int picks;

    for (code = 0; code < states * states * states * states; code++) {
        double start;
        int rest = code;
        apr_uint32_t i;
        may_t may;

        for (i = 0; i < 4; i++) {
            /* 0..states-1 spread over all states and kinds */
            put(pool, i, rest % states * (STATES * KINDS) / states);
            rest /= states;
        }
        if (rebuild) {
            pool_rebuild(pool);
        }
        may = pool_may(pool, NULL);
        wrong += survey(pool, &may);
        start = thread_us();
        for (picks = 0; picks < 6; picks++) {
            int got = pool_pick(pool);

            if (may.count == 0) {
                wrong += got != -(int)may.status;
            }
            else if (rebuild) {
                wrong += got < 0 || !may.pick[got];
            }
            else {
                /* An old plan may ask another group, but nobody closed. */
                wrong +=
                    got < 0
                    || !lbs_gauge_open_new(gauge_of(pool, (apr_uint32_t)got));
            }
        }
        if (thread_us() - start > *slowest) {
            *slowest = thread_us() - start;
        }
    }
    return wrong;
}

static void test_subsets(lbs_pick_method_t method)
{
    const char *name = lbs_pick_method_name(method);
    int states = method == LBS_PICK_HASH ? 5 : STATES * KINDS;
    pool_t *pool = pool_create(4, method);
    double slowest = 0;

    is_int(all_subsets(pool, states, 1, &slowest), 0,
           "%s: every subset of down, spare, standby and full", name);
    pool->member[2].lbset = 1;
    pool->member[3].lbset = 1;
    pool_format(pool);
    is_int(all_subsets(pool, states, 1, &slowest), 0, "%s: in two lbsets",
           name);
    is_int(all_subsets(pool, states, 0, &slowest), 0,
           "%s: with a plan that is out of date", name);
    ok(slowest < 100000, "%s: each within 100 ms", name);
    pool_destroy(pool);
}

/* The same for the usual states of a mixed pool, where hash cannot afford
 * all. One member is always a spare, one a standby. */
static void test_mixed(lbs_pick_method_t method)
{
    pool_t *pool = pool_create(6, method);
    int wrong = 0;
    int code;

    for (code = 0; code < 4096; code += method == LBS_PICK_HASH ? 7 : 1) {
        apr_uint32_t i;
        may_t may;
        int got;

        for (i = 0; i < 6; i++) {
            int kind = i == 2 ? SPARE : i == 4 ? STANDBY : ORDINARY;

            put(pool, i, kind * STATES + ((code >> (2 * i)) & 3));
        }
        pool_rebuild(pool);
        may = pool_may(pool, NULL);
        got = pool_pick(pool);
        wrong += may.count == 0 ? got != -(int)may.status
                                : got < 0 || !may.pick[got];
    }
    is_int(wrong, 0, "%s: one spare and one standby among six",
           lbs_pick_method_name(method));
    pool_destroy(pool);
}

static void test_tried(lbs_pick_method_t method)
{
    pool_t *pool = pool_create(12, method);
    int wrong = 0;
    int round;

    gauge_of(pool, 3)->flags = LBS_F_DOWN;
    gauge_of(pool, 9)->flags = LBS_F_STANDBY;
    gauge_of(pool, 5)->ramp = 1;
    pool_rebuild(pool);
    for (round = 0; round < 200; round++) {
        lbs_pick_ask_t ask = pool_ask(pool);
        apr_uint16_t tried[12];
        unsigned char is_tried[64] = {0};
        apr_uint32_t index;
        apr_status_t rv;

        ask.tried = tried;
        ask.bound_centi = round % 2 ? 125 : 0;
        while ((rv = lbs_pick_member(&pool->view, &ask, &index))
               == APR_SUCCESS) {
            may_t may = pool_may(pool, is_tried);

            if (!may.pick[index] || ask.ntried == 12) {
                wrong++;
                break;
            }
            tried[ask.ntried++] = (apr_uint16_t)index;
            is_tried[index] = 1;
        }
        wrong += rv != APR_NOTFOUND || ask.ntried != 11;
    }
    is_int(wrong, 0, "%s: no member is tried twice, all are tried",
           lbs_pick_method_name(method));
    pool_destroy(pool);
}

/* The only open member is full: pressure must not open the drained ones. */
static void test_drained(lbs_pick_method_t method)
{
    const char *name = lbs_pick_method_name(method);
    pool_t *pool = pool_create(6, method);
    int picked[6] = {0};
    int busy = 0;
    int i;

    pool_rebuild(pool);
    gauge_of(pool, 0)->flags = LBS_F_DRAIN;
    gauge_of(pool, 1)->weight = 0;
    gauge_of(pool, 2)->flags = LBS_F_REMOVED;
    gauge_of(pool, 3)->flags = LBS_F_DRAIN | LBS_F_SPARE;
    gauge_of(pool, 4)->flags = LBS_F_DISABLED | LBS_F_PANIC;
    for (i = 0; i < 400; i++) {
        int got;

        pool_set_inflight(pool, 5, i % 2 ? 4 : 0);
        gauge_of(pool, 5)->limit = 4;
        if (i == 200) {
            pool_rebuild(pool);
        }
        got = pool_pick(pool);
        busy += got == -APR_EBUSY;
        if (got >= 0) {
            picked[got]++;
        }
    }
    is_int(picked[0] + picked[1] + picked[2] + picked[3] + picked[4], 0,
           "%s: drained, weight 0 and removed ones get nobody new", name);
    is_int(picked[5], 200, "%s: the open one gets all it may", name);
    is_int(busy, 200, "%s: and is busy when full", name);
    pool_destroy(pool);
}

static void test_closed_pools(lbs_pick_method_t method)
{
    const char *name = lbs_pick_method_name(method);
    pool_t *pool = pool_create(3, method);
    apr_uint32_t i;

    is_int(pool_pick(pool) >= 0, 1, "%s: picks before the first rebuild",
           name);
    for (i = 0; i < 3; i++) {
        gauge_of(pool, i)->flags = LBS_F_DOWN;
    }
    pool_rebuild(pool);
    is_int(pool_pick(pool), -APR_NOTFOUND, "%s: nobody is open", name);
    gauge_of(pool, 1)->flags = LBS_F_DOWN | LBS_F_PANIC;
    is_int(pool_pick(pool), 1, "%s: panic opens members that are down", name);
    gauge_of(pool, 1)->flags = LBS_F_HALF_OPEN;
    is_int(pool_pick(pool), 1, "%s: a half-open member is tried", name);
    gauge_of(pool, 1)->trial = 7;
    is_int(pool_pick(pool), -APR_EBUSY, "%s: by one request at a time", name);
    gauge_of(pool, 1)->flags = 0;
    gauge_of(pool, 1)->trial = 0;
    gauge_of(pool, 1)->ramp = 0;
    pool_rebuild(pool);
    is_int(pool_pick(pool), 1,
           "%s: a member in slow start serves if no other can", name);
    pool_destroy(pool);
}

static void test_big_and_mostly_down(lbs_pick_method_t method)
{
    pool_t *pool = pool_create(10, method);
    double start;
    int wrong = 0;
    apr_uint32_t i;

    for (i = 0; i < 10; i++) {
        pool->member[i].weight = 100000;
        pool_set_weight(pool, i, 100000);
    }
    pool_format(pool);
    pool_rebuild(pool);
    for (i = 0; i < 9; i++) {
        gauge_of(pool, i)->flags = LBS_F_DOWN;
    }
    start = thread_us();
    for (i = 0; i < 100; i++) {
        wrong += pool_pick(pool) != 9;
    }
    ok(wrong == 0 && thread_us() - start < 100000,
       "%s: weight 1000 x 10, nine just went down: each pick under a ms",
       lbs_pick_method_name(method));
    pool_destroy(pool);
}

/* A warming member is accepted as often as its ramp says. */
static void test_ramp(lbs_pick_method_t method)
{
    pool_t *pool = pool_create(20, method);
    int picked = 0;
    int others = 0;
    int i;

    gauge_of(pool, 4)->ramp = 200;
    pool_rebuild(pool);
    for (i = 0; i < 20000; i++) {
        int got = pool_pick(pool);

        picked += got == 4;
        others += got == 11;
    }
    /* Drawing 4 or 16 does not change it in an idle pool of equals. */
    is_near(picked, others * 0.2, 130, "%s: a ramp of 0.2 gives 0.2 of it",
            lbs_pick_method_name(method));
    pool_destroy(pool);
}

int main(void)
{
    int i;

    apr_initialize();
    test_names();
    for (i = 0; i < LBS_PICK_METHODS; i++) {
        lbs_pick_method_t method = (lbs_pick_method_t)i;

        test_subsets(method);
        test_mixed(method);
        test_tried(method);
        test_drained(method);
        test_closed_pools(method);
        test_big_and_mostly_down(method);
        test_ramp(method);
    }
    apr_terminate();
    return done_testing();
}
