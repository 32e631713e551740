/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_bits.h - a set of small numbers, one bit for each. */
#ifndef LBS_BITS_H
#define LBS_BITS_H

#include <apr.h>

/** Bytes of a set for the numbers from 0 to n - 1; all zero: none is in it. */
#define LBS_BITS_SIZE(n) ((apr_size_t)(n) / 8 + 1)

static inline int lbs_bits_has(const unsigned char *set, apr_uint32_t i)
{
    return (set[i / 8] >> i % 8 & 1) != 0;
}

static inline void lbs_bits_add(unsigned char *set, apr_uint32_t i)
{
    set[i / 8] = (unsigned char)(set[i / 8] | 1u << i % 8);
}

static inline void lbs_bits_remove(unsigned char *set, apr_uint32_t i)
{
    set[i / 8] = (unsigned char)(set[i / 8] & ~(1u << i % 8));
}

#endif
