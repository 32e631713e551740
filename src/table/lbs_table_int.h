/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_table_int.h - the shared block and its words, for src/table only.
 *
 *     block   head (two cache lines), then buckets
 *     bucket  one cache line, eight words
 *     marks   in a block of their own: one bit per word, changed since the
 *             marks were last taken, see lbs_image.h
 *     word    tag 32 | slot 13 | turn 1 | expiry 14 | seen 2 | alt 1 | valid 1
 *             63..32   31..19    18       17..4       3..2     1       0
 *
 * A key is a tag and a place. The place picks the first bucket, and
 * second = (g(tag) - first) mod buckets, so that a word's other bucket can be
 * told from the word and the bucket it is in. The number of buckets is even
 * and g odd: the two are never the same. alt is set in the second bucket.
 *
 * States of a word:
 *     free       0
 *     valid      valid = 1: a session
 *     tentative  valid = 0, seen = 3: an insert is under way. Slot and expiry
 *                hold when it began (12 bits of 1.024 ms) and a ticket (16
 *                bits), so that no two tentative words are the same and one
 *                that a dead process left is known by its age.
 * Anything else is damage and counts as a tentative word of the dead.
 *
 * expiry   the unit of the slot's clock at which the session ends, modulo
 *          2^14, compared by sign: right within 2^13 units either way
 * turn     changes with the unit of the slot's clock: a word whose turn is not
 *          its slot's has an end in a unit that is not known any more, and
 *          counts as live until the conversion, its next use or the sweep
 *          gives it one that is
 * seen     0: used once. 1, 2: used again soon; which of the two says whether
 *          that was in an even or an odd twentieth of idle, so that a use in
 *          another one shows that the visitor stays. 3: in use for some time.
 */
#ifndef LBS_TABLE_INT_H
#define LBS_TABLE_INT_H

#include "src/table/lbs_table.h"

#define LBS_LINE 8 /* words in a bucket */
#define LBS_PAIR (2 * LBS_LINE)

/* Before a loop over a bucket. clang needs no telling. */
#if defined(__GNUC__) && !defined(__clang__)
#define LBS_UNROLL _Pragma("GCC unroll 8")
#else
#define LBS_UNROLL
#endif

#define LBS_WORD_VALID APR_UINT64_C(1)
#define LBS_WORD_ALT APR_UINT64_C(2)
#define LBS_WORD_SEEN_SHIFT 2
#define LBS_WORD_SEEN APR_UINT64_C(0xc)
#define LBS_WORD_EXPIRY_SHIFT 4
#define LBS_WORD_EXPIRY APR_UINT64_C(0x7fff0) /* with the turn */
#define LBS_WORD_SLOT_SHIFT 19
#define LBS_WORD_SLOT APR_UINT64_C(0xfff80000)
#define LBS_WORD_TAG APR_UINT64_C(0xffffffff00000000)
/* What a process changes that binds or refreshes. */
#define LBS_WORD_LOAD (LBS_WORD_SLOT | LBS_WORD_EXPIRY | LBS_WORD_SEEN)

#define LBS_SEEN_ONCE 0u
#define LBS_SEEN_LONG 3u

#define LBS_EXPIRY_MASK 0x3fffu /* 14 bits */
#define LBS_EXPIRY_TURN 0x4000u /* what stands above them */
#define LBS_EXPIRY_AHEAD 0x1fff /* the furthest end that can be told */
#define LBS_SHIFT_MAX 46        /* of a quantum: 2.2 years */

/* In a slot's quantum: its words are being converted to it; their turn. */
#define LBS_QUANTUM_HOLD (APR_UINT64_C(1) << 63)
#define LBS_QUANTUM_TURN (APR_UINT64_C(1) << 62)

/* A tentative word this old (units of 1.024 ms) belongs to the dead; one from
 * up to a second in the future belongs to a process whose clock was read a
 * moment later than ours. */
#define LBS_BIRTH_SHIFT 10
#define LBS_BIRTH_MASK 0xfffu
#define LBS_BIRTH_OLD 2
#define LBS_BIRTH_FUTURE 1024

typedef struct lbs_table_head_t {
    apr_uint64_t magic;
    apr_uint32_t version;
    apr_uint32_t sessions;
    apr_uint64_t buckets;
    apr_uint64_t check; /* of the fields above */
    char pad1[32];
    lbs_atomic64_t changes; /* begun so far; the ticket of each */
    lbs_atomic64_t live;    /* valid words, and those that inserts claimed */
    lbs_atomic64_t evicted_unseen;
    lbs_atomic64_t evicted_seen;
    lbs_atomic64_t expired;
    char pad2[24];
} lbs_table_head_t;

