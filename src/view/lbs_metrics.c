/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_metrics.c - the state for Prometheus.
 *
 * The format wants all series of one metric together, so the members are
 * walked once per metric. Their labels are the longest part and the same each
 * time: they are escaped once and then written as they are.
 *
 * The document has a budget, from which the metrics take in their order; one
 * that does not fit is written without the series of ordinary values, and then
 * not at all. The length of values does not count.
 */
#include "src/view/lbs_metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include "src/base/lbs_slice.h"
#include "src/member/lbs_latency.h"
#include "src/view/lbs_alert.h"
#include "src/view/lbs_escape.h"
#include "src/view/lbs_metrics_int.h"

#define TOTAL "_total" /* how the name of a counter ends */
#define OPEN "application/openmetrics-text"
#define BUDGET 390000    /* bytes; about 10000 more are the metrics' heads */
#define VALUE_BYTES 12   /* of a series beside its names and labels */
#define FEW_RANGES 8     /* histograms of no more ranges are written whole */
#define POOL_BYTES 80    /* of a series of a pool beside its labels */
#define POOL_SERIES 4    /* of each pool beside the decisions */
#define OWN_LABEL_MAX 48 /* bytes */

typedef struct series_t {
    const lbs_view_member_t *member;
    const char *labels; /* pool, vhost and member, escaped, no braces */
} series_t;

typedef struct metrics_t {
    lbs_out_t *out;
    const lbs_view_t *view;
    lbs_metrics_ask_t ask;
    apr_size_t left;    /* of the budget, bytes */
    const char **pools; /* the labels pool and vhost of each */
    series_t *series;   /* the members of all pools */
    apr_uint32_t count;
} metrics_t;

/* Which series of a metric are written. */
typedef enum extent_t { EXTENT_ALL, EXTENT_UNUSUAL, EXTENT_NONE } extent_t;

/* One series of a member. */
typedef struct value_t {
    const char *end;         /* of its name, behind the metric's */
    char own[OWN_LABEL_MAX]; /* its own label, with the comma; or "" */
    apr_uint64_t count;      /* its value, where it has no decimals */
    double real;             /* otherwise */
    int decimals;
    int unusual; /* not 0, or another value that says something */
    int missing; /* the member has no such series */
} value_t;

enum { UP, INFLIGHT, LIMIT, SESSIONS, WEIGHT, TURNS, DOWNTIME };

/* Series of a histogram: an end of each range, and these. */
enum { RANGES = LBS_LATENCY_BOUNDS + 1, SUM = RANGES, COUNT, SERIES };

/* A metric that members have. */
typedef struct family_t {
    const char *name, *type, *help;
    int first; /* number of the first part, for tell */
    int parts; /* series of each member */
    void (*tell)(const lbs_view_member_t *member, int part, value_t *to);
} family_t;

/* Names that two members of a pool share, so that they get their URL. */
static apr_hash_t *shared_labels(apr_pool_t *pool, const lbs_view_pool_t *of)
{
    apr_hash_t *seen = apr_hash_make(pool);
    apr_hash_t *twice = apr_hash_make(pool);
    apr_uint32_t i;

    for (i = 0; i < of->members_count; i++) {
        const char *label = lbs_view_member_label(&of->members[i]);

        if (apr_hash_get(seen, label, APR_HASH_KEY_STRING) != NULL) {
            apr_hash_set(twice, label, APR_HASH_KEY_STRING, label);
        }
        apr_hash_set(seen, label, APR_HASH_KEY_STRING, label);
    }
    return twice;
}

static void label_pool(metrics_t *m, const lbs_view_pool_t *of,
                       const char **labels)
{
    apr_pool_t *pool = m->out->pool;
    apr_hash_t *twice = shared_labels(pool, of);
    apr_uint32_t i;

    *labels = apr_pstrcat(
        pool, "pool=\"", lbs_escape_text(pool, LBS_OUT_LABEL, of->name),
        "\",vhost=\"", lbs_escape_text(pool, LBS_OUT_LABEL, of->vhost), "\"",
        NULL);
    for (i = 0; i < of->members_count; i++) {
        const lbs_view_member_t *member = &of->members[i];
        const char *label = lbs_view_member_label(member);

        if (apr_hash_get(twice, label, APR_HASH_KEY_STRING) != NULL) {
            label = member->name;
        }
        m->series[m->count].member = member;
        m->series[m->count++].labels = apr_pstrcat(
            pool, *labels, ",member=\"",
            lbs_escape_text(pool, LBS_OUT_LABEL, label), "\"", NULL);
    }
}

