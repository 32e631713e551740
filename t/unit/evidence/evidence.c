/* SPDX-License-Identifier: Apache-2.0 */
#include "src/evidence/lbs_evidence.h"
#include "src/base/lbs_hash.h"
#include "t/unit/tap.h"

#define MS APR_UINT64_C(1000)
#define SEC APR_UINT64_C(1000000)
#define WINDOW ((apr_int64_t)(10 * SEC))

static lbs_evidence_t evidence;
static apr_uint64_t now;

static void start(void)
{
    memset(&evidence, 0, sizeof(evidence));
    now = 1000 * SEC;
}

static void others(apr_uint32_t all, apr_uint32_t bad)
{
    lbs_window_sum_t parts[LBS_WINDOW_CELLS];
    int i;

    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        parts[i] = (lbs_window_sum_t){all, bad};
    }
    lbs_evidence_others(&evidence, parts);
}

static void well(int times)
{
    while (times-- > 0) {
        lbs_evidence_answer(&evidence, WINDOW, 0, now);
        lbs_evidence_answered_well(&evidence);
    }
}

/* So many 5xx, to so many visitors in turn. */
static void err(int times, unsigned visitors)
{
    int i;

    for (i = 0; i < times; i++) {
        lbs_evidence_answer(&evidence, WINDOW, 1, now);
        lbs_evidence_visitor(&evidence, WINDOW,
                             ((unsigned)i % visitors + 1)
                                 * APR_UINT64_C(0x9e3779b97f4a7c15),
                             now);
    }
}

static int convicts(void)
{
    return lbs_evidence_convicts(&evidence, WINDOW, now);
}

static void what_it_takes(void)
{
    start();
    others(10, 1);
    err(9, 9);
    is_int(convicts(), 0, "nine answers of 5xx are too few");
    err(1, 1);
    is_int(convicts(), 1, "ten, to five visitors and more, are evidence");
    well(10);
    is_int(convicts(), 1, "half of the answers");
    well(1);
    is_int(convicts(), 0, "less than half is none");

    start();
    others(10, 1);
    err(1000, 4);
    is_int(convicts(), 0, "four visitors are none, however often they ask");
    err(5, 5);
    is_int(convicts(), 1, "five are");
}

static void the_others(void)
{
    start();
    err(100, 100);
    is_int(convicts(), 0, "nobody else was asked");
    others(9, 0);
    is_int(convicts(), 0, "the others gave nine answers");
    others(10, 2);
    is_int(convicts(), 0, "more than a tenth of theirs is 5xx, too");
    others(1000, 1000);
    is_int(convicts(), 0, "an error that all give alike");
    others(1000, 100);
    is_int(convicts(), 1, "a tenth is the application's everyday life");
}

/* What the others answered in parts of the window. */
static void others_lately(apr_uint32_t from, lbs_window_sum_t late,
                          lbs_window_sum_t all)
{
    lbs_window_sum_t parts[LBS_WINDOW_CELLS];
    apr_uint32_t i;

    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        parts[i] = i <= from ? late : all;
    }
    lbs_evidence_others(&evidence, parts);
}

static void who_was_well_until_a_moment_ago(void)
{
    static const lbs_window_sum_t fine = {100, 0}, many = {1000, 20};
    static const lbs_window_sum_t few = {9, 0}, alike = {40, 20};

    start();
    well(200);
    now += 3 * SEC;
    others_lately(1, fine, many);
    err(9, 9);
    is_int(convicts(), 0, "nine lately are too few");
    err(1, 1);
    is_int(convicts(), 1, "ten are enough, though 200 before were well");
    is_int(lbs_evidence_blame(&evidence, WINDOW, now), 1000,
           "and all the blame is its own");
    others_lately(1, few, many);
    is_int(convicts(), 0, "the others gave nine since");
    others_lately(1, alike, many);
    is_int(convicts(), 0, "they give the same since");
    others_lately(1, fine, many);
    well(3);
    is_int(convicts(), 1, "three good ones between");
    well(1);
    is_int(convicts(), 0, "four are too many");
}

static void only_the_window_counts(void)
{
    start();
    others(100, 0);
    err(10, 5);
    now += 5 * SEC;
    is_int(convicts(), 1, "five seconds later it counts");
    now += 6 * SEC;
    is_int(convicts(), 0, "eleven seconds later it does not");
    err(9, 5);
    is_int(convicts(), 0, "and what comes then begins at nothing");
    err(1, 5);
    is_int(convicts(), 1, "with visitors of its own");
    lbs_evidence_forget(&evidence);
    is_int(convicts(), 0, "forgotten answers do not count");
}

