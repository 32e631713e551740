/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_record_int.h"

#include "src/base/lbs_rand.h"
#include "t/unit/state/saved.h"

#define HOUR APR_INT64_C(3600000000)

static void scribble(lbs_rand_t *rand, void *at, size_t len)
{
    unsigned char *bytes = at;
    size_t i;

    for (i = 0; i < len; i++) {
        bytes[i] = (unsigned char)lbs_rand_next(rand);
    }
}

/* What is written is what is read, in every field, and in no more bytes. */
static void bytes_and_back(void)
{
    static unsigned char bytes[4096];
    lbs_writer_t w = {bytes, sizeof(bytes), 0};
    lbs_codec_t write = {&w, NULL, &lbs_record_dims};
    lbs_saved_pool_t pool, pool_back;
    lbs_saved_member_t member, member_back;
    lbs_reader_t r;
    lbs_codec_t read = {NULL, &r, &lbs_record_dims};
    lbs_rand_t rand = {1};

    scribble(&rand, &pool, sizeof(pool));
    memset(&member, 0, sizeof(member));
    member_back = member;
    scribble(&rand, &member.id, sizeof(member.id));
    scribble(&rand, &member.quantum_us, sizeof(member.quantum_us));
    scribble(&rand, member.file, sizeof(member.file));
    scribble(&rand, &member.counted, sizeof(member.counted));
    scribble(&rand, member.value, sizeof(member.value));
    member.slot = 77;
    member.overrides = 2;
    member.closed = 7;
    member.drain_since = 11;
    member.drain_left = 12;
    member.drain_idle = 13;
    lbs_record_code_pool(&write, &pool);
    lbs_record_code_member(&write, &member);
    r = (lbs_reader_t){bytes, w.len, 0};
    lbs_record_code_pool(&read, &pool_back);
    lbs_record_code_member(&read, &member_back);
    is_mem(&pool_back, &pool, sizeof(pool), "a pool");
    is_mem(&member_back, &member, sizeof(member), "a member");
    ok(r.left == 0 && !r.short_of, "every byte was read");
    r = (lbs_reader_t){bytes, w.len - 1, 0};
    lbs_record_code_pool(&read, &pool_back);
    lbs_record_code_member(&read, &member_back);
    ok(r.short_of, "one byte less is noticed");
}

static lbs_saved_member_t sound(void)
{
    lbs_saved_member_t record;

    memset(&record, 0, sizeof(record));
    record.id = 1;
    record.slot = LBS_REGISTRY_MEMBERS - 1;
    record.overrides = 3;
    record.value[LBS_ADMIN_STATE] = LBS_ADMIN_FLAGS;
    record.value[LBS_ADMIN_WEIGHT] = LBS_ADMIN_WEIGHT_MAX;
    return record;
}

#define UNSOUND(field, bad)                                                   \
    do {                                                                      \
        lbs_saved_member_t record = sound();                                  \
        record.field = bad;                                                   \
        is_int(lbs_record_member_is_sound(&record), 0, "%s is not", #field);  \
    } while (0)

static void what_cannot_be(void)
{
    lbs_saved_member_t good = sound();
    lbs_saved_pool_t pool;

    is_int(lbs_record_member_is_sound(&good), 1, "a member can be like this");
    UNSOUND(id, 0);
    UNSOUND(slot, LBS_REGISTRY_MEMBERS);
    UNSOUND(overrides, 4);
    UNSOUND(file[LBS_ADMIN_STATE], LBS_F_DOWN);
    UNSOUND(value[LBS_ADMIN_STATE], LBS_F_REMOVED);
    UNSOUND(file[LBS_ADMIN_WEIGHT], LBS_ADMIN_WEIGHT_MAX + 1);
    UNSOUND(value[LBS_ADMIN_WEIGHT], APR_UINT32_MAX);
    UNSOUND(closed, 8);
    UNSOUND(drain_since, APR_UINT64_MAX);
    UNSOUND(drain_left, APR_UINT64_MAX);
    UNSOUND(drain_idle, APR_UINT64_MAX);
    UNSOUND(counted.eject.out, 2);
    UNSOUND(counted.eject.left_us, APR_UINT64_MAX);
    UNSOUND(counted.latency.le[3], 1);
    memset(&pool, 0, sizeof(pool));
    is_int(lbs_record_pool_is_sound(&pool), 0, "a pool is somebody");
}

static void pools(void)
{
    lbs_registry_t *from = new_registry(), *to = new_registry();
    lbs_saved_pool_t record;
    lbs_pool_record_t *pool;

    (void)pool_of(from, "v", "p");
    (void)pool_of(to, "v", "other");
    (void)pool_of(to, "v", "p");
    pool = lbs_registry_pool_record(from, 0);
    lbs_pool_record_decided(pool, LBS_DECISION_NEW, LBS_REASON_EXPIRED, 5);
    pool->retries = 6;
    pool->retries_denied = 7;
    pool->panic = 1;
    pool->readers[2].id = 8;
    pool->readers[2].used = 9;
    pool->readers[2].last = 10;
    lbs_record_take_pool(&record, from, 0);
    lbs_record_give_pool(&record, to, 1);
    pool = lbs_registry_pool_record(to, 1);
    is_int(lbs_pool_record_count(pool, LBS_DECISION_NEW, LBS_REASON_EXPIRED),
           1, "a decision");
    ok(pool->requests == 1 && pool->retries == 6 && pool->retries_denied == 7,
       "the counters are given");
    ok(pool->readers[2].id == 8 && pool->readers[2].used == 9
           && pool->readers[2].last == 10,
       "and the counts of readers");
    ok(pool->panic == 0, "values of the moment are not");
}

static void deadlines(void)
{
    static const struct {
        apr_uint64_t before;
        apr_interval_time_t elapsed;
        apr_uint64_t after;
    } cases[] = {
        {0, HOUR, 0},
        {1000 + 5 * (apr_uint64_t)HOUR, HOUR, 7 + 4 * (apr_uint64_t)HOUR},
        {1000 + (apr_uint64_t)HOUR, HOUR, 7},
        {1000 + (apr_uint64_t)HOUR, 2 * HOUR, 7},
        {1000, 0, 7},
        {1, 0, 7},
    };
    lbs_clock_t then = moment(1000, 0), now = moment(7, 0);
    lbs_registry_t *reg = new_registry();
    lbs_saved_member_t record;
    size_t i;

    name_all(reg, "a");
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lbs_admin_drain_t drain;

        reg->seats[0].drain_deadline = cases[i].before;
        lbs_record_take_member(&record, reg, 0, &then);
        lbs_record_give_member(&record, reg, 0, &now, cases[i].elapsed, NULL);
        lbs_admin_drain(reg, 0, &drain);
        is_int(drain.deadline, cases[i].after, "deadline %d", (int)i);
    }
}

