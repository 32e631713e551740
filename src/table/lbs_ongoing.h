/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_ongoing.h - sessions that have a request in flight: they are not idle.
 *
 * A WebSocket, a stream or an upload may last longer than the idle time, and
 * this module may see nothing of what passes through it. So every request with
 * keys takes a place here while it is in flight, and one process at a time
 * renews the sessions of all places, also for children of an older generation,
 * which have no tick of their own any more.
 *
 * A block in shared memory, all zero when new; the number of places and of
 * keys in each is bounded. A request that finds no place is served all the
 * same, only its session may end meanwhile. Nothing here locks or waits.
 */
#ifndef LBS_ONGOING_H
#define LBS_ONGOING_H

#include <apr_errno.h>
#include <apr_time.h>

#include "src/base/lbs_atomic.h"

#define LBS_ONGOING_PLACES 16384u /* requests at a time, of all processes */
#define LBS_ONGOING_KEYS 13u      /* sessions of one request */
#define LBS_ONGOING_NAMES 3u      /* of these, known to a store by a name */
#define LBS_ONGOING_NAME_WORDS 2u /* a name has 16 bytes */

/* Three cache lines; private to lbs_ongoing.c. */
typedef struct lbs_ongoing_place_t {
    lbs_atomic64_t owner;                 /* the child's process id; 0: free */
    lbs_atomic64_t idle_us;               /* of the sessions */
    lbs_atomic64_t due_us;                /* monotonic: renewed next */
    lbs_atomic64_t key[LBS_ONGOING_KEYS]; /* hashes; 0: none */
    /* Untouched where the pool has no store. */
    lbs_atomic64_t told_us; /* monotonic: the store was told last */
    lbs_atomic64_t named;   /* pool of the names 32 | how many 32 */
    lbs_atomic64_t name[LBS_ONGOING_NAMES][LBS_ONGOING_NAME_WORDS];
} lbs_ongoing_place_t;

_Static_assert(sizeof(lbs_ongoing_place_t) == 192,
               "a place is three cache lines");

typedef struct lbs_ongoing_t {
    lbs_atomic32_t next; /* where the next thread begins to look */
    lbs_atomic32_t top;  /* places used so far, from the first */
    lbs_atomic64_t turn; /* monotonic: when a process last renewed them all */
    lbs_atomic64_t pad[14];
    lbs_ongoing_place_t place[LBS_ONGOING_PLACES];
} lbs_ongoing_t;

/** Called with a session to renew, whose idle time is idle_us. */
typedef void lbs_ongoing_fn(void *baton, apr_uint64_t key,
                            apr_interval_time_t idle_us);

/** A place where a thread should begin to look for a free one. Once for each
 * thread. */
apr_uint32_t lbs_ongoing_begin(lbs_ongoing_t *ongoing);

/**
 * A request begins: take a place for its sessions. Cost: one swap, as a rule.
 *
 * @param owner  process id of the caller, not 0
 * @param hint   in and out: of this thread, where its last place was
 * @param now    monotonic microseconds
 * @param place  out, on APR_SUCCESS; lbs_ongoing_leave() is due
 * @return APR_SUCCESS; APR_ENOSPC: no place is free near the hint
 */
apr_status_t lbs_ongoing_enter(lbs_ongoing_t *ongoing, apr_uint32_t owner,
                               apr_uint32_t *hint, apr_time_t now,
                               apr_interval_time_t idle_us,
                               apr_uint32_t *place);

/** A session of the request: is renewed from now on. Left out when it is there
 * already, is 0, or has LBS_ONGOING_KEYS before it. Only by the request. */
void lbs_ongoing_add(lbs_ongoing_t *ongoing, apr_uint32_t place,
                     apr_uint64_t key);

/** A session of the request has a name in the store of a pool. Left out when
 * it is there already, or has LBS_ONGOING_NAMES before it. Only by the
 * request.
 * @param pool  any number that names the pool; the same for all its names */
void lbs_ongoing_add_name(lbs_ongoing_t *ongoing, apr_uint32_t place,
                          apr_uint32_t pool,
                          const apr_uint64_t name[LBS_ONGOING_NAME_WORDS],
                          apr_time_t now);

/** Called with a session that the store is to be told of again. */
typedef void lbs_ongoing_name_fn(
    void *baton, apr_uint32_t pool,
    const apr_uint64_t name[LBS_ONGOING_NAME_WORDS]);

/** Call fn for each name whose request has been in flight for half an idle
 * time since the store was told of it last. One process. Cost: one line for
 * each place used so far. */
void lbs_ongoing_each_name(lbs_ongoing_t *ongoing, apr_time_t now,
                           lbs_ongoing_name_fn *fn, void *baton);

/** Call fn for each session of a request. Only by the request. */
void lbs_ongoing_each(lbs_ongoing_t *ongoing, apr_uint32_t place,
                      lbs_ongoing_fn *fn, void *baton);

/** The request is over. */
void lbs_ongoing_leave(lbs_ongoing_t *ongoing, apr_uint32_t place);

/**
 * Is it this process that renews? Of all processes that ask within a time, one
 * is told so. So renewing does not depend on which process ticks, as during a
 * reload.
 *
 * @param every  that time, microseconds
 * @return 1: call lbs_ongoing_renew() now; 0: another one does
 */
int lbs_ongoing_turn(lbs_ongoing_t *ongoing, apr_time_t now,
                     apr_interval_time_t every);

/** Call fn for each session that was not renewed for a 256th of its idle time,
 * the finest the table can tell. One process, several times a second. Cost:
 * one line for each place used so far. */
void lbs_ongoing_renew(lbs_ongoing_t *ongoing, apr_time_t now,
                       lbs_ongoing_fn *fn, void *baton);

/** A child is gone: free its places. */
void lbs_ongoing_abandon(lbs_ongoing_t *ongoing, apr_uint32_t owner);

#endif
