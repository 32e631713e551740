/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_preview_count.c - see lbs_preview_count.h. */
#include "src/httpd/server/lbs_preview_count.h"

#include <apr_strings.h>
#include <string.h>

#include "src/affinity/lbs_token.h"
#include "src/httpd/decide/lbs_place.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/preview/lbs_relation.h"
#include "src/state/lbs_admin.h"
#include "src/table/lbs_sweep.h"

int lbs_preview_begin(lbs_preview_t *p, const lbs_restore_t *restore)
{
    apr_size_t len;
    const unsigned char *bytes = lbs_restore_outline(restore, &len);

    p->before = lbs_outline_decode(bytes, len, p->pool);
    p->outlook = lbs_outlook_create(p->pool);
    p->overrides = apr_array_make(p->pool, 8, sizeof(lbs_preview_override_t));
    p->seats = apr_pcalloc(p->pool, sizeof(*p->seats) * LBS_REGISTRY_MEMBERS);
    return len != 0 && p->before != NULL;
}

void lbs_preview_note_overrides(lbs_preview_t *p)
{
    const lbs_registry_t *registry = lbs_runtime()->registry;
    const lbs_gauge_t *gauges = lbs_registry_gauges(registry);
    apr_uint32_t slot = LBS_REGISTRY_NONE;

    while ((slot = lbs_registry_next_member(registry, LBS_REGISTRY_NONE, slot))
           != LBS_REGISTRY_NONE) {
        apr_uint32_t fields = lbs_admin_overrides(registry, slot);

        if (fields != 0) {
            APR_ARRAY_PUSH(p->overrides, lbs_preview_override_t) =
                (lbs_preview_override_t){
                    .slot = slot,
                    .fields = fields,
                    .flags = lbs_atomic_load32_relaxed(&gauges[slot].flags)
                             & LBS_ADMIN_FLAGS,
                    .weight = lbs_atomic_load32_relaxed(&gauges[slot].weight),
                };
        }
    }
}

/* Pools ------------------------------------------------------------------- */

static const lbs_outline_pool_t *find_outline(const lbs_outline_t *outline,
                                              const char *vhost,
                                              const char *name)
{
    int i;

    for (i = 0; i < outline->pools->nelts; i++) {
        const lbs_outline_pool_t *pool =
            &APR_ARRAY_IDX(outline->pools, i, lbs_outline_pool_t);

        if (strcasecmp(pool->vhost, vhost) == 0
            && strcmp(pool->name, name) == 0) {
            return pool;
        }
    }
    return NULL;
}

static apr_uint64_t token_pool_of(const char *vhost, const char *name,
                                  apr_pool_t *pool)
{
    char *host = apr_pstrdup(pool, vhost);
    char *port = strrchr(host, ':');

    if (port != NULL) {
        *port = '\0';
    }
    ap_str_tolower(host);
    return lbs_token_pool_id(host, name);
}

/* A pool that accepts the cookies of one that is gone: of the same ServerName
 * on another port. */
static const lbs_pool_t *find_by_token(const lbs_preview_t *p,
                                       const lbs_registry_pool_info_t *gone)
{
    const apr_array_header_t *all = lbs_pools_all();
    apr_uint64_t id = token_pool_of(gone->vhost, gone->name, p->pool);
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);

        if (pool->token_pool == id) {
            return pool;
        }
    }
    return NULL;
}

/* A pool that sessions are known of, and what becomes of it. */
typedef struct fate_t {
    apr_uint32_t slot;
    const lbs_pool_t *pool; /* now; NULL: none */
    int by_token;           /* only the module's cookie leads there */
    lbs_relation_t relation;
} fate_t;

static fate_t find_fate(const lbs_preview_t *p, apr_uint32_t slot,
                        const lbs_registry_pool_info_t *info)
{
    fate_t fate = {.slot = slot, .pool = lbs_pools_of_slot(slot)};
    const lbs_outline_pool_t *was =
        find_outline(p->before, info->vhost, info->name);
    const lbs_outline_pool_t *is = NULL;

    if (fate.pool == NULL) {
        fate.pool = find_by_token(p, info);
        fate.by_token = fate.pool != NULL;
    }
    if (fate.pool != NULL) {
        is = find_outline(p->after, fate.pool->vhost, fate.pool->name);
    }
    if (was != NULL) {
        fate.relation = lbs_relation_find(p->before, was, p->after, is,
                                          fate.by_token, p->pool);
    }
    else {
        /* New, or the file does not say what it was like. */
        fate.relation.lost = is == NULL ? "pool" : NULL;
        fate.relation.notes = apr_array_make(p->pool, 1, sizeof(char *));
    }
    return fate;
}

/* Members ----------------------------------------------------------------- */

/* @return the member's index in the pool that judges its sessions */
static int member_for(const fate_t *fate, apr_uint32_t slot,
                      const lbs_registry_member_info_t *info)
{
    apr_uint64_t id;
    const lbs_member_t *m;

    if (!fate->by_token) {
        return lbs_pools_member_at(fate->pool, slot);
    }
    id = lbs_token_member_id(fate->pool->name,
                             *info->route != '\0' ? info->route : info->url);
    m = apr_hash_get(fate->pool->by_token_id, &id, sizeof(id));
    return m != NULL ? (int)m->index : LBS_NO_MEMBER;
}

