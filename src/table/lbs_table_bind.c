/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_table_bind.c - inserts, in a table without a lock.
 *
 * The danger is two processes that both find a key missing and both insert
 * it, in two of its sixteen words. So an insert takes three steps:
 *
 *     1. swap a free word, or a victim, for a tentative one
 *     2. look at the key's other fifteen words
 *     3. swap the tentative word for a valid one
 *
 * In step 2 a valid twin makes the insert withdraw. Of two tentative twins the
 * one in the lower word goes on, after it has cleared the other; the other
 * withdraws, or finds its step 3 refused. A process that withdrew starts again
 * and finds the entry.
 *
 * Why there is never a second entry: say A and B both get through step 3.
 * Their steps 1 and reads in step 2 are sequentially consistent, so one of
 * them, say A, did step 1 before the other's step 2 read A's word: B saw it. B
 * then withdrew, or saw it valid and withdrew, or cleared it, and then A's
 * step 3 failed, because no two tentative words are the same and no process
 * can have put an equal one back. All three contradict. Any process may clear
 * any tentative word at any time: that costs the word's owner another try,
 * nothing else. So a word left behind by a dead process is simply cleared, and
 * no process ever waits for another.
 */
#include "src/table/lbs_table.h"

#include "src/table/lbs_table_int.h"

/* Each failed try means that another process made progress with the same
 * sixteen words. After PATIENCE tries, twins that were not yet old are taken
 * for dead, wherever they are. */
#define TRIES 16
#define PATIENCE 4

/* Ranks of victims: the lowest goes. Between two live ones of a kind the one
 * with the fewer units left, that is the one idle for longest (in proportion
 * to its pool's idle time, to within a factor of two). */
#define RANK_NOBODY 0
#define RANK_EXPIRED 1
#define RANK_ONCE 2
#define RANK_AGAIN 0x8000
#define RANK_LONG 0x10000
#define RANK_NEVER 0x20000

/* Where a full table looks for a lesser victim than the key's own buckets
 * have: so many buckets behind them. */
#define FURTHER 8

typedef struct wish_t {
    int claim;            /* only if it has no owner now */
    apr_uint32_t slot;    /* slot it shall have */
    apr_uint64_t quantum; /* of that slot, when load was made */
    apr_uint64_t load;    /* slot, expiry and seen of a new entry */
    apr_time_t now;
    apr_interval_time_t idle;
} wish_t;

/* The first free word of the emptier bucket. @return -1: both are full */
static int free_word(const lbs_place_t *place)
{
    int free[2] = {0, 0};
    int first[2] = {-1, -1};
    int line;
    int i;

    for (line = 0; line < 2; line++) {
        LBS_UNROLL
        for (i = LBS_LINE - 1; i >= 0; i--) {
            if (lbs_atomic_load64_relaxed(&place->line[line][i]) == 0) {
                first[line] = line * LBS_LINE + i;
                free[line]++;
            }
        }
    }
    return first[free[1] > free[0]];
}

static int rank_of(const lbs_table_t *table, apr_uint64_t word, apr_time_t now)
{
    static const int rank[] = {RANK_ONCE, RANK_AGAIN, RANK_AGAIN, RANK_LONG};
    lbs_life_t life;

    if ((word & LBS_WORD_VALID) == 0) {
        return word == 0 || lbs_word_orphan(word, now) ? RANK_NOBODY
                                                       : RANK_NEVER;
    }
    if (lbs_word_left(table, word, now, &life) != LBS_WORD_LIVE) {
        return RANK_EXPIRED;
    }
    return life.left + rank[lbs_word_seen(word)];
}

/* Claim a place for one more session. @return 0: the table is full */
static int take_place(const lbs_table_t *table)
{
    lbs_atomic64_t *live = &table->head->live;

    /* Below zero when a process died before it counted. */
    if ((apr_int64_t)lbs_atomic_add64_relaxed(live, 1)
        < (apr_int64_t)table->sessions) {
        return 1;
    }
    lbs_atomic_sub64_relaxed(live, 1);
    return 0;
}

