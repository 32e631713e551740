/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover.c - see lbs_discover.h. */
#include "src/httpd/discover/lbs_discover.h"

#include <apr_strings.h>
#include <string.h>

#include "src/base/lbs_hash.h"
#include "src/httpd/discover/lbs_discover_dns.h"
#include "src/httpd/discover/lbs_discover_file.h"
#include "src/httpd/discover/lbs_discover_follow.h"
#include "src/httpd/discover/lbs_discover_seat.h"
#include "src/httpd/discover/lbs_discover_wish.h"
#include "src/httpd/pool/lbs_present.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

/* The sources. All three are NULL where members are added by wishes, see
 * lbs_discover_wish.h. */
static const struct {
    /* Another process ticks. */
    void (*begin)(apr_pool_t *memory);
    /* At every tick: 1 when there is an answer. */
    int (*poll)(const lbs_discover_from_t *from, apr_time_t now,
                apr_pool_t *memory, lbs_discover_answer_t *answer);
    /* At a start: an answer that is to be had at once. */
    void (*read)(const lbs_discover_from_t *from, apr_time_t now,
                 apr_pool_t *memory, lbs_discover_answer_t *answer);
} sources[LBS_ROSTER_BYS] = {
    [LBS_ROSTER_BY_FILE] = {lbs_discover_file_begin, lbs_discover_file_poll,
                            lbs_discover_file_read},
    [LBS_ROSTER_BY_DNS] = {lbs_discover_dns_begin, lbs_discover_dns_poll,
                           NULL},
    [LBS_ROSTER_BY_SRV] = {NULL, lbs_discover_dns_poll, NULL},
};

static apr_pool_t *memory;
static apr_time_t began_at; /* this process ticks */

void lbs_discover_begin(void)
{
    int i;

    if (memory == NULL) {
        apr_pool_create(&memory, NULL);
        apr_pool_tag(memory, "lbsticky discover");
    }
    began_at = lbs_clock_now();
    for (i = 0; i < LBS_ROSTER_BYS; i++) {
        if (sources[i].begin != NULL) {
            sources[i].begin(memory);
        }
    }
}

void lbs_discover_take_over(void)
{
    lbs_discover_begin();
    lbs_discover_seat_tell_all();
}

/* Virtual hosts that inherit a pool have its members: the first one asks. */
int lbs_discover_asks(const lbs_pool_t *pool)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < pool->number; i++) {
        if (APR_ARRAY_IDX(all, i, const lbs_pool_t *)->slot == pool->slot) {
            return 0;
        }
    }
    return pool->roster != NULL;
}

/* Do all sources say whom they name? */
static int are_good(const lbs_pool_t *pool)
{
    int i;

    for (i = 0; i < pool->set.discover->count; i++) {
        if (lbs_atomic_load32_relaxed(&pool->roster->source[i].said)
            != LBS_ROSTER_GOOD) {
            return 0;
        }
    }
    return 1;
}

/* Members of sources that the configuration has no more. */
static void leave_unnamed(const lbs_pool_t *pool, apr_time_t now)
{
    const lbs_set_discover_t *set = pool->set.discover;
    int seat;

    for (seat = 0; now - began_at > set->hold && seat < LBS_ROSTER_SEATS;
         seat++) {
        const lbs_roster_seat_t *at = &pool->roster->seat[seat];

        if (lbs_atomic_load32_relaxed(&at->named) == 0
            && lbs_atomic_load64_relaxed(&at->leaves_at) == 0) {
            lbs_discover_seat_leave(
                pool, seat,
                &(lbs_discover_leave_t){.end = now + set->leave,
                                        .reason = "no source names it"});
        }
    }
}