static void label_all(metrics_t *m)
{
    apr_uint32_t i, members = 0;

    for (i = 0; i < m->view->pools_count; i++) {
        members += m->view->pools[i].members_count;
    }
    m->pools = apr_palloc(m->out->pool,
                          (m->view->pools_count + 1) * sizeof(*m->pools));
    m->series = apr_palloc(m->out->pool, (members + 1) * sizeof(*m->series));
    for (i = 0; i < m->view->pools_count; i++) {
        label_pool(m, &m->view->pools[i], &m->pools[i]);
    }
}

/* To OpenMetrics a counter is called without the end that its series have. */
static const char *family_of(const metrics_t *m, const char *name,
                             const char *type)
{
    apr_size_t end = strlen(name) - strlen(TOTAL);

    return m->ask.format == LBS_METRICS_OPEN && strcmp(type, "counter") == 0
               ? apr_pstrmemdup(m->out->pool, name, end)
               : name;
}

static void head(metrics_t *m, const char *name, const char *type,
                 const char *help)
{
    const char *family = family_of(m, name, type);

    lbs_out_put(m->out, "# HELP %s %s\n# TYPE %s %s\n", family, help, family,
                type);
}

/* A series up to where its own labels follow; the labels are escaped. */
static void open_series(metrics_t *m, const char *name, const char *labels)
{
    lbs_out_raw(m->out, name);
    lbs_out_raw(m->out, "{");
    lbs_out_raw(m->out, labels);
}

static void write_table(metrics_t *m)
{
    const lbs_view_table_t *table = &m->view->table;
    const char *evictions = "lbsticky_table_evictions_total";

    head(m, "lbsticky_up", "gauge", "1 while the module answers.");
    lbs_out_raw(m->out, "lbsticky_up 1\n");
    head(m, "lbsticky_table_capacity", "gauge",
         "Sessions that the table has room for.");
    lbs_out_put(m->out, "lbsticky_table_capacity %llu\n",
                (unsigned long long)table->capacity);
    head(m, "lbsticky_table_entries", "gauge",
         "Sessions that the table holds.");
    lbs_out_put(m->out, "lbsticky_table_entries %llu\n",
                (unsigned long long)table->entries);
    head(m, evictions, "counter",
         "Sessions dropped: expired, or live ones for lack of room.");
    lbs_out_put(m->out, "%s{kind=\"expired\"} %llu\n%s{kind=\"live\"} %llu\n",
                evictions, (unsigned long long)table->expired, evictions,
                (unsigned long long)table->evicted_live);
}

/* Take from the budget what pools need. With very many of them the decisions
 * that were never made are left out.
 *
 * @return 1: all decisions are written */
static int take_pools(metrics_t *m)
{
    apr_size_t all = 0, made = 0;
    apr_uint32_t i;
    int d, reason;

    for (i = 0; i < m->view->pools_count; i++) {
        apr_size_t line = strlen(m->pools[i]) + POOL_BYTES;

        made += POOL_SERIES * line;
        all += POOL_SERIES * line;
        for (d = 0; d < LBS_DECISIONS; d++) {
            apr_uint32_t wanted = lbs_decision_reasons((lbs_decision_t)d);

            for (reason = 0; reason < LBS_REASONS; reason++) {
                all += ((wanted >> reason) & 1u) != 0 ? line : 0;
                made += m->view->pools[i].decisions[d][reason] != 0 ? line : 0;
            }
        }
    }
    if (m->ask.detail || all <= BUDGET / 2) {
        m->left -= all < m->left ? all : m->left;
        return 1;
    }
    m->left -= made < m->left ? made : m->left;
    return 0;
}

static void write_decision(metrics_t *m, apr_uint32_t number,
                           lbs_decision_t decision, int all)
{
    const lbs_view_pool_t *pool = &m->view->pools[number];
    apr_uint32_t wanted = lbs_decision_reasons(decision);
    int reason;

    for (reason = 0; reason < LBS_REASONS; reason++) {
        apr_uint64_t count = pool->decisions[decision][reason];

        if ((wanted & (1u << reason)) != 0 && (all || count != 0)) {
            open_series(m, "lbsticky_decisions_total", m->pools[number]);
            lbs_out_put(m->out, ",decision=\"%s\",reason=\"%s\"} %llu\n",
                        lbs_decision_name(decision),
                        lbs_reason_name((lbs_reason_t)reason),
                        (unsigned long long)count);
        }
    }
}

