/* SPDX-License-Identifier: Apache-2.0 */
/* The shared block: formats, rebuilds, readers beside them, and death. */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/pick/lbs_alias.h"
#include "src/pick/lbs_pick_int.h"
#include "src/pick/lbs_plan_int.h"
#include "t/unit/pick/pool.h"

static void test_sizes(void)
{
    is_int(lbs_plan_bytes(0, 0), 0, "no members, no block");
    is_int(lbs_plan_bytes(LBS_PLAN_MEMBERS + 1, 0), 0, "nor with too many");
    is_int(lbs_plan_bytes(64, 0), 1344, "64 members");
    is_int(lbs_plan_bytes(64, LBS_PLAN_SEQUENCE), 1344 + 262144,
           "with a sequence");
    is_int(lbs_plan_bytes(64, LBS_PLAN_HASH), 1344 + 4 * 131136, "with hash");
    ok(lbs_plan_bytes(LBS_PLAN_MEMBERS, LBS_PLAN_SEQUENCE | LBS_PLAN_HASH)
           < 1000000,
       "the largest is below a megabyte");
}

static void test_refused(void)
{
    pool_t *pool = pool_create(3, LBS_PICK_LEAST_LOAD);
    apr_size_t bytes = lbs_plan_bytes(3, 0);
    lbs_plan_t *plan = NULL;
    char *block = pool->block;

    is_int(lbs_plan_format(&plan, block, bytes - 1, pool->member, 3, 0,
                           pool->memory),
           APR_EINVAL, "a block too short is refused");
    is_int(lbs_plan_format(&plan, block + 8, bytes, pool->member, 3, 0,
                           pool->memory),
           APR_EINVAL, "and one not aligned");
    is_int(
        lbs_plan_format(&plan, block, bytes, pool->member, 0, 0, pool->memory),
        APR_EINVAL, "and one for nobody");
    pool->member[1].slot = 9000;
    is_int(
        lbs_plan_format(&plan, block, bytes, pool->member, 3, 0, pool->memory),
        APR_EINVAL, "and a slot that does not exist");
    ok(plan == NULL, "the view is untouched then");
    pool_destroy(pool);
}

/* Members in the front; 0 before the first rebuild or if nobody is open. */
static apr_uint32_t front_of(const lbs_plan_t *plan)
{
    lbs_plan_reading_t reading;

    return lbs_plan_begin(plan, &reading) ? reading.front : 0;
}

static void test_rebuild(void)
{
    pool_t *pool = pool_create(5, LBS_PICK_LEAST_BUSY);

    is_int(front_of(pool->plan), 0, "before the first rebuild: nobody");
    is_int(pool_rebuild(pool), 1, "the first rebuild publishes");
    is_int(front_of(pool->plan), 5, "all five");
    is_int(pool_rebuild(pool), 0, "the second has nothing to do");
    pool_set_inflight(pool, 2, 9);
    is_int(pool_rebuild(pool), 0, "in flight changes no table");
    gauge_of(pool, 2)->flags = LBS_F_DRAIN;
    is_int(pool_rebuild(pool), 1, "a flag does");
    is_int(front_of(pool->plan), 4, "four are left");
    pool_set_weight(pool, 1, 250);
    is_int(pool_rebuild(pool), 1, "and a weight");
    gauge_of(pool, 1)->ramp = 10;
    is_int(pool_rebuild(pool), 1, "and the begin of a ramp");
    gauge_of(pool, 1)->ramp = 500;
    is_int(pool_rebuild(pool), 0, "not its course");
    is_int(pool->plan->head->inflight, 0, "a drained member does not count");
    is_int(pool->plan->head->weight, 550, "the sum of weights");
    pool_destroy(pool);
}

/* A reader that is overtaken, be it by one rebuild, which leaves what it
 * reads, or by two, which do not. */
