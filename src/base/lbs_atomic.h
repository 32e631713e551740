/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_atomic.h - C11 atomics on shared memory, with the order in the name.
 *
 * The fields live in memory that several processes map. A lock-free atomic
 * works there whatever the address; an atomic with a lock inside would use a
 * lock private to each process and guard nothing, hence the asserts.
 *
 * relaxed  counters and hints: no other memory hangs on the value
 * acquire  reads a value somebody released: what they wrote before is seen
 * release  publishes: what was written before is seen by who acquires it
 * total    one order of all such accesses that every thread agrees on; needed
 *          where two threads each write one word and then read the other's
 */
#ifndef LBS_ATOMIC_H
#define LBS_ATOMIC_H

#include <stdatomic.h>

#include <apr.h>

_Static_assert(ATOMIC_INT_LOCK_FREE == 2,
               "32-bit atomics must be lock-free to work between processes");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2,
               "64-bit atomics must be lock-free to work between processes");

typedef _Atomic apr_uint32_t lbs_atomic32_t;
typedef _Atomic apr_uint64_t lbs_atomic64_t;

_Static_assert(sizeof(lbs_atomic32_t) == 4 && sizeof(lbs_atomic64_t) == 8,
               "an atomic field in shared memory is as wide as its value");

/* 32 bits ---------------------------------------------------------------- */

static inline apr_uint32_t lbs_atomic_load32_relaxed(const lbs_atomic32_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static inline apr_uint32_t lbs_atomic_load32_acquire(const lbs_atomic32_t *at)
{
    return atomic_load_explicit(at, memory_order_acquire);
}

static inline void lbs_atomic_store32_relaxed(lbs_atomic32_t *at,
                                              apr_uint32_t value)
{
    atomic_store_explicit(at, value, memory_order_relaxed);
}

static inline void lbs_atomic_store32_release(lbs_atomic32_t *at,
                                              apr_uint32_t value)
{
    atomic_store_explicit(at, value, memory_order_release);
}

/** Add, modulo 2^32. @return the value before */
static inline apr_uint32_t lbs_atomic_add32_relaxed(lbs_atomic32_t *at,
                                                    apr_uint32_t more)
{
    return atomic_fetch_add_explicit(at, more, memory_order_relaxed);
}

/** Subtract, modulo 2^32. @return the value before */
static inline apr_uint32_t lbs_atomic_sub32_relaxed(lbs_atomic32_t *at,
                                                    apr_uint32_t less)
{
    return atomic_fetch_sub_explicit(at, less, memory_order_relaxed);
}

/**
 * Replace *seen by next if the field still holds *seen; never fails for
 * another reason.
 *
 * @param seen  in: what the field should hold; out, on failure: what it holds
 * @return non-zero when replaced (acquire and release), 0 when not (acquire)
 */
static inline int lbs_atomic_cas32(lbs_atomic32_t *at, apr_uint32_t *seen,
                                   apr_uint32_t next)
{
    return atomic_compare_exchange_strong_explicit(
        at, seen, next, memory_order_acq_rel, memory_order_acquire);
}

/* 64 bits ---------------------------------------------------------------- */

static inline apr_uint64_t lbs_atomic_load64_relaxed(const lbs_atomic64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static inline apr_uint64_t lbs_atomic_load64_acquire(const lbs_atomic64_t *at)
{
    return atomic_load_explicit(at, memory_order_acquire);
}

static inline apr_uint64_t lbs_atomic_load64_total(const lbs_atomic64_t *at)
{
    return atomic_load_explicit(at, memory_order_seq_cst);
}

static inline void lbs_atomic_store64_relaxed(lbs_atomic64_t *at,
                                              apr_uint64_t value)
{
    atomic_store_explicit(at, value, memory_order_relaxed);
}

static inline void lbs_atomic_store64_release(lbs_atomic64_t *at,
                                              apr_uint64_t value)
{
    atomic_store_explicit(at, value, memory_order_release);
}

/** Add, modulo 2^64. @return the value before */
static inline apr_uint64_t lbs_atomic_add64_relaxed(lbs_atomic64_t *at,
                                                    apr_uint64_t more)
{
    return atomic_fetch_add_explicit(at, more, memory_order_relaxed);
}

/** Subtract, modulo 2^64. @return the value before */
static inline apr_uint64_t lbs_atomic_sub64_relaxed(lbs_atomic64_t *at,
                                                    apr_uint64_t less)
{
    return atomic_fetch_sub_explicit(at, less, memory_order_relaxed);
}

/** Set bits. With a place in the total order. */
static inline void lbs_atomic_or64_total(lbs_atomic64_t *at, apr_uint64_t bits)
{
    (void)atomic_fetch_or_explicit(at, bits, memory_order_seq_cst);
}

/** Replace the value, with a place in the total order. @return the one
 * before */
static inline apr_uint64_t lbs_atomic_swap64_total(lbs_atomic64_t *at,
                                                   apr_uint64_t next)
{
    return atomic_exchange_explicit(at, next, memory_order_seq_cst);
}

/**
 * Replace *seen by next if the field still holds *seen; never fails for
 * another reason.
 *
 * @param seen  in: what the field should hold; out, on failure: what it holds
 * @return non-zero when replaced (acquire and release), 0 when not (acquire)
 */
static inline int lbs_atomic_cas64(lbs_atomic64_t *at, apr_uint64_t *seen,
                                   apr_uint64_t next)
{
    return atomic_compare_exchange_strong_explicit(
        at, seen, next, memory_order_acq_rel, memory_order_acquire);
}

/** lbs_atomic_cas64() with a place in the total order. */
static inline int lbs_atomic_cas64_total(lbs_atomic64_t *at,
                                         apr_uint64_t *seen, apr_uint64_t next)
{
    return atomic_compare_exchange_strong_explicit(
        at, seen, next, memory_order_seq_cst, memory_order_seq_cst);
}

#endif
