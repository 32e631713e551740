/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "src/base/lbs_rand.h"
#include "src/member/lbs_check.h"
#include "t/unit/tap.h"

#define MS APR_UINT64_C(1000)
#define SEC APR_UINT64_C(1000000)
#define MEMBERS 200

static lbs_statuses_t expect;
static const lbs_check_conf_t conf = {5 * SEC, 2 * SEC, 2,
                                      3,       &expect, "200-399"};
static const lbs_check_result_t good = {1, 1, "HTTP 200", 0};
static const lbs_check_result_t bad = {0, 1, "HTTP 500, want 200-399", 0};

static lbs_check_t check;
static lbs_gauge_t g;
static apr_uint64_t now;

static void start(void)
{
    memset(&check, 0, sizeof(check));
    lbs_gauge_init(&g);
    now = 5000 * SEC;
}

/* Wait until a check is due, in steps of a tick; give it its result. */
static lbs_check_turn_t next(const lbs_check_result_t *result)
{
    apr_uint64_t ticket;
    int tick;

    for (tick = 0; tick < 100; tick++, now += 100 * MS) {
        if (lbs_check_begin(&check, &conf, 7, 1, now, &ticket)
            == APR_SUCCESS) {
            return lbs_check_end(&check, &conf, &g, ticket, result, now);
        }
    }
    return (lbs_check_turn_t)-1; /* never due */
}

static int down(void)
{
    return (g.flags & LBS_F_DOWN) != 0;
}

static void only_results_in_a_row_count(void)
{
    start();
    ok(!down(), "before its first check a member is up");
    is_int(next(&bad), LBS_CHECK_NONE, "one bad");
    is_int(next(&bad), LBS_CHECK_NONE, "two bad");
    is_int(next(&good), LBS_CHECK_NONE, "a good one between");
    is_int(next(&bad), LBS_CHECK_NONE, "one bad");
    is_int(next(&bad), LBS_CHECK_NONE, "two bad");
    ok(!down(), "not three in a row: up");
    is_int(next(&bad), LBS_CHECK_DOWN, "three in a row: down");
    ok(down(), "the flag says so");
    is_int(next(&bad), LBS_CHECK_NONE, "told once");
    is_int(next(&good), LBS_CHECK_NONE, "one good");
    is_int(next(&bad), LBS_CHECK_NONE, "and bad again");
    is_int(next(&good), LBS_CHECK_NONE, "one good");
    ok(down(), "still down");
    is_int(next(&good), LBS_CHECK_UP, "two in a row: up");
    is_int(next(&good), LBS_CHECK_NONE, "told once");
}

static void healthy_again_within_rise_intervals(void)
{
    apr_uint64_t from;

    start();
    next(&bad), next(&bad), next(&bad);
    from = now;
    next(&good);
    is_int(next(&good), LBS_CHECK_UP, "healthy again");
    ok(now - from <= 2 * 5 * SEC, "seen within rise intervals (%.1f s)",
       (double)(now - from) / SEC);
}

static void a_shorter_interval_counts_at_once(void)
{
    lbs_check_conf_t longer = conf, shorter = conf;
    apr_uint64_t ticket, end;

    start();
    longer.interval_us = 3600 * SEC;
    shorter.interval_us = 1 * SEC;
    is_int(lbs_check_begin(&check, &longer, 7, 1, now, &ticket), APR_EAGAIN,
           "planned within the hour");
    for (end = now + 2 * SEC; now < end; now += 100 * MS) {
        if (lbs_check_begin(&check, &shorter, 7, 1, now, &ticket)
            == APR_SUCCESS) {
            break;
        }
    }
    ok(now < end, "after a reload: within the new interval of a second");
}

static void first_checks_are_spread(void)
{
    lbs_check_t many[MEMBERS];
    int tenth[10] = {0};
    int begun = 0, worst = 0;
    apr_uint64_t ticket;
    int i, tick;

    start();
    memset(many, 0, sizeof(many));
    for (tick = 0; tick <= 50; tick++) {
        for (i = 0; i < MEMBERS; i++) {
            if (lbs_check_begin(&many[i], &conf, (apr_uint64_t)i, 1, now,
                                &ticket)
                    == APR_SUCCESS
                && many[i].ended == 0) {
                tenth[tick < 50 ? tick / 5 : 9]++;
                begun++;
                lbs_check_end(&many[i], &conf, &g, ticket, &good, now);
            }
        }
        now += 100 * MS;
    }
    for (i = 0; i < 10; i++) {
        worst = tenth[i] > worst ? tenth[i] : worst;
    }
    is_int(begun, MEMBERS, "200 members: all checked within one interval");
    ok(worst < 45, "spread over it: %d in the busiest tenth", worst);
}

