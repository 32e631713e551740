/* SPDX-License-Identifier: Apache-2.0 */
/* The validator must see what it is there to see. */
#include "src/table/lbs_validate.h"

#include "t/unit/table/fixture.h"

static lbs_table_slots_t *slots;
static lbs_table_t *table;
static lbs_validate_report_t report;

static apr_status_t look(void)
{
    return lbs_validate_table(table, START, &report, pool);
}

/* The n-th of the sixteen words of a key, and what a session looks like. */
static lbs_atomic64_t *word_at(apr_uint64_t key, int i)
{
    lbs_place_t place = lbs_place_of(table, key);

    return lbs_place_word(&place, i);
}

static apr_uint64_t session_at(apr_uint64_t key, int i)
{
    lbs_place_t place = lbs_place_of(table, key);
    int shift = lbs_quantum_shift(lbs_table_quantum(IDLE, 0));

    return lbs_place_want(&place, i)
           | lbs_word_load(1, lbs_expiry_at(START, IDLE, shift), 0)
           | LBS_WORD_VALID;
}

static void setup(void)
{
    slots = make_slots(4);
    table = make_table(100, slots);
    lbs_table_bind(table, key_of(1), 1, START, IDLE, NULL);
}

/* A second word for key 1 in one of its other places. */
static void sees_twin(int i)
{
    lbs_atomic64_t *at = word_at(key_of(1), i);

    if (lbs_atomic_load64_acquire(at) != 0) {
        return; /* where the first is */
    }
    lbs_atomic_store64_release(at, session_at(key_of(1), i));
    lbs_atomic_add64_relaxed(&slots->sessions[1], 1);
    is_int(look(), APR_EGENERAL, "a twin in place %d is seen", i);
    is_int(report.twins, 2, "from both sides");
    lbs_atomic_store64_release(at, 0);
    lbs_atomic_sub64_relaxed(&slots->sessions[1], 1);
}

int main(void)
{
    int i;

    fixture_start();
    setup();
    is_int(look(), APR_SUCCESS, "a sound table is sound");
    is_int(report.valid, 1, "with one session");
    for (i = 0; i < LBS_PAIR; i++) {
        sees_twin(i);
    }

    lbs_atomic_store64_release(word_at(key_of(2), 3),
                               session_at(key_of(2), 3) & ~LBS_WORD_VALID);
    is_int(look(), APR_EGENERAL, "a word no process can have written");
    is_int(report.torn, 1, "counts as torn");

    setup();
    lbs_atomic_add64_relaxed(&slots->sessions[2], 1);
    is_int(look(), APR_EGENERAL, "a count without sessions");
    is_int(report.miscounted, 1, "is one slot's");

    setup();
    lbs_atomic_store64_release(&slots->quantum_us[1], 0);
    is_int(look(), APR_SUCCESS, "a slot taken out of use does no harm");
    is_int(report.stray, 1, "but is told");
    return done_testing();
}