/* Give back the place of an insert that came to nothing. */
static apr_status_t no_insert(const lbs_table_t *table, int placed)
{
    if (placed) {
        lbs_atomic_sub64_relaxed(&table->head->live, 1);
    }
    return APR_EAGAIN;
}

/* The victim of an insert. */
typedef struct victim_t {
    int at;            /* which of the key's sixteen words; -1: none */
    int rank;          /* RANK_NEVER: none */
    apr_uint64_t word; /* what is there */
} victim_t;

/* The lowest ranking of the key's sixteen words; of valid ones only where the
 * caller needs the place of one. @return 0: the key is bound by now */
static int choose_victim(const lbs_table_t *table, const lbs_place_t *place,
                         apr_time_t now, int placed, victim_t *victim)
{
    int i;

    victim->at = -1;
    victim->rank = RANK_NEVER;
    for (i = 0; i < LBS_PAIR; i++) {
        apr_uint64_t here =
            lbs_atomic_load64_acquire(lbs_place_word(place, i));
        int rank = rank_of(table, here, now);

        /* A word that has just been bound to the same key must not be the
         * victim. */
        if (lbs_place_holds(place, i, here)) {
            return 0;
        }
        if (rank < victim->rank && (placed || (here & LBS_WORD_VALID) != 0)) {
            victim->at = i;
            victim->rank = rank;
            victim->word = here;
        }
    }
    return 1;
}

/* Count a valid word that gave way to another's insert. */
static void evicted(const lbs_table_t *table, apr_uint64_t word,
                    apr_time_t now)
{
    lbs_table_head_t *head = table->head;
    lbs_atomic64_t *counter = &head->expired;
    int rank = rank_of(table, word, now);

    if (rank >= RANK_AGAIN) {
        counter = &head->evicted_seen;
    }
    else if (rank >= RANK_ONCE) {
        counter = &head->evicted_unseen;
    }
    lbs_atomic_add64_relaxed(counter, 1);
}

/* The lowest rank of a kind. */
static int kind_of(int rank)
{
    if (rank >= RANK_LONG) {
        return rank == RANK_NEVER ? RANK_NEVER : RANK_LONG;
    }
    return rank >= RANK_AGAIN ? RANK_AGAIN : RANK_ONCE;
}

/* Evict a session that ranks below `rank` from a bucket. @return 0: there is
 * none */
static int evict_from(const lbs_table_t *table, lbs_atomic64_t *line,
                      apr_time_t now, int below)
{
    int i;

    for (i = 0; i < LBS_LINE; i++) {
        apr_uint64_t word = lbs_atomic_load64_acquire(&line[i]);

        if ((word & LBS_WORD_VALID) != 0 && rank_of(table, word, now) < below
            && lbs_table_drop_word(table, &line[i], word)) {
            evicted(table, word, now);
            return 1;
        }
    }
    return 0;
}

/* A full table has free words, and a lesser victim than the best of a key's
 * own buckets may stand near by. It goes, and its place is the caller's. Not
 * from the key's own: there the key may just have been bound.
 * @param rank  of the best victim. @return 0: there is no lesser one */
static int evict_near(const lbs_table_t *table, const lbs_place_t *place,
                      apr_time_t now, int rank)
{
    apr_uint64_t first =
        (apr_uint64_t)(place->line[0] - table->words) / LBS_LINE;
    apr_uint64_t n;

    for (n = 1; n <= FURTHER; n++) {
        lbs_atomic64_t *line =
            table->words + (first + n) % table->buckets * LBS_LINE;

        if (line != place->line[0] && line != place->line[1]
            && evict_from(table, line, now, kind_of(rank))) {
            return take_place(table);
        }
    }
    return 0;
}

/* The word to put a new entry in, and what is there now. placed: the caller
 * has a place; out: and still has. @return 0: the key is bound by now, or
 * others are inserting into all of them */
