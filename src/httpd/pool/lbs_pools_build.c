/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pools_build.c - the pools of a configuration, from mod_proxy's balancers
 * and this module's directives.
 */
#include "src/httpd/pool/lbs_pools_build.h"

#include <apr_strings.h>

#include "src/affinity/lbs_token.h"
#include "src/base/lbs_plain.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/config/lbs_walk.h"
#include "src/httpd/pool/lbs_pools_int.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/proxy/lbs_section.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/shared/lbs_shm.h"
#include "src/state/lbs_reclaim.h"

/* Slots ------------------------------------------------------------------
 *
 * `httpd -t` has counted the configured pools and members. Removed ones keep
 * their slots until no session names them; where a reload finds no free slot,
 * those removed first give way. If that is not enough, the pools and members
 * configured last wait for another reload, and httpd goes on without them.
 */

/* The most at a time: each costs a walk over the table. */
#define GIVE_WAY_MEMBERS 2048
#define GIVE_WAY_POOLS 128

/* Pools whose <Proxy> sections are merged once, some KB each. */
#define MOST_SECTIONS 1024

static int make_room(apr_uint32_t members, apr_uint32_t pool_slots)
{
    lbs_runtime_t *rt = lbs_runtime();
    apr_pool_t *scratch;
    apr_uint32_t freed;

    apr_pool_create(&scratch, rt->pool);
    freed = lbs_reclaim_oldest(rt->registry, rt->table, members, pool_slots,
                               lbs_clock_now(), scratch);
    apr_pool_destroy(scratch);
    return freed != 0;
}

static apr_status_t find_slot(const lbs_pool_t *pool, const char *route,
                              const char *url, apr_uint32_t *slot,
                              int *created)
{
    lbs_registry_t *registry = lbs_runtime()->registry;
    apr_status_t rv =
        lbs_registry_member(registry, pool->slot, route, url, slot, created);

    if (APR_STATUS_IS_ENOSPC(rv) && make_room(GIVE_WAY_MEMBERS, 0)) {
        rv = lbs_registry_member(registry, pool->slot, route, url, slot,
                                 created);
    }
    return rv;
}

/* Pools and members that found no slot, for an event. The event is written
 * when the pass is committed, behind those of added and removed members. */
typedef struct left_out_t {
    apr_uint32_t pool_slot;
    const char *what;
} left_out_t;

static apr_array_header_t *left_out; /* left_out_t, from pconf */

static void note_left_out(apr_uint32_t pool_slot, const char *what)
{
    left_out_t *entry = apr_array_push(left_out);

    entry->pool_slot = pool_slot;
    entry->what = what;
}

void lbs_pools_build_tell(void)
{
    lbs_runtime_t *rt = lbs_runtime();
    lbs_clock_t now = lbs_clock_both();
    int i;

    for (i = 0; i < left_out->nelts; i++) {
        const left_out_t *entry = &APR_ARRAY_IDX(left_out, i, left_out_t);

        lbs_registry_tell(
            rt->registry, &now, entry->pool_slot, LBS_REGISTRY_NONE,
            LBS_EVENT_REMOVED,
            apr_pstrcat(rt->pool, "no place for ", entry->what, NULL));
    }
}

/* Members ---------------------------------------------------------------- */

/* @param first  the first of those that found no place */
static void tell_left_out(const lbs_pool_t *pool, int count, const char *first)
{
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, pool->server,
                 LBSNO(1101) "pool %s: there is no place for %d of its "
                             "members, %s the first of them, which get "
                             "nothing; all pools together have at most %d, "
                             "removed ones of the last minutes included: "
                             "reload again in some minutes, or take some out",
                 pool->name, count, first, LBS_REGISTRY_MEMBERS);
    note_left_out(pool->slot, first);
}

/* The next one. @param i  of mod_proxy's */
static apr_status_t build_member(lbs_pool_t *pool, int i)
{
    lbs_runtime_t *rt = lbs_runtime();
    lbs_member_t *m = pool->member[pool->configured];
    apr_status_t rv;

    m->worker = lbs_worker_at(pool->balancer, i);
    m->index = pool->configured;
    m->found = "";
    /* Copies: balancer-manager may change mod_proxy's own strings. */
    m->name = apr_pstrdup(rt->pool, lbs_worker_name(m->worker));
    m->place = m->name;
    m->plain = (lbs_slice_t){m->place, lbs_plain_url(m->place)};
    m->route = apr_pstrdup(rt->pool, lbs_worker_route(m->worker));
    rv = find_slot(pool, m->route, m->name, &m->slot, &m->created);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    m->token_id =
        lbs_token_member_id(pool->name, *m->route ? m->route : m->name);
    m->gauge = &lbs_registry_gauges(rt->registry)[m->slot];
    pool->gauges[pool->configured] = m->gauge;
    m->record = lbs_registry_member_record(rt->registry, m->slot);
    lbs_worker_govern(m->worker);
    lbs_pools_set_member(m->slot, pool->configured++);
    if (*m->route) {
        apr_hash_set(pool->by_route, m->route, APR_HASH_KEY_STRING, m);
    }
    apr_hash_set(pool->by_token_id, &m->token_id, sizeof(m->token_id), m);
    return APR_SUCCESS;
}

