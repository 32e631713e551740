/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_probe.h - questions of our own to a member in doubt.
 *
 * A member that lost a request, stays silent or is ejected may be well, slow
 * or dead. A visitor's request would find out at that visitor's cost; a probe
 * costs no visitor anything. The tick says how often a member is to be asked
 * (lbs_probe_want()), the process that makes checks asks, and the tick reads
 * the result (lbs_probe_view()). A member that is known to be well is not
 * asked at all.
 *
 * One probe per member is outstanding; the claim of a process that died, or
 * that keeps it long after the time-out, is free again.
 */
#ifndef LBS_PROBE_H
#define LBS_PROBE_H

#include <apr.h>
#include <apr_errno.h>

#include "src/member/lbs_gauge.h"

#define LBS_PROBE_TIMEOUT_US                                                  \
    1000000                        /* a probe waits so long for an answer     \
                                    */
#define LBS_PROBE_GRACE_US 2000000 /* past it before a claim is lost */

/* What a member can be asked. */
typedef enum lbs_probe_kind_t {
    LBS_PROBE_HTTP,    /* a request; all zero: a new record */
    LBS_PROBE_CONNECT, /* for a connection only: any other scheme */
    LBS_PROBE_NEVER    /* it is reached through a proxy that is not ours */
} lbs_probe_kind_t;

/* Results, from worst to best. */
typedef enum lbs_probe_found_t {
    LBS_PROBE_UNKNOWN,
    LBS_PROBE_SILENT, /* no connection, or no answer in time */
    LBS_PROBE_ERROR,  /* an answer: 5xx, or it broke off */
    LBS_PROBE_WELL    /* any other answer; a connection, where that is all */
} lbs_probe_found_t;

/* Shared, one per member; all zero when new. Private to lbs_probe.c. */
typedef struct lbs_probe_t {
    lbs_atomic64_t claim;    /* owner's token 32 | began, ms 32; 0: nobody */
    lbs_atomic64_t asked_at; /* when the last one began; 0: never */
    lbs_atomic64_t found_at; /* when the last result came */
    lbs_atomic64_t began_at; /* when the probe of that result began */
    lbs_atomic64_t alive_at; /* when the last answer began to come */
    lbs_atomic32_t every_ms; /* 0: not wanted */
    lbs_atomic32_t found;    /* lbs_probe_found_t */
    lbs_atomic32_t kind;     /* lbs_probe_kind_t */
    lbs_atomic32_t spare;
    lbs_atomic64_t pad;
} lbs_probe_t;

_Static_assert(sizeof(lbs_probe_t) == 64, "one cache line");

/* A snapshot. Times are monotonic microseconds. */
typedef struct lbs_probe_view_t {
    lbs_probe_kind_t kind;
    lbs_probe_found_t found; /* LBS_PROBE_UNKNOWN: never asked */
    apr_uint64_t asked_at;
    apr_uint64_t began_at;
    apr_uint64_t found_at;
    apr_uint64_t alive_at;
} lbs_probe_view_t;

/** Note what a member can be asked: while a configuration is made. */
void lbs_probe_set_kind(lbs_probe_t *probe, lbs_probe_kind_t kind);

/** How often the member is to be asked from now on. One process, at every
 * tick. @param every_us  microseconds, up to an hour; 0: not at all */
void lbs_probe_want(lbs_probe_t *probe, apr_int64_t every_us);

/**
 * May this process ask the member now?
 *
 * @param token   the caller's lbs_inflight_t.token
 * @param ticket  out on APR_SUCCESS: for lbs_probe_end()
 * @return APR_SUCCESS: ask, lbs_probe_end() or lbs_probe_drop() is due;
 *         APR_EAGAIN: not wanted, or not yet; APR_EBUSY: one is outstanding
 */
apr_status_t lbs_probe_begin(lbs_probe_t *probe, apr_uint32_t token,
                             apr_uint64_t now, apr_uint64_t *ticket);

/** The same for a member that is asked out of turn: APR_EAGAIN is not
 * returned. */
apr_status_t lbs_probe_begin_at_once(lbs_probe_t *probe, apr_uint32_t token,
                                     apr_uint64_t now, apr_uint64_t *ticket);

/** The member has begun to answer, to a probe or a check: it lives. Requests
 * that cannot be repeated need not wait any longer. */
void lbs_probe_heard(lbs_probe_t *probe, lbs_gauge_t *gauge, apr_uint64_t now);

/**
 * Note the result of a probe or a check.
 *
 * @param began  when it was begun
 */
void lbs_probe_note(lbs_probe_t *probe, lbs_probe_found_t found,
                    apr_uint64_t began, apr_uint64_t now);

/** Report the result of a probe. A probe whose claim was lost to another
 * process changes nothing. */
void lbs_probe_end(lbs_probe_t *probe, apr_uint64_t ticket,
                   lbs_probe_found_t found, apr_uint64_t now);

/** Give a probe back without a result. */
void lbs_probe_drop(lbs_probe_t *probe, apr_uint64_t ticket);

/** Give back what a dead process had begun: by its row's token, see
 * lbs_check_abandon(). */
void lbs_probe_abandon(lbs_probe_t *probe, apr_uint32_t token);

/** Take a snapshot. */
void lbs_probe_view(const lbs_probe_t *probe, lbs_probe_view_t *view);

#endif
