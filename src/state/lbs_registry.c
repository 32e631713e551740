/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_registry.h"

#include <string.h>

#include "src/base/lbs_assert.h"
#include "src/state/lbs_block_int.h"
#include "src/state/lbs_identity.h"

apr_status_t lbs_registry_bytes(apr_uint32_t rows, apr_size_t *bytes)
{
    return lbs_block_bytes(rows, bytes);
}

apr_status_t lbs_registry_format(void *block, apr_size_t bytes,
                                 apr_uint32_t rows,
                                 const lbs_registry_seed_t *seed)
{
    return lbs_block_format(block, bytes, rows, seed);
}

apr_status_t lbs_registry_open(lbs_registry_t **reg, void *block,
                               apr_size_t bytes, apr_uint32_t rows,
                               apr_pool_t *pool)
{
    lbs_registry_t *view = apr_pcalloc(pool, sizeof(*view));
    apr_status_t rv = lbs_block_view(view, block, bytes, rows);

    if (rv == APR_SUCCESS) {
        *reg = view;
    }
    return rv;
}

/* Looking at it ---------------------------------------------------------- */

apr_uint32_t lbs_registry_find_pool(const lbs_registry_t *reg, apr_uint64_t id)
{
    apr_uint32_t end = lbs_seat_pools_end(reg);
    apr_uint32_t i;

    for (i = 0; i < end; i++) {
        if (lbs_atomic_load64_relaxed(&reg->pool_ids[i]) == id
            && lbs_seat_taken(&reg->pool_seats[i].seat)) {
            return i;
        }
    }
    return LBS_REGISTRY_NONE;
}

apr_uint32_t lbs_registry_find_member(const lbs_registry_t *reg,
                                      apr_uint64_t id)
{
    apr_uint32_t end = lbs_seat_members_end(reg);
    apr_uint32_t i;

    for (i = 0; i < end; i++) {
        if (lbs_atomic_load64_relaxed(&reg->member_ids[i]) == id
            && lbs_seat_taken(&reg->seats[i].seat)) {
            return i;
        }
    }
    return LBS_REGISTRY_NONE;
}

apr_uint32_t lbs_registry_next_pool(const lbs_registry_t *reg,
                                    apr_uint32_t after)
{
    apr_uint32_t end = lbs_seat_pools_end(reg);
    apr_uint32_t i;

    /* LBS_REGISTRY_NONE + 1 is 0. */
    for (i = after + 1; i < end; i++) {
        if (lbs_seat_taken(&reg->pool_seats[i].seat)) {
            return i;
        }
    }
    return LBS_REGISTRY_NONE;
}

apr_uint32_t lbs_registry_next_member(const lbs_registry_t *reg,
                                      apr_uint32_t pool_slot,
                                      apr_uint32_t after)
{
    apr_uint32_t end = lbs_seat_members_end(reg);
    apr_uint32_t i;

    for (i = after + 1; i < end; i++) {
        const lbs_member_seat_t *seat = &reg->seats[i];

        if (lbs_seat_taken(&seat->seat)
            && (pool_slot == LBS_REGISTRY_NONE
                || lbs_atomic_load32_relaxed(&seat->pool_slot) == pool_slot)) {
            return i;
        }
    }
    return LBS_REGISTRY_NONE;
}

apr_status_t lbs_registry_pool_info(const lbs_registry_t *reg,
                                    apr_uint32_t slot,
                                    lbs_registry_pool_info_t *info)
{
    const lbs_pool_seat_t *seat;

    if (slot >= LBS_REGISTRY_POOLS
        || !lbs_seat_taken(&reg->pool_seats[slot].seat)) {
        return APR_NOTFOUND;
    }
    seat = &reg->pool_seats[slot];
    info->id = lbs_atomic_load64_relaxed(&reg->pool_ids[slot]);
    info->vhost = seat->vhost;
    info->name = seat->name;
    info->removed =
        lbs_atomic_load32_relaxed(&seat->seat.state) == LBS_SEAT_REMOVED;
    return APR_SUCCESS;
}

