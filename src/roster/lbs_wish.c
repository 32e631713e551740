/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wish.c - see lbs_wish.h. */
#include "src/roster/lbs_wish.h"

#include <string.h>

#include "src/base/lbs_hash.h"

enum { STEP_FREE, STEP_WRITTEN, STEP_ASKED, STEP_TAKEN, STEP_ANSWERED };

#define STEP_SHIFT 61
#define TURN_SHIFT 32
#define TURN_MASK 0x1fffffffu
#define KEPT_MS (LBS_WISH_KEPT / 1000)

static unsigned step_of(apr_uint64_t word)
{
    return (unsigned)(word >> STEP_SHIFT);
}

static apr_uint32_t turn_of(apr_uint64_t word)
{
    return (apr_uint32_t)(word >> TURN_SHIFT) & TURN_MASK;
}

static apr_uint64_t word_of(unsigned step, apr_uint32_t turn, apr_time_t now)
{
    return (apr_uint64_t)step << STEP_SHIFT
           | (apr_uint64_t)(turn & TURN_MASK) << TURN_SHIFT
           | (apr_uint32_t)(now / 1000);
}

/* Its process is gone. Milliseconds wrap after 49 days. */
static int is_old(apr_uint64_t word, apr_time_t now)
{
    apr_uint32_t age = (apr_uint32_t)(now / 1000) - (apr_uint32_t)word;

    return age > KEPT_MS && age < 0x80000000u;
}

/* Contents --------------------------------------------------------------- */

static apr_uint64_t seal_of(apr_uint32_t turn, const void *bytes,
                            apr_size_t len)
{
    static const lbs_hash_key_t key; /* against accidents only */

    return lbs_hash_two(&key, &turn, sizeof(turn), bytes, len);
}

static void store(lbs_atomic64_t *to, const void *from, apr_size_t words)
{
    const char *at = from;
    apr_uint64_t word;

    for (; words > 0; words--, to++, at += sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        lbs_atomic_store64_relaxed(to, word);
    }
}

static void load(void *to, const lbs_atomic64_t *from, apr_size_t words)
{
    char *at = to;
    apr_uint64_t word;

    for (; words > 0; words--, from++, at += sizeof(word)) {
        word = lbs_atomic_load64_relaxed(from);
        memcpy(at, &word, sizeof(word));
    }
}

/* Asking ----------------------------------------------------------------- */

static int claim(lbs_wish_place_t *place, apr_uint64_t mine, apr_time_t now)
{
    apr_uint64_t seen = lbs_atomic_load64_acquire(&place->word);

    return (step_of(seen) == STEP_FREE || is_old(seen, now))
           && lbs_atomic_cas64(&place->word, &seen, mine);
}

int lbs_wish_put(lbs_wish_ring_t *ring, const lbs_wish_t *wish, apr_time_t now,
                 lbs_wish_ticket_t *ticket)
{
    apr_uint32_t turn =
        (apr_uint32_t)(lbs_atomic_add64_relaxed(&ring->turns, 1) & TURN_MASK);
    apr_uint64_t mine = word_of(STEP_WRITTEN, turn, now);
    apr_uint64_t asked = word_of(STEP_ASKED, turn, now);
    lbs_wish_place_t *place;
    apr_uint32_t i = 0;

    while (i < LBS_WISH_PLACES && !claim(&ring->place[i], mine, now)) {
        i++;
    }
    if (i == LBS_WISH_PLACES) {
        return 0;
    }
    place = &ring->place[i];
    store(place->wish, wish, LBS_WISH_WORDS);
    lbs_atomic_store64_relaxed(&place->seal,
                               seal_of(turn, wish, sizeof(*wish)));
    *ticket = (lbs_wish_ticket_t){.place = i, .word = asked};
    return lbs_atomic_cas64(&place->word, &mine, asked);
}

