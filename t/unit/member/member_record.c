/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_rand.h"
#include "src/member/lbs_member_record.h"
#include "t/unit/member/step.h"

#define SEC APR_UINT64_C(1000000)

static const lbs_eject_conf_t conf = {3, 50, 10 * SEC, SEC, 60 * SEC, 0, 0};

static lbs_member_record_t *m;
static lbs_gauge_t g;
static lbs_eject_pool_t pool;
static lbs_eject_on_t on;
static apr_uint64_t now;

static void start(void)
{
    memset(m, 0, sizeof(*m));
    memset(&pool, 0, sizeof(pool));
    lbs_gauge_init(&g);
    lbs_eject_recount(&pool, 4, 4, 0);
    on = (lbs_eject_on_t){&m->eject, &g, &pool, &conf};
    now = 100 * SEC;
}

static void new_member(void)
{
    lbs_member_record_view_t view;

    start();
    lbs_member_record_view(m, &g, now, &view);
    is_int(view.state, LBS_STATE_UP, "a new member is up");
    is_int(view.weight, 100, "weight 1.00");
    is_int(view.effective_weight, 100, "in effect");
    is_int(view.requests + view.failures + view.bytes_in + view.bytes_out, 0,
           "nothing counted");
    is_int(view.p99_us, 0, "no latency");
    is_int(view.since, 0, "nor a change of state");
    is_int(view.check.known, 0, "nor a check");
}

static void what_is_counted_is_shown(void)
{
    static const int statuses[] = {101, 200, 204, 302, 404, 500, 599, 7, 600};
    lbs_member_record_view_t view;
    apr_size_t i;

    start();
    for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        lbs_member_record_sent(m, now + i);
        lbs_member_record_answered(m, &g, statuses[i], 20000, 20000, now + i);
    }
    for (i = 0; i < LBS_FAILS; i++) {
        lbs_member_record_sent(m, now + 50);
        lbs_member_record_failed(m, &g, (lbs_fail_t)i, LBS_EWMA_FAILURE_US,
                                 now + 50);
    }
    lbs_member_record_sent(m, now + 50);
    lbs_member_record_unsent(m);
    lbs_member_record_failed(m, &g, LBS_FAIL_RESET, LBS_EWMA_FAILURE_US,
                             now + 60);
    lbs_member_record_bytes(m, 10, 0);
    lbs_member_record_bytes(m, 5, APR_UINT64_C(0x200000000));
    lbs_member_record_view(m, &g, now + 60, &view);
    is_int(view.requests, 9 + LBS_FAILS, "attempts");
    is_int(view.responses[0], 1, "1xx");
    is_int(view.responses[1], 2, "2xx");
    is_int(view.responses[2], 1, "3xx");
    is_int(view.responses[3], 1, "4xx");
    is_int(view.responses[4], 2, "5xx; what is no status has no class");
    is_int(view.failures, LBS_FAILS + 1, "failures");
    is_int(view.failures_by[LBS_FAIL_RESET], 2, "by kind");
    is_int(view.bytes_in, 15, "bytes to it");
    is_int(view.bytes_out, APR_INT64_C(0x200000000), "bytes from it, 64 bits");
    is_int(view.last_use, now + 50, "last use");
    is_int(view.mean_us, 20000, "the mean is of answers");
    is_int(lbs_ewma_read(&g, now + 60), LBS_EWMA_FAILURE_US,
           "what picks see of a failure is what is charged");
    is_near(view.p50_us, 20000, 1400, "the median is of answers");
    is_int(view.latency.le[LBS_LATENCY_BOUNDS], 9, "and so is the histogram");
    is_int(g.heard_at, now + 8, "heard when it answered last");
    is_str(lbs_fail_name(LBS_FAIL_TIMEOUT), "timeout", "kinds have names");
    is_str(lbs_fail_name(LBS_FAILS), "", "only those there are");
}

