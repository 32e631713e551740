/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check_seat.h - one member: its checks and probes, and what follows from
 * them.
 *
 * There are two errands to a member. The one finds out whether it is up: the
 * check of LBStickyCheck; or, without that, a connection, and only while the
 * member is in doubt. The other is a probe (lbs_probe.h), when the tick wants
 * one. Beside a check, which may be slow, there may be a probe; a connection
 * and a probe are never under way together.
 *
 * A suspect (lbs_suspect.h) is probed out of turn, and a well member of the
 * pool once beside it: the seats of a pool are a ring, in which the next one
 * that is well is taken as the control. When the control has answered well the
 * suspect is asked by three at a time, so that fewer visitors meet it.
 *
 * Seats belong to the thread that checks; members are shared.
 */
#ifndef LBS_CHECK_SEAT_H
#define LBS_CHECK_SEAT_H

#include "src/httpd/check/lbs_check_call.h"
#include "src/httpd/check/lbs_check_request.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/evidence/lbs_inquiry.h"

typedef struct lbs_check_seat_t lbs_check_seat_t;

#define LBS_CHECK_SEAT_MORE 2 /* probes of a suspect beside the first */

typedef enum lbs_check_errand_kind_t {
    LBS_CHECK_ERRAND_REACH, /* the check, or a connection */
    LBS_CHECK_ERRAND_PROBE,
    LBS_CHECK_ERRAND_MORE /* one more probe, of a suspect; it has no ticket */
} lbs_check_errand_kind_t;

typedef struct lbs_check_errand_t {
    lbs_check_seat_t *seat;
    lbs_check_errand_kind_t kind;
    int described; /* the request is */
    lbs_check_request_t request;
    apr_uint64_t ticket; /* while call is not NULL */
    apr_uint64_t began;
    int asks_suspect;          /* a probe out of turn */
    lbs_check_seat_t *suspect; /* whose control this probe is; NULL: none's */
    apr_uint32_t number;       /* of its inquiry */
    lbs_check_call_t *call;    /* NULL: at rest */
} lbs_check_errand_t;

struct lbs_check_seat_t {
    const lbs_pool_t *pool;
    const lbs_member_t *member;
    const lbs_check_conf_t *conf; /* NULL: the pool has no checks */
    const lbs_check_tls_t *tls;
    lbs_probe_kind_t kind;
    int reaches; /* a connection is one to the member */
    lbs_check_errand_t reach;
    lbs_check_errand_t probe;
    lbs_check_errand_t more[LBS_CHECK_SEAT_MORE];
    lbs_inquiry_t inquiry;
    lbs_check_seat_t *next; /* of the pool's, in a ring */
};

/** @return 1 when the pool has LBStickyCheck */
int lbs_check_seat_is_checked(const lbs_pool_t *pool);

/** Make the seat of a member; in post_config.
 * @param memory  for what is forgotten at once */
void lbs_check_seat_init(lbs_check_seat_t *seat, apr_pool_t *memory,
                         const lbs_pool_t *pool, const lbs_member_t *m,
                         const lbs_check_conf_t *conf,
                         const lbs_check_tls_t *tls);

/** Forget the state of an earlier thread: before the first errand. */
void lbs_check_seat_reset(lbs_check_seat_t *seat);

/**
 * Begin what is due. Cost for a member that is known to be well: some reads.
 *
 * @param memory  what a first errand needs lives as long as the seat is used
 * @return number of errands begun
 */
int lbs_check_seat_begin(lbs_check_seat_t *seat, apr_pool_t *memory,
                         CURLM *multi);

/** @return 1 while the member is asked in quick succession: look often */
int lbs_check_seat_is_hot(const lbs_check_seat_t *seat);

/** An errand came to its end: report its result. */
void lbs_check_seat_finish(lbs_check_errand_t *errand, CURLM *multi);

/** Give up what is under way. */
void lbs_check_seat_give_up(lbs_check_seat_t *seat, CURLM *multi);

/** A member that is no longer checked is up, unless its last check did not
 * get a connection: then it is in doubt. Also in the process that ticks. */
void lbs_check_seat_release(const lbs_check_seat_t *seat);

#endif