/* A slow twin that keeps everything. */
static void visitors_come_and_go(void)
{
    apr_uint64_t last[16] = {0};
    apr_uint32_t seed = 1;
    int wrong = 0;
    int i;

    start();
    others(100, 0);
    err(10, 1);
    now += 20 * SEC;
    for (i = 0; i < 20000; i++) {
        unsigned who, seen = 0, at;

        seed = seed * 1664525 + 1013904223;
        who = seed >> 28;
        who = who < 10 ? who % 4 : who;
        now += (seed >> 8 & 0xff) * 20 * MS;
        last[who] = now;
        lbs_evidence_answer(&evidence, WINDOW, 1, now);
        lbs_evidence_visitor(&evidence, WINDOW,
                             (who + 1) * APR_UINT64_C(0x9e3779b97f4a7c15),
                             now);
        for (at = 0; at < 16; at++) {
            /* Eighths: what is older than seven of them may be gone. */
            seen += last[at] != 0
                    && lbs_window_age(lbs_window_epoch(WINDOW, last[at]),
                                      lbs_window_epoch(WINDOW, now))
                           < LBS_WINDOW_CELLS;
        }
        if (lbs_window_sum(&evidence.answers, WINDOW, now).bad >= 10
            && convicts() != (seen >= 5)) {
            wrong++;
        }
    }
    is_int(wrong, 0,
           "20 000 times the same as a twin that keeps all visitors");
}

static void blame(void)
{
    start();
    err(1, 1);
    is_int(lbs_evidence_blame(&evidence, WINDOW, now), 0,
           "nobody else was asked: no blame");
    others(10, 0);
    is_int(lbs_evidence_blame(&evidence, WINDOW, now), 200,
           "one visitor is a fifth of it");
    err(4, 5);
    is_int(lbs_evidence_blame(&evidence, WINDOW, now), 800, "four");
    err(5, 5);
    is_int(lbs_evidence_blame(&evidence, WINDOW, now), 1000, "five are all");
    others(10, 5);
    is_int(lbs_evidence_blame(&evidence, WINDOW, now), 500,
           "errors that the others give as well are not its own");
    well(30);
    is_int(lbs_evidence_blame(&evidence, WINDOW, now), 0,
           "less than the others: none");
}

static void five_in_a_row_will_do(void)
{
    int i;

    start();
    others(10, 0);
    for (i = 0; i < 5; i++) {
        err(1, 1);
        lbs_evidence_charged(&evidence, now, now);
        now += 10 * MS;
    }
    is_int(lbs_evidence_blame(&evidence, WINDOW, now), 1000,
           "one visitor's five, and nothing else");
    well(5);
    is_int(lbs_evidence_blame(&evidence, WINDOW, now), 100,
           "with others between, half of a fifth");
}

static void a_charge_ends(void)
{
    start();
    is_int(lbs_evidence_is_over(&evidence, now), 0, "never charged");
    lbs_evidence_charged(&evidence, now, now);
    is_int(lbs_evidence_is_over(&evidence, now + 999 * MS), 0,
           "the first lasts a second");
    is_int(lbs_evidence_is_over(&evidence, now + SEC), 1, "then it is over");
    is_int(lbs_evidence_is_over(&evidence, now + 2 * SEC), 0, "once");
    now += 2 * SEC;
    lbs_evidence_charged(&evidence, now, now);
    is_int(lbs_evidence_is_over(&evidence, now + SEC), 0,
           "the second in a row lasts longer");
    is_int(lbs_evidence_is_over(&evidence, now + 2 * SEC), 1, "two seconds");
    now += 2 * SEC;
    well(1);
    lbs_evidence_charged(&evidence, now, now);
    is_int(lbs_evidence_is_over(&evidence, now + SEC), 1,
           "after an answer it is the first again");
}

static void charges_double_up_to_eight_seconds(void)
{
    int i;

    start();
    for (i = 0; i < 100; i++) {
        lbs_evidence_charged(&evidence, now, now);
        now += SEC / 2;
    }
    now -= SEC / 2;
    is_int(lbs_evidence_is_over(&evidence, now + 7 * SEC), 0,
           "the hundredth lasts long");
    is_int(lbs_evidence_is_over(&evidence, now + 8 * SEC), 1,
           "but no more than eight seconds");
    now += 69 * SEC;
    lbs_evidence_charged(&evidence, now, now);
    is_int(lbs_evidence_is_over(&evidence, now + SEC), 1,
           "a minute later a row is forgotten");
}

static void what_fails_together_is_one(void)
{
    apr_uint64_t began;
    int i;

    start();
    began = now - 10 * MS;
    for (i = 0; i < 20; i++) {
        now += MS;
        lbs_evidence_charged(&evidence, began, now);
    }
    is_int(lbs_evidence_is_over(&evidence, now + SEC), 1,
           "twenty under way at once are one charge");
}