static void since_is_the_last_change(void)
{
    lbs_member_record_view_t view;

    start();
    lbs_member_record_tick(m, &g, now);
    lbs_member_record_tick(m, &g, now + SEC);
    lbs_member_record_view(m, &g, now + SEC, &view);
    is_int(view.since, now, "since it was first seen");
    lbs_gauge_set(&g, LBS_F_DOWN);
    lbs_member_record_view(m, &g, now + SEC + 50 * 1000, &view);
    is_int(view.since, now + SEC + 50 * 1000,
           "a change that no tick has seen is one of now");
    lbs_member_record_tick(m, &g, now + 2 * SEC);
    lbs_gauge_set(&g, LBS_F_EJECTED);
    lbs_member_record_tick(m, &g, now + 3 * SEC);
    lbs_member_record_view(m, &g, now + 9 * SEC, &view);
    is_int(view.since, now + 2 * SEC, "since it is down");
    is_str(lbs_state_name(view.state), "down", "whatever else it is");
    is_int(view.effective_weight, 0, "of no weight meanwhile");
    lbs_gauge_clear(&g, LBS_F_DOWN | LBS_F_EJECTED);
    g.ramp = 250;
    lbs_member_record_tick(m, &g, now + 10 * SEC);
    g.limit = 1;
    g.inflight = 1;
    lbs_member_record_tick(m, &g, now + 11 * SEC);
    lbs_member_record_view(m, &g, now + 11 * SEC, &view);
    is_int(view.since, now + 10 * SEC, "coming to a limit is no change");
    is_str(lbs_state_name(view.state), "full", "though it is shown");
    is_int(view.effective_weight, 25, "a quarter warm");
}

static lbs_member_record_view_t ticked(apr_uint64_t at)
{
    lbs_member_record_view_t view;

    lbs_member_record_tick(m, &g, at);
    lbs_member_record_view(m, &g, at, &view);
    return view;
}

static void downtime_and_turns(void)
{
    lbs_member_record_view_t view;

    start();
    view = ticked(now);
    is_int(view.down_us + view.turns, 0, "never down");
    lbs_gauge_set(&g, LBS_F_DOWN);
    view = ticked(now + SEC);
    is_int(view.turns, 1, "down: a turn");
    is_int(view.down_us, 0, "from now on");
    view = ticked(now + 3 * SEC);
    is_int(view.down_us, 2 * SEC, "its time runs while it is down");
    lbs_gauge_set(&g, LBS_F_EJECTED);
    lbs_gauge_clear(&g, LBS_F_DOWN);
    view = ticked(now + 4 * SEC);
    is_int(view.turns, 1, "from down to ejected: no further turn");
    lbs_gauge_clear(&g, LBS_F_EJECTED);
    lbs_gauge_set(&g, LBS_F_HALF_OPEN);
    view = ticked(now + 5 * SEC);
    lbs_gauge_clear(&g, LBS_F_HALF_OPEN);
    view = ticked(now + 6 * SEC);
    is_int(view.down_us, 5 * SEC, "until it is back");
    view = ticked(now + 50 * SEC);
    is_int(view.down_us, 5 * SEC, "and no longer");
    is_int(view.turns, 1, "which is no turn");
    lbs_gauge_set(&g, LBS_F_EJECTED);
    view = ticked(now + 60 * SEC);
    view = ticked(now + 60 * SEC);
    is_int(view.turns, 2, "once more, however often one looks");
    view = ticked(now + 59 * SEC);
    is_int(view.down_us, 5 * SEC, "a process that is late counts nothing");
    view = ticked(now + 200 * SEC);
    is_int(view.down_us, 5 * SEC, "nor does time in which none looked");
    view = ticked(now + 201 * SEC);
    is_int(view.down_us, 6 * SEC, "it goes on from there");
}

