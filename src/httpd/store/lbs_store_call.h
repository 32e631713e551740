/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_store_call.h - one call to a store, bounded in time.
 *
 * Providers block as long as they like, so each call runs in a thread of a
 * small pool while the request waits at most timeout=. A call that fails or is
 * late counts against the store; after three in a row all processes leave the
 * store alone for a while, except for one call now and then that tries it.
 */
#ifndef LBS_STORE_CALL_H
#define LBS_STORE_CALL_H

#include <ap_socache.h>
#include <httpd.h>

#include "src/sharing/lbs_board.h"
#include "src/sharing/lbs_store_record.h"

typedef struct lbs_store_t lbs_store_t; /* opaque, from pconf */

#define LBS_STORE_CALL_MAX LBS_BOARD_LEN /* bytes of the longest value */

typedef enum lbs_store_op_t {
    LBS_STORE_GET,
    LBS_STORE_PUT,
    LBS_STORE_REMOVE
} lbs_store_op_t;

/** Once per configuration, in pre_config. */
void lbs_store_call_pre_config(apr_pool_t *pconf);

/**
 * Open a store. Parent, in post_config.
 *
 * @param spelling  as configured, for logs and events
 * @param args      for the provider; NULL: its defaults
 * @return APR_SUCCESS; anything else was logged
 */
apr_status_t lbs_store_call_open(lbs_store_t **store,
                                 const ap_socache_provider_t *provider,
                                 const char *spelling, const char *args,
                                 server_rec *s, apr_pool_t *pconf,
                                 apr_pool_t *ptemp);

/** In child_init. */
void lbs_store_call_child(apr_pool_t *pchild, server_rec *main_server);

typedef struct lbs_store_call_t {
    lbs_store_op_t op;
    const char *name;            /* LBS_STORE_RECORD_NAME_LEN characters */
    unsigned char *value;        /* in for PUT, out for GET */
    apr_size_t len;              /* bytes of value: a value of another length
                                    is not found; LBS_STORE_CALL_MAX at most */
    apr_time_t expiry;           /* wall clock, for PUT */
    apr_interval_time_t timeout; /* microseconds the caller waits; 0: it does
                                    not, and learns nothing of it */
    int whole; /* that is all the time a call may take: being late counts
                  against the store */
} lbs_store_call_t;

/**
 * Call a store.
 *
 * @return APR_SUCCESS; APR_NOTFOUND: it is not there; APR_EAGAIN: the store is
 *         left alone, or no request waits; APR_TIMEUP or another error: the
 *         store failed
 */
apr_status_t lbs_store_call(lbs_store_t *store, const lbs_store_call_t *what);

/** Work for a store that no request waits for. memory is destroyed behind it.
 */
typedef void lbs_store_work_fn(void *baton, apr_pool_t *memory);

/**
 * Do some work in one of this process's threads for calls, when one is free.
 *
 * @return APR_SUCCESS: it will be done; APR_EAGAIN: this process has no such
 *         threads, or all of them are busy
 */
apr_status_t lbs_store_call_later(lbs_store_work_fn *fn, void *baton);

/**
 * Call a store from such a thread, however long that takes. Says nothing for
 * or against the store.
 *
 * @param what    timeout and whole are not looked at
 * @return as lbs_store_call(); APR_EAGAIN also: the process ends
 */
apr_status_t lbs_store_call_here(lbs_store_t *store,
                                 const lbs_store_call_t *what,
                                 apr_pool_t *memory);

/** @return 1 while the store is left alone; store may be NULL */
int lbs_store_call_is_down(const lbs_store_t *store);

#endif
