/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_view.c - names, sums and look-ups in the view. */
#include "src/view/lbs_view.h"

#include <string.h>

const char *lbs_view_member_label(const lbs_view_member_t *member)
{
    return member->route[0] != '\0' ? member->route : member->name;
}

apr_uint64_t lbs_view_member_failures(const lbs_view_member_t *member)
{
    apr_uint64_t sum = 0;
    int kind;

    for (kind = 0; kind < LBS_FAILS; kind++) {
        sum += member->failures[kind];
    }
    return sum;
}

int lbs_view_member_serves(const lbs_view_member_t *member)
{
    return member->state != LBS_STATE_STOPPED
           && member->state != LBS_STATE_DISABLED
           && (member->state != LBS_STATE_DOWN || member->ignored)
           && member->state != LBS_STATE_EJECTED;
}

apr_uint64_t lbs_view_pool_decided(const lbs_view_pool_t *pool,
                                   lbs_decision_t decision)
{
    apr_uint64_t sum = 0;
    int reason;

    for (reason = 0; reason < LBS_REASONS; reason++) {
        sum += pool->decisions[decision][reason];
    }
    return sum;
}

apr_uint64_t lbs_view_pool_responses(const lbs_view_pool_t *pool, int hundreds)
{
    apr_uint64_t sum = 0;
    apr_uint32_t i;

    for (i = 0; i < pool->members_count; i++) {
        sum += pool->members[i].responses[hundreds - 1];
    }
    return sum;
}

apr_uint32_t lbs_view_pool_count(const lbs_view_pool_t *pool,
                                 lbs_state_t state)
{
    apr_uint32_t i, count = 0;

    for (i = 0; i < pool->members_count; i++) {
        count += pool->members[i].state == state;
    }
    return count;
}

const lbs_view_pool_t *lbs_view_pool_find(const lbs_view_t *view,
                                          const char *name, const char *vhost)
{
    apr_uint32_t i;

    for (i = 0; i < view->pools_count; i++) {
        const lbs_view_pool_t *pool = &view->pools[i];

        if (strcmp(pool->name, name) == 0
            && (vhost == NULL || strcmp(pool->vhost, vhost) == 0)) {
            return pool;
        }
    }
    return NULL;
}

const lbs_view_member_t *lbs_view_member_find(const lbs_view_pool_t *pool,
                                              const char *who)
{
    apr_uint32_t i;

    for (i = 0; i < pool->members_count; i++) {
        const lbs_view_member_t *member = &pool->members[i];

        if (strcmp(member->id, who) == 0 || strcmp(member->name, who) == 0
            || (who[0] != '\0' && strcmp(member->route, who) == 0)) {
            return member;
        }
    }
    return NULL;
}

double lbs_view_plot_rate(const lbs_view_plot_t *plot, apr_uint32_t seconds,
                          int errors)
{
    apr_uint32_t want, i;
    double sum = 0;

    if (plot->count == 0 || plot->step == 0) {
        return 0;
    }
    want = seconds / plot->step > 0 ? seconds / plot->step : 1;
    want = want < plot->count ? want : plot->count;
    for (i = plot->count - want; i < plot->count; i++) {
        sum += (double)(errors ? plot->points[i].errors
                               : plot->points[i].requests);
    }
    return sum / ((double)want * plot->step);
}