apr_status_t lbs_registry_member_info(const lbs_registry_t *reg,
                                      apr_uint32_t slot,
                                      lbs_registry_member_info_t *info)
{
    const lbs_member_seat_t *seat;
    apr_uint32_t pool_slot;

    if (slot >= LBS_REGISTRY_MEMBERS
        || !lbs_seat_taken(&reg->seats[slot].seat)) {
        return APR_NOTFOUND;
    }
    seat = &reg->seats[slot];
    pool_slot = lbs_atomic_load32_relaxed(&seat->pool_slot);
    if (pool_slot >= LBS_REGISTRY_POOLS) {
        return APR_NOTFOUND;
    }
    info->id = lbs_atomic_load64_relaxed(&reg->member_ids[slot]);
    info->pool_slot = pool_slot;
    info->route = seat->route;
    info->url = seat->url;
    info->removed =
        lbs_atomic_load32_relaxed(&seat->seat.state) == LBS_SEAT_REMOVED;
    return APR_SUCCESS;
}

apr_uint32_t lbs_registry_generation(const lbs_registry_t *reg)
{
    return lbs_atomic_load32_acquire(&reg->head->generation);
}

lbs_clock_t lbs_registry_started(const lbs_registry_t *reg)
{
    return reg->head->started;
}

const lbs_hash_key_t *lbs_registry_table_key(const lbs_registry_t *reg)
{
    return &reg->head->table_key;
}

const unsigned char *lbs_registry_secret(const lbs_registry_t *reg)
{
    return reg->head->secret;
}

void lbs_registry_set_keys(lbs_registry_t *reg,
                           const lbs_hash_key_t *table_key,
                           const unsigned char *secret)
{
    lbs_block_set_keys(reg->head, table_key, secret);
}

lbs_pool_record_t *lbs_registry_pool_record(const lbs_registry_t *reg,
                                            apr_uint32_t slot)
{
    lbs_assert(slot < LBS_REGISTRY_POOLS);
    return &reg->pools[slot];
}

lbs_gauge_t *lbs_registry_gauges(const lbs_registry_t *reg)
{
    return reg->gauges;
}

lbs_member_record_t *lbs_registry_member_record(const lbs_registry_t *reg,
                                                apr_uint32_t slot)
{
    lbs_assert(slot < LBS_REGISTRY_MEMBERS);
    return &reg->members[slot];
}

lbs_table_slots_t *lbs_registry_slots(const lbs_registry_t *reg)
{
    return reg->slots;
}

const lbs_rows_t *lbs_registry_rows(const lbs_registry_t *reg)
{
    return &reg->rows;
}

lbs_ring_t *lbs_registry_pool_ring(const lbs_registry_t *reg,
                                   apr_uint32_t slot)
{
    lbs_assert(slot < LBS_REGISTRY_POOLS);
    return &reg->pool_rings[slot];
}

lbs_ring_t *lbs_registry_ring(const lbs_registry_t *reg, apr_uint32_t slot)
{
    lbs_assert(slot < LBS_REGISTRY_MEMBERS);
    return &reg->rings[slot];
}

lbs_events_t *lbs_registry_events(const lbs_registry_t *reg)
{
    return reg->events;
}

void lbs_registry_tell(const lbs_registry_t *reg, const lbs_clock_t *now,
                       apr_uint32_t pool_slot, apr_uint32_t member_slot,
                       lbs_event_kind_t kind, const char *reason)
{
    lbs_registry_member_info_t member;
    lbs_registry_pool_info_t pool;
    lbs_event_t event;

    memset(&event, 0, sizeof(event));
    event.at = now->wall;
    event.kind = kind;
    event.member_slot = LBS_EVENTS_NO_SLOT;
    if (lbs_registry_member_info(reg, member_slot, &member) == APR_SUCCESS) {
        pool_slot = member.pool_slot;
        event.member_slot = member_slot;
        event.member_id = member.id;
        lbs_events_text(event.member, sizeof(event.member),
                        member.route[0] != '\0' ? member.route : member.url);
    }
    event.pool_slot = LBS_EVENTS_NO_SLOT;
    if (lbs_registry_pool_info(reg, pool_slot, &pool) == APR_SUCCESS) {
        event.pool_slot = pool_slot;
        lbs_events_text(event.pool, sizeof(event.pool), pool.name);
    }
    lbs_events_text(event.reason, sizeof(event.reason), reason);
    lbs_events_add(reg->events, &event);
}

