/* SPDX-License-Identifier: Apache-2.0 */
/* least-load: the member with the shortest expected wait: how slow it is *
 * (in flight + 1) / weight. Of up to 16 members all are looked at, of more
 * four that are drawn by weight.
 *
 * Where all are looked at, every wait is lengthened by a random part of up to
 * a quarter: of members that are about equal, each is chosen about as often.
 * Without that, where there is little to do, the one that seems best has all
 * new sessions.
 *
 * Guards, each of which a simulation without it showed to be needed:
 * - Of many members, one with more in flight per weight than 84 % of the pool
 *   comes second: a response time that is not yet known to have risen cannot
 *   hide a queue.
 * - No silent member's response time is believed to fall under half the
 *   pool's median. The plan's builder sees to it, and to the decay, so that
 *   a pick does not compute it four times; see lbs_plan_build.c.
 * - A half-open member's time is that of its failures: it would wait for a
 *   new chance for minutes. So it comes first, for the one attempt it has.
 * - A failed attempt was charged as a slow one when the average was written,
 *   and a member that returns starts at the median; see lbs_ewma.h.
 * - Where the best of four was charged, there are better ones: 16 are looked
 *   at.
 */
#include "src/member/lbs_ewma.h"
#include "src/pick/lbs_alias.h"
#include "src/pick/lbs_pick_planned_int.h"

#define ROUNDS_MAX 3
#define LOOKS_MAX                                                             \
    16 /* instead of draws: of few members, or where the best                 \
          was charged */

/* Added to every response time, 1/32 microseconds: 2 ms more or less are no
 * reason to send a whole session somewhere. */
#define CALM (APR_UINT64_C(2000) << LBS_EWMA_SHIFT)

/* Flags that need a closer look than none of them. */
#define SPECIAL                                                               \
    (LBS_F_CLOSED_NEW | LBS_F_PANIC | LBS_F_HALF_OPEN | LBS_F_CHARGED)

/* One pick. What its draws need is copied here, so that the compiler, which
 * must assume that everything shared has changed, can leave it where it is. */
typedef struct pick_t {
    const lbs_gauge_t *gauges;
    const apr_uint16_t *slot;
    const lbs_atomic64_t *alias;
    apr_uint32_t front;
    apr_uint32_t mask; /* keeps within the slots what a table says that is
                          torn; lbs_pick_planned() throws the answer away */
    const lbs_pick_ask_t *ask;
    apr_uint64_t hot;  /* in flight per weight above which a member is hot */
    apr_uint64_t time; /* of a member never heard of, 1/32 microseconds */
    int cold;          /* 1: ramps do not count */
    int charged;       /* 1: a charged member was the best at a time */
    apr_uint32_t best;
    apr_uint64_t shortest; /* wait so far */
    apr_uint32_t unfit;    /* was asked before; its ramp is asked once */
} pick_t;

/* Expected wait in 1/8192 microseconds per 1/100 weight, so that it is no
 * coarse number with quick members of large weights. A response time takes
 * up to 40 bits, which leaves room for 16 million in flight. */
static inline apr_uint64_t wait_at(apr_uint64_t time, apr_uint32_t inflight,
                                   apr_uint32_t weight)
{
    return (time << 8) * ((apr_uint64_t)inflight + 1) / weight;
}

/* @return 1 if nothing speaks against a member */
static LBS_PICK_INLINE int is_fit(pick_t *pick, apr_uint32_t index)
{
    const lbs_gauge_t *g = &pick->gauges[pick->slot[index]];
    apr_uint32_t flags = lbs_atomic_load32_relaxed(&g->flags);
    apr_uint32_t limit = lbs_atomic_load32_relaxed(&g->limit);
    apr_uint32_t weight = lbs_atomic_load32_relaxed(&g->weight);
    apr_uint64_t inflight = lbs_gauge_inflight(g);

    if ((flags & SPECIAL) != 0) {
        if (!lbs_gauge_open_new(g)) {
            return 0;
        }
        pick->charged |= (flags & LBS_F_CHARGED) != 0;
    }
    return (limit == 0 || inflight < limit)
           && inflight * LBS_PLAN_PER_WEIGHT <= pick->hot * weight
           && !lbs_pick_tried(pick->ask, index)
           && (lbs_pick_accepts(g, pick->ask->rand) || pick->cold);
}

/* @param random  eight bits of it lengthen the wait; 0: by nothing
 * @return the expected wait; endless for a member that takes nobody */
static LBS_PICK_INLINE apr_uint64_t wait_of(const pick_t *pick,
                                            apr_uint32_t index,
                                            apr_uint32_t random)
{
    const lbs_gauge_t *g = &pick->gauges[pick->slot[index]];
    apr_uint32_t weight = lbs_atomic_load32_relaxed(&g->weight);
    apr_uint64_t time = lbs_atomic_load32_relaxed(&g->ewma);
    apr_uint64_t wait;

    if (weight == 0) {
        return APR_UINT64_MAX;
    }
    wait = wait_at((time != 0 ? time : pick->time) + CALM,
                   lbs_gauge_inflight(g), weight);
    return wait + ((wait >> 4) * (random & 0xff) >> 6);
}