static void one_is_outstanding(void)
{
    apr_uint64_t a, b;
    int busy = 0;
    int i;

    start();
    next(&good);
    now += 6 * SEC;
    is_int(lbs_check_begin(&check, &conf, 7, 1, now, &a), APR_SUCCESS, "due");
    for (i = 0; i < 39; i++) {
        now += 100 * MS;
        busy += lbs_check_begin(&check, &conf, 7, 2, now, &b) == APR_EBUSY;
    }
    is_int(busy, 39, "a slow one: no second one beside it");
    now += 200 * MS;
    is_int(lbs_check_begin(&check, &conf, 7, 2, now, &b), APR_SUCCESS,
           "long after its time-out it counts as lost");
    is_int(lbs_check_end(&check, &conf, &g, a, &bad, now), LBS_CHECK_NONE,
           "its late result is ignored");
    is_int(lbs_check_begin(&check, &conf, 7, 1, now, &a), APR_EBUSY,
           "and does not end the other one");
    lbs_check_end(&check, &conf, &g, b, &good, now);
    is_int(lbs_check_begin(&check, &conf, 7, 1, now, &a), APR_EAGAIN,
           "which plans the next");
}

static void slower_than_the_interval(void)
{
    static const lbs_check_conf_t slow = {SEC, 5 * SEC, 2,
                                          3,   &expect, "200-399"};
    apr_uint64_t ticket, ended = 0;
    int gaps = 0, checks = 0;

    start();
    for (; checks < 20; now += 100 * MS) {
        if (lbs_check_begin(&check, &slow, 7, 1, now, &ticket)
            == APR_SUCCESS) {
            gaps += ended != 0 && now - ended < 200 * MS;
            now += 3 * SEC;
            lbs_check_end(&check, &slow, &g, ticket, &good, now);
            ended = now;
            checks++;
        }
    }
    is_int(gaps, 0, "checks that take three intervals leave pauses between");
}

static void process_dies_during_a_check(void)
{
    apr_uint64_t a, b;

    start();
    next(&good);
    now += 6 * SEC;
    (void)lbs_check_begin(&check, &conf, 7, 1, now, &a);
    lbs_check_abandon(&check, 2);
    is_int(lbs_check_begin(&check, &conf, 7, 2, now, &b), APR_EBUSY,
           "somebody else died: the claim stands");
    lbs_check_abandon(&check, 1);
    is_int(lbs_check_begin(&check, &conf, 7, 2, now, &b), APR_SUCCESS,
           "its owner died: taken over at once");
}

static void flapping_is_bounded(void)
{
    lbs_rand_t rand = {11};
    apr_uint64_t from;
    int checks = 0, turns = 0;
    int i;

    start();
    next(&good);
    from = now;
    for (i = 0; i < 1000; i++) { /* the state flips as often as it can */
        checks++;
        turns += next(down() ? &good : &bad) != LBS_CHECK_NONE;
    }
    ok(now - from > 1000 * (apr_uint64_t)conf.interval_us * 9 / 20,
       "%d checks of a flapping member: twice per interval at most", checks);
    ok(turns > 300, "though it flipped %d times", turns);

    start();
    for (i = 0, from = now; now - from < 500 * SEC; i++) {
        next(lbs_rand_below(&rand, 100) == 0 ? &bad : &good);
    }
    is_near(i, 100, 8, "a steady one: once per interval");
}

static void *claimer(void *arg)
{
    apr_uint64_t ticket;
    int *won = arg;

    *won = lbs_check_begin(&check, &conf, 7, 1, now, &ticket) == APR_SUCCESS;
    return NULL;
}

static void fifty_want_it_one_gets_it(void)
{
    pthread_t thread[50];
    int won[50];
    int sum = 0;
    int i;

    start();
    next(&good);
    now += 6 * SEC;
    for (i = 0; i < 50; i++) {
        pthread_create(&thread[i], NULL, claimer, &won[i]);
    }
    for (i = 0; i < 50; i++) {
        pthread_join(thread[i], NULL);
        sum += won[i];
    }
    is_int(sum, 1, "50 ask for a due check: one makes it");
}