_Static_assert(sizeof(lbs_table_head_t) == 2 * LBS_TABLE_ALIGN,
               "the counters have a line of their own");

struct lbs_table_t {
    lbs_table_head_t *head;
    lbs_atomic64_t *words;
    lbs_atomic64_t *marks; /* NULL: changes are not noted */
    lbs_table_slots_t *slots;
    apr_uint64_t buckets; /* 2 .. 2^32 - 2, even */
    apr_uint32_t sessions;
    lbs_table_t *older;
    apr_time_t move_after;
};

/* A word was changed by a swap with a place in the total order. The reader
 * takes marks before it reads the words, in the same order: either it finds
 * the mark, or it read the word as it is now. A process that dies between its
 * swap and its mark leaves a word unmarked, which the next full state file
 * has. */
static inline void lbs_table_mark(const lbs_table_t *table,
                                  const lbs_atomic64_t *at)
{
    apr_uint64_t index = (apr_uint64_t)(at - table->words);
    apr_uint64_t bit = APR_UINT64_C(1) << index % 64;
    lbs_atomic64_t *mark;

    if (table->marks == NULL) {
        return;
    }
    mark = &table->marks[index / 64];
    if ((lbs_atomic_load64_total(mark) & bit) == 0) {
        lbs_atomic_or64_total(mark, bit);
    }
}

/* Where a key may be, and what its word looks like there. */
typedef struct lbs_place_t {
    lbs_atomic64_t *line[2];
    apr_uint64_t tag; /* in place */
} lbs_place_t;

/* What a valid word says at a given time. */
typedef enum lbs_word_state_t {
    LBS_WORD_DEAD,    /* its slot is not in use */
    LBS_WORD_EXPIRED, /* its time is over */
    LBS_WORD_LIVE
} lbs_word_state_t;

static inline apr_uint32_t lbs_word_slot(apr_uint64_t word)
{
    return (apr_uint32_t)(word >> LBS_WORD_SLOT_SHIFT) & 0x1fffu;
}

static inline apr_uint32_t lbs_word_expiry(apr_uint64_t word)
{
    return (apr_uint32_t)(word >> LBS_WORD_EXPIRY_SHIFT) & LBS_EXPIRY_MASK;
}

/* @return LBS_EXPIRY_TURN or 0 */
static inline apr_uint32_t lbs_word_turn(apr_uint64_t word)
{
    return (apr_uint32_t)(word >> LBS_WORD_EXPIRY_SHIFT) & LBS_EXPIRY_TURN;
}

static inline apr_uint32_t lbs_word_seen(apr_uint64_t word)
{
    return (apr_uint32_t)(word >> LBS_WORD_SEEN_SHIFT) & 3u;
}

static inline apr_uint64_t lbs_word_load(apr_uint32_t slot,
                                         apr_uint32_t expiry,
                                         apr_uint32_t seen)
{
    return (apr_uint64_t)slot << LBS_WORD_SLOT_SHIFT
           | (apr_uint64_t)(expiry & (LBS_EXPIRY_TURN | LBS_EXPIRY_MASK))
                 << LBS_WORD_EXPIRY_SHIFT
           | (apr_uint64_t)seen << LBS_WORD_SEEN_SHIFT;
}

/* The second bucket of a tag from the first, and the first from the second. */
static inline apr_uint64_t lbs_other_bucket(const lbs_table_t *table,
                                            apr_uint64_t tag,
                                            apr_uint64_t bucket)
{
    apr_uint64_t sum = ((tag * table->buckets) >> 32) | 1;

    return sum >= bucket ? sum - bucket : sum + table->buckets - bucket;
}

static inline lbs_place_t lbs_place_of(const lbs_table_t *table,
                                       apr_uint64_t key)
{
    apr_uint64_t tag = key >> 32;
    apr_uint64_t first = ((key & 0xffffffffu) * table->buckets) >> 32;
    apr_uint64_t second = lbs_other_bucket(table, tag, first);
    lbs_place_t place;

    place.line[0] = table->words + first * LBS_LINE;
    place.line[1] = table->words + second * LBS_LINE;
    place.tag = key & LBS_WORD_TAG;
    return place;
}

/* The i-th of the sixteen words where a key may be. All processes count them
 * in the same order: inserts rely on that. */
static inline lbs_atomic64_t *lbs_place_word(const lbs_place_t *place, int i)
{
    return place->line[i / LBS_LINE] + i % LBS_LINE;
}

/* Tag and alt of the place's key in its i-th word. */
static inline apr_uint64_t lbs_place_want(const lbs_place_t *place, int i)
{
    return place->tag | (i / LBS_LINE != 0 ? LBS_WORD_ALT : 0);
}

