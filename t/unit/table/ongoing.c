/* SPDX-License-Identifier: Apache-2.0 */
#include "src/table/lbs_ongoing.h"

#include <pthread.h>

#include "t/unit/tap.h"

#define NOW APR_INT64_C(1000000000)
#define SECOND APR_INT64_C(1000000)
#define IDLE (256 * SECOND) /* a step is a second */
#define CHILD 77u

static lbs_ongoing_t ongoing;

typedef struct seen_t {
    int calls;
    apr_uint64_t sum;
    apr_interval_time_t idle;
} seen_t;

static void see(void *baton, apr_uint64_t key, apr_interval_time_t idle)
{
    seen_t *seen = baton;

    seen->calls++;
    seen->sum += key;
    seen->idle = idle;
}

static seen_t renewed(apr_time_t now)
{
    seen_t seen = {0};

    lbs_ongoing_renew(&ongoing, now, see, &seen);
    return seen;
}

/* Requests that have a place. */
static apr_uint32_t count(void)
{
    apr_uint32_t sum = 0;
    apr_uint32_t i;

    for (i = 0; i < LBS_ONGOING_PLACES; i++) {
        sum += lbs_atomic_load64_relaxed(&ongoing.place[i].owner) != 0;
    }
    return sum;
}

static apr_uint32_t enter(apr_uint32_t owner, apr_uint32_t *hint)
{
    apr_uint32_t place = LBS_ONGOING_PLACES;

    is_int(lbs_ongoing_enter(&ongoing, owner, hint, NOW, IDLE, &place),
           APR_SUCCESS, "a place");
    return place;
}

static void a_request_that_lasts(void)
{
    apr_uint32_t hint = lbs_ongoing_begin(&ongoing);
    apr_uint32_t place = enter(CHILD, &hint);

    is_int(renewed(NOW + 10 * SECOND).calls, 0, "without a session");
    lbs_ongoing_add(&ongoing, place, 5);
    lbs_ongoing_add(&ongoing, place, 5);
    lbs_ongoing_add(&ongoing, place, 0);
    lbs_ongoing_add(&ongoing, place, 7);
    is_int(renewed(NOW + 10 * SECOND).calls, 0, "was renewed just now");
    is_int(renewed(NOW + 11 * SECOND).sum, 12, "both are, a step later");
    is_int(renewed(NOW + 11 * SECOND).calls, 0, "once in a step");
    is_int(renewed(NOW + 13 * SECOND).idle, IDLE, "by their idle time");
    lbs_ongoing_leave(&ongoing, place);
    is_int(renewed(NOW + 20 * SECOND).calls, 0, "not when it is over");
    is_int(enter(CHILD, &hint), place, "the thread takes its place again");
    is_int(renewed(NOW + 20 * SECOND).calls, 0, "which is empty");
    lbs_ongoing_leave(&ongoing, place);
}

static void one_process_renews(void)
{
    is_int(lbs_ongoing_turn(&ongoing, NOW, SECOND), 1, "the first that asks");
    is_int(lbs_ongoing_turn(&ongoing, NOW + 1, SECOND), 0, "not another one");
    is_int(lbs_ongoing_turn(&ongoing, NOW + SECOND, SECOND), 1,
           "after the time, whoever comes first");
    is_int(lbs_ongoing_turn(&ongoing, NOW + SECOND, SECOND), 0, "once");
}

static void more_than_there_is_room_for(void)
{
    apr_uint32_t hint = 0;
    apr_uint32_t place = enter(CHILD, &hint);
    seen_t seen = {0};
    apr_uint32_t i, none;

    for (i = 1; i < 100; i++) {
        lbs_ongoing_add(&ongoing, place, i);
    }
    lbs_ongoing_each(&ongoing, place, see, &seen);
    is_int(seen.calls, LBS_ONGOING_KEYS, "sessions of one request");
    while (lbs_ongoing_enter(&ongoing, CHILD, &hint, NOW, IDLE, &none)
           == APR_SUCCESS) {
    }
    is_int(count(), LBS_ONGOING_PLACES, "all are taken");
    lbs_ongoing_abandon(&ongoing, CHILD + 1);
    is_int(count(), LBS_ONGOING_PLACES, "another child is gone");
    lbs_ongoing_abandon(&ongoing, CHILD);
    is_int(count(), 0, "this child is gone");
    is_int(renewed(NOW + 100 * SECOND).calls, 0, "and so are its sessions");
}

