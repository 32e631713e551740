/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_inquiry.h - quick questions to a member that is suspected.
 *
 * A visitor was answered 5xx (lbs_suspect.h). Then the member is asked: ten
 * probes at most, some milliseconds apart; one at a time until the control
 * (below) has answered well, then up to three at once. The first good answer
 * ends the inquiry: the visitor's page was at fault. After the first 5xx a
 * well member of the pool is asked the same, once, as the control. Only when
 * that answers well do the suspect's 5xx count: what all members answer to
 * this probe says nothing of one.
 *
 * Between two inquiries a member has its rest, so that a page that is always
 * broken costs its member two probes a second.
 *
 * Belongs to the one process that asks. Pure: time and randomness are
 * arguments.
 */
#ifndef LBS_INQUIRY_H
#define LBS_INQUIRY_H

#include <apr.h>

#define LBS_INQUIRY_PROBES 10u    /* at most, in one inquiry */
#define LBS_INQUIRY_APART_US 3000 /* between the beginnings of two probes */
#define LBS_INQUIRY_REST_US                                                   \
    500000 /* between two inquiries; both times are                           \
              up to half as much again */

typedef enum lbs_inquiry_found_t {
    LBS_INQUIRY_NOTHING, /* no answer, or a broken one */
    LBS_INQUIRY_WELL,    /* less than 500 */
    LBS_INQUIRY_ERROR    /* 5xx */
} lbs_inquiry_found_t;

typedef enum lbs_inquiry_control_t {
    LBS_INQUIRY_UNASKED,
    LBS_INQUIRY_ASKED,
    LBS_INQUIRY_CLEARED /* the control answered well */
} lbs_inquiry_control_t;

/* All zero when new. */
typedef struct lbs_inquiry_t {
    apr_uint64_t next_at; /* microseconds, monotonic */
    apr_uint32_t asked;   /* probes of this inquiry; 0: there is none */
    apr_uint32_t pending; /* 5xx that wait for the control */
    apr_uint32_t number;  /* of the inquiry: a late control is of another */
    lbs_inquiry_control_t control;
} lbs_inquiry_t;

/**
 * May the suspect be asked now?
 *
 * @param suspected  it still is; 0 ends the inquiry
 * @param random     any
 */
int lbs_inquiry_is_due(lbs_inquiry_t *inquiry, int suspected,
                       apr_uint64_t random, apr_uint64_t now);

/** The suspect is asked. */
void lbs_inquiry_asked(lbs_inquiry_t *inquiry, apr_uint64_t random,
                       apr_uint64_t now);

/**
 * The suspect has answered, or not.
 *
 * @return how many 5xx count by this
 */
apr_uint32_t lbs_inquiry_heard(lbs_inquiry_t *inquiry,
                               lbs_inquiry_found_t found, apr_uint64_t random,
                               apr_uint64_t now);

/** @return 1: look for a control and ask it, then lbs_inquiry_control() */
int lbs_inquiry_wants_control(const lbs_inquiry_t *inquiry);

/** A control is asked. @return the number for lbs_inquiry_controlled() */
apr_uint32_t lbs_inquiry_control(lbs_inquiry_t *inquiry);

/**
 * The control has answered, or not.
 *
 * @return how many 5xx of the suspect count by this
 */
apr_uint32_t lbs_inquiry_controlled(lbs_inquiry_t *inquiry,
                                    apr_uint32_t number,
                                    lbs_inquiry_found_t found,
                                    apr_uint64_t random, apr_uint64_t now);

#endif
