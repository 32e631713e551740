/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a session table, and what is done with them. Whatever a block
 * holds, every operation ends and keeps within it; what was bound is found; a
 * sweep leaves nothing that is not a session; and words that come in through
 * the door of the state file leave a sound table.
 *
 * Input: the words of the table, those of an older one chained to it,
 * quanta of the slots, then operations of four bytes each. */
#include "src/base/lbs_hash.h"
#include "src/table/lbs_image.h"
#include "src/table/lbs_sweep.h"
#include "src/table/lbs_table.h"
#include "src/table/lbs_table_int.h"
#include "src/table/lbs_validate.h"

#include "fuzz/input.h"

#define SESSIONS 20 /* 6 buckets, 48 words */
#define OLDER 5     /* 2 buckets, 16 words */
#define SLOTS 4     /* in the input; others are not in use */
#define KEYS 32
#define IDLE APR_INT64_C(60000000)

typedef struct input_bytes_t {
    const uint8_t *data;
    size_t left;
} input_bytes_t;

static apr_uint64_t take(input_bytes_t *in, int bytes)
{
    apr_uint64_t value = 0;

    while (bytes-- > 0 && in->left > 0) {
        value = value << 8 | *in->data++;
        in->left--;
    }
    return value;
}

static lbs_table_t *make(apr_uint32_t sessions, lbs_table_slots_t *slots,
                         input_bytes_t *in, apr_pool_t *pool)
{
    apr_size_t len = lbs_table_bytes(sessions);
    void *block = apr_palloc(pool, len + LBS_TABLE_ALIGN);
    lbs_table_t *table;
    apr_uint64_t i;

    block = (void *)APR_ALIGN((apr_uintptr_t)block,
                              (apr_uintptr_t)LBS_TABLE_ALIGN);
    must(lbs_table_format(block, len, sessions) == APR_SUCCESS);
    must(lbs_table_open(&table, block, len, slots, pool) == APR_SUCCESS);
    for (i = 0; in != NULL && i < table->buckets * LBS_LINE; i++) {
        apr_uint64_t word = take(in, 8);

        table->words[i] = word;
        if ((word & LBS_WORD_VALID) != 0) {
            slots->sessions[lbs_word_slot(word)]++;
        }
    }
    return table;
}

/* As a state file would bring them. */
static void import(const lbs_table_t *from, const lbs_table_slots_t *slots,
                   apr_time_t now, apr_pool_t *pool)
{
    lbs_table_slots_t *fresh = apr_pcalloc(pool, sizeof(*fresh));
    lbs_image_origin_t *origin = apr_pcalloc(pool, sizeof(*origin));
    lbs_table_t *table = make(SESSIONS, fresh, NULL, pool);
    apr_uint64_t words[64];
    apr_uint64_t count = lbs_image_words(from);
    lbs_image_report_t report = {0};
    lbs_validate_report_t valid;
    int i;

    must(count <= 64);
    for (i = 0; i < LBS_TABLE_SLOTS; i++) {
        origin->quantum_us[i] = slots->quantum_us[i];
        origin->slot[i] = i < SLOTS ? (apr_uint16_t)(i + 1) : LBS_TABLE_NONE;
        fresh->quantum_us[i] = i <= SLOTS ? lbs_table_quantum(IDLE, 0) : 0;
    }
    origin->now = now;
    for (i = 0; i < (int)count; i++) {
        words[i] = from->words[i]; /* unlike an export: damaged ones too */
    }
    must(lbs_image_import(table, 0, words, count) == APR_SUCCESS);
    lbs_image_adopt(table, origin, now, &report);
    must(lbs_validate_table(table, now, &valid, pool) == APR_SUCCESS);
    must(valid.valid == report.kept && valid.stray == 0);
}

static int usable(const lbs_table_slots_t *slots, apr_uint32_t slot)
{
    return lbs_quantum_shift(slots->quantum_us[slot]) >= 0;
}

/* A bind must be found at once, whatever else is in the table. */
static void bind_and_find(lbs_table_t *table, lbs_table_slots_t *slots,
                          apr_uint64_t key, apr_uint32_t slot, apr_time_t now)
{
    lbs_table_hit_t hit;
    apr_status_t rv = lbs_table_bind(table, key, slot, now, IDLE, NULL);

    must(usable(slots, slot) ? rv == APR_SUCCESS || rv == APR_EAGAIN
                             : rv == APR_EINVAL);
    if (rv == APR_SUCCESS) {
        must(lbs_table_find(table, key, now, &hit) == APR_SUCCESS);
        must(hit.slot == slot);
    }
}

static void operate(lbs_table_t *table, lbs_table_slots_t *slots,
                    input_bytes_t *in, apr_time_t *now)
{
    apr_uint64_t key = lbs_hash_mix(1 + take(in, 1) % KEYS);
    apr_uint32_t slot = (apr_uint32_t)take(in, 1) % (SLOTS + 1);
    lbs_table_hit_t hit = {LBS_TABLE_NONE, 0, 0};

    *now += (apr_time_t)take(in, 1) * (IDLE / 64);
    switch (take(in, 1) % 8) {
    case 0:
    case 1:
        bind_and_find(table, slots, key, slot, *now);
        break;
    case 2:
        (void)lbs_table_renew(table, key, *now, IDLE, &hit);
        break;
    case 3:
        (void)lbs_table_claim(table, key, slot, *now, IDLE, &hit);
        break;
    case 4:
        (void)lbs_table_forget(table, key, *now, &hit);
        break;
    case 6:
        (void)lbs_sweep_requantise(table, slot, lbs_table_quantum(IDLE, 0),
                                   *now);
        break;
    default:
        (void)lbs_table_find(table, key, *now, &hit);
        break;
    }
    must(hit.slot <= LBS_TABLE_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = input_pool();
    lbs_table_slots_t *slots = apr_pcalloc(pool, sizeof(*slots));
    input_bytes_t in = {data, size};
    lbs_table_t *table = make(SESSIONS, slots, &in, pool);
    lbs_table_t *older = make(OLDER, slots, &in, pool);
    apr_time_t now = (apr_time_t)(take(&in, 8) & 0x3fffffffffffffff);
    lbs_validate_report_t report;
    lbs_sweep_t *sweep;
    int i;

    for (i = 0; i < SLOTS; i++) {
        slots->quantum_us[i] = take(&in, 8);
    }
    import(table, slots, now, pool);
    must(lbs_table_chain(table, older, now + IDLE) == APR_SUCCESS);
    while (in.left > 0) {
        operate(table, slots, &in, &now);
    }
    lbs_sweep_create(&sweep, table, pool);
    must(lbs_sweep_run(sweep, 0, now, NULL, NULL, NULL) == APR_SUCCESS);
    (void)lbs_validate_table(table, now, &report, pool); /* twins may be */
    must(report.torn == 0 && report.miscounted == 0 && report.stray == 0);
    must(report.orphans == 0); /* some bytes look like an insert just begun */
    return 0;
}
