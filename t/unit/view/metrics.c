/* SPDX-License-Identifier: Apache-2.0 */
#include "src/view/lbs_metrics.h"
#include "t/unit/view/sample.h"

static char *written_as(apr_pool_t *pool, const lbs_view_t *view,
                        lbs_metrics_ask_t ask)
{
    sample_text_t text;
    lbs_out_t *out = sample_out(pool, LBS_OUT_LABEL, &text);

    lbs_metrics_write(out, view, ask);
    is_int(lbs_out_close(out), APR_SUCCESS, "taken");
    return text.text;
}

static char *written(apr_pool_t *pool, const lbs_view_t *view)
{
    return written_as(pool, view, (lbs_metrics_ask_t){LBS_METRICS_TEXT, 0});
}

static void names(const char *text)
{
    static const char *const lines[] = {
        "\nlbsticky_up 1\n",
        "\nlbsticky_table_capacity 250000\n",
        "\nlbsticky_table_entries 3120\n",
        "\nlbsticky_table_evictions_total{kind=\"expired\"} 777\n",
        "\nlbsticky_table_evictions_total{kind=\"live\"} 0\n",
        "\nlbsticky_decisions_total{pool=\"app\",vhost=\"www.example.com:80\","
        "decision=\"moved\",reason=\"down\"} 340\n",
        ",decision=\"kept\",reason=\"\"} 181000\n",
        "\nlbsticky_retries_total{pool=\"app\",vhost=\"www.example.com:80\","
        "result=\"done\"} 17\n",
        "\nlbsticky_member_up{pool=\"app\",vhost=\"www.example.com:80\","
        "member=\"web1\"} 1.0\n",
        "member=\"web3\"} 0.0\n",
        ",member=\"web2\",state=\"drain\"} 1\n",
        ",member=\"web2\",state=\"up\"} 0\n",
        "\nlbsticky_member_weight{",
        "\nlbsticky_member_sessions{",
        "\nlbsticky_member_inflight{",
        ",member=\"web1\",code=\"3xx\"} 200\n",
        "\nlbsticky_member_failures_total{",
        ",member=\"web1\",kind=\"connect\"} ",
        "\nlbsticky_member_bytes_total{",
        ",member=\"web1\",direction=\"in\"} ",
        ",member=\"web1\",direction=\"out\"} ",
        "\nlbsticky_member_downtime_seconds_total{pool=\"app\",vhost="
        "\"www.example.com:80\",member=\"web1\"} 192.5\n",
        "\nlbsticky_member_turns_total{pool=\"app\",vhost="
        "\"www.example.com:80\",member=\"web1\"} 2\n",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        ok(strstr(text, lines[i]) != NULL, "%s",
           lines[i][0] == '\n' ? lines[i] + 1 : lines[i]);
    }
    is_int(sample_occurs(text, "lbsticky_member_state{"), 4 * 12,
           "one series per member and state");
}

static void histogram(const char *text)
{
    const char *name = "lbsticky_member_request_duration_seconds";
    static const char *const rows[] = {"_bucket{L,le=\"0.001\"} 10\n",
                                       "_bucket{L,le=\"0.01\"} 210\n",
                                       "_bucket{L,le=\"0.1\"} 240\n",
                                       "_bucket{L,le=\"1.0\"} 244\n",
                                       "_bucket{L,le=\"+Inf\"} 249\n",
                                       "_sum{L} 12.5\n",
                                       "_count{L} 249\n"};
    static const char labels[] =
        "pool=\"app\",vhost=\"www.example.com:80\",member=\"web1\"";
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char line[300];
        const char *at = strchr(rows[i], 'L');

        snprintf(line, sizeof(line), "\n%s%.*s%s%s", name, (int)(at - rows[i]),
                 rows[i], labels, at + 1);
        ok(strstr(text, line) != NULL, "histogram%s", rows[i]);
    }
}

/* All lines of a metric stand together, after its one HELP and TYPE, and no
 * series comes twice. */
