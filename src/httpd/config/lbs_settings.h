/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_settings.h - the directives' values.
 *
 * One struct per directive, filled once while the configuration is read and
 * never changed. lbs_settings_t points to them; NULL means that the directive
 * was not written at that level. So a directive replaces an outer one whole,
 * and merging is choosing a pointer.
 *
 * Durations are apr_int64_t microseconds; 0 where a directive says `off`.
 */
#ifndef LBS_SETTINGS_H
#define LBS_SETTINGS_H

#include <apr.h>
#include <httpd.h>
#include <ap_expr.h>

#include "src/affinity/lbs_cookie_conf.h"
#include "src/affinity/lbs_source.h"
#include "src/base/lbs_net.h"
#include "src/base/lbs_text.h"
#include "src/foreign/lbs_foreign.h"
#include "src/member/lbs_stall.h"
#include "src/pick/lbs_pick.h"
#include "src/roster/lbs_roster.h"
#include "src/roster/lbs_tokens.h"

/* LBSticky */
typedef struct lbs_set_sticky_t {
    int on;    /* 0: `off`, the pool is none of our business */
    int count; /* 0 with on: `none`, no stickiness */
    lbs_source_t source[LBS_SOURCE_MAX];
    ap_expr_info_t *expr[LBS_SOURCE_MAX]; /* for expr=, else NULL */
} lbs_set_sticky_t;

/* LBStickyMethod */
typedef struct lbs_set_method_t {
    lbs_pick_method_t method;
    apr_uint32_t bound_centi; /* hash: 105 to 400; 0: no bound */
} lbs_set_method_t;

/* LBStickyTimeout */
typedef struct lbs_set_timeout_t {
    apr_int64_t idle;
    apr_int64_t max;
} lbs_set_timeout_t;

/* LBStickyFailback */
typedef enum lbs_failback_t {
    LBS_FAILBACK_STAY,
    LBS_FAILBACK_RETURN,
    LBS_FAILBACK_IDLE
} lbs_failback_t;

typedef struct lbs_set_failback_t {
    lbs_failback_t mode;
    apr_int64_t idle; /* for LBS_FAILBACK_IDLE */
} lbs_set_failback_t;

/* LBStickyRetry */
#define LBS_RETRY_CONNECT 1u
#define LBS_RETRY_RESET 2u
#define LBS_RETRY_TIMEOUT 4u

typedef struct lbs_set_retry_t {
    int on;
    apr_uint32_t tries;  /* repetitions */
    apr_uint32_t causes; /* LBS_RETRY_* */
    lbs_statuses_t status;
    apr_uint32_t budget; /* percent of requests */
    apr_uint64_t body;   /* bytes kept for a repetition */
} lbs_set_retry_t;

/* LBStickyEject */
typedef struct lbs_set_eject_t {
    int on;
    apr_uint32_t failures; /* in a row */
    apr_int64_t window;
    apr_int64_t hold[2]; /* shortest, longest */
    apr_uint32_t cap;    /* percent of the pool */
    apr_int64_t stall;   /* 0: off, or LBS_STALL_AUTO */
    lbs_statuses_auto_t status;
} lbs_set_eject_t;

/* LBStickyCheck */
typedef struct lbs_set_check_t {
    const char *path; /* NULL: no checks */
    apr_int64_t interval;
    apr_int64_t timeout;
    apr_uint32_t rise;
    apr_uint32_t fall;
    lbs_statuses_t expect;
    const char *expect_text; /* as written */
    const char *host;        /* NULL: the virtual host's name */
    const char *proto;       /* NULL: as the virtual host is reached */
} lbs_set_check_t;

/* LBStickyLimit */
#define LBS_SET_LIMIT_AUTO APR_UINT32_MAX

typedef struct lbs_set_limit_t {
    apr_uint32_t inflight; /* 0: no limit; LBS_SET_LIMIT_AUTO: found out */
    apr_uint32_t queue;
    apr_int64_t wait;
} lbs_set_limit_t;

/* LBStickyLocal */
typedef struct lbs_set_local_t {
    int files;
    int self;
    const char *where; /* the directive stands: file and line */
} lbs_set_local_t;

/* LBStickyForward */
typedef struct lbs_set_forward_t {
    int host;
    int proto;
} lbs_set_forward_t;

/* LBStickyForeign */
typedef struct lbs_set_foreign_t {
    int count; /* 0: off */
    lbs_foreign_t word[LBS_FOREIGN_MAX];
} lbs_set_foreign_t;

/* LBStickyStore */
typedef struct lbs_set_store_t {
    const char *provider; /* NULL: off */
    const char *args;     /* NULL: none */
    apr_int64_t timeout;
    const char *where; /* the directive stands: file and line */
} lbs_set_store_t;

/* LBStickyDiscover */
/* A source of LBStickyDiscover. */
typedef struct lbs_set_finder_t {
    lbs_roster_by_t by;
    const char *what;     /* behind the colon: a file's full name, ...; "" */
    const char *spelling; /* as written */
} lbs_set_finder_t;

/* Which addresses of a name are members. */
enum { LBS_DISCOVER_ANY, LBS_DISCOVER_V4, LBS_DISCOVER_V6, LBS_DISCOVER_BOTH };

typedef struct lbs_set_discover_t {
    int count; /* 0: off */
    lbs_set_finder_t finder[LBS_ROSTER_SOURCES];
    apr_int64_t interval;
    apr_int64_t hold;
    apr_int64_t leave;
    apr_int64_t join; /* -1: auto */
    apr_uint32_t min;
    apr_uint32_t max;     /* found members; 0: off */
    apr_uint32_t family;  /* LBS_DISCOVER_ANY: 6 where there is no 4 */
    const char *resolver; /* name servers; NULL: those of the system */
    lbs_net_set_t allow;
    const char *allow_text; /* as written */
    const char *where;      /* the directive stands: file and line */
} lbs_set_discover_t;

/* LBStickyRegister */
typedef struct lbs_set_register_t {
    const char *file; /* of tokens, as written; NULL: off */
    lbs_tokens_t tokens;
    apr_int64_t lease;     /* where the member says none */
    apr_uint32_t from_any; /* 1: a member may register another address */
} lbs_set_register_t;

/* Settings of a server and, most of them, of a pool. */
typedef struct lbs_settings_t {
    const lbs_set_sticky_t *sticky;
    const lbs_set_method_t *method;
    const lbs_set_timeout_t *timeout;
    const lbs_cookie_conf_t *cookie;
    const int *failover;
    const lbs_set_failback_t *failback;
    const lbs_set_retry_t *retry;
    const lbs_set_eject_t *eject;
    const lbs_set_check_t *check;
    const int *panic;
    const apr_int64_t *slowstart;
    const lbs_set_limit_t *limit;
    const lbs_set_local_t *local;
    const lbs_set_forward_t *forward;
    const lbs_set_foreign_t *foreign;
    const int *control;
    const lbs_set_store_t *store;
    const lbs_set_discover_t *discover;
    const lbs_set_register_t *registers;
    const int *admin;
} lbs_settings_t;

/** Fill the settings that `inner` leaves open from `outer`. */
void lbs_settings_merge(lbs_settings_t *out, const lbs_settings_t *inner,
                        const lbs_settings_t *outer);

/** @return 1 when one of the sources is of that kind */
int lbs_settings_has_source(const lbs_set_sticky_t *set,
                            lbs_source_kind_e kind);

/** @return the documented default of every directive; all pointers set */
const lbs_settings_t *lbs_settings_defaults(void);

#endif
