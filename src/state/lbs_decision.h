/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_decision.h - the decision made for a request, and why.
 *
 * The names appear in the environment of the request, in JSON and in the
 * metrics; they are written in one place, here, and never change.
 */
#ifndef LBS_DECISION_H
#define LBS_DECISION_H

#include <apr.h>

typedef enum lbs_decision_t {
    LBS_DECISION_NONE,    /* the request was not for a governed pool */
    LBS_DECISION_NEW,     /* a pick: no session, or none that is known */
    LBS_DECISION_KEPT,    /* sent to the member of its session */
    LBS_DECISION_MOVED,   /* its member could not take it: another did */
    LBS_DECISION_REFUSED, /* no member could take it: 503 */
    LBS_DECISION_LOCAL,   /* served by this httpd itself */
    LBS_DECISIONS
} lbs_decision_t;

typedef enum lbs_reason_t {
    LBS_REASON_NONE,
    LBS_REASON_FIRST,    /* new: it showed no key */
    LBS_REASON_UNKNOWN,  /* new: its key names no member */
    LBS_REASON_EXPIRED,  /* new: the session was idle too long */
    LBS_REASON_FORGED,   /* new: no known secret signed its token */
    LBS_REASON_DOWN,     /* moved, refused: the member's check fails */
    LBS_REASON_EJECTED,  /* moved: its own answers got it ejected */
    LBS_REASON_DISABLED, /* moved: switched off by an administrator */
    LBS_REASON_REMOVED,  /* moved: no longer in the configuration */
    LBS_REASON_DRAINED,  /* moved: past its drain deadline */
    LBS_REASON_FULL,     /* moved, refused: at its limit */
    LBS_REASON_FAILBACK, /* moved: home again */
    LBS_REASON_ADOPTED,  /* new: the former balancer had the visitor there */
    LBS_REASON_RELEASED, /* new: the application has ended the session */
    LBS_REASON_ASKED,    /* moved: the application wanted it */
    LBS_REASONS
} lbs_reason_t;

/** @return the decision's name, "none" for a number that is none of them */
const char *lbs_decision_name(lbs_decision_t decision);

/** @return the reason's name, "" for LBS_REASON_NONE and numbers out of range
 */
const char *lbs_reason_name(lbs_reason_t reason);

/**
 * Which reasons a decision is counted under.
 *
 * @return one bit per reason, 1u << reason; only the bit of LBS_REASON_NONE
 *         for decisions that need no reason; 0 for LBS_DECISION_NONE
 */
apr_uint32_t lbs_decision_reasons(lbs_decision_t decision);

/**
 * The reason under which a decision is counted and shown: the one given where
 * the decision has it, else the decision's general one, so that every request
 * is counted exactly once (a refusal because every member is disabled counts
 * as refused, down).
 */
lbs_reason_t lbs_decision_reason(lbs_decision_t decision, lbs_reason_t reason);

#endif