static LBS_PICK_INLINE void look_at(pick_t *pick, apr_uint32_t index,
                                    apr_uint32_t random)
{
    apr_uint64_t wait = wait_of(pick, index, random);

    if (wait < pick->shortest) {
        pick->shortest = wait;
        pick->best = index;
    }
}

/* Nearly always the one with the shortest wait is fit, and then no other is
 * asked whether it is. */
static LBS_PICK_INLINE int is_found(pick_t *pick)
{
    return pick->best != LBS_PICK_NONE && is_fit(pick, pick->best);
}

static LBS_PICK_INLINE void look_at_fit(pick_t *pick, apr_uint32_t index,
                                        apr_uint32_t random)
{
    apr_uint64_t wait = wait_of(pick, index, random);

    if (wait < pick->shortest && index != pick->unfit && is_fit(pick, index)) {
        pick->shortest = wait;
        pick->best = index;
    }
}

static LBS_PICK_INLINE apr_uint32_t drawn(const pick_t *pick,
                                          apr_uint32_t random)
{
    return lbs_alias_draw(pick->alias, pick->front, random) & pick->mask;
}

static LBS_PICK_INLINE apr_uint32_t front_at(const pick_t *pick,
                                             apr_uint32_t at)
{
    return lbs_alias_self(lbs_atomic_load64_acquire(&pick->alias[at]))
           & pick->mask;
}

/* A member that has never answered counts as average; 1 in a pool that knows
 * nothing, where in flight alone decides. */
static apr_uint64_t unknown_time(apr_uint32_t median)
{
    return median != 0 ? (apr_uint64_t)median << LBS_EWMA_SHIFT : 1;
}

/* 64 bits are enough to draw four of 8191, so the second two are made of the
 * first: half a round of lbs_hash_mix(), a third of its cost. */
static inline apr_uint64_t stretch(apr_uint64_t random)
{
    apr_uint64_t product =
        (random ^ random >> 29) * APR_UINT64_C(0x9e3779b97f4a7c15);

    return product ^ product >> 32;
}

static LBS_PICK_INLINE pick_t begin(const lbs_pick_pool_t *pool,
                                    const lbs_pick_ask_t *ask,
                                    const lbs_plan_side_t *side,
                                    apr_uint32_t front)
{
    const lbs_plan_t *plan = pool->plan;
    apr_uint32_t median = lbs_atomic_load32_relaxed(&plan->head->median);

    return (pick_t){.gauges = pool->gauges,
                    .slot = plan->slot,
                    .alias = side->alias,
                    .front = front,
                    .mask = plan->slot_mask,
                    .ask = ask,
                    .hot = lbs_atomic_load32_relaxed(&plan->head->hot),
                    .time = unknown_time(median),
                    .best = LBS_PICK_NONE,
                    .unfit = LBS_PICK_NONE,
                    .shortest = APR_UINT64_MAX};
}

/* Some from a random place on, one after the other. */
static __attribute__((noinline)) apr_uint32_t look_further(
    const lbs_pick_pool_t *pool, const lbs_pick_ask_t *ask,
    const lbs_plan_side_t *side, apr_uint32_t front, apr_uint32_t found)
{
    pick_t pick = begin(pool, ask, side, front);
    apr_uint32_t at = lbs_rand_below(ask->rand, front);
    apr_uint32_t looks = LOOKS_MAX;

    pick.hot = APR_UINT32_MAX;
    look_at_fit(&pick, found, 0);
    for (; looks > 0; looks--, at = at + 1 < front ? at + 1 : 0) {
        look_at_fit(&pick, front_at(&pick, at), 0);
    }
    return pick.best != LBS_PICK_NONE ? pick.best : found;
}

/* The four draws again, of which the best was not fit, and eight more if none
 * is. */
static __attribute__((noinline)) apr_uint32_t draw_fit(
    const lbs_pick_pool_t *pool, const lbs_pick_ask_t *ask,
    const lbs_plan_side_t *side, apr_uint32_t front, apr_uint64_t one,
    apr_uint32_t unfit)
{
    pick_t pick = begin(pool, ask, side, front);
    int round;

    pick.unfit = unfit;
    for (round = 0; round < ROUNDS_MAX && pick.best == LBS_PICK_NONE;
         round++) {
        apr_uint64_t two;

        /* If all that were drawn are hot, in the second round they will do;
         * in the third, those whose ramps say no, too. */
        if (round > 0) {
            one = lbs_rand_next(ask->rand);
            pick.unfit = LBS_PICK_NONE;
            pick.hot = APR_UINT32_MAX;
            pick.cold = round == 2;
        }
        two = stretch(one);
        look_at_fit(&pick, drawn(&pick, (apr_uint32_t)one), 0);
        look_at_fit(&pick, drawn(&pick, (apr_uint32_t)(one >> 32)), 0);
        look_at_fit(&pick, drawn(&pick, (apr_uint32_t)two), 0);
        look_at_fit(&pick, drawn(&pick, (apr_uint32_t)(two >> 32)), 0);
    }
    return pick.charged && pick.best != LBS_PICK_NONE
               ? look_further(pool, ask, side, front, pick.best)
               : pick.best;
}

