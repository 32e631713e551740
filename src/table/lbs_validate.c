/* SPDX-License-Identifier: Apache-2.0 */
#include "src/table/lbs_validate.h"

#include <string.h>

#include "src/table/lbs_table_int.h"

static void look(const lbs_table_t *view, apr_uint64_t index, apr_time_t now,
                 apr_uint64_t *counted, lbs_validate_report_t *report)
{
    apr_uint64_t word = lbs_atomic_load64_acquire(&view->words[index]);
    apr_uint32_t slot = lbs_word_slot(word);

    if (word == 0) {
        return;
    }
    if ((word & LBS_WORD_VALID) == 0) {
        report->tentative += !lbs_word_orphan(word, now);
        report->orphans += lbs_word_orphan(word, now) != 0;
        report->torn += lbs_word_seen(word) != 3;
        return;
    }
    report->valid++;
    counted[slot]++;
    report->stray += lbs_quantum_shift(lbs_slot_quantum(view, slot)) < 0;
    report->twins += lbs_table_has_twin(view, index, word) != 0;
}

apr_status_t lbs_validate_table(const lbs_table_t *table, apr_time_t now,
                                lbs_validate_report_t *report,
                                apr_pool_t *pool)
{
    apr_uint64_t *counted =
        apr_pcalloc(pool, LBS_TABLE_SLOTS * sizeof(*counted));
    const lbs_table_t *view;
    apr_uint64_t i;

    memset(report, 0, sizeof(*report));
    for (view = table; view != NULL; view = view->older) {
        for (i = 0; i < view->buckets * LBS_LINE; i++) {
            look(view, i, now, counted, report);
        }
    }
    for (i = 0; i < LBS_TABLE_SLOTS; i++) {
        report->miscounted +=
            lbs_atomic_load64_relaxed(&table->slots->sessions[i])
            != counted[i];
    }
    return report->torn == 0 && report->twins == 0 && report->miscounted == 0
               ? APR_SUCCESS
               : APR_EGENERAL;
}
