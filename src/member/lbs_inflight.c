/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_inflight.c - in-flight counts that survive kill -9 at any instruction.
 *
 *     owners   one word per row:   generation 30 | state 2 | pid 32
 *     cells    rows x slots words: version 20 | pending 12 | waiting 16
 *                                  | count 16
 *     sum      gauge->inflight:    corrections 32 | count 32
 *
 * An attempt changes two words, its cell and the sum, and may die between
 * them. So it first marks the cell (pending + 1, version + 1), then changes
 * the sum, then books the change in the cell and takes the mark back. Hence:
 *
 *   (1) while something of a row may be in a sum, that row's cell is not 0;
 *   (2) when no living row's cell is marked, the sum is the total of their
 *       counts, plus whatever dead rows left in it: certain or not, all of
 *       that has to go.
 *
 * A reaper reads all living cells, the sum, and the cells again. If none was
 * marked and none changed (every attempt changes a version), (2) held when the
 * sum was read, and the excess is known. It stays true whatever living rows do
 * afterwards, until a reaper corrects the sum: so the correction is a
 * compare-and-swap that subtracts the excess and counts the corrections in the
 * upper half, where two reapers cannot both succeed with one excess. Only then
 * is the dead cell cleared, again by compare-and-swap, and when all are, the
 * row is freed. Killed anywhere, the next reaper repeats what is missing: a
 * second look at a corrected sum finds no excess.
 *
 * Accepted: a reaper that sleeps between reading a cell and clearing it while
 * its row is freed, claimed anew and used for exactly 2^20 attempts would
 * clear a living cell; and 4096 threads of one child inside
 * lbs_inflight_enter() for one member at once would overflow the mark. Wider
 * fields cost a second word per cell.
 */
#include "src/member/lbs_inflight.h"

#include "src/base/lbs_hash.h"

#define COUNT APR_UINT64_C(1)
#define WAITING (APR_UINT64_C(1) << 16)
#define PENDING (APR_UINT64_C(1) << 32)
#define VERSION (APR_UINT64_C(1) << 44)
#define COUNT_OF(cell) ((apr_uint32_t)(cell)&0xffffu)
#define WAITING_OF(cell) ((apr_uint32_t)((cell) >> 16) & 0xffffu)
#define BUSY(cell) (((cell) & (VERSION - PENDING)) != 0)
#define HOLDS(cell) (((cell) & (VERSION - 1)) != 0)

#define STATE_SHIFT 32
#define GENERATION (APR_UINT64_C(1) << 34)
#define STATE_OF(owner) ((apr_uint32_t)((owner) >> STATE_SHIFT) & 3u)
#define FREE 0u
#define LIVE 1u
#define DEAD 2u

#define SUM_OF(word) ((apr_uint32_t)(word))
#define CORRECTIONS_OF(word) ((word) >> 32)

#define LOOKS 64 /* attempts to find all rows of a member unmarked */

static apr_uint64_t owner_word(apr_uint64_t before, apr_uint32_t state,
                               apr_uint32_t pid)
{
    return (before & ~(GENERATION - 1)) | ((apr_uint64_t)state << STATE_SHIFT)
           | pid;
}

/* The lower half of the generation and the row: a token comes back when the
 * same row has been claimed 65536 times. */
static apr_uint32_t token_of(apr_uint64_t owner, apr_uint32_t index)
{
    return ((apr_uint32_t)(owner / GENERATION) << 16) | (index + 1);
}

static lbs_atomic64_t *cell_at(const lbs_rows_t *view, apr_uint32_t index,
                               apr_uint32_t slot)
{
    return &view->cells[(apr_size_t)index * view->stride + slot];
}

/* The common row counts always. A free row's cells are 0. */
static int row_counts(const lbs_rows_t *view, apr_uint32_t index)
{
    return STATE_OF(lbs_atomic_load64_acquire(&view->owners[index])) != DEAD;
}

static void mark(lbs_atomic64_t *cell)
{
    atomic_fetch_add_explicit(cell, PENDING + VERSION, memory_order_acq_rel);
}

/* Release: a reader that sees the cell unmarked also sees the sum. */
static void book(lbs_atomic64_t *cell, apr_uint64_t change)
{
    atomic_fetch_add_explicit(cell, change - PENDING, memory_order_release);
}

