/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_from.h - a source of a pool, and what it said. */
#ifndef LBS_DISCOVER_FROM_H
#define LBS_DISCOVER_FROM_H

#include <string.h>

#include "src/httpd/pool/lbs_pools.h"
#include "src/roster/lbs_list.h"

/* The answer of a source. */
typedef struct lbs_discover_answer_t {
    lbs_roster_said_t said;
    apr_array_header_t *list; /* of lbs_list_member_t; where the answer is not
                                 good, members that come, and none leaves;
                                 NULL then: nothing is known */
    lbs_list_wrong_t wrong;   /* LBS_ROSTER_WRONG */
    apr_status_t rv;          /* LBS_ROSTER_UNREADABLE */
    apr_time_t next_at;       /* monotonic: when it is asked again */
} lbs_discover_answer_t;

/* A source of a pool. */
typedef struct lbs_discover_from_t {
    const lbs_pool_t *pool;
    int source;         /* number among those of the pool */
    const char *reason; /* for events; NULL: the source as it is written */
} lbs_discover_from_t;

#define LBS_DISCOVER_AT(list, i)                                              \
    (&((const lbs_list_member_t *)(const void *)(list)->elts)[i])

/** Virtual hosts that inherit a pool have its members. @return 1: the settings
 * of this pool say where they are found */
int lbs_discover_asks(const lbs_pool_t *pool);

/** @return the source as the configuration has it */
static inline const lbs_set_finder_t *lbs_discover_finder(
    const lbs_discover_from_t *from)
{
    return &from->pool->set.discover->finder[from->source];
}

static inline const char *lbs_discover_reason(const lbs_discover_from_t *from)
{
    return from->reason != NULL ? from->reason
                                : lbs_discover_finder(from)->spelling;
}

/** @return scheme and path of a BalancerMember */
static inline lbs_list_model_t lbs_discover_model(const proxy_worker *worker)
{
    const char *host = strstr(lbs_worker_name(worker), "://");
    lbs_list_model_t model = {.scheme = lbs_worker_place(worker).scheme,
                              .path = ""};

    if (host != NULL) {
        host += strlen("://");
        model.path = host + strcspn(host, "/");
    }
    return model;
}

#endif