static void test_overtaken(void)
{
    pool_t *pool = pool_create(4, LBS_PICK_LEAST_LOAD);
    lbs_plan_reading_t reading = {0};
    int rebuilds;

    pool_rebuild(pool);
    for (rebuilds = 0; rebuilds < 3; rebuilds++) {
        int i;

        ok(lbs_plan_begin(pool->plan, &reading), "a reader begins");
        for (i = 0; i < rebuilds; i++) {
            pool_set_weight(pool, 0, gauge_of(pool, 0)->weight + 1);
            pool_rebuild(pool);
        }
        is_int(lbs_plan_whole(pool->plan, &reading), rebuilds == 0,
               "after %d rebuilds what it read counts or not", rebuilds);
    }
    pool_destroy(pool);
}

/* Another view formats the block, as a new generation does. */
static void test_older_generation(void)
{
    pool_t *pool = pool_create(6, LBS_PICK_HASH);
    lbs_plan_t *older = pool->plan;
    lbs_pick_pool_t old_view;
    int wrong = 0;
    int i;

    pool_rebuild(pool);
    pool->n = 2;
    pool_format(pool);
    pool_rebuild(pool);
    is_int(front_of(older), 0, "the older view sees no plan");
    is_int(lbs_plan_rebuild(older, pool->gauges, pool->now + 1), 0,
           "and does not rebuild the newer one's");
    old_view = pool->view;
    old_view.plan = older;
    gauge_of(pool, 0)->flags = LBS_F_DOWN;
    for (i = 0; i < 100; i++) {
        lbs_pick_ask_t ask = pool_ask(pool);
        apr_uint32_t index = 99;

        wrong += lbs_pick_member(&old_view, &ask, &index) != APR_SUCCESS
                 || index == 0 || index > 5;
    }
    is_int(wrong, 0, "but picks on, and no member that is down");
    is_int(front_of(pool->plan), 2, "the newer view is untouched");
    pool_destroy(pool);
}

/* Two processes that both think it is their turn. */
static void test_two_builders(void)
{
    pool_t *pool = pool_create(4, LBS_PICK_LEAST_LOAD);
    lbs_plan_t other = *pool->plan;
    lbs_atomic64_t *claim = &pool->plan->head->claim;
    pool_t *spare = pool_create(4, LBS_PICK_LEAST_LOAD);

    other.builder = spare->plan->builder;
    pool_rebuild(pool);
    is_int(lbs_plan_rebuild(&other, pool->gauges, pool->now), 1,
           "a new builder publishes its plan");
    is_int(pool_rebuild(pool), 1, "the former one notices and does again");
    *claim = (apr_uint64_t)pool->now;
    gauge_of(pool, 0)->flags = LBS_F_DOWN;
    is_int(pool_rebuild(pool), 0, "while somebody copies nobody else does");
    is_int(front_of(pool->plan), 4, "the plan stays as it was");
    pool->now += 1000000;
    is_int(pool_rebuild(pool), 1, "a claim of the dead runs out");
    is_int(front_of(pool->plan), 3, "and the change is not forgotten");
    is_int(*claim, 0, "nobody holds it now");
    pool->plan->head->epoch |= 0xffffffffu;
    gauge_of(pool, 1)->flags = LBS_F_DOWN;
    is_int(pool_rebuild(pool), 1, "after four billion rebuilds");
    is_int(front_of(pool->plan), 2, "it goes on");
    pool_destroy(spare);
    pool_destroy(pool);
}

/* An operator's process has the tables follow its change. */
static void test_follow(void)
{
    pool_t *pool = pool_create(4, LBS_PICK_LEAST_LOAD);
    lbs_plan_t other = *pool->plan;
    lbs_atomic64_t *claim = &pool->plan->head->claim;
    pool_t *spare = pool_create(4, LBS_PICK_LEAST_LOAD);

    other.builder = spare->plan->builder;
    pool_rebuild(pool);
    gauge_of(pool, 0)->flags = LBS_F_STANDBY;
    is_int(lbs_plan_follow(&other, pool->gauges, pool->now), APR_SUCCESS,
           "a change is in the tables");
    is_int(front_of(pool->plan), 3, "when the call returns");
    is_int(lbs_plan_follow(&other, pool->gauges, pool->now), APR_SUCCESS,
           "and needs no second one");
    gauge_of(pool, 1)->flags = LBS_F_STANDBY;
    *claim = (apr_uint64_t)pool->now;
    is_int(lbs_plan_follow(&other, pool->gauges, pool->now), APR_EBUSY,
           "while somebody copies it is to be asked again");
    *claim = 0;
    is_int(lbs_plan_follow(&other, pool->gauges, pool->now), APR_SUCCESS,
           "and then does it");
    is_int(front_of(pool->plan), 2, "indeed");
    pool_destroy(spare);
    pool_destroy(pool);
}

