/* SPDX-License-Identifier: Apache-2.0 */
#include "src/pick/lbs_maglev.h"

#include "src/base/lbs_assert.h"

#define SLOTS LBS_MAGLEV_SLOTS
#define SLACK_PERCENT 102 /* of its share, what detours may fill */

/* Two independent numbers from one identity. */
static apr_uint32_t first_place(apr_uint64_t identity)
{
    return (apr_uint32_t)(lbs_hash_mix(identity + 1) % SLOTS);
}

static apr_uint32_t skip_of(apr_uint64_t identity)
{
    return (apr_uint32_t)(lbs_hash_mix(identity + 2) % (SLOTS - 1)) + 1;
}

/* Whose turn it is, for all turns; members are named by their rank. The
 * share of each is the difference of two rounded sums, so the shares add up
 * to all slots and each is within one of exact. */
static void take_turns(const lbs_maglev_set_t *set,
                       const lbs_maglev_work_t *work)
{
    apr_uint64_t total = 0;
    apr_uint64_t upto = 0;
    apr_uint64_t given = 0;
    apr_uint32_t used = 0;
    apr_uint32_t i;

    for (i = 0; i < set->n; i++) {
        total += set->weight[i];
    }
    for (i = 0; i < set->n; i++) {
        apr_uint64_t sum;

        upto += set->weight[set->rank[i]];
        sum = upto * SLOTS / total;
        if (sum > given) {
            work->list[used].turns = (apr_uint32_t)(sum - given);
            work->list[used].item = (apr_uint16_t)i;
            used++;
        }
        given = sum;
    }
    lbs_assert(lbs_sequence_build(work->turn, work->list, used) == SLOTS);
}

void lbs_maglev_build(apr_uint16_t *table, const lbs_maglev_set_t *set,
                      const lbs_maglev_work_t *work)
{
    apr_uint32_t i;

    take_turns(set, work);
    for (i = 0; i < set->n; i++) {
        work->place[i] = first_place(set->identity[i]);
    }
    for (i = 0; i < SLOTS; i++) {
        table[i] = LBS_MAGLEV_NONE;
    }
    for (i = 0; i < SLOTS; i++) {
        apr_uint32_t member = set->rank[work->turn[i]];
        apr_uint32_t skip = skip_of(set->identity[member]);
        apr_uint32_t at = work->place[member];

        /* The number of slots is a prime: every step size visits them all,
         * and as many are free as there are turns left. */
        while (table[at] != LBS_MAGLEV_NONE) {
            at = (at + skip) % SLOTS;
        }
        table[at] = (apr_uint16_t)member;
        work->place[member] = at;
    }
}

/* How many slots each member may be given beyond its own ones. */
static void make_room(const apr_uint16_t *own, const lbs_maglev_set_t *set,
                      const unsigned char *may, apr_uint32_t *room)
{
    apr_uint64_t total = 0;
    apr_uint32_t i;

    for (i = 0; i < set->n; i++) {
        total += may[i] ? set->weight[i] : 0;
    }
    for (i = 0; i < set->n; i++) {
        apr_uint64_t cap = may[i] ? set->weight[i] : 0;

        cap *= (apr_uint64_t)SLOTS * SLACK_PERCENT;
        room[i] = (apr_uint32_t)((cap + total * 100 - 1) / (total * 100));
    }
    for (i = 0; i < SLOTS; i++) {
        room[own[i]] -= room[own[i]] != 0;
    }
}

/* When few members may serve, the table over all members seldom leads to one
 * of them: then the highest product of hash and weight wins. */
static apr_uint32_t highest(apr_uint32_t slot, const lbs_maglev_set_t *set,
                            const apr_uint32_t *room)
{
    apr_uint32_t best = LBS_MAGLEV_NONE;
    apr_uint64_t most = 0;
    apr_uint32_t i;

    for (i = 0; i < set->n; i++) {
        apr_uint32_t member = set->rank[i];
        apr_uint64_t score;

        if (room[member] == 0) {
            continue;
        }
        score = lbs_hash_mix(set->identity[member] + slot) >> 32;
        score *= set->weight[member];
        if (best == LBS_MAGLEV_NONE || score > most) {
            most = score;
            best = member;
        }
    }
    return best;
}

static apr_uint32_t detour_of(apr_uint32_t slot, const apr_uint16_t *all,
                              const lbs_maglev_set_t *set,
                              const apr_uint32_t *room)
{
    apr_uint32_t step;

    for (step = 0; step < LBS_MAGLEV_STEPS; step++) {
        apr_uint32_t member = all[lbs_maglev_step(slot, step)];

        if (room[member] != 0) {
            return member;
        }
    }
    return highest(slot, set, room);
}

static int anybody(const unsigned char *may, apr_uint32_t n)
{
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        if (may[i]) {
            return 1;
        }
    }
    return 0;
}

void lbs_maglev_detour(apr_uint16_t *detour, const apr_uint16_t *own,
                       const apr_uint16_t *all, const lbs_maglev_set_t *set,
                       const unsigned char *may, const lbs_maglev_work_t *work)
{
    int some = anybody(may, set->n);
    apr_uint32_t slot;

    if (some) {
        make_room(own, set, may, work->room);
    }
    for (slot = 0; slot < SLOTS; slot++) {
        apr_uint32_t member = LBS_MAGLEV_NONE;

        if (some && !may[own[slot]]) {
            /* Room for all: caps add up to more than all slots. */
            member = detour_of(slot, all, set, work->room);
            lbs_assert(member != LBS_MAGLEV_NONE);
            work->room[member]--;
        }
        detour[slot] = (apr_uint16_t)member;
    }
}