/* Nobody is sent to a member that was dead when httpd stopped, before a check
 * has found it alive. */
static void dead_stays_dead(void)
{
    lbs_clock_t then = moment(1000, 0), now = moment(7, 0);
    lbs_registry_t *reg = new_registry();
    lbs_gauge_t *g = lbs_registry_gauges(reg);
    lbs_saved_member_t record;

    name_all(reg, "a");
    (void)lbs_gauge_set(g, LBS_F_DOWN | LBS_F_EJECTED);
    lbs_record_take_member(&record, reg, 0, &then);
    lbs_gauge_init(g);
    lbs_record_give_member(&record, reg, 0, &now, HOUR, NULL);
    is_int(lbs_gauge_flags(g), LBS_F_DOWN, "down stays down");
    (void)lbs_gauge_clear(g, LBS_F_DOWN);
    lbs_record_take_member(&record, reg, 0, &then);
    lbs_record_give_member(&record, reg, 0, &now, HOUR, NULL);
    is_int(lbs_gauge_flags(g), 0, "up stays up");
}

/* A start does not tell again what was told before the stop. */
static void told_stays_told(void)
{
    lbs_clock_t then = moment(1000, 0), now = moment(7, 0);
    lbs_registry_t *reg = new_registry();
    lbs_saved_member_t record;
    apr_uint32_t told;

    name_all(reg, "a");
    for (told = 0; told <= 1; told++) {
        (void)lbs_gauge_set(lbs_registry_gauges(reg), LBS_F_DRAIN);
        reg->seats[0].drain_told = told;
        lbs_record_take_member(&record, reg, 0, &then);
        reg->seats[0].drain_told = !told;
        lbs_record_give_member(&record, reg, 0, &now, HOUR, NULL);
        is_int(lbs_admin_tick(reg, 0, &now), !told, "told before: %u", told);
    }
}

/* A file of a version that counts more, or less. */
static void other_dimensions(void)
{
    static const lbs_record_dims_t more = {8, 14, 3, 20, 14, 20};
    static const lbs_record_dims_t other_bounds = {6, 12, 2, 13, 20, 0};
    static unsigned char bytes[65536];
    lbs_saved_pool_t pool = {.id = 9, .requests = 11};
    lbs_saved_member_t member = {.id = 4, .slot = 5, .drain_since = 6};
    lbs_writer_t w = {bytes, sizeof(bytes), 0};
    lbs_reader_t r;
    apr_size_t i;

    pool.decisions[5][11] = 77;
    member.counted.counts[12] = 99;
    member.counted.eject.count = 3;
    for (i = 0; i < 2; i++) {
        const lbs_record_dims_t *dims = i == 0 ? &more : &other_bounds;
        lbs_codec_t out = {&w, NULL, dims};
        lbs_codec_t in = {NULL, &r, dims};
        lbs_saved_pool_t pool_back;
        lbs_saved_member_t member_back;

        w.len = 0;
        lbs_record_code_pool(&out, &pool);
        lbs_record_code_member(&out, &member);
        r = (lbs_reader_t){bytes, w.len, 0};
        lbs_record_code_pool(&in, &pool_back);
        lbs_record_code_member(&in, &member_back);
        ok(r.left == 0 && !r.short_of, "all of it is read");
        is_mem(&pool_back, &pool, sizeof(pool), "what both know of a pool");
        is_mem(&member_back, &member, sizeof(member), "and of a member");
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    bytes_and_back();
    other_dimensions();
    what_cannot_be();
    pools();
    deadlines();
    dead_stays_dead();
    told_stays_told();
    apr_terminate();
    return done_testing();
}
