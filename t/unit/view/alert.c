/* SPDX-License-Identifier: Apache-2.0 */
#include "src/view/lbs_alert.h"
#include "t/unit/view/sample.h"

static lbs_view_t *view;
static lbs_view_pool_t *of;
static lbs_view_member_t *members;

/* A view of one pool that may be spoilt. */
static void start(apr_pool_t *pool, apr_uint32_t count)
{
    view = sample_view(pool, count, 0);
    of = apr_pmemdup(pool, view->pools, sizeof(*of));
    members = apr_pmemdup(pool, of->members, count * sizeof(*members));
    of->members = members;
    view->pools = of;
}

static void first_is(apr_pool_t *pool, lbs_alert_level_t level,
                     const char *part, const char *what)
{
    const lbs_alerts_t *alerts = lbs_alert_list(pool, view);

    if (ok(alerts->count > 0, "%s: is noticed", what)) {
        is_int(alerts->alert[0].level, level, "%s: how bad", what);
        ok(strstr(alerts->alert[0].text, part) != NULL, "%s: %s", what,
           alerts->alert[0].text);
    }
}

static void quiet(apr_pool_t *pool)
{
    start(pool, 3);
    is_int(lbs_alert_list(pool, view)->count, 0, "all is well");
    is_int(lbs_alert_open(of), 3, "and all are open");
    members[0].state = LBS_STATE_DRAIN;
    members[1].weight = 0;
    is_int(lbs_alert_list(pool, view)->count, 0, "a drain is no alarm");
    is_int(lbs_alert_open(of), 1, "but closes a member");
    view->table.evicted_live = 7;
    is_int(lbs_alert_list(pool, view)->count, 0,
           "nor is what was lost while the table was full");
    view->table.age_s = 100000;
    is_int(lbs_alert_list(pool, view)->count, 0,
           "nor is a state file from before the last request");
    view->table.persist = "off";
    view->table.age_s = -1;
    is_int(lbs_alert_list(pool, view)->count, 0, "nor is no state file");
}

static void hurt(apr_pool_t *pool)
{
    const lbs_alerts_t *list;
    int i, dead = 0;

    start(pool, 2);
    members[0].state = members[1].state = LBS_STATE_DOWN;
    first_is(pool, LBS_ALERT_ACT, "(2 down): every visitor gets 503",
             "all down");
    of->panic = 1;
    members[0].ignored = members[1].ignored = 1;
    first_is(pool, LBS_ALERT_ACT, "panic: every check fails", "panic");
    of->dead = 1;
    members[0].ignored = members[1].ignored = 0;
    list = lbs_alert_list(pool, view);
    for (i = 0; i < list->count; i++) {
        dead +=
            strstr(list->alert[i].text, "panic: no member accepts") != NULL;
    }
    is_int(dead, 1, "the check is not to blame where nobody is there");
    start(pool, 3);
    members[1].state = LBS_STATE_DOWN;
    members[1].check.connected = 0;
    members[1].check.last = "connect: Connection refused";
    first_is(pool, LBS_ALERT_ACT,
             "accepts no connections (connect: Connection refused); does it "
             "run, and listen",
             "one is dead");
    start(pool, 3);
    members[1].state = LBS_STATE_DOWN;
    members[1].check.last = "";
    first_is(pool, LBS_ALERT_ATTENTION,
             "web2 was down when httpd ended, and has not been asked since",
             "one that was down before");
    start(pool, 2);
    members[0].state = members[1].state = LBS_STATE_FULL;
    first_is(pool, LBS_ALERT_ACT, "every member is full", "all full");
    members[0].state = members[1].state = LBS_STATE_DRAIN;
    first_is(pool, LBS_ALERT_ACT, "no member takes new visitors (2 drain)",
             "all draining");
    start(pool, 3);
    members[0].state = LBS_STATE_DRAIN;
    members[1].weight = members[2].weight = 0;
    members[1].state = LBS_STATE_WARMING;
    first_is(pool, LBS_ALERT_ACT, "visitors (1 drain, 2 of weight 0)",
             "nobody has a weight");
    start(pool, 2);
    members[0].state = LBS_STATE_EJECTED;
    members[1].state = LBS_STATE_DRAIN;
    first_is(pool, LBS_ALERT_ACT, "no member takes new",
             "the worst comes first");
}

static void warned(apr_pool_t *pool)
{
    start(pool, 3);
    members[1].state = LBS_STATE_DOWN;
    first_is(pool, LBS_ALERT_ATTENTION, "web2 is down", "one down");
    start(pool, 3);
    of->store_down = 1;
    first_is(pool, LBS_ALERT_ATTENTION, "LBStickyStore does not answer",
             "the store is down");
    start(pool, 3);
    members[1].state = LBS_STATE_EJECTED;
    first_is(pool, LBS_ALERT_ATTENTION, "web2 is ejected", "one ejected");
    start(pool, 3);
    of->queued = 1;
    first_is(pool, LBS_ALERT_ATTENTION, "1 request waits", "one waiting");
    start(pool, 3);
    of->busy_key_percent = 70;
    first_is(pool, LBS_ALERT_ATTENTION, "one key makes 70 %", "a busy key");
    start(pool, 3);
    view->table.entries = view->table.capacity;
    view->table.evicted_live = 7;
    first_is(pool, LBS_ALERT_ATTENTION, "7 sessions", "a full table");
    start(pool, 3);
    view->table.unsaved_s = 600;
    first_is(pool, LBS_ALERT_ATTENTION, "the last 10 min",
             "an old state file");
}

