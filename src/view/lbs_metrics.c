/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_metrics.c - the state for Prometheus.
 *
 * The format wants all series of one metric together, so the members are
 * walked once per metric. Their labels are the longest part and the same each
 * time: they are escaped once and then written as they are.
 */
#include "src/view/lbs_metrics.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "src/base/lbs_slice.h"
#include "src/view/lbs_alert.h"
#include "src/view/lbs_escape.h"

#define TOTAL "_total" /* how the name of a counter ends */
#define OPEN "application/openmetrics-text"

typedef struct series_t {
    const lbs_view_member_t *member;
    const char *labels; /* pool, vhost and member, escaped, no braces */
} series_t;

typedef struct metrics_t {
    lbs_out_t *out;
    const lbs_view_t *view;
    lbs_metrics_format_t format;
    const char **pools; /* the labels pool and vhost of each */
    series_t *series;   /* the members of all pools */
    apr_uint32_t count;
} metrics_t;

/* The name of a series, and the number that is its value. */
typedef struct gauge_t {
    const char *name, *help;
    double (*value)(const lbs_view_member_t *member);
} gauge_t;

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

    return m->format == LBS_METRICS_OPEN && strcmp(type, "counter") == 0
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

static void write_decision(metrics_t *m, apr_uint32_t number,
                           lbs_decision_t decision)
{
    const lbs_view_pool_t *pool = &m->view->pools[number];
    apr_uint32_t wanted = lbs_decision_reasons(decision);
    int reason;

    for (reason = 0; reason < LBS_REASONS; reason++) {
        if ((wanted & (1u << reason)) != 0) {
            open_series(m, "lbsticky_decisions_total", m->pools[number]);
            lbs_out_put(m->out, ",decision=\"%s\",reason=\"%s\"} %llu\n",
                        lbs_decision_name(decision),
                        lbs_reason_name((lbs_reason_t)reason),
                        (unsigned long long)pool->decisions[decision][reason]);
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
static void write_readers(metrics_t *m)
{
    const char *adopted = "lbsticky_adopted_total";
    const char *last = "lbsticky_adopted_last_seconds";
    const lbs_view_pool_t *pool = m->view->pools;
    apr_uint32_t i, r;

    head(m, adopted, "counter",
         "Visitors that stayed where the former balancer had them.");
    for (i = 0; i < m->view->pools_count; i++) {
        for (r = 0; r < pool[i].readers_count; r++) {
            open_series(m, adopted, m->pools[i]);
            lbs_out_put(m->out, ",reader=\"%s\"} %llu\n",
                        pool[i].readers[r].word,
                        (unsigned long long)pool[i].readers[r].used);
        }
    }
    head(m, last, "gauge", "When the last of them came, in Unix time.");
    for (i = 0; i < m->view->pools_count; i++) {
        for (r = 0; r < pool[i].readers_count; r++) {
            open_series(m, last, m->pools[i]);
            lbs_out_put(m->out, ",reader=\"%s\"} %lld\n",
                        pool[i].readers[r].word,
                        (long long)pool[i].readers[r].last);
        }
    }
}

static void write_pools(metrics_t *m)
{
    const char *retries = "lbsticky_retries_total";
    apr_uint32_t i;
    int decision;

    head(m, "lbsticky_decisions_total", "counter",
         "What was decided for requests, and why.");
    for (i = 0; i < m->view->pools_count; i++) {
        for (decision = 0; decision < LBS_DECISIONS; decision++) {
            write_decision(m, i, (lbs_decision_t)decision);
        }
    }
    head(
        m, retries, "counter",
        "Requests repeated, and not repeated because the budget was used up.");
    for (i = 0; i < m->view->pools_count; i++) {
        const lbs_view_pool_t *pool = &m->view->pools[i];

        open_series(m, retries, m->pools[i]);
        lbs_out_put(m->out, ",result=\"done\"} %llu\n",
                    (unsigned long long)pool->retries);
        open_series(m, retries, m->pools[i]);
        lbs_out_put(m->out, ",result=\"denied\"} %llu\n",
                    (unsigned long long)pool->retries_denied);
    }
    write_readers(m);
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

static double up_of(const lbs_view_member_t *member)
{
    return lbs_view_member_serves(member);
}

static double weight_of(const lbs_view_member_t *member)
{
    return member->weight;
}

static double sessions_of(const lbs_view_member_t *member)
{
    return (double)member->sessions;
}

static double inflight_of(const lbs_view_member_t *member)
{
    return (double)member->inflight;
}

static void write_gauges(metrics_t *m)
{
    static const gauge_t gauges[] = {
        {"lbsticky_member_up", "1 if visitors are served by the member.",
         up_of},
        {"lbsticky_member_weight", "Weight as set.", weight_of},
        {"lbsticky_member_sessions", "Live sessions.", sessions_of},
        {"lbsticky_member_inflight", "Requests sent and not yet answered.",
         inflight_of},
    };
    apr_size_t g;
    apr_uint32_t i;

    for (g = 0; g < sizeof(gauges) / sizeof(*gauges); g++) {
        head(m, gauges[g].name, "gauge", gauges[g].help);
        for (i = 0; i < m->count; i++) {
            open_series(m, gauges[g].name, m->series[i].labels);
            lbs_out_raw(m->out, "} ");
            lbs_out_real(m->out, gauges[g].value(m->series[i].member), 2);
            lbs_out_raw(m->out, "\n");
        }
    }
}

static void write_states(metrics_t *m)
{
    apr_uint32_t i;
    int state;

    head(m, "lbsticky_member_state", "gauge",
         "1 for the state that the member is in, 0 for the others.");
    for (i = 0; i < m->count; i++) {
        for (state = 0; state < LBS_STATES; state++) {
            open_series(m, "lbsticky_member_state", m->series[i].labels);
            lbs_out_put(m->out, ",state=\"%s\"} %d\n",
                        lbs_state_name((lbs_state_t)state),
                        (int)m->series[i].member->state == state);
        }
    }
}

static void write_counters(metrics_t *m)
{
    const char *requests = "lbsticky_member_requests_total";
    const char *failures = "lbsticky_member_failures_total";
    const char *bytes = "lbsticky_member_bytes_total";
    apr_uint32_t i;
    int k;

    head(m, requests, "counter", "Answers of the member by class of status.");
    for (i = 0; i < m->count; i++) {
        for (k = 0; k < LBS_RESPONSES; k++) {
            open_series(m, requests, m->series[i].labels);
            lbs_out_put(m->out, ",code=\"%dxx\"} %llu\n", k + 1,
                        (unsigned long long)m->series[i].member->responses[k]);
        }
    }
    head(m, failures, "counter", "Attempts that failed, by what went wrong.");
    for (i = 0; i < m->count; i++) {
        for (k = 0; k < LBS_FAILS; k++) {
            open_series(m, failures, m->series[i].labels);
            lbs_out_put(m->out, ",kind=\"%s\"} %llu\n",
                        lbs_fail_name((lbs_fail_t)k),
                        (unsigned long long)m->series[i].member->failures[k]);
        }
    }
    head(m, bytes, "counter", "Bytes to the member (in) and from it (out).");
    for (i = 0; i < m->count; i++) {
        const lbs_view_member_t *member = m->series[i].member;

        open_series(m, bytes, m->series[i].labels);
        lbs_out_put(m->out, ",direction=\"in\"} %llu\n",
                    (unsigned long long)member->bytes_in);
        open_series(m, bytes, m->series[i].labels);
        lbs_out_put(m->out, ",direction=\"out\"} %llu\n",
                    (unsigned long long)member->bytes_out);
    }
}

static void write_downtime(metrics_t *m)
{
    const char *downtime = "lbsticky_member_downtime_seconds_total";
    const char *turns = "lbsticky_member_turns_total";
    apr_uint32_t i;

    head(m, downtime, "counter", "Time that the member was down or ejected.");
    for (i = 0; i < m->count; i++) {
        open_series(m, downtime, m->series[i].labels);
        lbs_out_raw(m->out, "} ");
        lbs_out_real(m->out, m->series[i].member->downtime_s, 3);
        lbs_out_raw(m->out, "\n");
    }
    head(m, turns, "counter", "How often it became down or ejected.");
    for (i = 0; i < m->count; i++) {
        open_series(m, turns, m->series[i].labels);
        lbs_out_put(m->out, "} %llu\n",
                    (unsigned long long)m->series[i].member->turns);
    }
}

/* Prometheus wants for each upper end all that was not above it. */
static void write_histogram(metrics_t *m, const series_t *series)
{
    const lbs_view_histogram_t *h = &series->member->durations;
    apr_uint64_t sum = 0;
    apr_uint32_t i;

    for (i = 0; i < h->ranges; i++) {
        sum += h->counts[i];
        open_series(m, "lbsticky_member_request_duration_seconds_bucket",
                    series->labels);
        if (i + 1 < h->ranges) {
            lbs_out_raw(m->out, ",le=\"");
            lbs_out_real(m->out, h->upper_s[i], 6);
            lbs_out_put(m->out, "\"} %llu\n", (unsigned long long)sum);
        }
        else {
            lbs_out_put(m->out, ",le=\"+Inf\"} %llu\n",
                        (unsigned long long)sum);
        }
    }
    open_series(m, "lbsticky_member_request_duration_seconds_sum",
                series->labels);
    lbs_out_raw(m->out, "} ");
    lbs_out_real(m->out, h->sum_s, 6);
    lbs_out_raw(m->out, "\n");
    open_series(m, "lbsticky_member_request_duration_seconds_count",
                series->labels);
    lbs_out_put(m->out, "} %llu\n", (unsigned long long)sum);
}

static void write_histograms(metrics_t *m)
{
    apr_uint32_t i;

    head(m, "lbsticky_member_request_duration_seconds", "histogram",
         "Time from sending a request to the first byte of its answer.");
    for (i = 0; i < m->count; i++) {
        if (m->series[i].member->durations.ranges > 0) {
            write_histogram(m, &m->series[i]);
        }
    }
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
                       lbs_metrics_format_t format)
{
    metrics_t m = {out, view, format, NULL, NULL, 0};

    label_all(&m);
    write_table(&m);
    write_alerts(&m);
    write_pools(&m);
    write_gauges(&m);
    write_states(&m);
    write_counters(&m);
    write_downtime(&m);
    write_histograms(&m);
    if (format == LBS_METRICS_OPEN) {
        lbs_out_raw(out, "# EOF\n");
    }
}