static const lbs_outline_member_t *find_member(
    const lbs_outline_pool_t *pool, const lbs_registry_member_info_t *info)
{
    int i;

    for (i = 0; pool != NULL && i < pool->members->nelts; i++) {
        const lbs_outline_member_t *m =
            &APR_ARRAY_IDX(pool->members, i, lbs_outline_member_t);

        if (strcmp(m->route, info->route) == 0
            && (*m->route != '\0' || strcmp(m->url, info->url) == 0)) {
            return m;
        }
    }
    return NULL;
}

static void show_drain(lbs_outlook_row_t *row, const lbs_member_t *m)
{
    lbs_admin_drain_t drain;
    apr_time_t now = lbs_clock_now();

    if ((lbs_gauge_flags(m->gauge) & LBS_F_DRAIN) == 0) {
        return;
    }
    lbs_admin_drain(lbs_runtime()->registry, m->slot, &drain);
    row->drains = 1;
    row->left = drain.deadline > now ? drain.deadline - now : 0;
}

static void seat(lbs_preview_t *p, const fate_t *fate, lbs_outlook_pool_t *out,
                 const lbs_outline_pool_t *was, apr_uint32_t slot)
{
    lbs_preview_seat_t *to = &p->seats[slot];
    lbs_registry_member_info_t info;
    const lbs_outline_member_t *known;

    if (lbs_registry_member_info(lbs_runtime()->registry, slot, &info)
            != APR_SUCCESS
        || strcmp(info.url, LBS_POOLS_MAX_URL) == 0
        || strcmp(info.url, LBS_POOLS_ASKED_URL) == 0
        || strcmp(info.url, LBS_POOLS_VACANT_URL) == 0) {
        return;
    }
    known = find_member(was, &info);
    to->row = lbs_outlook_add_row(
        out,
        apr_pstrdup(p->pool, *info.route != '\0' ? info.route : info.url));
    to->row->is_new = known == NULL;
    to->row->was_gone = info.removed && known != NULL && known->removed;
    to->row->lost = fate->relation.lost;
    to->member = LBS_NO_MEMBER;
    if (fate->relation.lost == NULL) {
        to->pool = fate->pool;
        to->member = member_for(fate, slot, &info);
    }
    if (to->member != LBS_NO_MEMBER) {
        show_drain(to->row, to->pool->member[to->member]);
    }
}

/* Those of the configuration in its order, then those that are gone. */
static void seat_all(lbs_preview_t *p, const fate_t *fate,
                     lbs_outlook_pool_t *out, const lbs_outline_pool_t *was)
{
    apr_uint32_t slot = LBS_REGISTRY_NONE;
    apr_size_t m;

    for (m = 0; !fate->by_token && fate->pool != NULL && m < fate->pool->count;
         m++) {
        seat(p, fate, out, was, fate->pool->member[m]->slot);
    }
    while ((slot = lbs_registry_next_member(lbs_runtime()->registry,
                                            fate->slot, slot))
           != LBS_REGISTRY_NONE) {
        if (p->seats[slot].row == NULL) {
            seat(p, fate, out, was, slot);
        }
    }
}

static void add_pools(lbs_preview_t *p)
{
    const lbs_registry_t *registry = lbs_runtime()->registry;
    lbs_registry_pool_info_t info;
    apr_uint32_t slot = LBS_REGISTRY_NONE;
    int i;

    while ((slot = lbs_registry_next_pool(registry, slot))
           != LBS_REGISTRY_NONE) {
        lbs_outlook_pool_t *out;
        fate_t fate;

        if (lbs_registry_pool_info(registry, slot, &info) != APR_SUCCESS) {
            continue;
        }
        fate = find_fate(p, slot, &info);
        out =
            lbs_outlook_add_pool(p->outlook, apr_pstrdup(p->pool, info.vhost),
                                 apr_pstrdup(p->pool, info.name));
        for (i = 0; i < fate.relation.notes->nelts; i++) {
            lbs_outlook_say(out->notes, APR_ARRAY_IDX(fate.relation.notes, i,
                                                      const char *));
        }
        seat_all(p, &fate, out,
                 find_outline(p->before, info.vhost, info.name));
    }
}

/* Sessions ---------------------------------------------------------------- */

/* For lbs_sweep_run(): asked for each live session. @return 0: keep it */
static int judge(void *data, const lbs_table_hit_t *hit)
{
    lbs_preview_t *p = data;
    const lbs_preview_seat_t *at = &p->seats[hit->slot];
    lbs_key_t key = {
        .known = 1,
        .slot = (int)hit->slot,
        .other = -1,
        .expires = hit->expires_us,
    };
    lbs_reason_t why;

    if (at->row == NULL) {
        return 0;
    }
    p->live++;
    if (at->row->lost != NULL) {
        at->row->anew++;
        return 0;
    }
    why = lbs_place_why_not(at->pool, &key, at->member, lbs_clock_now());
    if (why != LBS_REASON_NONE && !at->pool->failover) {
        at->row->refused++;
    }
    else if (why != LBS_REASON_NONE) {
        at->row->moved[why]++;
    }
    else if (at->row->left != 0) {
        at->row->wait++;
    }
    else {
        at->row->stay++;
    }
    return 0;
}

void lbs_preview_count(lbs_preview_t *p)
{
    lbs_sweep_t *sweep;

    add_pools(p);
    lbs_sweep_create(&sweep, lbs_runtime()->table, p->pool);
    (void)lbs_sweep_run(sweep, 0, lbs_clock_now(), judge, p, NULL);
}
