/* SPDX-License-Identifier: Apache-2.0 */
/* bench_table - what the session table costs.
 *
 *     bench_table [SESSIONS ...]      times, as TSV; default 100000 10000000
 *     bench_table OP SESSIONS COUNT   only that, no output: for counting
 *                                     instructions as the difference of two
 *                                     runs, see bench_table.sh
 *
 * Times on a shared machine are noise. So the look-up is given as a ratio: to
 * one dependent read of an equally large region of the same kind of memory,
 * the least that any structure in memory needs. Rounds of both alternate, and
 * the median of the rounds' ratios counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_pools.h>

#include "src/base/lbs_hash.h"
#include "src/table/lbs_table.h"

#define IDLE APR_INT64_C(7200000000)
#define START (10 * IDLE)
#define ROUNDS 301
#define PER_ROUND 5000

typedef struct stage_t {
    apr_pool_t *pool;
    lbs_table_slots_t *slots;
    lbs_table_t *table;
    apr_uint32_t sessions;
    lbs_atomic64_t *region; /* as large as the table */
    apr_uint64_t words;     /* of the region */
} stage_t;

/* Of this thread alone: others are at work on the machine too. */
static double seconds(void)
{
    struct timespec at;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

/* As httpd's shared memory is made. */
static void *shared(apr_size_t len)
{
    void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED) {
        perror("bench_table");
        exit(1);
    }
    return at;
}

static void fill(stage_t *stage, apr_uint32_t sessions, apr_uint32_t filled)
{
    apr_size_t len = lbs_table_bytes(sessions);
    void *block = shared(len);
    apr_uint64_t n;

    stage->sessions = sessions;
    stage->slots = shared(sizeof(*stage->slots));
    for (n = 0; n < 64; n++) {
        stage->slots->quantum_us[n] = lbs_table_quantum(IDLE, 0);
    }
    if (lbs_table_format(block, len, sessions) != APR_SUCCESS
        || lbs_table_open(&stage->table, block, len, stage->slots, stage->pool)
               != APR_SUCCESS) {
        fputs("bench_table: cannot make the table\n", stderr);
        exit(1);
    }
    lbs_table_mark_changes(stage->table,
                           shared(lbs_table_marks_bytes(sessions)));
    for (n = 0; n < filled; n++) {
        (void)lbs_table_bind(stage->table, lbs_hash_mix(n + 1), n % 64, START,
                             IDLE, NULL); /* the runs count what is there */
    }
}

/* --- one operation, many times ------------------------------------------ */

/* Each returns something of every result, so that nothing is left out; the
 * next key depends on it, so that look-ups follow each other. */
typedef apr_uint64_t run_t(stage_t *stage, apr_uint64_t first,
                           apr_uint64_t count);

static apr_uint64_t run_nothing(stage_t *stage, apr_uint64_t first,
                                apr_uint64_t count)
{
    apr_uint64_t sum = 0;
    apr_uint64_t n;

    for (n = first; n < first + count; n++) {
        sum += lbs_hash_mix((2 * n + (sum & 1)) * 7919 % stage->sessions + 1);
    }
    return sum;
}

static apr_uint64_t run_hit(stage_t *stage, apr_uint64_t first,
                            apr_uint64_t count)
{
    lbs_table_hit_t hit = {0, 0, 0};
    apr_uint64_t n;

    for (n = first; n < first + count; n++) {
        apr_uint64_t who =
            (2 * n + (hit.slot & 1)) * 7919 % stage->sessions + 1;

        (void)lbs_table_find(stage->table, lbs_hash_mix(who), START, &hit);
    }
    return hit.slot;
}

static apr_uint64_t run_miss(stage_t *stage, apr_uint64_t first,
                             apr_uint64_t count)
{
    lbs_table_hit_t hit = {0, 0, 0};
    apr_uint64_t n;

    for (n = first; n < first + count; n++) {
        apr_uint64_t who = (2 * n + (hit.slot & 1)) * 7919 % stage->sessions;

        (void)lbs_table_find(stage->table, lbs_hash_mix(~who), START, &hit);
    }
    return hit.slot;
}

static apr_uint64_t renew_at(stage_t *stage, apr_uint64_t first,
                             apr_uint64_t count, apr_time_t now)
{
    lbs_table_hit_t hit = {0, 0, 0};
    apr_uint64_t n;

    for (n = first; n < first + count; n++) {
        apr_uint64_t who =
            (2 * n + (hit.slot & 1)) * 7919 % stage->sessions + 1;

        (void)lbs_table_renew(stage->table, lbs_hash_mix(who), now, IDLE,
                              &hit);
    }
    return hit.slot;
}

static apr_uint64_t run_renew(stage_t *stage, apr_uint64_t first,
                              apr_uint64_t count)
{
    return renew_at(stage, first, count, START);
}

static apr_uint64_t run_refresh(stage_t *stage, apr_uint64_t first,
                                apr_uint64_t count)
{
    return renew_at(stage, first, count, START + IDLE / 2);
}

