/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_away.c - see lbs_away.h. */
#include "src/httpd/decide/lbs_away.h"

#include "src/httpd/decide/lbs_extract.h"
#include "src/pick/lbs_stand_in.h"

int lbs_away_choose(const lbs_ask_t *ask, const lbs_visit_t *visit,
                    const lbs_pick_ask_t *pick)
{
    const lbs_pool_t *pool = ask->pool;
    unsigned char *stands = apr_palloc(ask->r->pool, pool->count);
    apr_uint64_t session =
        lbs_extract_pick_hash(ask->r, pool, visit->pick_value);
    apr_uint64_t highest = 0;
    int best = LBS_NO_MEMBER;
    apr_size_t i;

    lbs_pick_survey(&pool->pick, pick, stands);
    for (i = 0; i < pool->count; i++) {
        const lbs_member_t *m = pool->member[i];
        apr_uint32_t weight = lbs_atomic_load32_relaxed(&m->gauge->weight);
        apr_uint64_t score;

        if (stands[i] != LBS_PICK_STANDS_OPEN || weight == 0) {
            continue;
        }
        score = lbs_stand_in_score(session, m->token_id, weight);
        if (best == LBS_NO_MEMBER || score > highest) {
            highest = score;
            best = (int)i;
        }
    }
    return best;
}