/* Rows and sum may come from a damaged segment: a sum that is 0 stays 0
 * instead of borrowing from the corrections. */
static void sum_sub(lbs_gauge_t *gauge)
{
    apr_uint64_t was =
        atomic_fetch_sub_explicit(&gauge->inflight, 1, memory_order_acq_rel);

    if (SUM_OF(was) == 0) {
        atomic_fetch_add_explicit(&gauge->inflight, 1, memory_order_acq_rel);
    }
}

/* @return 0: the limit is reached */
static int sum_add(lbs_gauge_t *gauge, int over)
{
    apr_uint32_t limit = over ? 0 : lbs_atomic_load32_relaxed(&gauge->limit);
    apr_uint64_t seen;

    if (limit == 0) {
        atomic_fetch_add_explicit(&gauge->inflight, 1, memory_order_acq_rel);
        return 1;
    }
    seen = lbs_atomic_load64_relaxed(&gauge->inflight);
    do {
        if (SUM_OF(seen) >= limit) {
            return 0;
        }
    } while (!lbs_atomic_cas64(&gauge->inflight, &seen, seen + 1));
    return 1;
}

static void trial_release(lbs_gauge_t *gauge, apr_uint32_t token)
{
    apr_uint32_t seen = token;

    (void)lbs_atomic_cas32(&gauge->trial, &seen, 0); /* not this attempt's
                                                        cell: not counted */
}

/* Everything between mark and book of an attempt that begins. */
static apr_status_t admit(lbs_gauge_t *gauge, const lbs_inflight_t *row,
                          apr_uint32_t ignored, lbs_flight_t *flight)
{
    apr_uint32_t flags = lbs_gauge_flags(gauge) & ~ignored;
    apr_uint32_t nobody = 0;

    if ((flags & LBS_F_CLOSED) != 0) {
        return APR_EAGAIN;
    }
    if ((flags & LBS_F_HALF_OPEN) != 0) {
        if (row->index == LBS_INFLIGHT_COMMON
            || !lbs_atomic_cas32(&gauge->trial, &nobody, row->token)) {
            return APR_EAGAIN;
        }
        flight->trial = 1;
    }
    if (!sum_add(gauge, (ignored & LBS_INFLIGHT_OVER) != 0)) {
        if (flight->trial) {
            trial_release(gauge, row->token);
        }
        return APR_EBUSY;
    }
    return APR_SUCCESS;
}

/* One look at a member: the total of the living cells. Unsuccessful when one
 * is marked. The print differs when any cell changed. */
static int total(const lbs_rows_t *view, apr_uint32_t slot,
                 apr_uint32_t *count, apr_uint64_t *print)
{
    apr_uint32_t index;

    *count = 0;
    *print = 0;
    for (index = 0; index < view->rows; index++) {
        apr_uint64_t cell;

        if (!row_counts(view, index)) {
            continue;
        }
        cell = lbs_atomic_load64_acquire(cell_at(view, index, slot));
        if (BUSY(cell)) {
            return 0;
        }
        *count += COUNT_OF(cell);
        *print += lbs_hash_mix(cell ^ ((apr_uint64_t)index << 16));
    }
    return 1;
}

/* Subtract a known excess, unless another reaper corrected the sum since seen
 * was read. */