static void write_alerts(metrics_t *m)
{
    const lbs_alerts_t *alerts = lbs_alert_list(m->out->pool, m->view);
    unsigned count[LBS_ALERT_LEVELS] = {0};
    int level, i;

    for (i = 0; i < alerts->count; i++) {
        count[alerts->alert[i].level]++;
    }
    head(m, "lbsticky_alerts", "gauge",
         "What is wrong, as lb-status and lbctl doctor list it.");
    for (level = 0; level < LBS_ALERT_LEVELS; level++) {
        lbs_out_put(m->out, "lbsticky_alerts{severity=\"%s\"} %u\n",
                    lbs_alert_level_name((lbs_alert_level_t)level),
                    count[level]);
    }
}

/* LBStickyForeign: how often each reader still finds somebody. */
static void write_readers(metrics_t *m, int last)
{
    const char *name =
        last ? "lbsticky_adopted_last_seconds" : "lbsticky_adopted_total";
    apr_uint32_t i, r;

    head(m, name, last ? "gauge" : "counter",
         last ? "When the last of them came, in Unix time."
              : "Visitors that stayed where the former balancer had them.");
    for (i = 0; i < m->view->pools_count; i++) {
        const lbs_view_pool_t *pool = &m->view->pools[i];

        for (r = 0; r < pool->readers_count; r++) {
            open_series(m, name, m->pools[i]);
            lbs_out_put(m->out, ",reader=\"%s\"} %lld\n",
                        pool->readers[r].word,
                        last ? (long long)pool->readers[r].last
                             : (long long)pool->readers[r].used);
        }
    }
}

static void write_pools(metrics_t *m)
{
    const char *retries = "lbsticky_retries_total";
    int all = take_pools(m);
    apr_uint32_t i;
    int decision;

    head(m, "lbsticky_decisions_total", "counter",
         "What was decided for requests, and why.");
    for (i = 0; i < m->view->pools_count; i++) {
        for (decision = 0; decision < LBS_DECISIONS; decision++) {
            write_decision(m, i, (lbs_decision_t)decision, all);
        }
    }
    head(m, retries, "counter",
         "Requests repeated, and not repeated for want of budget.");
    for (i = 0; i < m->view->pools_count; i++) {
        const lbs_view_pool_t *pool = &m->view->pools[i];

        open_series(m, retries, m->pools[i]);
        lbs_out_put(m->out, ",result=\"done\"} %llu\n",
                    (unsigned long long)pool->retries);
        open_series(m, retries, m->pools[i]);
        lbs_out_put(m->out, ",result=\"denied\"} %llu\n",
                    (unsigned long long)pool->retries_denied);
    }
    write_readers(m, 0);
    write_readers(m, 1);
    lbs_metrics_discover(m->out, m->view, m->pools, m->ask.format);
    head(m, "lbsticky_pool_queued", "gauge",
         "Requests waiting for a member that is full.");
    for (i = 0; i < m->view->pools_count; i++) {
        open_series(m, "lbsticky_pool_queued", m->pools[i]);
        lbs_out_put(m->out, "} %llu\n",
                    (unsigned long long)m->view->pools[i].queued);
    }
    head(m, "lbsticky_pool_panic", "gauge",
         "1 while every check fails (LBStickyPanic).");
    for (i = 0; i < m->view->pools_count; i++) {
        open_series(m, "lbsticky_pool_panic", m->pools[i]);
        lbs_out_put(m->out, "} %d\n", m->view->pools[i].panic != 0);
    }
}

/* What members have ------------------------------------------------------ */

static void put_count(value_t *to, apr_uint64_t count)
{
    to->count = count;
    to->unusual = count != 0;
}

static void put_real(value_t *to, double real, int decimals, double usual)
{
    to->real = real;
    to->decimals = decimals;
    to->unusual = real < usual || real > usual;
}

static void read_one(const lbs_view_member_t *member, int part, value_t *to)
{
    switch (part) {
    case UP:
        put_real(to, lbs_view_member_serves(member), 1, 1);
        break;
    case INFLIGHT:
        put_real(to, (double)member->inflight, 1, 0);
        break;
    case LIMIT:
        put_real(to, (double)member->limit, 1, 0);
        break;
    case SESSIONS:
        put_real(to, (double)member->sessions, 1, 0);
        break;
    case WEIGHT:
        put_real(to, member->weight, 2, 1);
        break;
    case TURNS:
        put_count(to, member->turns);
        break;
    default:
        put_real(to, member->downtime_s, 3, 0);
        break;
    }
}

