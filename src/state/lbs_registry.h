/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_registry.h - identities of pools and members, and where their state
 * lies.
 *
 * All of it is one flat block without pointers: anonymous shared memory that
 * outlives graceful restarts. The block is all zero when new and touched
 * lazily, so its size costs address space, not memory. A registry is one
 * process's private view of the block.
 *
 * State belongs to an identity, never to a position: a pool is (server name,
 * pool name), a member is (pool, route) or without a route (pool, URL). The
 * identity is hashed with a public key to a 64-bit id, the same on every
 * server and after every restart; the configuration may reorder, add and
 * remove as it likes. A name too long for its field is refused, never cut, so
 * no two names ever become equal.
 *
 * Callers: the parent names (begin, pool, member, commit) while it starts or
 * restarts; a member added at run time is named by the holder of the caller's
 * own mutex. All other functions run in any process and thread at any time,
 * without locks.
 */
#ifndef LBS_REGISTRY_H
#define LBS_REGISTRY_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "src/base/lbs_hash.h"
#include "src/member/lbs_gauge.h"
#include "src/member/lbs_member_record.h"
#include "src/member/lbs_inflight.h"
#include "src/state/lbs_events.h"
#include "src/state/lbs_identity.h"
#include "src/state/lbs_pool_record.h"
#include "src/state/lbs_ring.h"
#include "src/table/lbs_table.h"

#define LBS_REGISTRY_POOLS_MOST 512 /* that may be configured */
/* Slots: all may be renamed by a reload while the former ones are in use. */
#define LBS_REGISTRY_POOLS (2 * LBS_REGISTRY_POOLS_MOST)
#define LBS_REGISTRY_MEMBERS LBS_TABLE_SLOTS /* all a word can name */
#define LBS_REGISTRY_NONE APR_UINT32_MAX     /* no slot */

#define LBS_REGISTRY_VHOST_LEN LBS_IDENTITY_VHOST_LEN /* bytes, no NUL */
#define LBS_REGISTRY_POOL_LEN 127
#define LBS_REGISTRY_ROUTE_LEN 127
#define LBS_REGISTRY_URL_LEN 639
#define LBS_REGISTRY_SECRET_LEN 32

/* Both clocks, read at the same moment. */
typedef struct lbs_clock_t {
    apr_time_t mono; /* microseconds, never goes back: all intervals */
    apr_time_t wall; /* Unix microseconds: for people and files */
} lbs_clock_t;

/* The keys and clocks of a new block. */
typedef struct lbs_registry_seed_t {
    lbs_clock_t started;
    lbs_hash_key_t table_key;                      /* random */
    unsigned char secret[LBS_REGISTRY_SECRET_LEN]; /* random */
} lbs_registry_seed_t;

typedef struct lbs_registry_t lbs_registry_t; /* opaque, private */

/* A pool or member in the registry. The texts lie in the block: they do not
 * change as long as the slot belongs to this identity, and are terminated
 * whatever happens. */
typedef struct lbs_registry_pool_info_t {
    apr_uint64_t id;
    const char *vhost; /* server name as configured, with port if any */
    const char *name;
    int removed; /* no longer configured */
} lbs_registry_pool_info_t;

typedef struct lbs_registry_member_info_t {
    apr_uint64_t id;
    apr_uint32_t pool_slot;
    const char *route; /* "" when it has none */
    const char *url;
    int removed;
} lbs_registry_member_info_t;

/**
 * How large the block must be.
 *
 * @param rows   for children, see lbs_rows_bytes(): 2 to LBS_ROWS_MAX
 * @param bytes  out: the size, a multiple of 4096
 * @return APR_SUCCESS; APR_EINVAL: no such number of rows, or more than this
 *         machine can address
 */
apr_status_t lbs_registry_bytes(apr_uint32_t rows, apr_size_t *bytes);

/**
 * Make an empty registry in a block of zero bytes.
 *
 * Locking: nobody else uses the block yet.
 *
 * @param block  aligned to a page, `bytes` long as lbs_registry_bytes() said
 * @return APR_SUCCESS; APR_EINVAL: not enough bytes, or misaligned
 */