/* All configured members of a pool lie in one block.
 * @param rest  places behind them */
static lbs_member_t **make_members(apr_pool_t *pconf, apr_size_t n,
                                   apr_size_t rest)
{
    lbs_member_t *block = apr_pcalloc(pconf, sizeof(*block) * n);
    lbs_member_t **member = apr_palloc(pconf, sizeof(*member) * (n + rest));
    apr_size_t i;

    for (i = 0; i < n; i++) {
        member[i] = &block[i];
    }
    return member;
}

/* The pseudo-member on the vacant places of a pool is closed for ever. */
static apr_status_t build_vacant(apr_pool_t *pconf, lbs_pool_t *pool)
{
    lbs_runtime_t *rt = lbs_runtime();
    lbs_member_t *vacant = apr_pcalloc(pconf, sizeof(*vacant));
    apr_size_t rest = pool->set.discover->max;
    apr_status_t rv;

    rv = find_slot(pool, NULL, LBS_POOLS_VACANT_URL, &vacant->slot,
                   &vacant->created);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    vacant->name = vacant->route = vacant->found = "";
    vacant->gauge = &lbs_registry_gauges(rt->registry)[vacant->slot];
    vacant->record = lbs_registry_member_record(rt->registry, vacant->slot);
    pool->roster = &rt->notes.rosters[pool->slot];
    for (pool->count = pool->configured; rest > 0; rest--) {
        pool->gauges[pool->count] = vacant->gauge;
        pool->member[pool->count++] = vacant;
    }
    return APR_SUCCESS;
}

/* LBStickyDiscover dns: all addresses of its name are members, it is none. */
static int is_name(const lbs_pool_t *pool, const proxy_worker *worker)
{
    const lbs_set_discover_t *set = pool->set.discover;
    lbs_worker_place_t place = lbs_worker_place(worker);
    lbs_net_t net;
    int i;

    for (i = 0; i < set->count; i++) {
        if (set->finder[i].by == LBS_ROSTER_BY_DNS
            && *set->finder[i].what == '\0') {
            return place.path == NULL
                   && !lbs_net_read(place.host, strlen(place.host), &net);
        }
    }
    return 0;
}

/* @param i  of mod_proxy's. @return as build_member() */
static apr_status_t build_member_or_name(lbs_pool_t *pool, int i)
{
    proxy_worker *worker = lbs_worker_at(pool->balancer, i);

    if (!is_name(pool, worker)) {
        return build_member(pool, i);
    }
    lbs_worker_govern(worker);
    APR_ARRAY_PUSH(pool->names, proxy_worker *) = worker;
    return APR_SUCCESS;
}

static apr_status_t build_members(apr_pool_t *pconf, lbs_pool_t *pool)
{
    int n = lbs_worker_count(pool->balancer);
    const char *first = NULL;
    apr_size_t n_all;
    int missing = 0;
    int i;

    pool->member = make_members(pconf, (apr_size_t)n, pool->set.discover->max);
    n_all = (apr_size_t)n + pool->set.discover->max;
    pool->gauges = apr_pcalloc(pconf, sizeof(*pool->gauges) * n_all);
    pool->due = apr_pcalloc(pconf, n_all);
    pool->errors = apr_pcalloc(pconf, sizeof(*pool->errors) * n_all);
    pool->by_route = apr_hash_make(pconf);
    pool->by_token_id = apr_hash_make(pconf);
    pool->model = lbs_worker_at(pool->balancer, 0);
    pool->names = apr_array_make(pconf, 2, sizeof(proxy_worker *));
    for (i = 0; i < n; i++) {
        apr_status_t rv = build_member_or_name(pool, i);

        if (APR_STATUS_IS_ENOSPC(rv)) {
            first =
                missing++ == 0 ? pool->member[pool->configured]->name : first;
        }
        else if (rv != APR_SUCCESS) {
            ap_log_error(
                APLOG_MARK, APLOG_EMERG, rv, pool->server,
                LBSNO(1108) "pool %s: member %s cannot be named: wanted a URL "
                            "of at most %d bytes and a route= of at most %d; "
                            "write shorter ones into its BalancerMember line",
                pool->name, pool->member[pool->configured]->name,
                LBS_REGISTRY_URL_LEN, LBS_REGISTRY_ROUTE_LEN);
            return rv;
        }
    }
    if (missing != 0) {
        tell_left_out(pool, missing, first);
    }
    if (pool->configured + (apr_size_t)pool->names->nelts == 0) {
        return APR_ENOSPC;
    }
    pool->count = pool->configured;
    return pool->set.discover->count == 0 ? APR_SUCCESS
                                          : build_vacant(pconf, pool);
}

