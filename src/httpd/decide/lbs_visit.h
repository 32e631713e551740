/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_visit.h - the keys of a request.
 *
 * Filled by lbs_lookup.c from the request and the table, read by the decision
 * and by what is learned from the answer.
 */
#ifndef LBS_VISIT_H
#define LBS_VISIT_H

#include "src/affinity/lbs_source.h"
#include "src/affinity/lbs_token.h"
#include "src/base/lbs_slice.h"
#include "src/httpd/pool/lbs_key.h"
#include "src/httpd/pool/lbs_readers.h"
#include "src/httpd/store/lbs_store.h"

/* What the cookie of the former balancer says, LBStickyForeign. */
typedef struct lbs_named_t {
    const lbs_reader_t *reader; /* NULL: nothing */
    int member;                 /* that it names */
    lbs_reason_t instead;       /* why a pick is due where it cannot stay */
} lbs_named_t;

typedef struct lbs_visit_t {
    apr_time_t asked; /* monotonic: when its keys were looked up */
    lbs_key_t key[LBS_SOURCE_MAX];
    lbs_slice_t pick_value; /* first value shown, for the method hash */
    int has_token;          /* a token that some known secret signed */
    lbs_token_t token;
    int forgotten; /* the operator ended the session of its token */
    lbs_named_t named;
    apr_uint64_t first;    /* lbs_lookup_first(); 0: not asked for yet */
    lbs_store_wait_t wait; /* for LBStickyStore, asking and telling */
} lbs_visit_t;

#endif
