/* SPDX-License-Identifier: Apache-2.0 */
#include "src/evidence/lbs_suspect.h"
#include "t/unit/tap.h"

#define SEC APR_UINT64_C(1000000)
#define WINDOW ((apr_int64_t)(10 * SEC))

static lbs_suspect_t suspect;
static apr_uint64_t now;

static void start(void)
{
    memset(&suspect, 0, sizeof(suspect));
    now = 1000 * SEC;
}

static int err(apr_uint64_t visitor)
{
    return lbs_suspect_erred(&suspect, WINDOW, visitor, now);
}

static int is_one(void)
{
    return lbs_suspect_is_one(&suspect, WINDOW, now);
}

static int proven(void)
{
    return lbs_suspect_is_proven(&suspect, WINDOW, now);
}

static void a_row_begins_and_ends(void)
{
    start();
    is_int(is_one(), 0, "a new member is no suspect");
    is_int(err(1), 1, "one 5xx begins a row");
    is_int(err(2), 0, "the next one goes on with it");
    is_int(is_one(), 1, "it is to be asked");
    lbs_suspect_answered_well(&suspect);
    is_int(is_one(), 0, "a good answer ends it");
    is_int(err(2), 1, "the next 5xx begins another row");
    now += 11 * SEC;
    is_int(is_one(), 0, "a row of long ago is none");
    is_int(err(1), 1, "and begins anew");
    lbs_suspect_probed(&suspect, 10);
    is_int(is_one(), 0, "ten probes are enough");
}

static void what_is_a_proof(void)
{
    start();
    (void)err(1);
    (void)err(2);
    is_int(proven(), 0, "two visitors are none");
    lbs_suspect_probed(&suspect, 7);
    is_int(proven(), 0, "with seven probes nine are too few");
    lbs_suspect_probed(&suspect, 1);
    is_int(proven(), 1, "the tenth proves it");
    now += 11 * SEC;
    is_int(proven(), 0, "but not when the window is over");

    start();
    (void)err(1);
    lbs_suspect_probed(&suspect, 20);
    is_int(proven(), 0, "one visitor is none, whatever the probes say");
    (void)err(1);
    is_int(proven(), 0, "not twice, either");
    (void)err(2);
    is_int(proven(), 1, "two are one");
    lbs_suspect_answered_well(&suspect);
    is_int(proven(), 0, "a good answer is none");
}

static void probes_are_needed(void)
{
    apr_uint64_t i;

    start();
    for (i = 1; i <= 100; i++) {
        (void)err(i);
    }
    lbs_suspect_probed(&suspect, 2);
    is_int(proven(), 0, "a hundred visitors and two probes");
    lbs_suspect_probed(&suspect, 1);
    is_int(proven(), 1, "three probes");

    start();
    lbs_suspect_probed(&suspect, 10);
    is_int(is_one(), 0, "probes alone make no row");
}

static void a_good_answer_ends_it(void)
{
    start();
    (void)err(1);
    lbs_suspect_answered_well(&suspect);
    is_int(is_one(), 0, "a probe that is answered well ends the row");
    (void)err(2);
    lbs_suspect_forget(&suspect);
    is_int(is_one(), 0, "it is forgotten");
}

static void a_long_row_does_not_overflow(void)
{
    int i;

    start();
    for (i = 0; i < 70000; i++) {
        (void)err((apr_uint64_t)i);
    }
    for (i = 0; i < 300; i++) {
        lbs_suspect_probed(&suspect, 1);
    }
    is_int(proven(), 1, "70 000 visitors, 300 probes");
    now += 11 * SEC;
    is_int(proven(), 0, "its time is untouched");
}

int main(void)
{
    a_row_begins_and_ends();
    what_is_a_proof();
    probes_are_needed();
    a_good_answer_ends_it();
    a_long_row_does_not_overflow();
    return done_testing();
}
