/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_seat.c - see lbs_discover_seat.h. */
#include "src/httpd/discover/lbs_discover_seat.h"

#include <apr_strings.h>
#include <string.h>

#include "src/httpd/check/lbs_check_seat.h"
#include "src/httpd/config/lbs_here.h"
#include "src/httpd/health/lbs_health.h"
#include "src/httpd/pool/lbs_common.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_admin.h"

#define GOOD_ANSWERS 2 /* that must miss a member before it leaves */

static lbs_registry_t *registry(void)
{
    return lbs_runtime()->registry;
}

static lbs_gauge_t *gauge_of(apr_uint32_t slot)
{
    return &lbs_registry_gauges(registry())[slot];
}

static void count(const lbs_pool_t *pool, lbs_roster_kind_t kind)
{
    (void)lbs_atomic_add64_relaxed(&pool->roster->kinds[kind], 1);
}

static void publish(void)
{
    atomic_fetch_add_explicit(lbs_runtime()->notes.roster_version, 1,
                              memory_order_release);
}

/* Where no seat was ever given there is nothing to tell. */
void lbs_discover_seat_tell_all(void)
{
    const lbs_roster_t *rosters = lbs_runtime()->notes.rosters;
    int i;

    for (i = 0; i < LBS_REGISTRY_POOLS; i++) {
        if (lbs_atomic_load32_relaxed(&rosters[i].turns) != 0) {
            publish();
            return;
        }
    }
}

static const char *name_of(apr_uint32_t slot)
{
    lbs_registry_member_info_t info;

    if (lbs_registry_member_info(registry(), slot, &info) != APR_SUCCESS) {
        return "";
    }
    return *info.route ? info.route : info.url;
}

static void tell(const lbs_pool_t *pool, apr_uint32_t slot,
                 lbs_event_kind_t kind, const char *reason)
{
    lbs_clock_t now = lbs_clock_both();

    lbs_registry_tell(registry(), &now, pool->slot, slot, kind, reason);
}

/* Coming ----------------------------------------------------------------- */

const char *lbs_discover_seat_refusal(const lbs_pool_t *pool,
                                      const lbs_list_member_t *m,
                                      apr_pool_t *memory)
{
    const char *never = lbs_net_never(&m->net);
    const char *place =
        m->by_name ? lbs_list_place(memory, m->url, &m->net) : m->url;

    if (never != NULL) {
        return never;
    }
    if (!lbs_net_set_has(&pool->set.discover->allow, &m->net)) {
        return "not in allow=";
    }
    return lbs_here_find(memory, place) == LBS_HERE_HTTPD ? "this httpd itself"
                                                          : NULL;
}

static int is_configured(const lbs_pool_t *pool, const lbs_list_member_t *m)
{
    apr_size_t i;

    for (i = 0; i < pool->configured; i++) {
        const lbs_member_t *own = pool->member[i];

        if (strcmp(own->name, m->url) == 0
            || (*m->route && strcmp(own->route, m->route) == 0)) {
            return 1;
        }
    }
    return 0;
}

static int seats_of(const lbs_pool_t *pool)
{
    return (int)(pool->count - pool->configured);
}

/* Another balancer that shares the sessions finds it at another moment, and
 * would move a visitor whom it does not know the member of. */
static apr_int64_t join_of(const lbs_pool_t *pool)
{
    const lbs_set_discover_t *set = pool->set.discover;

    if (set->join >= 0) {
        return set->join;
    }
    return pool->set.store->provider != NULL
                   || !lbs_runtime()->secret_is_random
               ? 2 * set->interval
               : 0;
}

