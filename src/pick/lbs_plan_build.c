/* SPDX-License-Identifier: Apache-2.0 */
/* Rebuilding: look at the gauges, compute in private memory, copy into the
 * side that is not in force, and put it in force. */
#include "src/pick/lbs_plan_build_int.h"

#include <string.h>

#include "src/member/lbs_ewma.h"
#include "src/pick/lbs_alias.h"
#include "src/pick/lbs_sequence.h"

#define BUILDS_MAX 4         /* of gauges that change meanwhile */
#define CLAIM_LASTS 1000000  /* microseconds; copying takes under 1 ms */
#define SILENCE 1000000      /* microseconds; then response times decay */
#define HOT_PERCENTILE 84    /* about one standard deviation above the mean */
#define HOT_LEAST 6          /* members, the percentile of which is the most */
#define WEIGHT_MAX 0xffffffu /* sums and products stay within 64 bits */

struct lbs_plan_builder_t {
    apr_uint64_t published; /* epoch of the last build here, or 0 */

    /* What the tables depend on, as seen by this and by the last build. */
    unsigned char *state; /* LBS_ACTIVE_*, per index */
    unsigned char *last_state;
    apr_uint32_t *weight; /* today's, 1/100, per index */
    apr_uint32_t *last_weight;

    /* Results, copied out when complete. */
    apr_uint16_t *front;
    apr_uint32_t count;
    apr_uint64_t *alias;
    apr_uint16_t *sequence;
    apr_uint32_t length;
    apr_uint16_t *home; /* where a slot belongs while all are usable */
    apr_uint16_t *detour;

    /* Hash: the table over all members that are there, and for which weights
     * it was made. Its members have numbers of their own. */
    lbs_maglev_set_t set;
    lbs_maglev_work_t work;
    apr_uint16_t *there; /* number -> index */
    apr_uint16_t *all;
    apr_uint32_t *home_weight;
    apr_uint32_t *made_for; /* zeros: not made */
    unsigned char *may;     /* per number */
    unsigned char *marked;  /* scratch, per index */

    apr_uint64_t *rest; /* scratch, one per member */
    apr_uint32_t *front_weight;
    apr_uint16_t *work16;
    lbs_sequence_item_t *list;
};

/* The members of the hash's table are those that are there: a vacant place
 * would take a part of all keys, and each of them would make a detour. */
static apr_uint32_t find_there(lbs_plan_builder_t *b, const lbs_plan_t *plan,
                               lbs_plan_member_t *there)
{
    apr_uint32_t i, n = 0;

    for (i = 0; i < plan->members; i++) {
        if (!plan->member[i].vacant) {
            there[n] = plan->member[i];
            b->there[n++] = (apr_uint16_t)i;
        }
    }
    return n;
}

static void create_hash(lbs_plan_builder_t *b, const lbs_plan_t *plan,
                        apr_pool_t *pool)
{
    apr_uint32_t n = plan->members;
    apr_size_t slots = LBS_MAGLEV_SLOTS * sizeof(apr_uint16_t);
    apr_uint64_t *identity = apr_palloc(pool, n * sizeof(*identity));
    lbs_plan_member_t *there = apr_palloc(pool, n * sizeof(*there));
    apr_uint32_t i;

    b->there = apr_palloc(pool, n * sizeof(*b->there));
    b->set.n = find_there(b, plan, there);
    for (i = 0; i < b->set.n; i++) {
        identity[i] = there[i].identity;
    }
    b->home_weight = apr_pcalloc(pool, n * sizeof(apr_uint32_t));
    b->made_for = apr_pcalloc(pool, n * sizeof(apr_uint32_t));
    b->may = apr_pcalloc(pool, n);
    b->marked = apr_pcalloc(pool, n);
    b->set.identity = identity;
    b->set.weight = b->home_weight;
    b->set.rank = lbs_plan_sort(there, b->set.n, 1, pool);
    b->work.list = b->list;
    b->work.place = apr_pcalloc(pool, n * sizeof(apr_uint32_t));
    b->work.room = apr_pcalloc(pool, n * sizeof(apr_uint32_t));
    b->work.turn = apr_pcalloc(pool, slots);
    b->all = apr_pcalloc(pool, slots);
    b->home = apr_pcalloc(pool, slots);
    b->detour = apr_pcalloc(pool, slots);
}

