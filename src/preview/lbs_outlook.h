/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_outlook.h - how many sessions would stay, wait or move, for people and
 * scripts to read. Counting is the caller's; adding up and writing is here.
 */
#ifndef LBS_OUTLOOK_H
#define LBS_OUTLOOK_H

#include <apr.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "src/state/lbs_decision.h"

/* One member. */
typedef struct lbs_outlook_row_t {
    const char *member; /* route, else URL */
    int is_new;
    int was_gone;     /* it had been removed before */
    const char *lost; /* why all its sessions begin anew; NULL: they do not */
    apr_uint64_t stay;
    apr_uint64_t wait; /* for the deadline of its drain */
    apr_uint64_t anew; /* for the reason in lost */
    apr_uint64_t refused;
    apr_uint64_t moved[LBS_REASONS];
    int drains;
    apr_interval_time_t left; /* until its deadline; 0: it has none */
} lbs_outlook_row_t;

typedef struct lbs_outlook_pool_t {
    const char *name;
    const char *vhost;
    apr_array_header_t *rows;  /* lbs_outlook_row_t * */
    apr_array_header_t *notes; /* const char *, sentences without a dot */
} lbs_outlook_pool_t;

typedef struct lbs_outlook_t {
    const char *path;            /* of the state file */
    apr_interval_time_t age;     /* since it was written */
    apr_array_header_t *pools;   /* lbs_outlook_pool_t * */
    apr_array_header_t *notes;   /* on all of it */
    apr_array_header_t *unknown; /* what cannot be known */
} lbs_outlook_t;

lbs_outlook_t *lbs_outlook_create(apr_pool_t *pool);

/** Add a pool. The texts are not copied. */
lbs_outlook_pool_t *lbs_outlook_add_pool(lbs_outlook_t *outlook,
                                         const char *vhost, const char *name);

/** Add a member. The text is not copied. */
lbs_outlook_row_t *lbs_outlook_add_row(lbs_outlook_pool_t *pool,
                                       const char *member);

/** Add a sentence to a list of them. */
void lbs_outlook_say(apr_array_header_t *list, const char *sentence);

/** Write all of it. @return lines, from pool */
const char *lbs_outlook_text(const lbs_outlook_t *outlook, apr_pool_t *pool);

/** Write that nothing is known. @param reason  what is wrong and what to do,
 * without a dot. @return lines, from pool */
const char *lbs_outlook_text_unknown(const char *reason, apr_pool_t *pool);

#endif
