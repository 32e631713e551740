/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_block_int.h - the block, drawn; for the files of this room only.
 *
 *     head           magic, version, sizes, keys, generation    one page
 *     pool ids       LBS_REGISTRY_POOLS words, 0: free or not yet named
 *     member ids     LBS_REGISTRY_MEMBERS words
 *     pool seats     who has the slot
 *     pool records   counters
 *     gauges         hot lines
 *     table slots    what the session table keeps per slot
 *     members        cold records
 *     seats          who has the slot, and what an operator changed
 *     events         ring
 *     pool rings     time series
 *     member rings   time series
 *     rows           one per child
 *
 * Each part begins on a page. A slot goes through these states:
 *
 *     FREE -> CLAIMED -> LIVE <-> REMOVED -> CLAIMED -> FREE
 *
 * All arrows are compare-and-swaps, so that of the parent, which names a
 * member again, and the process that frees its slot, exactly one succeeds. A
 * process that dies between them leaves CLAIMED, which the next commit turns
 * into REMOVED.
 */
#ifndef LBS_BLOCK_INT_H
#define LBS_BLOCK_INT_H

#include "src/base/lbs_atomic.h"
#include "src/state/lbs_registry.h"

#define LBS_SEAT_FIELDS 2 /* that an operator may change, lbs_admin.h */

#define LBS_SEAT_FREE 0u    /* all zero, free */
#define LBS_SEAT_CLAIMED 1u /* one process fills or clears it */
#define LBS_SEAT_LIVE 2u    /* configured */
#define LBS_SEAT_REMOVED 3u /* no longer configured, sessions may name it */

/* The part that pools and members have in common. */
typedef struct lbs_seat_t {
    lbs_atomic32_t state; /* LBS_SEAT_... */
    lbs_atomic32_t named; /* last pass that named it */
    lbs_atomic32_t came;  /* the pass in which it was new or back */
    lbs_atomic32_t pad;
    lbs_atomic64_t quiet_at; /* monotonic microseconds: removed, and nothing
                              * is in flight since; 0: not yet */
} lbs_seat_t;

typedef struct lbs_pool_seat_t {
    lbs_seat_t seat;
    char vhost[LBS_REGISTRY_VHOST_LEN + 1];
    char name[LBS_REGISTRY_POOL_LEN + 1];
} lbs_pool_seat_t;

typedef struct lbs_member_seat_t {
    lbs_seat_t seat;
    lbs_atomic32_t pool_slot;
    lbs_atomic32_t overrides;              /* one bit per lbs_admin_field_t */
    lbs_atomic32_t file[LBS_SEAT_FIELDS];  /* the configuration's values */
    lbs_atomic32_t wrote[LBS_SEAT_FIELDS]; /* lbs_manager.h */
    lbs_atomic64_t doubt[LBS_SEAT_FIELDS]; /* value there, plus 1 */
    lbs_atomic64_t drain_since;            /* Unix microseconds, 0: no drain */
    lbs_atomic64_t drain_deadline; /* monotonic microseconds, 0: none */
    lbs_atomic64_t drain_idle;     /* microseconds, 0: none */
    lbs_atomic32_t drain_told;     /* 1: the event "drained" was written */
    char route[LBS_REGISTRY_ROUTE_LEN + 1];
    char url[LBS_REGISTRY_URL_LEN + 1];
} lbs_member_seat_t;

typedef struct lbs_registry_head_t {
    unsigned char magic[8];
    apr_uint32_t version;
    apr_uint32_t rows;
    apr_uint64_t bytes; /* of the whole block */
    apr_uint64_t shape; /* hash of all sizes: built from other headers? */
    lbs_clock_t started;
    lbs_hash_key_t table_key;
    unsigned char secret[LBS_REGISTRY_SECRET_LEN];
    apr_uint64_t check;        /* hash of everything above */
    lbs_atomic32_t generation; /* commits */
    lbs_atomic32_t passes;
    lbs_atomic32_t pools_high; /* no slot at or above was ever used */
    lbs_atomic32_t members_high;
} lbs_registry_head_t;

struct lbs_registry_t {
    lbs_registry_head_t *head;
    lbs_atomic64_t *pool_ids;
    lbs_atomic64_t *member_ids;
    lbs_pool_seat_t *pool_seats;
    lbs_pool_record_t *pools;
    lbs_gauge_t *gauges;
    lbs_table_slots_t *slots;
    lbs_member_record_t *members;
    lbs_member_seat_t *seats;
    lbs_events_t *events;
    lbs_ring_t *pool_rings;
    lbs_ring_t *rings;
    lbs_rows_t rows;
    apr_uint32_t naming; /* pass that is open, 0: none */
};

/** @return 1 when the slot belongs to a pool or member, removed or not */
static inline int lbs_seat_taken(const lbs_seat_t *seat)
{
    apr_uint32_t state = lbs_atomic_load32_acquire(&seat->state);

    return state == LBS_SEAT_LIVE || state == LBS_SEAT_REMOVED;
}

/* Where the slots that were ever used end. Walks stop there, because looking
 * at a page of shared memory makes it real; and never beyond the block,
 * whatever the head says. */
static inline apr_uint32_t lbs_seat_pools_end(const lbs_registry_t *reg)
{
    apr_uint32_t end = lbs_atomic_load32_acquire(&reg->head->pools_high);

    return end < LBS_REGISTRY_POOLS ? end : LBS_REGISTRY_POOLS;
}

static inline apr_uint32_t lbs_seat_members_end(const lbs_registry_t *reg)
{
    apr_uint32_t end = lbs_atomic_load32_acquire(&reg->head->members_high);

    return end < LBS_REGISTRY_MEMBERS ? end : LBS_REGISTRY_MEMBERS;
}

/** Take one arrow. @return 1 when this caller took it; 0: the slot was in
 * another state */
static inline int lbs_seat_turn(lbs_seat_t *seat, apr_uint32_t from,
                                apr_uint32_t to)
{
    return lbs_atomic_cas32(&seat->state, &from, to);
}

/** As lbs_registry_bytes(). */
apr_status_t lbs_block_bytes(apr_uint32_t rows, apr_size_t *bytes);

/** As lbs_registry_format(). */
apr_status_t lbs_block_format(void *block, apr_size_t bytes, apr_uint32_t rows,
                              const lbs_registry_seed_t *seed);

/** Point a view at the parts of a block; statuses as lbs_registry_open(). */
apr_status_t lbs_block_view(lbs_registry_t *view, void *block,
                            apr_size_t bytes, apr_uint32_t rows);

/** Put other keys into the head, so that it still opens. */
void lbs_block_set_keys(lbs_registry_head_t *head,
                        const lbs_hash_key_t *table_key,
                        const unsigned char *secret);

#endif
