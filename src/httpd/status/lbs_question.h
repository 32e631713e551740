/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_question.h - what the module knows of one visitor's key. Changes
 * nothing.
 */
#ifndef LBS_QUESTION_H
#define LBS_QUESTION_H

#include <httpd.h>

#include "src/httpd/pool/lbs_pools.h"
#include "src/state/lbs_decision.h"

typedef struct lbs_question_t {
    const char *source; /* as configured */
    int index;          /* of the source in the pool */
    int has_hash;       /* 0: a route, or a cookie that is no token of ours */
    lbs_slice_t key;    /* when it has: the bytes that were hashed */
    apr_uint64_t hash;  /* as the table knows the key */
    apr_uint64_t pick_hash; /* as the method `hash` does */
    int found;              /* the table knows the session */
    apr_time_t expires;     /* when found; on the monotonic clock */
    int member;             /* index in the pool; LBS_NO_MEMBER: none is named,
                               or it is no longer configured */
    int named;              /* a member is named, configured or not */
    lbs_reason_t why;       /* when none is named: why a pick is due */
} lbs_question_t;

/**
 * Look a key up: in the table, then in the pool's store.
 *
 * @param r       whoever asks; memory comes from its pool
 * @param source  a source of the pool as it is configured or its first word
 *                (`ip` for `ip/24`); else the first one of that kind
 * @param value   as it stands in a request; an address for `ip`
 * @param found   out: written when NULL is returned
 * @return NULL; or a sentence: the pool has no such source, or the value is
 *         no address
 */
const char *lbs_question_value(request_rec *r, const lbs_pool_t *pool,
                               const char *source, const char *value,
                               lbs_question_t *found);

/** The same for "SOURCE:VALUE"; the source may itself hold colons. */
const char *lbs_question_key(request_rec *r, const lbs_pool_t *pool,
                             const char *key, lbs_question_t *found);

#endif
