/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a state file. Whatever they are, reading stays within them and
 * ends; what is read leaves a sound table and sound members, and what
 * was read can be saved and read once more.
 *
 * The first byte of an input says how it is given: as it is, or with a length
 * and a check that fit, because no fuzzer guesses those. */
#include <sys/mman.h>

#include "src/preview/lbs_outline.h"
#include "src/state/lbs_admin.h"
#include "src/state/lbs_bytes_int.h"
#include "src/state/lbs_restore.h"
#include "src/state/lbs_snapshot.h"
#include "src/table/lbs_validate.h"

#include "fuzz/input.h"

#define ROWS 2
#define SESSIONS_MOST 20000
#define IDLE APR_INT64_C(3600000000)

static const lbs_clock_t now = {1000000, 1700000000000000};

/* Two members of one pool; the seeds of the corpus have the same ones. */
static lbs_registry_t *start(void *block, apr_size_t bytes, apr_pool_t *pool)
{
    static const lbs_registry_seed_t seed = {{1, 1}, {"key"}, "secret"};
    lbs_registry_t *reg;
    apr_uint32_t where, slot, i;

    must(lbs_registry_format(block, bytes, ROWS, &seed) == APR_SUCCESS);
    must(lbs_registry_open(&reg, block, bytes, ROWS, pool) == APR_SUCCESS);
    lbs_registry_begin(reg);
    must(lbs_registry_pool(reg, "www", "app", &where, NULL) == APR_SUCCESS);
    for (i = 0; i < 2; i++) {
        must(lbs_registry_member(reg, where, i == 0 ? "a" : "b", "http://w",
                                 &slot, NULL)
             == APR_SUCCESS);
        lbs_registry_slots(reg)->quantum_us[slot] = lbs_table_quantum(IDLE, 0);
    }
    return reg;
}

static void check_members(lbs_registry_t *reg)
{
    static const lbs_admin_values_t file = {0, 100};
    apr_uint32_t slot;

    for (slot = 0; slot < 2; slot++) {
        const lbs_gauge_t *gauge = &lbs_registry_gauges(reg)[slot];

        must(
            (lbs_gauge_flags(gauge)
             & ~(LBS_ADMIN_FLAGS | LBS_F_DRAINED | LBS_F_EJECTED | LBS_F_DOWN))
            == 0);
        must(gauge->weight <= LBS_ADMIN_WEIGHT_MAX);
        must(lbs_gauge_inflight(gauge) == 0);
        lbs_admin_reconcile(reg, slot, &file, &now);
    }
    lbs_registry_commit(reg, &now);
}

static apr_status_t free_block(void *block)
{
    free(block);
    return APR_SUCCESS;
}

/* @return NULL when the file's words are not those of its table */
static lbs_table_t *read_table(lbs_restore_t *restore, lbs_registry_t *reg,
                               const lbs_restore_info_t *info,
                               apr_pool_t *pool)
{
    apr_size_t bytes = lbs_table_bytes(info->sessions[0]);
    void *block = NULL;
    lbs_table_t *table;
    lbs_image_report_t image = {0};
    lbs_validate_report_t valid;

    must(posix_memalign(&block, LBS_TABLE_ALIGN, bytes) == 0);
    memset(block, 0, bytes);
    must(lbs_table_format(block, bytes, info->sessions[0]) == APR_SUCCESS);
    must(lbs_table_open(&table, block, bytes, lbs_registry_slots(reg), pool)
         == APR_SUCCESS);
    apr_pool_cleanup_register(pool, block, free_block, apr_pool_cleanup_null);
    if (lbs_restore_table(restore, 0, table, &image) != APR_SUCCESS) {
        must(lbs_table_count(table) == 0);
        return NULL;
    }
    must(lbs_validate_table(table, now.mono, &valid, pool) == APR_SUCCESS);
    must(valid.valid == image.kept);
    return table;
}

