/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_page_members.c - the list of a pool's members: filter, order, pages. */
#include "src/view/lbs_page_int.h"

#include <string.h>

#include <apr_strings.h>

#include "src/view/lbs_human.h"
#include "src/view/lbs_plot.h"

#define FILTER_FROM 9 /* fewer members are seen at a glance */

/* Errors of this share are too many: one of ten, as for the alert `errors`. */
#define MANY 10

/* The columns; a number is set flush right. */
static const struct {
    const char *title;
    lbs_query_sort_t sort;
    const char *css;
    int first_down; /* the largest are asked for first */
} columns[] = {
    {"Member", LBS_SORT_NAME, "", 0},
    {"State", LBS_SORT_GRAVITY, "", 0},
    {"Weight", LBS_SORT_WEIGHT, "number", 1},
    {"Sessions", LBS_SORT_SESSIONS, "number", 1},
    {"In flight", LBS_SORT_INFLIGHT, "number", 1},
    {"Requests", LBS_SORT_RATE, "number", 1},
    {"4xx", LBS_SORT_CLIENT, "number", 1},
    {"5xx", LBS_SORT_SERVER, "number", 1},
    {"Failures", LBS_SORT_ERRORS, "number", 1},
    {"p50 / p99", LBS_SORT_LATENCY, "number", 1},
    {"Downtime", LBS_SORT_DOWNTIME, "number last", 1},
};

static void put_column(const lbs_part_t *part, lbs_query_t query, apr_size_t c)
{
    int sorted = query.sort == columns[c].sort;
    int down = query.descending;

    query.page = 1;
    query.sort = columns[c].sort;
    query.descending = sorted ? !down : columns[c].first_down;
    lbs_out_put(part->out,
                "<th scope='col' class='%s' aria-sort='%s'>"
                "<a href='%s'>%s</a></th>",
                columns[c].css,
                !sorted ? "none"
                : down  ? "descending"
                        : "ascending",
                lbs_page_link(part, &query), columns[c].title);
}

/* Sorting one pool's list is asking for that pool. */
static lbs_query_t query_for(const lbs_part_t *part,
                             const lbs_view_pool_t *pool)
{
    lbs_query_t query = part->query;

    query.pool = pool->name;
    query.vhost = pool->vhost;
    query.member = query.action = query.done = NULL;
    return query;
}

static void put_columns(const lbs_part_t *part, const lbs_view_pool_t *pool)
{
    apr_size_t c;

    lbs_out_raw(part->out, "<thead><tr>");
    for (c = 0; c < sizeof(columns) / sizeof(*columns); c++) {
        put_column(part, query_for(part, pool), c);
    }
    lbs_out_raw(part->out, "<th scope='col'>Last check</th>"
                           "<th scope='col' class='wrap'>Last minutes</th>");
    if (pool->may_change && part->page->nonce != NULL) {
        lbs_out_raw(part->out, "<th scope='col'>Actions</th>");
    }
    lbs_out_raw(part->out, "</tr></thead>");
}

/* The weight in force, and the one that was set where it differs. */
static const char *weight_of(apr_pool_t *memory,
                             const lbs_view_member_t *member)
{
    const char *now = lbs_human_weight(memory, member->effective_weight);
    const char *set = lbs_human_weight(memory, member->weight);

    return strcmp(now, set) == 0 ? set
                                 : apr_pstrcat(memory, now, " of ", set, NULL);
}

/* Details of a state: how long, how far, how long to go. */
static const char *note_of(const lbs_part_t *part,
                           const lbs_view_member_t *member)
{
    apr_pool_t *memory = part->out->pool;
    apr_int64_t now = part->view->now;

    if (member->state == LBS_STATE_DRAIN) {
        const char *left =
            lbs_human_of(memory, member->drain_left, "session", "sessions");

        if (member->drain_left == 0 && member->inflight == 0) {
            return "nobody left: safe to stop";
        }
        return member->drain_deadline > now
                   ? apr_pstrcat(
                       memory, left, " left, ",
                       lbs_human_span(memory, member->drain_deadline - now),
                       " to go", NULL)
                   : apr_pstrcat(memory, left, " left", NULL);
    }
    if (member->state == LBS_STATE_LEAVING) {
        return apr_pstrcat(
            memory, "named no more, ",
            lbs_human_of(memory, member->sessions, "session", "sessions"),
            " left", NULL);
    }
    if (member->state == LBS_STATE_JOINING) {
        return "found, and not open to newcomers yet";
    }
    if (member->state == LBS_STATE_EJECTED && member->eject_until > now) {
        return apr_pstrcat(memory, "tried again in ",
                           lbs_human_span(memory, member->eject_until - now),
                           NULL);
    }
    return member->since > 0
               ? apr_pstrcat(memory, "for ",
                             lbs_human_span(memory, now - member->since), NULL)
               : "";
}

/* How far a drain has come, by time: how many sessions there were when it
 * began is not kept. */
