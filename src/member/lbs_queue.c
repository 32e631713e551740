/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_queue.c - a ring of tickets that no killed process can block.
 *
 *     place   ticket 16 | child 22 | deadline, ms 24 | state 2
 *
 * Ticket t has the place t modulo 256 and is taken by one compare-and-swap
 * there; only then is the tail raised, by the taker or by the next one that
 * finds the place taken. To leave is to mark the place GONE; the next request
 * that looks at the queue raises the head over such places. So every step is
 * one word, a request that dies leaves at most its own place behind, and that
 * has a deadline and names its child.
 *
 * A place is only taken while the tail still stands there, which the taker
 * checks after it read the place: so what it replaces is an older ticket's
 * word, and if another request took the ticket meanwhile the swap fails.
 *
 * Tickets and deadlines are compared in their low bits. To mistake one for
 * another, a process would have to sleep between a read and a swap while 65536
 * others queue up, and then find the same child and millisecond again.
 */
#include "src/member/lbs_queue.h"

#define NEVER 0u /* a new queue's places */
#define WAITING 1u
#define GONE 2u
#define STATE_OF(word) ((apr_uint32_t)(word)&3u)
#define DEADLINE_OF(word) ((apr_uint32_t)((word) >> 2) & 0xffffffu)
#define CHILD_OF(word) ((apr_uint32_t)((word) >> 26) & 0x3fffffu)
#define TICKET_OF(word) ((word) >> 48)
#define LOW(ticket) ((ticket)&0xffffu)

/* The row and six bits of its generation. */
static apr_uint32_t child_of(const lbs_inflight_t *row)
{
    return (row->index | (row->token & 0x3f0000u));
}

static apr_uint64_t place_word(apr_uint64_t ticket, const lbs_inflight_t *row,
                               apr_uint64_t deadline_us)
{
    return (LOW(ticket) << 48) | ((apr_uint64_t)child_of(row) << 26)
           | ((deadline_us / 1000 & 0xffffffu) << 2) | WAITING;
}

static lbs_atomic64_t *place_of(lbs_queue_t *queue, apr_uint64_t ticket)
{
    return &queue->places[ticket % LBS_QUEUE_PLACES];
}

static int expired(apr_uint64_t word, apr_uint64_t now)
{
    apr_uint64_t late = (now / 1000 - DEADLINE_OF(word)) & 0xffffffu;

    return late < 0x800000u;
}

static int waits(apr_uint64_t word, apr_uint64_t ticket, apr_uint64_t now)
{
    return STATE_OF(word) == WAITING && TICKET_OF(word) == LOW(ticket)
           && !expired(word, now);
}

/* @return 0: another process changed the place first */
static int mark_gone(lbs_atomic64_t *place, apr_uint64_t word)
{
    return lbs_atomic_cas64(place, &word, (word & ~APR_UINT64_C(3)) | GONE);
}

/* Raise the head over places without a waiting request. At most one round. */
static apr_uint64_t advance(lbs_queue_t *queue, apr_uint64_t now)
{
    apr_uint64_t head = lbs_atomic_load64_acquire(&queue->head);
    apr_uint32_t step;

    for (step = 0; step < LBS_QUEUE_PLACES; step++) {
        lbs_atomic64_t *place = place_of(queue, head);
        apr_uint64_t word;

        if (head == lbs_atomic_load64_acquire(&queue->tail)) {
            break;
        }
        word = lbs_atomic_load64_acquire(place);
        if (waits(word, head, now)) {
            break;
        }
        if (STATE_OF(word) == WAITING && TICKET_OF(word) == LOW(head)
            && !mark_gone(place, word)) {
            break; /* the process that changed it goes on */
        }
        if (lbs_atomic_cas64(&queue->head, &head, head + 1)) {
            head++;
        }
    }
    return head;
}

/* How many wait with tickets from `from` up to but not including `to`. */
static apr_uint32_t count(const lbs_queue_t *queue, apr_uint64_t from,
                          apr_uint64_t to, apr_uint64_t now)
{
    apr_uint32_t sum = 0;

    if (to - from > LBS_QUEUE_PLACES) {
        from = to - LBS_QUEUE_PLACES;
    }
    for (; from != to; from++) {
        apr_uint64_t word =
            lbs_atomic_load64_acquire(&queue->places[from % LBS_QUEUE_PLACES]);

        sum += waits(word, from, now) ? 1 : 0;
    }
    return sum;
}

