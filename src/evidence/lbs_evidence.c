/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_evidence.c - see lbs_evidence.h.
 *
 *     visitor  when last, in eighths of the window 24 | who 40; 0: free
 *     others   5xx 32 | answers 32, of the latest eighth, of two, and so on
 *     charge   when last, ms 47 | over 1 | charges in a row 16; 0: never
 *
 * Visitors are kept one by one, because an estimate of "five" would be wrong
 * in one of five cases. Two processes that note the same visitor at once may
 * use two places; equal places are counted once.
 */
#include "src/evidence/lbs_evidence.h"

#define WHO_BITS 40
#define WHO_OF(word) ((word) & ((APR_UINT64_C(1) << WHO_BITS) - 1))
#define EPOCH_OF(word) ((apr_uint32_t)((word) >> WHO_BITS))

#define ROW_MAX 0xffffu
#define ROW_OF(word) ((apr_uint32_t)(word)&ROW_MAX)
#define OVER (APR_UINT64_C(1) << 16)
#define AT_SHIFT 17
#define ROW_LASTS 60000 /* ms; a charge later than that begins a new row */

void lbs_evidence_answer(lbs_evidence_t *evidence, apr_int64_t window_us,
                         int error, apr_uint64_t now)
{
    lbs_window_add(&evidence->answers, window_us, error != 0, now);
}

/* The visitor's own place; else a free place or one outside the window; else
 * the place used longest ago. */
static lbs_atomic64_t *place_for(lbs_evidence_t *evidence, apr_uint64_t who,
                                 apr_uint32_t epoch)
{
    lbs_atomic64_t *best = &evidence->visitors[0];
    apr_uint32_t oldest = 0;
    int i;

    for (i = 0; i < LBS_EVIDENCE_PLACES; i++) {
        lbs_atomic64_t *at = &evidence->visitors[i];
        apr_uint64_t word = lbs_atomic_load64_relaxed(at);
        apr_uint32_t age =
            word == 0 ? APR_UINT32_MAX : lbs_window_age(EPOCH_OF(word), epoch);

        if (word != 0 && WHO_OF(word) == who) {
            return at;
        }
        if (age > oldest) {
            oldest = age;
            best = at;
        }
    }
    return best;
}

void lbs_evidence_visitor(lbs_evidence_t *evidence, apr_int64_t window_us,
                          apr_uint64_t visitor, apr_uint64_t now)
{
    apr_uint32_t epoch = lbs_window_epoch(window_us, now);
    apr_uint64_t who = WHO_OF(visitor ^ visitor >> 24) | 1;

    lbs_atomic_store64_relaxed(place_for(evidence, who, epoch),
                               (apr_uint64_t)epoch << WHO_BITS | who);
    lbs_crowd_add(&evidence->met, window_us, visitor, now);
    lbs_crowd_add(&evidence->hit, window_us, visitor, now);
}

static int is_known(const apr_uint64_t *known, apr_uint32_t count,
                    apr_uint64_t who)
{
    apr_uint32_t i;

    for (i = 0; i < count && known[i] != who; i++) {
    }
    return i < count;
}

/* @param parts  eighths, that many of the latest are looked at */
static apr_uint32_t count_visitors(const lbs_evidence_t *evidence,
                                   apr_int64_t window_us, apr_uint32_t parts,
                                   apr_uint64_t now)
{
    apr_uint32_t epoch = lbs_window_epoch(window_us, now);
    apr_uint64_t known[LBS_EVIDENCE_PLACES];
    apr_uint32_t count = 0;
    int i;

    for (i = 0; i < LBS_EVIDENCE_PLACES; i++) {
        apr_uint64_t word = lbs_atomic_load64_relaxed(&evidence->visitors[i]);

        if (word != 0 && lbs_window_age(EPOCH_OF(word), epoch) < parts
            && !is_known(known, count, WHO_OF(word))) {
            known[count++] = WHO_OF(word);
        }
    }
    return count;
}

