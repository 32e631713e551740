/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "src/evidence/lbs_window.h"
#include "t/unit/tap.h"

#define SEC APR_UINT64_C(1000000)
#define LENGTH ((apr_int64_t)(8 * SEC))

static lbs_window_t window;

static void is_sum(apr_uint64_t now, apr_uint32_t all, apr_uint32_t bad,
                   const char *what)
{
    lbs_window_sum_t sum = lbs_window_sum(&window, LENGTH, now);

    ok(sum.all == all && sum.bad == bad, "%s", what);
}

static void counts(void)
{
    apr_uint64_t now = 1000 * SEC;
    int i;

    memset(&window, 0, sizeof(window));
    is_sum(now, 0, 0, "a new window is empty");
    for (i = 0; i < 8; i++) {
        lbs_window_add(&window, LENGTH, i % 2 != 0, now + (unsigned)i * SEC);
    }
    now += 7 * SEC;
    is_sum(now, 8, 4, "all that happened within its length");
    is_sum(now + 3 * SEC, 5, 3, "three eighths later, three less");
    is_sum(now + 8 * SEC, 0, 0, "after its length nothing is left");
    lbs_window_add(&window, LENGTH, 1, now);
    lbs_window_add(&window, LENGTH, 1, now - 8 * SEC);
    is_sum(now, 9, 5, "a slower clock writes over nothing");
    lbs_window_clear(&window);
    is_sum(now, 0, 0, "and is empty when it is cleared");
}

static void parts(void)
{
    lbs_window_sum_t sum[LBS_WINDOW_CELLS];
    apr_uint64_t now = 1000 * SEC;
    int i, wrong = 0;

    memset(&window, 0, sizeof(window));
    for (i = 0; i < 12; i++) {
        lbs_window_add(&window, LENGTH, i >= 10, now + (unsigned)i * SEC);
    }
    lbs_window_parts(&window, LENGTH, now + 11 * SEC, sum);
    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        wrong += sum[i].all != (unsigned)i + 1;
        wrong += sum[i].bad != (i == 0 ? 1 : 2);
    }
    is_int(wrong, 0, "each part holds the events since");
    lbs_window_parts(&window, LENGTH, now + 13 * SEC, sum);
    ok(sum[1].all == 0 && sum[2].all == 1 && sum[7].all == 6,
       "two eighths later the latest two are empty");
}

static void a_length_below_eight_microseconds(void)
{
    memset(&window, 0, sizeof(window));
    lbs_window_add(&window, 1, 1, 5);
    is_int(lbs_window_sum(&window, 1, 5).bad, 1,
           "a window of a microsecond does not divide by zero");
}

static void a_full_cell(void)
{
    apr_uint64_t now = 1000 * SEC;
    int i;

    memset(&window, 0, sizeof(window));
    for (i = 0; i < (1 << 20) + 5; i++) {
        lbs_window_add(&window, LENGTH, 1, now);
    }
    is_sum(now, (1 << 20) - 1, (1 << 20) - 1, "a full cell stays full");
}

static void *add_many(void *unused)
{
    int i;

    for (i = 0; i < 100000; i++) {
        lbs_window_add(&window, LENGTH, 1, 1000 * SEC);
    }
    return unused;
}

static void several_at_once(void)
{
    pthread_t thread[4];
    lbs_window_sum_t sum;
    int i;

    memset(&window, 0, sizeof(window));
    for (i = 0; i < 4; i++) {
        pthread_create(&thread[i], NULL, add_many, NULL);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
    }
    sum = lbs_window_sum(&window, LENGTH, 1000 * SEC);
    ok(sum.all == sum.bad, "no word is torn");
    ok(sum.all > 399000 && sum.all <= 400000, "nearly nothing is dropped");
}

int main(void)
{
    counts();
    parts();
    a_length_below_eight_microseconds();
    a_full_cell();
    several_at_once();
    return done_testing();
}
