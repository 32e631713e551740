/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_evidence.h - what a member's answers and failures say against it.
 *
 * An answer of 5xx may be the member's fault, the application's or the one
 * visitor's whose page is broken. It is evidence against the member only
 * beside what the others answer meanwhile, and only when several visitors met
 * it. So this file keeps, for a window of time, the member's answers and how
 * many of them were 5xx; up to eight visitors that got those; and, as the tick
 * reports it, the same counts of the pool's other members.
 *
 * From that follow the verdict (LBStickyEject status=auto) and the blame:
 * how far the member's share of 5xx lies above the others'. By the blame a
 * pick is told that a 5xx, however quick, was slow.
 *
 * Such a charge, and that of a failed attempt, is put upon the estimate of
 * the response time, which falls by a tenth a second. That would keep new
 * visitors away for long after the fault. So a charge lasts one second,
 * twice as long with each further one in a row, and then the estimate begins
 * again at the pool's median.
 *
 * Every word stands for itself and is changed by one store or one
 * compare-and-swap; a process that is killed leaves at most a count of one
 * too few.
 */
#ifndef LBS_EVIDENCE_H
#define LBS_EVIDENCE_H

#include <apr.h>

#include "src/base/lbs_atomic.h"
#include "src/evidence/lbs_crowd.h"
#include "src/evidence/lbs_window.h"

#define LBS_EVIDENCE_ERRORS 10u  /* 5xx in the window, before they count */
#define LBS_EVIDENCE_VISITORS 5u /* different visitors that got them */
#define LBS_EVIDENCE_OTHERS 10u  /* answers of the other members */
#define LBS_EVIDENCE_WELL 10u    /* of those, at most one in so many is 5xx */
#define LBS_EVIDENCE_MOST                                                     \
    4u                        /* in a part of the window, one in so many of   \
                                 a member's answers is no 5xx, at most */
#define LBS_EVIDENCE_PLACES 8 /* visitors that are told apart */
#define LBS_EVIDENCE_LASTS 1000000 /* microseconds: the first charge */
#define LBS_EVIDENCE_DOUBLED 3u    /* times, at most: 8 s */

/* Shared, one per member; all zero when new. Private to lbs_evidence.c. */
typedef struct lbs_evidence_t {
    lbs_window_t answers;
    lbs_atomic64_t visitors[LBS_EVIDENCE_PLACES]; /* last at, who */
    lbs_atomic64_t others[LBS_WINDOW_CELLS];      /* tick: 5xx, answers of the
                                                     other members */
    lbs_crowd_t met;        /* visitors that the member answered */
    lbs_crowd_t hit;        /* of these, those it answered with a 5xx */
    lbs_atomic64_t charge;  /* when last, whether over, how many in a row */
    lbs_atomic64_t anew_at; /* when the estimate began again, microseconds */
    lbs_atomic32_t accused; /* 1: it was ejected for its 5xx */
    lbs_atomic32_t unused;
    lbs_atomic64_t pad[5];
} lbs_evidence_t;

_Static_assert(sizeof(lbs_evidence_t) == 384, "whole cache lines");

/**
 * A member answered.
 *
 * @param window_us  LBStickyEject window=
 * @param error      1: with a 5xx; 0: with anything else
 */
void lbs_evidence_answer(lbs_evidence_t *evidence, apr_int64_t window_us,
                         int error, apr_uint64_t now);

/** Note which visitor was answered, not with a 5xx. Cost: one load, as a
 * rule. @param visitor as lbs_evidence_visitor() */
static inline void lbs_evidence_met(lbs_evidence_t *evidence,
                                    apr_int64_t window_us,
                                    apr_uint64_t visitor, apr_uint64_t now)
{
    lbs_crowd_add(&evidence->met, window_us, visitor, now);
}

/** Note which visitor got a 5xx. @param visitor a keyed hash of the session,
 * or of the client where there is none */
