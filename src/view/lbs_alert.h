/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_alert.h - alerts: problems that an operator should see first.
 *
 * One list for the page's banner, JSON, metrics, mod_status and `lbctl
 * doctor`, so that they agree.
 */
#ifndef LBS_ALERT_H
#define LBS_ALERT_H

#include <apr_pools.h>

#include "src/view/lbs_view.h"

typedef enum lbs_alert_level_t {
    LBS_ALERT_ACT,       /* visitors are hurt now, or soon will be */
    LBS_ALERT_ATTENTION, /* few are, but the next fault may hurt all */
    LBS_ALERT_NOTE,      /* nobody is; something is not as it is meant */
    LBS_ALERT_LEVELS
} lbs_alert_level_t;

/* In order of gravity, within a level. */
typedef enum lbs_alert_code_t {
    LBS_ALERT_NO_MEMBER,      /* no member takes visitors, or new ones */
    LBS_ALERT_PANIC,          /* every check fails */
    LBS_ALERT_MEMBER_DEAD,    /* it accepts no connections */
    LBS_ALERT_MEMBER_OUT,     /* its check fails, or it is ejected */
    LBS_ALERT_MEMBER_ERRORS,  /* more 5xx than the others */
    LBS_ALERT_ERRORS,         /* many requests of a pool fail */
    LBS_ALERT_REFUSED,        /* nearly all answers are 4xx */
    LBS_ALERT_CIRCLE,         /* redirects to where the visitor was */
    LBS_ALERT_UPGRADE,        /* WebSockets without upgrade= */
    LBS_ALERT_QUEUE,          /* requests wait for a member that is full */
    LBS_ALERT_SECRETS,        /* tokens signed with another secret */
    LBS_ALERT_CLOCKS,         /* another server's clock is ahead */
    LBS_ALERT_STORE_DOWN,     /* LBStickyStore does not answer */
    LBS_ALERT_TABLE_FULL,     /* live sessions had to go */
    LBS_ALERT_STATE_OLD,      /* the state file is not written */
    LBS_ALERT_STATE_VOLATILE, /* a reboot empties its file system */
    LBS_ALERT_BUSY_KEY,       /* one key makes most requests */
    LBS_ALERT_NO_KEYS,        /* nobody comes back with a key */
    LBS_ALERT_CONFIGURATION   /* found by httpd -t */
} lbs_alert_code_t;

typedef struct lbs_alert_t {
    lbs_alert_level_t level;
    const char *code;                /* a word for scripts, never renamed */
    const char *text;                /* not escaped */
    const lbs_view_pool_t *pool;     /* NULL: about none */
    const lbs_view_member_t *member; /* NULL: about none, or several */
} lbs_alert_t;

/** @return "act", "attention" or "note" */
const char *lbs_alert_level_name(lbs_alert_level_t level);

/* The most alerts that are kept; with more pools in trouble the page lists
 * them below anyway. */
#define LBS_ALERTS_MAX 64

typedef struct lbs_alerts_t {
    int count; /* 0: all is well */
    lbs_alert_t alert[LBS_ALERTS_MAX];
} lbs_alerts_t;

/** @return 1 when a member answers 5xx so much more often than the others that
 * it is an alert */
int lbs_alert_errs(const lbs_view_member_t *member);

/** @return members that take visitors without a session */
apr_uint32_t lbs_alert_open(const lbs_view_pool_t *pool);

/** @return the alerts, gravest first: by level, then by code; lives as long as
 * the pool */
const lbs_alerts_t *lbs_alert_list(apr_pool_t *pool, const lbs_view_t *view);

#endif
