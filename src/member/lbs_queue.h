/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_queue.h - requests that wait for a full member, first come first served.
 *
 * One queue per member, shared by all processes. A waiting request takes a
 * ticket, asks from time to time whether it is its turn, and leaves when it
 * was admitted or gave up. Nothing blocks and nothing is woken: the caller
 * sleeps between two questions. A request that stops asking does no harm: the
 * entries of a killed child are dropped with its row, others at their
 * deadline, by the next request that looks.
 *
 * While a request waits, newcomers have to queue up as well, even if there is
 * room for a moment: else they would overtake it.
 */
#ifndef LBS_QUEUE_H
#define LBS_QUEUE_H

#include <apr.h>
#include <apr_errno.h>

#include "src/member/lbs_gauge.h"
#include "src/member/lbs_inflight.h"

#define LBS_QUEUE_PLACES 256u
#define LBS_QUEUE_WAIT_MAX_US APR_INT64_C(3600000000) /* longer is cut */

/* Shared, one per member; all zero when new. Private to lbs_queue.c. */
typedef struct lbs_queue_t {
    lbs_atomic64_t head; /* the first ticket that may still wait */
    lbs_atomic64_t tail; /* the next ticket */
    lbs_atomic64_t pad[6];
    lbs_atomic64_t places[LBS_QUEUE_PLACES];
} lbs_queue_t;

/**
 * Queue up.
 *
 * @param most     how many may wait: queue=N, at most LBS_QUEUE_PLACES count
 * @param row      of the calling child
 * @param wait_us  after this time the place is lost
 * @param ticket   out on APR_SUCCESS; lbs_queue_leave() is due
 * @return APR_SUCCESS; APR_ENOSPC: the queue is full
 */
apr_status_t lbs_queue_join(lbs_queue_t *queue, apr_uint32_t most,
                            const lbs_inflight_t *row, apr_int64_t wait_us,
                            apr_uint64_t now, apr_uint64_t *ticket);

/**
 * Is it this request's turn? It is when fewer wait before it than the member
 * has room for. Cost: one read per request before it.
 *
 * @return APR_SUCCESS: try lbs_inflight_enter(), then leave; if that says
 *         APR_EBUSY, ask again later; APR_EAGAIN: not yet; APR_TIMEUP: the
 *         time is over, the ticket is void
 */
apr_status_t lbs_queue_turn(lbs_queue_t *queue, const lbs_gauge_t *g,
                            apr_uint64_t now, apr_uint64_t ticket);

/** Give the ticket back, admitted or not. A void one is ignored. */
void lbs_queue_leave(lbs_queue_t *queue, apr_uint64_t now,
                     apr_uint64_t ticket);

/** @return 1 if no request waits: a request may go without a ticket. One
 * read. */
int lbs_queue_empty(const lbs_queue_t *queue);

/** @return how many wait. Cost: one read per place between the first and the
 * last of them. */
apr_uint32_t lbs_queue_waiting(const lbs_queue_t *queue, apr_uint64_t now);

/** Drop what is past its deadline: at every tick, or once a second. */
void lbs_queue_tick(lbs_queue_t *queue, apr_uint64_t now);

/** Drop the entries of a dead child: between lbs_inflight_condemn() and
 * lbs_inflight_reap(). */
void lbs_queue_abandon(lbs_queue_t *queue, const lbs_inflight_t *row,
                       apr_uint64_t now);

#endif