/* A pseudo-member of the pool owns words that stand beside those of sessions,
 * so that no member's count of sessions contains them. */
static apr_status_t build_words(const lbs_pool_t *pool, const char *url,
                                apr_uint32_t *slot, int *created)
{
    apr_status_t rv = find_slot(pool, NULL, url, slot, created);

    if (rv == APR_EEXIST) {
        /* Virtual hosts that inherit the pool share the words, too. */
        *slot = lbs_registry_find_member(
            lbs_runtime()->registry,
            lbs_identity_member(lbs_identity_pool(pool->vhost, pool->name),
                                NULL, url));
        rv = APR_SUCCESS;
    }
    return rv;
}

/* LBStickyControl: what applications asked for. */
static apr_status_t build_asked(lbs_pool_t *pool)
{
    apr_uint32_t slot;
    int created = 0;
    apr_status_t rv;

    pool->asked_slot = -1;
    if (!*pool->set.control) {
        return APR_SUCCESS;
    }
    rv = build_words(pool, LBS_POOLS_ASKED_URL, &slot, &created);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, pool->server,
                     LBSNO(1118) "pool %s: there is no place for "
                                 "LBStickyControl, which takes that of a "
                                 "member and is not in force; all pools "
                                 "together have at most %d: reload again in "
                                 "some minutes, or take some out",
                     pool->name, LBS_REGISTRY_MEMBERS);
        note_left_out(pool->slot, "LBStickyControl");
        return APR_STATUS_IS_ENOSPC(rv) ? APR_SUCCESS : rv;
    }
    pool->asked_slot = (int)slot;
    return APR_SUCCESS;
}

/* LBStickyTimeout max= keeps a second word per session that is never renewed.
 */
static apr_status_t build_max(lbs_pool_t *pool)
{
    lbs_registry_t *registry = lbs_runtime()->registry;
    apr_uint32_t slot;
    int created = 0;
    apr_status_t rv;

    pool->max_slot = -1;
    if (pool->set.timeout->max == 0) {
        return APR_SUCCESS;
    }
    rv = build_words(pool, LBS_POOLS_MAX_URL, &slot, &created);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, pool->server,
                     LBSNO(1106) "pool %s: there is no place for "
                                 "LBStickyTimeout max=, which takes that of a "
                                 "member and is not in force; all pools "
                                 "together have at most %d: reload again in "
                                 "some minutes, or take some out",
                     pool->name, LBS_REGISTRY_MEMBERS);
        note_left_out(pool->slot, "LBStickyTimeout max=");
        return APR_STATUS_IS_ENOSPC(rv) ? APR_SUCCESS : rv;
    }
    pool->max_slot = (int)slot;
    pool->max_record = lbs_registry_member_record(registry, slot);
    if (created) {
        lbs_atomic_store64_relaxed(&pool->max_record->since,
                                   (apr_uint64_t)lbs_clock_now());
    }
    return APR_SUCCESS;
}

/* The plan --------------------------------------------------------------- */

