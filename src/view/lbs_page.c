/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_page.c - the frame of the page: head and foot, and which of its parts
 * are asked for. */
#include "src/view/lbs_page_int.h"

#include <string.h>

#include <apr_strings.h>

#include "src/view/lbs_assets.h"
#include "src/view/lbs_human.h"

/* The drawings of the states, in the page itself: its style reaches them. */
static void put_signs(lbs_out_t *out)
{
    const lbs_asset_t *signs = lbs_asset_find("signs.svg");

    lbs_out_write(out, signs->data, (apr_size_t)(signs->end - signs->data));
}

/* With the number of problems in front: it shows in a tab that is not. */
static const char *title_of(const lbs_part_t *part)
{
    apr_pool_t *memory = part->out->pool;
    const char *count =
        part->alerts->count > 0
            ? apr_psprintf(memory, "(%d) ", part->alerts->count)
            : "";

    if (part->member != NULL) {
        return apr_pstrcat(memory, count, lbs_view_member_label(part->member),
                           " in ", part->pool->name, NULL);
    }
    return apr_pstrcat(memory, count,
                       part->pool != NULL ? part->pool->name : "Load balancer",
                       NULL);
}

static void put_head(const lbs_part_t *part)
{
    lbs_out_t *out = part->out;
    const char *here = part->page->here;

    lbs_out_put(out,
                "<!DOCTYPE html>\n<html lang='en'>\n<head>\n"
                "<meta charset='utf-8'>\n<title>%s on %s</title>\n"
                "<meta name='viewport' content='width=device-width, "
                "initial-scale=1'>\n"
                "<meta name='color-scheme' content='light dark'>\n"
                "<meta name='robots' content='noindex'>\n",
                title_of(part), part->view->server);
    lbs_out_put(out,
                "<link rel='icon' href='%s/icon.svg'>\n"
                "<link rel='stylesheet' href='%s/style.css'>\n"
                "<link rel='stylesheet' href='%s/parts.css'>\n"
                "<script src='%s/app.js' defer></script>\n</head>\n",
                here, here, here, here);
}

static void put_top(const lbs_part_t *part)
{
    lbs_out_t *out = part->out;
    const lbs_view_t *view = part->view;
    const char *here = part->page->here;

    lbs_out_put(out,
                "<body>\n<a class='skip' href='#main'>To the members"
                "</a>\n<header class='top'><p class='where'>"
                "<a class='home' href='%s'>%s</a>",
                strcmp(here, ".") == 0 ? "./" : here, view->server);
    if (part->pool != NULL) {
        lbs_out_put(out, " <span class='sep'>/</span> <a href='%s'>%s</a>",
                    lbs_page_link_to(part, part->pool, NULL, NULL),
                    part->pool->name);
    }
    if (part->member != NULL) {
        lbs_out_put(out, " <span class='sep'>/</span> <a href='%s'>%s</a>",
                    lbs_page_link_to(part, part->pool, part->member, NULL),
                    lbs_view_member_label(part->member));
    }
    lbs_out_put(out,
                "</p><p class='live' id='live'><time id='now' "
                "datetime='%s'>%s</time> <span id='zone'>%s</span> <span "
                "id='fresh' "
                "role='status'></span><button type='button' id='pause' "
                "hidden>Pause</button><a id='reload' href='%s'>Reload</a>"
                "</p></header>\n",
                lbs_human_iso(out->pool, view->now),
                lbs_human_time(out->pool, view->now, view->now),
                lbs_human_zone(out->pool, view->now),
                lbs_page_link(part, &part->query));
}

static void put_alert(const lbs_part_t *part, const lbs_alert_t *alert)
{
    static const char *const classes[] = {"bad", "warn", "note"};
    static const char *const words[] = {"Act now", "Attention", "Note"};
    lbs_out_t *out = part->out;

    lbs_out_put(out, "<li class='%s'><b class='level'>%s</b> ",
                classes[alert->level], words[alert->level]);
    if (alert->pool != NULL) {
        lbs_out_put(out, "<a href='%s'>%s</a>: ",
                    lbs_page_link_to(part, alert->pool, alert->member, NULL),
                    alert->pool->name);
    }
    lbs_out_put(out, "%s</li>", alert->text);
}

/* All is well; members closed by an operator are listed all the same. */
static void put_well(const lbs_part_t *part)
{
    apr_pool_t *memory = part->out->pool;
    apr_uint32_t i, members = 0, open = 0;

    for (i = 0; i < part->view->pools_count; i++) {
        members += part->view->pools[i].members_count;
        open += lbs_alert_open(&part->view->pools[i]);
    }
    lbs_out_put(part->out, "<p class='well'>All is well: %s in %s, %s.</p>",
                lbs_human_of(memory, members, "member", "members"),
                lbs_human_of(memory, part->view->pools_count, "pool", "pools"),
                open == members
                    ? "nothing to do"
                    : apr_pstrcat(memory,
                                  lbs_human_count(memory, members - open),
                                  " without new visitors", NULL));
}

