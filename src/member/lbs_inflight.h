/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_inflight.h - attempts in flight, counted so that a killed process cannot
 * spoil the count.
 *
 * Each member's gauge holds the sum over all processes, which is what picks
 * and limits look at. A sum alone would keep what a killed child had in
 * flight, for ever. So every child also keeps a row of its own with one cell
 * per member. The row is the truth, the sum is its cache: when a child is
 * gone, the sums are set to the total of the rows that are left. The same
 * cells say how many attempts wait for an answer, and the row's token marks
 * everything else a child may hold: a trial, a check, a place in a queue.
 *
 * Nothing here locks, waits or calls the system. A reaper may be killed at
 * any instruction, or work beside another one; what is left is found by the
 * next. lbs_inflight.c has the argument, t/unit/member/row_kill.c the proof.
 */
#ifndef LBS_INFLIGHT_H
#define LBS_INFLIGHT_H

#include <apr.h>
#include <apr_errno.h>

#include "src/member/lbs_gauge.h"

#define LBS_ROWS_MAX 65534u
/* The row shared by children that found no free one. */
#define LBS_INFLIGHT_COMMON 0u

/* One process's view of the shared rows; copy it freely. */
typedef struct lbs_rows_t {
    lbs_atomic64_t *owners;
    lbs_atomic64_t *cells;
    apr_uint32_t rows;
    apr_uint32_t slots;
    apr_uint32_t stride; /* cells from one row to the next */
} lbs_rows_t;

/* A child's row: claimed once, then only read by its threads. */
typedef struct lbs_inflight_t {
    apr_uint32_t index;
    apr_uint32_t token; /* never 0; no two children have the same one */
} lbs_inflight_t;

/* One attempt; belongs to the request that makes it. All zero: none. */
typedef struct lbs_flight_t {
    apr_uint32_t slot;
    unsigned aloft : 1;   /* entered, not yet left */
    unsigned waiting : 1; /* no answer yet */
    unsigned trial : 1;   /* the one attempt a half-open member gets */
} lbs_flight_t;

/**
 * @param rows   children at one time, two generations of them, plus one
 * @param slots  member slots
 * @return bytes to allocate; 0: rows is out of 2..LBS_ROWS_MAX or the size
 *         does not fit
 */
apr_size_t lbs_rows_bytes(apr_uint32_t rows, apr_uint32_t slots);

/**
 * Look at shared rows. Memory of zeros is a valid set of free rows.
 *
 * @param block  lbs_rows_bytes(rows, slots) bytes, aligned to 64; it outlives
 *               the view
 */
void lbs_rows_open(lbs_rows_t *view, void *block, apr_uint32_t rows,
                   apr_uint32_t slots);

/**
 * Take a row for this process. Call once per child, before its first attempt.
 *
 * @param pid  of the calling process, not 0
 * @param row  out, always
 * @return APR_SUCCESS; APR_ENOSPC: all rows are taken and *row is the common
 *         one: counts stay exact, but what this child leaves behind when it
 *         is killed stays, and it cannot try half-open members
 */
apr_status_t lbs_inflight_claim(const lbs_rows_t *view, apr_uint32_t pid,
                                lbs_inflight_t *row);

/**
 * Begin an attempt: count it, unless the member does not take it. Decides
 * for real what lbs_gauge_full() and lbs_gauge_open_kept() only expect.
 *
 * Lock-free. The sum is never above the limit, however many processes enter at
 * once.
 *
 * @param gauge   the gauge of that slot
 * @param flight  out; written only on APR_SUCCESS
 * @return APR_SUCCESS: lbs_inflight_leave() is due; APR_EBUSY: the limit is
 *         reached, wait or go elsewhere; APR_EAGAIN: closed meanwhile, or
 *         half-open and another request tries it, go elsewhere; APR_EINVAL: no
 *         such slot
 */