void lbs_evidence_visitor(lbs_evidence_t *evidence, apr_int64_t window_us,
                          apr_uint64_t visitor, apr_uint64_t now);

/** @return the member's answers in the window; bad: the 5xx of them */
lbs_window_sum_t lbs_evidence_sum(const lbs_evidence_t *evidence,
                                  apr_int64_t window_us, apr_uint64_t now);

/** What the latest parts of the window hold of a member's answers, bad: of
 * 5xx. @param parts  out, as lbs_window_parts() */
void lbs_evidence_parts(const lbs_evidence_t *evidence, apr_int64_t window_us,
                        apr_uint64_t now, lbs_window_sum_t *parts);

/** Write down for a member what all other members of its pool answered in the
 * same parts. One process, at every tick. */
void lbs_evidence_others(lbs_evidence_t *evidence,
                         const lbs_window_sum_t *parts);

/**
 * How far does the member's share of 5xx lie above that of the others, in the
 * part of the window where the distance is largest? Less as long as fewer than
 * five visitors met one, unless there were five in a row; 0 as long as the
 * other members were not asked.
 *
 * @return permille
 */
apr_uint32_t lbs_evidence_blame(const lbs_evidence_t *evidence,
                                apr_int64_t window_us, apr_uint64_t now);

/**
 * Is the member at fault? Yes with, in the window, at least ten 5xx, at least
 * half of its answers, to at least five visitors; while the others gave at
 * least ten answers of which at most a tenth were 5xx. Or the same in a latest
 * part of the window, if three of four of its answers in that were 5xx: a
 * member that was well until a moment ago need not fail for as long.
 *
 * But in both cases only if those visitors are half of all that it answered in
 * the window: a few who ask for a broken page, and often, are not the member's
 * fault.
 *
 * To be asked right after lbs_evidence_others(), at the same moment: an error
 * that all members begin to give at once must be seen at all of them.
 *
 * @return 1 or 0
 */
int lbs_evidence_convicts(const lbs_evidence_t *evidence,
                          apr_int64_t window_us, apr_uint64_t now);

/** @return 1 when the other members were asked, and at most a tenth of what
 * they answered is 5xx */
int lbs_evidence_others_well(const lbs_evidence_t *evidence);

/** @return 1 when the other members gave at least ten answers in the window,
 * of which at most a tenth are 5xx */
int lbs_evidence_others_clear(const lbs_evidence_t *evidence);

/** Note that the member is out for its 5xx, or that it is no longer. */
void lbs_evidence_accuse(lbs_evidence_t *evidence, int accused);

/** @return 1 while the member is out for its 5xx */
int lbs_evidence_accused(const lbs_evidence_t *evidence);

/** Forget what it answered: when a member is ejected, and when it is back. */
void lbs_evidence_forget(lbs_evidence_t *evidence);

/* Charges ----------------------------------------------------------------- */

/**
 * May an attempt move the estimate of the response time? Not when it began
 * before the member came back: it says nothing of the time since.
 *
 * @param began  microseconds, monotonic
 * @return 1 or 0
 */
int lbs_evidence_is_recent(const lbs_evidence_t *evidence, apr_uint64_t began);

/** The estimate was charged for a failure or a 5xx. @param began  when that
 * attempt began: those under way at the same time count as one */
void lbs_evidence_charged(lbs_evidence_t *evidence, apr_uint64_t began,
                          apr_uint64_t now);

/** A good answer: the next charge is the first in a row. */
void lbs_evidence_answered_well(lbs_evidence_t *evidence);

/** @return 1, once, when the last charge is over: the caller lets the estimate
 * begin again at the median. One process, at every tick. */
int lbs_evidence_is_over(lbs_evidence_t *evidence, apr_uint64_t now);

/** The member is back, and its estimate begins again: charges, answers and
 * attempts under way belong to the time before. */
void lbs_evidence_begin_anew(lbs_evidence_t *evidence, apr_uint64_t now);

#endif
