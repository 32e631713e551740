/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_eject.h - when a member's own answers take it out, and back in.
 *
 *           failures in a row, half of the requests, a stall, 5xx
 *      OPEN ------------------------------------------------> HELD
 *        ^                                                    ^  |
 *        | the trial is answered,                             |  | hold over
 *        | or nobody came             a probe or the          |  v
 *      TRIAL <----------------------- trial fails ---- HALF-OPEN
 *             a probe is answered     (hold doubled)
 *
 * No visitor is risked before the member has answered a probe of our own
 * (lbs_probe.h); a hold whose probes failed at first ends as soon as one is
 * answered, but is never shorter than the least hold. Then one request at a
 * time is let through, which may be repeated, until one succeeds. If no such
 * request comes, the member opens all the same: it has answered. To visitors
 * HALF-OPEN is closed; what the gauge calls half-open is TRIAL.
 *
 * Any process judges, at the end of each of its attempts; one process ticks,
 * every 100 ms. A member's phase, hold and level are one word and a turn from
 * phase to phase is one compare-and-swap, so of all processes that try a turn
 * exactly one succeeds and reports it. The gauge's flags follow from the word;
 * if a process dies between the two, the next tick sets them.
 *
 * Before any turn there is doubt (lbs_gauge_risk()): a request was lost, or
 * the member has been silent for a quarter of what a stall takes. Until an
 * answer or a turn ends the doubt, only requests that can be repeated are sent
 * there.
 */
#ifndef LBS_EJECT_H
#define LBS_EJECT_H

#include <apr.h>

#include "src/evidence/lbs_evidence.h"
#include "src/member/lbs_gauge.h"
#include "src/member/lbs_stall.h"
#include "src/evidence/lbs_suspect.h"
#include "src/evidence/lbs_window.h"

#define LBS_EJECT_SHARE_MIN 10u /* requests before half of them count */
#define LBS_EJECT_PROBE_US                                                    \
    1000000                       /* an answer to a trial that goes on so     \
                                     long is a good one */
#define LBS_EJECT_DOUBT_US 500000 /* what a request that was lost leaves */
#define LBS_EJECT_ASK_US 1000000  /* an ejected member is asked so often */

typedef struct lbs_eject_conf_t {
    apr_uint32_t failures;    /* in a row; 0: no number of them ejects */
    apr_uint32_t cap_percent; /* of a pool that may be ejected at once */
    apr_int64_t window_us;    /* failures further apart are not in a row */
    apr_int64_t hold_min_us;
    apr_int64_t hold_max_us; /* also: up this long without, and holds start
                                at the minimum again */
    apr_int64_t stall_us;    /* 0: off; LBS_STALL_AUTO */
    int errors; /* 1: a 5xx that the others do not give is evidence */
} lbs_eject_conf_t;

/* Shared, one per member; all zero when new. Private to lbs_eject.c. */
typedef struct lbs_eject_t {
    lbs_atomic64_t hold;   /* phase, level, time: lbs_eject.c */
    lbs_atomic64_t streak; /* failures in a row, last at */
    lbs_window_t window;   /* requests, failed of them */
    lbs_stall_t stall;
    lbs_atomic64_t count;  /* holds ever */
    lbs_atomic32_t worst;  /* lbs_probe_found_t: in this hold */
    lbs_atomic32_t wanted; /* 1: by requests that may not be a trial */
    lbs_atomic64_t pad;
    lbs_evidence_t evidence; /* what the answers say: lbs_evidence.h */
    lbs_suspect_t suspect;   /* 5xx in a row: lbs_suspect.h */
} lbs_eject_t;

_Static_assert(sizeof(lbs_eject_t) == 576, "whole cache lines");

/* Shared, one per pool; all zero when new. Private to lbs_eject.c. */
typedef struct lbs_eject_pool_t {
    lbs_atomic64_t ejected;   /* changes 32 | not open 32 */
    lbs_atomic64_t doubt;     /* tick: ejected, when last found wrong */
    lbs_atomic32_t members;   /* configured */
    lbs_atomic32_t available; /* of these, closed by nothing but ejection */
    lbs_atomic64_t stall_us;  /* tick: so long a silence is a stall; 0: none */
    lbs_atomic64_t suspects;  /* how often a member became one, ever */
} lbs_eject_pool_t;

/* What one call works on; conf NULL: ejection is off, nothing ever turns. */
typedef struct lbs_eject_on_t {
    lbs_eject_t *record;
    lbs_gauge_t *gauge;
    lbs_eject_pool_t *pool;
    const lbs_eject_conf_t *conf;
} lbs_eject_on_t;

/* An attempt that came to its end. */
typedef struct lbs_eject_attempt_t {
    apr_uint64_t began; /* microseconds, monotonic */
    int trial;          /* lbs_flight_t.trial */
    int lost;           /* the member may have had the request, and we have
                           no answer */
} lbs_eject_attempt_t;

typedef enum lbs_eject_turn_t {
    LBS_EJECT_NONE,
    LBS_EJECT_EJECTED,   /* tell it, with the reason */
    LBS_EJECT_HALF_OPEN, /* tell it */
    LBS_EJECT_UP,        /* tell it, and begin the slow start */
    LBS_EJECT_CAPPED     /* deserved, but too many are out: nothing changed */
} lbs_eject_turn_t;

typedef enum lbs_eject_why_t {
    LBS_EJECT_FOR_STREAK,
    LBS_EJECT_FOR_SHARE,
    LBS_EJECT_FOR_STALL,
    LBS_EJECT_FOR_ERRORS,
    LBS_EJECT_FOR_PROBE
} lbs_eject_why_t;