static int choose(const lbs_table_t *table, const lbs_place_t *place,
                  apr_time_t now, int *placed, victim_t *victim)
{
    int free = free_word(place);

    if (!*placed || free < 0) {
        if (!choose_victim(table, place, now, *placed, victim)) {
            return 0;
        }
        if (*placed || free < 0 || victim->rank < RANK_ONCE) {
            return victim->at >= 0;
        }
        *placed = evict_near(table, place, now, victim->rank);
        if (!*placed && victim->at >= 0) {
            return 1;
        }
        /* No place is left near by: processes that died have taken places with
         * them, until the next sweep. */
        if (!*placed) {
            lbs_atomic_add64_relaxed(&table->head->live, 1);
            *placed = 1;
        }
    }
    victim->at = free;
    victim->word = 0;
    return 1;
}

/* A twin: may we go on? word: what was read there. */
static int yields(const lbs_place_t *place, int mine, int i, apr_uint64_t word,
                  const wish_t *wish, int patient)
{
    apr_uint64_t want = lbs_place_want(place, i);

    while (((word ^ want) & (LBS_WORD_TAG | LBS_WORD_ALT)) == 0 && word != 0) {
        if ((word & LBS_WORD_VALID) != 0
            || (i < mine && patient && !lbs_word_orphan(word, wish->now))) {
            return 0;
        }
        /* Ends: a word is cleared, or its owner made progress. */
        if (lbs_atomic_cas64_total(lbs_place_word(place, i), &word, 0)) {
            return 1;
        }
    }
    return 1;
}

/* Step 2: is none of the key's other words in the way? */
static int alone(const lbs_place_t *place, int mine, const wish_t *wish,
                 int patient)
{
    int line;
    int i;

    for (line = 0; line < 2; line++) {
        apr_uint64_t want = place->tag | (line != 0 ? LBS_WORD_ALT : 0);

        LBS_UNROLL
        for (i = 0; i < LBS_LINE; i++) {
            int at = line * LBS_LINE + i;
            apr_uint64_t word = lbs_atomic_load64_total(&place->line[line][i]);

            if (((word ^ want) & (LBS_WORD_TAG | LBS_WORD_ALT)) == 0
                && at != mine
                && !yields(place, mine, at, word, wish, patient)) {
                return 0;
            }
        }
    }
    return 1;
}

/* After an entry was written: if the slot's quantum changed since its expiry
 * was worked out, the conversion may have passed the word before it was there,
 * and the word is a stray. A lost swap means that another process gave it an
 * expiry of its own, or that the session has ended or moved since. */
static void confirm(const lbs_table_t *table, lbs_atomic64_t *at,
                    apr_uint64_t word, const wish_t *wish)
{
    apr_uint64_t quantum = lbs_slot_quantum(table, wish->slot);
    int shift = lbs_quantum_shift(quantum);

    if (quantum != wish->quantum && shift >= 0) {
        apr_uint32_t expiry = lbs_expiry_at(wish->now, wish->idle, shift)
                              | lbs_quantum_turn(quantum);

        if (lbs_atomic_cas64_total(at, &word,
                                   (word & ~LBS_WORD_EXPIRY)
                                       | lbs_word_load(0, expiry, 0))) {
            lbs_table_mark(table, at);
        }
    }
}

/* Step 1: swap what is in a word for a tentative one. A valid victim's place
 * is taken with it. @return 0: it had changed */
static int displace(const lbs_table_t *table, lbs_atomic64_t *at,
                    apr_uint64_t victim, apr_uint64_t mine, apr_time_t now,
                    int *placed)
{
    if (!lbs_atomic_cas64_total(at, &victim, mine)) {
        return 0;
    }
    if ((victim & LBS_WORD_VALID) != 0) {
        lbs_table_mark(table, at);
        evicted(table, victim, now);
        lbs_atomic_sub64_relaxed(
            &table->slots->sessions[lbs_word_slot(victim)], 1);
        if (*placed) {
            lbs_atomic_sub64_relaxed(&table->head->live, 1);
        }
        *placed = 1;
    }
    return 1;
}