static void read_state(const lbs_view_member_t *member, int part, value_t *to)
{
    to->count = (int)member->state == part;
    to->unusual = to->count != (part == LBS_STATE_UP);
    apr_snprintf(to->own, sizeof(to->own), ",state=\"%s\"",
                 lbs_state_name((lbs_state_t)part));
}

static void read_requests(const lbs_view_member_t *member, int part,
                          value_t *to)
{
    put_count(to, member->responses[part]);
    apr_snprintf(to->own, sizeof(to->own), ",code=\"%dxx\"", part + 1);
}

static void read_failures(const lbs_view_member_t *member, int part,
                          value_t *to)
{
    put_count(to, member->failures[part]);
    apr_snprintf(to->own, sizeof(to->own), ",kind=\"%s\"",
                 lbs_fail_name((lbs_fail_t)part));
}

static void read_bytes(const lbs_view_member_t *member, int part, value_t *to)
{
    put_count(to, part == 0 ? member->bytes_in : member->bytes_out);
    apr_snprintf(to->own, sizeof(to->own), ",direction=\"%s\"",
                 part == 0 ? "in" : "out");
}

/* Is this end of a range written? One of two, without detail. */
static int is_end(const lbs_view_histogram_t *h, apr_uint32_t i, int detail)
{
    return i < h->ranges
           && (detail || h->ranges <= FEW_RANGES || i + 1 == h->ranges
               || (i != 0 && i % 2 == 0));
}

/* Prometheus wants for each upper end all that was not above it. Ends have at
 * most six digits, and a point. */
static void read_histogram(const lbs_view_member_t *member, int number,
                           value_t *to)
{
    int part = number % SERIES;
    const lbs_view_histogram_t *h = &member->durations;
    apr_uint32_t last =
        (apr_uint32_t)part < RANGES ? (apr_uint32_t)part : h->ranges - 1;
    apr_uint64_t sum = 0;
    apr_uint32_t i;

    to->missing = h->ranges == 0
                  || (part < RANGES && !is_end(h, last, number >= SERIES));
    for (i = 0; !to->missing && i <= last; i++) {
        sum += h->counts[i];
    }
    put_count(to, sum);
    to->unusual = member->durations.sum_s > 0;
    to->end = part == SUM ? "_sum" : part == COUNT ? "_count" : "_bucket";
    if (part == SUM) {
        put_real(to, h->sum_s, 6, 0);
    }
    else if (part != COUNT && !to->missing && last + 1 < h->ranges) {
        double end = h->upper_s[last];

        snprintf(to->own, sizeof(to->own),
                 end < floor(end) || end > floor(end) ? ",le=\"%g\""
                                                      : ",le=\"%.1f\"",
                 end);
    }
    else if (part != COUNT) {
        apr_cpystrn(to->own, ",le=\"+Inf\"", sizeof(to->own));
    }
}

/* From the first part on some ends of ranges, from the next on all. */
static const family_t histogram = {
    "lbsticky_member_request_duration_seconds",
    "histogram",
    "Time from sending a request to the first byte of its answer.",
    0,
    SERIES,
    read_histogram};

static const family_t families[] = {
    {"lbsticky_member_up", "gauge", "1 if visitors are served by the member.",
     UP, 1, read_one},
    {"lbsticky_member_failures_total", "counter",
     "Attempts that failed, by what went wrong.", 0, LBS_FAILS, read_failures},
    {"lbsticky_member_requests_total", "counter",
     "Answers of the member by class of status.", 0, LBS_RESPONSES,
     read_requests},
    {"lbsticky_member_state", "gauge",
     "1 for the state that the member is in, 0 for the others.", 0, LBS_STATES,
     read_state},
    {"lbsticky_member_inflight", "gauge",
     "Requests sent and not yet answered.", INFLIGHT, 1, read_one},
    {"lbsticky_member_limit", "gauge", "Most requests at once; 0: any number.",
     LIMIT, 1, read_one},
    {"lbsticky_member_sessions", "gauge", "Live sessions.", SESSIONS, 1,
     read_one},
    {"lbsticky_member_weight", "gauge", "Weight as set.", WEIGHT, 1, read_one},
    {"lbsticky_member_turns_total", "counter",
     "How often it became down or ejected.", TURNS, 1, read_one},
    {"lbsticky_member_downtime_seconds_total", "counter",
     "Time that the member was down or ejected.", DOWNTIME, 1, read_one},
    {"lbsticky_member_bytes_total", "counter",
     "Bytes to the member (in) and from it (out).", 0, 2, read_bytes},
};

