/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_alias.h - draw by weight in constant time (Walker's alias method).
 *
 * One entry per item. Each stands for an equal part of the whole and is
 * shared by two items: draw an entry, then one of its two.
 *
 *     entry = share of self, of 2^32 | other 16 | self 16
 *
 * Each item is the self of exactly one entry, so the table is at the same
 * time the list of the items.
 */
#ifndef LBS_ALIAS_H
#define LBS_ALIAS_H

#include <apr.h>

#include "src/base/lbs_atomic.h"

/**
 * Build the table. Cost: linear in n.
 *
 * @param entry   out: n entries, in the order of item
 * @param item    n numbers that draws return
 * @param weight  n weights, none 0; the product of their sum and n fits 52
 * bits
 * @param rest    scratch, n numbers
 * @param work    scratch, n numbers
 */
void lbs_alias_build(apr_uint64_t *entry, const apr_uint16_t *item,
                     const apr_uint32_t *weight, apr_uint32_t n,
                     apr_uint64_t *rest, apr_uint16_t *work);

/** @return the item an entry belongs to */
static inline apr_uint32_t lbs_alias_self(apr_uint64_t entry)
{
    return (apr_uint32_t)(entry & 0xffff);
}

/**
 * Draw from a published table.
 *
 * @param n       entries in it, not 0
 * @param random  32 random bits: the upper ones choose the entry, what they
 *                leave chooses between its two items
 * @return an item. Read from shared memory: the caller checks its range.
 */
static inline apr_uint32_t lbs_alias_draw(const lbs_atomic64_t *entry,
                                          apr_uint32_t n, apr_uint32_t random)
{
    apr_uint64_t at = (apr_uint64_t)random * n;
    apr_uint64_t e = lbs_atomic_load64_acquire(&entry[at >> 32]);

    return (apr_uint32_t)at < (apr_uint32_t)(e >> 32)
               ? lbs_alias_self(e)
               : lbs_alias_self(e >> 16);
}

#endif