static apr_uint64_t run_insert(stage_t *stage, apr_uint64_t first,
                               apr_uint64_t count)
{
    lbs_table_hit_t hit = {0, 0, 0};
    apr_uint64_t n;

    for (n = first; n < first + count; n++) {
        apr_uint64_t who = (2 * n + (hit.slot & 1)) * 7919 % stage->sessions;

        (void)lbs_table_bind(stage->table, lbs_hash_mix(~who), 1, START, IDLE,
                             &hit);
    }
    return hit.slot;
}

static const struct {
    const char *name;
    run_t *run;
    int tenths; /* of the sessions that are there before */
} ops[] = {
    {"nothing", run_nothing, 10}, {"hit", run_hit, 10},
    {"miss", run_miss, 10},       {"renew", run_renew, 10},
    {"refresh", run_refresh, 10}, {"insert", run_insert, 9},
};

#define OPS (sizeof(ops) / sizeof(ops[0]))

/* --- times -------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

static apr_uint64_t read_region(stage_t *stage, apr_uint64_t first,
                                apr_uint64_t count)
{
    apr_uint64_t seen = 0;
    apr_uint64_t n;

    for (n = first; n < first + count; n++) {
        apr_uint64_t who = (2 * n + (seen & 1)) * 7919 % stage->sessions + 1;
        apr_uint64_t at = ((lbs_hash_mix(who) >> 32) * stage->words) >> 32;

        seen = lbs_atomic_load64_relaxed(&stage->region[at]);
    }
    return seen;
}

static double timed(run_t *run, stage_t *stage, apr_uint64_t first)
{
    double start = seconds();

    (void)run(stage, first, PER_ROUND);
    return (seconds() - start) / PER_ROUND;
}

static void show(const char *name, apr_uint32_t sessions, double value,
                 const char *unit)
{
    printf("table_%s_at_%u\t%.3g\t%s\n", name, (unsigned)sessions, value,
           unit);
}

static void time_lookups(stage_t *stage)
{
    double look[ROUNDS];
    double ratio[ROUNDS];
    int i;

    stage->words = lbs_table_bytes(stage->sessions) / 8;
    stage->region = shared(stage->words * 8);
    memset((void *)stage->region, 1, stage->words * 8);
    for (i = 0; i < ROUNDS; i++) {
        apr_uint64_t first = (apr_uint64_t)i * PER_ROUND * 3;
        double one = timed(read_region, stage, first);

        look[i] = timed(run_hit, stage, first + PER_ROUND);
        one += timed(read_region, stage, first + 2 * PER_ROUND);
        ratio[i] = look[i] * 2 / one;
    }
    show("lookup_per_memory_read", stage->sessions, median(ratio, ROUNDS),
         "ratio");
    show("lookup", stage->sessions, median(look, ROUNDS) * 1e9, "ns");
    munmap((void *)stage->region, stage->words * 8);
}

/* What processes get done in a second of each one's own time, all renewing
 * the same sessions and moving the clock on so that every renewal writes. */
static double writers(stage_t *stage, int processes)
{
    struct rusage usage;
    double used = 0;
    int status;
    int i;

    for (i = 0; i < processes; i++) {
        if (fork() == 0) {
            apr_time_t turn;

            for (turn = 1; turn <= 10; turn++) {
                (void)renew_at(stage, 0, 100000, START + turn * (IDLE / 50));
            }
            _exit(0);
        }
    }
    while (wait4(-1, &status, 0, &usage) > 0) {
        used += (double)usage.ru_utime.tv_sec
                + (double)usage.ru_utime.tv_usec * 1e-6;
    }
    return processes * processes / used;
}

static void time_processes(stage_t *stage)
{
    double ratio[5];
    size_t i;

    for (i = 0; i < 5; i++) {
        double one = writers(stage, 1);

        ratio[i] = writers(stage, 2) / one;
    }
    show("two_processes_per_one", stage->sessions, median(ratio, 5), "ratio");
}

static int run_times(stage_t *stage, apr_uint32_t sessions)
{
    fill(stage, sessions, sessions);
    printf("table_bytes_per_session_at_%u\t%.2f\tB\n", (unsigned)sessions,
           (double)lbs_table_bytes(sessions) / sessions);
    time_lookups(stage);
    time_processes(stage);
    return 0;
}

int main(int argc, char **argv)
{
    stage_t stage = {0};
    apr_uint32_t sessions;
    size_t i;

    apr_initialize();
    apr_pool_create(&stage.pool, NULL);
    for (i = 0; argc == 4 && i < OPS; i++) {
        if (strcmp(argv[1], ops[i].name) == 0) {
            sessions = (apr_uint32_t)strtoul(argv[2], NULL, 10);
            fill(&stage, sessions,
                 sessions / 10 * (apr_uint32_t)ops[i].tenths);
            (void)ops[i].run(&stage, 0, strtoul(argv[3], NULL, 10));
            return 0;
        }
    }
    if (argc < 2) {
        return run_times(&stage, 100000) + run_times(&stage, 10000000);
    }
    for (i = 1; i < (size_t)argc; i++) {
        sessions = (apr_uint32_t)strtoul(argv[i], NULL, 10);
        if (sessions == 0) {
            fprintf(stderr, "bench_table: what is %s?\n", argv[i]);
            return 2;
        }
        (void)run_times(&stage, sessions);
    }
    return 0;
}