static void forgotten(void)
{
    lbs_check_view_t view;

    start();
    lbs_check_view(&check, &view);
    is_int(view.known, 0, "never checked: nothing known");
    next(&bad), next(&bad), next(&bad);
    lbs_check_view(&check, &view);
    is_int(view.known && !view.ok && view.connected, 1, "bad, but connected");
    is_str(view.text, "HTTP 500, want 200-399", "the last result is shown");
    is_int(view.at, now, "and when");
    is_int(lbs_check_forget(&check, &g), 1, "checks switched off: up");
    ok(!down(), "the flag is gone");
    lbs_check_view(&check, &view);
    is_int(view.known, 0, "and so is the result");
    is_int(lbs_check_forget(&check, &g), 0, "nothing more to forget");
}

/* A member without checks, which is connected to while it is in doubt. */
static void hurried(void)
{
    static const lbs_check_conf_t doubt = {
        .interval_us = 2 * SEC, .timeout_us = SEC, .rise = 1, .fall = 1};
    static const lbs_check_result_t refused = {
        .text = "connect: Connection refused", .in_doubt = 1};
    lbs_check_view_t view;
    apr_uint64_t ticket;

    start();
    lbs_check_hurry(&check, &doubt, now, now);
    is_int(lbs_check_begin(&check, &doubt, 7, 1, now, &ticket), APR_SUCCESS,
           "the first one at once");
    is_int(lbs_check_end(&check, &doubt, &g, ticket, &refused, now),
           LBS_CHECK_DOWN, "which is enough");
    lbs_check_view(&check, &view);
    ok(view.in_doubt && !view.connected, "and says what it was");
    lbs_check_hurry(&check, &doubt, now, now);
    now += 900 * MS;
    is_int(lbs_check_begin(&check, &doubt, 7, 1, now, &ticket), APR_EAGAIN,
           "the next one not before about a second");
    now += 150 * MS;
    is_int(lbs_check_begin(&check, &doubt, 7, 1, now, &ticket), APR_SUCCESS,
           "but then");
    lbs_check_drop(&check, ticket);
    check.due = now + 600 * SEC; /* of a check with an interval of an hour */
    lbs_check_hurry(&check, &doubt, now, now);
    is_int(lbs_check_begin(&check, &doubt, 7, 1, now, &ticket), APR_SUCCESS,
           "nor does it wait for what was planned otherwise");
}

static void words(void)
{
    lbs_check_conf_t odd = conf;
    char text[LBS_SHARED_TEXT_LEN];
    char line[400];

    is_int(lbs_check_say_status(&conf, 200, text), 1, "200 is fine");
    is_str(text, "HTTP 200", "and says so");
    is_int(lbs_check_say_status(&conf, 400, text), 0, "400 is not");
    is_str(text, "HTTP 400, want 200-399", "and says what is wanted");
    lbs_check_say_error("connect", "Connection refused", text);
    is_str(text, "connect: Connection refused", "an error");
    lbs_check_say_timeout(&conf, text);
    is_str(text, "timeout after 2s", "seconds");
    odd.timeout_us = 250 * 1000;
    lbs_check_say_timeout(&odd, text);
    is_str(text, "timeout after 250ms", "milliseconds");
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    lbs_check_say_error("connect", line, text);
    is_int(strlen(text), LBS_SHARED_TEXT_LEN - 1, "a long error is cut");
}

/* Rise and fall once more, obviously. */
static void random_results_against_a_twin(void)
{
    lbs_rand_t rand = {5};
    int is_down = 0, row = 0, was = -1, wrong = 0;
    int i;

    start();
    for (i = 0; i < 20000; i++) {
        int fine = lbs_rand_below(&rand, 3) != 0;
        lbs_check_turn_t want = LBS_CHECK_NONE;

        row = fine == was ? row + 1 : 1;
        was = fine;
        if (fine && is_down && row >= 2) {
            is_down = 0;
            want = LBS_CHECK_UP;
        }
        else if (!fine && !is_down && row >= 3) {
            is_down = 1;
            want = LBS_CHECK_DOWN;
        }
        wrong += next(fine ? &good : &bad) != want;
        wrong += down() != is_down;
    }
    is_int(wrong, 0, "20000 random results agree with the twin");
}

int main(void)
{
    if (lbs_text_statuses("200-399", &expect) != NULL) {
        bail_out("statuses");
    }
    only_results_in_a_row_count();
    healthy_again_within_rise_intervals();
    a_shorter_interval_counts_at_once();
    first_checks_are_spread();
    one_is_outstanding();
    slower_than_the_interval();
    process_dies_during_a_check();
    flapping_is_bounded();
    fifty_want_it_one_gets_it();
    forgotten();
    hurried();
    words();
    random_results_against_a_twin();
    return done_testing();
}