/* Naming ----------------------------------------------------------------- */

static int given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static void raise_to(lbs_atomic32_t *high, apr_uint32_t value)
{
    apr_uint32_t seen = lbs_atomic_load32_relaxed(high);

    while (seen < value && !lbs_atomic_cas32(high, &seen, value)) {
    }
}

/* The field's last byte stays 0, so that a reader in between finds an end. The
 * caller has checked that the text fits. */
static void put_text(char *field, const char *text)
{
    memcpy(field, text, strlen(text) + 1);
}

/* The slot was found: is it this pass's first time to name it, and is it
 * back from the dead? APR_EAGAIN: it was freed just now. */
static apr_status_t name_seat(const lbs_registry_t *reg, lbs_seat_t *seat,
                              int *back)
{
    if (reg->naming != 0
        && lbs_atomic_load32_relaxed(&seat->named) == reg->naming) {
        return APR_EEXIST;
    }
    *back = lbs_seat_turn(seat, LBS_SEAT_REMOVED, LBS_SEAT_LIVE);
    if (!*back && lbs_atomic_load32_acquire(&seat->state) != LBS_SEAT_LIVE) {
        return APR_EAGAIN;
    }
    if (*back) {
        lbs_atomic_store32_relaxed(&seat->came, reg->naming);
    }
    if (reg->naming != 0) {
        lbs_atomic_store32_relaxed(&seat->named, reg->naming);
    }
    return APR_SUCCESS;
}

/* Where there is a route the URL is no identity. A reader at this moment may
 * see half of each URL, once, on a page. */
static void update_url(lbs_member_seat_t *seat, const char *url)
{
    if (strcmp(seat->url, url) != 0) {
        put_text(seat->url, url);
    }
}

static apr_uint32_t claim_pool(lbs_registry_t *reg)
{
    apr_uint32_t i;

    for (i = 0; i < LBS_REGISTRY_POOLS; i++) {
        if (lbs_seat_turn(&reg->pool_seats[i].seat, LBS_SEAT_FREE,
                          LBS_SEAT_CLAIMED)) {
            raise_to(&reg->head->pools_high, i + 1);
            return i;
        }
    }
    return LBS_REGISTRY_NONE;
}

static apr_uint32_t claim_member(lbs_registry_t *reg)
{
    apr_uint32_t i;

    for (i = 0; i < LBS_REGISTRY_MEMBERS; i++) {
        if (lbs_seat_turn(&reg->seats[i].seat, LBS_SEAT_FREE,
                          LBS_SEAT_CLAIMED)) {
            raise_to(&reg->head->members_high, i + 1);
            return i;
        }
    }
    return LBS_REGISTRY_NONE;
}

static apr_status_t add_pool(lbs_registry_t *reg, apr_uint64_t id,
                             const char *vhost, const char *pool,
                             apr_uint32_t *slot)
{
    apr_uint32_t at = claim_pool(reg);
    lbs_pool_seat_t *seat;

    if (at == LBS_REGISTRY_NONE) {
        return APR_ENOSPC;
    }
    seat = &reg->pool_seats[at];
    put_text(seat->vhost, vhost);
    put_text(seat->name, pool);
    lbs_atomic_store32_relaxed(&seat->seat.came, reg->naming);
    lbs_atomic_store32_relaxed(&seat->seat.named, reg->naming);
    lbs_atomic_store64_relaxed(&reg->pool_ids[at], id);
    /* One process at a time names slots: no other takes a claimed seat. */
    (void)lbs_seat_turn(&seat->seat, LBS_SEAT_CLAIMED, LBS_SEAT_LIVE);
    *slot = at;
    return APR_SUCCESS;
}

