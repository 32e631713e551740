/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_decision.h"
#include "t/unit/tap.h"

/* The names are a promise: logs and dashboards match on them. */
static void names(void)
{
    is_str(lbs_decision_name(LBS_DECISION_NONE), "none", "none");
    is_str(lbs_decision_name(LBS_DECISION_NEW), "new", "new");
    is_str(lbs_decision_name(LBS_DECISION_KEPT), "kept", "kept");
    is_str(lbs_decision_name(LBS_DECISION_MOVED), "moved", "moved");
    is_str(lbs_decision_name(LBS_DECISION_REFUSED), "refused", "refused");
    is_str(lbs_decision_name(LBS_DECISION_LOCAL), "local", "local");
    is_str(lbs_reason_name(LBS_REASON_NONE), "", "no reason");
    is_str(lbs_reason_name(LBS_REASON_FORGED), "forged", "forged");
    is_str(lbs_reason_name(LBS_REASON_FAILBACK), "failback", "failback");
    is_str(lbs_reason_name(LBS_REASON_ADOPTED), "adopted", "adopted");
    is_str(lbs_decision_name((lbs_decision_t)99), "none", "no decision");
    is_str(lbs_reason_name((lbs_reason_t)-1), "", "no such reason");
}

static int reasons_of(lbs_decision_t decision)
{
    return __builtin_popcount(lbs_decision_reasons(decision));
}

static void reasons(void)
{
    int d, r, stray = 0;

    is_int(reasons_of(LBS_DECISION_NEW), 6, "six reasons for a new one");
    is_int(reasons_of(LBS_DECISION_MOVED), 8, "eight for a move");
    is_int(reasons_of(LBS_DECISION_REFUSED), 2, "two for a refusal");
    is_int(reasons_of(LBS_DECISION_KEPT), 1, "kept needs none");
    is_int(reasons_of(LBS_DECISION_NONE), 1, "nor does a pool without keys");
    is_int(reasons_of((lbs_decision_t)99), 0, "what does not exist has none");

    for (d = LBS_DECISION_NEW; d < LBS_DECISIONS; d++) {
        for (r = -1; r <= LBS_REASONS; r++) {
            lbs_reason_t got =
                lbs_decision_reason((lbs_decision_t)d, (lbs_reason_t)r);

            stray += (lbs_decision_reasons((lbs_decision_t)d) >> got & 1) == 0;
        }
    }
    is_int(stray, 0, "every decision falls under one of its own reasons");
    is_int(lbs_decision_reason(LBS_DECISION_REFUSED, LBS_REASON_DISABLED),
           LBS_REASON_DOWN, "refused with all disabled counts as down");
    is_int(lbs_decision_reason(LBS_DECISION_MOVED, LBS_REASON_FULL),
           LBS_REASON_FULL, "a reason of its own is kept");
}

int main(void)
{
    names();
    reasons();
    return done_testing();
}