lbs_window_sum_t lbs_evidence_sum(const lbs_evidence_t *evidence,
                                  apr_int64_t window_us, apr_uint64_t now)
{
    return lbs_window_sum(&evidence->answers, window_us, now);
}

void lbs_evidence_parts(const lbs_evidence_t *evidence, apr_int64_t window_us,
                        apr_uint64_t now, lbs_window_sum_t *parts)
{
    lbs_window_parts(&evidence->answers, window_us, now, parts);
}

void lbs_evidence_others(lbs_evidence_t *evidence,
                         const lbs_window_sum_t *parts)
{
    int i;

    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        apr_uint64_t word = (apr_uint64_t)parts[i].bad << 32 | parts[i].all;

        if (lbs_atomic_load64_relaxed(&evidence->others[i]) != word) {
            lbs_atomic_store64_relaxed(&evidence->others[i], word);
        }
    }
}

static lbs_window_sum_t others_of(const lbs_evidence_t *evidence,
                                  apr_uint32_t part)
{
    apr_uint64_t word = lbs_atomic_load64_relaxed(&evidence->others[part]);
    lbs_window_sum_t others = {(apr_uint32_t)word, (apr_uint32_t)(word >> 32)};

    return others;
}

static apr_uint32_t permille_of(lbs_window_sum_t sum)
{
    return sum.all == 0
               ? 0
               : (apr_uint32_t)((apr_uint64_t)sum.bad * 1000 / sum.all);
}

/* Enough visitors, or enough 5xx in a row: one of the two is enough. */
static apr_uint32_t count_witnesses(const lbs_evidence_t *evidence,
                                    apr_int64_t window_us, apr_uint64_t now)
{
    apr_uint32_t visitors =
        count_visitors(evidence, window_us, LBS_WINDOW_CELLS, now);
    apr_uint32_t row = ROW_OF(lbs_atomic_load64_relaxed(&evidence->charge));
    apr_uint32_t most = visitors > row ? visitors : row;

    return most < LBS_EVIDENCE_VISITORS ? most : LBS_EVIDENCE_VISITORS;
}

apr_uint32_t lbs_evidence_blame(const lbs_evidence_t *evidence,
                                apr_int64_t window_us, apr_uint64_t now)
{
    lbs_window_sum_t mine[LBS_WINDOW_CELLS];
    apr_uint32_t above = 0;
    apr_uint32_t i;

    lbs_evidence_parts(evidence, window_us, now, mine);
    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        lbs_window_sum_t others = others_of(evidence, i);
        apr_uint32_t share = permille_of(mine[i]);

        if ((mine[i].all >= LBS_EVIDENCE_VISITORS || i + 1 == LBS_WINDOW_CELLS)
            && others.all != 0 && share > permille_of(others) + above) {
            above = share - permille_of(others);
        }
    }
    return above * count_witnesses(evidence, window_us, now)
           / LBS_EVIDENCE_VISITORS;
}

static int is_well(lbs_window_sum_t others)
{
    return others.all != 0
           && (apr_uint64_t)others.bad * LBS_EVIDENCE_WELL <= others.all;
}

int lbs_evidence_others_well(const lbs_evidence_t *evidence)
{
    return is_well(others_of(evidence, LBS_WINDOW_CELLS - 1));
}

int lbs_evidence_others_clear(const lbs_evidence_t *evidence)
{
    lbs_window_sum_t others = others_of(evidence, LBS_WINDOW_CELLS - 1);

    return others.all >= LBS_EVIDENCE_OTHERS && is_well(others);
}

/* Were half of the visitors hit? */
static int is_general(const lbs_evidence_t *evidence, apr_int64_t window_us,
                      apr_uint64_t now)
{
    return 2 * lbs_crowd_count(&evidence->hit, window_us, now)
           >= lbs_crowd_count(&evidence->met, window_us, now);
}

