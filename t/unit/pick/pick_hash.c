/* SPDX-License-Identifier: Apache-2.0 */
#include "t/unit/pick/pool.h"

#define KEYS 4000

/* Where a key goes, -status if nowhere. */
static int where(pool_t *pool, apr_uint64_t key, unsigned bound_centi)
{
    lbs_pick_ask_t ask = {.hash = lbs_hash_mix(key),
                          .rand = &pool->rand,
                          .bound_centi = bound_centi};
    apr_uint32_t index = 0;
    apr_status_t rv = lbs_pick_member(&pool->view, &ask, &index);

    return rv == APR_SUCCESS ? (int)index : -(int)rv;
}

static void all_keys(pool_t *pool, int *at)
{
    int i;

    for (i = 0; i < KEYS; i++) {
        at[i] = where(pool, (apr_uint64_t)i, 0);
    }
}

static int moved(const int *a, const int *b, int but)
{
    int count = 0;
    int i;

    for (i = 0; i < KEYS; i++) {
        count += a[i] != b[i] && a[i] != but;
    }
    return count;
}

static int keys_at(const int *at, int member)
{
    int count = 0;
    int i;

    for (i = 0; i < KEYS; i++) {
        count += at[i] == member;
    }
    return count;
}

/* A down member's keys move, spread over all others, and come back. */
static void test_one_down(void)
{
    pool_t *pool = pool_create(8, LBS_PICK_HASH);
    static int before[KEYS];
    static int during[KEYS];
    static int live[KEYS];
    static int after[KEYS];
    int least = KEYS;
    int i;

    pool_rebuild(pool);
    all_keys(pool, before);
    gauge_of(pool, 3)->flags = LBS_F_DOWN;
    all_keys(pool, live);
    is_int(moved(before, live, 3), 0,
           "down since a moment: no other member's keys move");
    is_int(keys_at(live, 3), 0, "and all of its own do");
    pool_rebuild(pool);
    all_keys(pool, during);
    is_int(moved(before, during, 3), 0, "down: no other member's keys move");
    is_int(keys_at(during, 3), 0, "and all of its own do");
    is_int(moved(live, during, -1), 0, "to where they went at once");
    for (i = 0; i < 8; i++) {
        int gained = keys_at(during, i) - keys_at(before, i);

        if (i != 3 && gained < least) {
            least = gained;
        }
    }
    ok(least > KEYS / 8 / 7 / 2, "every other member gets some: %d at least",
       least);
    gauge_of(pool, 3)->flags = 0;
    all_keys(pool, after);
    is_int(moved(before, after, -1), 0, "up: all keys are back at once");
    pool_rebuild(pool);
    all_keys(pool, after);
    is_int(moved(before, after, -1), 0, "and stay");
    pool_set_weight(pool, 5, 0);
    pool_rebuild(pool);
    all_keys(pool, during);
    is_int(moved(before, during, 5), 0, "weight 0: nobody else's keys move");
    pool_set_weight(pool, 5, 100);
    pool_rebuild(pool);
    all_keys(pool, after);
    is_int(moved(before, after, -1), 0, "weight 0 and back: the same place");
    pool_destroy(pool);
}

/* A dead member's keys go to the spare that stands in for it. */
static void test_spare(void)
{
    pool_t *pool = pool_create(4, LBS_PICK_HASH);
    static int before[KEYS];
    static int during[KEYS];
    int spared;

    gauge_of(pool, 3)->flags = LBS_F_SPARE;
    pool_rebuild(pool);
    all_keys(pool, before);
    is_int(keys_at(before, 3), 0, "a spare has no keys while it waits");
    gauge_of(pool, 1)->flags = LBS_F_EJECTED;
    pool_rebuild(pool);
    all_keys(pool, during);
    is_int(moved(before, during, 1), 0, "its standing in moves nobody else");
    spared = keys_at(during, 3);
    ok(spared > keys_at(before, 1) * 9 / 10,
       "it gets %d of the %d keys, the others the slack", spared,
       keys_at(before, 1));
    gauge_of(pool, 0)->flags = LBS_F_DOWN;
    gauge_of(pool, 2)->flags = LBS_F_DOWN;
    pool_rebuild(pool);
    all_keys(pool, during);
    is_int(keys_at(during, 3), KEYS, "and all when it is the last");
    pool_destroy(pool);
}