/* Whoever is picked from decides whose lbset is in demand. */
static void test_wants(void)
{
    pool_t *pool = pool_create(3, LBS_PICK_LEAST_LOAD);

    pool->member[1].lbset = 1;
    pool->member[2].lbset = 2;
    pool_format(pool);
    ok(lbs_plan_wants(pool->plan, 2), "before the first rebuild: everybody");
    (void)pool_rebuild(pool);
    ok(lbs_plan_wants(pool->plan, 0), "the lowest lbset is");
    ok(!lbs_plan_wants(pool->plan, 1), "the next one is not");
    gauge_of(pool, 0)->flags = LBS_F_DOWN;
    is_int(lbs_plan_follow(pool->plan, pool->gauges, pool->now), APR_SUCCESS,
           "the lowest one has nobody");
    ok(lbs_plan_wants(pool->plan, 1), "the next one is");
    ok(!lbs_plan_wants(pool->plan, 2), "and not the one behind it");
    gauge_of(pool, 1)->flags = LBS_F_DRAIN;
    gauge_of(pool, 2)->flags = LBS_F_DRAIN;
    (void)pool_rebuild(pool);
    ok(lbs_plan_wants(pool->plan, 2), "where nobody is open: everybody");
    pool_destroy(pool);
}

/* Readers beside a builder ------------------------------------------------ */

/* Of members 0 to 7 either the first or the last four are usable. A reading
 * that is whole shows one of the two. */
#define HALF 4
#define REBUILDS 150
#define KILLS 60

static void flip(pool_t *pool, int last)
{
    apr_uint32_t i;

    for (i = 0; i < 2 * HALF; i++) {
        lbs_atomic_store32_relaxed(&gauge_of(pool, i)->flags,
                                   (i < HALF) == last ? LBS_F_DOWN : 0);
    }
}

typedef struct seen_t {
    long whole;
    long thrown; /* readings in which a rebuild came between */
    long torn;   /* whole by the epoch, mixed by contents */
} seen_t;

/* One reading of all tables. */
static void read_once(const lbs_plan_t *plan, seen_t *seen)
{
    lbs_plan_reading_t reading;
    int halves[2] = {0, 0};
    apr_uint32_t i;

    if (!lbs_plan_begin(plan, &reading)) {
        seen->torn++;
        return;
    }
    for (i = 0; i < reading.front; i++) {
        halves[lbs_alias_self(
                   lbs_atomic_load64_acquire(&reading.side->alias[i]))
               / HALF]++;
    }
    for (i = 0; i < LBS_MAGLEV_SLOTS; i += 97) {
        apr_uint32_t at = lbs_plan_cell(&reading.side->detour[i]);

        if (at == LBS_MAGLEV_NONE) {
            at = lbs_plan_cell(&reading.side->home[i]);
        }
        halves[at / HALF]++;
    }
    if (!lbs_plan_whole(plan, &reading)) {
        seen->thrown++;
        return;
    }
    seen->whole++;
    seen->torn +=
        (halves[0] != 0) == (halves[1] != 0) || reading.front != HALF;
}

typedef struct reader_t {
    pthread_t thread;
    pool_t *pool;
    _Atomic int *stop;
    seen_t seen;
    long wrong; /* picks that failed or went out of range */
} reader_t;

