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
    query.sort = LBS_SORT_CONFIGURED;
    rows = lbs_query_rows(pool, &query, view->pools);
    ok(rows.member[0] == &view->pools[0].members[0], "as configured");
    query.sort = LBS_SORT_STATE;
    query.descending = 0;
    rows = lbs_query_rows(pool, &query, view->pools);
    is_int(rows.member[0]->state, LBS_STATE_STOPPED, "the worst state first");
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
    filters(pool);
    return done_testing();
}