static void tick_pool(const lbs_pool_t *pool, apr_time_t now)
{
    lbs_discover_from_t from = {.pool = pool, .source = 0};
    apr_pool_t *scratch;
    int seat;

    for (seat = 0; seat < LBS_ROSTER_SEATS; seat++) {
        lbs_discover_seat_tick(pool, seat, now);
    }
    if (are_good(pool)) {
        leave_unnamed(pool, now);
        lbs_bars_expire(
            &pool->roster->bars,
            pool->set.discover->hold + 2 * pool->set.discover->interval, now);
    }
    apr_pool_create(&scratch, memory);
    lbs_discover_wish_leases(pool, now, scratch);
    for (; from.source < pool->set.discover->count; from.source++) {
        lbs_roster_by_t by = lbs_discover_finder(&from)->by;
        lbs_discover_answer_t answer;

        if (sources[by].poll != NULL
            && sources[by].poll(&from, now, scratch, &answer)) {
            lbs_discover_follow(&from, &answer, now, 1, scratch);
        }
    }
    apr_pool_destroy(scratch);
}

void lbs_discover_tick(apr_time_t now)
{
    const apr_array_header_t *all = lbs_pools_all();
    apr_pool_t *scratch;
    int i;

    apr_pool_create(&scratch, memory);
    lbs_discover_wish_tick(now, scratch);
    apr_pool_destroy(scratch);
    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);

        if (lbs_discover_asks(pool)) {
            tick_pool(pool, now);
        }
    }
}

void lbs_discover_answer(apr_time_t now)
{
    lbs_discover_wish_answer(now);
}

/* A configuration -------------------------------------------------------- */

/* Rosters of pools that have no LBStickyDiscover any more. */
static void end_others(void)
{
    const apr_array_header_t *all = lbs_pools_all();
    lbs_roster_t *rosters = lbs_runtime()->notes.rosters;
    unsigned char has[LBS_REGISTRY_POOLS] = {0};
    lbs_roster_place_t place;
    int i, seat;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);

        has[pool->slot] |= pool->roster != NULL;
    }
    for (i = 0; i < LBS_REGISTRY_POOLS; i++) {
        for (seat = 0; !has[i] && seat < LBS_ROSTER_SEATS; seat++) {
            if (lbs_roster_at(&rosters[i], seat, &place)) {
                lbs_roster_vacate(&rosters[i], seat, lbs_clock_now());
            }
        }
    }
}

static apr_uint64_t id_of(const lbs_set_finder_t *finder)
{
    static const lbs_hash_key_t key; /* no secret */

    return lbs_hash_bytes(&key, finder->spelling, strlen(finder->spelling))
           | 1;
}

static void name_sources(const lbs_pool_t *pool)
{
    const lbs_set_discover_t *set = pool->set.discover;
    apr_uint64_t ids[LBS_ROSTER_SOURCES];
    int i;

    for (i = 0; i < set->count; i++) {
        ids[i] = id_of(&set->finder[i]);
    }
    lbs_roster_sources(pool->roster, ids, set->count);
    for (i = 0; i < set->count; i++) {
        /* Those that are not asked are never wrong. */
        if (sources[set->finder[i].by].poll == NULL) {
            lbs_atomic_store32_relaxed(&pool->roster->source[i].said,
                                       LBS_ROSTER_GOOD);
            lbs_atomic_store64_relaxed(&pool->roster->source[i].good_at,
                                       (apr_uint64_t)lbs_clock_now());
        }
    }
}

/* At a start every source that can be read at once is read. */
static void read_sources(const lbs_pool_t *pool, apr_pool_t *ptemp)
{
    lbs_discover_from_t from = {.pool = pool, .source = 0};
    apr_time_t now = lbs_clock_now();

    for (; from.source < pool->set.discover->count; from.source++) {
        lbs_roster_by_t by = lbs_discover_finder(&from)->by;
        lbs_discover_answer_t answer;

        if (sources[by].read != NULL) {
            sources[by].read(&from, now, ptemp, &answer);
            lbs_discover_follow(&from, &answer, now, 0, ptemp);
        }
    }
}

