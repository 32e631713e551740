/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_busy.h - does one key make most of a pool's requests?
 *
 * A proxy or a robot in front of everybody's address cannot be spread, and an
 * operator should know. Of the requests one in LBS_BUSY_ONE_IN is looked at;
 * among those Boyer and Moore's vote finds the key that makes more than half,
 * if there is one, and its share is counted from when it was found. A few
 * words in shared memory, all zero when new. Updates race: a vote or a count
 * is lost now and then, of numbers that only mean "most".
 */
#ifndef LBS_BUSY_H
#define LBS_BUSY_H

#include <apr.h>

#include "src/base/lbs_atomic.h"

#define LBS_BUSY_ONE_IN 8    /* requests, one is looked at */
#define LBS_BUSY_LEAST 64u   /* looked at before anything is said */
#define LBS_BUSY_HALVE 1024u /* looked at: older ones count half */
#define LBS_BUSY_OLD_US                                                       \
    60000000 /* nothing new that long: nothing is known                       \
              */

typedef struct lbs_busy_t {
    lbs_atomic64_t key; /* hash of the candidate */
    lbs_atomic64_t at;  /* when a request was last looked at */
    lbs_atomic32_t votes;
    lbs_atomic32_t seen; /* looked at since the candidate is one */
    lbs_atomic32_t hits; /* of these, with its key */
    lbs_atomic32_t pad;
} lbs_busy_t;

/**
 * Look at a request; call it for one in LBS_BUSY_ONE_IN, chosen by chance.
 *
 * @param key  hash of the key it shows, as the table knows it
 * @param now  monotonic microseconds
 */
void lbs_busy_note(lbs_busy_t *busy, apr_uint64_t key, apr_uint64_t now);

/** @return share of the busiest key, if it makes most of the requests, in
 *          percent; -1: there is none, or too little is known */
int lbs_busy_percent(const lbs_busy_t *busy, apr_uint64_t now);

#endif