lbs_plan_builder_t *lbs_plan_build_create(const lbs_plan_t *plan,
                                          apr_pool_t *pool)
{
    lbs_plan_builder_t *b = apr_pcalloc(pool, sizeof(*b));
    apr_uint32_t n = plan->members;

    b->state = apr_pcalloc(pool, n);
    b->last_state = apr_pcalloc(pool, n);
    b->weight = apr_pcalloc(pool, n * sizeof(apr_uint32_t));
    b->last_weight = apr_pcalloc(pool, n * sizeof(apr_uint32_t));
    b->front = apr_pcalloc(pool, n * sizeof(apr_uint16_t));
    b->alias = apr_pcalloc(pool, n * sizeof(apr_uint64_t));
    b->rest = apr_pcalloc(pool, n * sizeof(apr_uint64_t));
    b->front_weight = apr_pcalloc(pool, n * sizeof(apr_uint32_t));
    b->work16 = apr_pcalloc(pool, n * sizeof(apr_uint16_t));
    b->list = apr_pcalloc(pool, n * sizeof(lbs_sequence_item_t));
    if ((plan->with & LBS_PLAN_SEQUENCE) != 0) {
        b->sequence =
            apr_pcalloc(pool, LBS_SEQUENCE_ROOM * sizeof(apr_uint16_t));
    }
    if ((plan->with & LBS_PLAN_HASH) != 0) {
        create_hash(b, plan, pool);
    }
    return b;
}

/* Looking ---------------------------------------------------------------- */

static unsigned char state_of(const lbs_gauge_t *g)
{
    apr_uint32_t flags = lbs_gauge_flags(g);
    unsigned state = lbs_plan_usable(g) ? LBS_ACTIVE_USABLE : 0;

    if ((flags & LBS_F_SPARE) != 0) {
        state |= LBS_ACTIVE_SPARE;
    }
    if ((flags & LBS_F_STANDBY) != 0) {
        state |= LBS_ACTIVE_STANDBY;
    }
    if ((flags & LBS_F_HALF_OPEN) != 0) {
        state |= LBS_ACTIVE_COLD | LBS_ACTIVE_TRIAL;
    }
    if ((flags & LBS_F_REMOVED) != 0) {
        state |= LBS_ACTIVE_GONE;
    }
    if (lbs_atomic_load32_relaxed(&g->ramp) < LBS_PLAN_WARM) {
        state |= LBS_ACTIVE_COLD;
    }
    return (unsigned char)state;
}

/* @return 1 if the tables made last are not those that this calls for */
static int has_moved(const lbs_plan_t *plan)
{
    const lbs_plan_builder_t *b = plan->builder;
    apr_uint32_t n = plan->members;

    return memcmp(b->state, b->last_state, n) != 0
           || memcmp(b->weight, b->last_weight, n * sizeof(*b->weight)) != 0;
}

/* @return 1 if the tables in force are not those that this calls for */
static int look(const lbs_plan_t *plan, const lbs_gauge_t *gauges)
{
    lbs_plan_builder_t *b = plan->builder;
    apr_uint32_t n = plan->members;
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        const lbs_gauge_t *g = lbs_plan_gauge(plan, gauges, i);
        apr_uint32_t weight = lbs_atomic_load32_relaxed(&g->weight);

        b->weight[i] = weight < WEIGHT_MAX ? weight : WEIGHT_MAX;
        b->state[i] = state_of(g);
        if (weight == 0) {
            /* The weight was changed behind state_of()'s back. */
            b->state[i] &= (unsigned char)~LBS_ACTIVE_USABLE;
        }
    }
    return b->published != lbs_atomic_load64_acquire(&plan->head->epoch)
           || has_moved(plan);
}

/* Computing -------------------------------------------------------------- */

/* A member of weight 0 takes no new sessions but keeps its place in the table:
 * its keys must find the way back. */
static void weigh_homes(const lbs_plan_t *plan)
{
    lbs_plan_builder_t *b = plan->builder;
    apr_uint32_t i;

    for (i = 0; i < b->set.n; i++) {
        apr_uint32_t weight = b->weight[b->there[i]];

        if (weight == 0) {
            weight = plan->member[b->there[i]].weight;
        }
        if (weight == 0) {
            weight = 1;
        }
        b->home_weight[i] = weight < WEIGHT_MAX ? weight : WEIGHT_MAX;
    }
}

static void allow_marked(lbs_plan_builder_t *b)
{
    apr_uint32_t i;

    for (i = 0; i < b->set.n; i++) {
        b->may[i] = b->marked[b->there[i]];
    }
}

/* Slots of spares, standbys and higher lbsets belong to ordinary members,
 * which is a detour that never ends. */