static void put_progress(const lbs_part_t *part,
                         const lbs_view_member_t *member)
{
    apr_int64_t all = member->drain_deadline - member->drain_since;
    apr_int64_t past = part->view->now - member->drain_since;

    if (member->state == LBS_STATE_DRAIN && all > 0) {
        lbs_out_put(part->out,
                    "<progress max='%ld' value='%ld' aria-label='Time to "
                    "the deadline of %s'></progress>",
                    (long)all, (long)(past < all ? past : all),
                    lbs_view_member_label(member));
    }
}

static void put_check(const lbs_part_t *part, const lbs_view_check_t *check)
{
    lbs_out_t *out = part->out;

    lbs_out_raw(out, "<td data-label='Last check'>");
    if (!check->configured) {
        lbs_out_raw(out, "<span class='quiet'>none</span></td>");
        return;
    }
    if (check->at == 0) {
        lbs_out_raw(out, "<span class='quiet'>not yet</span></td>");
        return;
    }
    lbs_out_put(out,
                "<span class='check %s'>%s</span> <span class='note'>"
                "%s ago</span></td>",
                check->ok ? "good" : "bad", check->last,
                lbs_human_span(out->pool, part->view->now - check->at));
}

static void put_cell(const lbs_part_t *part, const char *label,
                     const char *value)
{
    lbs_out_put(part->out, "<td class='number' data-label='%s'>%s</td>", label,
                value);
}

static void put_shares(const lbs_part_t *part, const lbs_lately_sum_t *lately)
{
    apr_pool_t *memory = part->out->pool;
    int many = lately->server_errors > 0
               && lately->server_errors >= lately->all / MANY;

    put_cell(part, "4xx",
             lbs_human_share(memory, lately->client_errors, lately->all));
    lbs_out_put(part->out, "<td class='number%s' data-label='5xx'>%s</td>",
                many ? " bad" : "",
                lbs_human_share(memory, lately->server_errors, lately->all));
}

/* A line may end between the two, not within one. */
static void put_latency(const lbs_part_t *part,
                        const lbs_view_member_t *member)
{
    lbs_out_put(part->out,
                "<td class='number' data-label='p50 / p99'><span "
                "class='whole'>%s</span> / <span class='whole'>%s</span>"
                "</td>",
                lbs_human_ms(part->out->pool, member->p50_ms),
                lbs_human_ms(part->out->pool, member->p99_ms));
}

static void put_downtime(const lbs_part_t *part,
                         const lbs_view_member_t *member)
{
    lbs_out_t *out = part->out;

    lbs_out_raw(out, "<td class='number last' data-label='Downtime'>");
    if (member->turns == 0 && !(member->downtime_s > 0)) {
        lbs_out_raw(out, "none</td>");
        return;
    }
    lbs_out_put(out, "%s <span class='note'>%s</span></td>",
                lbs_human_span(out->pool, (apr_int64_t)member->downtime_s),
                lbs_human_of(out->pool, member->turns, "turn", "turns"));
}

static void put_name_and_state(const lbs_part_t *part,
                               const lbs_view_pool_t *pool,
                               const lbs_view_member_t *member)
{
    lbs_out_t *out = part->out;

    lbs_out_put(out, "<th scope='row'><a href='%s'>%s</a>",
                lbs_page_link_to(part, pool, member, NULL),
                lbs_view_member_label(member));
    if (member->route[0] != '\0') {
        lbs_out_put(out, "<span class='note'>%s</span>", member->name);
    }
    if (member->self) {
        lbs_out_raw(out, "<span class='tag'>this server</span>");
    }
    if (member->overrides > 0) {
        lbs_out_raw(out, "<span class='tag'>changed by hand</span>");
    }
    lbs_out_raw(out, "</th><td data-label='State'>");
    lbs_page_state(part, member->state);
    lbs_out_put(out, "<span class='note'>%s</span>", note_of(part, member));
    put_progress(part, member);
    lbs_out_raw(out, "</td>");
}

static void put_row(const lbs_part_t *part, const lbs_view_pool_t *pool,
                    const lbs_view_member_t *member)
{
    lbs_out_t *out = part->out;
    apr_pool_t *memory = out->pool;
    const lbs_view_plot_t *recent = &member->plot[LBS_VIEW_RECENT];
    double rate = lbs_view_plot_rate(recent, LBS_PAGE_RATE_S, 0);

    lbs_out_put(out, "<tr id='member-%s' class='is-%s'>", member->id,
                lbs_state_name(member->state));
    put_name_and_state(part, pool, member);
    put_cell(part, "Weight", weight_of(memory, member));
    put_cell(part, "Sessions", lbs_human_count(memory, member->sessions));
    put_cell(part, "In flight", lbs_human_count(memory, member->inflight));
    put_cell(part, "Requests", lbs_human_rate(memory, rate));
    put_shares(part, &member->lately);
    put_cell(part, "Failures",
             lbs_human_count(memory, lbs_view_member_failures(member)));
    put_latency(part, member);
    put_downtime(part, member);
    put_check(part, &member->check);
    lbs_out_raw(out, "<td data-label='Last minutes'>");
    lbs_plot_write_small(out, recent);
    lbs_out_raw(out, "</td>");
    if (pool->may_change && part->page->nonce != NULL) {
        lbs_out_raw(out, "<td class='actions'>");
        lbs_page_actions(part, pool, member, 0);
        lbs_out_raw(out, "</td>");
    }
    lbs_out_raw(out, "</tr>");
}