static void grammar(char *text, const char *what)
{
    static const char *series[2000];
    char *line, *last = NULL;
    int count = 0, wrong = 0, twice = 0, i;
    char type[100] = "";

    for (line = apr_strtok(text, "\n", &last); line != NULL;
         line = apr_strtok(NULL, "\n", &last)) {
        if (strncmp(line, "# TYPE ", 7) == 0) {
            snprintf(type, sizeof(type), "%.*s", (int)strcspn(line + 7, " "),
                     line + 7);
        }
        else if (line[0] != '#') {
            wrong += strncmp(line, type, strlen(type)) != 0;
            *strrchr(line, ' ') = '\0';
            for (i = 0; i < count; i++) {
                twice += strcmp(series[i], line) == 0;
            }
            if (count < 2000) {
                series[count++] = line;
            }
        }
    }
    ok(count > 30, "%s: series were found", what);
    is_int(wrong, 0, "%s: every line belongs to the metric above it", what);
    is_int(twice, 0, "%s: no series comes twice", what);
}

static void same_routes(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 3, 0);
    lbs_view_pool_t *of = apr_pmemdup(pool, view->pools, sizeof(*of));
    lbs_view_member_t *members =
        apr_pmemdup(pool, of->members, 3 * sizeof(*members));

    members[1].route = members[0].route;
    of->members = members;
    view->pools = of;
    grammar(written(pool, view), "two members with one route");
}

/* OpenMetrics: the same series, families of counters by their short names,
 * and an end that can be seen. */
static void open_metrics(apr_pool_t *pool)
{
    static const struct {
        const char *accept;
        lbs_metrics_format_t format;
    } rows[] = {
        {NULL, LBS_METRICS_TEXT},
        {"", LBS_METRICS_TEXT},
        {"*/*", LBS_METRICS_TEXT},
        {"text/plain; version=0.0.4", LBS_METRICS_TEXT},
        {"application/openmetrics-text2", LBS_METRICS_TEXT},
        {"text/plain;x=application/openmetrics-text", LBS_METRICS_TEXT},
        {"application/openmetrics-text", LBS_METRICS_OPEN},
        {"application/openmetrics-text;version=1.0.0;q=0.5,"
         "text/plain;version=0.0.4;q=0.2",
         LBS_METRICS_OPEN},
        {"text/plain;q=0.1, Application/OpenMetrics-Text; version=1.0.0",
         LBS_METRICS_OPEN},
    };
    const lbs_view_t *view = sample_view(pool, 4, 1);
    char *text =
        written_as(pool, view, (lbs_metrics_ask_t){LBS_METRICS_OPEN, 0});
    const char *plain = written(pool, view);
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        is_int(lbs_metrics_accepted(rows[i].accept), rows[i].format,
               "accepted: %s", rows[i].accept ? rows[i].accept : "nothing");
    }
    ok(strstr(text, "# TYPE lbsticky_decisions counter\n") != NULL,
       "a counter's family");
    ok(strstr(text, "# TYPE lbsticky_table_evictions counter\n") != NULL,
       "and one that is no pool's");
    ok(strstr(text, "\nlbsticky_decisions_total{") != NULL, "its series");
    ok(strstr(text, "_total counter") == NULL, "no family ends so");
    is_str(text + strlen(text) - 6, "# EOF\n", "the end");
    is_int(sample_occurs(text, "# EOF"), 1, "once");
    ok(strstr(plain, "# EOF") == NULL, "which the other format has not");
    is_int(sample_occurs(text, "\nlbsticky_"),
           sample_occurs(plain, "\nlbsticky_"), "as many series");
    grammar(text, "OpenMetrics");
}

/* A thousand members: the document stays small, whatever they have, and says
 * what it leaves out; with detail it has all. */
