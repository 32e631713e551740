/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_eject.c - ejection, hold and return; the ticks are in lbs_eject_tick.c.
 *
 *     streak  last failure, ms 48 | failures in a row 16
 *     pool    changes 32 | members not OPEN 32
 *
 * The pool's count is raised before a member is held and lowered after it is
 * open again. A process killed in between leaves the count too high, which
 * ejects too few members but never too many; lbs_eject_recount() corrects a
 * count that was found too high, and unchanged, at two ticks in a row. A count
 * that is too low, because a reload or a source brought ejected members back,
 * it corrects at once. A removed member is not counted any more, so nothing is
 * given back for it. Accepted:
 * if a process sleeps in just that place from one tick to the next, one member
 * more may be ejected for one hold; a lock that survives its holder would cost
 * more. proof/eject.pml has the schedules.
 *
 * The streak is lossy: after a few lost races a failure is dropped. That takes
 * as many other failures in the same instant, and those are counted.
 */
#include "src/member/lbs_eject_int.h"

#define STREAK_MAX 0xffffu
#define STREAK_OF(word) ((apr_uint32_t)(word)&STREAK_MAX)

#define RACES 16 /* lost compare-and-swaps before a failure is dropped */

/* The gauge's flags follow from the word. Two processes at once may leave the
 * older flags; the tick calls this for every member. */
void lbs_eject_sync(const lbs_eject_on_t *on)
{
    const apr_uint32_t ours = LBS_F_EJECTED | LBS_F_HALF_OPEN;
    apr_uint32_t flags = lbs_atomic_load32_relaxed(&on->gauge->flags);
    apr_uint32_t want;

    do {
        switch (PHASE_OF(lbs_atomic_load64_acquire(&on->record->hold))) {
        case OPEN:
            want = 0;
            break;
        case TRIAL:
            want = LBS_F_HALF_OPEN;
            break;
        default:
            want = LBS_F_EJECTED;
            break;
        }
        if ((flags & ours) == want) {
            return;
        }
    } while (
        !lbs_atomic_cas32(&on->gauge->flags, &flags, (flags & ~ours) | want));
}

/* The pool's count ------------------------------------------------------- */

static apr_uint64_t counted(apr_uint64_t word, apr_uint32_t count)
{
    return ((word >> 32) + 1) << 32 | count;
}

/* Count one more as ejected, unless the cap or the last member forbids. */
static int cap_take(const lbs_eject_on_t *on)
{
    apr_uint64_t seen = lbs_atomic_load64_relaxed(&on->pool->ejected);
    apr_uint64_t members = lbs_atomic_load32_relaxed(&on->pool->members);
    apr_uint32_t available = lbs_atomic_load32_relaxed(&on->pool->available);
    apr_uint64_t more;

    do {
        more = (apr_uint64_t)(apr_uint32_t)seen + 1;
        if (more * 100 > members * on->conf->cap_percent
            || more >= available) {
            return 0;
        }
    } while (!lbs_atomic_cas64(&on->pool->ejected, &seen,
                               counted(seen, (apr_uint32_t)more)));
    return 1;
}

static void cap_give(const lbs_eject_on_t *on)
{
    apr_uint64_t seen = lbs_atomic_load64_relaxed(&on->pool->ejected);

    while ((apr_uint32_t)seen != 0
           && !lbs_atomic_cas64(&on->pool->ejected, &seen,
                                counted(seen, (apr_uint32_t)seen - 1))) {
    }
}

/* Streak and window ------------------------------------------------------ */

/* @return failures in a row, this one included */
static apr_uint32_t streak_add(const lbs_eject_on_t *on, apr_uint64_t now)
{
    apr_uint64_t now_ms = now / 1000;
    apr_uint64_t window_ms = (apr_uint64_t)on->conf->window_us / 1000;
    apr_uint64_t seen = lbs_atomic_load64_relaxed(&on->record->streak);
    apr_uint32_t count = 1;
    int race;

    for (race = 0; race < RACES; race++) {
        apr_uint64_t last_ms = seen >> 16;

        count = 1;
        if (STREAK_OF(seen) != 0 && now_ms <= last_ms + window_ms) {
            count += STREAK_OF(seen);
        }
        if (count > STREAK_MAX) {
            count = STREAK_MAX;
        }
        if (lbs_atomic_cas64(&on->record->streak, &seen,
                             (now_ms << 16) | count)) {
            break;
        }
    }
    return count;
}

