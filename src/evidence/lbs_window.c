/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_window.c - see lbs_window.h. */
#include "src/evidence/lbs_window.h"

#define EPOCHS 0xffffffu
#define CELL_MAX 0xfffffu
#define EPOCH_OF(cell) ((apr_uint32_t)((cell) >> 40))
#define BAD_OF(cell) ((apr_uint32_t)((cell) >> 20) & CELL_MAX)
#define ALL_OF(cell) ((apr_uint32_t)(cell)&CELL_MAX)
#define RACES 16 /* lost compare-and-swaps before an event is dropped */

apr_uint32_t lbs_window_epoch(apr_int64_t length_us, apr_uint64_t now)
{
    apr_uint64_t width = (apr_uint64_t)length_us / LBS_WINDOW_CELLS;

    return (apr_uint32_t)(now / (width == 0 ? 1 : width)) & EPOCHS;
}

apr_uint32_t lbs_window_age(apr_uint32_t epoch, apr_uint32_t now_epoch)
{
    return (now_epoch - epoch) & EPOCHS;
}

void lbs_window_add(lbs_window_t *window, apr_int64_t length_us,
                    apr_uint32_t bad, apr_uint64_t now)
{
    apr_uint32_t epoch = lbs_window_epoch(length_us, now);
    lbs_atomic64_t *at = &window->cells[epoch % LBS_WINDOW_CELLS];
    apr_uint64_t seen = lbs_atomic_load64_relaxed(at);
    apr_uint64_t next;
    int race;

    for (race = 0; race < RACES; race++) {
        apr_uint32_t age = lbs_window_age(EPOCH_OF(seen), epoch);

        if (age == 0) {
            if (ALL_OF(seen) == CELL_MAX) {
                return; /* full: its share says enough */
            }
            next = seen;
        }
        else if (ALL_OF(seen) != 0 && age > EPOCHS / 2) {
            return; /* a faster clock has gone on to the next window */
        }
        else {
            next = (apr_uint64_t)epoch << 40;
        }
        next += ((apr_uint64_t)bad << 20) + 1;
        if (lbs_atomic_cas64(at, &seen, next)) {
            return;
        }
    }
}

lbs_window_sum_t lbs_window_sum(const lbs_window_t *window,
                                apr_int64_t length_us, apr_uint64_t now)
{
    apr_uint32_t epoch = lbs_window_epoch(length_us, now);
    lbs_window_sum_t sum = {0, 0};
    int i;

    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        apr_uint64_t cell = lbs_atomic_load64_relaxed(&window->cells[i]);

        if (lbs_window_age(EPOCH_OF(cell), epoch) < LBS_WINDOW_CELLS) {
            sum.all += ALL_OF(cell);
            sum.bad += BAD_OF(cell);
        }
    }
    return sum;
}

void lbs_window_parts(const lbs_window_t *window, apr_int64_t length_us,
                      apr_uint64_t now, lbs_window_sum_t *sum)
{
    apr_uint32_t epoch = lbs_window_epoch(length_us, now);
    apr_uint32_t age;

    for (age = 0; age < LBS_WINDOW_CELLS; age++) {
        apr_uint64_t cell = lbs_atomic_load64_relaxed(
            &window->cells[(epoch - age) % LBS_WINDOW_CELLS]);

        sum[age] = age == 0 ? (lbs_window_sum_t){0, 0} : sum[age - 1];
        if (lbs_window_age(EPOCH_OF(cell), epoch) == age) {
            sum[age].all += ALL_OF(cell);
            sum[age].bad += BAD_OF(cell);
        }
    }
}

void lbs_window_clear(lbs_window_t *window)
{
    int i;

    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        lbs_atomic_store64_relaxed(&window->cells[i], 0);
    }
}