static void begins_anew(void)
{
    start();
    err(10, 5);
    others(10, 0);
    lbs_evidence_charged(&evidence, now, now);
    now += SEC;
    is_int(lbs_evidence_is_recent(&evidence, now - SEC), 1,
           "an attempt that began before counts");
    lbs_evidence_begin_anew(&evidence, now);
    is_int(lbs_evidence_is_recent(&evidence, now - 1), 0,
           "but not once the member is back");
    is_int(lbs_evidence_is_recent(&evidence, now), 1, "only what begins then");
    is_int(convicts(), 0, "its old answers are forgotten");
    is_int(lbs_evidence_is_over(&evidence, now + SEC), 0,
           "and there is no charge to end");
}

/* Traffic ----------------------------------------------------------------- */

/* One of three members, for a minute, in steps of 10 ms. Visitors come once,
 * from a minute before on; the member's answers to some of them are 5xx. A few
 * others ask again and again for a page that is broken everywhere. */
#define STEP (10 * MS)

typedef struct traffic_t {
    double visitors;   /* a second */
    double broken;     /* the part of their answers that is 5xx, in the second
                          minute */
    double asks;       /* a second, for the broken page */
    unsigned sessions; /* that ask for it */
} traffic_t;

static apr_uint64_t chance;

static apr_uint64_t draw(void)
{
    chance += APR_UINT64_C(0x9e3779b97f4a7c15);
    return lbs_hash_mix(chance);
}

static int happens(double probability)
{
    return (double)(draw() >> 11) * 0x1p-53 < probability;
}

static void answer(int error, apr_uint64_t visitor)
{
    lbs_evidence_answer(&evidence, WINDOW, error, now);
    if (error) {
        lbs_evidence_visitor(&evidence, WINDOW, visitor, now);
    }
    else {
        lbs_evidence_met(&evidence, WINDOW, visitor, now);
    }
}

/* @return seconds of the second minute until it is convicted; 60: never */
static double convicted_after(const traffic_t *t, apr_uint64_t seed)
{
    double step = (double)STEP / (double)SEC;
    int i;

    start();
    chance = seed << 32;
    for (i = 0; i < 12000; i++, now += STEP) {
        int late = i >= 6000;

        if (happens(t->visitors * step)) {
            answer(late && happens(t->broken), draw());
        }
        if (late && happens(t->asks * step)) {
            answer(1, lbs_hash_mix(1 + draw() % t->sessions));
        }
        if (i % 10 == 0) {
            others(200, 0);
            if (convicts()) {
                return (i - 6000) * step;
            }
        }
    }
    return 60;
}

/* @return of a hundred members of such traffic, how many are convicted within
 * some seconds */
static int convicted(const traffic_t *t, double within)
{
    apr_uint64_t seed;
    int count = 0;

    for (seed = 1; seed <= 100; seed++) {
        count += convicted_after(t, seed) < within;
    }
    return count;
}

static void a_few_who_ask_for_a_broken_page(void)
{
    static const traffic_t five = {10 / 3.0, 0, 20, 5};
    static const traffic_t ten = {10 / 3.0, 0, 20, 10};
    static const traffic_t busy = {100 / 3.0, 0, 200, 20};

    is_int(convicted(&five, 60), 0,
           "five sessions, 20 a second, beside 10 visitors: never");
    is_int(convicted(&ten, 60), 0, "ten sessions neither");
    is_int(convicted(&busy, 60), 0, "nor twenty beside 100 visitors");
}

static void a_member_that_is_at_fault(void)
{
    static const traffic_t all = {20, 1, 0, 1};
    static const traffic_t most = {20, 0.8, 0, 1};
    static const traffic_t quiet = {2, 1, 0, 1};
    static const traffic_t both = {20, 1, 20, 5};

    is_int(convicted(&all, 8), 100, "5xx for everybody");
    is_int(convicted(&most, 11), 100, "5xx for four of five");
    is_int(convicted(&quiet, 20), 100, "at two visitors a second");
    is_int(convicted(&both, 8), 100, "also where some ask for a broken page");
}

int main(void)
{
    what_it_takes();
    a_few_who_ask_for_a_broken_page();
    a_member_that_is_at_fault();
    the_others();
    who_was_well_until_a_moment_ago();
    only_the_window_counts();
    visitors_come_and_go();
    blame();
    five_in_a_row_will_do();
    a_charge_ends();
    charges_double_up_to_eight_seconds();
    what_fails_together_is_one();
    begins_anew();
    return done_testing();
}
