/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_page_int.h - between the files that write parts of the page. */
#ifndef LBS_PAGE_INT_H
#define LBS_PAGE_INT_H

#include "src/view/lbs_alert.h"
#include "src/view/lbs_page.h"
#include "src/view/lbs_query.h"

#define LBS_PAGE_ROWS 50     /* members on one page of a pool's list */
#define LBS_PAGE_FEW_ROWS 20 /* of each of several pools */
#define LBS_PAGE_RATE_S 30   /* seconds that a rate is taken over */

typedef struct lbs_part_t {
    lbs_out_t *out;
    const lbs_page_t *page;
    const lbs_view_t *view;
    const lbs_alerts_t *alerts;
    lbs_query_t query;
    const lbs_view_pool_t *pool;     /* the one asked for; NULL: all */
    const lbs_view_member_t *member; /* likewise */
} lbs_part_t;

/** @return a relative link to this page with that query */
const char *lbs_page_link(const lbs_part_t *part, const lbs_query_t *query);

/** @return the link to a pool; member may be NULL; action may be NULL */
const char *lbs_page_link_to(const lbs_part_t *part,
                             const lbs_view_pool_t *pool,
                             const lbs_view_member_t *member,
                             const char *action);

/** State as a word with its sign and colour. */
void lbs_page_state(const lbs_part_t *part, lbs_state_t state);

/** One number with its name: <div><dt>name</dt><dd>value</dd></div>.
 *
 * @param css  class of the pair; "" for none */
void lbs_page_fact(const lbs_part_t *part, const char *css, const char *name,
                   const char *value);

/** A moment on the server's clock, in an element that machines can read; a
 * dash for 0. */
void lbs_page_time(const lbs_part_t *part, apr_int64_t at);

/** The section of one pool. */
void lbs_page_pool(const lbs_part_t *part, const lbs_view_pool_t *pool);

/** The list of a pool's members with its filter and its pages. */
void lbs_page_members(const lbs_part_t *part, const lbs_view_pool_t *pool);

/** Links to the actions that make sense for a member now. */
void lbs_page_actions(const lbs_part_t *part, const lbs_view_pool_t *pool,
                      const lbs_view_member_t *member, int all);

/** Where no action is offered: the line that would offer it. Nothing where
 * actions are. */
void lbs_page_hint(const lbs_part_t *part, const lbs_view_pool_t *pool);

/** All there is to know of the member asked for. */
void lbs_page_member(const lbs_part_t *part);

/** The form that confirms the action asked for. @return 200, 400 or 403 */
int lbs_page_confirm(const lbs_part_t *part);

/** The result of the action just carried out, from the state as it is now. */
void lbs_page_done(const lbs_part_t *part);

/** Events, the newest first: of all pools, or of the pool or member asked
 * for. */
void lbs_page_events(const lbs_part_t *part);

#endif