static void *read_on(void *data)
{
    reader_t *reader = data;
    lbs_rand_t rand = {(apr_uint64_t)(apr_uintptr_t)reader};

    while (!*reader->stop) {
        lbs_pick_ask_t ask = {.rand = &rand};
        apr_uint32_t index = 99;
        apr_status_t rv;

        read_once(reader->pool->plan, &reader->seen);
        ask.hash = lbs_rand_next(&rand);
        rv = lbs_pick_member(&reader->pool->view, &ask, &index);
        /* While the flags are being turned nobody may be open. */
        reader->wrong +=
            rv == APR_SUCCESS ? index >= 2 * HALF : rv != APR_NOTFOUND;
    }
    return NULL;
}

static void test_threads(void)
{
    pool_t *pool = pool_create(2 * HALF, LBS_PICK_HASH);
    _Atomic int stop = 0;
    reader_t reader[3];
    seen_t sum = {0, 0, 0};
    long wrong = 0;
    int i;

    flip(pool, 0);
    pool_rebuild(pool);
    memset(reader, 0, sizeof(reader));
    for (i = 0; i < 3; i++) {
        reader[i].pool = pool;
        reader[i].stop = &stop;
        if (pthread_create(&reader[i].thread, NULL, read_on, &reader[i])) {
            bail_out("pthread_create");
        }
    }
    for (i = 0; i < REBUILDS; i++) {
        flip(pool, i % 2);
        pool_rebuild(pool);
    }
    stop = 1;
    for (i = 0; i < 3; i++) {
        pthread_join(reader[i].thread, NULL);
        sum.whole += reader[i].seen.whole;
        sum.torn += reader[i].seen.torn;
        sum.thrown += reader[i].seen.thrown;
        wrong += reader[i].wrong;
    }
    ok(sum.whole > 100,
       "%ld whole readings beside %d rebuilds, %ld thrown away", sum.whole,
       REBUILDS, sum.thrown);
    is_int(sum.torn, 0, "none of them torn");
    is_int(wrong, 0, "no pick beside them failed");
    pool_destroy(pool);
}

/* A member that turns ----------------------------------------------------- */

#define TURNS 2000000

static void *turn(void *data)
{
    pool_t *pool = data;
    int i;

    for (i = 0; i < TURNS; i++) {
        lbs_atomic_store32_relaxed(&gauge_of(pool, 0)->flags,
                                   i % 2 == 0 ? LBS_F_DOWN : 0);
    }
    return NULL;
}

static void test_turning(void)
{
    pool_t *pool = pool_create(1, LBS_PICK_HASH);
    lbs_rand_t rand = {1};
    pthread_t thread;
    long full = 0;
    int i;

    pool_rebuild(pool);
    if (pthread_create(&thread, NULL, turn, pool)) {
        bail_out("pthread_create");
    }
    for (i = 0; i < TURNS; i++) {
        lbs_pick_ask_t ask = {.rand = &rand};
        apr_uint32_t index = 99;

        ask.hash = lbs_rand_next(&rand);
        full += lbs_pick_scan(&pool->view, &ask, NULL, &index) == APR_EBUSY;
    }
    pthread_join(thread, NULL);
    is_int(full, 0, "a member without a limit that goes down is never full");
    pool_destroy(pool);
}

/* A builder killed at any instant ----------------------------------------- */

/* The child rebuilds until it is killed. */
static void build_on(pool_t *pool)
{
    int i;

    for (i = 0;; i++) {
        flip(pool, i % 2);
        pool_rebuild(pool);
    }
}

static void share_memory(pool_t *pool)
{
    size_t gauges = pool->n * sizeof(*pool->gauges);
    void *shared = mmap(NULL, pool->bytes + gauges, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED) {
        bail_out("mmap");
    }
    memcpy((char *)shared + pool->bytes, pool->gauges, gauges);
    free(pool->block);
    free(pool->gauges);
    pool->block = shared;
    pool->gauges = (lbs_gauge_t *)(void *)((char *)shared + pool->bytes);
    pool->view.gauges = pool->gauges;
    pool_format(pool);
}

/* Kill a builder after some microseconds. @return its claim, if it left one */
static apr_uint64_t kill_builder(pool_t *pool, useconds_t after)
{
    pid_t child = fork();

    if (child < 0) {
        bail_out("fork");
    }
    if (child == 0) {
        build_on(pool);
    }
    usleep(after);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return pool->plan->head->claim;
}

