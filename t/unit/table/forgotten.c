/* SPDX-License-Identifier: Apache-2.0 */
#include "src/table/lbs_forgotten.h"
#include "t/unit/tap.h"

#define NOW 1700000000u

static lbs_forgotten_t forgotten;

static void members(void)
{
    ok(!lbs_forgotten_has(&forgotten, 3, NOW, 77), "nothing is forgotten");
    lbs_forgotten_add_member(&forgotten, 3, NOW);
    ok(lbs_forgotten_has(&forgotten, 3, NOW - 5, 77), "an older token is");
    ok(lbs_forgotten_has(&forgotten, 3, NOW, 77), "and one of that second");
    ok(!lbs_forgotten_has(&forgotten, 3, NOW + 1, 77), "a younger is not");
    ok(!lbs_forgotten_has(&forgotten, 4, NOW - 5, 77), "nor is another's");
    ok(lbs_forgotten_has_member(&forgotten, 3, NOW), "any session of it");
    ok(!lbs_forgotten_has_member(&forgotten, 3, NOW + 1), "until then");
    lbs_forgotten_add_member(&forgotten, LBS_TABLE_SLOTS, NOW);
    ok(!lbs_forgotten_has(&forgotten, LBS_TABLE_SLOTS, 1, 77),
       "no member, no harm");
    is_int(lbs_forgotten_count(&forgotten), 1, "one order is counted");
}

static void sessions(void)
{
    apr_uint64_t hash;
    int all = 1;

    lbs_forgotten_add_session(&forgotten, 77);
    is_int(lbs_forgotten_count(&forgotten), 2, "and a session");
    is_int(lbs_forgotten_session(&forgotten, LBS_FORGOTTEN_SESSIONS - 1), 77,
           "which is the youngest");
    is_int(lbs_forgotten_session(&forgotten, 0), 0, "and the only one");
    ok(lbs_forgotten_has(&forgotten, 4, NOW + 9, 77), "one session is");
    ok(!lbs_forgotten_has_member(&forgotten, 4, NOW + 9),
       "which says nothing of the member");
    ok(!lbs_forgotten_has(&forgotten, 4, NOW + 9, 78), "others are not");
    ok(!lbs_forgotten_has(&forgotten, 4, NOW + 9, 0), "0 is no session");
    for (hash = 1000; hash < 1000 + LBS_FORGOTTEN_SESSIONS; hash++) {
        lbs_forgotten_add_session(&forgotten, hash);
    }
    for (hash = 1000; hash < 1000 + LBS_FORGOTTEN_SESSIONS; hash++) {
        all &= lbs_forgotten_has(&forgotten, 4, NOW + 9, hash);
    }
    ok(all, "as many as there is room for");
    ok(!lbs_forgotten_has(&forgotten, 4, NOW + 9, 77), "the oldest is gone");
    is_int(lbs_forgotten_session(&forgotten, 0), 1000, "the next is first");
    is_int(lbs_forgotten_session(&forgotten, LBS_FORGOTTEN_SESSIONS - 1),
           999 + LBS_FORGOTTEN_SESSIONS, "the youngest last");
}

int main(void)
{
    members();
    sessions();
    return done_testing();
}
