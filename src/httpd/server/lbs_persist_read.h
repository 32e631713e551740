/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_read.h - the state file into shared memory. */
#ifndef LBS_PERSIST_READ_H
#define LBS_PERSIST_READ_H

#include <httpd.h>

#include "src/state/lbs_restore.h"

/* The result; all zero where there is no file. */
typedef struct lbs_persist_outcome_t {
    int taken;
    apr_interval_time_t elapsed; /* since it was written */
    apr_uint64_t cut;            /* bytes at its end that are none */
    apr_uint32_t members;
    apr_uint64_t sessions;
    const char *refusal; /* NULL: it was not refused; else why, and: */
    const char *aside;   /* where it is now */
    apr_status_t rv;     /* the system's word on it */
} lbs_persist_outcome_t;

/**
 * Read the state file into shared memory that is new. A file that is refused
 * is kept aside as FILE.refused.
 *
 * @param outcome  out: strings live as long as ptemp
 * @return APR_SUCCESS, also without the file; anything else: there is no
 *         memory for a table either, it was logged and the start must fail
 */
apr_status_t lbs_persist_read(server_rec *main_server,
                              lbs_persist_outcome_t *outcome,
                              apr_pool_t *ptemp);

/* The same in two steps, for a look that changes nothing. ------------------
 */

/**
 * Open the file, whatever secret it belongs to, and leave it where it is.
 *
 * @param restore  out: lives as long as ptemp; written only on success
 * @param outcome  out: refusal, and rv where it cannot be read
 * @return 1: it is open; 0: it cannot be used, or there is none
 */
int lbs_persist_look(server_rec *main_server, lbs_restore_t **restore,
                     lbs_persist_outcome_t *outcome, apr_pool_t *ptemp);

/** Would a start with this configuration take the file? */
int lbs_persist_takes(server_rec *main_server, const lbs_restore_t *restore);

/**
 * Put its contents into shared memory that is new. All pools and members are
 * named that are to find what was theirs.
 *
 * @return APR_SUCCESS; anything else: there is no memory
 */
apr_status_t lbs_persist_restore(server_rec *main_server,
                                 lbs_restore_t *restore,
                                 lbs_persist_outcome_t *outcome,
                                 apr_pool_t *ptemp);

#endif