/* The one place to look at: the problems, or that there are none. */
static void put_alerts(const lbs_part_t *part)
{
    const lbs_alerts_t *alerts = part->alerts;
    int k;

    lbs_out_raw(part->out, "<section id='alerts' aria-label='What is "
                           "wrong'>");
    if (part->view->pools_count == 0) {
        lbs_out_raw(part->out, "<p class='well none'>No pool is governed "
                               "by LBSticky.</p>");
    }
    else if (alerts->count == 0) {
        put_well(part);
    }
    else {
        lbs_out_raw(part->out, "<ul class='alerts'>");
        for (k = 0; k < alerts->count; k++) {
            put_alert(part, &alerts->alert[k]);
        }
        lbs_out_raw(part->out, "</ul>");
    }
    lbs_out_raw(part->out, "</section>\n");
}

static const char *table_use(const lbs_part_t *part)
{
    const lbs_view_table_t *table = &part->view->table;
    double percent = table->capacity > 0 ? 100.0 * (double)table->entries
                                               / (double)table->capacity
                                         : 0;

    return apr_psprintf(part->out->pool, "%s of %s (%.0f\xc2\xa0%%)",
                        lbs_human_count(part->out->pool, table->entries),
                        lbs_human_count(part->out->pool, table->capacity),
                        percent);
}

static void put_server(const lbs_part_t *part)
{
    apr_pool_t *pool = part->out->pool;
    const lbs_view_t *view = part->view;
    const lbs_view_table_t *table = &view->table;

    lbs_out_raw(part->out, "<section class='card' id='server'><h2>This "
                           "server</h2><dl class='facts'>");
    lbs_page_fact(part, "", "Sessions in the table", table_use(part));
    lbs_page_fact(part, table->evicted_live > 0 ? "warn" : "",
                  "Lost for lack of room",
                  lbs_human_count(pool, table->evicted_live));
    lbs_page_fact(part, "", "Ended by time",
                  lbs_human_count(pool, table->expired));
    lbs_page_fact(part, "", "Memory of the table",
                  lbs_human_bytes(pool, table->bytes));
    lbs_page_fact(part, "wide", "State file", table->persist);
    lbs_page_fact(part, "", "State file written",
                  table->age_s < 0
                      ? "never"
                      : apr_pstrcat(pool, lbs_human_span(pool, table->age_s),
                                    " ago", NULL));
    lbs_page_fact(part, "", "Running for",
                  lbs_human_span(pool, view->now - view->started));
    lbs_page_fact(part, "", "Generation",
                  lbs_human_count(pool, view->generation));
    lbs_out_raw(part->out, "</dl></section>\n");
}

static void put_bottom(const lbs_part_t *part)
{
    lbs_out_put(part->out,
                "<footer><p>mod_lbsticky %s <span class='links'>"
                "<a href='%s/json'>JSON</a> <a href='%s/metrics'>Metrics"
                "</a></span></p></footer>\n",
                part->view->version, part->page->here, part->page->here);
    put_signs(part->out);
    lbs_out_raw(part->out, "</body>\n</html>\n");
}

static void put_all(const lbs_part_t *part)
{
    apr_uint32_t i;

    lbs_out_raw(part->out, "<h1 class='hidden'>Load balancer</h1>\n");
    for (i = 0; i < part->view->pools_count; i++) {
        if (part->pool == NULL || part->pool == &part->view->pools[i]) {
            lbs_page_pool(part, &part->view->pools[i]);
        }
    }
    if (part->page->nonce == NULL && part->view->pools_count > 0) {
        lbs_page_hint(part, part->view->pools); /* once for all */
    }
}

/* @return 404 when the query names something that is not there */
static int find_what(lbs_part_t *part)
{
    const lbs_query_t *query = &part->query;

    if (query->pool == NULL) {
        return 200;
    }
    part->pool = lbs_view_pool_find(part->view, query->pool, query->vhost);
    if (part->pool == NULL) {
        return 404;
    }
    if (query->member == NULL) {
        return 200;
    }
    part->member = lbs_view_member_find(part->pool, query->member);
    return part->member != NULL ? 200 : 404;
}

static int put_main(const lbs_part_t *part, int status)
{
    lbs_out_raw(part->out, "<main id='main' tabindex='-1'>\n");
    if (status != 200) {
        lbs_out_put(part->out,
                    "<section class='card'><h1>There is no such %s</h1><p>"
                    "It may have been removed from the configuration.</p>"
                    "</section>\n",
                    part->pool == NULL ? "pool" : "member");
    }
    else if (part->member != NULL && part->query.action != NULL) {
        status = lbs_page_confirm(part);
    }
    else if (part->member != NULL) {
        lbs_page_done(part);
        lbs_page_member(part);
    }
    else {
        put_all(part);
    }
    lbs_out_raw(part->out, "</main>\n<aside>\n");
    if (part->member == NULL) {
        put_server(part);
    }
    lbs_page_events(part);
    lbs_out_raw(part->out, "</aside>\n");
    return status;
}

int lbs_page_write(lbs_out_t *out, const lbs_page_t *page)
{
    lbs_part_t part = {out, page, page->view, NULL, {0}, NULL, NULL};
    int status;

    lbs_query_read(&part.query, page->query);
    part.alerts = lbs_alert_list(out->pool, page->view);
    status = find_what(&part);
    put_head(&part);
    put_top(&part);
    put_alerts(&part);
    lbs_out_raw(out, "<div class='columns'>\n");
    status = put_main(&part, status);
    lbs_out_raw(out, "</div>\n");
    put_bottom(&part);
    return status;
}