/** @return the reason in words, for events and logs */
const char *lbs_eject_reason(lbs_eject_why_t why);

/**
 * An attempt was answered; give the verdict before lbs_inflight_leave().
 *
 * @return LBS_EJECT_NONE or LBS_EJECT_UP
 */
lbs_eject_turn_t lbs_eject_answered(const lbs_eject_on_t *on,
                                    const lbs_eject_attempt_t *attempt,
                                    apr_uint64_t now);

/**
 * An attempt failed by the member's fault; give the verdict before
 * lbs_inflight_leave(). Attempts begun before the member's last return are
 * ignored.
 *
 * @param why  out, with LBS_EJECT_EJECTED and LBS_EJECT_CAPPED
 * @return LBS_EJECT_NONE, LBS_EJECT_EJECTED or LBS_EJECT_CAPPED
 */
lbs_eject_turn_t lbs_eject_failed(const lbs_eject_on_t *on,
                                  const lbs_eject_attempt_t *attempt,
                                  apr_uint64_t now, lbs_eject_why_t *why);

/** A request came that must not be the trial. If no other comes, the answered
 * probe will soon be taken as the trial. */
void lbs_eject_turn_away(lbs_eject_t *record);

/**
 * An answer was a 5xx: that of the trial of a member that was ejected for its
 * 5xx has failed, unless the others give the same.
 *
 * @param why  out, with LBS_EJECT_EJECTED
 * @return LBS_EJECT_NONE: lbs_eject_answered() is due; LBS_EJECT_EJECTED
 */
lbs_eject_turn_t lbs_eject_erred(const lbs_eject_on_t *on,
                                 const lbs_eject_attempt_t *attempt,
                                 apr_uint64_t now, lbs_eject_why_t *why);

/**
 * Is what the member answered enough to eject it? One process, at every tick
 * and when a probe has ended, right after lbs_evidence_others() with the same
 * time.
 *
 * @param why  out, with LBS_EJECT_EJECTED and LBS_EJECT_CAPPED
 * @return LBS_EJECT_NONE, LBS_EJECT_EJECTED or LBS_EJECT_CAPPED
 */
lbs_eject_turn_t lbs_eject_judge(const lbs_eject_on_t *on, apr_uint64_t now,
                                 lbs_eject_why_t *why);

/** A request was lost, but that may have been the connection's fault: no
 * failure, only doubt. */
void lbs_eject_doubt(const lbs_eject_on_t *on, apr_uint64_t now);

/**
 * The ends of holds, stalls, trials that were answered but do not end, and
 * repairs. One process, about every 100 ms; two at once do no harm.
 *
 * @param why  out, with LBS_EJECT_EJECTED and LBS_EJECT_CAPPED
 * @return any turn
 */
lbs_eject_turn_t lbs_eject_tick(const lbs_eject_on_t *on,
                                const lbs_stall_news_t *news, apr_uint64_t now,
                                lbs_eject_why_t *why);

/**
 * How often is the member to be probed? For lbs_probe_want(), after
 * lbs_eject_tick() with the same news.
 *
 * @return microseconds; 0: not at all
 */
apr_int64_t lbs_eject_asks(const lbs_eject_on_t *on,
                           const lbs_stall_news_t *news, apr_uint64_t now);

/**
 * Open the member by order, whatever its phase, and forget how often it was
 * held.
 *
 * @return 1 if it was held or half-open, 0 if it was open
 */
int lbs_eject_lift(const lbs_eject_on_t *on, apr_uint64_t now);

/**
 * Tell a pool how large it is: before its first request, at every tick, and
 * after a change of the administrator. Also corrects the count of ejected
 * members: at once where it is too low, as when ejected members come back with
 * a reload; at the second time where it is too high, as when a process died
 * before it ejected.
 *
 * @param members    configured members
 * @param available  of these, members closed by nothing but ejection, and open
 * ones
 * @param ejected    of all, for how many lbs_eject_out() says 1
 */
void lbs_eject_recount(lbs_eject_pool_t *pool, apr_uint32_t members,
                       apr_uint32_t available, apr_uint32_t ejected);

/** @return 1 while held or half-open */
int lbs_eject_out(const lbs_eject_t *record);

/** @return end of the hold, monotonic microseconds; 0: not held */
apr_uint64_t lbs_eject_until(const lbs_eject_t *record);

/** @return failures without an answer between; 0: none, or ejection is off */
apr_uint32_t lbs_eject_in_row(const lbs_eject_t *record);

/** @return holds since the record is new */
apr_uint64_t lbs_eject_count(const lbs_eject_t *record);

/* What a state file keeps of a member's ejection. */
typedef struct lbs_eject_saved_t {
    apr_uint64_t left_us; /* of the hold; 0: half-open, or open */
    apr_uint64_t count;
    apr_uint32_t level; /* of the hold, or of the next one when open */
    apr_uint32_t out;   /* 1: held or half-open */
} lbs_eject_saved_t;

/** Write down where a record stands. */
void lbs_eject_save(const lbs_eject_t *record, apr_uint64_t now,
                    lbs_eject_saved_t *saved);

/** Go on where an earlier run stood: before the first request, on a new
 * record. Any values are taken; more than the maximum is held for that. */
void lbs_eject_load(const lbs_eject_on_t *on, const lbs_eject_saved_t *saved,
                    apr_uint64_t now);

#endif
