/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_admin_found.c - see lbs_admin_found.h. */
#include "src/httpd/status/lbs_admin_found.h"

#include <apr_strings.h>

#include "src/httpd/shared/lbs_wishes.h"

int lbs_admin_found_change(apr_pool_t *memory, const lbs_pool_t *pool,
                           const lbs_member_t *member,
                           const lbs_change_t *change, const char *reason,
                           apr_uint32_t *slot, const char **wrong)
{
    lbs_wish_t wish = {.pool_slot = pool->slot,
                       .weight = change->weight_centi,
                       .lbset = change->lbset,
                       .deadline = change->deadline,
                       .idle = change->idle};
    lbs_wish_answer_t answer;

    wish.kind =
        change->action == LBS_CHANGE_ADD ? LBS_WISH_ADD : LBS_WISH_REMOVE;
    if (member != NULL) {
        wish.member_slot = member->slot;
    }
    if (change->url != NULL) {
        apr_cpystrn(wish.url, change->url, sizeof(wish.url));
    }
    apr_cpystrn(wish.reason, reason, sizeof(wish.reason));
    lbs_wishes_ask(&wish, &answer);
    *slot = answer.slot;
    *wrong = apr_pstrdup(memory, answer.text);
    return (int)answer.status;
}
