/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_page_pool.c - one pool on the page: its numbers, its decisions, its
 * plots. */
#include "src/view/lbs_page_int.h"

#include <apr_strings.h>

#include "src/view/lbs_human.h"
#include "src/view/lbs_plot.h"

/* An id for elements that belong to a pool: names may hold anything. */
static const char *pool_id(const lbs_part_t *part, const lbs_view_pool_t *pool)
{
    return apr_psprintf(part->out->pool, "pool%u",
                        (unsigned)(pool - part->view->pools));
}

static const char *sources_of(apr_pool_t *memory, const lbs_view_pool_t *pool)
{
    const char *list = "not sticky";
    apr_uint32_t i;

    for (i = 0; i < pool->sources_count; i++) {
        list = i == 0
                   ? apr_pstrcat(memory, "sticky by ", pool->sources[i], NULL)
                   : apr_pstrcat(memory, list, ", ", pool->sources[i], NULL);
    }
    return list;
}

/* How many members are in which state; each is a link to just those. */
static void put_states(const lbs_part_t *part, const lbs_view_pool_t *pool)
{
    lbs_query_t query = part->query;
    int state;

    query.pool = pool->name;
    query.vhost = pool->vhost;
    query.page = 1;
    lbs_out_put(part->out, "<ul class='states' aria-label='States of the "
                           "members'>");
    for (state = LBS_STATES - 1; state >= 0; state--) {
        apr_uint32_t count = lbs_view_pool_count(pool, (lbs_state_t)state);

        if (count == 0) {
            continue;
        }
        query.state = state;
        lbs_out_put(part->out, "<li><a href='%s'><b>%s</b> ",
                    lbs_page_link(part, &query),
                    lbs_human_count(part->out->pool, count));
        lbs_page_state(part, (lbs_state_t)state);
        lbs_out_raw(part->out, "</a></li>");
    }
    lbs_out_raw(part->out, "</ul>");
}

static void put_facts(const lbs_part_t *part, const lbs_view_pool_t *pool)
{
    const lbs_view_plot_t *plot = &pool->plot[LBS_VIEW_RECENT];
    apr_pool_t *memory = part->out->pool;
    double rate = lbs_view_plot_rate(plot, LBS_PAGE_RATE_S, 0);
    double errors = lbs_view_plot_rate(plot, LBS_PAGE_RATE_S, 1);
    apr_uint64_t moved = lbs_view_pool_decided(pool, LBS_DECISION_MOVED);
    apr_uint64_t refused = lbs_view_pool_decided(pool, LBS_DECISION_REFUSED);

    lbs_out_raw(part->out, "<dl class='facts'>");
    lbs_page_fact(part, "", "Requests", lbs_human_rate(memory, rate));
    lbs_page_fact(part, errors > 0 ? "warn" : "", "Errors",
                  lbs_human_rate(memory, errors));
    lbs_page_fact(part, "", "In flight",
                  lbs_human_count(memory, pool->inflight));
    lbs_page_fact(part, "", "Sessions",
                  lbs_human_count(memory, pool->sessions));
    lbs_page_fact(part, pool->queued > 0 ? "warn" : "", "Waiting",
                  lbs_human_count(memory, pool->queued));
    lbs_page_fact(part, "", "Moved", lbs_human_count(memory, moved));
    lbs_page_fact(part, refused > 0 ? "warn" : "", "Refused",
                  lbs_human_count(memory, refused));
    lbs_page_fact(part, "", "Retries", lbs_human_count(memory, pool->retries));
    lbs_page_fact(part, pool->retries_denied > 0 ? "warn" : "",
                  "Retries denied",
                  lbs_human_count(memory, pool->retries_denied));
    lbs_out_raw(part->out, "</dl>");
}

/* What the members answered, and how much went through. */
static void put_answers(const lbs_part_t *part, const lbs_view_pool_t *pool)
{
    apr_pool_t *memory = part->out->pool;
    apr_uint64_t in = 0, out = 0, all = 0;
    apr_uint32_t i;
    int hundreds;

    for (i = 0; i < pool->members_count; i++) {
        in += pool->members[i].bytes_in;
        out += pool->members[i].bytes_out;
    }
    for (hundreds = 1; hundreds <= LBS_RESPONSES; hundreds++) {
        all += lbs_view_pool_responses(pool, hundreds);
    }
    lbs_out_raw(part->out, "<h3>Answers so far</h3><dl class='facts'>");
    for (hundreds = 1; hundreds <= LBS_RESPONSES; hundreds++) {
        apr_uint64_t count = lbs_view_pool_responses(pool, hundreds);

        lbs_page_fact(part, hundreds == 5 && count > 0 ? "warn" : "",
                      apr_psprintf(memory, "%dxx", hundreds),
                      apr_pstrcat(memory, lbs_human_count(memory, count), " (",
                                  lbs_human_share(memory, count, all), ")",
                                  NULL));
    }
    lbs_page_fact(part, "", "To members", lbs_human_bytes(memory, in));
    lbs_page_fact(part, "", "From members", lbs_human_bytes(memory, out));
    lbs_out_raw(part->out, "</dl>");
}

/* "first 1 204, expired 3": the reasons that occurred. */
static const char *reasons_of(apr_pool_t *memory, const lbs_view_pool_t *pool,
                              lbs_decision_t decision)
{
    const char *list = "";
    int reason;

    for (reason = LBS_REASON_NONE + 1; reason < LBS_REASONS; reason++) {
        apr_uint64_t count = pool->decisions[decision][reason];

        if (count > 0) {
            list = apr_pstrcat(memory, list, *list == '\0' ? "" : ", ",
                               lbs_reason_name((lbs_reason_t)reason), " ",
                               lbs_human_count(memory, count), NULL);
        }
    }
    return list;
}

