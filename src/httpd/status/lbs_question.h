/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_question.h - one visitor, as an administrator describes them by one key.
 * Changes nothing.
 */
#ifndef LBS_QUESTION_H
#define LBS_QUESTION_H

#include "src/httpd/decide/lbs_ask.h"
#include "src/httpd/decide/lbs_visit.h"
#include "src/state/lbs_decision.h"

typedef struct lbs_question_t {
    const char *source; /* as configured, also a word of LBStickyForeign; "":
                           no key is asked about */
    int index;          /* of the source in the pool; -1: none of them */
    lbs_visit_t visit;  /* of a request that shows this key and no other */
    int named;          /* the key names a session */
    lbs_reason_t why;   /* when it does not: why a pick is due */
} lbs_question_t;

/** A visitor who shows no key. */
void lbs_question_none(lbs_question_t *found);

/**
 * Look a key up, as a request that shows it does.
 *
 * @param ask     of the administrator's request
 * @param source  a source of the pool as it is configured or its first word
 *                (`ip` for `ip/24`); else the first one of that kind
 * @param value   as it stands in a request; an address for `ip`
 * @param found   out: written when NULL is returned
 * @return NULL; or a sentence: the pool has no such source, or the value is
 *         no address
 */
const char *lbs_question_value(const lbs_ask_t *ask, const char *source,
                               const char *value, lbs_question_t *found);

/** The same for "SOURCE:VALUE"; the source may itself hold colons, and may be
 * a word of LBStickyForeign. */
const char *lbs_question_key(const lbs_ask_t *ask, const char *key,
                             lbs_question_t *found);

#endif