static int half_failed(const lbs_eject_on_t *on, apr_uint64_t now)
{
    lbs_window_sum_t sum =
        lbs_window_sum(&on->record->window, on->conf->window_us, now);

    return sum.all >= LBS_EJECT_SHARE_MIN && sum.bad >= sum.all - sum.bad;
}

static void forget(const lbs_eject_on_t *on)
{
    lbs_atomic_store64_relaxed(&on->record->streak, 0);
    lbs_window_clear(&on->record->window);
    lbs_evidence_forget(&on->record->evidence);
    lbs_evidence_accuse(&on->record->evidence, 0);
    lbs_suspect_forget(&on->record->suspect);
}

/* Turns ------------------------------------------------------------------ */

/* OPEN to HELD. */
lbs_eject_turn_t lbs_eject_hold_open(const lbs_eject_on_t *on,
                                     apr_uint64_t seen, apr_uint64_t now)
{
    apr_uint64_t since = TIME_OF(seen);
    apr_uint32_t level = LEVEL_OF(seen);

    if (now >= since + (apr_uint64_t)on->conf->hold_max_us) {
        level = 0;
    }
    if (!cap_take(on)) {
        return LBS_EJECT_CAPPED;
    }
    if (!lbs_atomic_cas64(
            &on->record->hold, &seen,
            lbs_eject_word(HELD, level,
                           now + lbs_eject_hold_us(on->conf, level)))) {
        cap_give(on);
        return LBS_EJECT_NONE;
    }
    lbs_atomic_add64_relaxed(&on->record->count, 1);
    lbs_atomic_store32_relaxed(&on->record->worst, LBS_PROBE_UNKNOWN);
    lbs_eject_sync(on);
    return LBS_EJECT_EJECTED;
}

/* HALF_OPEN or TRIAL back to HELD: counted by the pool all the time. */
lbs_eject_turn_t lbs_eject_hold_again(const lbs_eject_on_t *on,
                                      apr_uint64_t seen, apr_uint64_t now)
{
    apr_uint32_t level = LEVEL_OF(seen) + 1;

    if (!lbs_atomic_cas64(
            &on->record->hold, &seen,
            lbs_eject_word(HELD, level,
                           now + lbs_eject_hold_us(on->conf, level)))) {
        return LBS_EJECT_NONE;
    }
    lbs_atomic_add64_relaxed(&on->record->count, 1);
    lbs_atomic_store32_relaxed(&on->record->worst, LBS_PROBE_UNKNOWN);
    lbs_eject_sync(on);
    return LBS_EJECT_EJECTED;
}

/* Anything to OPEN. Old failures go first: nobody may see an open member
 * with the streak that took it out. */
int lbs_eject_reopen(const lbs_eject_on_t *on, apr_uint64_t seen,
                     apr_uint32_t level, apr_uint64_t now)
{
    forget(on);
    if (!lbs_atomic_cas64(&on->record->hold, &seen,
                          lbs_eject_word(OPEN, level, now))) {
        return 0;
    }
    lbs_eject_sync(on);
    if (PHASE_OF(seen) != OPEN
        && (lbs_gauge_flags(on->gauge) & LBS_F_REMOVED) == 0) {
        cap_give(on);
    }
    return 1;
}

static void end_doubt(const lbs_eject_on_t *on)
{
    if (lbs_atomic_load64_relaxed(&on->gauge->doubt_until) != 0) {
        lbs_atomic_store64_relaxed(&on->gauge->doubt_until, 0);
    }
}

const char *lbs_eject_reason(lbs_eject_why_t why)
{
    switch (why) {
    case LBS_EJECT_FOR_STREAK:
        return "failures in a row";
    case LBS_EJECT_FOR_SHARE:
        return "half of the requests failed";
    case LBS_EJECT_FOR_STALL:
        return "stalled while others answered";
    case LBS_EJECT_FOR_ERRORS:
        return "answers 5xx while others do not";
    default:
        return "failed when tried again";
    }
}

