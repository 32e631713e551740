/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_stand_in.c - see lbs_stand_in.h.
 *
 * Rendezvous hashing: with a random u in (0, 1) per member, the least
 * -log(u) / weight is at a member in proportion to its weight. In integers, so
 * that every server computes the same.
 */
#include "src/pick/lbs_stand_in.h"

#include "src/base/lbs_hash.h"

#define ONE 65536u /* 1.0 in 16 bits of fraction */
#define BITS 32

/* 32 - log2(u), in 16 bits of fraction; the mantissa's part is a parabola,
 * which is wrong by less than 0.01. */
static apr_uint64_t negative_log2(apr_uint32_t u)
{
    unsigned exponent = (unsigned)(BITS - 1 - __builtin_clz(u));
    apr_uint64_t m = (((apr_uint64_t)u << 16) >> exponent) - ONE;
    apr_uint64_t log = m + (m * (ONE - m) >> 16) * 22713 / ONE;

    return (apr_uint64_t)BITS * ONE - ((apr_uint64_t)exponent * ONE + log);
}

apr_uint64_t lbs_stand_in_score(apr_uint64_t session, apr_uint64_t member_id,
                                apr_uint32_t weight)
{
    apr_uint64_t hash = lbs_hash_mix(session ^ lbs_hash_mix(member_id));
    apr_uint64_t log = negative_log2((apr_uint32_t)(hash >> 32) | 1);

    /* At most 2^21 of a log, so the quotient has forty bits; 0 is one with the
     * longest distance. */
    return APR_UINT64_MAX - (log << 40) / weight;
}