static void settle_homes(const lbs_plan_t *plan)
{
    lbs_plan_builder_t *b = plan->builder;
    apr_uint32_t i;

    memset(b->marked, 0, plan->members);
    lbs_active_homes(b->marked, &plan->order, b->state);
    allow_marked(b);
    lbs_maglev_detour(b->home, b->all, b->all, &b->set, b->may, &b->work);
    for (i = 0; i < LBS_MAGLEV_SLOTS; i++) {
        if (b->home[i] == LBS_MAGLEV_NONE) {
            b->home[i] = b->all[i];
        }
    }
}

/* Warming members get their own slots back bit by bit and none of others'.
 * Their slots have a detour until then, the one they had before. */
static void allow_detours(lbs_plan_builder_t *b, apr_uint32_t members)
{
    apr_uint32_t warm = 0;
    apr_uint32_t i;

    memset(b->marked, 0, members);
    for (i = 0; i < b->count; i++) {
        if ((b->state[b->front[i]] & LBS_ACTIVE_COLD) == 0) {
            b->marked[b->front[i]] = 1;
            warm++;
        }
    }
    for (i = 0; i < b->count && warm == 0; i++) {
        b->marked[b->front[i]] = 1;
    }
    allow_marked(b);
}

static void compute_hash(const lbs_plan_t *plan)
{
    lbs_plan_builder_t *b = plan->builder;
    apr_size_t bytes = b->set.n * sizeof(*b->made_for);

    weigh_homes(plan);
    if (memcmp(b->made_for, b->home_weight, bytes) != 0) {
        lbs_maglev_build(b->all, &b->set, &b->work);
        memcpy(b->made_for, b->home_weight, bytes);
    }
    settle_homes(plan);
    allow_detours(b, plan->members);
    lbs_maglev_detour(b->detour, b->home, b->all, &b->set, b->may, &b->work);
}

static void compute(const lbs_plan_t *plan)
{
    lbs_plan_builder_t *b = plan->builder;
    apr_uint32_t i;

    b->count = lbs_active_choose(b->front, &plan->order, b->state);
    for (i = 0; i < b->count; i++) {
        b->front_weight[i] = b->weight[b->front[i]];
    }
    if (b->count != 0 && b->sequence != NULL) {
        lbs_sequence_turns(b->list, b->front, b->front_weight, b->count,
                           LBS_SEQUENCE_ROOM);
        b->length = lbs_sequence_build(b->sequence, b->list, b->count);
    }
    if (b->count != 0) {
        lbs_alias_build(b->alias, b->front, b->front_weight, b->count, b->rest,
                        b->work16);
    }
    if (b->home != NULL) {
        compute_hash(plan);
    }
}

/* Publishing ------------------------------------------------------------- */

static void copy(lbs_plan_cell_t *to, const apr_uint16_t *from,
                 apr_uint32_t count)
{
    apr_uint32_t i;

    for (i = 0; i < count; i++) {
        atomic_store_explicit(&to[i], from[i], memory_order_release);
    }
}

/* @param index  of each number */
static void copy_homes(lbs_plan_cell_t *to, const apr_uint16_t *number,
                       const apr_uint16_t *index)
{
    apr_uint32_t i;

    for (i = 0; i < LBS_MAGLEV_SLOTS; i++) {
        atomic_store_explicit(&to[i],
                              number[i] != LBS_MAGLEV_NONE ? index[number[i]]
                                                           : LBS_MAGLEV_NONE,
                              memory_order_release);
    }
}

static void copy_side(const lbs_plan_side_t *side, const lbs_plan_builder_t *b)
{
    apr_uint32_t i;

    for (i = 0; i < b->count; i++) {
        lbs_atomic_store64_release(&side->alias[i], b->alias[i]);
    }
    if (b->sequence != NULL) {
        copy(side->sequence, b->sequence, b->length);
    }
    if (b->home != NULL) {
        copy_homes(side->home, b->home, b->there);
        copy_homes(side->detour, b->detour, b->there);
    }
    lbs_atomic_store64_release(side->counts,
                               (apr_uint64_t)b->length << 32 | b->count);
}

/* The claim keeps two processes from writing the same side. One that died
 * holding it is overruled; one that only slept that long finds, when it wants
 * to publish, that the epoch moved. What it wrote then is valid indexes in
 * the wrong places until its next rebuild, which finds the same and repairs
 * it: a lock that survives its owner would need more than memory. */
static int claim(lbs_plan_head_t *head, apr_int64_t now)
{
    apr_uint64_t seen = 0;

    return lbs_atomic_cas64(&head->claim, &seen, (apr_uint64_t)now)
           || (now - (apr_int64_t)seen >= CLAIM_LASTS
               && lbs_atomic_cas64(&head->claim, &seen, (apr_uint64_t)now));
}