static apr_status_t build_plan(apr_pool_t *pconf, apr_pool_t *ptemp,
                               lbs_pool_t *pool)
{
    lbs_plan_member_t *facts =
        apr_pcalloc(ptemp, sizeof(*facts) * pool->count);
    apr_uint32_t with = lbs_pick_method_needs(pool->set.method->method);
    apr_size_t bytes = lbs_plan_bytes((apr_uint32_t)pool->count, with);
    apr_status_t rv;
    void *block;
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        facts[i].slot = pool->member[i]->slot;
        facts[i].vacant = !lbs_pools_is_there(pool, i);
        if (facts[i].vacant) {
            continue;
        }
        facts[i].identity = pool->member[i]->token_id;
        facts[i].weight = lbs_worker_weight(pool->member[i]->worker);
        facts[i].lbset =
            (apr_uint32_t)lbs_worker_lbset(pool->member[i]->worker);
    }
    rv = lbs_shm_create(&block, bytes, pconf);
    if (rv == APR_SUCCESS) {
        rv = lbs_plan_format(&pool->plan, block, bytes, facts,
                             (apr_uint32_t)pool->count, with, pconf);
    }
    pool->pick.method = pool->set.method->method;
    pool->pick.plan = pool->plan;
    pool->pick.gauges = lbs_registry_gauges(lbs_runtime()->registry);
    if (rv != APR_SUCCESS) {
        ap_log_error(
            APLOG_MARK, APLOG_EMERG, rv, pool->server,
            LBSNO(1102) "pool %s: no memory for its picks by "
                        "LBStickyMethod %s: wanted %" APR_SIZE_T_FMT
                        " bytes of shared memory for %d members; write "
                        "another LBStickyMethod (hash takes most), or let "
                        "the system give more (memory, ulimit -v, "
                        "vm.overcommit_memory)",
            pool->name, lbs_pick_method_name(pool->set.method->method), bytes,
            (int)pool->count);
    }
    return rv;
}

/* Pools ------------------------------------------------------------------ */

static void build_ejection(lbs_pool_t *pool)
{
    const lbs_set_eject_t *set = pool->set.eject;
    const apr_array_header_t *theirs =
        lbs_worker_pool_statuses(pool->balancer);
    int i;

    pool->eject_conf.failures = set->failures;
    pool->eject_conf.cap_percent = set->cap;
    pool->eject_conf.window_us = set->window;
    pool->eject_conf.hold_min_us = set->hold[0];
    pool->eject_conf.hold_max_us = set->hold[1];
    pool->eject_conf.stall_us = set->stall;
    pool->eject_conf.errors = set->status.is_auto;
    pool->eject_status = set->status.listed;
    for (i = 0; theirs != NULL && i < theirs->nelts; i++) {
        lbs_statuses_add(&pool->eject_status, APR_ARRAY_IDX(theirs, i, int));
    }
}

/* mod_proxy's own parameters of a balancer, as they are in force. */
static void build_parameters(lbs_pool_t *pool)
{
    int most = lbs_worker_pool_maxattempts(pool->balancer);

    build_ejection(pool);
    pool->max_members = most < 0 ? 0 : most + 1;
    pool->failover = *pool->set.failover;
    if (pool->set.failover == lbs_settings_defaults()->failover
        && lbs_worker_pool_nofailover(pool->balancer)) {
        pool->failover = 0;
    }
}

static apr_status_t name_pool(lbs_pool_t *pool)
{
    lbs_registry_t *registry = lbs_runtime()->registry;
    apr_status_t rv = lbs_registry_pool(registry, pool->vhost, pool->name,
                                        &pool->slot, NULL);

    if (APR_STATUS_IS_ENOSPC(rv) && make_room(0, GIVE_WAY_POOLS)) {
        rv = lbs_registry_pool(registry, pool->vhost, pool->name, &pool->slot,
                               NULL);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, pool->server,
                     LBSNO(1105) "there is no place for pool %s of %s, which "
                                 "mod_proxy_balancer alone serves; removed "
                                 "ones of the last minutes take all: reload "
                                 "again in some minutes, or let virtual hosts "
                                 "share the main server's",
                     pool->name, pool->vhost);
        note_left_out(
            LBS_REGISTRY_NONE,
            apr_pstrcat(lbs_runtime()->pool, "pool ", pool->name, NULL));
    }
    return rv;
}

/* Values that follow from the directives in force, not from the members'
 * identities. */
static apr_status_t build_settings(apr_pool_t *pconf, apr_pool_t *ptemp,
                                   lbs_pool_t *pool)
{
    apr_status_t rv;
    int secure;

    pool->cookie_name =
        lbs_slice_of(pool->set.cookie->name != NULL
                         ? pool->set.cookie->name
                         : lbs_cookie_name_for(pconf, pool->name));
    for (secure = 0; secure < 2; secure++) {
        lbs_setcookie_frame(pconf, pool->set.cookie, pool->cookie_name, secure,
                            &pool->cookie[secure]);
    }
    rv = build_max(pool);
    rv = rv == APR_SUCCESS ? build_asked(pool) : rv;
    return rv == APR_SUCCESS ? build_plan(pconf, ptemp, pool) : rv;
}

