/* SPDX-License-Identifier: Apache-2.0 */
/* bench_persist - what the state file costs.
 *
 *     bench_persist [SESSIONS ...]    TSV; default 10000000
 *
 * Visitors make a request every half a minute on average, about twenty in a
 * visit, and their sessions live on for two hours: so of so many sessions one
 * in thirteen or so is in use. What that changes in five seconds is encoded as
 * the writer does it, and now and then the whole. Time is that of this thread;
 * the disk's is not in it.
 *
 * Then the file is read back, as a start does it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <apr_general.h>
#include <apr_pools.h>

#include "src/base/lbs_hash.h"
#include "src/base/lbs_rand.h"
#include "src/state/lbs_journal.h"
#include "src/state/lbs_restore.h"

#define SECOND APR_INT64_C(1000000)
#define IDLE (7200 * SECOND)
#define GAP 30   /* seconds between two requests of a visitor, on average */
#define VISIT 20 /* requests */
#define PERIOD 5 /* seconds between two writings */
#define PERIODS 24
#define MEMBERS 16
#define ROWS 2

typedef struct stage_t {
    apr_pool_t *pool;
    lbs_registry_t *reg;
    lbs_table_t *table;
    apr_uint32_t slot[MEMBERS];
    apr_uint64_t *visitor; /* keys of those who are here */
    apr_uint64_t visitors;
    lbs_rand_t rand;
} stage_t;

static double seconds(void)
{
    struct timespec at;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_persist: %s\n", what);
    exit(1);
}

static void *shared(apr_size_t len)
{
    void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED) {
        fail("no memory");
    }
    return at;
}

static void make_registry(stage_t *stage)
{
    static const lbs_registry_seed_t seed = {{1, 1}, {"key"}, "secret"};
    apr_size_t bytes;
    apr_uint32_t where;
    char route[8];
    void *block;
    int i;

    if (lbs_registry_bytes(ROWS, &bytes) != APR_SUCCESS) {
        fail("no registry");
    }
    block = shared(bytes);
    if (lbs_registry_format(block, bytes, ROWS, &seed) != APR_SUCCESS
        || lbs_registry_open(&stage->reg, block, bytes, ROWS, stage->pool)
               != APR_SUCCESS) {
        fail("no registry");
    }
    lbs_registry_begin(stage->reg);
    (void)lbs_registry_pool(stage->reg, "www", "app", &where, NULL);
    for (i = 0; i < MEMBERS; i++) {
        snprintf(route, sizeof(route), "m%d", i);
        (void)lbs_registry_member(stage->reg, where, route, "http://w",
                                  &stage->slot[i], NULL);
        lbs_registry_slots(stage->reg)->quantum_us[stage->slot[i]] =
            lbs_table_quantum(IDLE, 0);
    }
}

static void make_table(stage_t *stage, apr_uint32_t sessions)
{
    apr_size_t len = lbs_table_bytes(sessions);
    void *block = shared(len);

    if (lbs_table_format(block, len, sessions) != APR_SUCCESS
        || lbs_table_open(&stage->table, block, len,
                          lbs_registry_slots(stage->reg), stage->pool)
               != APR_SUCCESS) {
        fail("no table");
    }
    lbs_table_mark_changes(stage->table,
                           shared(lbs_table_marks_bytes(sessions)));
}

static void visit(stage_t *stage, apr_uint64_t who, apr_time_t now)
{
    lbs_table_hit_t hit;

    if (lbs_rand_below(&stage->rand, VISIT) == 0) {
        stage->visitor[who] = lbs_rand_next(&stage->rand);
    }
    if (lbs_table_renew(stage->table, stage->visitor[who], now, IDLE, &hit)
        != APR_SUCCESS) {
        (void)lbs_table_bind(
            stage->table, stage->visitor[who],
            stage->slot[lbs_rand_below(&stage->rand, MEMBERS)], now, IDLE,
            NULL);
    }
}

/* Live sessions, so many that as many come in a second as leave: they live for
 * idle and the length of a visit. Those who are gone are there at once. */
static void fill(stage_t *stage, apr_uint32_t sessions, apr_time_t now)
{
    apr_uint64_t n;

    stage->visitors =
        (apr_uint64_t)sessions * (VISIT * GAP) / (VISIT * GAP + IDLE / SECOND);
    stage->visitor = malloc((size_t)stage->visitors * 8);
    if (stage->visitor == NULL) {
        fail("no memory");
    }
    for (n = 0; n < stage->visitors; n++) {
        stage->visitor[n] = lbs_rand_next(&stage->rand);
    }
    for (n = stage->visitors; n < sessions / 20 * 19; n++) {
        (void)lbs_table_bind(
            stage->table, lbs_rand_next(&stage->rand),
            stage->slot[n % MEMBERS],
            now - (apr_time_t)lbs_rand_below(&stage->rand, 7000) * SECOND,
            IDLE, NULL);
    }
}