static void unclaim(lbs_plan_head_t *head, apr_int64_t now)
{
    apr_uint64_t mine = (apr_uint64_t)now;

    (void)lbs_atomic_cas64(&head->claim, &mine, 0); /* overruled: not ours */
}

/* @return the epoch now in force; 0: another process was faster */
static apr_uint64_t publish(const lbs_plan_t *plan)
{
    const lbs_plan_builder_t *b = plan->builder;
    lbs_plan_head_t *head = plan->head;
    apr_uint64_t epoch = lbs_atomic_load64_acquire(&head->epoch);
    apr_uint64_t next = epoch + 1;

    if (epoch >> 32 != plan->stamp) {
        return 0;
    }
    if ((apr_uint32_t)next == 0) {
        next = epoch - 0xfffffffdu; /* 0 says never built: go on at 2 */
    }
    copy_side(&plan->side[next & 1], b);
    lbs_atomic_store32_relaxed(
        &head->lbset, b->count > 0 ? plan->member[b->front[0]].lbset + 1 : 0);
    return lbs_atomic_cas64(&head->epoch, &epoch, next) ? next : 0;
}

/* Compute, and publish what the gauges still call for once no other process
 * can publish: so a process that changed a gauge before publishes later, or
 * finds it done.
 *
 * @param changed  out: 1 when new tables were published
 * @return as lbs_plan_follow() */
static apr_status_t build(const lbs_plan_t *plan, const lbs_gauge_t *gauges,
                          apr_int64_t now, int *changed)
{
    lbs_plan_builder_t *b = plan->builder;
    int tries;

    *changed = 0;
    for (tries = 0; tries < BUILDS_MAX && look(plan, gauges); tries++) {
        compute(plan);
        memcpy(b->last_state, b->state, plan->members);
        memcpy(b->last_weight, b->weight, plan->members * sizeof(*b->weight));
        b->published = 0; /* these tables were not yet */
        if (!claim(plan->head, now)) {
            return APR_EBUSY;
        }
        (void)look(plan, gauges);
        if (!has_moved(plan)) {
            b->published = publish(plan);
            *changed = b->published != 0;
        }
        unclaim(plan->head, now);
        if (*changed) {
            return APR_SUCCESS;
        }
    }
    return tries < BUILDS_MAX ? APR_SUCCESS : APR_EBUSY;
}

/* Stats ------------------------------------------------------------------ */

/* The k'th smallest of n numbers, n > k; reorders them. */
static apr_uint64_t smallest(apr_uint64_t *number, apr_uint32_t n,
                             apr_uint32_t k)
{
    apr_uint32_t low = 0;
    apr_uint32_t high = n - 1;

    while (low < high) {
        apr_uint64_t pivot = number[low + (high - low) / 2];
        apr_uint32_t i = low;
        apr_uint32_t j = high;

        for (;;) {
            apr_uint64_t swapped;

            while (number[i] < pivot) {
                i++;
            }
            while (number[j] > pivot) {
                j--;
            }
            if (i >= j) {
                break;
            }
            swapped = number[i];
            number[i++] = number[j];
            number[j--] = swapped;
        }
        if (k <= j) {
            high = j;
        }
        else {
            low = j + 1;
        }
    }
    return number[low];
}

/* Let a silent member's average decay where it is stored, once a second, so
 * that picks can use it as it is. Never under half the median: silence is no
 * proof of being fast. A sample that another process writes at the same time
 * is lost, or takes the place of this: the next second makes up for it. */
static void age(lbs_gauge_t *g, apr_uint32_t median, apr_int64_t now)
{
    apr_uint32_t least = median / 2;
    apr_int64_t at = (apr_int64_t)lbs_atomic_load64_relaxed(&g->ewma_at);
    apr_uint32_t ewma = lbs_atomic_load32_relaxed(&g->ewma);

    if (now - at >= SILENCE && ewma >> LBS_EWMA_SHIFT > least) {
        apr_uint32_t left = lbs_ewma_read(g, (apr_uint64_t)now);

        lbs_ewma_set(g, left > least ? left : least, (apr_uint64_t)now);
    }
}

/* The estimates of those in the front that answered lately.
 *
 * @param charged  0: without those that were charged for failures
 * @return how many there are, in the builder's scratch */