apr_status_t lbs_registry_format(void *block, apr_size_t bytes,
                                 apr_uint32_t rows,
                                 const lbs_registry_seed_t *seed);

/**
 * Open a view of a formatted block.
 *
 * @param reg   out: lives as long as pool
 * @param rows  the number the block was formatted with
 * @return APR_SUCCESS; APR_EINVAL: made by another version of this module, for
 *         another number of rows, or damaged: the caller starts afresh
 */
apr_status_t lbs_registry_open(lbs_registry_t **reg, void *block,
                               apr_size_t bytes, apr_uint32_t rows,
                               apr_pool_t *pool);

/** @return a hash of how a block is laid out in this build */
apr_uint64_t lbs_registry_layout(void);

/* Naming the pools and members of a configuration
 * ---------------------------------------------- */

/**
 * Begin a configuration pass: pools and members that are not named until the
 * commit are removed. A pass that is never committed removes nothing; a later
 * pass removes its additions if it does not name them.
 */
void lbs_registry_begin(lbs_registry_t *reg);

/**
 * Name a pool: find its slot, or give it one.
 *
 * @param vhost    ServerName[:port], compared without regard to case
 * @param pool     the pool's name, without balancer://
 * @param slot     out: the slot, the same as before if it was known
 * @param created  out: 1 when it was not there, or removed; may be NULL
 * @return APR_SUCCESS; APR_EEXIST: named before in this pass (two virtual
 *         hosts with one name: the caller tells the administrator);
 *         APR_ENAMETOOLONG: vhost or pool; APR_EINVAL: an empty pool name;
 *         APR_ENOSPC: all slots are taken
 */
apr_status_t lbs_registry_pool(lbs_registry_t *reg, const char *vhost,
                               const char *pool, apr_uint32_t *slot,
                               int *created);

/**
 * Name a member: find its slot, or give it one. A member that comes back finds
 * its slot and its counters, as long as the slot was not reused.
 *
 * Cost: linear in the members there are.
 *
 * @param pool_slot  from lbs_registry_pool()
 * @param route      the identity; NULL or "": the URL is. A renamed route is
 *                   another member
 * @param url        as configured; updated when the route stays
 * @param slot       out: the slot
 * @param created    out: 1 when it was not there, or removed; may be NULL
 * @return APR_SUCCESS; APR_EEXIST: two members of the pool with this route, or
 *         without route and with this URL; APR_ENAMETOOLONG: route or URL;
 *         APR_EINVAL: no such pool, or an empty URL; APR_ENOSPC: all slots
 *         are taken, perhaps by removed members that sessions still name
 */
apr_status_t lbs_registry_member(lbs_registry_t *reg, apr_uint32_t pool_slot,
                                 const char *route, const char *url,
                                 apr_uint32_t *slot, int *created);

/**
 * Remove a member outside a configuration pass: it is closed to all, and keeps
 * its slot as one does that a commit removed. lbs_registry_member() brings it
 * back. The caller tells of it.
 *
 * Locking: the same caller as of lbs_registry_member() at run time.
 *
 * @return 1; 0: the slot has no member that is there
 */
int lbs_registry_remove(lbs_registry_t *reg, apr_uint32_t slot);

/** @return 1 when the slot belongs to a member that is not removed */
int lbs_registry_is_live(const lbs_registry_t *reg, apr_uint32_t slot);

/**
 * End a configuration pass. Pools and members that it did not name become
 * removed: the members get LBS_F_REMOVED and keep their slot until
 * lbs_reclaim_slots(). Events tell what was added and removed, except at the
 * first commit of a block.
 */
void lbs_registry_commit(lbs_registry_t *reg, const lbs_clock_t *now);

/* Looking at it ---------------------------------------------------------- */

/** @return the slot of a pool, removed or not; LBS_REGISTRY_NONE: unknown */
apr_uint32_t lbs_registry_find_pool(const lbs_registry_t *reg,
                                    apr_uint64_t id);

