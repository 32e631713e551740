/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_kept.h - data that httpd keeps across builds of this module.
 *
 * A reload may load another build than the one before, whose blocks of shared
 * memory are laid out differently. This struct is laid out the same in every
 * build: it is found by its name, may grow at its end only, and is private to
 * httpd's parent.
 */
#ifndef LBS_KEPT_H
#define LBS_KEPT_H

#include <apr.h>
#include <apr_pools.h>
#include <pthread.h>

#include "src/base/lbs_atomic.h"

#define LBS_KEPT_THREADS 4

/* A thread that a reload left behind, because the disk was slow. */
typedef struct lbs_kept_thread_t {
    int used;
    pthread_t thread;
    void *module;           /* from dlopen(): its code stays loaded */
    apr_pool_t *pool;       /* its memory */
    lbs_atomic32_t is_over; /* it may be joined */
} lbs_kept_thread_t;

typedef struct lbs_kept_t {
    apr_uint64_t owner;  /* layout of the blocks in use; 0: none yet */
    lbs_atomic32_t disk; /* 1: a thread is writing the state file */
    lbs_atomic64_t left; /* hash of the path of the file that the last
                            configuration left complete, and of its outline;
                            0: none */
    lbs_kept_thread_t threads[LBS_KEPT_THREADS];
    int started; /* a configuration has been served: the next is a reload */
} lbs_kept_t;

/** Find it, or make it. Parent. */
lbs_kept_t *lbs_kept(void);

#endif