/* Is another member open to newcomers? */
static int has_open(const lbs_pool_t *pool)
{
    const lbs_pool_t *now = lbs_pools_same(pool);
    apr_size_t i;

    for (i = 0; i < now->count; i++) {
        if (lbs_pools_is_there(now, i)
            && (lbs_gauge_flags(now->gauges[i]) & LBS_F_CLOSED_NEW) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Newcomers wait until its time has come, and where nobody else is. */
static void wait_or_open(const lbs_pool_t *pool, int seat, apr_uint32_t slot,
                         apr_time_t now)
{
    apr_uint64_t at =
        lbs_atomic_load64_relaxed(&pool->roster->seat[seat].joins_at);

    if ((lbs_atomic_load32_relaxed(&gauge_of(slot)->flags) & LBS_F_WAITING)
            != 0
        && (at <= (apr_uint64_t)now || !has_open(pool))) {
        (void)lbs_gauge_clear(gauge_of(slot), LBS_F_WAITING);
    }
}

/* A check has to pass before a newcomer gets visitors. */
static void join(const lbs_pool_t *pool, int seat, apr_uint32_t slot,
                 apr_time_t now)
{
    lbs_gauge_t *gauge = gauge_of(slot);
    apr_int64_t wait = join_of(pool);

    lbs_atomic_store64_relaxed(&pool->roster->seat[seat].joins_at,
                               (apr_uint64_t)(now + wait));
    if (wait > 0 && has_open(pool)) {
        (void)lbs_gauge_set(gauge, LBS_F_WAITING);
    }

    (void)lbs_gauge_clear(gauge, LBS_F_LEAVING);
    if (lbs_check_seat_is_checked(pool)) {
        (void)lbs_check_forget(
            &lbs_registry_member_record(registry(), slot)->check, gauge);
        (void)lbs_gauge_set(gauge, LBS_F_JOINING | LBS_F_DOWN);
    }
}

/* Slow start, as of one that returns. */
static void warm_up(const lbs_pool_t *pool, apr_uint32_t slot)
{
    const lbs_member_t m = {.slot = slot,
                            .gauge = gauge_of(slot),
                            .record =
                                lbs_registry_member_record(registry(), slot)};

    lbs_health_warm_up(pool, &m);
}

apr_uint64_t lbs_discover_seat_id(const lbs_pool_t *pool,
                                  const lbs_list_member_t *m)
{
    lbs_registry_pool_info_t info;

    if (lbs_registry_pool_info(registry(), pool->slot, &info) != APR_SUCCESS) {
        return 0;
    }
    return lbs_identity_member(info.id, m->route, m->url);
}

static apr_uint32_t known_slot(const lbs_pool_t *pool,
                               const lbs_list_member_t *m)
{
    return lbs_registry_find_member(registry(), lbs_discover_seat_id(pool, m));
}

/* Does a source of that kind name it? */
static int is_named_by(const lbs_pool_t *pool, int seat, lbs_roster_by_t by)
{
    int i;

    for (i = 0; i < pool->set.discover->count; i++) {
        if (pool->set.discover->finder[i].by == by
            && lbs_roster_names(pool->roster, seat, i)) {
            return 1;
        }
    }
    return 0;
}

/* The address at which a member is from now on: the one it has for as long as
 * its name has that one. @return 1: it is another one */
static int choose_net(const lbs_pool_t *pool, const lbs_list_member_t *m,
                      lbs_net_t *net, apr_pool_t *memory)
{
    int i;

    for (i = 0; i < m->nets_count; i++) {
        if (memcmp(&m->nets[i], net, sizeof(*net)) == 0) {
            return 0;
        }
    }
    if (m->nets_count == 0
        || lbs_discover_seat_refusal(pool, m, memory) != NULL) {
        return 0; /* nothing better is known */
    }
    *net = m->net;
    return 1;
}

/* It is named again before it was gone: nothing has happened to it. */
static void come_back(const lbs_discover_from_t *from, int seat,
                      const lbs_roster_place_t *place,
                      const lbs_list_member_t *m, apr_pool_t *memory)
{
    const lbs_pool_t *pool = from->pool;
    lbs_roster_place_t now = *place;
    lbs_roster_seat_t *at = &pool->roster->seat[seat];

    /* Of several sources that name it the first one says its lbset. */
    if (!is_named_by(pool, seat, now.by)) {
        now.by = lbs_discover_finder(from)->by;
    }
    if (now.by == lbs_discover_finder(from)->by) {
        now.lbset = m->lbset;
    }
    lbs_roster_name(pool->roster, seat, from->source);
    lbs_atomic_store64_relaxed(&at->leaves_at, 0);
    if (lbs_gauge_clear(gauge_of(place->slot), LBS_F_LEAVING)) {
        count(pool, LBS_ROSTER_BACK);
        lbs_admin_set_idle(registry(), place->slot, 0);
        tell(pool, place->slot, LBS_EVENT_BACK, lbs_discover_reason(from));
    }
    if (choose_net(pool, m, &now.net, memory) || now.lbset != place->lbset
        || now.by != place->by) {
        lbs_roster_move(pool->roster, seat, &now);
        publish();
    }
    if (!lbs_registry_is_live(registry(), place->slot)) {
        apr_uint32_t slot;

        /* A reload that began before it came has removed it. */
        (void)lbs_registry_member(registry(), pool->slot, m->route, m->url,
                                  &slot, NULL);
    }
}

static lbs_discover_came_t add(const lbs_discover_from_t *from,
                               const lbs_list_member_t *m, int tells)
{
    const lbs_pool_t *pool = from->pool;
    lbs_roster_place_t place = {.lbset = m->lbset,
                                .by = lbs_discover_finder(from)->by};
    apr_time_t now = lbs_clock_now();
    int created = 0;
    int seat;

    if (m->by_name) {
        place.net = m->net;
    }

    if (!lbs_roster_has_room(pool->roster, seats_of(pool), now)
        || lbs_registry_member(registry(), pool->slot, m->route, m->url,
                               &place.slot, &created)
               != APR_SUCCESS) {
        return LBS_DISCOVER_NO_ROOM;
    }
    lbs_common_adopt(pool, place.slot);
    seat = lbs_roster_take(pool->roster, seats_of(pool), &place, now);
    lbs_roster_name(pool->roster, seat, from->source);
    if (tells) {
        lbs_discover_seat_value(pool, m);
        join(pool, seat, place.slot, now);
        warm_up(pool, place.slot);
        count(pool, LBS_ROSTER_ADDED);
        tell(pool, place.slot, LBS_EVENT_ADDED, lbs_discover_reason(from));
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, pool->server,
                     LBSNO(3601) "pool %s: member %s was found: %s",
                     pool->name, *m->route ? m->route : m->url,
                     lbs_discover_reason(from));
    }
    publish();
    return LBS_DISCOVER_THERE;
}

int lbs_discover_seat_of(const lbs_pool_t *pool, const lbs_list_member_t *m)
{
    apr_uint32_t slot = known_slot(pool, m);

    return slot != LBS_REGISTRY_NONE ? lbs_roster_find(pool->roster, slot)
                                     : LBS_ROSTER_NONE;
}

lbs_discover_came_t lbs_discover_seat_come(const lbs_discover_from_t *from,
                                           const lbs_list_member_t *m,
                                           apr_pool_t *memory, int tells)
{
    const lbs_pool_t *pool = from->pool;
    lbs_roster_place_t place;
    int seat;

    if (is_configured(pool, m)) {
        return LBS_DISCOVER_CONFIGURED;
    }
    if (lbs_bars_meet(&pool->roster->bars, lbs_discover_seat_id(pool, m),
                      lbs_clock_now())) {
        return LBS_DISCOVER_BARRED;
    }
    seat = lbs_discover_seat_of(pool, m);
    if (seat != LBS_ROSTER_NONE && lbs_roster_at(pool->roster, seat, &place)) {
        come_back(from, seat, &place, m, memory);
        return LBS_DISCOVER_THERE;
    }
    if (m->by_name && m->nets_count == 0) {
        return LBS_DISCOVER_UNKNOWN;
    }
    if (lbs_discover_seat_refusal(pool, m, memory) != NULL) {
        return LBS_DISCOVER_REFUSED;
    }
    return add(from, m, tells);
}

void lbs_discover_seat_value(const lbs_pool_t *pool,
                             const lbs_list_member_t *m)
{
    const lbs_admin_values_t values = {.flags = 0, .weight = m->weight};
    apr_uint32_t slot = known_slot(pool, m);
    lbs_clock_t now = lbs_clock_both();

    if (slot != LBS_REGISTRY_NONE
        && lbs_roster_find(pool->roster, slot) != LBS_ROSTER_NONE) {
        lbs_admin_reconcile(registry(), slot, &values, &now);
    }
    else if (slot != LBS_REGISTRY_NONE
             && lbs_registry_is_live(registry(), slot)
             && !is_configured(pool, m)) {
        lbs_admin_reconcile(registry(), slot, &values, &now);
    }
}

/* The source that found a member, as it is written. */
static const char *spelling_of(const lbs_pool_t *pool, lbs_roster_by_t by)
{
    const lbs_set_discover_t *set = pool->set.discover;
    int i;

    for (i = 0; i < set->count; i++) {
        if (set->finder[i].by == by) {
            return set->finder[i].spelling;
        }
    }
    return lbs_roster_by_name(by);
}

/* Leaving ---------------------------------------------------------------- */

void lbs_discover_seat_leave(const lbs_pool_t *pool, int seat,
                             const lbs_discover_leave_t *leave)
{
    lbs_roster_seat_t *at = &pool->roster->seat[seat];
    lbs_roster_place_t place;

    if (!lbs_roster_at(pool->roster, seat, &place)) {
        return;
    }
    lbs_atomic_store64_relaxed(&at->leaves_at, (apr_uint64_t)leave->end);
    lbs_admin_set_idle(registry(), place.slot, leave->idle);
    if (!lbs_gauge_set(gauge_of(place.slot), LBS_F_LEAVING)) {
        return;
    }
    lbs_atomic_store64_relaxed(&at->left_at,
                               (apr_uint64_t)lbs_clock_both().wall);
    if (leave->is_told) {
        return;
    }
    count(pool, LBS_ROSTER_LEFT);
    tell(pool, place.slot, LBS_EVENT_LEAVING, leave->reason);
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, pool->server,
                 LBSNO(3602) "pool %s: member %s leaves: %s", pool->name,
                 name_of(place.slot), leave->reason);
}

void lbs_discover_seat_miss(const lbs_discover_from_t *from, int seat,
                            apr_time_t now)
{
    const lbs_pool_t *pool = from->pool;
    const lbs_set_discover_t *set = pool->set.discover;
    lbs_roster_place_t place;

    if (lbs_roster_at(pool->roster, seat, &place)
        && lbs_roster_miss(pool->roster, seat, from->source, GOOD_ANSWERS,
                           set->hold, now)
        && (lbs_atomic_load32_relaxed(&gauge_of(place.slot)->flags)
            & LBS_F_LEAVING)
               == 0) {
        lbs_discover_seat_leave(
            pool, seat,
            &(lbs_discover_leave_t){.end = now + set->leave,
                                    .reason = lbs_discover_reason(from)});
    }
}

/* @return why it may go; NULL: not yet */
static const char *end_of(const lbs_roster_seat_t *at, apr_uint32_t slot,
                          apr_time_t now)
{
    const lbs_gauge_t *gauge = gauge_of(slot);
    apr_uint64_t end = lbs_atomic_load64_relaxed(&at->leaves_at);

    if ((lbs_atomic_load32_relaxed(&gauge->flags) & LBS_F_LEAVING) == 0) {
        return NULL;
    }
    if ((lbs_gauge_flags(gauge) & LBS_F_DOWN) != 0) {
        return "it is down";
    }
    if (end <= (apr_uint64_t)now) {
        return "its time is over";
    }
    /* A request that begins a session binds it before it ends. */
    if (lbs_gauge_inflight(gauge) == 0
        && lbs_table_sessions(lbs_runtime()->slots, slot) == 0) {
        return "no session is left";
    }
    return NULL;
}

void lbs_discover_seat_take_out(const lbs_pool_t *pool, int seat,
                                apr_time_t now)
{
    lbs_roster_place_t place;

    if (lbs_roster_at(pool->roster, seat, &place)) {
        (void)lbs_registry_remove(registry(), place.slot);
        (void)lbs_gauge_clear(gauge_of(place.slot),
                              LBS_F_LEAVING | LBS_F_WAITING);
        lbs_admin_set_idle(registry(), place.slot, 0);
        lbs_roster_vacate(pool->roster, seat, now);
        publish();
    }
}

void lbs_discover_seat_tick(const lbs_pool_t *pool, int seat, apr_time_t now)
{
    lbs_roster_seat_t *at = &pool->roster->seat[seat];
    lbs_roster_place_t place;
    const char *why;

    if (!lbs_roster_at(pool->roster, seat, &place)) {
        return;
    }
    if (!lbs_check_seat_is_checked(pool)
        && (lbs_gauge_flags(gauge_of(place.slot)) & LBS_F_JOINING) != 0) {
        (void)lbs_check_forget(
            &lbs_registry_member_record(registry(), place.slot)->check,
            gauge_of(place.slot)); /* no check will come */
    }
    wait_or_open(pool, seat, place.slot, now);
    why = end_of(at, place.slot, now);
    if (why == NULL) {
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, pool->server,
                 LBSNO(3603) "pool %s: member %s is removed: %s", pool->name,
                 name_of(place.slot), why);
    count(pool, LBS_ROSTER_REMOVED);
    tell(pool, place.slot, LBS_EVENT_REMOVED, spelling_of(pool, place.by));
    lbs_discover_seat_take_out(pool, seat, now);
}

/* A configuration -------------------------------------------------------- */

static void drop(const lbs_pool_t *pool, int seat, apr_uint32_t slot)
{
    (void)lbs_gauge_clear(gauge_of(slot), LBS_F_LEAVING | LBS_F_WAITING);
    lbs_roster_vacate(pool->roster, seat, lbs_clock_now());
    publish();
}

void lbs_discover_seat_fit(const lbs_pool_t *pool)
{
    lbs_roster_place_t place;
    int seat;

    while ((seat = lbs_roster_surplus(pool->roster, seats_of(pool)))
               != LBS_ROSTER_NONE
           && lbs_roster_at(pool->roster, seat, &place)) {
        drop(pool, seat, place.slot);
    }
    if (lbs_roster_close_up(pool->roster, seats_of(pool))) {
        publish();
    }
}

void lbs_discover_seat_keep(const lbs_pool_t *pool, int seat)
{
    lbs_registry_member_info_t info;
    lbs_roster_place_t place;
    apr_uint32_t slot;

    if (!lbs_roster_at(pool->roster, seat, &place)) {
        return;
    }
    /* A member that is configured by now was named before. */
    if (lbs_registry_member_info(registry(), place.slot, &info) != APR_SUCCESS
        || info.pool_slot != pool->slot
        || lbs_registry_member(registry(), pool->slot, info.route, info.url,
                               &slot, NULL)
               != APR_SUCCESS) {
        drop(pool, seat, place.slot);
        return;
    }
    lbs_common_adopt(pool, slot);
}
