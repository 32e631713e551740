/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_view.h - the values of lb-status at one moment.
 *
 * The page, JSON, metrics, mod_status and the explanation of a decision are
 * all written from this tree. Nothing in it points into shared memory or into
 * the configuration: it is copied once, member by member, and does not change
 * when members come and go. Strings are as configured, not escaped and never
 * NULL unless said so. Times are Unix seconds, 0 for never.
 */
#ifndef LBS_VIEW_H
#define LBS_VIEW_H

#include <apr.h>
#include <apr_pools.h>

#include "src/member/lbs_member_record.h"
#include "src/state/lbs_decision.h"
#include "src/roster/lbs_roster.h"

/* One step of a plot. */
typedef struct lbs_view_point_t {
    int known; /* 0: no process counted, the rest is 0 */
    apr_uint64_t requests;
    apr_uint64_t errors;
    double p50_ms; /* 0: there were no answers */
    double p99_ms;
} lbs_view_point_t;

/* Points in order of time, the newest last. Documents without plots are made
 * of views without points. */
typedef struct lbs_view_plot_t {
    apr_int64_t until;  /* when the newest point's step ends */
    apr_uint32_t step;  /* seconds that each point stands for */
    apr_uint32_t count; /* of points; 0: nothing is known */
    const lbs_view_point_t *points;
} lbs_view_plot_t;

/* Two spans of time: the last minutes, and the last day. */
typedef enum lbs_view_span_t {
    LBS_VIEW_RECENT,
    LBS_VIEW_DAY,
    LBS_VIEW_SPANS
} lbs_view_span_t;

/* How long answers took: counts per range, the last one without an end. */
typedef struct lbs_view_histogram_t {
    apr_uint32_t ranges;        /* 0: nothing is known */
    const double *upper_s;      /* ranges - 1 upper ends, seconds */
    const apr_uint64_t *counts; /* one per range, not summed up */
    double sum_s;               /* of all answers */
} lbs_view_histogram_t;

typedef struct lbs_view_check_t {
    int configured;
    int ok;
    int connected;    /* it got a connection, at least */
    const char *last; /* "HTTP 200"; "" before the first */
    apr_int64_t at;
} lbs_view_check_t;

typedef struct lbs_view_member_t {
    const char *id;     /* 16 hex digits */
    const char *name;   /* URL */
    const char *route;  /* "" if it has none */
    int self;           /* it is this httpd */
    apr_uint32_t index; /* in the pool it was copied from */
    const char *found;  /* the source that found it; "": configured */
    apr_int64_t leaving_since;
    apr_int64_t leaving_deadline;
    apr_int64_t lease_s; /* that is left; 0: none */
    lbs_state_t state;
    int ignored;             /* it is down, but its check is ignored: panic */
    apr_int64_t since;       /* when it got into that state */
    double weight;           /* as set */
    double effective_weight; /* after slow start and state */
    apr_uint64_t sessions;
    apr_uint64_t inflight;
    apr_uint64_t limit;                    /* most in flight; 0: none */
    apr_uint64_t requests;                 /* attempts */
    apr_uint64_t responses[LBS_RESPONSES]; /* 1xx to 5xx */
    apr_uint64_t failures[LBS_FAILS];
    apr_uint64_t bytes_in;  /* to the member */
    apr_uint64_t bytes_out; /* from it */
    double ewma_ms, p50_ms, p90_ms, p99_ms;
    lbs_view_histogram_t durations;
    lbs_view_check_t check;
    apr_uint32_t lately_answers; /* in LBStickyEject window= */
    apr_uint32_t lately_5xx;     /* of these */
    double blame; /* how far its share of 5xx lies above the others' */
    apr_int64_t eject_until;
    apr_uint64_t eject_count;
    double downtime_s;       /* down or ejected, since it is known */
    apr_uint64_t turns;      /* how often it became so */
    lbs_lately_sum_t lately; /* answers of the last five minutes */
    apr_int64_t drain_since;
    apr_int64_t drain_deadline;
    apr_uint64_t drain_left;     /* sessions */
    apr_int64_t used_at;         /* last answer to a visitor; 0: none yet */
    apr_uint32_t overrides;      /* of the names in override */
    const char *const *override; /* settings an administrator changed */
    lbs_view_plot_t plot[LBS_VIEW_SPANS];
} lbs_view_member_t;

/* A word of LBStickyForeign. */
typedef struct lbs_view_reader_t {
    const char *word;  /* haproxy:SRV */
    apr_uint64_t used; /* visitors that were adopted */
    apr_int64_t last;  /* the last of them; 0: none yet */
} lbs_view_reader_t;

/* LBStickyDiscover */
typedef struct lbs_view_source_t {
    const char *source; /* as written */
    const char *state;  /* ok, stale, never */
    const char *reason; /* why it is stale; "" */
    apr_uint32_t found; /* members that it found and that are there */
    apr_uint32_t ignored;
    apr_int64_t at;     /* the last good answer; 0: none yet */
    apr_int64_t next_s; /* seconds until it is asked at the latest */
} lbs_view_source_t;

