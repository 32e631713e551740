/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>

#include "src/roster/lbs_wish.h"
#include "t/unit/tap.h"

static lbs_wish_ring_t ring;

/* As lbs_wish.c has it: the step of a place. */
static unsigned step_of(apr_uint32_t place)
{
    return (unsigned)(lbs_atomic_load64_relaxed(&ring.place[place].word)
                      >> 61);
}

static int put(unsigned n, apr_time_t now, lbs_wish_ticket_t *ticket)
{
    lbs_wish_t wish = {.kind = LBS_WISH_ADD, .pool_slot = n};

    apr_snprintf(wish.url, sizeof(wish.url), "http://10.0.0.%u", n);
    return lbs_wish_put(&ring, &wish, now, ticket);
}

static void reply(const lbs_wish_ticket_t *ticket, unsigned n, apr_time_t now)
{
    lbs_wish_answer_t answer = {.status = 200, .slot = n};

    lbs_wish_answer(&ring, ticket, &answer, now);
}

static void test_round(void)
{
    apr_time_t now = apr_time_from_sec(100);
    lbs_wish_ticket_t mine, taken;
    lbs_wish_answer_t answer;
    lbs_wish_t wish;

    ok(!lbs_wish_take(&ring, now, &wish, &taken), "nobody asks");
    ok(put(7, now, &mine), "a wish");
    is_int(lbs_wish_look(&ring, &mine, &answer), LBS_WISH_WAITS, "waits");
    ok(lbs_wish_take(&ring, now, &wish, &taken) && wish.pool_slot == 7,
       "is taken");
    is_str(wish.url, "http://10.0.0.7", "whole");
    ok(!lbs_wish_withdraw(&ring, &mine), "cannot be withdrawn then");
    reply(&taken, 70, now);
    ok(lbs_wish_look(&ring, &mine, &answer) == LBS_WISH_ANSWERED
           && answer.slot == 70,
       "is answered");
    is_int(lbs_wish_look(&ring, &mine, &answer), LBS_WISH_LOST, "once");
    ok(put(8, now, &mine) && lbs_wish_withdraw(&ring, &mine), "withdrawn");
    ok(!lbs_wish_take(&ring, now, &wish, &taken), "it is not done");
}

static void test_full(void)
{
    apr_time_t now = apr_time_from_sec(200);
    lbs_wish_ticket_t ticket, taken;
    lbs_wish_t wish;
    unsigned i, in_order = 0;

    for (i = 0; i < LBS_WISH_PLACES; i++) {
        (void)put(i, now, &ticket);
    }
    ok(!put(99, now, &ticket), "all places are taken");
    for (i = 0; i < LBS_WISH_PLACES; i++) {
        in_order +=
            lbs_wish_take(&ring, now, &wish, &taken) && wish.pool_slot == i;
        reply(&taken, i, now);
    }
    is_int(in_order, LBS_WISH_PLACES, "the oldest first");
    ok(!put(99, now + LBS_WISH_KEPT, &ticket), "answers wait");
    now += LBS_WISH_KEPT + apr_time_from_sec(1);
    ok(put(99, now, &ticket), "those that nobody reads go");
    ok(lbs_wish_withdraw(&ring, &ticket), "and the place is as any other");
}

/* A process is stopped at some step, its place is given away, and it goes
 * on. */
static void test_stopped(void)
{
    apr_time_t now = apr_time_from_sec(300);
    lbs_wish_ticket_t mine, taken, other, again;
    lbs_wish_answer_t answer;
    lbs_wish_place_t *place;
    lbs_wish_t wish;
    unsigned i;

    memset(&ring, 0, sizeof(ring));
    (void)put(1, now, &mine);
    (void)lbs_wish_take(&ring, now, &wish, &taken);
    now += LBS_WISH_KEPT + apr_time_from_sec(1);
    (void)put(2, now, &other);
    is_int(other.place, mine.place, "another has the place");
    reply(&taken, 1, now);
    is_int(lbs_wish_look(&ring, &other, &answer), LBS_WISH_WAITS,
           "a late answer is not its own");
    is_int(lbs_wish_look(&ring, &mine, &answer), LBS_WISH_LOST,
           "nor the first one's");
    ok(lbs_wish_take(&ring, now, &wish, &again) && wish.pool_slot == 2,
       "the other is done");
    /* Bytes of a late answer, between its check and its end. */
    place = &ring.place[other.place];
    reply(&again, 2, now);
    lbs_atomic_store64_relaxed(&place->answer[0], 1);
    is_int(lbs_wish_look(&ring, &other, &answer), LBS_WISH_LOST,
           "a spoilt answer is none");
    /* And of a late wish. */
    (void)put(3, now, &mine);
    lbs_atomic_store64_relaxed(&ring.place[mine.place].wish[6], 1);
    ok(!lbs_wish_take(&ring, now, &wish, &taken), "a spoilt wish is none");
    is_int(lbs_wish_look(&ring, &mine, &answer), LBS_WISH_LOST,
           "its writer is told");
    for (i = 0; i < LBS_WISH_PLACES; i++) {
        if (step_of(i) != 0) {
            break;
        }
    }
    is_int(i, LBS_WISH_PLACES, "no place is lost");
}

