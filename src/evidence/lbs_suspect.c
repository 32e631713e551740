/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_suspect.c - see lbs_suspect.h.
 *
 *     row   began, ms 40 | to probes 8 | all 16; 0: none
 */
#include "src/evidence/lbs_suspect.h"

#define ALL_MAX 0xffffu
#define PROBES_MAX 0xffu
#define ALL_OF(row) ((apr_uint32_t)(row)&ALL_MAX)
#define PROBES_OF(row) ((apr_uint32_t)((row) >> 16) & PROBES_MAX)
#define AT_OF(word) ((word) >> 24) /* milliseconds */
#define AT_SHIFT 24
#define RACES 4 /* lost compare-and-swaps before a count is dropped */

static int is_in_window(apr_uint64_t at_ms, apr_int64_t window_us,
                        apr_uint64_t now)
{
    return now / 1000 <= at_ms + (apr_uint64_t)window_us / 1000;
}

static apr_uint64_t row_word(apr_uint64_t at_ms, apr_uint32_t probes,
                             apr_uint32_t all)
{
    probes = probes < PROBES_MAX ? probes : PROBES_MAX;
    all = all < ALL_MAX ? all : ALL_MAX;
    return at_ms << AT_SHIFT | (apr_uint64_t)probes << 16 | all;
}

/* @return 1 when the row begins by this */
static int add_to_row(lbs_suspect_t *suspect, apr_int64_t window_us,
                      apr_uint64_t now)
{
    apr_uint64_t seen = lbs_atomic_load64_relaxed(&suspect->row);
    int race;

    for (race = 0; race < RACES; race++) {
        int begins = seen == 0 || !is_in_window(AT_OF(seen), window_us, now);
        apr_uint64_t next =
            begins ? row_word(now / 1000, 0, 1)
                   : row_word(AT_OF(seen), PROBES_OF(seen), ALL_OF(seen) + 1);

        if (lbs_atomic_cas64(&suspect->row, &seen, next)) {
            return begins;
        }
    }
    return 0;
}

static void note_visitor(lbs_suspect_t *suspect, int begins, apr_uint64_t who)
{
    apr_uint64_t first = lbs_atomic_load64_relaxed(&suspect->who[0]);

    if (begins || first == 0) {
        lbs_atomic_store64_relaxed(&suspect->who[0], who);
        lbs_atomic_store64_relaxed(&suspect->who[1], 0);
    }
    else if (first != who) {
        lbs_atomic_store64_relaxed(&suspect->who[1], who);
    }
}

int lbs_suspect_erred(lbs_suspect_t *suspect, apr_int64_t window_us,
                      apr_uint64_t visitor, apr_uint64_t now)
{
    int begins = add_to_row(suspect, window_us, now);

    note_visitor(suspect, begins, visitor != 0 ? visitor : 1);
    return begins;
}

void lbs_suspect_answered_well(lbs_suspect_t *suspect)
{
    if (lbs_atomic_load64_relaxed(&suspect->row) != 0) {
        lbs_atomic_store64_relaxed(&suspect->row, 0);
    }
}

void lbs_suspect_probed(lbs_suspect_t *suspect, apr_uint32_t errors)
{
    apr_uint64_t seen = lbs_atomic_load64_relaxed(&suspect->row);
    int race;

    for (race = 0; race < RACES && seen != 0; race++) {
        if (lbs_atomic_cas64(&suspect->row, &seen,
                             row_word(AT_OF(seen), PROBES_OF(seen) + errors,
                                      ALL_OF(seen) + errors))) {
            break;
        }
    }
}

int lbs_suspect_is_one(const lbs_suspect_t *suspect, apr_int64_t window_us,
                       apr_uint64_t now)
{
    apr_uint64_t row = lbs_atomic_load64_relaxed(&suspect->row);

    return row != 0 && is_in_window(AT_OF(row), window_us, now)
           && PROBES_OF(row) < LBS_SUSPECT_ERRORS;
}

static apr_uint32_t count_sessions(const lbs_suspect_t *suspect)
{
    return (apr_uint32_t)(lbs_atomic_load64_relaxed(&suspect->who[0]) != 0)
           + (apr_uint32_t)(lbs_atomic_load64_relaxed(&suspect->who[1]) != 0);
}

int lbs_suspect_is_proven(const lbs_suspect_t *suspect, apr_int64_t window_us,
                          apr_uint64_t now)
{
    apr_uint64_t row = lbs_atomic_load64_relaxed(&suspect->row);
    apr_uint32_t sessions = count_sessions(suspect);

    return row != 0 && is_in_window(AT_OF(row), window_us, now)
           && ALL_OF(row) >= LBS_SUSPECT_ERRORS
           && PROBES_OF(row) >= LBS_SUSPECT_PROBES
           && sessions >= LBS_SUSPECT_SESSIONS
           && sessions + PROBES_OF(row) >= LBS_SUSPECT_VISITORS;
}

void lbs_suspect_forget(lbs_suspect_t *suspect)
{
    lbs_atomic_store64_relaxed(&suspect->row, 0);
}