int lbs_evidence_convicts(const lbs_evidence_t *evidence,
                          apr_int64_t window_us, apr_uint64_t now)
{
    lbs_window_sum_t mine[LBS_WINDOW_CELLS];
    apr_uint32_t i;

    lbs_evidence_parts(evidence, window_us, now, mine);
    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        lbs_window_sum_t others = others_of(evidence, i);
        apr_uint32_t most = i + 1 < LBS_WINDOW_CELLS ? LBS_EVIDENCE_MOST : 2;

        if (mine[i].bad >= LBS_EVIDENCE_ERRORS
            && (apr_uint64_t)(mine[i].all - mine[i].bad) * most <= mine[i].all
            && others.all >= LBS_EVIDENCE_OTHERS && is_well(others)
            && count_visitors(evidence, window_us, i + 1, now)
                   >= LBS_EVIDENCE_VISITORS) {
            return is_general(evidence, window_us, now);
        }
    }
    return 0;
}

void lbs_evidence_accuse(lbs_evidence_t *evidence, int accused)
{
    lbs_atomic_store32_relaxed(&evidence->accused, accused != 0);
}

int lbs_evidence_accused(const lbs_evidence_t *evidence)
{
    return lbs_atomic_load32_relaxed(&evidence->accused) != 0;
}

void lbs_evidence_forget(lbs_evidence_t *evidence)
{
    int i;

    lbs_window_clear(&evidence->answers);
    lbs_crowd_clear(&evidence->met);
    lbs_crowd_clear(&evidence->hit);
    for (i = 0; i < LBS_EVIDENCE_PLACES; i++) {
        lbs_atomic_store64_relaxed(&evidence->visitors[i], 0);
    }
}

/* Charges ----------------------------------------------------------------- */

int lbs_evidence_is_recent(const lbs_evidence_t *evidence, apr_uint64_t began)
{
    return began >= lbs_atomic_load64_relaxed(&evidence->anew_at);
}

void lbs_evidence_charged(lbs_evidence_t *evidence, apr_uint64_t began,
                          apr_uint64_t now)
{
    apr_uint64_t seen = lbs_atomic_load64_relaxed(&evidence->charge);
    apr_uint64_t now_ms = now / 1000;
    apr_uint64_t at = seen >> AT_SHIFT;
    apr_uint32_t row = ROW_OF(seen);

    if (row == 0 || now_ms > at + ROW_LASTS) {
        row = 1;
    }
    else if (began / 1000 >= at && row < ROW_MAX) {
        row++;
    }
    /* A lost race means that another process charged at the same time: one
     * charge. */
    (void)lbs_atomic_cas64(&evidence->charge, &seen, now_ms << AT_SHIFT | row);
}

void lbs_evidence_answered_well(lbs_evidence_t *evidence)
{
    apr_uint64_t seen = lbs_atomic_load64_relaxed(&evidence->charge);

    if (ROW_OF(seen) != 0) {
        (void)lbs_atomic_cas64(&evidence->charge, &seen,
                               seen & ~(apr_uint64_t)ROW_MAX);
    }
}

static apr_uint64_t lasts_ms(apr_uint32_t row)
{
    apr_uint32_t doubled = row > 1 ? row - 1 : 0;

    if (doubled > LBS_EVIDENCE_DOUBLED) {
        doubled = LBS_EVIDENCE_DOUBLED;
    }
    return (apr_uint64_t)(LBS_EVIDENCE_LASTS / 1000) << doubled;
}

int lbs_evidence_is_over(lbs_evidence_t *evidence, apr_uint64_t now)
{
    apr_uint64_t seen = lbs_atomic_load64_relaxed(&evidence->charge);

    return seen != 0 && (seen & OVER) == 0
           && now / 1000 >= (seen >> AT_SHIFT) + lasts_ms(ROW_OF(seen))
           && lbs_atomic_cas64(&evidence->charge, &seen, seen | OVER);
}

void lbs_evidence_begin_anew(lbs_evidence_t *evidence, apr_uint64_t now)
{
    lbs_evidence_forget(evidence);
    lbs_atomic_store64_relaxed(&evidence->charge, 0);
    lbs_atomic_store64_relaxed(&evidence->anew_at, now);
}
