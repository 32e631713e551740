/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_page_member.c - one member on the page, and the events. */
#include "src/view/lbs_page_int.h"

#include <string.h>

#include <apr_strings.h>

#include "src/view/lbs_human.h"
#include "src/view/lbs_plot.h"

#define EVENTS_SHOWN 30

static void open_card(const lbs_part_t *part, const char *id,
                      const char *title)
{
    lbs_out_put(part->out,
                "<section class='card' id='%s'><h2>%s</h2>"
                "<dl class='facts'>",
                id, title);
}

static void close_card(const lbs_part_t *part)
{
    lbs_out_raw(part->out, "</dl></section>\n");
}

static void put_load(const lbs_part_t *part)
{
    const lbs_view_member_t *m = part->member;
    apr_pool_t *memory = part->out->pool;
    const char *inflight = lbs_human_count(memory, m->inflight);

    if (m->limit > 0) {
        inflight = apr_pstrcat(memory, inflight, " of ",
                               lbs_human_count(memory, m->limit), NULL);
    }
    open_card(part, "load", "Load");
    lbs_page_fact(part, "", "Weight", lbs_human_weight(memory, m->weight));
    lbs_page_fact(part, "", "In force",
                  lbs_human_weight(memory, m->effective_weight));
    lbs_page_fact(part, "", "Sessions", lbs_human_count(memory, m->sessions));
    lbs_page_fact(part, "", "In flight", inflight);
    lbs_page_fact(
        part, "", "Requests",
        lbs_human_rate(memory, lbs_view_plot_rate(&m->plot[LBS_VIEW_RECENT],
                                                  LBS_PAGE_RATE_S, 0)));
    lbs_page_fact(part, "", "Requests so far",
                  lbs_human_count(memory, m->requests));
    lbs_page_fact(part, "", "To the member",
                  lbs_human_bytes(memory, m->bytes_in));
    lbs_page_fact(part, "", "From the member",
                  lbs_human_bytes(memory, m->bytes_out));
    close_card(part);
}

/* Of the last minutes; of all answers ever a member that begins to fail shows
 * next to nothing. */
static void put_lately(const lbs_part_t *part)
{
    const lbs_lately_sum_t *lately = &part->member->lately;
    apr_pool_t *memory = part->out->pool;

    lbs_page_fact(part, "", "4xx, last 5 min",
                  lbs_human_share(memory, lately->client_errors, lately->all));
    lbs_page_fact(part, lately->server_errors > 0 ? "warn" : "",
                  "5xx, last 5 min",
                  lbs_human_share(memory, lately->server_errors, lately->all));
}

static void put_answers(const lbs_part_t *part)
{
    static const char *const classes[5] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    const lbs_view_member_t *m = part->member;
    apr_pool_t *memory = part->out->pool;
    int i;

    open_card(part, "answers", "Answers");
    for (i = 0; i < 5; i++) {
        lbs_page_fact(part, "", classes[i],
                      lbs_human_count(memory, m->responses[i]));
    }
    put_lately(part);
    for (i = 0; i < LBS_FAILS; i++) {
        lbs_page_fact(part, m->failures[i] > 0 ? "warn" : "",
                      apr_pstrcat(memory, "Failed: ",
                                  lbs_fail_name((lbs_fail_t)i), NULL),
                      lbs_human_count(memory, m->failures[i]));
    }
    close_card(part);
    open_card(part, "latency", "Latency");
    lbs_page_fact(part, "", "p50", lbs_human_ms(memory, m->p50_ms));
    lbs_page_fact(part, "", "p90", lbs_human_ms(memory, m->p90_ms));
    lbs_page_fact(part, "", "p99", lbs_human_ms(memory, m->p99_ms));
    lbs_page_fact(part, "", "Recent (peak EWMA)",
                  lbs_human_ms(memory, m->ewma_ms));
    close_card(part);
}

static const char *ago(const lbs_part_t *part, apr_int64_t at)
{
    apr_pool_t *memory = part->out->pool;

    return at == 0 ? "never"
                   : apr_pstrcat(memory,
                                 lbs_human_span(memory, part->view->now - at),
                                 " ago", NULL);
}

static const char *overrides_of(apr_pool_t *memory,
                                const lbs_view_member_t *member)
{
    const char *list = "nothing";
    apr_uint32_t i;

    for (i = 0; i < member->overrides; i++) {
        list = i == 0 ? member->override[i]
                      : apr_pstrcat(memory, list, ", ", member->override[i],
                                    NULL);
    }
    return list;
}

