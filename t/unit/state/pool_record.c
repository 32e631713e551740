/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_pool_record.h"
#include "t/unit/tap.h"

static void pools_count(void)
{
    static lbs_pool_record_t record;
    lbs_pool_record_t *pool = &record;

    lbs_pool_record_decided(pool, LBS_DECISION_NEW, LBS_REASON_FORGED, 5);
    lbs_pool_record_decided(pool, LBS_DECISION_REFUSED, LBS_REASON_DISABLED,
                            6);
    lbs_pool_record_decided(pool, LBS_DECISION_KEPT, LBS_REASON_FULL, 7);
    is_int(lbs_pool_record_count(pool, LBS_DECISION_NEW, LBS_REASON_FORGED), 1,
           "new, forged");
    is_int(lbs_pool_record_count(pool, LBS_DECISION_REFUSED, LBS_REASON_DOWN),
           1, "refused, down");
    is_int(lbs_pool_record_count(pool, LBS_DECISION_KEPT, LBS_REASON_NONE), 1,
           "kept");
    is_int(pool->requests, 3, "each request once");
    is_int(pool->last_request, 7, "the last one then");
}

int main(void)
{
    pools_count();
    return done_testing();
}
