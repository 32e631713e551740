/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_outline.c - see lbs_persist_outline.h. */
#include "src/httpd/server/lbs_persist_outline.h"

#include <apr_strings.h>
#include <string.h>

#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_snapshot.h"

/* Virtual hosts that share a pool may have sources of their own for it. */
static void add_settings(lbs_outline_pool_t *to, apr_uint32_t slot)
{
    const apr_array_header_t *all = lbs_pools_all();
    apr_pool_t *memory = to->sources->pool;
    int i, k;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);
        const lbs_set_sticky_t *sticky = pool->set.sticky;

        if (pool->slot != slot) {
            continue;
        }
        for (k = 0; k < sticky->count; k++) {
            lbs_outline_add_source(
                to, apr_pstrdup(memory, sticky->source[k].spelling));
        }
        if (*to->cookie == '\0') {
            to->cookie = apr_pstrmemdup(memory, pool->cookie_name.p,
                                        pool->cookie_name.n);
        }
    }
}

/* @return a bit for each kind of source that names the member of a seat */
static apr_uint32_t named_by(apr_uint32_t pool_slot,
                             const lbs_roster_t *roster, int seat)
{
    const lbs_pool_t *pool = lbs_pools_of_slot(pool_slot);
    apr_uint32_t bits = 0;
    int i;

    for (i = 0; pool != NULL && i < pool->set.discover->count; i++) {
        if (lbs_roster_names(roster, seat, i)) {
            bits |= 1u << pool->set.discover->finder[i].by;
        }
    }
    return bits;
}

static void add_leaving(lbs_outline_member_t *m, const lbs_roster_seat_t *seat)
{
    apr_time_t end = (apr_time_t)lbs_atomic_load64_relaxed(&seat->leaves_at);
    apr_time_t now = lbs_clock_now();

    if (end != 0) {
        m->leave_us = end > now ? (apr_uint64_t)(end - now) : 1;
    }
}

static void add_barred(lbs_outline_pool_t *to, const lbs_bars_t *bars)
{
    int i;

    for (i = 0; i < LBS_BARS; i++) {
        apr_uint64_t id = lbs_atomic_load64_relaxed(&bars->bar[i].id);

        if (id != 0) {
            APR_ARRAY_PUSH(to->barred, apr_uint64_t) = id;
        }
    }
}

static void add_found(lbs_outline_member_t *m, apr_uint32_t pool_slot,
                      apr_uint32_t slot, apr_pool_t *memory)
{
    static const lbs_net_t none;
    char text[LBS_NET_TEXT];
    const lbs_roster_t *roster = &lbs_runtime()->notes.rosters[pool_slot];
    int seat = lbs_roster_find(roster, slot);
    lbs_roster_place_t place;

    if (seat != LBS_ROSTER_NONE && lbs_roster_at(roster, seat, &place)) {
        m->found = 1;
        m->lbset = place.lbset;
        m->found_by = (apr_uint32_t)place.by;
        if (memcmp(&place.net, &none, sizeof(none)) != 0) {
            lbs_net_text(&place.net, text);
            m->address = apr_pstrdup(memory, text);
        }
        m->named_by = named_by(pool_slot, roster, seat);
        m->lease_us = lbs_atomic_load64_relaxed(&roster->seat[seat].lease_us);
        add_leaving(m, &roster->seat[seat]);
    }
}

static void add_members(lbs_outline_pool_t *to, apr_uint32_t pool_slot)
{
    const lbs_runtime_t *rt = lbs_runtime();
    apr_pool_t *memory = to->members->pool;
    lbs_registry_member_info_t info;
    apr_uint32_t slot = LBS_REGISTRY_NONE;

    while ((slot = lbs_registry_next_member(rt->registry, pool_slot, slot))
           != LBS_REGISTRY_NONE) {
        lbs_outline_member_t *m;

        if (lbs_registry_member_info(rt->registry, slot, &info)
            != APR_SUCCESS) {
            continue;
        }
        m = apr_array_push(to->members);
        *m = (lbs_outline_member_t){
            .route = apr_pstrdup(memory, info.route),
            .url = apr_pstrdup(memory, info.url),
            .quantum_us = (apr_uint64_t)lbs_table_unit(rt->slots, slot),
            .removed = info.removed,
            .address = "",
        };
        add_found(m, pool_slot, slot, memory);
    }
}

lbs_outline_t *lbs_persist_outline(apr_pool_t *pool)
{
    const lbs_registry_t *registry = lbs_runtime()->registry;
    lbs_outline_t *outline = lbs_outline_create(pool);
    lbs_registry_pool_info_t info;
    apr_uint32_t slot = LBS_REGISTRY_NONE;
    apr_size_t i;

    for (i = 0; i < lbs_runtime()->secret->count; i++) {
        APR_ARRAY_PUSH(outline->secrets, apr_uint64_t) =
            lbs_snapshot_fingerprint(&lbs_runtime()->secret->keys[i].master);
    }
    while ((slot = lbs_registry_next_pool(registry, slot))
           != LBS_REGISTRY_NONE) {
        lbs_outline_pool_t *to;

        if (lbs_registry_pool_info(registry, slot, &info) != APR_SUCCESS) {
            continue;
        }
        to = lbs_outline_add_pool(outline, apr_pstrdup(pool, info.vhost),
                                  apr_pstrdup(pool, info.name));
        to->removed = info.removed;
        add_settings(to, slot);
        add_members(to, slot);
        add_barred(to, &lbs_runtime()->notes.rosters[slot].bars);
    }
    return outline;
}
