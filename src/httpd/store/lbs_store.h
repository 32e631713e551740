/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_store.h - LBStickyStore: learned sessions that servers share.
 *
 * Any socache provider of httpd is the store. src/sharing/lbs_store_record.h
 * has the format of a session there; lbs_store_call.h keeps calls short and
 * leaves a dead store alone. A store never decides whether a request is
 * answered: without it, sessions are known to one server only.
 */
#ifndef LBS_STORE_H
#define LBS_STORE_H

#include <httpd.h>

#include "src/httpd/pool/lbs_key.h"
#include "src/httpd/pool/lbs_pools.h"

/** Refuse stores that do not exist. In check_config.
 * @return OK; or an HTTP status, and the log says what to write */
int lbs_store_check(apr_pool_t *ptemp, server_rec *main_server);

/**
 * Open the stores of all pools. Parent, in post_config, after the secret is
 * taken.
 *
 * @return APR_SUCCESS; anything else was logged and the start must fail
 */
apr_status_t lbs_store_start(apr_pool_t *pconf, apr_pool_t *ptemp,
                             server_rec *main_server);

/**
 * The name under which a key is stored.
 *
 * @param index  of the source
 * @return allocated from the request's pool; NULL: the pool has no store, or
 *         the source is none that is learned
 */
const char *lbs_store_name(request_rec *r, const lbs_pool_t *pool, int index,
                           const void *value, apr_size_t len);

/* How long one request of a client may wait for the store: timeout= for all
 * look-ups before it is sent and all writes before its answer is released,
 * also for its parts (includes, an error document). What did not answer in
 * that time is not waited for again. All zero when the request begins. */
typedef struct lbs_store_wait_t {
    struct lbs_store_wait_t *whole; /* of the request that this is a part of;
                                       NULL: of none */
    apr_interval_time_t waited;     /* microseconds */
    int late;                       /* the store did not answer in time */
} lbs_store_wait_t;

/**
 * Ask the store for a session that the table does not know.
 *
 * Cost: one call to the store for each secret, within the request's time.
 *
 * @param key  its name is set, or NULL; on success known, slot and expires are
 * @return 1 when the store has it; 0: it has not, or cannot be asked
 */
int lbs_store_find(const lbs_pool_t *pool, lbs_key_t *key,
                   lbs_store_wait_t *wait);

/**
 * Ask the store where a session is while it is away from home
 * (LBStickyFailback).
 *
 * Cost: as lbs_store_find().
 *
 * @param slot  out, on APR_SUCCESS only: of the member; -1: not one of ours
 * @return APR_SUCCESS; APR_NOTFOUND: it is not away; else the store cannot be
 *         asked
 */
apr_status_t lbs_store_find_away(const lbs_pool_t *pool, const lbs_key_t *key,
                                 lbs_store_wait_t *wait, int *slot);

/**
 * Is the store to be told again of a session, so that it does not end there?
 * Twice in an idle time. Before that it is asked: another server's word may
 * have come there meanwhile.
 *
 * @param expires  as the table has it
 */
int lbs_store_is_due(const lbs_pool_t *pool, apr_time_t expires);

/**
 * Tell the store which member has a session, where that is new or was told
 * long ago. Before the answer is released; not for a session that is there
 * for one request only.
 */
void lbs_store_write(const lbs_pool_t *pool, int member, const lbs_key_t *key,
                     lbs_store_wait_t *wait);

/** Tell the store where a session is while it is away from home. */
void lbs_store_write_away(const lbs_pool_t *pool, int member,
                          const lbs_key_t *key, lbs_store_wait_t *wait);

/** Tell the store that a session is at home again. */
void lbs_store_forget_away(const lbs_pool_t *pool, const lbs_key_t *key,
                           lbs_store_wait_t *wait);

/** The application ended a session. */
void lbs_store_forget(const lbs_pool_t *pool, const lbs_key_t *key,
                      lbs_store_wait_t *wait);

#endif
