/* SPDX-License-Identifier: Apache-2.0 */
#include "src/table/lbs_sweep.h"

#include <string.h>

#include "src/table/lbs_table_int.h"

/* Counters that a pass corrects: sessions by slot, places taken by table. */
#define COUNTERS (LBS_TABLE_SLOTS + 1 + LBS_TABLE_CHAIN)

struct lbs_sweep_t {
    lbs_table_t *table;
    const lbs_table_t *view; /* of the chain, being walked */
    int depth;               /* of view in the chain */
    apr_uint64_t bucket;     /* of view, next to visit */
    apr_uint64_t changes;    /* of the chain, when the pass began */
    apr_uint64_t own;        /* changes made by this pass itself */
    /* Valid words by slot, and behind those by table of the chain; and the
     * surplus of their counters that the pass before found. */
    apr_uint64_t counted[COUNTERS];
    apr_int64_t surplus[COUNTERS];
};

void lbs_sweep_create(lbs_sweep_t **sweep, lbs_table_t *table,
                      apr_pool_t *pool)
{
    lbs_sweep_t *made = apr_pcalloc(pool, sizeof(*made));

    made->table = table;
    *sweep = made;
}

static apr_uint64_t changes_of(const lbs_table_t *view)
{
    apr_uint64_t sum = 0;

    for (; view != NULL; view = view->older) {
        sum += lbs_atomic_load64_acquire(&view->head->changes);
    }
    return sum;
}

static void begin(lbs_sweep_t *sweep)
{
    sweep->view = sweep->table;
    sweep->depth = 0;
    sweep->bucket = 0;
    sweep->own = 0;
    sweep->changes = changes_of(sweep->table);
    memset(sweep->counted, 0, sizeof(sweep->counted));
}

/* By how much a slot's count is certainly too high. A change that began during
 * the pass may have been made before or behind it, so each change explains a
 * difference of one. */
static apr_int64_t surplus_of(apr_uint64_t has, apr_uint64_t counted,
                              apr_uint64_t changes)
{
    apr_int64_t more = (apr_int64_t)(has - counted);
    apr_int64_t slack = (apr_int64_t)changes;

    if (more > slack) {
        return more - slack;
    }
    return more < -slack ? more + slack : 0;
}

/* Correct a counter. A change that began before the pass may still be under
 * way, so only the surplus that two passes agree on is corrected. */
static apr_uint64_t correct(lbs_sweep_t *sweep, int which,
                            lbs_atomic64_t *counter)
{
    apr_uint64_t has = lbs_atomic_load64_acquire(counter);
    apr_uint64_t changes =
        changes_of(sweep->table) - sweep->changes - sweep->own;
    apr_int64_t before = sweep->surplus[which];
    apr_int64_t found = surplus_of(has, sweep->counted[which], changes);

    sweep->surplus[which] = found;
    if (found == 0 || before == 0 || (found > 0) != (before > 0)) {
        return 0;
    }
    if ((found > 0) == (before < found)) {
        found = before; /* the smaller of the two */
    }
    lbs_atomic_sub64_relaxed(counter, (apr_uint64_t)found);
    sweep->surplus[which] -= found;
    return (apr_uint64_t)(found > 0 ? found : -found);
}

static void end(lbs_sweep_t *sweep, lbs_sweep_report_t *report)
{
    lbs_table_slots_t *slots = sweep->table->slots;
    const lbs_table_t *view;
    int which;

    for (which = 0; which < LBS_TABLE_SLOTS; which++) {
        report->corrected += correct(sweep, which, &slots->sessions[which]);
    }
    for (view = sweep->table; view != NULL; view = view->older) {
        (void)correct(sweep, which++, &view->head->live);
    }
}

/* What counts the removal of a valid word. @return NULL: it stays */
static apr_uint64_t *verdict(const lbs_sweep_t *sweep, apr_uint64_t word,
                             apr_time_t now, lbs_sweep_filter_t *filter,
                             void *data, lbs_sweep_report_t *report)
{
    lbs_table_hit_t hit;

    switch (lbs_word_read(sweep->view, word, now, &hit)) {
    case LBS_WORD_DEAD:
        return &report->dead;
    case LBS_WORD_EXPIRED:
        return &report->expired;
    case LBS_WORD_LIVE:
        break;
    }
    return filter != NULL && filter(data, &hit) ? &report->dropped : NULL;
}

/* Give a stray the furthest end that can be told, so that it has one.
 * @return 1: *word is read anew; 0: it is no stray, or not the sweep's */
static int settle_stray(const lbs_table_t *view, lbs_atomic64_t *at,
                        apr_uint64_t *word, apr_time_t now)
{
    lbs_life_t life;
    apr_uint32_t end;

    if (lbs_word_left(view, *word, now, &life) != LBS_WORD_LIVE || !life.stray
        || life.held) {
        return 0;
    }
    end = (apr_uint32_t)((apr_uint64_t)now >> life.shift) + LBS_EXPIRY_AHEAD;
    end = (end & LBS_EXPIRY_MASK) | life.turn;
    if (lbs_atomic_cas64_total(
            at, word, (*word & ~LBS_WORD_EXPIRY) | lbs_word_load(0, end, 0))) {
        lbs_table_mark(view, at);
        *word = lbs_atomic_load64_acquire(at);
    }
    return 1;
}