typedef struct lbs_view_pool_t {
    const char *name;
    const char *vhost; /* "www.example.com:80" */
    apr_uint32_t sources_count;
    const char *const *sources; /* as configured; none: not sticky */
    apr_uint32_t readers_count;
    const lbs_view_reader_t *readers;
    const char *method;
    apr_uint64_t requests; /* decisions */
    apr_uint64_t inflight;
    apr_uint64_t sessions;
    apr_uint64_t queued;
    apr_uint64_t retries;
    apr_uint64_t retries_denied;
    int panic;                   /* every check fails */
    int dead;                    /* and no member accepts connections */
    int store_down;              /* LBStickyStore does not answer */
    apr_uint32_t foreign_tokens; /* lately: signed with another secret */
    apr_uint32_t circles; /* lately: redirects to where the visitor was */
    apr_uint32_t upgrades_lost; /* lately: for want of upgrade= */
    int busy_key_percent;       /* share of the busiest key; -1: not known */
    int may_change;             /* actions of this page reach this pool */
    int failover;               /* sessions move to another member */
    apr_uint64_t decisions[LBS_DECISIONS][LBS_REASONS];
    lbs_view_plot_t plot[LBS_VIEW_SPANS];
    apr_uint32_t discover_count; /* sources of LBStickyDiscover; 0: off */
    const lbs_view_source_t *discover;
    apr_uint64_t discover_kinds[LBS_ROSTER_KINDS];
    apr_uint32_t members_count;
    const lbs_view_member_t *members;
} lbs_view_pool_t;

typedef struct lbs_view_event_t {
    apr_int64_t at;
    const char *pool;      /* "" if it is about none */
    const char *vhost;     /* of the pool */
    const char *member;    /* route, else URL; "" if it is about none */
    const char *member_id; /* "" likewise */
    const char *event;
    const char *reason;
} lbs_view_event_t;

typedef struct lbs_view_table_t {
    apr_uint64_t capacity;
    apr_uint64_t entries;
    apr_uint64_t bytes;
    apr_uint64_t evicted_live; /* sessions lost for lack of room */
    apr_uint64_t expired;
    const char *persist; /* path of the state file, or "off" */
    apr_int64_t age_s;   /* since it was written; -1: never, or not known */
    /* How much later than that the last request was: a crash now would lose
     * that time. The file is written only when something happened. */
    apr_int64_t unsaved_s;
    int is_volatile; /* the file system of that path is memory */
} lbs_view_table_t;

/* The findings of httpd -t for the configuration in force. */
typedef struct lbs_view_finding_t {
    const char *code; /* a word: "pool-unused" */
    const char *pool; /* "" if it is about none */
    const char *text;
    int certain; /* 0: it may be meant so */
} lbs_view_finding_t;

typedef struct lbs_view_t {
    const char *version;
    const char *server; /* name of the host */
    apr_int64_t started;
    apr_int64_t now;
    apr_uint64_t generation; /* from 1 */
    lbs_view_table_t table;
    apr_int64_t ahead_s; /* lately: a server with our secret is ahead by so
                            much; 0: none is */
    apr_uint32_t findings_count;
    const lbs_view_finding_t *findings;
    apr_uint32_t pools_count;
    const lbs_view_pool_t *pools;
    apr_uint32_t events_count;
    const lbs_view_event_t *events; /* the newest first */
} lbs_view_t;

/** @return the member's name on pages: its route, else its URL */
const char *lbs_view_member_label(const lbs_view_member_t *member);

/** @return failed attempts of all kinds */
apr_uint64_t lbs_view_member_failures(const lbs_view_member_t *member);

/** @return 1 when visitors with a session are served by this member */
int lbs_view_member_serves(const lbs_view_member_t *member);

/** @return decisions of one kind, all reasons together */
apr_uint64_t lbs_view_pool_decided(const lbs_view_pool_t *pool,
                                   lbs_decision_t decision);

/** @return answers of one class by all members
 * @param hundreds  1 to 5: 1xx to 5xx */
apr_uint64_t lbs_view_pool_responses(const lbs_view_pool_t *pool,
                                     int hundreds);

/** @return members of a pool in that state */
apr_uint32_t lbs_view_pool_count(const lbs_view_pool_t *pool,
                                 lbs_state_t state);

/**
 * Find a pool by name.
 *
 * @param vhost  NULL: any
 * @return NULL when there is none; the first of several
 */
const lbs_view_pool_t *lbs_view_pool_find(const lbs_view_t *view,
                                          const char *name, const char *vhost);

/** @param who  id, route or URL. @return NULL when there is none */
const lbs_view_member_t *lbs_view_member_find(const lbs_view_pool_t *pool,
                                              const char *who);

/** @return the sum of requests or errors over the last seconds of a plot,
 *          by the second; 0 when nothing is known */
double lbs_view_plot_rate(const lbs_view_plot_t *plot, apr_uint32_t seconds,
                          int errors);

#endif