/** @return the slot of a member, removed or not; LBS_REGISTRY_NONE: unknown */
apr_uint32_t lbs_registry_find_member(const lbs_registry_t *reg,
                                      apr_uint64_t id);

/**
 * Walk the pools in the order of their slots.
 *
 * @param after  the slot of the last one, LBS_REGISTRY_NONE to begin
 * @return the next slot in use, removed ones too; LBS_REGISTRY_NONE: the end
 */
apr_uint32_t lbs_registry_next_pool(const lbs_registry_t *reg,
                                    apr_uint32_t after);

/** Walk the members of a pool, LBS_REGISTRY_NONE: of all pools; see above. */
apr_uint32_t lbs_registry_next_member(const lbs_registry_t *reg,
                                      apr_uint32_t pool_slot,
                                      apr_uint32_t after);

/** @return APR_SUCCESS; APR_NOTFOUND: nobody has this slot */
apr_status_t lbs_registry_pool_info(const lbs_registry_t *reg,
                                    apr_uint32_t slot,
                                    lbs_registry_pool_info_t *info);

/** @return APR_SUCCESS; APR_NOTFOUND: nobody has this slot; pool_slot is below
 * LBS_REGISTRY_POOLS */
apr_status_t lbs_registry_member_info(const lbs_registry_t *reg,
                                      apr_uint32_t slot,
                                      lbs_registry_member_info_t *info);

/** @return commits so far: 1 after the first start, one more per reload */
apr_uint32_t lbs_registry_generation(const lbs_registry_t *reg);

/** @return when the block was formatted, both clocks */
lbs_clock_t lbs_registry_started(const lbs_registry_t *reg);

/** @return the key that the table hashes with; lives in the block */
const lbs_hash_key_t *lbs_registry_table_key(const lbs_registry_t *reg);

/** @return LBS_REGISTRY_SECRET_LEN bytes: the secret of `random` */
const unsigned char *lbs_registry_secret(const lbs_registry_t *reg);

/**
 * Take the keys of an earlier run. Only before the registry's own keys were
 * used.
 */
void lbs_registry_set_keys(lbs_registry_t *reg,
                           const lbs_hash_key_t *table_key,
                           const unsigned char *secret);

/** @return the counters of a pool slot below LBS_REGISTRY_POOLS */
lbs_pool_record_t *lbs_registry_pool_record(const lbs_registry_t *reg,
                                            apr_uint32_t slot);

/** @return LBS_REGISTRY_MEMBERS gauges, by member slot */
lbs_gauge_t *lbs_registry_gauges(const lbs_registry_t *reg);

/** @return the cold record of a member slot below LBS_REGISTRY_MEMBERS */
lbs_member_record_t *lbs_registry_member_record(const lbs_registry_t *reg,
                                                apr_uint32_t slot);

/** @return the session table's array of member slots */
lbs_table_slots_t *lbs_registry_slots(const lbs_registry_t *reg);

/** @return this process's view of the children's rows */
const lbs_rows_t *lbs_registry_rows(const lbs_registry_t *reg);

/** @return the pool's time series; slot below LBS_REGISTRY_POOLS */
lbs_ring_t *lbs_registry_pool_ring(const lbs_registry_t *reg,
                                   apr_uint32_t slot);

/** @return the member's time series; slot below LBS_REGISTRY_MEMBERS */
lbs_ring_t *lbs_registry_ring(const lbs_registry_t *reg, apr_uint32_t slot);

/** @return the ring of events */
lbs_events_t *lbs_registry_events(const lbs_registry_t *reg);

/**
 * Record an event about a pool or a member, with their names.
 *
 * @param pool_slot    LBS_REGISTRY_NONE: about no pool
 * @param member_slot  LBS_REGISTRY_NONE: about no member; else its pool counts
 * @param reason       NULL for none; cut at 95 bytes
 */
void lbs_registry_tell(const lbs_registry_t *reg, const lbs_clock_t *now,
                       apr_uint32_t pool_slot, apr_uint32_t member_slot,
                       lbs_event_kind_t kind, const char *reason);

#endif