/* Steps 1 to 3. @return APR_EAGAIN: another process changed the words */
static apr_status_t insert(const lbs_table_t *table, const lbs_place_t *place,
                           const wish_t *wish, int patient)
{
    apr_uint64_t ticket = lbs_atomic_add64_relaxed(&table->head->changes, 1);
    int placed = take_place(table);
    victim_t victim = {0};
    apr_uint64_t mine;
    apr_uint64_t valid;
    lbs_atomic64_t *at;
    int i;

    if (!choose(table, place, wish->now, &placed, &victim)) {
        return no_insert(table, placed);
    }
    i = victim.at;
    at = lbs_place_word(place, i);
    mine = lbs_word_tentative(lbs_place_want(place, i), wish->now, ticket);
    valid = lbs_place_want(place, i) | wish->load | LBS_WORD_VALID;
    if (!displace(table, at, victim.word, mine, wish->now, &placed)) {
        return no_insert(table, placed);
    }
    if (!alone(place, i, wish, patient)) {
        /* If this fails, another process has cleared the word already. */
        (void)lbs_atomic_cas64(at, &mine, 0);
        return no_insert(table, placed);
    }
    if (!lbs_atomic_cas64_total(at, &mine, valid)) {
        return no_insert(table, placed);
    }
    lbs_table_mark(table, at);
    lbs_atomic_add64_relaxed(&table->slots->sessions[wish->slot], 1);
    confirm(table, at, valid, wish);
    return APR_SUCCESS;
}

/* Count a session that went from the slot of one word to that of another. */
static void recount(const lbs_table_t *table, apr_uint64_t from,
                    apr_uint64_t to)
{
    lbs_atomic64_t *sessions = table->slots->sessions;

    if (lbs_word_slot(from) != lbs_word_slot(to)) {
        lbs_atomic_add64_relaxed(&sessions[lbs_word_slot(to)], 1);
        lbs_atomic_sub64_relaxed(&sessions[lbs_word_slot(from)], 1);
    }
}

/* Give the valid word of a key to the wished slot. was: the owner until now.
 * Where that slot has it already this is a renewal and costs no more.
 * @return as bind_in(), APR_EAGAIN: the word changed meanwhile */
static apr_status_t take_over(const lbs_table_t *table, lbs_atomic64_t *at,
                              apr_uint64_t word, const wish_t *wish,
                              lbs_table_hit_t *was)
{
    apr_uint64_t next = (word & ~LBS_WORD_LOAD) | wish->load;
    lbs_word_state_t state = lbs_word_read(table, word, wish->now, was);

    if (state == LBS_WORD_LIVE) {
        if (wish->claim) {
            return APR_EEXIST;
        }
        next = (next & ~LBS_WORD_SEEN)
               | lbs_word_load(0, 0,
                               lbs_word_used(word, wish->now, wish->idle,
                                             was->expires_us));
        if (next == word) {
            return APR_SUCCESS;
        }
    }
    else {
        was->slot = LBS_TABLE_NONE;
    }
    if (lbs_word_slot(next) != lbs_word_slot(word)) {
        lbs_atomic_add64_relaxed(&table->head->changes, 1);
    }
    if (!lbs_atomic_cas64_total(at, &word, next)) {
        return APR_EAGAIN;
    }
    lbs_table_mark(table, at);
    if (state == LBS_WORD_EXPIRED) {
        lbs_atomic_add64_relaxed(&table->head->expired, 1);
    }
    recount(table, word, next);
    confirm(table, at, next, wish);
    return APR_SUCCESS;
}

/* Fulfil a wish in one table of a chain. was: the live owner until now, slot
 * LBS_TABLE_NONE if none; written on APR_SUCCESS and APR_EEXIST. */
static apr_status_t bind_in(const lbs_table_t *table, apr_uint64_t key,
                            const wish_t *wish, lbs_table_hit_t *was)
{
    lbs_place_t place = lbs_place_of(table, key);
    apr_status_t rv = APR_EAGAIN;
    int try;

    __builtin_prefetch(place.line[1]);
    for (try = 0; rv == APR_EAGAIN && try < TRIES; try++) {
        apr_uint64_t word;
        int i = lbs_place_find(&place, &word);

        if (i >= 0) {
            rv = take_over(table, lbs_place_word(&place, i), word, wish, was);
        }
        else {
            was->slot = LBS_TABLE_NONE;
            rv = insert(table, &place, wish, try < PATIENCE);
        }
    }
    return rv;
}

