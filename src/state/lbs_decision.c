/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_decision.h"

#define BIT(reason) (1u << (reason))

_Static_assert(LBS_REASONS <= 32, "reasons fit into a mask");

/* One row per decision: its name, the reasons it is counted under, and the
 * reason that stands for all others. */
static const struct {
    const char *name;
    apr_uint32_t reasons;
    lbs_reason_t general;
} decisions[LBS_DECISIONS] = {
    [LBS_DECISION_NONE] = {"none", BIT(LBS_REASON_NONE), LBS_REASON_NONE},
    [LBS_DECISION_NEW] = {"new",
                          BIT(LBS_REASON_FIRST) | BIT(LBS_REASON_UNKNOWN)
                              | BIT(LBS_REASON_EXPIRED)
                              | BIT(LBS_REASON_FORGED)
                              | BIT(LBS_REASON_ADOPTED)
                              | BIT(LBS_REASON_RELEASED),
                          LBS_REASON_UNKNOWN},
    [LBS_DECISION_KEPT] = {"kept", BIT(LBS_REASON_NONE), LBS_REASON_NONE},
    [LBS_DECISION_MOVED] = {"moved",
                            BIT(LBS_REASON_DOWN) | BIT(LBS_REASON_EJECTED)
                                | BIT(LBS_REASON_DISABLED)
                                | BIT(LBS_REASON_REMOVED)
                                | BIT(LBS_REASON_DRAINED)
                                | BIT(LBS_REASON_FULL)
                                | BIT(LBS_REASON_FAILBACK)
                                | BIT(LBS_REASON_ASKED),
                            LBS_REASON_DOWN},
    [LBS_DECISION_REFUSED] = {"refused",
                              BIT(LBS_REASON_DOWN) | BIT(LBS_REASON_FULL),
                              LBS_REASON_DOWN},
    [LBS_DECISION_LOCAL] = {"local", BIT(LBS_REASON_NONE), LBS_REASON_NONE},
};

static const char *const reasons[LBS_REASONS] = {
    [LBS_REASON_NONE] = "",           [LBS_REASON_FIRST] = "first",
    [LBS_REASON_UNKNOWN] = "unknown", [LBS_REASON_EXPIRED] = "expired",
    [LBS_REASON_FORGED] = "forged",   [LBS_REASON_DOWN] = "down",
    [LBS_REASON_EJECTED] = "ejected", [LBS_REASON_DISABLED] = "disabled",
    [LBS_REASON_REMOVED] = "removed", [LBS_REASON_DRAINED] = "drained",
    [LBS_REASON_FULL] = "full",       [LBS_REASON_FAILBACK] = "failback",
    [LBS_REASON_ADOPTED] = "adopted", [LBS_REASON_RELEASED] = "released",
    [LBS_REASON_ASKED] = "asked",
};

const char *lbs_decision_name(lbs_decision_t decision)
{
    if ((unsigned int)decision >= LBS_DECISIONS) {
        decision = LBS_DECISION_NONE;
    }
    return decisions[decision].name;
}

const char *lbs_reason_name(lbs_reason_t reason)
{
    return (unsigned int)reason < LBS_REASONS ? reasons[reason] : "";
}

apr_uint32_t lbs_decision_reasons(lbs_decision_t decision)
{
    return (unsigned int)decision < LBS_DECISIONS ? decisions[decision].reasons
                                                  : 0;
}

lbs_reason_t lbs_decision_reason(lbs_decision_t decision, lbs_reason_t reason)
{
    if ((unsigned int)decision >= LBS_DECISIONS) {
        return LBS_REASON_NONE;
    }
    if ((unsigned int)reason < LBS_REASONS
        && (decisions[decision].reasons & (1u << reason)) != 0) {
        return reason;
    }
    return decisions[decision].general;
}
