/* SPDX-License-Identifier: Apache-2.0 */
/* validate.c - look into the shared memory of a running httpd: is the session
 * table what it should be, and what do the children's rows hold?
 *
 *     validate PID [ROWS]     PID: of any process of that httpd
 *
 * Prints one line of JSON, changes nothing. Exit status 0 when what was found
 * is sound, 1 when it is not, 2 when there is nothing to look at (or nobody
 * who may: it takes root). Figures are exact only while nothing happens.
 *
 * The module's memory has no name, so this tries all that has none: what a
 * registry or a table is, its head knows.
 */
#include <apr_general.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "src/state/lbs_registry.h"
#include "src/table/lbs_validate.h"

#define PAGE 4096u
#define ROWS 1024u /* as httpd has them for less than 512 children */
#define TABLES (1 + LBS_TABLE_CHAIN)
#define MAPS_MAX 256

typedef struct block_t {
    void *base;
    size_t bytes;
} block_t;

static block_t blocks[MAPS_MAX];
static int block_count;

/* Map what one line of /proc/PID/maps speaks of; the first page of a block
 * belongs to APR. */
static void take(const char *pid, const char *line)
{
    char path[PATH_MAX];
    unsigned long from, to;
    void *base;
    int fd;

    if (strstr(line, "rw-s") == NULL || strstr(line, "/dev/zero") == NULL
        || block_count == MAPS_MAX || sscanf(line, "%lx-%lx", &from, &to) != 2
        || to - from <= PAGE) {
        return;
    }
    snprintf(path, sizeof(path), "/proc/%s/map_files/%lx-%lx", pid, from, to);
    fd = open(path, O_RDONLY);
    if (fd < 0) {
        return;
    }
    base = mmap(NULL, to - from, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (base != MAP_FAILED) {
        blocks[block_count].base = (char *)base + PAGE;
        blocks[block_count].bytes = to - from - PAGE;
        block_count++;
    }
}

static void take_all(const char *pid)
{
    char path[PATH_MAX], line[1024];
    FILE *maps;

    snprintf(path, sizeof(path), "/proc/%s/maps", pid);
    maps = fopen(path, "r");
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        take(pid, line);
    }
    if (maps != NULL) {
        fclose(maps);
    }
}

static lbs_registry_t *find_registry(apr_uint32_t rows, apr_pool_t *pool)
{
    lbs_registry_t *reg;
    int i;

    for (i = 0; i < block_count; i++) {
        if (lbs_registry_open(&reg, blocks[i].base, blocks[i].bytes, rows,
                              pool)
            == APR_SUCCESS) {
            return reg;
        }
    }
    return NULL;
}

/* All tables there are, in a chain whose order does not matter here. */
static lbs_table_t *find_tables(const lbs_registry_t *reg, int *count,
                                apr_pool_t *pool)
{
    lbs_table_t *chain = NULL, *table;
    int i;

    *count = 0;
    for (i = 0; i < block_count && *count < TABLES; i++) {
        if (lbs_table_open(&table, blocks[i].base, blocks[i].bytes,
                           lbs_registry_slots(reg), pool)
                == APR_SUCCESS
            && (chain == NULL
                || lbs_table_chain(table, chain, 0) == APR_SUCCESS)) {
            chain = table;
            (*count)++;
        }
    }
    return chain;
}

static apr_time_t monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (apr_time_t)now.tv_sec * APR_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* Attempts in flight by the members' sums, and rows in use or condemned. */
static void count_rows(const lbs_registry_t *reg, unsigned *inflight,
                       unsigned *owned, unsigned *condemned)
{
    const lbs_rows_t *rows = lbs_registry_rows(reg);
    apr_uint32_t slot = LBS_REGISTRY_NONE;
    apr_uint32_t i;
    lbs_inflight_t row;

    while ((slot = lbs_registry_next_member(reg, LBS_REGISTRY_NONE, slot))
           != LBS_REGISTRY_NONE) {
        *inflight += lbs_gauge_inflight(&lbs_registry_gauges(reg)[slot]);
    }
    for (i = 0; i < rows->rows; i++) {
        *owned += lbs_inflight_pid(rows, i) != 0;
        *condemned += lbs_inflight_condemned(rows, i, &row) != 0;
    }
}

static int report(const lbs_registry_t *reg, const lbs_table_t *chain,
                  int tables, apr_pool_t *pool)
{
    unsigned inflight = 0, owned = 0, condemned = 0;
    lbs_validate_report_t found;
    apr_status_t rv = lbs_validate_table(chain, monotonic(), &found, pool);

    count_rows(reg, &inflight, &owned, &condemned);
    printf("{\"tables\":%d,\"valid\":%llu,\"tentative\":%llu,"
           "\"orphans\":%llu,\"stray\":%llu,\"torn\":%llu,\"twins\":%llu,"
           "\"miscounted\":%llu,\"inflight\":%u,\"rows\":%u,"
           "\"condemned\":%u}\n",
           tables, (unsigned long long)found.valid,
           (unsigned long long)found.tentative,
           (unsigned long long)found.orphans, (unsigned long long)found.stray,
           (unsigned long long)found.torn, (unsigned long long)found.twins,
           (unsigned long long)found.miscounted, inflight, owned, condemned);
    return rv == APR_SUCCESS ? 0 : 1;
}

int main(int argc, char **argv)
{
    lbs_table_t *chain = NULL;
    lbs_registry_t *reg;
    apr_pool_t *pool;
    int tables = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: validate PID [ROWS]\n");
        return 2;
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    take_all(argv[1]);
    reg = find_registry(argc > 2 ? (apr_uint32_t)atoi(argv[2]) : ROWS, pool);
    if (reg != NULL) {
        chain = find_tables(reg, &tables, pool);
    }
    if (chain == NULL) {
        fprintf(stderr, "no session table of process %s to be seen\n",
                argv[1]);
        return 2;
    }
    return report(reg, chain, tables, pool);
}