static void put_health(const lbs_part_t *part)
{
    const lbs_view_member_t *m = part->member;
    apr_pool_t *memory = part->out->pool;
    apr_int64_t now = part->view->now;

    open_card(part, "health", "Health");
    lbs_page_fact(part, m->check.ok ? "" : "warn", "Last check",
                  !m->check.configured       ? "none"
                  : m->check.last[0] == '\0' ? "not yet"
                                             : m->check.last);
    lbs_page_fact(part, "", "Checked", ago(part, m->check.at));
    lbs_page_fact(part, "", "Downtime",
                  lbs_human_span(memory, (apr_int64_t)m->downtime_s));
    lbs_page_fact(part, "", "Turns down or ejected",
                  lbs_human_count(memory, m->turns));
    lbs_page_fact(part, "", "Times ejected",
                  lbs_human_count(memory, m->eject_count));
    if (m->eject_until > now) {
        lbs_page_fact(part, "warn", "Ejected for",
                      lbs_human_span(memory, m->eject_until - now));
    }
    if (m->found != NULL && *m->found != '\0') {
        lbs_page_fact(part, "", "Found by", m->found);
    }
    if (m->leaving_since > 0) {
        lbs_page_fact(part, "", "Leaving since", ago(part, m->leaving_since));
    }
    if (m->drain_since > 0) {
        lbs_page_fact(part, "", "Draining since", ago(part, m->drain_since));
        lbs_page_fact(part, "", "Sessions left",
                      lbs_human_count(memory, m->drain_left));
        lbs_page_fact(part, "", "Deadline",
                      m->drain_deadline > now
                          ? lbs_human_span(memory, m->drain_deadline - now)
                      : m->drain_deadline > 0 ? "over"
                                              : "none");
    }
    lbs_page_fact(part, "", "Changed by hand", overrides_of(memory, m));
    close_card(part);
}

void lbs_page_member(const lbs_part_t *part)
{
    lbs_out_t *out = part->out;
    const lbs_view_member_t *m = part->member;
    const char *label = lbs_view_member_label(m);

    lbs_out_put(out,
                "<section class='card' id='member'><header "
                "class='title'><h1>%s</h1><p>%s%s</p>",
                label, m->name, m->self ? ", this server" : "");
    lbs_page_state(part, m->state);
    if (m->since > 0) {
        lbs_out_put(out, " <span class='note'>for %s</span>",
                    lbs_human_span(out->pool, part->view->now - m->since));
    }
    lbs_out_raw(out, "</header>");
    if (part->pool->may_change && part->page->nonce != NULL) {
        lbs_out_raw(out, "<p class='actions'>");
        lbs_page_actions(part, part->pool, m, 1);
        lbs_out_raw(out, "</p>");
    }
    lbs_page_hint(part, part->pool);
    lbs_out_raw(out, "<h2>Last 5 minutes</h2>");
    lbs_plot_write(out, &m->plot[LBS_VIEW_RECENT], "recent", label);
    lbs_out_raw(out, "<h2>Last 24 hours</h2>");
    lbs_plot_write(out, &m->plot[LBS_VIEW_DAY], "day", label);
    lbs_out_raw(out, "</section>\n<div class='cards'>\n");
    put_load(part);
    put_health(part);
    put_answers(part);
    lbs_out_raw(out, "</div>\n");
}

static int is_about(const lbs_part_t *part, const lbs_view_event_t *event)
{
    if (part->pool == NULL) {
        return 1;
    }
    if (strcmp(event->pool, part->pool->name) != 0
        || strcmp(event->vhost, part->pool->vhost) != 0) {
        return 0;
    }
    return part->member == NULL
           || strcmp(event->member_id, part->member->id) == 0;
}

/* Colour follows what it means for visitors. */
static const char *mood_of(const char *event)
{
    static const char *const bad[] = {"down", "ejected", "panic",
                                      "store-down"};
    static const char *const good[] = {"up", "panic-over", "store-up",
                                       "enable", "drained"};
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (strcmp(event, bad[i]) == 0) {
            return "bad";
        }
    }
    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        if (strcmp(event, good[i]) == 0) {
            return "good";
        }
    }
    return "";
}

/* Time, whom it is about, what, why: in this order, one line. */
static void put_event(const lbs_part_t *part, const lbs_view_event_t *event)
{
    int both = event->pool[0] != '\0' && event->member[0] != '\0';

    lbs_out_raw(part->out, "<li>");
    lbs_page_time(part, event->at);
    lbs_out_put(part->out,
                " <span class='who'>%s%s%s</span> <b class='event %s'>%s</b> "
                "<span class='why'>%s</span></li>",
                event->pool, both ? " / " : "", event->member,
                mood_of(event->event), event->event, event->reason);
}

void lbs_page_events(const lbs_part_t *part)
{
    const lbs_view_t *view = part->view;
    apr_uint32_t i, shown = 0, left = 0;

    lbs_out_put(part->out,
                "<section class='card' id='events'><h2>What happened <span "
                "class='note'>times of the server, %s</span></h2>"
                "<ol class='events'>",
                lbs_human_zone(part->out->pool, view->now));
    for (i = 0; i < view->events_count; i++) {
        if (!is_about(part, &view->events[i])) {
            continue;
        }
        if (shown < EVENTS_SHOWN || part->query.all_events) {
            put_event(part, &view->events[i]);
            shown++;
        }
        else {
            left++;
        }
    }
    lbs_out_raw(part->out, "</ol>");
    if (shown == 0) {
        lbs_out_raw(part->out, "<p class='quiet'>Nothing yet.</p>");
    }
    if (left > 0) {
        lbs_query_t query = part->query;

        query.all_events = 1;
        lbs_out_put(part->out, "<p><a href='%s'>%s more</a></p>",
                    lbs_page_link(part, &query),
                    lbs_human_count(part->out->pool, left));
    }
    lbs_out_raw(part->out, "</section>\n");
}
