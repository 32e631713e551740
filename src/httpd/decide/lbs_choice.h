/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_choice.h - the decision for a request: the member, and why. */
#ifndef LBS_CHOICE_H
#define LBS_CHOICE_H

#include <apr_pools.h>

#include "src/base/lbs_bits.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/state/lbs_decision.h"

#define LBS_CHOICE_LISTED 64 /* members tried, before they become a set */

typedef struct lbs_choice_t {
    lbs_decision_t decision;
    lbs_reason_t reason;
    int source;    /* index of the source that decided; -1: none */
    int home;      /* member the session is bound to; LBS_NO_MEMBER */
    int from;      /* where a moved session was; LBS_NO_MEMBER: gone */
    int member;    /* chosen now; LBS_NO_MEMBER */
    int temporary; /* this request only: the session stays at home */
    int drawn;     /* the member was chosen with the help of chance */
    int anyway;    /* it is sent there although it is ejected or down */
    int over;      /* although it is above its limit, which was found out */

    /* Members this request was sent to: none of them is picked again. */
    apr_uint16_t tried[LBS_CHOICE_LISTED];
    unsigned ntried;
    unsigned char *tried_set; /* a bit for each member of the pool, once there
                                 are more than that list holds; else NULL */
} lbs_choice_t;

/** Begin: nothing is decided yet. */
static inline void lbs_choice_none(lbs_choice_t *choice)
{
    choice->decision = LBS_DECISION_NONE;
    choice->reason = LBS_REASON_NONE;
    choice->source = -1;
    choice->home = LBS_NO_MEMBER;
    choice->from = LBS_NO_MEMBER;
    choice->member = LBS_NO_MEMBER;
    choice->temporary = 0;
    choice->drawn = 0;
    choice->anyway = 0;
    choice->over = 0;
    choice->ntried = 0;
    choice->tried_set = NULL;
}

/** Was this member tried already? Cost: the members that were tried, at most
 * those of the list. */
static inline int lbs_choice_tried(const lbs_choice_t *choice, int member)
{
    unsigned i;

    if (choice->tried_set != NULL) {
        return lbs_bits_has(choice->tried_set, (apr_uint32_t)member);
    }
    for (i = 0; i < choice->ntried; i++) {
        if (choice->tried[i] == member) {
            return 1;
        }
    }
    return 0;
}

/**
 * Note that a member is not to be picked again for this request.
 *
 * @param count   members of the pool
 * @param memory  of the request, for a set where the list is full
 */
void lbs_choice_try(lbs_choice_t *choice, int member, apr_size_t count,
                    apr_pool_t *memory);

/** The member that was noted last may be picked again. */
void lbs_choice_untry(lbs_choice_t *choice, int member);

#endif