/* Answers that a client gets no further by. */
static void hopeless(apr_pool_t *pool)
{
    start(pool, 2);
    members[0].lately = (lbs_lately_sum_t){.all = 20, .client_errors = 18};
    members[1].lately = (lbs_lately_sum_t){.all = 10, .client_errors = 9};
    first_is(pool, LBS_ALERT_ATTENTION, "27 of 30 answers", "all refused");
    members[1].lately.client_errors = 8;
    is_int(lbs_alert_list(pool, view)->count, 0, "some pages are there");
    members[1].lately = (lbs_lately_sum_t){.all = 9, .client_errors = 9};
    is_int(lbs_alert_list(pool, view)->count, 0, "too few to know");
    start(pool, 2);
    of->circles = 2;
    is_int(lbs_alert_list(pool, view)->count, 0, "two redirects");
    of->circles = 3;
    first_is(pool, LBS_ALERT_ATTENTION, "redirected in a circle", "a circle");
    start(pool, 2);
    of->upgrades_lost = 1;
    first_is(pool, LBS_ALERT_ATTENTION, "upgrade=websocket behind each",
             "no WebSocket");
}

/* Nobody ever comes back with a key. */
static void keyless(apr_pool_t *pool)
{
    start(pool, 2);
    memset(of->decisions, 0, sizeof(of->decisions));
    of->decisions[LBS_DECISION_NEW][LBS_REASON_FIRST] = 200;
    of->decisions[LBS_DECISION_REFUSED][LBS_REASON_DOWN] = 3;
    of->requests = 203;
    first_is(pool, LBS_ALERT_NOTE, "none of 200 requests had a key", "keys");
    of->decisions[LBS_DECISION_KEPT][LBS_REASON_NONE] = 1;
    of->requests = 204;
    is_int(lbs_alert_list(pool, view)->count, 0, "one came back");
    of->decisions[LBS_DECISION_KEPT][LBS_REASON_NONE] = 0;
    of->requests = 202;
    of->decisions[LBS_DECISION_NEW][LBS_REASON_FIRST] = 199;
    is_int(lbs_alert_list(pool, view)->count, 0, "too few to know");
    of->decisions[LBS_DECISION_NEW][LBS_REASON_FIRST] = 200;
    of->requests = 203;
    of->sources_count = 0;
    is_int(lbs_alert_list(pool, view)->count, 0, "nobody is to have one");
}

/* Five seconds of requests and errors, the newest ones. */
static void errors(apr_uint64_t requests, apr_uint64_t failed)
{
    static lbs_view_point_t points[6];

    points[5].requests = requests;
    points[5].errors = failed;
    of->plot[LBS_VIEW_RECENT] = (lbs_view_plot_t){SAMPLE_NOW, 5, 6, points};
}

static void failing(apr_pool_t *pool)
{
    start(pool, 3);
    errors(100, 10);
    first_is(pool, LBS_ALERT_ATTENTION, "10 errors with 100 requests in 30 s",
             "errors of members that are up");
    errors(0, 3);
    first_is(pool, LBS_ALERT_ATTENTION, "3 errors with 0 requests",
             "errors of requests that began before");
    errors(100, 9);
    is_int(lbs_alert_list(pool, view)->count, 0, "few errors are no alarm");
    errors(2, 2);
    is_int(lbs_alert_list(pool, view)->count, 0, "nor are two");
}

static void many(apr_pool_t *pool)
{
    apr_uint32_t i;

    start(pool, 1000);
    for (i = 0; i < 500; i++) {
        members[i].state = LBS_STATE_DOWN;
    }
    first_is(pool, LBS_ALERT_ATTENTION, "500 of 1000 members are down",
             "many");
    is_int(lbs_alert_list(pool, view)->count, 1, "in one sentence");
    start(pool, 2);
    of = apr_pcalloc(pool, 500 * sizeof(*of));
    for (i = 0; i < 500; i++) {
        of[i] = view->pools[0];
        of[i].panic = 1;
    }
    view->pools = of;
    view->pools_count = 500;
    is_int(lbs_alert_list(pool, view)->count, LBS_ALERTS_MAX,
           "a list has an end");
}

int main(void)
{
    apr_pool_t *pool = sample_memory();

    quiet(pool);
    hurt(pool);
    warned(pool);
    failing(pool);
    hopeless(pool);
    keyless(pool);
    many(pool);
    return done_testing();
}
