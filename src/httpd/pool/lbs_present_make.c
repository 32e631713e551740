/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_present_make.c - a turn: the pools with their members of one moment.
 *
 * A found member has a pool of memory of its own, in which its worker and all
 * connections to it live, and is shared by the turns that have it.
 */
#include <apr_strings.h>
#include <string.h>

#include "src/affinity/lbs_token.h"
#include "src/base/lbs_plain.h"
#include "src/httpd/pool/lbs_present_int.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/proxy/lbs_lent.h"
#include "src/httpd/proxy/lbs_worker_found.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/roster/lbs_list.h"

typedef struct found_t {
    lbs_member_t member;
    lbs_roster_place_t place;
    apr_uint32_t pool_slot;
    apr_pool_t *memory;
    int turns; /* that have it */
    struct found_t *next;
} found_t;

static found_t *all_found; /* of this process */

/* Members ---------------------------------------------------------------- */

static void drop(found_t *found)
{
    found_t **link = &all_found;

    if (--found->turns > 0) {
        return;
    }
    while (*link != found) {
        link = &(*link)->next;
    }
    *link = found->next;
    apr_pool_destroy(found->memory); /* and found, and its connections */
}

/* The pools' first BalancerMember gives the parameters. */
static proxy_worker *make_worker(const lbs_pool_t *pool, const found_t *found,
                                 int usable)
{
    const lbs_member_t *m = &found->member;
    const char *wrong = NULL;
    proxy_worker *worker = lbs_worker_found_make(
        &(lbs_worker_found_t){.model = pool->model,
                              .url = m->place,
                              .route = m->route,
                              .lbset = (int)found->place.lbset,
                              .server = pool->server},
        found->memory, &wrong);

    if (worker != NULL && usable) {
        wrong = lbs_worker_found_ready(worker, pool->server, found->memory);
    }
    if (wrong != NULL) {
        ap_log_error(
            APLOG_MARK, APLOG_ERR, 0, pool->server,
            LBSNO(1110) "pool %s: the member %s that was found gets "
                        "no requests in this process: %s; correct its line in "
                        "the file of LBStickyDiscover",
            pool->name, m->name, wrong);
        return NULL;
    }
    if (usable && lbs_lent_pushes(worker)) {
        lbs_lent_watch(worker);
    }
    return worker;
}

static const char *place_of(const found_t *found)
{
    static const lbs_net_t none;
    const char *name = found->member.name;

    return memcmp(&found->place.net, &none, sizeof(none)) == 0
               ? name
               : lbs_list_place(found->memory, name, &found->place.net);
}

/* @param info  of the slot in the registry */
static void fill(found_t *found, const lbs_pool_t *pool,
                 const lbs_registry_member_info_t *info, apr_size_t index)
{
    lbs_registry_t *registry = lbs_runtime()->registry;
    lbs_member_t *m = &found->member;

    m->index = index;
    m->found = lbs_roster_by_name(found->place.by);
    m->name = apr_pstrdup(found->memory, info->url);
    m->place = place_of(found);
    m->plain = (lbs_slice_t){m->place, lbs_plain_url(m->place)};
    m->route = apr_pstrdup(found->memory, info->route);
    m->slot = found->place.slot;
    m->token_id =
        lbs_token_member_id(pool->name, *m->route ? m->route : m->name);
    m->gauge = &lbs_registry_gauges(registry)[m->slot];
    m->record = lbs_registry_member_record(registry, m->slot);
    m->seat = &pool->roster->seat[index - pool->configured];
    m->turn = found->place.turn;
}

/* @return NULL: it cannot be made here, or is gone already */
static found_t *make(const lbs_pool_t *pool, const lbs_roster_place_t *place,
                     apr_size_t index, int usable)
{
    lbs_registry_member_info_t info;
    apr_pool_t *memory;
    found_t *found;

    if (lbs_registry_member_info(lbs_runtime()->registry, place->slot, &info)
            != APR_SUCCESS
        || info.pool_slot != pool->slot) {
        return NULL;
    }
    apr_pool_create(&memory, NULL);
    apr_pool_tag(memory, "lbsticky member");
    found = apr_pcalloc(memory, sizeof(*found));
    found->memory = memory;
    found->place = *place;
    found->pool_slot = pool->slot;
    fill(found, pool, &info, index);
    found->member.worker = make_worker(pool, found, usable);
    if (found->member.worker == NULL) {
        apr_pool_destroy(memory);
        return NULL;
    }
    found->next = all_found;
    all_found = found;
    return found;
}

static found_t *find_or_make(const lbs_pool_t *pool,
                             const lbs_roster_place_t *place, apr_size_t index,
                             int usable)
{
    found_t *found = all_found;

    while (found != NULL
           && (found->pool_slot != pool->slot
               || found->place.turn != place->turn
               || found->place.lbset != place->lbset
               || found->place.by != place->by
               || found->place.slot != place->slot)) {
        found = found->next;
    }
    return found != NULL ? found : make(pool, place, index, usable);
}

