/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_lease.h - which process does the work that one does for all.
 *
 * One word in shared memory names the holder and the time of its last renewal.
 * A process that finds the lease free, or not renewed for too long, takes it;
 * a process that dies or is stopped loses it by itself. No process waits, and
 * nothing is locked.
 *
 * A holder that sleeps for longer than a lease and wakes up does at most one
 * more step beside its successor: work done under a lease must bear that.
 */
#ifndef LBS_LEASE_H
#define LBS_LEASE_H

#include <apr.h>
#include <apr_time.h>

#include "src/base/lbs_atomic.h"

#define LBS_LEASE_US                                                          \
    APR_INT64_C(1000000) /* not renewed for so long: it is                    \
                            free */

/* Shared; zero: free. Private to lbs_lease.c. */
typedef struct lbs_lease_t {
    lbs_atomic64_t word; /* pid 32 | said so at, milliseconds 32 */
} lbs_lease_t;

/**
 * Take the lease, or say that it is still held.
 *
 * @param pid  of the calling process, not 0
 * @param now  monotonic microseconds
 * @return 1: this process holds it until now + LBS_LEASE_US; 0: another does
 */
int lbs_lease_hold(lbs_lease_t *lease, apr_uint32_t pid, apr_time_t now);

/** Give the lease up if that process holds it. Called by the process itself,
 * or by one that knows that it is dead. */
void lbs_lease_drop(lbs_lease_t *lease, apr_uint32_t pid);

#endif
