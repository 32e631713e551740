/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_alert.h - what an operator should know first, in sentences.
 *
 * One list for the page's banner, mod_status and the command line, so that
 * they agree on what is wrong.
 */
#ifndef LBS_ALERT_H
#define LBS_ALERT_H

#include <apr_pools.h>

#include "src/view/lbs_view.h"

typedef enum lbs_alert_level_t {
    LBS_ALERT_BAD, /* visitors are hurt now, or soon will be */
    LBS_ALERT_WARN /* few are, but the next fault may hurt all */
} lbs_alert_level_t;

typedef struct lbs_alert_t {
    lbs_alert_level_t level;
    const char *text;                /* not escaped */
    const lbs_view_pool_t *pool;     /* NULL: about none */
    const lbs_view_member_t *member; /* NULL: about none, or several */
} lbs_alert_t;

/* The first so many; with more pools than that in trouble the page lists them
 * below anyway. */
#define LBS_ALERTS_MAX 64

typedef struct lbs_alerts_t {
    int count; /* 0: all is well */
    lbs_alert_t alert[LBS_ALERTS_MAX];
} lbs_alerts_t;

/** @return members that take visitors who have no session yet */
apr_uint32_t lbs_alert_open(const lbs_view_pool_t *pool);

/** @return what is wrong, the worst first; lives as long as the pool */
const lbs_alerts_t *lbs_alert_list(apr_pool_t *pool, const lbs_view_t *view);

#endif
