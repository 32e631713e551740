/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_inquiry.c - see lbs_inquiry.h. */
#include "src/evidence/lbs_inquiry.h"

/* Up to half as much again. */
static apr_uint64_t jittered(apr_uint64_t us, apr_uint64_t random)
{
    return us + random % (us / 2);
}

static void close_it(lbs_inquiry_t *inquiry, apr_uint64_t random,
                     apr_uint64_t now)
{
    inquiry->asked = 0;
    inquiry->pending = 0;
    inquiry->control = LBS_INQUIRY_UNASKED;
    inquiry->number++;
    inquiry->next_at = now + jittered(LBS_INQUIRY_REST_US, random);
}

int lbs_inquiry_is_due(lbs_inquiry_t *inquiry, int suspected,
                       apr_uint64_t random, apr_uint64_t now)
{
    if (inquiry->asked != 0
        && (!suspected
            || (inquiry->asked >= LBS_INQUIRY_PROBES
                && inquiry->control != LBS_INQUIRY_ASKED))) {
        close_it(inquiry, random, now);
    }
    return suspected && inquiry->asked < LBS_INQUIRY_PROBES
           && now >= inquiry->next_at;
}

void lbs_inquiry_asked(lbs_inquiry_t *inquiry, apr_uint64_t random,
                       apr_uint64_t now)
{
    inquiry->asked++;
    inquiry->next_at = now + jittered(LBS_INQUIRY_APART_US, random);
}

/* What waited for the control counts, once it has answered well. */
static apr_uint32_t take_pending(lbs_inquiry_t *inquiry)
{
    apr_uint32_t errors = inquiry->pending;

    if (inquiry->control != LBS_INQUIRY_CLEARED) {
        return 0;
    }
    inquiry->pending = 0;
    return errors;
}

apr_uint32_t lbs_inquiry_heard(lbs_inquiry_t *inquiry,
                               lbs_inquiry_found_t found, apr_uint64_t random,
                               apr_uint64_t now)
{
    if (inquiry->asked == 0) { /* it was closed meanwhile */
        return 0;
    }
    if (found != LBS_INQUIRY_ERROR) {
        close_it(inquiry, random, now);
        return 0;
    }
    inquiry->pending++;
    return take_pending(inquiry);
}

int lbs_inquiry_wants_control(const lbs_inquiry_t *inquiry)
{
    return inquiry->pending != 0 && inquiry->control == LBS_INQUIRY_UNASKED;
}

apr_uint32_t lbs_inquiry_control(lbs_inquiry_t *inquiry)
{
    inquiry->control = LBS_INQUIRY_ASKED;
    return inquiry->number;
}

apr_uint32_t lbs_inquiry_controlled(lbs_inquiry_t *inquiry,
                                    apr_uint32_t number,
                                    lbs_inquiry_found_t found,
                                    apr_uint64_t random, apr_uint64_t now)
{
    if (number != inquiry->number || inquiry->asked == 0) {
        return 0;
    }
    if (found != LBS_INQUIRY_WELL) {
        close_it(inquiry, random, now);
        return 0;
    }
    inquiry->control = LBS_INQUIRY_CLEARED;
    return take_pending(inquiry);
}