/* Copy a session into the newest table, then take it from the older one. A
 * process that dies in between leaves the older copy, which is never looked at
 * again and expires. @return 0: it has to stay where it is */
static int move_over(const lbs_table_t *table, const lbs_table_t *older,
                     apr_uint64_t key, lbs_atomic64_t *at, apr_uint64_t word,
                     apr_time_t now)
{
    lbs_table_hit_t hit;
    wish_t wish;

    wish.claim = 1;
    wish.slot = lbs_word_slot(word);
    wish.quantum = lbs_slot_quantum(table, wish.slot);
    wish.load = word & LBS_WORD_LOAD;
    wish.now = now;
    wish.idle = 0;
    if (lbs_word_read(older, word, now, &hit) != LBS_WORD_LIVE) {
        return 0;
    }
    wish.idle = hit.expires_us - now;
    if (bind_in(table, key, &wish, &hit) == APR_EAGAIN) {
        return 0;
    }
    /* Changed meanwhile: a process of the older generation still uses the
     * copy, so it stays. */
    (void)lbs_table_drop_word(older, at, word);
    return 1;
}

/* lbs_table_settle() where there is a chain. */
static const lbs_table_t *settle(const lbs_table_t *table, apr_uint64_t key,
                                 apr_time_t now)
{
    lbs_place_t place = lbs_place_of(table, key);
    const lbs_table_t *view;
    apr_uint64_t word;

    if (lbs_place_find(&place, &word) >= 0) {
        return table;
    }
    for (view = table->older; view != NULL; view = view->older) {
        int i;

        place = lbs_place_of(view, key);
        i = lbs_place_find(&place, &word);
        if (i < 0) {
            continue;
        }
        return now >= table->move_after
                       && move_over(table, view, key,
                                    lbs_place_word(&place, i), word, now)
                   ? table
                   : view;
    }
    return table;
}

const lbs_table_t *lbs_table_settle(const lbs_table_t *table, apr_uint64_t key,
                                    apr_time_t now)
{
    return table->older == NULL ? table : settle(table, key, now);
}

static apr_status_t bind_key(lbs_table_t *table, apr_uint64_t key, int claim,
                             apr_uint32_t slot, apr_time_t now,
                             apr_interval_time_t idle, lbs_table_hit_t *was)
{
    wish_t wish;
    int shift;

    if (slot >= LBS_TABLE_SLOTS) {
        return APR_EINVAL;
    }
    wish.claim = claim;
    wish.slot = slot;
    wish.quantum = lbs_slot_quantum(table, slot);
    shift = lbs_quantum_shift(wish.quantum);
    if (shift < 0) {
        return APR_EINVAL;
    }
    wish.load = lbs_word_load(
        slot, lbs_expiry_at(now, idle, shift) | lbs_quantum_turn(wish.quantum),
        LBS_SEEN_ONCE);
    wish.now = now;
    wish.idle = idle;
    return bind_in(lbs_table_settle(table, key, now), key, &wish, was);
}

apr_status_t lbs_table_bind(lbs_table_t *table, apr_uint64_t key,
                            apr_uint32_t slot, apr_time_t now,
                            apr_interval_time_t idle_us, lbs_table_hit_t *old)
{
    lbs_table_hit_t was = {LBS_TABLE_NONE, 0, 0};
    apr_status_t rv = bind_key(table, key, 0, slot, now, idle_us, &was);

    if (rv == APR_SUCCESS && old != NULL) {
        *old = was;
    }
    return rv;
}

apr_status_t lbs_table_claim(lbs_table_t *table, apr_uint64_t key,
                             apr_uint32_t slot, apr_time_t now,
                             apr_interval_time_t idle_us, lbs_table_hit_t *hit)
{
    lbs_table_hit_t was;
    apr_status_t rv = bind_key(table, key, 1, slot, now, idle_us, &was);

    if (rv == APR_EEXIST) {
        *hit = was;
    }
    return rv;
}