void lbs_eject_doubt(const lbs_eject_on_t *on, apr_uint64_t now)
{
    if (on->conf != NULL) {
        lbs_atomic_store64_relaxed(&on->gauge->doubt_until,
                                   now + LBS_EJECT_DOUBT_US);
    }
}

lbs_eject_turn_t lbs_eject_answered(const lbs_eject_on_t *on,
                                    const lbs_eject_attempt_t *attempt,
                                    apr_uint64_t now)
{
    apr_uint64_t seen;

    end_doubt(on);
    if (on->conf == NULL) {
        return LBS_EJECT_NONE;
    }
    if (lbs_atomic_load64_relaxed(&on->record->streak) != 0) {
        lbs_atomic_store64_relaxed(&on->record->streak, 0);
    }
    lbs_window_add(&on->record->window, on->conf->window_us, 0, now);
    seen = lbs_atomic_load64_acquire(&on->record->hold);
    if (PHASE_OF(seen) != TRIAL || !attempt->trial) {
        return LBS_EJECT_NONE;
    }
    return lbs_eject_reopen(on, seen, LEVEL_OF(seen) + 1, now)
               ? LBS_EJECT_UP
               : LBS_EJECT_NONE;
}

lbs_eject_turn_t lbs_eject_erred(const lbs_eject_on_t *on,
                                 const lbs_eject_attempt_t *attempt,
                                 apr_uint64_t now, lbs_eject_why_t *why)
{
    lbs_evidence_t *evidence = &on->record->evidence;
    apr_uint64_t seen;

    if (on->conf == NULL || !on->conf->errors || !attempt->trial) {
        return LBS_EJECT_NONE;
    }
    seen = lbs_atomic_load64_acquire(&on->record->hold);
    if (PHASE_OF(seen) != TRIAL || !lbs_evidence_accused(evidence)
        || !lbs_evidence_others_well(evidence)) {
        return LBS_EJECT_NONE;
    }
    *why = LBS_EJECT_FOR_PROBE;
    return lbs_eject_hold_again(on, seen, now);
}

/* With the help of probes in a moment; or by its visitors alone in a while. */
static int is_convicted(const lbs_eject_on_t *on, apr_uint64_t now)
{
    const lbs_evidence_t *evidence = &on->record->evidence;
    const lbs_suspect_t *suspect = &on->record->suspect;
    apr_int64_t window = on->conf->window_us;

    if (lbs_suspect_is_proven(suspect, window, now)
        && lbs_evidence_others_clear(evidence)) {
        return 1;
    }
    return lbs_evidence_convicts(evidence, window, now);
}

lbs_eject_turn_t lbs_eject_judge(const lbs_eject_on_t *on, apr_uint64_t now,
                                 lbs_eject_why_t *why)
{
    lbs_evidence_t *evidence = &on->record->evidence;
    lbs_eject_turn_t turn;
    apr_uint64_t seen;

    if (on->conf == NULL || !on->conf->errors || !is_convicted(on, now)) {
        return LBS_EJECT_NONE;
    }
    seen = lbs_atomic_load64_acquire(&on->record->hold);
    if (PHASE_OF(seen) != OPEN) {
        return LBS_EJECT_NONE;
    }
    *why = LBS_EJECT_FOR_ERRORS;
    turn = lbs_eject_hold_open(on, seen, now);
    if (turn == LBS_EJECT_EJECTED) {
        lbs_evidence_forget(evidence);
        lbs_suspect_forget(&on->record->suspect);
        lbs_evidence_accuse(evidence, 1);
    }
    return turn;
}

lbs_eject_turn_t lbs_eject_failed(const lbs_eject_on_t *on,
                                  const lbs_eject_attempt_t *attempt,
                                  apr_uint64_t now, lbs_eject_why_t *why)
{
    apr_uint64_t seen;
    apr_uint32_t streak;

    if (on->conf == NULL) {
        return LBS_EJECT_NONE;
    }
    seen = lbs_atomic_load64_acquire(&on->record->hold);
    if (PHASE_OF(seen) == TRIAL && attempt->trial) {
        *why = LBS_EJECT_FOR_PROBE;
        return lbs_eject_hold_again(on, seen, now);
    }
    if (PHASE_OF(seen) != OPEN || attempt->began < TIME_OF(seen)) {
        return LBS_EJECT_NONE;
    }
    if (attempt->lost) {
        lbs_eject_doubt(on, now);
    }
    streak = streak_add(on, now);
    lbs_window_add(&on->record->window, on->conf->window_us, 1, now);
    if (on->conf->failures != 0 && streak >= on->conf->failures) {
        *why = LBS_EJECT_FOR_STREAK;
        return lbs_eject_hold_open(on, seen, now);
    }
    if (half_failed(on, now)) {
        *why = LBS_EJECT_FOR_SHARE;
        return lbs_eject_hold_open(on, seen, now);
    }
    return LBS_EJECT_NONE;
}