static apr_status_t add_member(lbs_registry_t *reg, apr_uint64_t id,
                               apr_uint32_t pool_slot, const char *route,
                               const char *url, apr_uint32_t *slot)
{
    apr_uint32_t at = claim_member(reg);
    lbs_member_seat_t *seat;

    if (at == LBS_REGISTRY_NONE) {
        return APR_ENOSPC;
    }
    lbs_gauge_init(&reg->gauges[at]);
    seat = &reg->seats[at];
    put_text(seat->route, given(route) ? route : "");
    put_text(seat->url, url);
    lbs_atomic_store32_relaxed(&seat->pool_slot, pool_slot);
    lbs_atomic_store32_relaxed(&seat->seat.came, reg->naming);
    lbs_atomic_store32_relaxed(&seat->seat.named, reg->naming);
    lbs_atomic_store64_relaxed(&reg->member_ids[at], id);
    (void)lbs_seat_turn(&seat->seat, LBS_SEAT_CLAIMED, LBS_SEAT_LIVE);
    *slot = at;
    return APR_SUCCESS;
}

static void say_created(int *created, int yes)
{
    if (created != NULL) {
        *created = yes;
    }
}

void lbs_registry_begin(lbs_registry_t *reg)
{
    reg->naming = lbs_atomic_add32_relaxed(&reg->head->passes, 1) + 1;
}

apr_status_t lbs_registry_pool(lbs_registry_t *reg, const char *vhost,
                               const char *pool, apr_uint32_t *slot,
                               int *created)
{
    apr_uint64_t id;
    apr_uint32_t at;
    int back = 1;
    apr_status_t rv = APR_EAGAIN;

    if (pool[0] == '\0') {
        return APR_EINVAL;
    }
    if (strlen(vhost) > LBS_REGISTRY_VHOST_LEN
        || strlen(pool) > LBS_REGISTRY_POOL_LEN) {
        return APR_ENAMETOOLONG;
    }
    id = lbs_identity_pool(vhost, pool);
    at = lbs_registry_find_pool(reg, id);
    if (at != LBS_REGISTRY_NONE) {
        rv = name_seat(reg, &reg->pool_seats[at].seat, &back);
    }
    if (rv == APR_EAGAIN) {
        rv = add_pool(reg, id, vhost, pool, &at);
    }
    if (rv == APR_SUCCESS) {
        *slot = at;
        say_created(created, back);
    }
    return rv;
}