/* log2 of a slot's quantum, rounded down. @return -1: slot not in use */
static inline int lbs_quantum_shift(apr_uint64_t quantum)
{
    int shift;

    quantum &= ~(LBS_QUANTUM_HOLD | LBS_QUANTUM_TURN);
    if (quantum == 0) {
        return -1;
    }
    shift = 63 - __builtin_clzll(quantum);
    return shift < LBS_SHIFT_MAX ? shift : LBS_SHIFT_MAX;
}

/* The turn that a slot's quantum asks for, as a word's expiry has it. */
static inline apr_uint32_t lbs_quantum_turn(apr_uint64_t quantum)
{
    return (quantum & LBS_QUANTUM_TURN) != 0 ? LBS_EXPIRY_TURN : 0;
}

static inline apr_uint64_t lbs_slot_quantum(const lbs_table_t *table,
                                            apr_uint32_t slot)
{
    return lbs_atomic_load64_acquire(&table->slots->quantum_us[slot]);
}

/* Units from now to an expiry, negative when it is past. */
static inline int lbs_expiry_left(apr_uint32_t expiry, apr_time_t now,
                                  int shift)
{
    apr_uint32_t unit = (apr_uint32_t)((apr_uint64_t)now >> shift);
    apr_uint32_t left = (expiry - unit) & LBS_EXPIRY_MASK;

    return (int)(left ^ 0x2000u) - 0x2000;
}

/* The expiry of a session that shall live idle from now on: the end of the
 * unit in which it would end. */
static inline apr_uint32_t lbs_expiry_at(apr_time_t now,
                                         apr_interval_time_t idle, int shift)
{
    apr_uint64_t unit = (apr_uint64_t)now >> shift;
    apr_uint64_t end = (((apr_uint64_t)now + (apr_uint64_t)idle) >> shift) + 1;

    if (idle < 0) {
        end = unit + 1;
    }
    if (end - unit > LBS_EXPIRY_AHEAD) {
        end = unit + LBS_EXPIRY_AHEAD;
    }
    return (apr_uint32_t)end & LBS_EXPIRY_MASK;
}

/* The microsecond at which an expiry so many units from now begins. */
static inline apr_time_t lbs_expiry_time(apr_time_t now, int left, int shift)
{
    apr_uint64_t unit = ((apr_uint64_t)now >> shift) + (apr_uint64_t)left;

    return (apr_time_t)(unit << shift);
}

/* Is it an odd twentieth of idle? 1 or 2, as a word says it. */
static inline apr_uint32_t lbs_expiry_turn(apr_time_t now,
                                           apr_interval_time_t idle)
{
    apr_uint64_t part = idle < 20 ? 1 : (apr_uint64_t)idle / 20;

    return 1 + (apr_uint32_t)((apr_uint64_t)now / part & 1);
}

/* The seen field of a live word after a use at this time. A second use, how
 * ever soon, sets a session apart from those never used again. A use after a
 * pause of idle/20, or in another twentieth of idle, proves that the visitor
 * stays: it takes time, which a flood of requests does not have. */
static inline apr_uint32_t lbs_word_used(apr_uint64_t word, apr_time_t now,
                                         apr_interval_time_t idle,
                                         apr_time_t expires)
{
    apr_uint32_t seen = lbs_word_seen(word);
    apr_uint32_t turn;

    if (seen == LBS_SEEN_LONG || expires - now <= idle - idle / 20) {
        return LBS_SEEN_LONG;
    }
    turn = lbs_expiry_turn(now, idle);
    return seen == LBS_SEEN_ONCE || seen == turn ? turn : LBS_SEEN_LONG;
}

/* Has this word, which is not valid, been left behind by a dead process? */
static inline int lbs_word_orphan(apr_uint64_t word, apr_time_t now)
{
    apr_uint32_t born = (apr_uint32_t)(word >> 20) & LBS_BIRTH_MASK;
    apr_uint32_t unit = (apr_uint32_t)((apr_uint64_t)now >> LBS_BIRTH_SHIFT);
    apr_uint32_t age = (unit - born) & LBS_BIRTH_MASK;

    return lbs_word_seen(word) != 3
           || (age > LBS_BIRTH_OLD
               && age < LBS_BIRTH_MASK + 1 - LBS_BIRTH_FUTURE);
}

static inline apr_uint64_t lbs_word_tentative(apr_uint64_t want,
                                              apr_time_t now,
                                              apr_uint64_t ticket)
{
    apr_uint64_t born = (apr_uint64_t)now >> LBS_BIRTH_SHIFT;

    return want | (born & LBS_BIRTH_MASK) << 20 | (ticket & 0xffffu) << 4
           | LBS_WORD_SEEN;
}