apr_status_t lbs_inflight_enter(const lbs_rows_t *view,
                                const lbs_inflight_t *row, apr_uint32_t slot,
                                lbs_gauge_t *gauge, lbs_flight_t *flight);

/* Beside the reasons that lbs_inflight_enter_anyway() ignores: the limit. */
#define LBS_INFLIGHT_OVER 0x80000000u

/**
 * The same for a request that is refused unless this member takes it: it is
 * not kept out by some reasons, and is no trial.
 *
 * @param ignored  of LBS_F_CLOSED, and LBS_INFLIGHT_OVER
 * @return as lbs_inflight_enter()
 */
apr_status_t lbs_inflight_enter_anyway(const lbs_rows_t *view,
                                       const lbs_inflight_t *row,
                                       apr_uint32_t slot, lbs_gauge_t *gauge,
                                       apr_uint32_t ignored,
                                       lbs_flight_t *flight);

/** The member answered: the attempt stays in flight but waits no more.
 * Calling it again, or for no attempt, does nothing. */
void lbs_inflight_heard(const lbs_rows_t *view, const lbs_inflight_t *row,
                        lbs_flight_t *flight);

/** The bytes heard were no answer yet: the attempt waits again. For an attempt
 * that waits, or for none, it does nothing. */
void lbs_inflight_unheard(const lbs_rows_t *view, const lbs_inflight_t *row,
                          lbs_flight_t *flight);

/**
 * End an attempt, answered or not. The verdict on it, lbs_eject_answered() or
 * lbs_eject_failed(), has to be given before: when a trial leaves, the next
 * one may enter. Calling it again, or for no attempt, does nothing.
 */
void lbs_inflight_leave(const lbs_rows_t *view, const lbs_inflight_t *row,
                        lbs_gauge_t *gauge, lbs_flight_t *flight);

/** @return attempts in all living rows that wait for this member's answer.
 * Cost: one read per row; for the tick, and there only for members with
 * something in flight. */
apr_uint32_t lbs_rows_waiting(const lbs_rows_t *view, apr_uint32_t slot);

/** @return the process that owns a row, dead or alive; 0: none */
apr_uint32_t lbs_inflight_pid(const lbs_rows_t *view, apr_uint32_t index);

/**
 * Declare the owner of a row dead. From now on the row does not count and
 * cannot be claimed until lbs_inflight_reap() has freed it; in between, drop
 * what else the token holds (lbs_check_abandon(), lbs_queue_abandon()).
 *
 * @param pid  the process that is known to be gone
 * @param row  out on APR_SUCCESS: the dead child's row and token
 * @return APR_SUCCESS, also when it was declared before; APR_NOTFOUND: the
 *         row is not that process's (any more)
 */
apr_status_t lbs_inflight_condemn(const lbs_rows_t *view, apr_uint32_t index,
                                  apr_uint32_t pid, lbs_inflight_t *row);

/**
 * Is a row condemned and not yet free? The tick asks for every row: then some
 * member was too busy when it was reaped, or the reaper died, and dropping
 * and reaping have to be repeated.
 *
 * @param row  out when it is: the dead child's row and token
 * @return 1 or 0
 */
int lbs_inflight_condemned(const lbs_rows_t *view, apr_uint32_t index,
                           lbs_inflight_t *row);

/**
 * Take back what a condemned row had in flight, release its trials, and free
 * it. Any process may call this at any time, several at once, again after
 * one of them was killed: the sums come out exact.
 *
 * Cost: one read per slot, and two reads of every row for each slot the dead
 * child had something in flight at.
 *
 * @param row     from lbs_inflight_condemn()
 * @param gauges  all gauges, by slot
 * @return APR_SUCCESS: all done and the row is free; APR_EAGAIN: some member
 *         was too busy to be looked at, call again at the next tick;
 *         APR_NOTFOUND: already freed
 */
apr_status_t lbs_inflight_reap(const lbs_rows_t *view,
                               const lbs_inflight_t *row, lbs_gauge_t *gauges);

#endif
