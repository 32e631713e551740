/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_recall.c - what a state file says of found members. */
#include <string.h>

#include "src/httpd/discover/lbs_discover.h"
#include "src/httpd/discover/lbs_discover_seat.h"
#include "src/httpd/discover/lbs_discover_wish.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

typedef struct recall_t {
    const lbs_pool_t *pool;
    const lbs_outline_pool_t *was;
    apr_pool_t *memory;
} recall_t;

/* @return 0: no address is known */
static int read_net(const lbs_outline_member_t *was, lbs_list_member_t *m)
{
    const char *host = strstr(was->url, "://");
    const char *end;

    if (host == NULL) {
        return 0;
    }
    host += strlen("://");
    host += *host == '[';
    end = host + strcspn(host, host[-1] == '[' ? "]" : ":/");
    if (*was->address != '\0') {
        host = was->address;
        end = host + strlen(host);
        m->by_name = m->nets_count = 1;
        m->nets = &m->net;
    }
    return lbs_net_read(host, (apr_size_t)(end - host), &m->net);
}

/* Of several sources of a kind all may have named it: they miss it soon. */
static int has_named(const lbs_outline_member_t *was, lbs_roster_by_t by)
{
    apr_uint32_t kinds =
        was->named_by != 0 ? was->named_by : 1u << (was->found_by & 31);

    return (kinds >> by & 1) != 0;
}

static int seat_of(const lbs_pool_t *pool, const lbs_list_member_t *m)
{
    apr_uint32_t slot = lbs_registry_find_member(
        lbs_runtime()->registry, lbs_discover_seat_id(pool, m));

    return slot != LBS_REGISTRY_NONE ? lbs_roster_find(pool->roster, slot)
                                     : LBS_ROSTER_NONE;
}

/* It goes on leaving: named by no source, unless one names it by now. */
static void leave(const lbs_pool_t *pool, int seat,
                  const lbs_outline_member_t *was)
{
    const lbs_discover_leave_t leave = {
        .end = lbs_clock_now() + (apr_time_t)was->leave_us, .is_told = 1};

    lbs_atomic_store32_relaxed(&pool->roster->seat[seat].named, 0);
    lbs_discover_seat_leave(pool, seat, &leave);
}

static void recall_member(const recall_t *re, const lbs_outline_member_t *was)
{
    lbs_list_member_t m = {.url = was->url,
                           .route = was->route,
                           .weight = 100,
                           .lbset = was->lbset};
    lbs_discover_from_t from = {.pool = re->pool, .source = 0};
    int seat;

    if (!read_net(was, &m)) {
        return;
    }
    /* A source that was read just now names it. */
    seat = seat_of(re->pool, &m);
    for (; from.source < re->pool->set.discover->count; from.source++) {
        if (has_named(was, lbs_discover_finder(&from)->by)) {
            (void)lbs_discover_seat_come(&from, &m, re->memory, 0);
        }
    }
    if (was->lease_us != 0) {
        lbs_discover_wish_lease(re->pool, seat_of(re->pool, &m),
                                (apr_time_t)was->lease_us, lbs_clock_now());
    }
    if (was->leave_us != 0 && seat == LBS_ROSTER_NONE
        && (seat = seat_of(re->pool, &m)) != LBS_ROSTER_NONE) {
        leave(re->pool, seat, was);
    }
}

static const lbs_outline_member_t *find(const lbs_outline_pool_t *was,
                                        const lbs_registry_member_info_t *info)
{
    int i;

    for (i = 0; i < was->members->nelts; i++) {
        const lbs_outline_member_t *m =
            &LBS_OUTLINE_AT(was->members, i, lbs_outline_member_t);

        if (strcmp(m->route, info->route) == 0
            && strcmp(m->url, info->url) == 0) {
            return m;
        }
    }
    return NULL;
}

/* Sources have named members before it was known that operators removed
 * them. */
static void end_barred(const recall_t *re)
{
    lbs_registry_member_info_t info;
    lbs_roster_place_t place;
    int seat;

    for (seat = 0; seat < LBS_ROSTER_SEATS; seat++) {
        const lbs_outline_member_t *was;

        if (!lbs_roster_at(re->pool->roster, seat, &place)
            || lbs_registry_member_info(lbs_runtime()->registry, place.slot,
                                        &info)
                   != APR_SUCCESS
            || !lbs_bars_meet(&re->pool->roster->bars, info.id,
                              lbs_clock_now())) {
            continue;
        }
        was = find(re->was, &info);
        if (was != NULL && was->leave_us != 0) {
            leave(re->pool, seat, was);
        }
        else {
            lbs_discover_seat_take_out(re->pool, seat, lbs_clock_now());
        }
    }
}

static void recall_pool(const recall_t *re)
{
    int i;

    for (i = 0; i < re->was->members->nelts; i++) {
        const lbs_outline_member_t *m =
            &LBS_OUTLINE_AT(re->was->members, i, lbs_outline_member_t);

        if (m->found && !m->removed) {
            recall_member(re, m);
        }
    }
    for (i = 0; i < re->was->barred->nelts; i++) {
        (void)lbs_bars_put(&re->pool->roster->bars,
                           LBS_OUTLINE_AT(re->was->barred, i, apr_uint64_t),
                           lbs_clock_now());
    }
    end_barred(re);
}

void lbs_discover_recall(const lbs_outline_t *outline, apr_pool_t *ptemp)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i, k;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);

        for (k = 0; lbs_discover_asks(pool) && k < outline->pools->nelts;
             k++) {
            const recall_t re = {
                .pool = pool,
                .was = &LBS_OUTLINE_AT(outline->pools, k, lbs_outline_pool_t),
                .memory = ptemp};

            if (strcmp(re.was->name, pool->name) == 0
                && strcmp(re.was->vhost, pool->vhost) == 0) {
                recall_pool(&re);
            }
        }
    }
}
