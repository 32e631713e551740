/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_lease.h - which process does what one process does for all.
 *
 * One word in shared memory names the holder and when it last said so. Who
 * finds it free, or its holder silent for too long, takes it; a process that
 * dies, or is stopped, loses it by itself. Nobody waits and nothing is locked.
 *
 * A holder that sleeps for longer than a lease and wakes up does at most one
 * more step beside its successor: what is done under a lease must bear that.
 */
#ifndef LBS_LEASE_H
#define LBS_LEASE_H

#include <apr.h>
#include <apr_time.h>

#include "src/base/lbs_atomic.h"

#define LBS_LEASE_US APR_INT64_C(1000000) /* silent so long: it is free */

/* Shared; zero: nobody's. Private to lbs_lease.c. */
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

/** Give it up if that process holds it: by itself, or by whoever knows that
 * it is dead. */
void lbs_lease_drop(lbs_lease_t *lease, apr_uint32_t pid);

#endif