#define THREADS 8
#define ROUNDS 20000

/* Each thread has one request after the other, sometimes two at once. */
static void *requests(void *baton)
{
    apr_uint32_t hint = lbs_ongoing_begin(&ongoing);
    apr_uint32_t *wrong = baton;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        apr_uint32_t a, b;
        int two = i % 3 == 0;

        *wrong += lbs_ongoing_enter(&ongoing, CHILD, &hint, NOW, IDLE, &a)
                  != APR_SUCCESS;
        lbs_ongoing_add(&ongoing, a, 1);
        if (two) {
            *wrong += lbs_ongoing_enter(&ongoing, CHILD, &hint, NOW, IDLE, &b)
                          != APR_SUCCESS
                      || a == b;
            lbs_ongoing_leave(&ongoing, b);
        }
        lbs_ongoing_leave(&ongoing, a);
    }
    return NULL;
}

static void threads_at_once(void)
{
    pthread_t thread[THREADS];
    apr_uint32_t wrong[THREADS] = {0};
    apr_uint32_t sum = 0;
    int i;

    for (i = 0; i < THREADS; i++) {
        if (pthread_create(&thread[i], NULL, requests, &wrong[i]) != 0) {
            bail_out("no thread");
        }
    }
    for (i = 0; i < 200; i++) {
        (void)renewed(NOW + i * SECOND);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        sum += wrong[i];
    }
    is_int(sum, 0, "every request has a place of its own");
    is_int(count(), 0, "and gives it back");
}

/* Names ------------------------------------------------------------------- */

static apr_uint32_t named_pool;

static void name_it(void *baton, apr_uint32_t pool,
                    const apr_uint64_t name[LBS_ONGOING_NAME_WORDS])
{
    *(apr_uint64_t *)baton += name[0] + name[1];
    named_pool = pool;
}

/* The sum of all names that a store is to be told of. */
static apr_uint64_t names_due(apr_time_t now)
{
    apr_uint64_t sum = 0;

    lbs_ongoing_each_name(&ongoing, now, name_it, &sum);
    return sum;
}

static void a_store_is_told_of_requests_that_last(void)
{
    static const apr_uint64_t name[LBS_ONGOING_NAMES + 1]
                                  [LBS_ONGOING_NAME_WORDS] = {
                                      {1, 2}, {10, 20}, {100, 200}, {5, 5}};
    apr_uint32_t hint = 0, place = enter(CHILD, &hint);
    apr_uint32_t i;

    is_int(names_due(NOW + IDLE), 0, "a request without a name: nothing");
    for (i = 0; i < LBS_ONGOING_NAMES + 1; i++) {
        lbs_ongoing_add_name(&ongoing, place, 9, name[i], NOW);
        lbs_ongoing_add_name(&ongoing, place, 9, name[0], NOW);
    }
    is_int(names_due(NOW + IDLE / 2 - 1), 0, "not before half an idle time");
    is_int(names_due(NOW + IDLE / 2), 333, "then of each name, once");
    is_int(named_pool, 9, "with its pool");
    is_int(names_due(NOW + IDLE - 1), 0, "the next half begins");
    is_int(names_due(NOW + IDLE), 333, "and so on");
    lbs_ongoing_leave(&ongoing, place);
    is_int(names_due(NOW + 9 * IDLE), 0, "until the request ends");
}

int main(void)
{
    a_store_is_told_of_requests_that_last();
    a_request_that_lasts();
    one_process_renews();
    more_than_there_is_room_for();
    threads_at_once();
    return done_testing();
}
