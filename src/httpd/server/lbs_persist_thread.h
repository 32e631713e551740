/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_thread.h - the thread that writes the state file. One per
 * configuration; all calls are the main thread's. */
#ifndef LBS_PERSIST_THREAD_H
#define LBS_PERSIST_THREAD_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "src/httpd/config/lbs_config.h"

typedef struct lbs_persist_thread_t lbs_persist_thread_t; /* opaque */

/** Begin to write, every few seconds and, unless the configuration before left
 * a file that is complete, at once.
 * @return APR_SUCCESS; anything else: there is none, and nothing is written */
apr_status_t lbs_persist_thread_start(lbs_persist_thread_t **thread,
                                      const lbs_main_conf_t *conf);

/** Wait for the first writing, as long as a stop would. */
void lbs_persist_thread_first(lbs_persist_thread_t *thread);

/** @return the result of the last writing; APR_EAGAIN: there was none yet */
apr_status_t lbs_persist_thread_result(const lbs_persist_thread_t *thread);

/**
 * The configuration ends, httpd goes on: what has changed is handed to the
 * kernel, and shared memory is not touched any more. Does not wait for the
 * disk.
 */
void lbs_persist_thread_leave(lbs_persist_thread_t *thread);

/**
 * httpd ends: write the last image.
 *
 * @return its result; APR_TIMEUP: it takes longer than a stop may
 */
apr_status_t lbs_persist_thread_end(lbs_persist_thread_t *thread);

/** Wait for a thread that an earlier configuration left behind, as long as a
 * stop would. @return 1 when there is none any more */
int lbs_persist_thread_await(void);

/** Let go of threads left behind that are done meanwhile. */
void lbs_persist_thread_reap(void);

#endif
