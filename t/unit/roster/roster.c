/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "src/roster/lbs_roster.h"
#include "t/unit/tap.h"

static lbs_roster_t roster;

#define HOLD apr_time_from_sec(30)

static int take(int seats, apr_uint32_t slot, apr_uint32_t lbset,
                apr_time_t now)
{
    lbs_roster_place_t as = {
        .slot = slot, .lbset = lbset, .by = LBS_ROSTER_BY_SRV};

    return lbs_roster_take(&roster, seats, &as, now);
}

static void test_seats(void)
{
    lbs_roster_place_t place, other;
    apr_time_t now = apr_time_from_sec(100);
    int a, b;

    a = take(2, 0, 0, now);
    b = take(2, 8190, 99, now);
    ok(a == 0 && b == 1, "two seats");
    is_int(take(2, 5, 0, now), LBS_ROSTER_NONE, "no more");
    ok(lbs_roster_at(&roster, a, &place) && place.slot == 0, "slot 0");
    ok(lbs_roster_at(&roster, b, &place) && place.slot == 8190
           && place.lbset == 99 && place.by == LBS_ROSTER_BY_SRV,
       "and the last one");
    is_int(lbs_roster_find(&roster, 8190), b, "found by its slot");
    is_int(lbs_roster_find(&roster, 1), LBS_ROSTER_NONE, "another is not");
    (void)lbs_roster_at(&roster, a, &place);
    lbs_roster_vacate(&roster, a, now);
    ok(!lbs_roster_at(&roster, a, &other)
           && lbs_roster_is_past(&roster.seat[a], place.turn),
       "it went");
    ok(!lbs_roster_has_room(&roster, 2, now + LBS_ROSTER_REST - 1),
       "its seat rests");
    is_int(take(2, 0, 0, now + LBS_ROSTER_REST), a, "and is given again");
    ok(lbs_roster_at(&roster, a, &other) && other.slot == place.slot
           && other.turn != place.turn
           && lbs_roster_is_past(&roster.seat[a], place.turn)
           && !lbs_roster_is_past(&roster.seat[a], other.turn),
       "also to the same slot it is another's");
    (void)lbs_roster_at(&roster, b, &place);
    place.lbset = 3;
    place.by = LBS_ROSTER_BY_DNS;
    place.net.byte[15] = 7;
    lbs_roster_move(&roster, b, &place);
    ok(lbs_roster_at(&roster, b, &other) && other.lbset == 3
           && other.by == LBS_ROSTER_BY_DNS && other.net.byte[15] == 7
           && lbs_roster_is_past(&roster.seat[b], place.turn),
       "another address is seen, and is another's");
    other.lbset = 4;
    lbs_roster_move(&roster, b, &other);
    ok(lbs_roster_at(&roster, b, &place) && place.lbset == 4
           && !lbs_roster_is_past(&roster.seat[b], other.turn),
       "another lbset is, and the member is the same");
}

static void test_fewer(void)
{
    apr_time_t now = apr_time_from_sec(100);
    lbs_roster_place_t place;

    memset(&roster, 0, sizeof(roster));
    (void)take(3, 10, 0, now);
    (void)take(3, 11, 0, now);
    lbs_roster_name(&roster, take(3, 12, 0, now), 1);
    is_int(lbs_roster_surplus(&roster, 3), LBS_ROSTER_NONE, "room for all");
    is_int(lbs_roster_surplus(&roster, 2), 2, "one too many: the last");
    lbs_roster_vacate(&roster, 0, now);
    is_int(lbs_roster_surplus(&roster, 2), LBS_ROSTER_NONE, "room again");
    ok(lbs_roster_close_up(&roster, 2), "the last moves up");
    ok(lbs_roster_at(&roster, 0, &place) && place.slot == 12
           && lbs_roster_names(&roster, 0, 1)
           && !lbs_roster_at(&roster, 2, &place),
       "with who names it");
    ok(!lbs_roster_close_up(&roster, 2), "that is all");
}

static void test_naming(void)
{
    apr_uint64_t ids[LBS_ROSTER_SOURCES] = {11, 22, 33};
    apr_time_t now = apr_time_from_sec(100);
    int a;

    memset(&roster, 0, sizeof(roster));
    lbs_roster_sources(&roster, ids, 2);
    a = take(8, 7, 0, now);
    lbs_roster_name(&roster, a, 0);
    lbs_roster_name(&roster, a, 1);
    is_int(lbs_roster_named(&roster, 1), 1, "a source names it");
    ok(!lbs_roster_miss(&roster, a, 0, 2, HOLD, now)
           && !lbs_roster_miss(&roster, a, 0, 2, HOLD, now + HOLD),
       "one misses it, the other does not");
    is_int(lbs_roster_named(&roster, 0), 0, "it counts no more for the one");
    ok(!lbs_roster_miss(&roster, a, 1, 2, HOLD, now)
           && !lbs_roster_miss(&roster, a, 1, 2, HOLD, now + HOLD - 1),
       "a hold for the other");
    lbs_roster_name(&roster, a, 1);
    ok(!lbs_roster_miss(&roster, a, 1, 2, HOLD, now + HOLD),
       "begins anew once it is named");
    ok(!lbs_roster_miss(&roster, a, 1, 9, HOLD, now + 3 * HOLD),
       "so many answers");
    ok(lbs_roster_miss(&roster, a, 1, 2, HOLD, now + 3 * HOLD),
       "nobody names it");

    lbs_roster_name(&roster, a, 1);
    lbs_atomic_store32_relaxed(&roster.source[1].ignored, 5);
    ids[0] = 22;
    ids[1] = 11;
    lbs_roster_sources(&roster, ids, 3);
    is_int(lbs_roster_named(&roster, 0), 1, "sources in another order");
    is_int(lbs_atomic_load32_relaxed(&roster.source[0].ignored), 5,
           "and what is known of them");
    is_int(lbs_roster_named(&roster, 1), 0, "the others do not name it");
    ids[0] = 44;
    lbs_roster_sources(&roster, ids, 1);
    is_int(lbs_roster_named(&roster, 0), 0, "the source is gone");
    ok(lbs_roster_miss(&roster, a, 0, 2, HOLD, now),
       "and nobody names its members");
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
    for (kind = 0; kind < LBS_ROSTER_BYS; kind++) {
        ok(*lbs_roster_by_name((lbs_roster_by_t)kind), "source %d", kind);
    }
}

int main(void)
{
    test_seats();
    test_fewer();
    test_naming();
    test_words();
    return done_testing();
}