/* Random steps beside a twin ------------------------------------------- */

enum { ASKS, TAKEN, ANSWERED };

typedef struct twin_t {
    lbs_wish_ticket_t mine, taken;
    int state;
    int alive; /* its writer */
    unsigned n;
    apr_time_t since; /* its last step */
} twin_t;

#define TWINS 200

static twin_t twins[TWINS];
static int twin_count;
static apr_uint64_t seed = 88172645463325252u;

static unsigned draw(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

static int places_of(apr_time_t now)
{
    int i, n = 0;

    for (i = 0; i < twin_count; i++) {
        n += now - twins[i].since <= LBS_WISH_KEPT;
    }
    return n;
}

static void drop(int i)
{
    twins[i] = twins[--twin_count];
}

static int step_put(apr_time_t now, unsigned n)
{
    twin_t *twin = &twins[twin_count];
    int room = places_of(now) < LBS_WISH_PLACES;
    int got = put(n, now, &twin->mine);

    if (got) {
        twin->state = ASKS;
        twin->alive = draw(10) != 0;
        twin->n = n;
        twin->since = now;
        twin_count++;
    }
    return got == room;
}

/* The oldest wish that may be done. */
static int first_asking(apr_time_t now)
{
    int i, found = -1;

    for (i = 0; i < twin_count; i++) {
        if (twins[i].state == ASKS && now - twins[i].since <= LBS_WISH_KEPT
            && (found < 0 || twins[i].since < twins[found].since)) {
            found = i;
        }
    }
    return found;
}

static int step_take(apr_time_t now)
{
    lbs_wish_ticket_t ticket;
    lbs_wish_t wish;
    int i, want = first_asking(now);

    if (!lbs_wish_take(&ring, now, &wish, &ticket)) {
        return want < 0;
    }
    for (i = 0; i < twin_count; i++) {
        if (twins[i].state == ASKS && twins[i].mine.place == ticket.place
            && twins[i].n == wish.pool_slot) {
            int right = want >= 0 && twins[i].since == twins[want].since;

            twins[i].state = TAKEN;
            twins[i].taken = ticket;
            twins[i].since = now;
            return right;
        }
    }
    return 0;
}

static int step_other(apr_time_t now)
{
    lbs_wish_answer_t answer = {0};
    int i = (int)draw((unsigned)twin_count);
    twin_t *twin = &twins[i];
    int fresh = now - twin->since <= LBS_WISH_KEPT;
    lbs_wish_state_t is;

    if (twin->state == TAKEN && draw(8) != 0) { /* else the taker died */
        int has =
            lbs_atomic_load64_relaxed(&ring.place[twin->taken.place].word)
            == twin->taken.word;

        reply(&twin->taken, twin->n, now);
        if (has) { /* else its place is another's by now */
            twin->state = ANSWERED;
            twin->since = now;
        }
        return 1;
    }
    if (!twin->alive || twin->state == TAKEN) {
        return 1;
    }
    if (twin->state == ASKS && draw(4) == 0) {
        int gone = lbs_wish_withdraw(&ring, &twin->mine);

        drop(i);
        return gone || !fresh;
    }
    is = lbs_wish_look(&ring, &twin->mine, &answer);
    if (twin->state == ANSWERED) {
        int right = (is == LBS_WISH_ANSWERED && answer.slot == twin->n)
                    || (!fresh && is == LBS_WISH_LOST);

        drop(i);
        return right;
    }
    return is == LBS_WISH_WAITS || (!fresh && is == LBS_WISH_LOST);
}

/* Forget those that are too old to say anything of. */
static void clean(apr_time_t now)
{
    int i = 0;

    while (i < twin_count) {
        if (now - twins[i].since > 4 * LBS_WISH_KEPT) {
            drop(i);
        }
        else {
            i++;
        }
    }
}

static void test_random(void)
{
    apr_time_t now = apr_time_from_sec(1000);
    int wrong = 0;
    unsigned n;

    memset(&ring, 0, sizeof(ring));
    for (n = 0; n < 200000; n++) {
        now += 1000 * (1 + draw(40));
        if (draw(2000) == 0) {
            now += LBS_WISH_KEPT;
        }
        clean(now);
        if (twin_count == 0 || (twin_count < TWINS && draw(3) == 0)) {
            wrong += !step_put(now, n);
        }
        else if (draw(3) == 0) {
            wrong += !step_take(now);
        }
        else {
            wrong += !step_other(now);
        }
    }
    is_int(wrong, 0, "as the twin has it, whoever dies");
}

int main(void)
{
    test_round();
    test_full();
    test_stopped();
    test_random();
    return done_testing();
}