apr_status_t lbs_registry_member(lbs_registry_t *reg, apr_uint32_t pool_slot,
                                 const char *route, const char *url,
                                 apr_uint32_t *slot, int *created)
{
    lbs_registry_pool_info_t pool;
    apr_uint64_t id;
    apr_uint32_t at;
    int back = 1;
    apr_status_t rv = APR_EAGAIN;

    if (url[0] == '\0'
        || lbs_registry_pool_info(reg, pool_slot, &pool) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    if (strlen(url) > LBS_REGISTRY_URL_LEN
        || (given(route) && strlen(route) > LBS_REGISTRY_ROUTE_LEN)) {
        return APR_ENAMETOOLONG;
    }
    id = lbs_identity_member(pool.id, route, url);
    at = lbs_registry_find_member(reg, id);
    if (at != LBS_REGISTRY_NONE) {
        rv = name_seat(reg, &reg->seats[at].seat, &back);
    }
    if (rv == APR_EAGAIN) {
        rv = add_member(reg, id, pool_slot, route, url, &at);
    }
    else if (rv == APR_SUCCESS) {
        /* A pool that was freed and came back may have another slot. */
        lbs_atomic_store32_relaxed(&reg->seats[at].pool_slot, pool_slot);
        update_url(&reg->seats[at], url);
        if (reg->naming == 0) { /* no commit will */
            (void)lbs_gauge_clear(&reg->gauges[at], LBS_F_REMOVED);
        }
    }
    if (rv == APR_SUCCESS) {
        *slot = at;
        say_created(created, back);
    }
    return rv;
}

int lbs_registry_remove(lbs_registry_t *reg, apr_uint32_t slot)
{
    lbs_seat_t *seat;

    if (!lbs_registry_is_live(reg, slot)) {
        return 0;
    }
    seat = &reg->seats[slot].seat;
    (void)lbs_gauge_set(&reg->gauges[slot], LBS_F_REMOVED);
    lbs_atomic_store64_relaxed(&seat->quiet_at, 0);
    return lbs_seat_turn(seat, LBS_SEAT_LIVE, LBS_SEAT_REMOVED);
}

int lbs_registry_is_live(const lbs_registry_t *reg, apr_uint32_t slot)
{
    return slot < LBS_REGISTRY_MEMBERS
           && lbs_atomic_load32_acquire(&reg->seats[slot].seat.state)
                  == LBS_SEAT_LIVE;
}

/* Ending a pass ---------------------------------------------------------- */

typedef enum verdict_t { STAYS, CAME, WENT } verdict_t;

/* What a configuration pass does to one slot. A slot left CLAIMED by a process
 * that died, or just being cleared, becomes REMOVED without a name: its member
 * may have another slot by now. A member is closed before it counts as
 * removed: lbs_reclaim.c relies on it. */
static verdict_t judge(lbs_seat_t *seat, lbs_atomic64_t *id,
                       lbs_gauge_t *gauge, apr_uint32_t pass)
{
    apr_uint32_t state = lbs_atomic_load32_acquire(&seat->state);

    if (lbs_atomic_load32_relaxed(&seat->named) == pass) {
        return lbs_atomic_load32_relaxed(&seat->came) == pass ? CAME : STAYS;
    }
    if (state != LBS_SEAT_LIVE && state != LBS_SEAT_CLAIMED) {
        return STAYS;
    }
    if (state == LBS_SEAT_CLAIMED) {
        lbs_atomic_store64_relaxed(id, 0);
    }
    if (gauge != NULL) {
        (void)lbs_gauge_set(gauge, LBS_F_REMOVED);
    }
    lbs_atomic_store64_relaxed(&seat->quiet_at, 0);
    return lbs_seat_turn(seat, state, LBS_SEAT_REMOVED)
                   && state == LBS_SEAT_LIVE
               ? WENT
               : STAYS;
}

static void commit_member(lbs_registry_t *reg, apr_uint32_t slot, int tell,
                          const lbs_clock_t *now)
{
    lbs_gauge_t *gauge = &reg->gauges[slot];
    verdict_t verdict = judge(&reg->seats[slot].seat, &reg->member_ids[slot],
                              gauge, reg->naming);

    if (verdict == CAME) {
        (void)lbs_gauge_clear(gauge, LBS_F_REMOVED);
    }
    if (tell && verdict != STAYS) {
        lbs_registry_tell(reg, now, LBS_REGISTRY_NONE, slot,
                          verdict == CAME ? LBS_EVENT_ADDED
                                          : LBS_EVENT_REMOVED,
                          "configuration");
    }
}

void lbs_registry_commit(lbs_registry_t *reg, const lbs_clock_t *now)
{
    apr_uint32_t pools = lbs_seat_pools_end(reg);
    apr_uint32_t members = lbs_seat_members_end(reg);
    int first = lbs_registry_generation(reg) == 0;
    apr_uint32_t i;

    lbs_assert(reg->naming != 0);
    for (i = 0; i < pools; i++) {
        (void)judge(&reg->pool_seats[i].seat, &reg->pool_ids[i], NULL,
                    reg->naming);
    }
    for (i = 0; i < members; i++) {
        commit_member(reg, i, !first, now);
    }
    (void)lbs_atomic_add32_relaxed(&reg->head->generation, 1);
    reg->naming = 0;
}
