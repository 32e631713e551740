/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_last_resort.c - see lbs_last_resort.h. */
#include "src/httpd/decide/lbs_last_resort.h"

#include "src/httpd/shared/lbs_runtime.h"

/* Closed by nothing but these. */
static int is_closed_by(const lbs_member_t *m, apr_uint32_t reasons)
{
    apr_uint32_t closed = lbs_gauge_flags(m->gauge) & LBS_F_CLOSED_NEW;

    return closed != 0 && (closed & ~reasons) == 0
           && lbs_atomic_load32_relaxed(&m->gauge->weight) != 0;
}

int lbs_last_resort_is_down(const lbs_member_t *m)
{
    return is_closed_by(m, LBS_F_DOWN | LBS_F_DRAIN)
           && lbs_check_is_in_doubt(&m->record->check);
}

static int is_untrusted(const lbs_member_t *m)
{
    return is_closed_by(m, LBS_F_EJECTED)
           || (is_closed_by(m, LBS_F_EJECTED | LBS_F_DOWN)
               && lbs_check_is_in_doubt(&m->record->check));
}

int lbs_last_resort_find(const lbs_pool_t *pool, const lbs_choice_t *choice)
{
    apr_uint64_t longest = 0;
    int best = LBS_NO_MEMBER;
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        const lbs_member_t *m = pool->member[i];
        apr_uint64_t since = lbs_atomic_load64_relaxed(&m->record->since);

        if (is_untrusted(m) && !lbs_choice_tried(choice, (int)i)
            && (best == LBS_NO_MEMBER || since < longest)) {
            longest = since;
            best = (int)i;
        }
    }
    return best;
}
