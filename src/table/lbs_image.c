/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_image.c - see lbs_image.h. */
#include "src/table/lbs_image.h"

#include <string.h>

#include "src/table/lbs_table_int.h"

/* So many words ahead a word's other bucket is fetched: about as many reads
 * of memory as a processor has under way at a time. */
#define AHEAD 16

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

static apr_uint64_t exported(const lbs_table_t *table, apr_uint64_t index)
{
    apr_uint64_t word = lbs_atomic_load64_total(&table->words[index]);

    return (word & LBS_WORD_VALID) != 0 ? word : 0;
}

/* Out -------------------------------------------------------------------- */

/* How many words of marks there are. */
static apr_uint64_t marks_of(const lbs_table_t *table)
{
    return table->marks != NULL ? (lbs_image_words(table) + 63) / 64 : 0;
}

void lbs_image_begin(const lbs_table_t *table)
{
    apr_uint64_t marks = marks_of(table);
    apr_uint64_t i;

    for (i = 0; i < marks; i++) {
        if (lbs_atomic_load64_relaxed(&table->marks[i]) != 0) {
            (void)lbs_atomic_swap64_total(&table->marks[i], 0);
        }
    }
}

apr_status_t lbs_image_export(const lbs_table_t *table, apr_uint64_t first,
                              apr_uint64_t *words, apr_uint64_t count)
{
    apr_uint64_t i;

    if (!within(table, first, count)) {
        return APR_EINVAL;
    }
    for (i = 0; i < count; i++) {
        words[i] = exported(table, first + i);
    }
    return APR_SUCCESS;
}

apr_uint64_t lbs_image_changed(const lbs_table_t *table, apr_uint64_t from,
                               apr_uint64_t *first)
{
    apr_uint64_t marks = marks_of(table);
    apr_uint64_t i;

    for (i = from / 64; i < marks; i++) {
        if (lbs_atomic_load64_relaxed(&table->marks[i]) != 0) {
            *first = i * 64;
            return lbs_atomic_swap64_total(&table->marks[i], 0);
        }
    }
    return 0;
}

apr_uint64_t lbs_image_word(const lbs_table_t *table, apr_uint64_t index)
{
    return index < lbs_image_words(table) ? exported(table, index) : 0;
}

/* In --------------------------------------------------------------------- */

apr_status_t lbs_image_import(lbs_table_t *table, apr_uint64_t first,
                              const apr_uint64_t *words, apr_uint64_t count)
{
    if (!within(table, first, count)) {
        return APR_EINVAL;
    }
    if (count != 0) {
        memcpy((void *)(table->words + first), words,
               (size_t)count * sizeof(*words));
    }
    return APR_SUCCESS;
}

typedef struct adopt_t {
    lbs_table_t *table;
    const lbs_image_origin_t *origin;
    apr_time_t now;
    lbs_image_report_t *report;
    apr_uint64_t sessions[LBS_TABLE_SLOTS];
} adopt_t;

/* What a saved word is here. @return 0: nothing */
static apr_uint64_t translate(const adopt_t *adopt, apr_uint64_t word)
{
    const lbs_image_origin_t *origin = adopt->origin;
    apr_uint32_t was = lbs_word_slot(word);
    apr_uint32_t slot = origin->slot[was];
    int from = lbs_quantum_shift(origin->quantum_us[was]);
    apr_uint64_t quantum =
        slot < LBS_TABLE_SLOTS ? lbs_slot_quantum(adopt->table, slot) : 0;
    int to = lbs_quantum_shift(quantum);
    apr_time_t left; /* microseconds */
    int units;

    if ((word & LBS_WORD_VALID) == 0 || from < 0) {
        adopt->report->damaged++;
        return 0;
    }
    if (to < 0) {
        adopt->report->gone++;
        return 0;
    }
    units = lbs_expiry_left(lbs_word_expiry(word), origin->now, from);
    if (units <= 0) {
        adopt->report->expired++;
        return 0;
    }
    left = lbs_expiry_time(origin->now, units, from) - origin->now;
    return (word & ~(LBS_WORD_SLOT | LBS_WORD_EXPIRY))
           | lbs_word_load(slot,
                           lbs_expiry_at(adopt->now, left - 1, to)
                               | lbs_quantum_turn(quantum),
                           0);
}