/* @return 1: taken; 0: look again */
static int take(lbs_queue_t *queue, apr_uint64_t ticket, apr_uint64_t seen,
                apr_uint64_t mine)
{
    apr_uint64_t tail = ticket;
    int taken = 0;

    if (STATE_OF(seen) == NEVER || TICKET_OF(seen) != LOW(ticket)) {
        if (lbs_atomic_load64_acquire(&queue->tail) != ticket) {
            return 0;
        }
        taken = lbs_atomic_cas64(place_of(queue, ticket), &seen, mine);
    }
    /* The place is taken, by us or by another: move the tail on, if nobody has
     * yet. */
    (void)lbs_atomic_cas64(&queue->tail, &tail, ticket + 1);
    return taken;
}

apr_status_t lbs_queue_join(lbs_queue_t *queue, apr_uint32_t most,
                            const lbs_inflight_t *row, apr_int64_t wait_us,
                            apr_uint64_t now, apr_uint64_t *ticket)
{
    if (wait_us > LBS_QUEUE_WAIT_MAX_US) {
        wait_us = LBS_QUEUE_WAIT_MAX_US;
    }
    for (;;) {
        apr_uint64_t head = advance(queue, now);
        apr_uint64_t tail = lbs_atomic_load64_acquire(&queue->tail);
        apr_uint64_t seen = lbs_atomic_load64_acquire(place_of(queue, tail));
        apr_uint64_t mine = place_word(tail, row, now + (apr_uint64_t)wait_us);

        /* If another request joins between this count and our swap, it has the
         * ticket, our swap fails, and we count again. */
        if (tail - head >= LBS_QUEUE_PLACES
            || count(queue, head, tail, now) >= most) {
            return APR_ENOSPC;
        }
        if (take(queue, tail, seen, mine)) {
            *ticket = tail;
            return APR_SUCCESS;
        }
    }
}

apr_status_t lbs_queue_turn(lbs_queue_t *queue, const lbs_gauge_t *g,
                            apr_uint64_t now, apr_uint64_t ticket)
{
    apr_uint64_t word = lbs_atomic_load64_acquire(place_of(queue, ticket));
    apr_uint32_t limit = lbs_atomic_load32_relaxed(&g->limit);
    apr_uint32_t inflight = lbs_gauge_inflight(g);
    apr_uint64_t head;

    if (!waits(word, ticket, now)) {
        lbs_queue_leave(queue, now, ticket);
        return APR_TIMEUP;
    }
    if (limit == 0) {
        return APR_SUCCESS;
    }
    head = advance(queue, now);
    if (inflight >= limit
        || (head < ticket
            && count(queue, head, ticket, now) >= limit - inflight)) {
        return APR_EAGAIN;
    }
    return APR_SUCCESS;
}

void lbs_queue_leave(lbs_queue_t *queue, apr_uint64_t now, apr_uint64_t ticket)
{
    lbs_atomic64_t *place = place_of(queue, ticket);
    apr_uint64_t word = lbs_atomic_load64_acquire(place);

    if (STATE_OF(word) == WAITING && TICKET_OF(word) == LOW(ticket)) {
        (void)mark_gone(place, word); /* or it expired just now */
    }
    (void)advance(queue, now);
}

int lbs_queue_empty(const lbs_queue_t *queue)
{
    return lbs_atomic_load64_relaxed(&queue->head)
           == lbs_atomic_load64_relaxed(&queue->tail);
}

apr_uint32_t lbs_queue_waiting(const lbs_queue_t *queue, apr_uint64_t now)
{
    apr_uint64_t head = lbs_atomic_load64_acquire(&queue->head);

    return count(queue, head, lbs_atomic_load64_acquire(&queue->tail), now);
}

void lbs_queue_tick(lbs_queue_t *queue, apr_uint64_t now)
{
    apr_uint32_t i;

    if (lbs_queue_empty(queue)) {
        return;
    }
    for (i = 0; i < LBS_QUEUE_PLACES; i++) {
        apr_uint64_t word = lbs_atomic_load64_acquire(&queue->places[i]);

        if (STATE_OF(word) == WAITING && expired(word, now)) {
            (void)mark_gone(&queue->places[i], word); /* or it left */
        }
    }
    (void)advance(queue, now);
}

void lbs_queue_abandon(lbs_queue_t *queue, const lbs_inflight_t *row,
                       apr_uint64_t now)
{
    apr_uint32_t i;

    for (i = 0; i < LBS_QUEUE_PLACES; i++) {
        apr_uint64_t word = lbs_atomic_load64_acquire(&queue->places[i]);

        if (STATE_OF(word) == WAITING && CHILD_OF(word) == child_of(row)) {
            (void)mark_gone(&queue->places[i], word); /* or it expired */
        }
    }
    (void)advance(queue, now);
}
