/* SPDX-License-Identifier: Apache-2.0 */
#include "src/pick/lbs_sequence.h"

#include <stdlib.h>

#include "src/base/lbs_assert.h"

/* The root of 2 * 65537: numbers that are all different add up quickly. */
#define CLASSES_MAX 363

/* Items with the same number of turns. They take turns among themselves, so
 * only the first in line need be compared with the other classes. */
typedef struct class_t {
    apr_uint64_t turns; /* of each item, per period */
    apr_uint32_t first; /* in the list */
    apr_uint32_t items;
    apr_uint32_t next;   /* whose turn it is, from first */
    apr_uint64_t credit; /* turns * steps so far */
    apr_uint64_t debit;  /* period * turns that the next one had */
} class_t;

static apr_uint64_t gcd(apr_uint64_t a, apr_uint64_t b)
{
    while (b != 0) {
        apr_uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

apr_uint32_t lbs_sequence_turns(lbs_sequence_item_t *list,
                                const apr_uint16_t *item,
                                const apr_uint32_t *weight, apr_uint32_t n,
                                apr_uint32_t room)
{
    apr_uint64_t unit = 0;
    apr_uint64_t total = 0;
    apr_uint32_t sum = 0;
    apr_uint32_t i;

    lbs_assert(n <= room / 2);
    for (i = 0; i < n; i++) {
        unit = gcd(weight[i], unit);
        total += weight[i];
    }
    for (i = 0; i < n; i++) {
        apr_uint64_t turns = weight[i] / unit;

        if (total / unit > room) {
            /* Rounded down and then at least one: at most room in all. */
            turns = (apr_uint64_t)weight[i] * (room - n) / total + 1;
        }
        list[i].turns = (apr_uint32_t)turns;
        list[i].item = item[i];
        sum += list[i].turns;
    }
    return sum;
}

/* Most turns first; equal ones in the order of their numbers, so that the
 * result does not depend on the sorting algorithm. */
static int by_turns(const void *left, const void *right)
{
    const lbs_sequence_item_t *a = left;
    const lbs_sequence_item_t *b = right;

    if (a->turns != b->turns) {
        return a->turns > b->turns ? -1 : 1;
    }
    return a->item < b->item ? -1 : a->item > b->item;
}

static apr_uint32_t classify(class_t *class, const lbs_sequence_item_t *list,
                             apr_uint32_t n)
{
    apr_uint32_t classes = 0;
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        if (i == 0 || list[i].turns != list[i - 1].turns) {
            lbs_assert(classes < CLASSES_MAX);
            class[classes++] = (class_t){.turns = list[i].turns, .first = i};
        }
        class[classes - 1].items++;
    }
    return classes;
}

apr_uint32_t lbs_sequence_build(apr_uint16_t *sequence,
                                lbs_sequence_item_t *list, apr_uint32_t n)
{
    class_t class[CLASSES_MAX];
    apr_uint32_t classes;
    apr_uint32_t length = 0;
    apr_uint32_t step;
    apr_uint32_t i;

    qsort(list, n, sizeof(*list), by_turns);
    classes = classify(class, list, n);
    for (i = 0; i < n; i++) {
        length += list[i].turns;
    }
    for (step = 0; step < length; step++) {
        class_t *best = class;
        apr_int64_t most = APR_INT64_MIN;

        for (i = 0; i < classes; i++) {
            apr_int64_t behind;

            class[i].credit += class[i].turns;
            behind = (apr_int64_t)(class[i].credit - class[i].debit);
            if (behind > most) {
                most = behind;
                best = &class[i];
            }
        }
        sequence[step] = list[best->first + best->next].item;
        best->next++;
        if (best->next == best->items) {
            best->next = 0;
            best->debit += length;
        }
    }
    return length;
}