static void live_on(stage_t *stage, apr_time_t *now)
{
    apr_uint64_t requests = stage->visitors * PERIOD / GAP;
    apr_uint64_t n;

    for (n = 0; n < requests; n++) {
        visit(
            stage, lbs_rand_below(&stage->rand, (apr_uint32_t)stage->visitors),
            *now + (apr_time_t)(n * PERIOD * (apr_uint64_t)SECOND / requests));
    }
    *now += PERIOD * SECOND;
}

static void show(const char *what, apr_uint32_t sessions, double value,
                 const char *unit)
{
    printf("state_file_%s_at_%u\t%.3g\t%s\n", what, (unsigned)sessions, value,
           unit);
}

/* Append the changes of PERIODS. @return bytes written */
static apr_size_t follow(stage_t *stage, lbs_snapshot_t *from,
                         lbs_journal_t *journal, apr_time_t *now,
                         unsigned char *bytes, double *took)
{
    apr_size_t all = 0;
    apr_size_t len;
    apr_status_t rv;
    double begun;
    int i;

    *took = 0;
    for (i = 0; i < PERIODS; i++) {
        live_on(stage, now);
        begun = seconds();
        do {
            lbs_clock_t clock = {*now, *now};

            rv = lbs_journal_encode(journal, from, &clock, bytes + all,
                                    LBS_JOURNAL_ROOM, &len);
            all += len;
        } while (rv == APR_INCOMPLETE);
        *took += seconds() - begun;
    }
    return all;
}

static void read_back(apr_uint32_t sessions, const unsigned char *bytes,
                      apr_size_t len, apr_time_t now)
{
    static const lbs_eject_conf_t *no_ejection[LBS_REGISTRY_POOLS];
    const apr_uint64_t random_secret = 0;
    lbs_clock_t clock = {now, now};
    lbs_image_report_t image = {0};
    lbs_restore_report_t report;
    lbs_restore_t *restore;
    stage_t again = {.rand = {2}};
    const char *why;
    double begun;

    apr_pool_create(&again.pool, NULL);
    make_registry(&again);
    begun = seconds();
    make_table(&again, sessions);
    why = lbs_restore_open(&restore, bytes, len, &clock, &random_secret, 1,
                           again.pool);
    if (why != NULL) {
        fail(why);
    }
    show("opened", sessions, seconds() - begun, "s");
    lbs_restore_registry(restore, again.reg, no_ejection, &report);
    (void)lbs_restore_table(restore, 0, again.table, &image);
    show("read", sessions, seconds() - begun, "s");
    show("sessions_read", sessions, (double)image.kept, "sessions");
}

static void run(apr_uint32_t sessions)
{
    stage_t stage = {.rand = {1}};
    lbs_snapshot_t from = {.count = 1, .open = 1};
    apr_time_t now = 10 * IDLE;
    lbs_journal_t *journal;
    apr_size_t image, more;
    unsigned char *bytes;
    double whole, changes, folds;
    lbs_clock_t clock;

    apr_pool_create(&stage.pool, NULL);
    make_registry(&stage);
    make_table(&stage, sessions);
    fill(&stage, sessions, now);
    from.reg = stage.reg;
    from.tables[0] = stage.table;
    lbs_journal_create(&journal, stage.pool);
    bytes = shared(2 * lbs_snapshot_room(&from)
                   + (PERIODS + 1) * LBS_JOURNAL_ROOM);
    live_on(&stage, &now);
    clock = (lbs_clock_t){now, now};
    whole = seconds();
    if (lbs_snapshot_encode(&from, &clock, bytes, lbs_snapshot_room(&from),
                            &image)
        != APR_SUCCESS) {
        fail("no image");
    }
    whole = seconds() - whole;
    lbs_journal_begin(journal, bytes, image);
    more = follow(&stage, &from, journal, &now, bytes + image, &changes);
    folds = (double)more / (double)image; /* images that are due meanwhile */
    show("requests", sessions, (double)(stage.visitors / GAP), "requests/s");
    show("image", sessions, (double)image, "B");
    show("image_takes", sessions, whole, "s");
    show("changes", sessions, (double)more / (PERIODS * PERIOD), "B/s");
    show("written", sessions,
         ((double)more + folds * (double)image) / (PERIODS * PERIOD), "B/s");
    show("cpu", sessions, 100 * (changes + folds * whole) / (PERIODS * PERIOD),
         "%");
    read_back(sessions, bytes, image + more, now);
}

int main(int argc, char **argv)
{
    int i;

    apr_initialize();
    if (argc < 2) {
        run(10000000);
    }
    for (i = 1; i < argc; i++) {
        apr_uint32_t sessions = (apr_uint32_t)strtoul(argv[i], NULL, 10);

        if (sessions < 1000) {
            fprintf(stderr, "bench_persist: what is %s?\n", argv[i]);
            return 2;
        }
        run(sessions);
    }
    apr_terminate();
    return 0;
}