static void translate_all(adopt_t *adopt)
{
    lbs_atomic64_t *words = adopt->table->words;
    apr_uint64_t all = lbs_image_words(adopt->table);
    apr_uint64_t i;

    for (i = 0; i < all; i++) {
        apr_uint64_t word = lbs_atomic_load64_relaxed(&words[i]);

        if (word != 0) {
            word = translate(adopt, word);
            lbs_atomic_store64_relaxed(&words[i], word);
        }
        if (word != 0) {
            adopt->sessions[lbs_word_slot(word)]++;
            adopt->report->kept++;
        }
    }
}

static void drop(adopt_t *adopt, apr_uint64_t index)
{
    apr_uint64_t word = lbs_atomic_load64_relaxed(&adopt->table->words[index]);

    lbs_atomic_store64_relaxed(&adopt->table->words[index], 0);
    adopt->sessions[lbs_word_slot(word)]--;
    adopt->report->kept--;
}

/* A session that moved while it was saved may be there twice. Within one
 * bucket the first copy stays; of copies in different buckets, the one in the
 * key's first bucket. */
static int is_twin(const lbs_table_t *table, apr_uint64_t index,
                   apr_uint64_t word)
{
    apr_uint64_t bucket = index / LBS_LINE;
    apr_uint64_t want = word & (LBS_WORD_TAG | LBS_WORD_ALT | LBS_WORD_VALID);
    apr_uint64_t twin;

    if (lbs_line_find(table->words + bucket * LBS_LINE, want, &twin)
        != (int)(index % LBS_LINE)) {
        return 1;
    }
    bucket = lbs_other_bucket(table, word >> 32, bucket);
    return (word & LBS_WORD_ALT) != 0
           && lbs_line_find(table->words + bucket * LBS_LINE,
                            want & ~LBS_WORD_ALT, &twin)
                  >= 0;
}

static void fetch_other(const lbs_table_t *table, apr_uint64_t index)
{
    apr_uint64_t word = lbs_atomic_load64_relaxed(&table->words[index]);

    if ((word & LBS_WORD_ALT) != 0) {
        __builtin_prefetch(
            table->words
            + lbs_other_bucket(table, word >> 32, index / LBS_LINE)
                  * LBS_LINE);
    }
}

/* From the last to the first, so that the first of a bucket stays. */
static void drop_twins(adopt_t *adopt)
{
    lbs_table_t *table = adopt->table;
    apr_uint64_t i;

    for (i = lbs_image_words(table); i-- > 0;) {
        apr_uint64_t word = lbs_atomic_load64_relaxed(&table->words[i]);

        if (i >= AHEAD) {
            fetch_other(table, i - AHEAD);
        }
        if (word != 0 && is_twin(table, i, word)) {
            drop(adopt, i);
            adopt->report->damaged++;
        }
    }
}

/* An older version of this module took "sessions" for a hint and may have
 * saved more sessions than the table holds. Sessions never used again are
 * dropped first. */
static void drop_surplus(adopt_t *adopt)
{
    lbs_table_t *table = adopt->table;
    apr_uint64_t all = lbs_image_words(table);
    apr_uint32_t seen;
    apr_uint64_t i;

    for (seen = 0; seen <= LBS_SEEN_LONG; seen++) {
        for (i = 0; i < all && adopt->report->kept > table->sessions; i++) {
            apr_uint64_t word = lbs_atomic_load64_relaxed(&table->words[i]);

            if (word != 0 && lbs_word_seen(word) <= seen) {
                drop(adopt, i);
                adopt->report->surplus++;
            }
        }
    }
}

void lbs_image_adopt(lbs_table_t *table, const lbs_image_origin_t *origin,
                     apr_time_t now, lbs_image_report_t *report)
{
    lbs_image_report_t here = {0};
    adopt_t adopt = {
        .table = table, .origin = origin, .now = now, .report = &here};
    apr_uint32_t slot;

    translate_all(&adopt);
    drop_twins(&adopt);
    drop_surplus(&adopt);
    for (slot = 0; slot < LBS_TABLE_SLOTS; slot++) {
        lbs_atomic_add64_relaxed(&table->slots->sessions[slot],
                                 adopt.sessions[slot]);
    }
    lbs_atomic_store64_relaxed(&table->head->live, here.kept);
    report->kept += here.kept;
    report->expired += here.expired;
    report->gone += here.gone;
    report->damaged += here.damaged;
    report->surplus += here.surplus;
}