void lbs_discover_name(apr_pool_t *ptemp)
{
    const apr_array_header_t *all = lbs_pools_all();
    int is_start = lbs_registry_generation(lbs_runtime()->registry) == 0;
    int i, seat;

    lbs_discover_begin();
    if (lbs_atomic_load64_relaxed(lbs_runtime()->notes.roster_version) != 0) {
        end_others();
    }
    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);

        if (!lbs_discover_asks(pool)) {
            continue;
        }
        name_sources(pool);
        lbs_discover_seat_fit(pool);
        for (seat = 0; seat < LBS_ROSTER_SEATS; seat++) {
            lbs_discover_seat_keep(pool, seat);
        }
        if (is_start) {
            read_sources(pool, ptemp);
        }
    }
}

/* The values of members as the sources have them that can be read at once. */
static void value_again(const lbs_pool_t *pool, apr_pool_t *ptemp)
{
    lbs_discover_from_t from = {.pool = pool, .source = 0};
    int i;

    for (; from.source < pool->set.discover->count; from.source++) {
        lbs_roster_by_t by = lbs_discover_finder(&from)->by;
        lbs_discover_answer_t answer = {.said = LBS_ROSTER_NOTHING};

        if (sources[by].read != NULL) {
            sources[by].read(&from, lbs_clock_now(), ptemp, &answer);
        }
        for (i = 0; answer.said == LBS_ROSTER_GOOD && i < answer.list->nelts;
             i++) {
            lbs_discover_seat_value(pool, LBS_DISCOVER_AT(answer.list, i));
        }
    }
}

/* A source that is asked in steps answers within moments as a rule. A pool
 * without any member has them before the first request then. */
#define FIRST_WAIT apr_time_from_msec(1500)

static int has_nobody(const lbs_pool_t *pool)
{
    lbs_roster_place_t place;
    int seat = 0;

    while (seat < LBS_ROSTER_SEATS
           && !lbs_roster_at(pool->roster, seat, &place)) {
        seat++;
    }
    return pool->configured == 0 && seat == LBS_ROSTER_SEATS;
}

/* @return how many sources have not answered yet */
static int ask_for_first(const lbs_pool_t *pool, apr_pool_t *ptemp)
{
    lbs_discover_from_t from = {.pool = pool, .source = 0};
    int waiting = 0;

    for (; from.source < pool->set.discover->count; from.source++) {
        lbs_roster_by_t by = lbs_discover_finder(&from)->by;
        lbs_discover_answer_t answer;

        if (sources[by].read != NULL || sources[by].poll == NULL) {
            continue;
        }
        if (sources[by].poll(&from, lbs_clock_now(), ptemp, &answer)) {
            lbs_discover_follow(&from, &answer, lbs_clock_now(), 0, ptemp);
        }
        else {
            waiting++;
        }
    }
    return waiting;
}

static void wait_for_first(apr_pool_t *ptemp)
{
    const apr_array_header_t *all = lbs_pools_all();
    apr_time_t end = lbs_clock_now() + FIRST_WAIT;
    int i, waiting;

    do {
        waiting = 0;
        for (i = 0; i < all->nelts; i++) {
            const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);

            if (lbs_discover_asks(pool) && has_nobody(pool)) {
                waiting += ask_for_first(pool, ptemp);
            }
        }
        if (waiting > 0) {
            apr_sleep(apr_time_from_msec(5));
        }
    } while (waiting > 0 && lbs_clock_now() < end);
    lbs_discover_begin(); /* no child inherits a socket */
}

/* At a start the state file has given values of its own; members that were
 * there before a reload keep theirs until the source is asked. */
void lbs_discover_settle(apr_pool_t *ptemp)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);

        if (!lbs_discover_asks(pool)) {
            continue;
        }
        (void)lbs_gauge_set(pool->member[pool->configured]->gauge,
                            LBS_F_STOPPED);
        value_again(pool, ptemp);
    }
    wait_for_first(ptemp);
}