/* The rest of a word's life, by one reading of its slot's quantum. */
typedef struct lbs_life_t {
    int left;          /* units to its end */
    int shift;         /* log2 of a unit in microseconds */
    int stray;         /* its end is in another unit, left is made up */
    int held;          /* the slot is being converted */
    apr_uint32_t turn; /* of its slot, LBS_EXPIRY_TURN or 0 */
} lbs_life_t;

/* What a valid word says now; life is untouched for a dead one. */
static inline lbs_word_state_t lbs_word_left(const lbs_table_t *table,
                                             apr_uint64_t word, apr_time_t now,
                                             lbs_life_t *life)
{
    apr_uint64_t quantum = lbs_slot_quantum(table, lbs_word_slot(word));
    int shift = lbs_quantum_shift(quantum);

    if (shift < 0) {
        return LBS_WORD_DEAD;
    }
    life->shift = shift;
    life->held = (quantum & LBS_QUANTUM_HOLD) != 0;
    life->turn = lbs_quantum_turn(quantum);
    life->stray = lbs_word_turn(word) != life->turn;
    /* Too late an end is better than a lost session. */
    life->left =
        life->stray ? 1 : lbs_expiry_left(lbs_word_expiry(word), now, shift);
    return life->left > 0 ? LBS_WORD_LIVE : LBS_WORD_EXPIRED;
}

/* A word that is not dead, in the caller's terms. */
static inline void lbs_word_tell(apr_uint64_t word, apr_time_t now,
                                 const lbs_life_t *life, lbs_table_hit_t *hit)
{
    hit->slot = lbs_word_slot(word);
    hit->seen = lbs_word_seen(word) == LBS_SEEN_LONG;
    hit->expires_us = lbs_expiry_time(now, life->left, life->shift);
}

/* What a valid word says now; hit is untouched for a dead one. */
static inline lbs_word_state_t lbs_word_read(const lbs_table_t *table,
                                             apr_uint64_t word, apr_time_t now,
                                             lbs_table_hit_t *hit)
{
    lbs_life_t life;
    lbs_word_state_t state = lbs_word_left(table, word, now, &life);

    if (state != LBS_WORD_DEAD) {
        lbs_word_tell(word, now, &life, hit);
    }
    return state;
}

/* Is this, read from the place's i-th word, the valid word of its key? */
static inline int lbs_place_holds(const lbs_place_t *place, int i,
                                  apr_uint64_t word)
{
    const apr_uint64_t mask = LBS_WORD_TAG | LBS_WORD_ALT | LBS_WORD_VALID;

    return ((word ^ (lbs_place_want(place, i) | LBS_WORD_VALID)) & mask) == 0;
}

/* Which word of a bucket is a valid one of this tag and alt. @return -1 */
static inline int lbs_line_find(const lbs_atomic64_t *line, apr_uint64_t want,
                                apr_uint64_t *word)
{
    const apr_uint64_t mask = LBS_WORD_TAG | LBS_WORD_ALT | LBS_WORD_VALID;
    int i;

    LBS_UNROLL
    for (i = 0; i < LBS_LINE; i++) {
        apr_uint64_t here = lbs_atomic_load64_acquire(&line[i]);

        if (((here ^ want) & mask) == 0) {
            *word = here;
            return i;
        }
    }
    return -1;
}

/* Which of its sixteen words holds the key, and the word. @return -1: none */
static inline int lbs_place_find(const lbs_place_t *place, apr_uint64_t *word)
{
    apr_uint64_t want = place->tag | LBS_WORD_VALID;
    int i = lbs_line_find(place->line[0], want, word);

    if (i < 0) {
        i = lbs_line_find(place->line[1], want | LBS_WORD_ALT, word);
        i = i < 0 ? i : i + LBS_LINE;
    }
    return i;
}

/* Free a valid word and uncount its session. @return 0: it had changed */
int lbs_table_drop_word(const lbs_table_t *table, lbs_atomic64_t *at,
                        apr_uint64_t word);

/* Is the session of a valid word also in another one of its table? Told from
 * what the words hold: tag and bucket. */
int lbs_table_has_twin(const lbs_table_t *table, apr_uint64_t index,
                       apr_uint64_t word);

/* The table of the chain in which to work on a key: where it is, or table
 * itself; a session that has to move over has moved on return. */
const lbs_table_t *lbs_table_settle(const lbs_table_t *table, apr_uint64_t key,
                                    apr_time_t now);

#endif