static void put_decision(const lbs_part_t *part, const lbs_view_pool_t *pool,
                         lbs_decision_t decision, const char *meaning,
                         apr_uint64_t all)
{
    apr_pool_t *memory = part->out->pool;
    apr_uint64_t count = lbs_view_pool_decided(pool, decision);
    const char *name = lbs_decision_name(decision);
    double share = all > 0 ? (double)count / (double)all : 0;

    lbs_out_put(part->out,
                "<tr class='%s'><th scope='row'>%s<span class='meaning'>"
                "%s</span></th><td class='number'>%s</td>"
                "<td class='number'>%.1f %%</td><td class='bar'><svg "
                "viewBox='0 0 100 8' preserveAspectRatio='none' "
                "aria-hidden='true'><rect class='%s' width='%.1f' "
                "height='8'/></svg></td><td>%s</td></tr>",
                name, name, meaning, lbs_human_count(memory, count),
                100 * share, name, 100 * share,
                reasons_of(memory, pool, decision));
}

static void put_decisions(const lbs_part_t *part, const lbs_view_pool_t *pool)
{
    static const struct {
        lbs_decision_t decision;
        const char *meaning;
    } rows[] = {
        {LBS_DECISION_KEPT, "sent to the member of the session"},
        {LBS_DECISION_NEW, "no session yet: a member was picked"},
        {LBS_DECISION_MOVED, "the session went to another member"},
        {LBS_DECISION_LOCAL, "served by this httpd itself"},
        {LBS_DECISION_REFUSED, "nobody could take it: 503"},
        {LBS_DECISION_NONE, "no keys here: a member was picked"},
    };
    apr_uint64_t all = 0;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        all += lbs_view_pool_decided(pool, rows[i].decision);
    }
    lbs_out_raw(part->out,
                "<table class='decisions'><caption>Decisions since the "
                "start</caption><thead class='hidden'><tr>"
                "<th scope='col'>Decision</th><th scope='col'>Requests"
                "</th><th scope='col'>Share</th><td></td>"
                "<th scope='col'>Reasons</th></tr></thead><tbody>");
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (rows[i].decision != LBS_DECISION_NONE
            || lbs_view_pool_decided(pool, LBS_DECISION_NONE) > 0) {
            put_decision(part, pool, rows[i].decision, rows[i].meaning, all);
        }
    }
    lbs_out_raw(part->out, "</tbody></table>");
}

/* LBStickyForeign: are there still visitors with a cookie of before? */
static void put_readers(const lbs_part_t *part, const lbs_view_pool_t *pool)
{
    apr_pool_t *memory = part->out->pool;
    apr_uint32_t i;

    if (pool->readers_count == 0) {
        return;
    }
    lbs_out_raw(part->out,
                "<table class='decisions'><caption>Visitors of the former "
                "balancer</caption><thead><tr><th scope='col'>Cookie</th>"
                "<th scope='col'>Adopted</th><th scope='col'>The last"
                "</th></tr></thead><tbody>");
    for (i = 0; i < pool->readers_count; i++) {
        const lbs_view_reader_t *reader = &pool->readers[i];

        lbs_out_put(part->out,
                    "<tr><th scope='row'>%s</th><td class='number'>%s"
                    "</td><td>",
                    reader->word, lbs_human_count(memory, reader->used));
        lbs_page_time(part, reader->last);
        lbs_out_raw(part->out, "</td></tr>");
    }
    lbs_out_raw(part->out, "</tbody></table>");
}

static void put_span(const lbs_part_t *part, const char *text,
                     lbs_view_span_t span)
{
    lbs_query_t query = part->query;

    query.span = span;
    lbs_out_put(part->out, "<a href='%s' aria-current='%s'>%s</a>",
                lbs_page_link(part, &query),
                span == part->query.span ? "true" : "false", text);
}

void lbs_page_pool(const lbs_part_t *part, const lbs_view_pool_t *pool)
{
    lbs_out_t *out = part->out;
    const char *id = pool_id(part, pool);
    const lbs_view_plot_t *shown = &pool->plot[part->query.span];

    lbs_out_put(out,
                "<section class='pool card' id='%s' aria-labelledby='"
                "%s-name'><header class='title'><h2 id='%s-name'>"
                "<a href='%s'>%s</a></h2><p>%s, %s, %s</p>",
                id, id, id, lbs_page_link_to(part, pool, NULL, NULL),
                pool->name, pool->vhost, sources_of(out->pool, pool),
                pool->method);
    put_states(part, pool);
    lbs_out_raw(out, "</header>");
    put_facts(part, pool);
    put_answers(part, pool);
    lbs_page_members(part, pool);
    if (part->page->nonce != NULL) {
        lbs_page_hint(part, pool);
    }
    lbs_out_raw(out, "<div class='more'><div class='spans' "
                     "role='group' aria-label='Span of the plots'>");
    put_span(part, "5 min", LBS_VIEW_RECENT);
    put_span(part, "24 h", LBS_VIEW_DAY);
    lbs_out_raw(out, "</div>");
    lbs_plot_write(out, shown, apr_pstrcat(out->pool, id, "-plots", NULL),
                   pool->name);
    put_decisions(part, pool);
    put_readers(part, pool);
    lbs_out_raw(out, "</div></section>\n");
}
