/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check_found.c - see lbs_check_found.h. */
#include "src/httpd/check/lbs_check_found.h"

#include "src/httpd/pool/lbs_present.h"

#define MOST 2048 /* of all pools; members beyond are not checked */

typedef struct found_t {
    apr_pool_t *memory;
    lbs_check_seat_t seat;
} found_t;

/* Of the thread. */
static lbs_present_hold_t hold;
static found_t *all[MOST];
static int count;
static int is_new; /* no turn was followed yet */

int lbs_check_found_count(void)
{
    return count;
}

lbs_check_seat_t *lbs_check_found_at(int i, apr_pool_t **memory)
{
    *memory = all[i]->memory;
    return &all[i]->seat;
}

void lbs_check_found_begin(void)
{
    hold = lbs_present_hold();
    is_new = 1;
}

/* Going ------------------------------------------------------------------ */

static int errands_of(const lbs_check_seat_t *seat)
{
    int i, n = (seat->reach.call != NULL) + (seat->probe.call != NULL);

    for (i = 0; i < LBS_CHECK_SEAT_MORE; i++) {
        n += seat->more[i].call != NULL;
    }
    return n;
}

static void leave_ring(lbs_check_seat_t *seat)
{
    lbs_check_seat_t *at = seat;

    while (at->next != seat) {
        at = at->next;
        if (at->probe.suspect == seat) {
            at->probe.suspect = NULL;
        }
    }
    at->next = seat->next;
}

/* @return errands given up */
static int end_seat(int i, CURLM *multi)
{
    found_t *found = all[i];
    int errands = errands_of(&found->seat);

    lbs_check_seat_give_up(&found->seat, multi);
    leave_ring(&found->seat);
    apr_pool_destroy(found->memory);
    all[i] = all[--count];
    return errands;
}

/* Coming ----------------------------------------------------------------- */

static const lbs_member_t *member_now(const lbs_check_seat_t *seat)
{
    return lbs_pools_same(seat->pool)->member[seat->member->index];
}

static int has_seat(const lbs_member_t *m)
{
    int i;

    for (i = 0; i < count; i++) {
        if (all[i]->seat.member == m) {
            return 1;
        }
    }
    return 0;
}

/* @param first  a configured member's, of the same pool */
static void add_seat(lbs_check_seat_t *first, const lbs_member_t *m)
{
    apr_pool_t *memory;
    found_t *found;

    if (count == MOST) {
        return;
    }
    apr_pool_create(&memory, NULL);
    apr_pool_tag(memory, "lbsticky found seat");
    found = apr_palloc(memory, sizeof(*found));
    found->memory = memory;
    lbs_check_seat_init(&found->seat, memory, first->pool, m, first->conf,
                        first->tls);
    lbs_check_seat_reset(&found->seat);
    found->seat.next = first->next;
    first->next = &found->seat;
    all[count++] = found;
}

static void add_seats(lbs_check_seat_t *first)
{
    const lbs_pool_t *pool = lbs_pools_same(first->pool);
    apr_size_t i;

    for (i = pool->configured; i < pool->count; i++) {
        if (lbs_pools_is_there(pool, i) && !has_seat(pool->member[i])) {
            add_seat(first, pool->member[i]);
        }
    }
}

int lbs_check_found_follow(const apr_array_header_t *seats, CURLM *multi)
{
    lbs_present_hold_t before = hold;
    int i, errands = 0;

    hold = lbs_present_hold();
    hold.before = before.before;
    if (hold.turn != before.turn || is_new) {
        is_new = 0;
        for (i = count - 1; i >= 0; i--) {
            if (member_now(&all[i]->seat) != all[i]->seat.member) {
                errands += end_seat(i, multi);
            }
        }
        for (i = 0; i < seats->nelts; i++) {
            lbs_check_seat_t *seat =
                APR_ARRAY_IDX(seats, i, lbs_check_seat_t *);

            if (seat->member->index == 0 && seat->pool->roster != NULL) {
                add_seats(seat);
            }
        }
    }
    lbs_present_unhold(before);
    return errands;
}

void lbs_check_found_end(CURLM *multi)
{
    while (count > 0) {
        (void)end_seat(count - 1, multi);
    }
    lbs_present_release(hold);
}
