/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_maglev.h - which member a key belongs to, whichever members are down.
 *
 * A table of 65537 slots; a key's hash names a slot, the slot a member. The
 * table over all configured members is a Maglev table (Eisenbud et al., NSDI
 * 2016): every member fills the free slots it likes most, in turns given by
 * its weight. When a member is down only its own slots are detoured, each by
 * itself, and they return when the member does. No other slot moves.
 *
 * All results depend on identities, weights and flags alone: neither on the
 * order of the configuration nor on byte order or floating point.
 */
#ifndef LBS_MAGLEV_H
#define LBS_MAGLEV_H

#include <apr.h>

#include "src/base/lbs_hash.h"
#include "src/pick/lbs_sequence.h"

#define LBS_MAGLEV_SLOTS 65537u /* a prime, and 1 more than 2^16 */
#define LBS_MAGLEV_NONE 0xffffu /* no detour: the home serves */
#define LBS_MAGLEV_STEPS 64u    /* candidates looked at for a detour */

/* The members a table is about; all arrays have n entries. */
typedef struct lbs_maglev_set_t {
    const apr_uint64_t *identity; /* hash of the member's identity */
    const apr_uint32_t *weight;   /* none 0 */
    const apr_uint16_t *rank;     /* all indexes, by ascending identity */
    apr_uint32_t n;
} lbs_maglev_set_t;

/* Scratch of the builder. */
typedef struct lbs_maglev_work_t {
    lbs_sequence_item_t *list; /* n */
    apr_uint32_t *place;       /* n: the next slot a member would like */
    apr_uint32_t *room;        /* n: slots a member may still be given */
    apr_uint16_t *turn;        /* LBS_MAGLEV_SLOTS */
} lbs_maglev_work_t;

/**
 * Fill the table over all members. Cost: some ms.
 *
 * @param table  out: LBS_MAGLEV_SLOTS indexes below set->n
 */
void lbs_maglev_build(apr_uint16_t *table, const lbs_maglev_set_t *set,
                      const lbs_maglev_work_t *work);

/**
 * Find a member that may serve for each slot whose own may not.
 *
 * A slot goes to the first of lbs_maglev_step(slot, 0..) in the table over
 * all that may and is not yet 2 % above its share of the slots.
 *
 * @param detour  out: LBS_MAGLEV_SLOTS indexes, LBS_MAGLEV_NONE where the
 *                slot's own member may serve; and everywhere if none may
 * @param own     each slot's own member
 * @param all     the table over all members
 * @param may     per member: 1 if it may serve
 */
void lbs_maglev_detour(apr_uint16_t *detour, const apr_uint16_t *own,
                       const apr_uint16_t *all, const lbs_maglev_set_t *set,
                       const unsigned char *may,
                       const lbs_maglev_work_t *work);

/** @return the slot of a key */
static inline apr_uint32_t lbs_maglev_slot(apr_uint64_t hash)
{
    return (apr_uint32_t)(((hash >> 32) * LBS_MAGLEV_SLOTS) >> 32);
}

/** @return the slot whose member is the step'th candidate for this slot */
static inline apr_uint32_t lbs_maglev_step(apr_uint32_t slot,
                                           apr_uint32_t step)
{
    return lbs_maglev_slot(
        lbs_hash_mix(((apr_uint64_t)(slot + 1) << 32) + step));
}

#endif
