/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded walk beside one that looks at all. */
#include "src/pick/lbs_least.h"
#include "src/base/lbs_rand.h"
#include "t/unit/tap.h"

#define MOST 4000

static struct pool_t {
    unsigned char open[MOST];
    apr_uint64_t weight[MOST];
    unsigned calls;
} pool;

static int ask(void *baton, apr_size_t index, apr_uint64_t *weight)
{
    struct pool_t *p = baton;

    p->calls++;
    *weight = p->weight[index];
    return p->open[index];
}

static void fill(lbs_rand_t *rand, apr_size_t count, unsigned one_in)
{
    apr_size_t i;

    for (i = 0; i < count; i++) {
        pool.open[i] = lbs_rand_below(rand, one_in) == 0;
        pool.weight[i] = lbs_rand_below(rand, 50);
    }
    pool.calls = 0;
}

/* The slow twin: in a second pass, the least of the first that qualify. */
static int twin(apr_size_t count, apr_size_t start)
{
    apr_uint64_t least = APR_UINT64_MAX;
    int best = -1, pass, seen;
    apr_size_t i;

    for (pass = 0; pass < 2; pass++) {
        for (i = 0, seen = 0; i < count; i++) {
            apr_size_t at = (start + i) % count;

            if (!pool.open[at] || seen++ >= LBS_LEAST_ENOUGH) {
                continue;
            }
            if (pass == 0 && pool.weight[at] < least) {
                least = pool.weight[at];
            }
            if (pass == 1 && best < 0 && pool.weight[at] == least) {
                best = (int)at;
            }
        }
    }
    return best;
}

static void test_twin(lbs_rand_t *rand)
{
    int i, differ = 0;

    for (i = 0; i < 4000; i++) {
        apr_size_t count = 1 + lbs_rand_below(rand, 300);
        apr_size_t start = lbs_rand_below(rand, (apr_uint32_t)count);

        fill(rand, count, 1 + lbs_rand_below(rand, 40));
        differ +=
            lbs_least_find(count, start, ask, &pool) != twin(count, start);
    }
    ok(differ == 0, "the member that a walk round all finds (%d differ)",
       differ);
}

static void test_bound(lbs_rand_t *rand)
{
    fill(rand, MOST, 1);
    ok(lbs_least_find(MOST, 17, ask, &pool) >= 0, "of 4000 open members");
    ok(pool.calls == LBS_LEAST_ENOUGH, "no more than enough are asked (%u)",
       pool.calls);
    fill(rand, MOST, 1);
    memset(pool.open, 0, sizeof(pool.open));
    ok(lbs_least_find(MOST, 17, ask, &pool) == -1, "none is open");
    pool.open[16] = 1;
    ok(lbs_least_find(MOST, 17, ask, &pool) == 16,
       "the only one that is open, at the walk's end");
    ok(lbs_least_find(0, 0, ask, &pool) == -1, "no member at all");
}

int main(void)
{
    lbs_rand_t rand = {.state = 1};

    test_twin(&rand);
    test_bound(&rand);
    return done_testing();
}