/* A returning member gets its keys back bit by bit, each once. */
static void test_ramp(void)
{
    pool_t *pool = pool_create(5, LBS_PICK_HASH);
    static int before[KEYS];
    static int during[KEYS];
    static int last[KEYS];
    int elsewhere = 0;
    int lost = 0;
    apr_uint32_t ramp;
    int i;

    pool_rebuild(pool);
    all_keys(pool, before);
    gauge_of(pool, 2)->flags = LBS_F_DOWN;
    pool_rebuild(pool);
    all_keys(pool, last);
    gauge_of(pool, 2)->flags = 0;
    for (ramp = 0; ramp <= 1000; ramp += 100) {
        gauge_of(pool, 2)->ramp = ramp;
        pool_rebuild(pool);
        all_keys(pool, during);
        for (i = 0; i < KEYS; i++) {
            elsewhere += during[i] != last[i] && during[i] != before[i];
            lost += last[i] == 2 && during[i] != 2;
        }
        if (ramp == 500) {
            is_near(keys_at(during, 2), keys_at(before, 2) / 2.0,
                    keys_at(before, 2) * 0.1, "half way, half of its keys");
        }
        memcpy(last, during, sizeof(last));
    }
    is_int(elsewhere, 0, "no key moves but home");
    is_int(lost, 0, "no key that is home leaves again");
    is_int(moved(before, last, -1), 0, "in the end all are home");
    pool_destroy(pool);
}

/* Two servers list the members in another order and agree on every key. */
static void test_agree(void)
{
    pool_t *a = pool_create(9, LBS_PICK_HASH);
    pool_t *b = pool_create(9, LBS_PICK_HASH);
    int wrong = 0;
    apr_uint32_t i;

    for (i = 0; i < 9; i++) {
        b->member[i].identity = a->member[8 - i].identity;
        pool_set_weight(a, i, 100 + 25 * i);
        pool_set_weight(b, 8 - i, 100 + 25 * i);
    }
    gauge_of(a, 4)->flags = LBS_F_DOWN;
    gauge_of(b, 4)->flags = LBS_F_DOWN;
    gauge_of(a, 1)->flags = LBS_F_DISABLED;
    gauge_of(b, 7)->flags = LBS_F_DISABLED;
    pool_format(b);
    pool_rebuild(a);
    pool_rebuild(b);
    for (i = 0; i < KEYS; i++) {
        wrong += where(a, i, 0) != 8 - where(b, i, 0);
    }
    is_int(wrong, 0, "another order of members, the same place for all keys");
    pool_destroy(a);
    pool_destroy(b);
}

static void test_weights(void)
{
    pool_t *pool = pool_create(4, LBS_PICK_HASH);
    static const double share[4] = {1, 1.25, 2, 10};
    static int at[KEYS];
    int count[4];
    double chi;
    int i;

    for (i = 0; i < 4; i++) {
        pool_set_weight(pool, (apr_uint32_t)i, (apr_uint32_t)(100 * share[i]));
    }
    pool_rebuild(pool);
    all_keys(pool, at);
    for (i = 0; i < 4; i++) {
        count[i] = keys_at(at, i);
    }
    chi = chi_square(count, share, 4);
    ok(chi < 16.3, "keys spread by weight, chi-square %.1f of 16.3", chi);
    pool_destroy(pool);
}

/* Requests that never end, most of them for one key.
 * @return the largest in flight over what the bound allows, in requests */
static double overfull(apr_uint32_t n, unsigned bound_centi, int requests)
{
    pool_t *pool = pool_create(n, LBS_PICK_HASH);
    double worst = -1;
    int total = 0;
    int i;

    for (i = 0; i < requests; i++) {
        int got = where(pool, i % 3 ? 1 : (apr_uint64_t)i, bound_centi);
        double over;

        if (got < 0) {
            bail_out("no member under a bound");
        }
        pool_set_inflight(pool, (apr_uint32_t)got,
                          lbs_gauge_inflight(gauge_of(pool, (apr_uint32_t)got))
                              + 1);
        total++;
        over = lbs_gauge_inflight(gauge_of(pool, (apr_uint32_t)got))
               - bound_centi / 100.0 * total / n;
        worst = over > worst ? over : worst;
        if (i % 7 == 0) {
            pool_rebuild(pool);
        }
    }
    pool_destroy(pool);
    return worst;
}

