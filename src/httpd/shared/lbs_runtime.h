/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_runtime.h - the shared memory of this httpd, and this process's view.
 *
 * The registry (identities, gauges, counters, events), the session table and
 * the cache of first picks are anonymous shared memory made by the parent in
 * the process pool. They outlive graceful restarts: children of the old and
 * of the new generation read and write the same words.
 */
#ifndef LBS_RUNTIME_H
#define LBS_RUNTIME_H

#include <httpd.h>

#include "src/affinity/lbs_secret.h"
#include "src/httpd/shared/lbs_shared.h"
#include "src/member/lbs_inflight.h"
#include "src/state/lbs_registry.h"
#include "src/table/lbs_first.h"
#include "src/table/lbs_table.h"

typedef struct lbs_runtime_t {
    apr_pool_t *pool; /* lives as long as the configuration */
    lbs_shared_t *shared;
    apr_uint32_t generation; /* of this configuration */
    lbs_registry_t *registry;
    lbs_table_t *table;                     /* with its chain */
    lbs_table_t *tables[LBS_SHARED_TABLES]; /* each, the newest first */
    int table_count;
    lbs_table_slots_t *slots;
    lbs_atomic64_t *first; /* LBS_FIRST_WORDS of them */
    lbs_notes_t notes;
    lbs_rows_t rows;
    lbs_inflight_t row; /* of this child */
    const lbs_secret_t *secret;
    lbs_hash_key_t pick_key; /* the same on every server with this secret */
    int secret_is_random;
} lbs_runtime_t;

/** This process's view; NULL before post_config, and where no pool is
 * governed. */
lbs_runtime_t *lbs_runtime(void);

/**
 * Make or find again the shared memory. Parent, in post_config.
 *
 * @return APR_SUCCESS; anything else was logged with what to change
 */
apr_status_t lbs_runtime_start(apr_pool_t *pconf, server_rec *main_server);

/** Open the tables anew, after one was added. Parent, in post_config.
 * @return APR_SUCCESS; APR_EGENERAL, APR_EINVAL: a block is damaged, see
 *         lbs_table_open() and lbs_table_chain() */
apr_status_t lbs_runtime_open_tables(void);

/** Have a table of the configured size in front, give back empty ones behind
 * it, and open them anew. Parent, in post_config.
 *
 * @return APR_SUCCESS; anything else was logged with what to change */
apr_status_t lbs_runtime_fit_tables(server_rec *main_server);

/** Begin with one empty table of the configured size, whatever there was.
 * Parent, in post_config, where nobody uses the tables yet.
 *
 * @return APR_SUCCESS; anything else was logged with what to change */
apr_status_t lbs_runtime_empty_tables(server_rec *main_server);

/** Take the secret in force: the configuration's, or the registry's once a
 * state file has been read. Parent, in post_config. */
void lbs_runtime_take_secret(const server_rec *main_server);

/** Show a member's count of sessions to the picks. Whenever it changed, so
 * that a burst of first visits spreads, and at each tick, for the sweep. */
void lbs_runtime_count_sessions(apr_uint32_t slot);

/** @return microseconds since 1970, as the clock of the machine said at the
 * start: who sets that clock changes no session */
apr_time_t lbs_runtime_wall_now(void);

/**
 * Unix seconds for the dates in cookies: the wall clock of the first start
 * moved on by the monotonic one, so that a jump of the wall clock ends no
 * session.
 */
apr_uint32_t lbs_runtime_token_now(void);

/** The same at a time of lbs_clock_now() that the caller has read already. */
apr_uint32_t lbs_runtime_token_at(apr_time_t now);

#endif
