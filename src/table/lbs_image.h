/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_image.h - a table's words out to a state file and back.
 *
 * Words say nothing about the size of their table and the meaning of their
 * numbers: the caller keeps with them what the table was formatted for, the
 * clock, and what each slot was. They go back into a table formatted for the
 * same number of sessions; if that is no longer the wanted size, chain it.
 */
#ifndef LBS_IMAGE_H
#define LBS_IMAGE_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_time.h>

#include "src/table/lbs_table.h"

/* What the numbers in saved words mean. */
typedef struct lbs_image_origin_t {
    apr_time_t now; /* what the old clock would show at the time of import */
    apr_uint64_t quantum_us[LBS_TABLE_SLOTS]; /* of the slots then */
    /* What became of each slot: its number now, LBS_TABLE_NONE if it is gone.
     */
    apr_uint16_t slot[LBS_TABLE_SLOTS];
} lbs_image_origin_t;

typedef struct lbs_image_report_t {
    apr_uint64_t kept;
    apr_uint64_t expired; /* ended meanwhile */
    apr_uint64_t gone;    /* their slot is gone */
    apr_uint64_t damaged; /* no session could look like this */
    apr_uint64_t surplus; /* more than the table holds */
} lbs_image_report_t;

/** How many words a table has, without the chain; the same on every machine
 * for the same number of sessions. */
apr_uint64_t lbs_image_words(const lbs_table_t *table);

/* Out, while others go on changing the words ------------------------------
 *
 * A file holds all words, and then those that changed, time after time:
 *
 *     lbs_image_begin()     from here on what changes is marked anew
 *     lbs_image_export()    all words
 *     lbs_image_changed()   later, and again: which have changed since
 *
 * Whatever is read is what the word was at some moment after its mark was
 * taken, so that a change is in the words read, or marked again, or both.
 */

/** Forget which words have changed. Cost: one bit per word. */
void lbs_image_begin(const lbs_table_t *table);

/**
 * Copy words out. What an insert has not finished comes out as free.
 *
 * @param first  of the table's words
 * @param words  out: count of them, in the machine's byte order
 * @return APR_SUCCESS; APR_EINVAL: not that many words
 */
apr_status_t lbs_image_export(const lbs_table_t *table, apr_uint64_t first,
                              apr_uint64_t *words, apr_uint64_t count);

/**
 * Take the marks of the next 64 words that have any. One caller at a time.
 * Cost: one bit per word passed over.
 *
 * @param from   a multiple of 64: where to begin
 * @param first  out: the first of these words; written unless 0 is returned
 * @return bit n: word first + n has changed; 0: no further one has
 */
apr_uint64_t lbs_image_changed(const lbs_table_t *table, apr_uint64_t from,
                               apr_uint64_t *first);

/** @return one word as lbs_image_export() copies it */
apr_uint64_t lbs_image_word(const lbs_table_t *table, apr_uint64_t index);

/* In, into a table that was just formatted and that nobody else uses ------ */

/**
 * Put saved words where they were, in any order; a later one of the same place
 * wins. They mean nothing until lbs_image_adopt().
 *
 * @param first  of the table's words, where these were
 * @param words  as exported
 * @return APR_SUCCESS; APR_EINVAL: not that many words, nothing was done
 */
apr_status_t lbs_image_import(lbs_table_t *table, apr_uint64_t first,
                              const apr_uint64_t *words, apr_uint64_t count);

/**
 * Turn imported words into this table's sessions. Whatever they were, the
 * table is sound afterwards. Cost: linear in the words.
 *
 * @param origin  entries for slots that were not in use do not matter
 * @param report  added to
 */
void lbs_image_adopt(lbs_table_t *table, const lbs_image_origin_t *origin,
                     apr_time_t now, lbs_image_report_t *report);

#endif