static apr_uint32_t collect_times(const lbs_plan_t *plan,
                                  const lbs_gauge_t *gauges, int charged,
                                  apr_int64_t now)
{
    lbs_plan_builder_t *b = plan->builder;
    apr_uint32_t known = 0;
    apr_uint32_t i;

    for (i = 0; i < b->count; i++) {
        const lbs_gauge_t *g = lbs_plan_gauge(plan, gauges, b->front[i]);
        apr_uint64_t heard = lbs_atomic_load64_relaxed(&g->heard_at);

        if (heard != 0 && now - (apr_int64_t)heard < SILENCE
            && (charged || (lbs_gauge_flags(g) & LBS_F_CHARGED) == 0)) {
            b->rest[known++] =
                lbs_atomic_load32_relaxed(&g->ewma) >> LBS_EWMA_SHIFT;
        }
    }
    return known;
}

/* If no member answered lately, the last median stands: stored estimates
 * decay, and their median would sink with an idle pool. */
static apr_uint32_t median_of(const lbs_plan_t *plan,
                              const lbs_gauge_t *gauges, apr_int64_t now)
{
    lbs_plan_builder_t *b = plan->builder;
    apr_uint32_t known = collect_times(plan, gauges, 0, now);

    if (known == 0) {
        known = collect_times(plan, gauges, 1, now);
    }
    return known == 0 ? lbs_plan_median(plan)
                      : (apr_uint32_t)smallest(b->rest, known, known / 2);
}

static void refresh_stats(const lbs_plan_t *plan, lbs_gauge_t *gauges,
                          apr_int64_t now)
{
    lbs_plan_builder_t *b = plan->builder;
    apr_uint64_t weights = 0;
    apr_uint64_t inflights = 0;
    apr_uint64_t hot = APR_UINT32_MAX;
    apr_uint32_t median = median_of(plan, gauges, now);
    apr_uint32_t trial = 0;
    apr_uint32_t i;

    for (i = 0; i < b->count; i++) {
        lbs_gauge_t *g = &gauges[plan->slot[b->front[i]]];
        apr_uint32_t weight = b->weight[b->front[i]];
        apr_uint64_t inflight = lbs_gauge_inflight(g);

        age(g, median, now);
        weights += weight;
        inflights += inflight;
        if ((b->state[b->front[i]] & LBS_ACTIVE_TRIAL) != 0
            && lbs_gauge_open_new(g)) {
            trial = b->front[i] + 1u;
        }
        /* Rounded up: a member at the percentile is not above it. */
        b->rest[i] = (inflight * LBS_PLAN_PER_WEIGHT + weight - 1) / weight;
    }
    /* With few members the percentile is the busiest one, and a member with
     * more in flight than that had at the last look is not hot, it has had one
     * request since. */
    if (b->count > HOT_LEAST) {
        hot = smallest(b->rest, b->count, (b->count * HOT_PERCENTILE) / 100);
    }
    lbs_atomic_store64_relaxed(&plan->head->weight, weights);
    lbs_atomic_store64_relaxed(&plan->head->inflight, inflights);
    lbs_atomic_store32_relaxed(&plan->head->hot, hot < APR_UINT32_MAX
                                                     ? (apr_uint32_t)hot
                                                     : APR_UINT32_MAX);
    lbs_atomic_store32_relaxed(&plan->head->median, median);
    lbs_atomic_store32_relaxed(&plan->head->trial, trial);
}

/* Only one thread of a process builds at a time. */
static int enter(lbs_plan_t *plan)
{
    apr_uint32_t idle = 0;

    if (!lbs_atomic_cas32(&plan->busy, &idle, 1)) {
        return 0;
    }
    if (plan->builder == NULL) {
        plan->builder = lbs_plan_build_create(plan, plan->pool);
    }
    return 1;
}

static void leave(lbs_plan_t *plan)
{
    lbs_atomic_store32_release(&plan->busy, 0);
}

/* @return 1: the block is a later generation's by now */
static int is_outdated(const lbs_plan_t *plan)
{
    return lbs_atomic_load64_acquire(&plan->head->epoch) >> 32 != plan->stamp;
}

int lbs_plan_rebuild(lbs_plan_t *plan, lbs_gauge_t *gauges, apr_int64_t now)
{
    int changed = 0;

    if (is_outdated(plan) || !enter(plan)) {
        return 0;
    }
    (void)build(plan, gauges, now, &changed); /* another time, if not now */
    refresh_stats(plan, gauges, now);
    leave(plan);
    return changed;
}

apr_status_t lbs_plan_follow(lbs_plan_t *plan, const lbs_gauge_t *gauges,
                             apr_int64_t now)
{
    apr_status_t rv;
    int changed;

    if (is_outdated(plan)) {
        return APR_SUCCESS;
    }
    if (!enter(plan)) {
        return APR_EBUSY;
    }
    rv = build(plan, gauges, now, &changed);
    leave(plan);
    return rv;
}
