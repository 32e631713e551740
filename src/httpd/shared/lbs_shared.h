/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_shared.h - the blocks of shared memory, and how long they live.
 *
 * Made by the parent in the process pool and found again by every later
 * configuration, so that children of the old and of the new generation work on
 * the same words. A session table of another size is put in front of the ones
 * there are; an older one is given back when it holds nothing more. Sessions
 * cannot be copied into another table: words do not hold their keys.
 */
#ifndef LBS_SHARED_H
#define LBS_SHARED_H

#include <httpd.h>

#include "src/base/lbs_atomic.h"
#include "src/base/lbs_lease.h"
#include "src/evidence/lbs_recent.h"
#include "src/state/lbs_registry.h"
#include "src/roster/lbs_roster.h"
#include "src/roster/lbs_wish.h"
#include "src/table/lbs_busy.h"
#include "src/table/lbs_forgotten.h"
#include "src/table/lbs_ongoing.h"
#include "src/table/lbs_table.h"

#define LBS_SHARED_TABLES (1 + LBS_TABLE_CHAIN)

typedef struct lbs_shared_table_t {
    apr_pool_t *pool; /* of the block; NULL: no table */
    void *base;
    void *marks; /* lbs_table_mark_changes() */
    apr_size_t bytes;
    apr_uint32_t sessions;
} lbs_shared_table_t;

/* What processes tell each other beside the registry. Its layout is private to
 * lbs_shared.c. */
typedef struct lbs_notes_t {
    lbs_atomic64_t
        *saved_at; /* Unix microseconds of the state file; 0: none */
    lbs_forgotten_t *forgotten;
    lbs_busy_t *busy;            /* by slot of the pool */
    lbs_recent_count_t *foreign; /* tokens that another secret signed, by slot
                                    of the pool */
    lbs_recent_most_t *ahead;    /* seconds: tokens dated in the future */
    lbs_lease_t *tick;           /* of the process that ticks */
    lbs_atomic64_t
        *own_name_at;           /* last warning LBS3500, by slot of the pool */
    lbs_atomic64_t *upgrade_at; /* the same of LBS3501 */
    lbs_atomic64_t *circle_at;  /* and of LBS3502 */
    lbs_atomic64_t *control_at; /* of LBS1204, LBS1205 */
    lbs_atomic64_t *claim_at;   /* of LBS1206 */
    lbs_recent_count_t *upgrades_lost, *circles; /* what these tell of */
    lbs_ongoing_t *ongoing;
    lbs_atomic64_t *roster_version; /* changes of all rosters; 0: none yet */
    lbs_roster_t *rosters;          /* by slot of the pool */
    lbs_wish_ring_t *wishes;
} lbs_notes_t;

typedef struct lbs_shared_t {
    void *registry;
    apr_size_t registry_bytes;
    apr_uint32_t children; /* rows of the registry */
    lbs_atomic64_t *first; /* LBS_FIRST_WORDS of them */
    struct lbs_shared_notes_t *notes;
    lbs_shared_table_t table[LBS_SHARED_TABLES]; /* the newest first */
    int fresh; /* 1: made by this start, nothing is in it */
} lbs_shared_t;

/**
 * Find the blocks, or make them; blocks of another build of this module are
 * not used. Parent, in post_config.
 *
 * @param now  the time from which a new registry counts
 * @return APR_SUCCESS; anything else was logged with what to change
 */
apr_status_t lbs_shared_find(lbs_shared_t **shared, lbs_clock_t now,
                             server_rec *main_server);

/**
 * Make the blocks anew, where the old ones cannot be used. Parent, in
 * post_config.
 *
 * @return APR_SUCCESS; anything else was logged with what to change
 */
apr_status_t lbs_shared_renew(lbs_shared_t *shared, lbs_clock_t now,
                              server_rec *main_server);

/** Where its notes lie. */
void lbs_shared_notes(const lbs_shared_t *shared, lbs_notes_t *notes);

/**
 * Put a new, empty table in front.
 *
 * @return APR_SUCCESS; APR_ENOSPC: there are as many as there can be; anything
 *         else: there is no memory for it
 */
apr_status_t lbs_shared_add_table(lbs_shared_t *shared, apr_uint32_t sessions);

/**
 * Have a table for so many sessions in front: the one there is, one that was
 * in front before, or a new one. If a new table cannot be made, the current
 * one stays and a warning is logged.
 *
 * @return APR_SUCCESS; anything else: there is no table at all; the log says
 * what to change
 */
apr_status_t lbs_shared_want_table(lbs_shared_t *shared, apr_uint32_t sessions,
                                   server_rec *main_server);

/** Give back table `i`. Children that know it keep it; views of this process
 * must not be used any more. */
void lbs_shared_drop_table(lbs_shared_t *shared, int i);

#endif
