/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check.h - active checks: when to make one, and what it means.
 *
 * The caller makes the request; this file decides when it is due, lets one
 * process make it, and judges whether the member is up. Only results in a row
 * count: `fall` bad ones make it down, `rise` good ones up, a result of the
 * other kind begins the row anew. Before its first check a member is up.
 *
 * The first checks of all members are spread over the interval by their
 * identity, later ones keep their distance with a little jitter. While a
 * member is down, or its results disagree with its state, it is looked at
 * twice as often, so a flapping one is checked twice per interval at most.
 * A member without checks is connected to in the same way while it is in doubt
 * (lbs_member_record_in_doubt()): then the first one is due at once, and each
 * result counts.
 *
 * One check per member is outstanding; the claim of a process that died, or
 * that sits on it long after the time-out, is free again.
 */
#ifndef LBS_CHECK_H
#define LBS_CHECK_H

#include <apr.h>
#include <apr_errno.h>

#include "src/base/lbs_text.h"
#include "src/member/lbs_gauge.h"
#include "src/member/lbs_shared_text.h"

#define LBS_CHECK_GRACE_US 2000000 /* past the time-out before it is lost */

typedef struct lbs_check_conf_t {
    apr_int64_t interval_us;
    apr_int64_t timeout_us;
    apr_uint32_t rise;
    apr_uint32_t fall;
    const lbs_statuses_t *expect;
    const char *expect_text; /* as the administrator wrote it */
} lbs_check_conf_t;

/* Shared, one per member; all zero when new. Private to lbs_check.c. */
typedef struct lbs_check_t {
    lbs_atomic64_t claim;   /* owner's token 32 | began, ms 32; 0: nobody */
    lbs_atomic64_t due;     /* microseconds; 0: not yet planned */
    lbs_atomic64_t ended;   /* microseconds, the last result; 0: none yet */
    lbs_atomic32_t row;     /* equal results in a row */
    lbs_atomic32_t last;    /* of the last one: good, connected, in doubt */
    lbs_shared_text_t text; /* what the last one found */
} lbs_check_t;

/* What a check found. */
typedef struct lbs_check_result_t {
    int good;
    int connected;    /* it accepted the connection, at least */
    const char *text; /* for people; see lbs_check_say_status() */
    int in_doubt;     /* there are no checks: made because of a doubt */
} lbs_check_result_t;

typedef enum lbs_check_turn_t {
    LBS_CHECK_NONE,
    LBS_CHECK_DOWN, /* tell it, with the text */
    LBS_CHECK_UP    /* tell it, and begin the slow start */
} lbs_check_turn_t;

/* A snapshot. */
typedef struct lbs_check_view_t {
    int known;       /* 0: never checked, the rest is empty */
    int ok;          /* the last one was good */
    int connected;   /* the last one got a connection */
    int in_doubt;    /* the last one was made because of a doubt */
    apr_uint64_t at; /* microseconds, monotonic: when the last one ended */
    char text[LBS_SHARED_TEXT_LEN];
} lbs_check_view_t;

/**
 * May this process make a check of the member now? Call it at every tick; it
 * plans the first check, too.
 *
 * @param identity  64 bits that name the member, the same in every process
 * @param token     the caller's lbs_inflight_t.token
 * @param ticket    out on APR_SUCCESS: for lbs_check_end()
 * @return APR_SUCCESS: make it, lbs_check_end() or lbs_check_drop() is due;
 *         APR_EAGAIN: not due; APR_EBUSY: one is outstanding
 */
apr_status_t lbs_check_begin(lbs_check_t *check, const lbs_check_conf_t *conf,
                             apr_uint64_t identity, apr_uint32_t token,
                             apr_uint64_t now, apr_uint64_t *ticket);

/**
 * Report what a check found. One that was lost to another process meanwhile,
 * because it came too late, changes nothing.
 *
 * @return what to tell
 */
lbs_check_turn_t lbs_check_end(lbs_check_t *check,
                               const lbs_check_conf_t *conf, lbs_gauge_t *g,
                               apr_uint64_t ticket,
                               const lbs_check_result_t *result,
                               apr_uint64_t now);

/** The member is in doubt: let a check be due then, unless one is planned for
 * a time within the interval. */
void lbs_check_hurry(lbs_check_t *check, const lbs_check_conf_t *conf,
                     apr_uint64_t now, apr_uint64_t then);

/** Give a check back without a result; it is due at once. */
void lbs_check_drop(lbs_check_t *check, apr_uint64_t ticket);

/** Give back what a dead process had begun: by its row's token, between
 * lbs_inflight_condemn() and lbs_inflight_reap(). */
void lbs_check_abandon(lbs_check_t *check, apr_uint32_t token);

/**
 * Checks are off, or on again: forget the results and, if they made the
 * member down, take that back.
 *
 * @return 1 if it was down
 */
int lbs_check_forget(lbs_check_t *check, lbs_gauge_t *g);

/** @return 1 when the last result is that of a member without checks: if it
 * is down, then because it cannot be connected to */
int lbs_check_is_in_doubt(const lbs_check_t *check);

/** Take a snapshot. */
void lbs_check_view(const lbs_check_t *check, lbs_check_view_t *view);

/**
 * Judge an answer.
 *
 * @param status  of the answer
 * @param text    out, LBS_SHARED_TEXT_LEN bytes: "HTTP 200", "HTTP 400, want
 * 200-399"
 * @return 1 if the status is expected
 */
int lbs_check_say_status(const lbs_check_conf_t *conf, int status, char *text);

/**
 * Name a failure.
 *
 * @param step   where it happened: "connect", "TLS", "answer"
 * @param error  what happened, may come from a library
 * @param text   out, LBS_SHARED_TEXT_LEN bytes: "connect: Connection refused"
 */
void lbs_check_say_error(const char *step, const char *error, char *text);

/** @param text  out, LBS_SHARED_TEXT_LEN bytes: "timeout after 2s" */
void lbs_check_say_timeout(const lbs_check_conf_t *conf, char *text);

#endif