static void many(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 1000, 1);
    char *text = written(pool, view);
    const char *all =
        written_as(pool, view, (lbs_metrics_ask_t){LBS_METRICS_TEXT, 1});
    lbs_view_pool_t *idle = apr_pmemdup(pool, view->pools, sizeof(*idle));
    lbs_view_member_t *members =
        apr_pmemdup(pool, idle->members, 1000 * sizeof(*members));
    apr_uint32_t i;

    ok(strlen(text) <= 400000, "1000 busy members");
    is_int(sample_occurs(text, "\nlbsticky_member_up{"), 1000, "all are told");
    ok(strstr(text, "member=\"web3\",state=\"down\"} 1\n") != NULL,
       "a state that is not up");
    ok(strstr(text, "member=\"web20\",state=\"down\"}") == NULL,
       "and no others");
    ok(strstr(text, "kind=\"connect\"} 0\n") == NULL, "no counter of 0");
    ok(strstr(text, "?detail") != NULL, "it says what is left out");
    is_int(sample_occurs(text, "_duration_seconds_bucket{"), 0,
           "as the histograms are");
    is_int(sample_occurs(all, "_duration_seconds_bucket{"), 5000,
           "with detail: they are there");
    is_int(sample_occurs(all, "\nlbsticky_member_state{"), 12000,
           "and all states");
    ok(strstr(all, "?detail") == NULL, "and nothing is left out");
    grammar(text, "a thousand members");
    for (i = 0; i < 1000; i++) {
        memset(members[i].responses, 0, sizeof(members[i].responses));
        memset(members[i].failures, 0, sizeof(members[i].failures));
        members[i].turns = members[i].bytes_in = members[i].bytes_out = 0;
    }
    idle->members = members;
    view->pools = idle;
    text = written(pool, view);
    ok(strlen(text) <= 400000, "1000 idle members");
    is_int(sample_occurs(text, "\nlbsticky_member_inflight{"), 1000,
           "there is room for more metrics");
}

/* Half of the ends of ranges, unless they are few. */
static void ranges(apr_pool_t *pool)
{
    static const double upper[] = {0.001, 0.0025, 0.005, 0.01, 0.025,
                                   0.05,  0.1,    0.25,  0.5,  1,
                                   2.5,   5,      10,    30};
    static const apr_uint64_t counts[15] = {1, 1, 1, 1, 1, 1, 1, 1,
                                            1, 1, 1, 1, 1, 1, 1};
    lbs_view_t *view = sample_view(pool, 1, 0);
    lbs_view_pool_t *of = apr_pmemdup(pool, view->pools, sizeof(*of));
    lbs_view_member_t *member =
        apr_pmemdup(pool, of->members, sizeof(*member));
    const char *text, *all;

    member->durations = (lbs_view_histogram_t){15, upper, counts, 3.5};
    of->members = member;
    view->pools = of;
    text = written(pool, view);
    all = written_as(pool, view, (lbs_metrics_ask_t){LBS_METRICS_TEXT, 1});
    is_int(sample_occurs(all, "_bucket{"), 15, "all ends");
    ok(strstr(all, "le=\"0.0025\"} 2\n") != NULL, "each with its sum");
    ok(strstr(all, "le=\"30.0\"} 14\n") != NULL, "the last but one");
    is_int(sample_occurs(text, "_bucket{"), 7, "some ends");
    ok(strstr(text, "le=\"0.005\"} 3\n") != NULL, "5 ms");
    ok(strstr(text, "le=\"0.5\"} 9\n") != NULL, "half a second");
    ok(strstr(text, "le=\"+Inf\"} 15\n") != NULL, "all");
    ok(strstr(text, "_seconds_count{") != NULL, "the count");
    ok(strstr(text, "_seconds_sum{") != NULL, "the sum");
}

int main(void)
{
    apr_pool_t *pool = sample_memory();
    char *text = written(pool, sample_view(pool, 4, 1));

    names(text);
    histogram(text);
    grammar(text, "four members");
    text = written(pool, sample_nasty_view(pool));
    ok(strstr(text, "pool=\"\\\"><script>alert(1)</script>\\n\\\\&'\xc3\xa9"
                    "\xef\xbf\xbdxxx")
           != NULL,
       "names are escaped as labels are");
    grammar(text, "bad names");
    same_routes(pool);
    open_metrics(pool);
    many(pool);
    ranges(pool);
    return done_testing();
}
