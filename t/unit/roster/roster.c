/* SPDX-License-Identifier: Apache-2.0 */
#include "src/roster/lbs_roster.h"
#include "t/unit/tap.h"

static lbs_roster_t roster;

static void test_seats(void)
{
    lbs_roster_place_t place, other;
    apr_time_t now = apr_time_from_sec(100);
    int a, b;

    is_int(lbs_roster_count(&roster), 0, "all zero: nobody");
    a = lbs_roster_take(&roster, 2, 0, 0, now);
    b = lbs_roster_take(&roster, 2, 8190, 99, now);
    ok(a == 0 && b == 1, "two seats");
    is_int(lbs_roster_take(&roster, 2, 5, 0, now), LBS_ROSTER_NONE, "no more");
    ok(lbs_roster_at(&roster, a, &place) && place.slot == 0, "slot 0");
    ok(lbs_roster_at(&roster, b, &place) && place.slot == 8190
           && place.lbset == 99,
       "and the last one");
    is_int(lbs_roster_find(&roster, 8190), b, "found by its slot");
    is_int(lbs_roster_find(&roster, 1), LBS_ROSTER_NONE, "another is not");
    (void)lbs_roster_at(&roster, a, &place);
    lbs_roster_vacate(&roster, a, now);
    ok(!lbs_roster_at(&roster, a, &other), "it went");
    ok(!lbs_roster_has_room(&roster, 2, now + LBS_ROSTER_REST - 1),
       "its seat rests");
    is_int(lbs_roster_take(&roster, 2, 0, 0, now + LBS_ROSTER_REST), a,
           "and is given again");
    ok(lbs_roster_at(&roster, a, &other) && other.slot == place.slot
           && other.turn != place.turn,
       "also to the same slot it is another's");
    (void)lbs_roster_at(&roster, b, &place);
    lbs_roster_move(&roster, b, 3);
    ok(lbs_roster_at(&roster, b, &other) && other.lbset == 3
           && other.turn != place.turn,
       "another lbset is seen");
    is_int(lbs_roster_count(&roster), 2, "two are there");
}

static void test_words(void)
{
    apr_uint32_t said;
    int kind;

    is_str(lbs_roster_why(LBS_ROSTER_GOOD), "", "nothing is wrong");
    for (said = 0; said < LBS_ROSTER_SAIDS; said++) {
        ok(said == LBS_ROSTER_GOOD || *lbs_roster_why(said), "why %u", said);
    }
    is_str(lbs_roster_why(LBS_ROSTER_SAIDS), "", "no such word");
    for (kind = 0; kind < LBS_ROSTER_KINDS; kind++) {
        ok(*lbs_roster_kind_name((lbs_roster_kind_t)kind), "kind %d", kind);
    }
}

int main(void)
{
    test_seats();
    test_words();
    return done_testing();
}
