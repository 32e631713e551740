/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wish.h - a ring in which requests ask the writer of the rosters.
 *
 * Only the process that ticks changes a roster. A request that wants a member
 * added puts a wish into this ring, in shared memory, and waits for the
 * answer. A place of the ring goes round:
 *
 *     free -> written -> asked -> taken -> answered -> free
 *      writer takes it    |        |         writer reads it
 *                         |        the ticking process
 *                         writer withdraws it
 *
 * Each step replaces one word, which also has the turn of the place and when
 * the step was made. Any process may die between two steps: a place whose last
 * step is older than LBS_WISH_KEPT is free. A process that was only stopped
 * and goes on writing a wish or an answer in a place that another has by then
 * spoils what is there; a seal over turn and contents tells, and the wish is
 * lost, which its writer is told.
 *
 * Never locks, waits or reads a clock.
 */
#ifndef LBS_WISH_H
#define LBS_WISH_H

#include <apr.h>
#include <apr_time.h>

#include "src/base/lbs_atomic.h"

#define LBS_WISH_PLACES 64
#define LBS_WISH_KEPT apr_time_from_sec(5)
#define LBS_WISH_URL 640 /* bytes, with the NUL; likewise the others */
#define LBS_WISH_TEXT 192

typedef enum lbs_wish_kind_t {
    LBS_WISH_ADD,      /* an operator: the member is there */
    LBS_WISH_REMOVE,   /* an operator: it leaves */
    LBS_WISH_REGISTER, /* the member: it is there, for a lease */
    LBS_WISH_LEAVE,    /* the member: it leaves */
    LBS_WISH_KINDS
} lbs_wish_kind_t;

#define LBS_WISH_UNSAID APR_UINT32_MAX /* a weight */

/* Unused bytes are zero. */
typedef struct lbs_wish_t {
    apr_uint32_t kind; /* lbs_wish_kind_t */
    apr_uint32_t pool_slot;
    apr_uint32_t member_slot; /* of LBS_WISH_REMOVE */
    apr_uint32_t weight;      /* 1/100 */
    apr_uint32_t lbset;
    apr_uint32_t unused;
    apr_int64_t deadline; /* microseconds from now; -1: not said */
    apr_int64_t idle;     /* microseconds; -1: not said */
    apr_int64_t lease;    /* microseconds */
    char url[LBS_WISH_URL];
    char reason[LBS_WISH_TEXT]; /* for the event */
} lbs_wish_t;

typedef struct lbs_wish_answer_t {
    apr_uint32_t status;      /* as of HTTP; 200: it is done */
    apr_uint32_t slot;        /* of the member, then */
    char text[LBS_WISH_TEXT]; /* why not */
} lbs_wish_answer_t;

#define LBS_WISH_WORDS (sizeof(lbs_wish_t) / 8)
#define LBS_WISH_ANSWER_WORDS (sizeof(lbs_wish_answer_t) / 8)

_Static_assert(sizeof(lbs_wish_t) % 8 == 0, "whole words");
_Static_assert(sizeof(lbs_wish_answer_t) % 8 == 0, "whole words");

typedef struct lbs_wish_place_t {
    lbs_atomic64_t word; /* step 3 | turn 29 | at, milliseconds 32 */
    lbs_atomic64_t seal;
    lbs_atomic64_t answer_seal;
    lbs_atomic64_t wish[LBS_WISH_WORDS];
    lbs_atomic64_t answer[LBS_WISH_ANSWER_WORDS];
} lbs_wish_place_t;

/* All bytes zero: nobody asks. Private to lbs_wish.c. */
typedef struct lbs_wish_ring_t {
    lbs_atomic64_t turns;
    lbs_wish_place_t place[LBS_WISH_PLACES];
} lbs_wish_ring_t;

/* A wish in the ring. */
typedef struct lbs_wish_ticket_t {
    apr_uint32_t place;
    apr_uint64_t word;
} lbs_wish_ticket_t;

typedef enum lbs_wish_state_t {
    LBS_WISH_WAITS,
    LBS_WISH_ANSWERED, /* the place is free again */
    LBS_WISH_LOST      /* nobody will answer */
} lbs_wish_state_t;

/**
 * Put a wish into the ring.
 *
 * @param now     monotonic microseconds; likewise below
 * @param ticket  out: for the functions below
 * @return 1; 0: all places are taken
 */
int lbs_wish_put(lbs_wish_ring_t *ring, const lbs_wish_t *wish, apr_time_t now,
                 lbs_wish_ticket_t *ticket);

/** Look for the answer. @param answer  out, with LBS_WISH_ANSWERED */
lbs_wish_state_t lbs_wish_look(lbs_wish_ring_t *ring,
                               const lbs_wish_ticket_t *ticket,
                               lbs_wish_answer_t *answer);

/** Wait no longer. @return 1: it was not done, and will not be; 0: it was
 * taken, and may be done or not */
int lbs_wish_withdraw(lbs_wish_ring_t *ring, const lbs_wish_ticket_t *ticket);

/**
 * Take the oldest wish. For the ticking process, which gives an answer to each
 * that it took.
 *
 * @param wish  out; all texts end
 * @return 1; 0: there is none
 */
int lbs_wish_take(lbs_wish_ring_t *ring, apr_time_t now, lbs_wish_t *wish,
                  lbs_wish_ticket_t *ticket);

/** Answer a wish that was taken; for nothing where its place has another by
 * now. */
void lbs_wish_answer(lbs_wish_ring_t *ring, const lbs_wish_ticket_t *ticket,
                     const lbs_wish_answer_t *answer, apr_time_t now);

#endif
