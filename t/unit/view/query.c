/* SPDX-License-Identifier: Apache-2.0 */
#include "src/view/lbs_query.h"
#include "t/unit/view/sample.h"

static lbs_query_t read_query(apr_pool_t *pool, const char *text)
{
    lbs_form_t *form = apr_palloc(pool, sizeof(*form));
    lbs_query_t query;

    if (lbs_form_parse(form, pool, text, strlen(text)) != NULL) {
        bail_out("%s", text);
    }
    lbs_query_read(&query, form);
    return query;
}

static void links(apr_pool_t *pool)
{
    static const char *const same[] = {
        "",
        "?pool=app",
        "?pool=app&vhost=www%3A80&member=web1&action=drain",
        "?find=a%20b&state=up&sort=name&order=down&page=3&span=day&events=all",
        "?pool=%22%3E%0A%FF",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(same) / sizeof(*same); i++) {
        lbs_query_t query = read_query(pool, same[i] + (same[i][0] == '?'));

        is_str(lbs_query_link(pool, &query), same[i], "'%s' and back",
               same[i]);
    }
}

static void nonsense(apr_pool_t *pool)
{
    static const char *const rows[] = {"sort=",
                                       "sort=x",
                                       "page=0",
                                       "page=-1",
                                       "page=1e9",
                                       "state=x",
                                       "page=99999999999999999999",
                                       "order=up",
                                       "span=x",
                                       "what=ever"};
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        lbs_query_t query = read_query(pool, rows[i]);

        is_str(lbs_query_link(pool, &query), "", "%s is the default", rows[i]);
    }
}

/* Against sorting by hand: every neighbour is in order, nobody is lost. */
static void sorting(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 300, 1);
    lbs_query_t query = read_query(pool, "");
    lbs_query_rows_t rows;
    apr_uint32_t i;
    int good = 1, down = 1;

    query.sort = LBS_SORT_SESSIONS;
    rows = lbs_query_rows(pool, &query, view->pools);
    is_int(rows.count, 300, "nobody is lost");
    for (i = 1; i < rows.count; i++) {
        const lbs_view_member_t *a = rows.member[i - 1], *b = rows.member[i];

        good &=
            a->sessions < b->sessions || (a->sessions == b->sessions && a < b);
    }
    ok(good, "upwards, and as configured where equal");
    query.descending = 1;
    rows = lbs_query_rows(pool, &query, view->pools);
    for (i = 1; i < rows.count; i++) {
        down &= rows.member[i - 1]->sessions >= rows.member[i]->sessions;
    }
    ok(down, "downwards");
    query.sort = LBS_SORT_SERVER;
    rows = lbs_query_rows(pool, &query, view->pools);
    is_int(rows.count, 300, "by share of 5xx: nobody is lost");
}

static void gravest_first(apr_pool_t *pool)
{
    static const char *const first[] = {"web3", "web4", "web8",
                                        "web5", "web2", "web10",
                                        "web9", "web1", "web11"};
    lbs_view_t *view = sample_view(pool, 1000, 1);
    lbs_query_t query = read_query(pool, "");
    lbs_query_rows_t rows = lbs_query_rows(pool, &query, view->pools);
    lbs_view_member_t *members;
    lbs_view_pool_t of;
    apr_uint32_t i;

    for (i = 0; i < sizeof(first) / sizeof(*first); i++) {
        is_str(rows.member[i]->route, first[i], "place %u: %s", i,
               lbs_state_name(rows.member[i]->state));
    }
    is_str(rows.member[997]->route, "web1000", "the last that is up");
    is_str(rows.member[999]->route, "web7", "reserves are last");
    of = view->pools[0];
    members = apr_pmemdup(pool, of.members, 1000 * sizeof(*members));
    members[500].check.ok = 0;
    members[600].blame = 0.5;
    members[600].lately_5xx = 10;
    members[8].check.ok = 0; /* disabled */
    of.members = members;
    rows = lbs_query_rows(pool, &query, &of);
    is_str(rows.member[1]->route, "web4", "ejected");
    is_str(rows.member[2]->route, "web501", "up, but its check was bad");
    is_str(rows.member[3]->route, "web601", "up, but it answers 5xx");
    is_str(rows.member[8]->route, "web9", "closed: its check says nothing");
    query = read_query(pool, "order=down");
    is_str(lbs_query_link(pool, &query), "?order=down", "the other way round");
    rows = lbs_query_rows(pool, &query, view->pools);
    is_str(rows.member[999]->route, "web3", "the gravest last");
}

/* Names with the digits in them by their value. */
static void names(apr_pool_t *pool)
{
    static const char *const order[] = {"",        "a",
                                        "a1b2",    "a1b10",
                                        "a2",      "web01",
                                        "web1",    "web2",
                                        "web10",   "web10a",
                                        "web11",   "web99x",
                                        "web100",  "web9999999999999999999999",
                                        "\xc3\xa9"};
    const apr_uint32_t count = sizeof(order) / sizeof(*order);
    lbs_view_t *view = sample_view(pool, count, 0);
    lbs_view_member_t *members = apr_palloc(pool, count * sizeof(*members));
    lbs_view_pool_t of = view->pools[0];
    lbs_query_t query = read_query(pool, "sort=name");
    lbs_query_rows_t rows;
    apr_uint32_t i;

    for (i = 0; i < count; i++) {
        members[i] = of.members[0];
        members[i].route = "";
        members[i].name = order[(i * 7 + 3) % count];
    }
    of.members = members;
    rows = lbs_query_rows(pool, &query, &of);
    for (i = 0; i < count; i++) {
        is_str(rows.member[i]->name, order[i], "name %u", i);
    }
}

static void filters(apr_pool_t *pool)
{
    static const struct {
        const char *query;
        apr_uint32_t count;
    } rows[] = {
        {"find=web2", 11},
        {"find=WEB2", 11},
        {"find=10.0.0.3", 1 + 10},
        {"find=nobody", 0},
        {"state=down", 1},
        {"state=down&find=web3", 1},
        {"state=down&find=web4", 0},
        {"find=0000000000000abd", 1},
        {"find=", 100},
    };
    lbs_view_t *view = sample_view(pool, 100, 1);
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        lbs_query_t query = read_query(pool, rows[i].query);

        is_int(lbs_query_rows(pool, &query, view->pools).count, rows[i].count,
               "?%s", rows[i].query);
    }
}

int main(void)
{
    apr_pool_t *pool = sample_memory();

    links(pool);
    nonsense(pool);
    sorting(pool);
    gravest_first(pool);
    names(pool);
    filters(pool);
    return done_testing();
}