/* Pools ------------------------------------------------------------------ */

static int has_member(const lbs_present_turn_t *turn, const found_t *found)
{
    int i;

    for (i = 0; i < turn->members->nelts; i++) {
        if (APR_ARRAY_IDX(turn->members, i, found_t *) == found) {
            return 1;
        }
    }
    return 0;
}

static void seat(lbs_present_turn_t *turn, lbs_pool_t *pool, found_t *found)
{
    lbs_member_t *m = &found->member;

    /* Virtual hosts that inherit a pool have the same members. */
    if (!has_member(turn, found)) {
        APR_ARRAY_PUSH(turn->members, found_t *) = found;
        found->turns++;
    }
    pool->member[m->index] = m;
    pool->gauges[m->index] = m->gauge;
    turn->pools.member_at[m->slot] = (apr_uint16_t)(m->index + 1);
    if (*m->route) {
        apr_hash_set(pool->by_route, m->route, APR_HASH_KEY_STRING, m);
    }
    apr_hash_set(pool->by_token_id, &m->token_id, sizeof(m->token_id), m);
}

static void view_plan(lbs_present_turn_t *turn, lbs_pool_t *pool)
{
    lbs_plan_member_t *facts =
        apr_pcalloc(turn->memory, sizeof(*facts) * pool->count);
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        const lbs_member_t *m = pool->member[i];

        facts[i].slot = m->slot;
        facts[i].vacant = m->worker == NULL;
        if (m->worker != NULL) {
            facts[i].identity = m->token_id;
            facts[i].weight = lbs_worker_weight(m->worker);
            facts[i].lbset = (apr_uint32_t)lbs_worker_lbset(m->worker);
        }
    }
    pool->plan = lbs_plan_view(pool->plan, facts, turn->memory);
    pool->pick.plan = pool->plan;
}

static lbs_pool_t *make_pool(lbs_present_turn_t *turn,
                             const lbs_pool_t *configured, int usable)
{
    lbs_pool_t *pool =
        apr_pmemdup(turn->memory, configured, sizeof(*configured));
    int i, seats = (int)(pool->count - pool->configured);

    pool->member_at = turn->pools.member_at;
    pool->member = apr_pmemdup(turn->memory, configured->member,
                               sizeof(*pool->member) * pool->count);
    pool->gauges = apr_pmemdup(turn->memory, configured->gauges,
                               sizeof(*pool->gauges) * pool->count);
    pool->due = apr_pcalloc(turn->memory, pool->count);
    pool->errors =
        apr_pcalloc(turn->memory, sizeof(*pool->errors) * pool->count);
    pool->by_route = apr_hash_copy(turn->memory, configured->by_route);
    pool->by_token_id = apr_hash_copy(turn->memory, configured->by_token_id);
    for (i = 0; i < seats; i++) {
        lbs_roster_place_t place;
        found_t *found;

        if (lbs_roster_at(pool->roster, i, &place)) {
            found = find_or_make(configured, &place,
                                 pool->configured + (apr_size_t)i, usable);
            if (found != NULL) {
                seat(turn, pool, found);
            }
        }
    }
    view_plan(turn, pool);
    return pool;
}

void lbs_present_make(lbs_present_turn_t *turn, apr_uint64_t version,
                      int usable)
{
    const lbs_pools_t *configured = lbs_pools_configured();
    apr_size_t bytes = LBS_REGISTRY_MEMBERS * sizeof(apr_uint16_t);
    int i;

    apr_pool_create(&turn->memory, NULL);
    apr_pool_tag(turn->memory, "lbsticky turn");
    turn->version = version;
    turn->members = apr_array_make(turn->memory, 16, sizeof(found_t *));
    turn->pools.member_at =
        apr_pmemdup(turn->memory, configured->member_at, bytes);
    turn->pools.all = apr_array_make(turn->memory, configured->all->nelts,
                                     sizeof(lbs_pool_t *));
    for (i = 0; i < configured->all->nelts; i++) {
        lbs_pool_t *pool = APR_ARRAY_IDX(configured->all, i, lbs_pool_t *);

        APR_ARRAY_PUSH(turn->pools.all, lbs_pool_t *) =
            pool->roster != NULL ? make_pool(turn, pool, usable) : pool;
    }
}

void lbs_present_unmake(lbs_present_turn_t *turn)
{
    int i;

    for (i = 0; i < turn->members->nelts; i++) {
        drop(APR_ARRAY_IDX(turn->members, i, found_t *));
    }
    apr_pool_destroy(turn->memory);
    turn->memory = NULL;
}
