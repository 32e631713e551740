/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_sequence.h - an order of turns that is smooth and honours weights.
 *
 * Smooth means that the item furthest behind its share goes next: weights 5,
 * 1, 1 give a a b a c a a, the order nginx uses, and not a a a a a b c.
 */
#ifndef LBS_SEQUENCE_H
#define LBS_SEQUENCE_H

#include <apr.h>

#define LBS_SEQUENCE_ROOM 65536 /* entries of the longest sequence */

/* Scratch of the builder, one per item. */
typedef struct lbs_sequence_item_t {
    apr_uint32_t turns;
    apr_uint16_t item;
} lbs_sequence_item_t;

/**
 * Turn weights into numbers of turns.
 *
 * Exact where the shortest exact period fits into room, as it does for up to
 * 6 members with any weights from 0.01 to 100.00, or for any number of equal
 * ones. Longer periods are rounded to room, at least one turn for each.
 *
 * @param list    out: n entries
 * @param item    n numbers to stand in the sequence
 * @param weight  n weights, none 0
 * @param room    most turns altogether, at least 2 * n
 * @return turns altogether
 */
apr_uint32_t lbs_sequence_turns(lbs_sequence_item_t *list,
                                const apr_uint16_t *item,
                                const apr_uint32_t *weight, apr_uint32_t n,
                                apr_uint32_t room);

/**
 * Write down the sequence. Cost: its length times the number of different
 * numbers of turns, which is less than the root of twice the length.
 *
 * @param sequence  out: as many entries as there are turns
 * @param list      n items with their turns, none 0; sorted on return
 * @return entries written: the sum of the turns
 */
apr_uint32_t lbs_sequence_build(apr_uint16_t *sequence,
                                lbs_sequence_item_t *list, apr_uint32_t n);

#endif