lbs_wish_state_t lbs_wish_look(lbs_wish_ring_t *ring,
                               const lbs_wish_ticket_t *ticket,
                               lbs_wish_answer_t *answer)
{
    lbs_wish_place_t *place = &ring->place[ticket->place];
    apr_uint64_t seen = lbs_atomic_load64_acquire(&place->word);
    apr_uint32_t turn = turn_of(ticket->word);
    lbs_wish_answer_t read;
    apr_uint64_t seal;

    if (turn_of(seen) != turn || step_of(seen) == STEP_FREE) {
        return LBS_WISH_LOST;
    }
    if (step_of(seen) != STEP_ANSWERED) {
        return LBS_WISH_WAITS;
    }
    load(&read, place->answer, LBS_WISH_ANSWER_WORDS);
    seal = lbs_atomic_load64_relaxed(&place->answer_seal);
    if (!lbs_atomic_cas64(&place->word, &seen, word_of(STEP_FREE, turn, 0))
        || seal != seal_of(turn, &read, sizeof(read))) {
        return LBS_WISH_LOST;
    }
    *answer = read;
    answer->text[sizeof(answer->text) - 1] = '\0';
    return LBS_WISH_ANSWERED;
}

int lbs_wish_withdraw(lbs_wish_ring_t *ring, const lbs_wish_ticket_t *ticket)
{
    apr_uint64_t seen = ticket->word;

    return lbs_atomic_cas64(&ring->place[ticket->place].word, &seen,
                            word_of(STEP_FREE, turn_of(seen), 0));
}

/* Answering -------------------------------------------------------------- */

/* @return the place of the oldest wish; LBS_WISH_PLACES: there is none */
static apr_uint32_t oldest(const lbs_wish_ring_t *ring, apr_time_t now)
{
    apr_uint32_t i, found = LBS_WISH_PLACES, turn = 0;

    for (i = 0; i < LBS_WISH_PLACES; i++) {
        apr_uint64_t word = lbs_atomic_load64_acquire(&ring->place[i].word);

        /* Turns wrap, so the difference counts. */
        if (step_of(word) == STEP_ASKED && !is_old(word, now)
            && (found == LBS_WISH_PLACES
                || ((turn_of(word) - turn) & TURN_MASK) > TURN_MASK / 2)) {
            found = i;
            turn = turn_of(word);
        }
    }
    return found;
}

/* @return 1: wish and ticket are written; 0: the place is free or another's */
static int take(lbs_wish_ring_t *ring, apr_uint32_t i, apr_time_t now,
                lbs_wish_t *wish, lbs_wish_ticket_t *ticket)
{
    lbs_wish_place_t *place = &ring->place[i];
    apr_uint64_t seen = lbs_atomic_load64_acquire(&place->word);
    apr_uint32_t turn = turn_of(seen);
    apr_uint64_t taken = word_of(STEP_TAKEN, turn, now);

    if (step_of(seen) != STEP_ASKED
        || !lbs_atomic_cas64(&place->word, &seen, taken)) {
        return 0;
    }
    load(wish, place->wish, LBS_WISH_WORDS);
    if (lbs_atomic_load64_relaxed(&place->seal)
        != seal_of(turn, wish, sizeof(*wish))) {
        (void)lbs_atomic_cas64(&place->word, &taken,
                               word_of(STEP_FREE, turn, 0));
        return 0;
    }
    wish->url[sizeof(wish->url) - 1] = '\0';
    wish->reason[sizeof(wish->reason) - 1] = '\0';
    *ticket = (lbs_wish_ticket_t){.place = i, .word = taken};
    return 1;
}

int lbs_wish_take(lbs_wish_ring_t *ring, apr_time_t now, lbs_wish_t *wish,
                  lbs_wish_ticket_t *ticket)
{
    int tries;

    /* Each try takes one, or finds one that is spoilt or withdrawn. */
    for (tries = 0; tries < LBS_WISH_PLACES; tries++) {
        apr_uint32_t i = oldest(ring, now);

        if (i == LBS_WISH_PLACES) {
            return 0;
        }
        if (take(ring, i, now, wish, ticket)) {
            return 1;
        }
    }
    return 0;
}

void lbs_wish_answer(lbs_wish_ring_t *ring, const lbs_wish_ticket_t *ticket,
                     const lbs_wish_answer_t *answer, apr_time_t now)
{
    lbs_wish_place_t *place = &ring->place[ticket->place];
    apr_uint64_t seen = ticket->word;
    apr_uint32_t turn = turn_of(seen);

    if (lbs_atomic_load64_acquire(&place->word) != seen) {
        return;
    }
    store(place->answer, answer, LBS_WISH_ANSWER_WORDS);
    lbs_atomic_store64_relaxed(&place->answer_seal,
                               seal_of(turn, answer, sizeof(*answer)));
    (void)lbs_atomic_cas64(&place->word, &seen,
                           word_of(STEP_ANSWERED, turn, now));
}
