/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_member_record.h - what is known of a member beside its gauge.
 *
 * A pick reads the gauge. The record has the rest: counters for people, and
 * the memory of ejection, checks and slow start. One record per member slot in
 * shared memory, all zero when new, without pointers. Every counter is a
 * relaxed atomic: exact over all processes and threads, and two counters read
 * one after the other need not fit together.
 */
#ifndef LBS_MEMBER_RECORD_H
#define LBS_MEMBER_RECORD_H

#include <apr.h>

#include "src/member/lbs_check.h"
#include "src/member/lbs_eject.h"
#include "src/member/lbs_gauge.h"
#include "src/member/lbs_lately.h"
#include "src/member/lbs_latency.h"
#include "src/member/lbs_limit.h"
#include "src/member/lbs_probe.h"
#include "src/member/lbs_queue.h"
#include "src/member/lbs_ramp.h"
#include "src/member/lbs_state.h"

/* Why an attempt failed by the member's fault. */
typedef enum lbs_fail_t {
    LBS_FAIL_CONNECT, /* no connection could be opened */
    LBS_FAIL_RESET,   /* the connection was lost before the answer */
    LBS_FAIL_TIMEOUT, /* no answer in time */
    LBS_FAIL_STATUS,  /* answered, with a status listed as failure */
    LBS_FAIL_BODY,    /* the answer broke off */
    LBS_FAILS
} lbs_fail_t;

#define LBS_RESPONSES 5 /* 1xx to 5xx */

/* One order for memory, state file and sums. */
enum {
    LBS_COUNT_REQUESTS,
    LBS_COUNT_FAILURES,
    LBS_COUNT_RESPONSES = LBS_COUNT_FAILURES + LBS_FAILS,
    LBS_COUNT_BYTES_IN = LBS_COUNT_RESPONSES + LBS_RESPONSES,
    LBS_COUNT_BYTES_OUT,
    LBS_COUNT_DOWN_US, /* microseconds down or ejected */
    LBS_COUNT_TURNS,   /* how often it became so */
    LBS_COUNTS
};

/* Shared. Read it with lbs_member_record_view(); the parts have headers of
 * their own. */
typedef struct lbs_member_record_t {
    _Alignas(64) lbs_atomic64_t counts[LBS_COUNTS];
    lbs_atomic64_t last_use; /* microseconds; 0: never */
    lbs_atomic64_t since;    /* microseconds, of the last change of state */
    lbs_atomic64_t lost_at;  /* microseconds: no connection, or no answer */
    lbs_atomic64_t failing;  /* tick: downtime is counted until then,
                              * microseconds; 0: it was usable then */
    lbs_atomic32_t shown;    /* tick: the state then, plus 1; 0: none yet */
    /* With LBStickyStore, microseconds; 0: never. See lbs_board.h. */
    lbs_atomic64_t moved_at; /* a session was moved away from the member */
    lbs_atomic64_t left_at;  /* another server said that it moves them */
    lbs_ramp_t ramp;
    lbs_eject_t eject;
    lbs_check_t check;
    lbs_lately_t lately;
    lbs_latency_t latency;
    lbs_limit_t limit; /* LBStickyLimit inflight=auto */
    _Alignas(64) lbs_probe_t probe;
    _Alignas(64) lbs_queue_t queue;
} lbs_member_record_t;

_Static_assert(sizeof(lbs_member_record_t) % 64 == 0, "whole cache lines");