static void put_hidden(lbs_out_t *out, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        lbs_out_put(out, "<input type='hidden' name='%s' value='%s'>", name,
                    value);
    }
}

static void put_filter(const lbs_part_t *part, const lbs_view_pool_t *pool)
{
    lbs_out_t *out = part->out;
    const lbs_query_t *query = &part->query;
    int state;

    lbs_out_put(out,
                "<form class='filter' method='get' action='%s' "
                "role='search' aria-label='Members of %s'><label>Find "
                "<input type='search' name='find' value='%s' "
                "autocomplete='off' spellcheck='false'></label> <label>"
                "State <select name='state'><option value=''>all</option>",
                strcmp(part->page->here, ".") == 0 ? "./" : part->page->here,
                pool->name, query->find);
    for (state = LBS_STATES - 1; state >= 0; state--) {
        const char *name = lbs_state_name((lbs_state_t)state);

        lbs_out_put(out, "<option");
        lbs_out_raw(out, state == query->state ? " selected>" : ">");
        lbs_out_put(out, "%s</option>", name);
    }
    lbs_out_raw(out, "</select></label> ");
    put_hidden(out, "pool", pool->name);
    put_hidden(out, "vhost", pool->vhost);
    put_hidden(out, "sort", lbs_query_sort_name(query->sort));
    put_hidden(out, "order", query->descending ? "down" : "");
    put_hidden(out, "span", query->span == LBS_VIEW_DAY ? "day" : "");
    lbs_out_raw(out, "<button>Show</button></form>");
}

static void put_page_link(const lbs_part_t *part, const lbs_view_pool_t *pool,
                          apr_uint32_t page, const char *text)
{
    lbs_query_t query = query_for(part, pool);

    query.page = page;
    lbs_out_put(part->out, "<a href='%s'>%s</a> ", lbs_page_link(part, &query),
                text);
}

static void put_pages(const lbs_part_t *part, const lbs_view_pool_t *pool,
                      apr_uint32_t page, apr_uint32_t pages,
                      apr_uint32_t found)
{
    apr_pool_t *memory = part->out->pool;

    lbs_out_put(part->out,
                "<nav class='pages' aria-label='Pages of members'>"
                "<span>%s, page %u of %u</span> ",
                lbs_human_of(memory, found, "member", "members"), page, pages);
    if (page > 1) {
        put_page_link(part, pool, 1, "First");
        put_page_link(part, pool, page - 1, "Previous");
    }
    if (page < pages) {
        put_page_link(part, pool, page + 1, "Next");
        put_page_link(part, pool, pages, "Last");
    }
    lbs_out_raw(part->out, "</nav>");
}

static void put_table(const lbs_part_t *part, const lbs_view_pool_t *pool,
                      const lbs_query_rows_t *rows, apr_uint32_t from,
                      apr_uint32_t to)
{
    apr_uint32_t i;

    lbs_out_put(part->out,
                "<table class='members'><caption class='hidden'>Members "
                "of %s</caption>",
                pool->name);
    put_columns(part, pool);
    lbs_out_raw(part->out, "<tbody>");
    for (i = from; i < to; i++) {
        put_row(part, pool, rows->member[i]);
    }
    lbs_out_raw(part->out,
                "</tbody></table><p class='note legend'>4xx, 5xx: share of "
                "the answers of the last 5 minutes. Failures: so far. "
                "Downtime: down or ejected, so far; turns: how often it "
                "became so.</p>");
}

void lbs_page_members(const lbs_part_t *part, const lbs_view_pool_t *pool)
{
    lbs_out_t *out = part->out;
    lbs_query_rows_t rows = lbs_query_rows(out->pool, &part->query, pool);
    int alone = part->pool != NULL || part->view->pools_count == 1;
    apr_uint32_t size = alone ? LBS_PAGE_ROWS : LBS_PAGE_FEW_ROWS;
    apr_uint32_t pages = rows.count > 0 ? (rows.count - 1) / size + 1 : 1;
    apr_uint32_t page = alone ? part->query.page : 1;
    apr_uint32_t to;

    page = page < pages ? page : pages;
    to = page * size < rows.count ? page * size : rows.count;
    lbs_out_raw(out, "<div class='list'>");
    if (pool->members_count >= FILTER_FROM
        || rows.count < pool->members_count) {
        put_filter(part, pool);
    }
    if (rows.count == 0) {
        lbs_out_raw(out, "<p class='quiet'>No member fits.</p>");
    }
    else {
        put_table(part, pool, &rows, (page - 1) * size, to);
    }
    if (pages > 1) {
        put_pages(part, pool, page, pages, rows.count);
    }
    lbs_out_raw(out, "</div>");
}