static void closed_is_not_down(void)
{
    lbs_member_record_view_t view;

    start();
    lbs_gauge_set(&g, LBS_F_DISABLED);
    lbs_gauge_set(&g, LBS_F_DOWN);
    (void)ticked(now);
    view = ticked(now + SEC);
    is_int(view.down_us + view.turns, 0, "closed by an operator: no downtime");
    lbs_gauge_clear(&g, LBS_F_DISABLED);
    (void)ticked(now + 2 * SEC);
    view = ticked(now + 3 * SEC);
    is_int(view.turns, 1, "enabled, and still down: a turn");
    is_int(view.down_us, SEC, "with its time");
    lbs_gauge_set(&g, LBS_F_DRAIN);
    (void)ticked(now + 4 * SEC);
    view = ticked(now + 9 * SEC);
    is_int(view.down_us, 2 * SEC, "it ends when it is drained");
}

static void last_minutes(void)
{
    lbs_member_record_view_t view;
    int i;

    start();
    lbs_member_record_second(m, now);
    for (i = 0; i < 10; i++) {
        lbs_member_record_answered(m, &g,
                                   i < 3   ? 404
                                   : i < 5 ? 503
                                           : 200,
                                   1000, 1000, now);
    }
    lbs_member_record_view(m, &g, now, &view);
    is_int(view.lately.all, 10, "answers of the last minutes");
    is_int(view.lately.client_errors, 3, "4xx");
    is_int(view.lately.server_errors, 2, "5xx");
}

static void a_check_that_is_ignored(void)
{
    lbs_member_record_view_t view;

    start();
    lbs_gauge_set(&g, LBS_F_DOWN);
    lbs_member_record_view(m, &g, now, &view);
    is_int(view.ignored, 0, "down is down");
    lbs_gauge_set(&g, LBS_F_PANIC);
    lbs_member_record_view(m, &g, now, &view);
    is_str(lbs_state_name(view.state), "down", "and shown, when ignored");
    is_int(view.ignored, 1, "which is said");
    is_int(view.effective_weight, 100, "visitors get there");
}

static int in_doubt(void)
{
    return lbs_member_record_in_doubt(m, &g);
}

static void doubt(void)
{
    static const lbs_check_conf_t often = {
        .interval_us = 2 * SEC, .timeout_us = SEC, .rise = 1, .fall = 1};
    lbs_check_result_t result = {.text = "", .in_doubt = 1};
    apr_uint64_t ticket;

    start();
    is_int(in_doubt(), 0, "never used: no doubt");
    lbs_member_record_failed(m, &g, LBS_FAIL_STATUS, 0, now);
    is_int(in_doubt(), 0, "an answer of a status is an answer");
    lbs_member_record_failed(m, &g, LBS_FAIL_CONNECT, 0, now);
    is_int(in_doubt(), 1, "no connection: doubt");
    lbs_member_record_answered(m, &g, 200, 1000, 1000, now + 1);
    is_int(in_doubt(), 0, "an answer ends it");
    lbs_member_record_failed(m, &g, LBS_FAIL_RESET, 0, now + 2);
    is_int(in_doubt(), 1, "a lost request: doubt");
    lbs_check_hurry(&m->check, &often, now, now);
    (void)lbs_check_begin(&m->check, &often, 7, 1, now + 3, &ticket);
    (void)lbs_check_end(&m->check, &often, &g, ticket, &result, now + 3);
    is_int(in_doubt(), 1, "it refuses a connection: it is down");
    result.good = 1;
    now += 2 * SEC;
    (void)lbs_check_begin(&m->check, &often, 7, 1, now, &ticket);
    (void)lbs_check_end(&m->check, &often, &g, ticket, &result, now);
    is_int(in_doubt(), 0, "it accepts one: no doubt");
    lbs_member_record_failed(m, &g, LBS_FAIL_TIMEOUT, 0, now + 2);
    is_int(in_doubt(), 1, "a request without an answer: doubt");
    lbs_probe_heard(&m->probe, &g, now + 3);
    is_int(in_doubt(), 0, "it answers a probe: none");
}