static void visit(lbs_sweep_t *sweep, lbs_atomic64_t *at, apr_time_t now,
                  lbs_sweep_filter_t *filter, void *data,
                  lbs_sweep_report_t *report)
{
    apr_uint64_t word = lbs_atomic_load64_acquire(at);

    /* The swap fails only when the session was used at this very moment. */
    while ((word & LBS_WORD_VALID) != 0) {
        apr_uint64_t *counter;

        if (settle_stray(sweep->view, at, &word, now)) {
            continue;
        }
        counter = verdict(sweep, word, now, filter, data, report);
        if (counter == NULL) {
            report->live++;
            sweep->counted[lbs_word_slot(word)]++;
            sweep->counted[LBS_TABLE_SLOTS + sweep->depth]++;
            return;
        }
        sweep->own++;
        if (lbs_table_drop_word(sweep->view, at, word)) {
            (*counter)++;
            return;
        }
        word = lbs_atomic_load64_acquire(at);
    }
    if (word != 0 && lbs_word_orphan(word, now)
        && lbs_atomic_cas64(at, &word, 0)) {
        report->orphans++;
    }
}

/* Visit up to so many buckets of the table the sweep is in.
 * @return how many were visited */
static apr_uint64_t visit_some(lbs_sweep_t *sweep, apr_uint64_t buckets,
                               apr_time_t now, lbs_sweep_filter_t *filter,
                               void *data, lbs_sweep_report_t *report)
{
    const lbs_table_t *view = sweep->view;
    apr_uint64_t left = view->buckets - sweep->bucket;
    apr_uint64_t some = buckets < left ? buckets : left;
    apr_uint64_t expired = report->expired;
    apr_uint64_t i;

    for (i = 0; i < some * LBS_LINE; i++) {
        visit(sweep, &view->words[sweep->bucket * LBS_LINE + i], now, filter,
              data, report);
    }
    lbs_atomic_add64_relaxed(&view->head->expired, report->expired - expired);
    sweep->bucket += some;
    if (sweep->bucket == view->buckets) {
        sweep->view = view->older;
        sweep->depth++;
        sweep->bucket = 0;
    }
    return some;
}

apr_status_t lbs_sweep_run(lbs_sweep_t *sweep, apr_uint64_t buckets,
                           apr_time_t now, lbs_sweep_filter_t *filter,
                           void *data, lbs_sweep_report_t *report)
{
    lbs_sweep_report_t unwanted = {0};
    apr_uint64_t todo = buckets != 0 ? buckets : APR_UINT64_MAX;

    if (report == NULL) {
        report = &unwanted;
    }
    if (sweep->view == NULL) {
        begin(sweep);
    }
    while (sweep->view != NULL && todo != 0) {
        todo -= visit_some(sweep, todo, now, filter, data, report);
    }
    if (sweep->view != NULL) {
        return APR_INCOMPLETE;
    }
    end(sweep, report);
    return APR_SUCCESS;
}

/* How the words of a slot are converted. */
typedef struct conversion_t {
    apr_uint32_t slot;
    apr_uint32_t turn; /* of the words that have the new unit */
    int from;          /* log2 of the units in microseconds */
    int to;
} conversion_t;

/* Give one word the new unit. Words with its turn were written in it. */
static void convert(const lbs_table_t *view, lbs_atomic64_t *at,
                    apr_time_t now, const conversion_t *how)
{
    apr_uint64_t word = lbs_atomic_load64_total(at);

    while ((word & LBS_WORD_VALID) != 0 && lbs_word_slot(word) == how->slot
           && lbs_word_turn(word) != how->turn) {
        int left = lbs_expiry_left(lbs_word_expiry(word), now, how->from);
        apr_time_t end = lbs_expiry_time(now, left, how->from);
        apr_uint64_t next;

        if (left <= 0) {
            if (lbs_table_drop_word(view, at, word)) {
                lbs_atomic_add64_relaxed(&view->head->expired, 1);
                return;
            }
            word = lbs_atomic_load64_acquire(at);
            continue;
        }
        next =
            (word & ~LBS_WORD_EXPIRY)
            | lbs_word_load(
                0, lbs_expiry_at(now, end - now - 1, how->to) | how->turn, 0);
        if (lbs_atomic_cas64_total(at, &word, next)) {
            lbs_table_mark(view, at);
            return;
        }
    }
}

apr_status_t lbs_sweep_requantise(lbs_table_t *table, apr_uint32_t slot,
                                  apr_uint64_t quantum_us, apr_time_t now)
{
    const apr_uint64_t bits = LBS_QUANTUM_HOLD | LBS_QUANTUM_TURN;
    conversion_t how = {.slot = slot, .to = lbs_quantum_shift(quantum_us)};
    const lbs_table_t *view;
    lbs_atomic64_t *quantum;
    apr_uint64_t before;
    apr_uint64_t after = quantum_us & ~bits;
    apr_uint64_t i;

    if (slot >= LBS_TABLE_SLOTS) {
        return APR_EINVAL;
    }
    quantum = &table->slots->quantum_us[slot];
    before = lbs_atomic_load64_acquire(quantum);
    how.from = lbs_quantum_shift(before);
    if (how.from >= 0 && how.to >= 0) {
        after |= before & LBS_QUANTUM_TURN;
        if (how.from != how.to) {
            after ^= LBS_QUANTUM_TURN;
            how.turn = lbs_quantum_turn(after);
            /* In the total order: a word that the walk does not find yet was
             * written by a process that finds this now. */
            (void)lbs_atomic_swap64_total(quantum, after | LBS_QUANTUM_HOLD);
            for (view = table; view != NULL; view = view->older) {
                for (i = 0; i < view->buckets * LBS_LINE; i++) {
                    convert(view, &view->words[i], now, &how);
                }
            }
        }
    }
    lbs_atomic_store64_release(quantum, after);
    return APR_SUCCESS;
}