static LBS_PICK_INLINE apr_uint32_t draw_four(const lbs_pick_pool_t *pool,
                                              const lbs_pick_ask_t *ask,
                                              const lbs_plan_side_t *side,
                                              apr_uint32_t front)
{
    pick_t pick = begin(pool, ask, side, front);
    apr_uint64_t one = lbs_rand_next(ask->rand);
    apr_uint64_t two = stretch(one);

    look_at(&pick, drawn(&pick, (apr_uint32_t)one), 0);
    look_at(&pick, drawn(&pick, (apr_uint32_t)(one >> 32)), 0);
    look_at(&pick, drawn(&pick, (apr_uint32_t)two), 0);
    look_at(&pick, drawn(&pick, (apr_uint32_t)(two >> 32)), 0);
    if (!is_found(&pick)) {
        return draw_fit(pool, ask, side, front, one, pick.best);
    }
    return pick.charged ? look_further(pool, ask, side, front, pick.best)
                        : pick.best;
}

/* @param one  as look_at_all() drew it */
static __attribute__((noinline)) apr_uint32_t look_at_all_fit(
    const lbs_pick_pool_t *pool, const lbs_pick_ask_t *ask,
    const lbs_plan_side_t *side, apr_uint32_t front, apr_uint64_t one,
    apr_uint32_t unfit)
{
    pick_t pick = begin(pool, ask, side, front);
    apr_uint64_t two = stretch(one);
    int round;

    pick.hot = APR_UINT32_MAX;
    for (round = 0; round < 2 && pick.best == LBS_PICK_NONE; round++) {
        apr_uint32_t i;

        pick.unfit = round == 0 ? unfit : LBS_PICK_NONE;
        pick.cold = round;
        for (i = 0; i < front; i++) {
            look_at_fit(&pick, front_at(&pick, i),
                        (apr_uint32_t)((i < 8 ? one : two) >> i % 8 * 8));
        }
    }
    return pick.best;
}

static LBS_PICK_INLINE int is_idle(const pick_t *pick, apr_uint32_t index)
{
    return lbs_gauge_inflight(&pick->gauges[pick->slot[index]]) == 0;
}

/* Where there is nothing to do, one pick of 16 is a draw by weight: who seemed
 * slow once, and is asked no more, would seem slow for long.
 * @return who was drawn, if it is idle, fit and not charged; else the best */
static LBS_PICK_INLINE apr_uint32_t best_or_drawn(pick_t *pick,
                                                  apr_uint64_t random)
{
    apr_uint32_t index;

    if (!is_idle(pick, pick->best) || random >> 60 != 0) {
        return pick->best;
    }
    index = drawn(pick, (apr_uint32_t)random);
    pick->charged = 0;
    return is_idle(pick, index) && is_fit(pick, index) && !pick->charged
               ? index
               : pick->best;
}

/* All of a small front, where nobody is hot: a fast member has more in flight
 * than the others, and should have. */
static apr_uint32_t look_at_all(const lbs_pick_pool_t *pool,
                                const lbs_pick_ask_t *ask,
                                const lbs_plan_side_t *side,
                                apr_uint32_t front)
{
    pick_t pick = begin(pool, ask, side, front);
    apr_uint64_t one = lbs_rand_next(ask->rand);
    apr_uint64_t two = stretch(one);
    apr_uint32_t i;

    pick.hot = APR_UINT32_MAX;
    for (i = 0; i < front; i++) {
        look_at(&pick, front_at(&pick, i),
                (apr_uint32_t)((i < 8 ? one : two) >> i % 8 * 8));
    }
    return is_found(&pick)
               ? best_or_drawn(&pick, stretch(two))
               : look_at_all_fit(pool, ask, side, front, one, pick.best);
}

static apr_uint32_t least_load(const lbs_pick_pool_t *pool,
                               const lbs_pick_ask_t *ask,
                               const lbs_plan_side_t *side, apr_uint32_t front)
{
    apr_uint32_t trial = lbs_atomic_load32_relaxed(&pool->plan->head->trial);

    if (trial != 0 && !ask->steady
        && lbs_pick_open(pool, ask, trial - 1) != NULL) {
        return trial - 1;
    }
    return front <= LOOKS_MAX ? look_at_all(pool, ask, side, front)
                              : draw_four(pool, ask, side, front);
}

apr_status_t lbs_pick_least_load(const lbs_pick_pool_t *pool,
                                 const lbs_pick_ask_t *ask,
                                 apr_uint32_t *index)
{
    return lbs_pick_planned(pool, ask, least_load, lbs_pick_in_flight, index);
}

double lbs_pick_least_load_score(const lbs_pick_pool_t *pool,
                                 const lbs_gauge_t *g)
{
    apr_uint64_t time = lbs_atomic_load32_relaxed(&g->ewma);

    if (time == 0) {
        time = unknown_time(lbs_plan_median(pool->plan));
    }
    return (double)wait_at(time, lbs_gauge_inflight(g), lbs_pick_weight(g))
           * 100 / 8192;
}