int lbs_eject_lift(const lbs_eject_on_t *on, apr_uint64_t now)
{
    apr_uint64_t seen = lbs_atomic_load64_acquire(&on->record->hold);

    while (PHASE_OF(seen) != OPEN) {
        if (lbs_eject_reopen(on, seen, 0, now)) {
            return 1;
        }
        seen = lbs_atomic_load64_acquire(&on->record->hold);
    }
    forget(on);
    (void)lbs_atomic_cas64(&on->record->hold, &seen,
                           lbs_eject_word(OPEN, 0, TIME_OF(seen)));
    lbs_eject_sync(on);
    return 0;
}

void lbs_eject_recount(lbs_eject_pool_t *pool, apr_uint32_t members,
                       apr_uint32_t available, apr_uint32_t ejected)
{
    apr_uint64_t seen = lbs_atomic_load64_acquire(&pool->ejected);

    lbs_atomic_store32_relaxed(&pool->members, members);
    lbs_atomic_store32_relaxed(&pool->available, available);
    if ((apr_uint32_t)seen == ejected) {
        return;
    }
    if ((apr_uint32_t)seen < ejected
        || lbs_atomic_load64_relaxed(&pool->doubt) == seen) {
        /* If the swap fails the count is alive: no process died in
         * between, and the next tick looks again. */
        (void)lbs_atomic_cas64(&pool->ejected, &seen, counted(seen, ejected));
    }
    else {
        lbs_atomic_store64_relaxed(&pool->doubt, seen);
    }
}

int lbs_eject_out(const lbs_eject_t *record)
{
    return PHASE_OF(lbs_atomic_load64_acquire(&record->hold)) != OPEN;
}

apr_uint64_t lbs_eject_until(const lbs_eject_t *record)
{
    apr_uint64_t seen = lbs_atomic_load64_acquire(&record->hold);

    return PHASE_OF(seen) == HELD ? TIME_OF(seen) : 0;
}

apr_uint32_t lbs_eject_in_row(const lbs_eject_t *record)
{
    return STREAK_OF(lbs_atomic_load64_relaxed(&record->streak));
}

apr_uint64_t lbs_eject_count(const lbs_eject_t *record)
{
    return lbs_atomic_load64_relaxed(&record->count);
}

void lbs_eject_save(const lbs_eject_t *record, apr_uint64_t now,
                    lbs_eject_saved_t *saved)
{
    apr_uint64_t seen = lbs_atomic_load64_acquire(&record->hold);
    int held = PHASE_OF(seen) == HELD && TIME_OF(seen) > now;

    saved->out = PHASE_OF(seen) != OPEN;
    saved->level = LEVEL_OF(seen);
    saved->left_us = held ? TIME_OF(seen) - now : 0;
    saved->count = lbs_eject_count(record);
}

void lbs_eject_load(const lbs_eject_on_t *on, const lbs_eject_saved_t *saved,
                    apr_uint64_t now)
{
    apr_uint64_t left = saved->left_us;
    apr_uint64_t word = lbs_eject_word(OPEN, saved->level, now);

    if (on->conf != NULL && saved->out != 0) {
        if (left > (apr_uint64_t)on->conf->hold_max_us) {
            left = (apr_uint64_t)on->conf->hold_max_us;
        }
        /* Half-open begins with the first tick. */
        word = lbs_eject_word(HELD, saved->level, now + left);
    }
    lbs_atomic_store64_release(&on->record->hold, word);
    lbs_atomic_store64_relaxed(&on->record->count, saved->count);
    lbs_eject_sync(on);
}