static void save_again(lbs_registry_t *reg, lbs_table_t *table,
                       const lbs_forgotten_t *forgotten, apr_pool_t *pool)
{
    lbs_snapshot_t from = {
        .reg = reg, .tables = {table}, .count = 1, .forgotten = forgotten};
    apr_size_t room = lbs_snapshot_room(&from);
    unsigned char *bytes = malloc(room);
    const apr_uint64_t random_secret = 0;
    lbs_restore_t *again;
    apr_size_t len;

    must(bytes != NULL);
    must(lbs_snapshot_encode(&from, &now, bytes, room, &len) == APR_SUCCESS);
    must(lbs_restore_open(&again, bytes, len, &now, &random_secret, 1, pool)
         == NULL);
    free(bytes);
}

/* Nobody is forgotten but members there are. */
static lbs_forgotten_t *read_forgotten(lbs_restore_t *restore,
                                       apr_pool_t *pool)
{
    lbs_forgotten_t *forgotten = apr_pcalloc(pool, sizeof(*forgotten));
    apr_uint32_t slot;

    lbs_restore_forgotten(restore, forgotten);
    for (slot = 2; slot < LBS_REGISTRY_MEMBERS; slot++) {
        must(!lbs_forgotten_has(forgotten, slot, 1, 0));
    }
    return forgotten;
}

static void give_to(lbs_registry_t *reg, lbs_restore_t *restore,
                    apr_pool_t *pool)
{
    static const lbs_eject_conf_t eject = {
        3, 50, 10000000, 1000000, 60000000, LBS_STALL_AUTO, 0};
    static const lbs_eject_conf_t *const ejects[LBS_REGISTRY_POOLS] = {&eject};
    lbs_restore_info_t info;
    lbs_restore_report_t report;
    lbs_forgotten_t *forgotten;
    lbs_table_t *table;

    lbs_restore_info(restore, &info);
    must(info.elapsed >= 0 && info.tables <= LBS_SNAPSHOT_TABLES);
    lbs_restore_registry(restore, reg, ejects, &report);
    must(report.pools <= info.pools && report.members <= info.members);
    check_members(reg);
    forgotten = read_forgotten(restore, pool);
    if (info.tables == 0 || info.sessions[0] > SESSIONS_MOST) {
        return;
    }
    table = read_table(restore, reg, &info, pool);
    if (table != NULL) {
        save_again(reg, table, forgotten, pool);
    }
}

static void give_back(lbs_restore_t *restore, apr_pool_t *pool)
{
    apr_size_t bytes;
    void *block;

    must(lbs_registry_bytes(ROWS, &bytes) == APR_SUCCESS);
    block = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    must(block != MAP_FAILED);
    give_to(start(block, bytes, pool), restore, pool);
    munmap(block, bytes);
}

/* What is read as an outline is written as one that is read. */
static void read_outline(const unsigned char *bytes, apr_size_t len,
                         apr_pool_t *pool)
{
    const lbs_outline_t *outline = lbs_outline_decode(bytes, len, pool);

    if (outline != NULL) {
        bytes = lbs_outline_encode(outline, &len, pool);
        must(lbs_outline_decode(bytes, len, pool) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const apr_uint64_t random_secret = 0;
    apr_pool_t *pool = input_pool();
    lbs_restore_t *restore;
    unsigned char *bytes;

    if (size == 0) {
        return 0;
    }
    size--;
    bytes = (unsigned char *)input_string(data + 1, size);
    if ((data[0] & 1) != 0 && size >= 24) {
        lbs_bytes_put64(bytes + 16, size);
        lbs_snapshot_seal(bytes, size);
    }
    if (lbs_restore_open(&restore, bytes, size, &now, &random_secret, 1, pool)
        == NULL) {
        apr_size_t len;
        const unsigned char *outline = lbs_restore_outline(restore, &len);

        read_outline(outline, len, pool);
        give_back(restore, pool);
    }
    if ((data[0] & 2) != 0) {
        read_outline(bytes, size, pool);
    }
    free(bytes);
    apr_pool_clear(pool); /* the last one has nobody to do it */
    return 0;
}