static void test_bound(void)
{
    pool_t *pool = pool_create(6, LBS_PICK_HASH);
    int home;

    ok(overfull(5, 125, 500) < 1, "bound 1.25: never a request above it");
    ok(overfull(12, 105, 500) < 1, "nor with 1.05 and twelve members");
    ok(overfull(2, 400, 100) < 1, "nor with 4 and two");
    ok(overfull(40, 125, 2000) < 2.5,
       "forty members: the mean is as old as the last rebuild");
    pool_rebuild(pool);
    home = where(pool, 99, 125);
    is_int(home, where(pool, 99, 0),
           "an idle pool: the bound changes nothing");
    pool_set_inflight(pool, (apr_uint32_t)home, 3);
    ok(where(pool, 99, 125) != home, "a busy home: somebody else");
    is_int(where(pool, 99, 125), where(pool, 99, 125), "always the same one");
    is_int(where(pool, 99, 0), home, "without a bound the home still");
    pool_destroy(pool);
}

/* Random states. If the member that a key has while all are up is open, it
 * is the answer; if not, it is somebody allowed, twice the same. */
static void test_twin(void)
{
    static const apr_uint32_t flags[] = {0, 0, 0, 0, LBS_F_DOWN, LBS_F_DRAIN};
    lbs_rand_t rand = {91};
    pool_t *pool = pool_create(12, LBS_PICK_HASH);
    int homes[64];
    int wrong = 0;
    int round;
    int i;

    pool_rebuild(pool);
    for (i = 0; i < 64; i++) {
        homes[i] = where(pool, (apr_uint64_t)i, 0);
    }
    for (round = 0; round < 300; round++) {
        apr_uint32_t who = lbs_rand_below(&rand, 12);
        may_t may;

        gauge_of(pool, who)->flags = flags[lbs_rand_below(&rand, 6)];
        gauge_of(pool, who)->limit = lbs_rand_below(&rand, 5) ? 0 : 1;
        pool_set_inflight(pool, who, lbs_rand_below(&rand, 2));
        if (round % 2) {
            pool_rebuild(pool);
        }
        may = pool_may(pool, NULL);
        for (i = 0; i < 64; i++) {
            int got = where(pool, (apr_uint64_t)i, 0);

            wrong += got < 0 ? may.count != 0 || got != -(int)may.status
                             : !may.pick[got];
            wrong += got >= 0 && may.pick[homes[i]] && got != homes[i];
            wrong += got != where(pool, (apr_uint64_t)i, 0);
        }
    }
    is_int(wrong, 0, "300 random states: home if open, else somebody open");
    pool_destroy(pool);
}

/* In flight 9 of 11, weights 1.50 and 0.70: 1.1 times the mean is 9, exactly.
 * In binary fractions it is a little more. */
static void test_exactly_at_the_bound(void)
{
    pool_t *pool = pool_create(2, LBS_PICK_HASH);
    apr_uint64_t key = 0;

    pool_set_weight(pool, 0, 150);
    pool_set_weight(pool, 1, 70);
    pool_rebuild(pool);
    while (where(pool, key, 0) != 0) {
        key++;
    }
    pool_set_inflight(pool, 0, 8);
    pool_set_inflight(pool, 1, 3);
    is_int(where(pool, key, 110), 0,
           "a member below the bound takes one more");
    pool_set_inflight(pool, 0, 9);
    pool_set_inflight(pool, 1, 2);
    is_int(where(pool, key, 110), 1, "one exactly at the bound does not");
    pool_destroy(pool);
}

int main(void)
{
    apr_initialize();
    test_one_down();
    test_spare();
    test_ramp();
    test_agree();
    test_weights();
    test_bound();
    test_exactly_at_the_bound();
    test_twin();
    apr_terminate();
    return done_testing();
}
