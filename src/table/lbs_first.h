/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_first.h - one member for the parallel requests of a visitor.
 *
 * A browser that has no cookie yet asks for a page and its pictures at once.
 * Each of these requests would be a pick of its own and the last cookie would
 * win; and so it is when a session's member is gone. This small cache
 * remembers for some seconds which member a client was given. It is only a
 * hint: an entry may be lost or overwritten at any time, and nothing is
 * counted.
 *
 * One word per entry in shared memory, so a change is one compare-and-swap.
 */
#ifndef LBS_FIRST_H
#define LBS_FIRST_H

#include <apr.h>
#include <apr_errno.h>

#include "src/base/lbs_atomic.h"

#define LBS_FIRST_WORDS 65536         /* entries, a power of two */
#define LBS_FIRST_NONE APR_UINT32_MAX /* no slot */

/* The longest window that can be asked for, microseconds: 40 minutes. */
#define LBS_FIRST_WINDOW_MAX APR_INT64_C(2400000000)

/**
 * Which member was this client given?
 *
 * Cost: one cache line.
 *
 * @param words  LBS_FIRST_WORDS words, zero at first
 * @param key  keyed hash of the client and the pool
 * @param now  microseconds on the monotonic clock, the same for all processes
 * @param window  microseconds an entry holds
 * @param slot  out: member slot; written only on APR_SUCCESS
 * @return APR_SUCCESS; APR_NOTFOUND
 */
apr_status_t lbs_first_find(const lbs_atomic64_t *words, apr_uint64_t key,
                            apr_int64_t now, apr_int64_t window,
                            apr_uint32_t *slot);

/**
 * Note a pick, unless another request of this client was faster.
 *
 * @param stale  slot that find() gave but that cannot be used, to be
 *        replaced; LBS_FIRST_NONE when find() gave none
 * @return the slot that holds now: the given one, or the faster request's
 */
apr_uint32_t lbs_first_claim(lbs_atomic64_t *words, apr_uint64_t key,
                             apr_int64_t now, apr_int64_t window,
                             apr_uint32_t slot, apr_uint32_t stale);

#endif