static int correct(lbs_gauge_t *gauge, apr_uint64_t seen, apr_uint32_t count)
{
    apr_uint64_t corrections = CORRECTIONS_OF(seen);
    apr_int64_t excess = (apr_int64_t)SUM_OF(seen) - count;

    while (CORRECTIONS_OF(seen) == corrections) {
        apr_int64_t left = (apr_int64_t)SUM_OF(seen) - excess;

        if (left < 0) {
            left = 0; /* damaged: see sum_sub() */
        }
        if (lbs_atomic_cas64(&gauge->inflight, &seen,
                             ((corrections + 1) << 32) | (apr_uint32_t)left)) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t reconcile(const lbs_rows_t *view, apr_uint32_t slot,
                              lbs_gauge_t *gauge)
{
    int look;

    for (look = 0; look < LOOKS; look++) {
        apr_uint32_t count, again;
        apr_uint64_t print, print_again, seen;

        if (!total(view, slot, &count, &print)) {
            continue;
        }
        seen = lbs_atomic_load64_acquire(&gauge->inflight);
        if (!total(view, slot, &again, &print_again) || print != print_again) {
            continue;
        }
        if (SUM_OF(seen) == count || correct(gauge, seen, count)) {
            return APR_SUCCESS;
        }
    }
    return APR_EAGAIN;
}

/* Clear one cell of a dead row, its share of the sum first. */
static apr_status_t clear_cell(const lbs_rows_t *view,
                               const lbs_inflight_t *row, apr_uint64_t owner,
                               apr_uint32_t slot, lbs_gauge_t *gauge)
{
    lbs_atomic64_t *at = cell_at(view, row->index, slot);
    apr_uint64_t cell = lbs_atomic_load64_acquire(at);
    apr_status_t rv;

    if (!HOLDS(cell)) {
        return APR_SUCCESS;
    }
    /* Read after the cell: the cell was the dead child's. */
    if (lbs_atomic_load64_acquire(&view->owners[row->index]) != owner) {
        return APR_NOTFOUND;
    }
    trial_release(gauge, row->token);
    rv = reconcile(view, slot, gauge);
    if (rv == APR_SUCCESS) {
        /* Failure: another reaper was faster. */
        (void)lbs_atomic_cas64(at, &cell, (cell & ~(VERSION - 1)) + VERSION);
    }
    return rv;
}

apr_size_t lbs_rows_bytes(apr_uint32_t rows, apr_uint32_t slots)
{
    apr_uint64_t owners = ((apr_uint64_t)rows + 7) / 8 * 64;
    apr_uint64_t cells = ((apr_uint64_t)slots + 7) / 8 * 64 * rows;

    if (rows < 2 || rows > LBS_ROWS_MAX || slots == 0
        || owners + cells > APR_SIZE_MAX) {
        return 0;
    }
    return (apr_size_t)(owners + cells);
}

void lbs_rows_open(lbs_rows_t *view, void *block, apr_uint32_t rows,
                   apr_uint32_t slots)
{
    view->owners = block;
    view->cells = view->owners + ((apr_size_t)rows + 7) / 8 * 8;
    view->rows = rows;
    view->slots = slots;
    view->stride = (slots + 7) / 8 * 8;
}

apr_status_t lbs_inflight_claim(const lbs_rows_t *view, apr_uint32_t pid,
                                lbs_inflight_t *row)
{
    apr_uint32_t index;

    for (index = LBS_INFLIGHT_COMMON + 1; index < view->rows; index++) {
        lbs_atomic64_t *at = &view->owners[index];
        apr_uint64_t seen = lbs_atomic_load64_relaxed(at);
        apr_uint64_t mine = owner_word(seen + GENERATION, LIVE, pid);

        if (STATE_OF(seen) == FREE && lbs_atomic_cas64(at, &seen, mine)) {
            row->index = index;
            row->token = token_of(mine, index);
            return APR_SUCCESS;
        }
    }
    row->index = LBS_INFLIGHT_COMMON;
    row->token = token_of(0, LBS_INFLIGHT_COMMON);
    return APR_ENOSPC;
}

apr_status_t lbs_inflight_enter_anyway(const lbs_rows_t *view,
                                       const lbs_inflight_t *row,
                                       apr_uint32_t slot, lbs_gauge_t *gauge,
                                       apr_uint32_t ignored,
                                       lbs_flight_t *flight)
{
    lbs_flight_t mine = {slot, 1, 1, 0};
    lbs_atomic64_t *cell;
    apr_status_t rv;

    if (slot >= view->slots) {
        return APR_EINVAL;
    }
    cell = cell_at(view, row->index, slot);
    mark(cell);
    rv = admit(gauge, row, ignored, &mine);
    if (rv != APR_SUCCESS) {
        book(cell, 0);
        return rv;
    }
    book(cell, COUNT + WAITING);
    *flight = mine;
    return APR_SUCCESS;
}

apr_status_t lbs_inflight_enter(const lbs_rows_t *view,
                                const lbs_inflight_t *row, apr_uint32_t slot,
                                lbs_gauge_t *gauge, lbs_flight_t *flight)
{
    return lbs_inflight_enter_anyway(view, row, slot, gauge, 0, flight);
}

void lbs_inflight_heard(const lbs_rows_t *view, const lbs_inflight_t *row,
                        lbs_flight_t *flight)
{
    if (flight->aloft && flight->waiting) {
        flight->waiting = 0;
        lbs_atomic_sub64_relaxed(cell_at(view, row->index, flight->slot),
                                 WAITING);
    }
}

void lbs_inflight_unheard(const lbs_rows_t *view, const lbs_inflight_t *row,
                          lbs_flight_t *flight)
{
    if (flight->aloft && !flight->waiting) {
        flight->waiting = 1;
        lbs_atomic_add64_relaxed(cell_at(view, row->index, flight->slot),
                                 WAITING);
    }
}

void lbs_inflight_leave(const lbs_rows_t *view, const lbs_inflight_t *row,
                        lbs_gauge_t *gauge, lbs_flight_t *flight)
{
    lbs_atomic64_t *cell;

    if (!flight->aloft) {
        return;
    }
    cell = cell_at(view, row->index, flight->slot);
    mark(cell);
    if (flight->trial) {
        trial_release(gauge, row->token);
    }
    sum_sub(gauge);
    book(cell, flight->waiting ? 0 - COUNT - WAITING : 0 - COUNT);
    *flight = (lbs_flight_t){0, 0, 0, 0};
}

apr_uint32_t lbs_rows_waiting(const lbs_rows_t *view, apr_uint32_t slot)
{
    apr_uint32_t sum = 0;
    apr_uint32_t index;

    for (index = 0; slot < view->slots && index < view->rows; index++) {
        if (row_counts(view, index)) {
            sum += WAITING_OF(
                lbs_atomic_load64_relaxed(cell_at(view, index, slot)));
        }
    }
    return sum;
}

apr_uint32_t lbs_inflight_pid(const lbs_rows_t *view, apr_uint32_t index)
{
    apr_uint64_t owner;

    if (index >= view->rows) {
        return 0;
    }
    owner = lbs_atomic_load64_acquire(&view->owners[index]);
    return STATE_OF(owner) == FREE ? 0 : (apr_uint32_t)owner;
}

int lbs_inflight_condemned(const lbs_rows_t *view, apr_uint32_t index,
                           lbs_inflight_t *row)
{
    apr_uint64_t seen;

    if (index >= view->rows) {
        return 0;
    }
    seen = lbs_atomic_load64_acquire(&view->owners[index]);
    if (STATE_OF(seen) != DEAD) {
        return 0;
    }
    row->index = index;
    row->token = token_of(seen, index);
    return 1;
}

apr_status_t lbs_inflight_condemn(const lbs_rows_t *view, apr_uint32_t index,
                                  apr_uint32_t pid, lbs_inflight_t *row)
{
    apr_uint64_t seen;

    if (index == LBS_INFLIGHT_COMMON || index >= view->rows) {
        return APR_NOTFOUND;
    }
    seen = lbs_atomic_load64_acquire(&view->owners[index]);
    if (STATE_OF(seen) == FREE || (apr_uint32_t)seen != pid) {
        return APR_NOTFOUND;
    }
    if (STATE_OF(seen) == LIVE) {
        apr_uint64_t dead = owner_word(seen, DEAD, pid);

        /* Failure: another process condemned it, and perhaps freed it. */
        if (!lbs_atomic_cas64(&view->owners[index], &seen, dead)
            && seen != dead) {
            return APR_NOTFOUND;
        }
        seen = dead;
    }
    row->index = index;
    row->token = token_of(seen, index);
    return APR_SUCCESS;
}

apr_status_t lbs_inflight_reap(const lbs_rows_t *view,
                               const lbs_inflight_t *row, lbs_gauge_t *gauges)
{
    apr_uint64_t owner = lbs_atomic_load64_acquire(&view->owners[row->index]);
    apr_status_t result = APR_SUCCESS;
    apr_uint32_t slot;

    if (STATE_OF(owner) != DEAD || token_of(owner, row->index) != row->token) {
        return APR_NOTFOUND;
    }
    for (slot = 0; slot < view->slots; slot++) {
        apr_status_t rv = clear_cell(view, row, owner, slot, &gauges[slot]);

        if (rv == APR_NOTFOUND) {
            return rv;
        }
        if (rv != APR_SUCCESS) {
            result = rv;
        }
    }
    if (result == APR_SUCCESS
        && !lbs_atomic_cas64(&view->owners[row->index], &owner,
                             owner_word(owner, FREE, 0))) {
        return APR_NOTFOUND;
    }
    return result;
}
