/* SPDX-License-Identifier: Apache-2.0 */
#include "src/table/lbs_image.h"

#include "src/table/lbs_table_int.h"

apr_uint64_t lbs_image_words(const lbs_table_t *table)
{
    return table->buckets * LBS_LINE;
}

static int within(const lbs_table_t *table, apr_uint64_t first,
                  apr_uint64_t count)
{
    apr_uint64_t all = lbs_image_words(table);

    return first <= all && count <= all - first;
}

apr_status_t lbs_image_export(const lbs_table_t *table, apr_uint64_t first,
                              apr_uint64_t *words, apr_uint64_t count)
{
    apr_uint64_t i;

    if (!within(table, first, count)) {
        return APR_EINVAL;
    }
    for (i = 0; i < count; i++) {
        apr_uint64_t word =
            lbs_atomic_load64_relaxed(&table->words[first + i]);

        words[i] = (word & LBS_WORD_VALID) != 0 ? word : 0;
    }
    return APR_SUCCESS;
}

/* Put one saved session where it was. */
static void put(lbs_table_t *table, apr_uint64_t index, apr_uint64_t word,
                const lbs_image_origin_t *origin, apr_time_t now,
                lbs_image_report_t *report)
{
    apr_uint32_t was = lbs_word_slot(word);
    apr_uint32_t slot = origin->slot[was];
    int from = lbs_quantum_shift(origin->quantum_us[was]);
    int to = slot < LBS_TABLE_SLOTS
                 ? lbs_quantum_shift(lbs_slot_quantum(table, slot))
                 : -1;
    apr_time_t left; /* microseconds */
    int units;

    if (from < 0 || lbs_table_has_twin(table, index, word)) {
        report->damaged++;
        return;
    }
    if (to < 0) {
        report->gone++;
        return;
    }
    units = lbs_clock_left(lbs_word_expiry(word), origin->now, from);
    if (units <= 0) {
        report->expired++;
        return;
    }
    left = lbs_clock_time(origin->now, units, from) - origin->now;
    word = (word & ~(LBS_WORD_SLOT | LBS_WORD_EXPIRY))
           | lbs_word_load(slot, lbs_clock_expiry(now, left - 1, to), 0);
    lbs_atomic_store64_relaxed(&table->words[index], word);
    lbs_atomic_add64_relaxed(&table->slots->sessions[slot], 1);
    report->kept++;
}

apr_status_t lbs_image_import(lbs_table_t *table, apr_uint64_t first,
                              const apr_uint64_t *words, apr_uint64_t count,
                              const lbs_image_origin_t *origin, apr_time_t now,
                              lbs_image_report_t *report)
{
    apr_uint64_t i;

    if (!within(table, first, count)) {
        return APR_EINVAL;
    }
    for (i = 0; i < count; i++) {
        if ((words[i] & LBS_WORD_VALID) != 0) {
            put(table, first + i, words[i], origin, now, report);
        }
        else if (words[i] != 0) {
            report->damaged++;
        }
    }
    return APR_SUCCESS;
}
