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
} lbs_image_report_t;

/** How many words a table has, without the chain; the same on every machine
 * for the same number of sessions. */
apr_uint64_t lbs_image_words(const lbs_table_t *table);

/**
 * Copy words out while others go on changing them. What an insert has not
 * finished comes out as free.
 *
 * @param first  of the table's words
 * @param words  out: count of them, in the machine's byte order
 * @return APR_SUCCESS; APR_EINVAL: not that many words
 */
apr_status_t lbs_image_export(const lbs_table_t *table, apr_uint64_t first,
                              apr_uint64_t *words, apr_uint64_t count);

/**
 * Put saved words back, in any number of calls in ascending order. The table
 * was just formatted and nobody else uses it yet. Whatever the words are, the
 * table is sound afterwards.
 *
 * @param first   of the table's words, where these were
 * @param words   as exported
 * @param origin  entries for slots that were not in use do not matter
 * @param report  added to
 * @return APR_SUCCESS; APR_EINVAL: not that many words, nothing was done
 */
apr_status_t lbs_image_import(lbs_table_t *table, apr_uint64_t first,
                              const apr_uint64_t *words, apr_uint64_t count,
                              const lbs_image_origin_t *origin, apr_time_t now,
                              lbs_image_report_t *report);

#endif
