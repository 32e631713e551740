/* SPDX-License-Identifier: Apache-2.0 */
#include "src/view/lbs_view.h"
#include "t/unit/view/sample.h"

static void sums(apr_pool_t *pool)
{
    const lbs_view_pool_t *of = sample_view(pool, 10, 1)->pools;

    is_int(lbs_view_pool_decided(of, LBS_DECISION_NEW), 3121, "new");
    is_int(lbs_view_pool_decided(of, LBS_DECISION_LOCAL), 0, "local");
    is_int(lbs_view_pool_count(of, LBS_STATE_DOWN), 1, "one is down");
    is_int(lbs_view_pool_count(of, LBS_STATE_UP), 1, "one is up");
    ok(!lbs_view_member_serves(&of->members[2]),
       "a member that is down serves nobody");
    ok(lbs_view_member_serves(&of->members[1]), "a draining member serves");
}

static void finding(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 3, 0);
    lbs_view_pool_t *of = apr_pmemdup(pool, view->pools, sizeof(*of));
    lbs_view_member_t *members =
        apr_pmemdup(pool, of->members, 3 * sizeof(*members));

    members[2].route = "";
    of->members = members;
    view->pools = of;
    ok(lbs_view_pool_find(view, "app", NULL) == of, "a pool by name");
    ok(lbs_view_pool_find(view, "app", "www.example.com:80") == of,
       "and by virtual host");
    ok(lbs_view_pool_find(view, "app", "other") == NULL, "another host");
    ok(lbs_view_pool_find(view, "APP", NULL) == NULL, "another name");
    ok(lbs_view_member_find(of, "web2") == &members[1], "by route");
    ok(lbs_view_member_find(of, members[1].name) == &members[1], "by URL");
    ok(lbs_view_member_find(of, members[1].id) == &members[1], "by id");
    ok(lbs_view_member_find(of, "") == NULL, "nobody is called nothing");
    is_str(lbs_view_member_label(&members[2]), members[2].name,
           "without a route the URL is the name");
}

static void rates(apr_pool_t *pool)
{
    lbs_view_plot_t plot = sample_plot(pool, 1, 5, 60, 20);
    lbs_view_plot_t none = {0, 0, 0, NULL};
    double last = (double)plot.points[59].requests;

    is_near(lbs_view_plot_rate(&plot, 5, 0), last / 5, 1e-9, "one step");
    is_near(lbs_view_plot_rate(&plot, 1, 0), last / 5, 1e-9,
            "never less than one step");
    is_near(lbs_view_plot_rate(&plot, 10, 0),
            (last + (double)plot.points[58].requests) / 10, 1e-9, "two steps");
    ok(lbs_view_plot_rate(&plot, 100000, 0) > 0, "never more than there are");
    is_near(lbs_view_plot_rate(&none, 30, 0), 0, 0, "nothing is known");
}

int main(void)
{
    apr_pool_t *pool = sample_memory();

    sums(pool);
    finding(pool);
    rates(pool);
    return done_testing();
}
