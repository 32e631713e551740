/* SPDX-License-Identifier: Apache-2.0 */
#include "src/member/lbs_lately.h"
#include "t/unit/tap.h"

#define MINUTE APR_UINT64_C(60000000)

static lbs_lately_t lately;
static lbs_atomic64_t counts[LBS_LATELY_CLASSES];
static apr_uint64_t now;

static void start(void)
{
    memset(&lately, 0, sizeof(lately));
    memset(counts, 0, sizeof(counts));
    now = 1000 * MINUTE;
}

static lbs_lately_sum_t sum(void)
{
    lbs_lately_sum_t is;

    lbs_lately_read(&lately, counts, now, &is);
    return is;
}

static void answer(int class, unsigned times)
{
    counts[class - 1] += times;
}

static void classes(void)
{
    start();
    is_int(sum().all, 0, "nothing is known");
    lbs_lately_feed(&lately, counts, now);
    answer(1, 1);
    answer(2, 10);
    answer(3, 2);
    answer(4, 3);
    answer(5, 4);
    is_int(sum().all, 20, "all answers");
    is_int(sum().client_errors, 3, "4xx of these");
    is_int(sum().server_errors, 4, "5xx of these");
}

static void what_was_before_is_not_known(void)
{
    start();
    answer(5, 1000);
    is_int(sum().all, 0, "counters of before: not read");
    lbs_lately_feed(&lately, counts, now);
    is_int(sum().all, 0, "nor taken for answers of now");
    answer(2, 1);
    is_int(sum().all, 1, "one since");
    is_int(sum().server_errors, 0, "no error");
}

static void old_answers_go(void)
{
    int minute;

    start();
    lbs_lately_feed(&lately, counts, now);
    answer(5, 7);
    for (minute = 1; minute < LBS_LATELY_MINUTES; minute++) {
        now += MINUTE;
        lbs_lately_feed(&lately, counts, now);
        lbs_lately_feed(&lately, counts, now + MINUTE / 2);
        answer(2, 1);
        is_int(sum().server_errors, 7, "minute %d: still there", minute);
    }
    now += MINUTE;
    lbs_lately_feed(&lately, counts, now);
    is_int(sum().server_errors, 0, "after five minutes: gone");
    is_int(sum().all, LBS_LATELY_MINUTES - 1, "the later ones stay");
}

static void pauses(void)
{
    start();
    lbs_lately_feed(&lately, counts, now);
    answer(5, 7);
    now += 2 * MINUTE;
    lbs_lately_feed(&lately, counts, now);
    is_int(sum().server_errors, 7, "two minutes that nobody noted");
    now += 3 * MINUTE;
    lbs_lately_feed(&lately, counts, now);
    is_int(sum().server_errors, 0, "count as minutes");
    answer(5, 1);
    now += 4 * MINUTE;
    is_int(sum().server_errors, 1, "a note of four minutes ago will do");
    now += MINUTE;
    is_int(sum().all, 0, "an older one does not");
    now += 100 * MINUTE;
    lbs_lately_feed(&lately, counts, now);
    is_int(sum().all, 0, "after a long pause it begins anew");
    lbs_lately_feed(&lately, counts, now - MINUTE);
    answer(2, 1);
    is_int(sum().all, 1, "a process that is late changes nothing");
    counts[1] = 0;
    is_int(sum().all, 0, "a counter that went back is no answer");
}

int main(void)
{
    classes();
    what_was_before_is_not_known();
    old_answers_go();
    pauses();
    return done_testing();
}