/* @return 1 when the series is one of those that are written */
static int read_part(const family_t *family, const series_t *series, int part,
                     extent_t extent, value_t *value)
{
    *value = (value_t){.end = ""};
    family->tell(series->member, family->first + part, value);
    return !value->missing && (extent == EXTENT_ALL || value->unusual);
}

static void write_value(metrics_t *m, const char *name, const char *labels,
                        const value_t *value)
{
    lbs_out_raw(m->out, name);
    open_series(m, value->end, labels);
    lbs_out_raw(m->out, value->own);
    lbs_out_raw(m->out, "} ");
    if (value->decimals == 0) {
        lbs_out_count(m->out, value->count);
    }
    else {
        lbs_out_real(m->out, value->real, value->decimals);
    }
    lbs_out_raw(m->out, "\n");
}

/* Write the series of a metric, or only tell what they take.
 * @return bytes, about */
static apr_size_t walk(metrics_t *m, const family_t *family, extent_t extent,
                       int writes)
{
    apr_size_t bytes = 0;
    value_t value;
    apr_uint32_t i;
    int part;

    for (i = 0; extent != EXTENT_NONE && i < m->count; i++) {
        const char *labels = m->series[i].labels;

        for (part = 0; part < family->parts; part++) {
            if (!read_part(family, &m->series[i], part, extent, &value)) {
                continue;
            }
            bytes += strlen(family->name) + strlen(value.end) + strlen(labels)
                     + strlen(value.own) + VALUE_BYTES;
            if (writes) {
                write_value(m, family->name, labels, &value);
            }
        }
    }
    return bytes;
}

/* Take what a metric needs from the budget. */
static int takes(metrics_t *m, apr_size_t bytes)
{
    int fits = m->ask.detail || bytes <= m->left;

    m->left -= fits ? bytes : 0;
    return fits;
}

static extent_t extent_of(metrics_t *m, const family_t *family)
{
    if (takes(m, walk(m, family, EXTENT_ALL, 0))) {
        return EXTENT_ALL;
    }
    return takes(m, walk(m, family, EXTENT_UNUSUAL, 0)) ? EXTENT_UNUSUAL
                                                        : EXTENT_NONE;
}

static void write_family(metrics_t *m, const family_t *family)
{
    static const char *const left_out[] = {
        [EXTENT_ALL] = "",
        [EXTENT_UNUSUAL] = " Without ordinary values; ?detail has all.",
        [EXTENT_NONE] = " Too many; ?detail has them.",
    };
    extent_t extent = extent_of(m, family);

    head(m, family->name, family->type,
         apr_pstrcat(m->out->pool, family->help, left_out[extent], NULL));
    (void)walk(m, family, extent, 1); /* the bytes were taken before */
}

lbs_metrics_format_t lbs_metrics_accepted(const char *accept)
{
    lbs_slice_t open = lbs_slice_of(OPEN);

    while (accept != NULL && *accept != '\0') {
        lbs_slice_t type;

        accept += strspn(accept, " \t,");
        type = lbs_slice_span(accept, accept + strcspn(accept, " \t,;"));
        if (lbs_slice_caseeq(type, open)) {
            return LBS_METRICS_OPEN;
        }
        accept += strcspn(accept, ",");
    }
    return LBS_METRICS_TEXT;
}

const char *lbs_metrics_type(lbs_metrics_format_t format)
{
    return format == LBS_METRICS_OPEN
               ? OPEN "; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

void lbs_metrics_write(lbs_out_t *out, const lbs_view_t *view,
                       lbs_metrics_ask_t ask)
{
    metrics_t m = {.out = out, .view = view, .ask = ask, .left = BUDGET};
    family_t last = histogram;
    apr_size_t i;

    label_all(&m);
    write_table(&m);
    write_alerts(&m);
    write_pools(&m);
    for (i = 0; i < sizeof(families) / sizeof(*families); i++) {
        write_family(&m, &families[i]);
    }
    last.first = ask.detail ? SERIES : 0;
    write_family(&m, &last);
    if (ask.format == LBS_METRICS_OPEN) {
        lbs_out_raw(out, "# EOF\n");
    }
}