/* A plain snapshot. Times are monotonic microseconds. */
typedef struct lbs_member_record_view_t {
    lbs_state_t state;             /* a check that is ignored makes it down */
    apr_uint32_t flags;            /* as they count: lbs_gauge_flags() */
    int ignored;                   /* it is down, and serves all the same */
    apr_uint32_t weight;           /* hundredths */
    apr_uint32_t effective_weight; /* hundredths; 0: takes no new visitors */
    apr_uint32_t sessions;
    apr_uint32_t inflight;
    apr_uint32_t limit;    /* 0: none */
    apr_uint64_t requests; /* attempts sent */
    apr_uint64_t failures; /* all kinds */
    apr_uint64_t failures_by[LBS_FAILS];
    apr_uint64_t responses[LBS_RESPONSES];
    apr_uint64_t bytes_in;  /* to the member */
    apr_uint64_t bytes_out; /* from it */
    apr_uint64_t since;     /* 0: unchanged since it is known; a change that
                               the tick has not yet noted is one of now */
    apr_uint64_t last_use;  /* 0: never */
    apr_uint64_t down_us;   /* time down or ejected, since it is known */
    apr_uint64_t turns;     /* how often it became down or ejected */
    lbs_lately_sum_t lately;
    apr_uint32_t mean_us;
    apr_uint32_t p50_us; /* of the last one to two minutes; 0: none */
    apr_uint32_t p90_us;
    apr_uint32_t p99_us;
    lbs_latency_total_t latency;
    lbs_check_view_t check;
    apr_uint64_t eject_until; /* 0: not held */
    apr_uint64_t eject_count;
} lbs_member_record_view_t;

/* What a state file keeps of the counters. */
typedef struct lbs_member_saved_t {
    apr_uint64_t counts[LBS_COUNTS];
    lbs_latency_total_t latency;
    lbs_eject_saved_t eject;
} lbs_member_saved_t;

/** @return the kind's name in metrics; "" when out of range */
const char *lbs_fail_name(lbs_fail_t kind);

/** An attempt is sent. */
void lbs_member_record_sent(lbs_member_record_t *m, apr_uint64_t now);

/** The attempt was not sent after all: takes one lbs_member_record_sent()
 * back. */
void lbs_member_record_unsent(lbs_member_record_t *m);

/**
 * An attempt is answered: count the answer, take its time.
 *
 * @param status      100 to 599; others count as an answer without class
 * @param latency_us  from sending to the first byte of the answer
 * @param charge_us   what it counts for in the estimate; 0: it does not
 */
void lbs_member_record_answered(lbs_member_record_t *m, lbs_gauge_t *g,
                                int status, apr_uint64_t latency_us,
                                apr_uint64_t charge_us, apr_uint64_t now);

/** An attempt failed: count it.
 * @param charge_us  what it counts for in the estimate; 0: it does not */
void lbs_member_record_failed(lbs_member_record_t *m, lbs_gauge_t *g,
                              lbs_fail_t kind, apr_uint32_t charge_us,
                              apr_uint64_t now);

/** Bytes went to the member (in) and came from it (out). */
void lbs_member_record_bytes(lbs_member_record_t *m, apr_uint64_t in,
                             apr_uint64_t out);

/**
 * Is it unknown whether the member is well? That is so when it lost a request
 * or refused a connection and has not answered since, and when it is down. A
 * member without checks is then connected to in the background.
 */
int lbs_member_record_in_doubt(const lbs_member_record_t *m,
                               const lbs_gauge_t *g);

/**
 * Note when the state changed, and count downtime and turns. At every tick,
 * and where the state was just changed; any process. Reaching and leaving a
 * limit is no change.
 *
 * A turn is a change from usable to down or ejected, by the member's fault: a
 * member that an operator has closed is neither. From ejected to down is no
 * further turn.
 */
void lbs_member_record_tick(lbs_member_record_t *m, const lbs_gauge_t *g,
                            apr_uint64_t now);

/** LBStickyLimit inflight=auto, at every tick: find the limit, and put it in
 * force. */
void lbs_member_record_limit(lbs_member_record_t *m, lbs_gauge_t *g,
                             apr_uint64_t now);

/** Once a second, one process: note what the last minutes are counted from. */
void lbs_member_record_second(lbs_member_record_t *m, apr_uint64_t now);

/** Take a snapshot. Cost: some hundred reads. */
void lbs_member_record_view(const lbs_member_record_t *m, const lbs_gauge_t *g,
                            apr_uint64_t now, lbs_member_record_view_t *view);

/** Write down what a restart should not lose. */
void lbs_member_record_save(const lbs_member_record_t *m, apr_uint64_t now,
                            lbs_member_saved_t *saved);

/** Go on from there: before the first request, on a new record, when its gauge
 * has the flags of before. A member that was out then has not turned again.
 * @param on  the ejection's view of the same member */
void lbs_member_record_load(lbs_member_record_t *m, const lbs_eject_on_t *on,
                            const lbs_member_saved_t *saved, apr_uint64_t now);

#endif