static void saved_and_loaded(void)
{
    lbs_member_record_view_t before, after;
    lbs_member_saved_t saved;
    lbs_eject_attempt_t attempt = {now, 0, 0};
    lbs_eject_why_t why;
    int i;

    start();
    for (i = 0; i < 3; i++) {
        lbs_member_record_sent(m, now);
        lbs_member_record_answered(m, &g, 200, 3000, 3000, now);
        lbs_member_record_failed(m, &g, LBS_FAIL_CONNECT, LBS_EWMA_FAILURE_US,
                                 now);
        lbs_member_record_bytes(m, 1, 2);
        attempt.began = now;
        (void)lbs_eject_failed(&on, &attempt, now, &why);
    }
    lbs_member_record_tick(m, &g, now);
    now += SEC / 4;
    lbs_member_record_tick(m, &g, now);
    lbs_member_record_view(m, &g, now, &before);
    lbs_member_record_save(m, now, &saved);
    start();
    now += 50 * SEC;
    lbs_member_record_load(m, &on, &saved, now);
    lbs_member_record_view(m, &g, now, &after);
    is_int(after.requests, before.requests, "requests survive a restart");
    is_mem(after.failures_by, before.failures_by, sizeof(after.failures_by),
           "failures");
    is_mem(after.responses, before.responses, sizeof(after.responses),
           "responses");
    is_int(after.bytes_out, before.bytes_out, "bytes");
    is_mem(&after.latency, &before.latency, sizeof(after.latency),
           "the histogram");
    is_str(lbs_state_name(after.state), "ejected", "the ejection");
    is_int(after.eject_until - now, before.eject_until - 100 * SEC - SEC / 4,
           "with what is left of its hold");
    is_int(after.down_us, SEC / 4, "downtime");
    lbs_member_record_tick(m, &g, now + SEC / 4);
    lbs_member_record_view(m, &g, now + SEC / 4, &after);
    is_int(after.turns, 1, "ejected before and after: one turn");
    is_int(after.down_us, SEC / 2, "whose time goes on");
}

#define CHILDREN 4
#define EACH 50000

static void counts_are_exact_over_processes(void)
{
    lbs_member_record_view_t view;
    pid_t pid[CHILDREN];
    int status;
    int i, j;

    start();
    lbs_gauge_set(&g, LBS_F_DOWN);
    lbs_member_record_tick(m, &g, now);
    for (i = 0; i < CHILDREN; i++) {
        pid[i] = fork();
        for (j = 0; pid[i] == 0 && j < EACH; j++) {
            lbs_member_record_sent(m, now);
            lbs_member_record_answered(m, &g, 200, 1000, 1000, now);
            lbs_member_record_bytes(m, 3, 7);
            lbs_member_record_tick(m, &g, now + 1 + (apr_uint64_t)j);
        }
        if (pid[i] == 0) {
            _exit(0);
        }
    }
    for (i = 0; i < CHILDREN; i++) {
        waitpid(pid[i], &status, 0);
    }
    lbs_member_record_view(m, &g, now, &view);
    is_int(view.turns, 1, "4 processes: one turn");
    is_int(view.down_us, EACH, "its time is counted once");
    is_int(view.requests, CHILDREN * EACH, "4 processes: no request lost");
    is_int(view.responses[1], CHILDREN * EACH, "no answer");
    is_int(view.bytes_in, 3 * CHILDREN * EACH, "no byte in");
    is_int(view.bytes_out, 7 * CHILDREN * EACH, "no byte out");
    is_int(view.latency.le[LBS_LATENCY_BOUNDS], CHILDREN * EACH, "no time");
}

int main(void)
{
    m = step_shared(sizeof(*m));
    new_member();
    what_is_counted_is_shown();
    since_is_the_last_change();
    downtime_and_turns();
    closed_is_not_down();
    last_minutes();
    a_check_that_is_ignored();
    doubt();
    saved_and_loaded();
    counts_are_exact_over_processes();
    return done_testing();
}
