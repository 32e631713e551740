/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_suspect.h - a member whose answers are 5xx, one after the other.
 *
 * A row is what a member answered since its last good answer: 5xx to visitors
 * and, because such a member is asked (lbs_inquiry.h), to probes. A probe's
 * 5xx comes into the row only when another member answered the same probe
 * well. So a row with enough of them is a proof within a few hundred
 * milliseconds, and no matter how well the member was until then. One good
 * answer ends the row.
 *
 * This is the quick way. A member whose probes are answered well may still be
 * ejected for what it answers visitors (lbs_evidence.h), only not so soon.
 *
 * Each word stands for itself; a lost race, or a process that is killed,
 * costs a count.
 */
#ifndef LBS_SUSPECT_H
#define LBS_SUSPECT_H

#include <apr.h>

#include "src/base/lbs_atomic.h"

#define LBS_SUSPECT_ERRORS 10u  /* 5xx in a row are a proof, */
#define LBS_SUSPECT_PROBES 3u   /* at least so many of them to probes, */
#define LBS_SUSPECT_SESSIONS 2u /* so many visitors, */
#define LBS_SUSPECT_VISITORS 5u /* and so many visitors and probes */

/* Shared, one per member; all zero when new. Private to lbs_suspect.c. */
typedef struct lbs_suspect_t {
    lbs_atomic64_t row;    /* began, ms | probes | all; 0: none */
    lbs_atomic64_t who[2]; /* visitors of the row; 0: none */
    lbs_atomic64_t pad[5];
} lbs_suspect_t;

_Static_assert(sizeof(lbs_suspect_t) == 64, "one cache line");

/**
 * A visitor was answered 5xx.
 *
 * @param window_us  LBStickyEject window=
 * @param visitor    a keyed hash of the session, or of the client
 * @return 1 when a row begins by this
 */
int lbs_suspect_erred(lbs_suspect_t *suspect, apr_int64_t window_us,
                      apr_uint64_t visitor, apr_uint64_t now);

/** A visitor, or a probe, was answered otherwise. */
void lbs_suspect_answered_well(lbs_suspect_t *suspect);

/** Probes were answered 5xx, and another member answered the same well.
 * Without a row this changes nothing. */
void lbs_suspect_probed(lbs_suspect_t *suspect, apr_uint32_t errors);

/** @return 1 while there is a row that began in the window, and less than ten
 * of it are probes': ask the member */
int lbs_suspect_is_one(const lbs_suspect_t *suspect, apr_int64_t window_us,
                       apr_uint64_t now);

/** @return 1 when the row is a proof */
int lbs_suspect_is_proven(const lbs_suspect_t *suspect, apr_int64_t window_us,
                          apr_uint64_t now);

/** Forget all: of a member that is out, or back. */
void lbs_suspect_forget(lbs_suspect_t *suspect);

#endif