static void test_killed(void)
{
    pool_t *pool = pool_create(2 * HALF, LBS_PICK_HASH);
    seen_t seen = {0, 0, 0};
    int stuck = 0;
    int claims = 0;
    int i;

    share_memory(pool);
    flip(pool, 0);
    pool_rebuild(pool);
    for (i = 0; i < KILLS; i++) {
        claims += kill_builder(pool, 500 + 74 * (useconds_t)i) != 0;
        read_once(pool->plan, &seen);
        /* Later than any time the child gave. */
        pool->now += 3600LL * 1000000;
        flip(pool, (i + 1) % 2); /* not as this process saw it last */
        pool_rebuild(pool);
        stuck += front_of(pool->plan) != HALF || pool->plan->head->claim != 0;
        read_once(pool->plan, &seen);
    }
    is_int(seen.whole, 2 * KILLS, "%d builders killed: always a plan to read",
           KILLS);
    is_int(seen.torn, 0, "never torn");
    is_int(stuck, 0, "and the next builder is not kept out, %d claims left",
           claims);
    munmap(pool->block, pool->bytes + pool->n * sizeof(*pool->gauges));
    apr_pool_destroy(pool->memory);
}

/* A pool of `n` members, and one of as many among vacant places: what each
 * chooses for the same key. */
static int chooses(pool_t *pool, const lbs_plan_t *plan, apr_uint64_t hash)
{
    lbs_pick_pool_t view = pool->view;
    lbs_pick_ask_t ask = {.hash = hash, .rand = &pool->rand, .now = pool->now};
    apr_uint32_t index = 0;

    view.plan = (lbs_plan_t *)(apr_uintptr_t)plan;
    return lbs_pick_member(&view, &ask, &index) == APR_SUCCESS ? (int)index
                                                               : -1;
}

static void test_vacant(void)
{
    pool_t *few = pool_create(3, LBS_PICK_HASH);
    pool_t *many = pool_create(8, LBS_PICK_HASH);
    static const apr_uint32_t at[] = {1, 4, 7};
    lbs_plan_t *seen, *newer;
    int i, same = 0, open = 0;

    for (i = 0; i < 8; i++) {
        many->member[i].vacant = 1;
        gauge_of(many, (apr_uint32_t)i)->flags = LBS_F_STOPPED;
    }
    for (i = 0; i < 3; i++) {
        apr_uint32_t slot = many->member[at[i]].slot;

        many->member[at[i]] = few->member[i];
        many->member[at[i]].slot = slot;
        gauge_of(many, at[i])->flags = 0;
    }
    seen = lbs_plan_view(many->plan, many->member, many->memory);
    (void)pool_rebuild(few);
    is_int(lbs_plan_rebuild(seen, many->gauges, many->now), 1,
           "another view builds");
    for (i = 0; i < 1000; i++) {
        apr_uint64_t hash = lbs_hash_mix((apr_uint64_t)i + 1);
        int mine = chooses(few, few->plan, hash);

        same += mine >= 0 && chooses(many, seen, hash) == (int)at[mine];
    }
    is_int(same, 1000, "vacant places change no key's home");
    is_int(front_of(seen), 3, "nor count");

    /* A place that another view has vacant, or another member on. */
    many->member[4].vacant = 1;
    many->member[4].slot = many->member[0].slot;
    newer = lbs_plan_view(seen, many->member, many->memory);
    for (i = 0; i < 1000; i++) {
        int index = chooses(many, newer, lbs_hash_mix((apr_uint64_t)i + 1));

        open += index == 1 || index == 7;
    }
    is_int(open, 1000,
           "tables of a view before choose nobody who is not there");
    pool_destroy(few);
    pool_destroy(many);
}

int main(void)
{
    apr_initialize();
    test_sizes();
    test_refused();
    test_rebuild();
    test_overtaken();
    test_older_generation();
    test_two_builders();
    test_follow();
    test_wants();
    test_vacant();
    test_threads();
    test_turning();
    test_killed();
    apr_terminate();
    return done_testing();
}
