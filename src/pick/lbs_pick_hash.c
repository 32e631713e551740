/* SPDX-License-Identifier: Apache-2.0 */
/* hash: the same key to the same member, on every server.
 *
 * The key's slot has a home; while the home is closed it has a detour; and
 * when both are closed, full or over the bound, as neither the plan nor
 * another server can know, the slot's candidates are tried in their order.
 * Nothing here is drawn at random, and all is reckoned in integers: the same
 * on every machine. */
#include "src/pick/lbs_alias.h"
#include "src/pick/lbs_pick_planned_int.h"

#define EXACT_MAX 16 /* members up to which in flight is summed at once */
#define INFLIGHT_MAX (1u << 28) /* more is damage, and would overflow */
#define WEIGHT_MAX 10000u       /* the same */

/* In flight per weight, as a fraction. */
typedef struct load_t {
    apr_uint64_t inflight;
    apr_uint64_t weight;
} load_t;

typedef struct hash_t {
    const lbs_pick_pool_t *pool;
    const lbs_pick_ask_t *ask;
    const lbs_plan_side_t *side;
    apr_uint32_t front;
    load_t bound;       /* what is too much; weight 0: no bound */
    apr_uint32_t least; /* the least busy open one seen so far */
    load_t least_load;
} hash_t;

static load_t load_of(const lbs_gauge_t *g)
{
    apr_uint32_t inflight = lbs_gauge_inflight(g);
    apr_uint32_t weight = lbs_pick_weight(g);
    load_t load;

    load.inflight = inflight < INFLIGHT_MAX ? inflight : INFLIGHT_MAX;
    load.weight = weight < WEIGHT_MAX ? weight : WEIGHT_MAX;
    return load;
}

/* Products of a member's load stay below 2^42, of a bound's below 2^62. */
static int is_below(const load_t *a, const load_t *b)
{
    return a->inflight * b->weight < b->inflight * a->weight;
}

static apr_uint32_t nth_of_front(const hash_t *h, apr_uint32_t n)
{
    return lbs_alias_self(lbs_atomic_load64_acquire(&h->side->alias[n]));
}

/* The bound, with this request counted. In flight is summed now in a small
 * pool; in a large one the sum of the last rebuild is near enough. */
static load_t bound_of(const hash_t *h)
{
    load_t bound = {0, 0};
    const lbs_plan_t *plan = h->pool->plan;
    apr_uint64_t inflight = lbs_atomic_load64_relaxed(&plan->head->inflight);
    apr_uint64_t weight = lbs_atomic_load64_relaxed(&plan->head->weight);

    if (h->ask->bound_centi == 0) {
        return bound;
    }
    if (h->front <= EXACT_MAX) {
        apr_uint32_t i;

        inflight = 0;
        weight = 0;
        for (i = 0; i < h->front; i++) {
            apr_uint32_t index = nth_of_front(h, i);
            const lbs_gauge_t *g;

            if (index >= plan->members) {
                return bound; /* torn: this pick will not count */
            }
            g = lbs_plan_gauge(plan, h->pool->gauges, index);
            if (lbs_plan_usable(g)) {
                load_t load = load_of(g);

                inflight += load.inflight;
                weight += load.weight;
            }
        }
    }
    if (inflight > INFLIGHT_MAX) {
        inflight = INFLIGHT_MAX;
    }
    if (weight > (apr_uint64_t)WEIGHT_MAX * LBS_PLAN_MEMBERS) {
        weight = (apr_uint64_t)WEIGHT_MAX * LBS_PLAN_MEMBERS;
    }
    bound.inflight = (inflight + 1) * h->ask->bound_centi;
    bound.weight = weight * 100;
    return bound;
}

/* @return 1 if the member takes this request; remembers the least busy member
 * that is over the bound and otherwise open */
static int takes(hash_t *h, apr_uint32_t index)
{
    const lbs_gauge_t *g = lbs_pick_open(h->pool, h->ask, index);
    load_t load;

    if (g == NULL) {
        return 0;
    }
    if (h->bound.weight == 0) {
        return 1;
    }
    load = load_of(g);
    if (is_below(&load, &h->bound)) {
        return 1;
    }
    if (h->least == LBS_PICK_NONE || is_below(&load, &h->least_load)) {
        h->least = index;
        h->least_load = load;
    }
    return 0;
}

/* A warming member gets back the part of its slots that its ramp gives, the
 * same slots on every server, and keeps those it has as the ramp rises. */
static int is_home_again(const hash_t *h, apr_uint32_t home, apr_uint32_t slot)
{
    const lbs_plan_t *plan = h->pool->plan;
    const lbs_gauge_t *g = lbs_plan_gauge(plan, h->pool->gauges, home);
    apr_uint32_t ramp = lbs_atomic_load32_relaxed(&g->ramp);

    return ramp >= LBS_PLAN_WARM
           || lbs_hash_mix(plan->member[home].identity ^ slot) % LBS_PLAN_WARM
                  < ramp;
}

/* Candidates in their order: the members of other slots, home or detour. */
static apr_uint32_t wander(hash_t *h, apr_uint32_t slot)
{
    const lbs_plan_side_t *side = h->side;
    apr_uint32_t step;

    for (step = 0; step < LBS_MAGLEV_STEPS; step++) {
        apr_uint32_t other = lbs_maglev_step(slot, step);
        apr_uint32_t index = lbs_plan_cell(&side->detour[other]);

        if (index == LBS_MAGLEV_NONE) {
            index = lbs_plan_cell(&side->home[other]);
        }
        if (takes(h, index)) {
            return index;
        }
    }
    return LBS_PICK_NONE;
}

/* A member is always under the bound unless the sum is old; then the least
 * busy one is taken. */
static apr_uint32_t walk_front(hash_t *h, apr_uint32_t slot)
{
    apr_uint32_t i;

    for (i = 0; i < h->front; i++) {
        apr_uint32_t at = (slot + i) % h->front;
        apr_uint32_t index = nth_of_front(h, at);

        if (takes(h, index)) {
            return index;
        }
    }
    return h->least;
}

static apr_uint32_t by_slot(const lbs_pick_pool_t *pool,
                            const lbs_pick_ask_t *ask,
                            const lbs_plan_side_t *side, apr_uint32_t front)
{
    hash_t h = {.pool = pool,
                .ask = ask,
                .side = side,
                .front = front,
                .least = LBS_PICK_NONE};
    apr_uint32_t slot = lbs_maglev_slot(ask->hash);
    apr_uint32_t home = lbs_plan_cell(&side->home[slot]);
    apr_uint32_t detour = lbs_plan_cell(&side->detour[slot]);
    apr_uint32_t found;

    h.bound = bound_of(&h);
    if (takes(&h, home)
        && (detour == LBS_MAGLEV_NONE || is_home_again(&h, home, slot))) {
        return home;
    }
    if (detour != LBS_MAGLEV_NONE && takes(&h, detour)) {
        return detour;
    }
    found = wander(&h, slot);
    return found != LBS_PICK_NONE ? found : walk_front(&h, slot);
}

apr_status_t lbs_pick_hash(const lbs_pick_pool_t *pool,
                           const lbs_pick_ask_t *ask, apr_uint32_t *index)
{
    return lbs_pick_planned(pool, ask, by_slot, NULL, index);
}