static apr_status_t build_pool(apr_pool_t *pconf, apr_pool_t *ptemp,
                               lbs_pool_t *pool)
{
    char *host = apr_pstrdup(ptemp, pool->server->server_hostname);
    apr_status_t rv;

    ap_str_tolower(host); /* the same server, however its name is written */
    pool->vhost = lbs_config_vhost(pconf, pool->server);
    rv = name_pool(pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    pool->record =
        lbs_registry_pool_record(lbs_runtime()->registry, pool->slot);
    pool->token_pool = lbs_token_pool_id(host, pool->name);
    rv = build_members(pconf, pool);
    return rv == APR_SUCCESS ? build_settings(pconf, ptemp, pool) : rv;
}

/* A pool that was built already for another server: virtual hosts inherit
 * the main server's. They share members and counters, but each may have
 * directives of its own. */
static lbs_pool_t *find_twin(const proxy_balancer *balancer)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        if (lbs_worker_same_pool(pool->balancer, balancer)) {
            return pool;
        }
    }
    return NULL;
}

static apr_status_t build_twin(apr_pool_t *pconf, apr_pool_t *ptemp,
                               lbs_pool_t *pool, const lbs_pool_t *twin)
{
    pool->vhost = twin->vhost;
    pool->slot = twin->slot;
    pool->record = twin->record;
    pool->token_pool = twin->token_pool;
    pool->model = twin->model;
    pool->names = twin->names;
    pool->configured = twin->configured;
    pool->count = twin->count;
    pool->member = twin->member;
    pool->gauges = twin->gauges;
    pool->due = apr_pcalloc(pconf, pool->count);
    pool->errors = apr_pcalloc(pconf, sizeof(*pool->errors) * pool->count);
    pool->roster = twin->roster;
    pool->by_route = twin->by_route;
    pool->by_token_id = twin->by_token_id;
    return build_settings(pconf, ptemp, pool);
}

/* Hundreds of hosts that inherit hundreds of pools would need much memory. */
static void build_section(apr_pool_t *pconf, lbs_pool_t *pool,
                          const server_rec *s)
{
    if (lbs_pools_all()->nelts < MOST_SECTIONS) {
        pool->section =
            lbs_section_make(pconf, s, lbs_worker_pool_url(pool->balancer),
                             pool->set.forward->host);
    }
}

/* @param s  the server that may use it */
static apr_status_t add_pool(apr_pool_t *pconf, apr_pool_t *ptemp,
                             const lbs_walk_t *walk, const server_rec *s)
{
    const lbs_pool_t *twin = find_twin(walk->balancer);
    lbs_pool_t *pool = apr_pcalloc(pconf, sizeof(*pool));
    apr_status_t rv;

    pool->name = walk->name;
    pool->server = walk->owner;
    pool->balancer = walk->balancer;
    pool->set = walk->set;
    pool->live = apr_pcalloc(pconf, sizeof(*pool->live));
    build_parameters(pool);
    rv = twin != NULL ? build_twin(pconf, ptemp, pool, twin)
                      : build_pool(pconf, ptemp, pool);
    if (rv == APR_SUCCESS) {
        build_section(pconf, pool, s);
        lbs_pools_add(s, pool);
    }
    return APR_STATUS_IS_ENOSPC(rv) ? APR_SUCCESS : rv;
}

static apr_status_t build_server(apr_pool_t *pconf, apr_pool_t *ptemp,
                                 server_rec *s, server_rec *main_server)
{
    lbs_walk_t walk = lbs_walk_server(pconf, s, main_server);
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && lbs_walk_next(&walk)) {
        /* The server's own come first. */
        if (walk.set.sticky->on && lbs_worker_count(walk.balancer) > 0
            && lbs_pools_find(s, walk.name) == NULL) {
            rv = add_pool(pconf, ptemp, &walk, s);
        }
    }
    return rv;
}

apr_status_t lbs_pools_build_all(apr_pool_t *pconf, apr_pool_t *ptemp,
                                 server_rec *main_server)
{
    apr_status_t rv = APR_SUCCESS;
    server_rec *s;

    lbs_pools_begin(pconf);
    left_out = apr_array_make(pconf, 4, sizeof(left_out_t));
    lbs_registry_begin(lbs_runtime()->registry);
    for (s = main_server; s != NULL && rv == APR_SUCCESS; s = s->next) {
        rv = build_server(pconf, ptemp, s, main_server);
    }
    return rv;
}
