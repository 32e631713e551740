/* SPDX-License-Identifier: Apache-2.0 */
#include "src/roster/lbs_bars.h"
#include "t/unit/tap.h"

static lbs_bars_t bars;

int main(void)
{
    apr_time_t now = apr_time_from_sec(100);
    apr_time_t kept = apr_time_from_sec(30);
    int i, room = 0;

    ok(!lbs_bars_meet(&bars, 5, now), "nobody is barred");
    ok(lbs_bars_put(&bars, 5, now) && lbs_bars_meet(&bars, 5, now), "one is");
    ok(!lbs_bars_meet(&bars, 6, now), "another is not");
    ok(!lbs_bars_meet(&bars, 0, now), "nor one without a name");
    lbs_bars_expire(&bars, kept, now + kept);
    ok(lbs_bars_meet(&bars, 5, now + kept), "it is kept, and named again");
    lbs_bars_expire(&bars, kept, now + 2 * kept);
    ok(lbs_bars_meet(&bars, 5, now + 2 * kept), "which keeps it");
    lbs_bars_expire(&bars, kept, now + 3 * kept + 1);
    ok(!lbs_bars_meet(&bars, 5, now), "until no source names it");
    for (i = 1; i <= LBS_BARS + 1; i++) {
        room += lbs_bars_put(&bars, (apr_uint64_t)i, now);
    }
    is_int(room, LBS_BARS, "as many as there is room for");
    lbs_bars_lift(&bars, 7);
    ok(!lbs_bars_meet(&bars, 7, now) && lbs_bars_put(&bars, 999, now),
       "one is lifted");
    return done_testing();
}
