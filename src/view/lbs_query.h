/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_query.h - the part of the page that a query string asks for.
 *
 * Everything the page shows is named by its URL, so that it can be reloaded,
 * sent to a colleague and used without scripts. A value that makes no sense
 * falls back to the default: a page is better than an error.
 */
#ifndef LBS_QUERY_H
#define LBS_QUERY_H

#include "src/view/lbs_form.h"
#include "src/view/lbs_view.h"

typedef enum lbs_query_sort_t {
    LBS_SORT_GRAVITY, /* those that fail first, then the gravest state; equal
                         ones by name */
    LBS_SORT_NAME,    /* numbers in names by their value: web2, web10 */
    LBS_SORT_WEIGHT,
    LBS_SORT_SESSIONS,
    LBS_SORT_INFLIGHT,
    LBS_SORT_RATE,
    LBS_SORT_ERRORS,
    LBS_SORT_CLIENT, /* share of 4xx */
    LBS_SORT_SERVER, /* share of 5xx */
    LBS_SORT_LATENCY,
    LBS_SORT_DOWNTIME,
    LBS_SORTS
} lbs_query_sort_t;

typedef struct lbs_query_t {
    const char *pool, *vhost, *member; /* NULL: not said */
    const char *action;                /* to be confirmed; NULL: none */
    const char *done;                  /* just carried out; NULL: none */
    const char *find;                  /* in names and routes; "": all */
    int state;                         /* lbs_state_t; LBS_STATES: all */
    lbs_query_sort_t sort;
    int descending;
    apr_uint32_t page; /* of the list of members, from 1 */
    lbs_view_span_t span;
    int all_events;
} lbs_query_t;

/* Members of a pool that were asked for, in the order asked for. */
typedef struct lbs_query_rows_t {
    apr_uint32_t count;
    const lbs_view_member_t **member;
} lbs_query_rows_t;

/** Read a query; strings stay in the form. */
void lbs_query_read(lbs_query_t *query, const lbs_form_t *form);

/** @return "?pool=app&sort=name": only what differs from the default; to be
 *          escaped for HTML like everything else. "" asks for all */
const char *lbs_query_link(apr_pool_t *memory, const lbs_query_t *query);

/** @return the name of a way to sort, as it stands in a link */
const char *lbs_query_sort_name(lbs_query_sort_t sort);

/** Filter and sort. Cost: n log n in the members of the pool. */
lbs_query_rows_t lbs_query_rows(apr_pool_t *memory, const lbs_query_t *query,
                                const lbs_view_pool_t *pool);

#endif
