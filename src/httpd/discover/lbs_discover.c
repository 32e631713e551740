/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover.c - see lbs_discover.h. */
#include "src/httpd/discover/lbs_discover.h"

#include <apr_strings.h>
#include <string.h>

#include "src/httpd/discover/lbs_discover_file.h"
#include "src/httpd/discover/lbs_discover_seat.h"
#include "src/httpd/pool/lbs_present.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

#define LOOK_EVERY apr_time_from_sec(1) /* has the file changed? */
#define TELL_EVERY apr_time_from_sec(60)

/* Of the process that ticks, per pool. */
typedef struct watch_t {
    apr_uint64_t mark; /* of the file when it was read last */
    apr_time_t looked_at;
    apr_time_t read_at;
    int stale; /* it was logged */
} watch_t;

static watch_t *watches; /* by slot of the pool */
static apr_pool_t *memory;

static void make_memory(void)
{
    if (memory == NULL) {
        apr_pool_create(&memory, NULL);
        apr_pool_tag(memory, "lbsticky discover");
        watches = apr_pcalloc(memory, sizeof(*watches) * LBS_REGISTRY_POOLS);
    }
}

void lbs_discover_begin(void)
{
    make_memory();
    memset(watches, 0, sizeof(*watches) * LBS_REGISTRY_POOLS);
}

/* Answers ---------------------------------------------------------------- */

static const char *explain(const lbs_discover_answer_t *answer,
                           apr_pool_t *pool)
{
    char words[96];

    switch (answer->said) {
    case LBS_ROSTER_UNREADABLE:
        return apr_psprintf(pool, "it cannot be read (%s)",
                            apr_strerror(answer->rv, words, sizeof(words)));
    case LBS_ROSTER_WRONG:
        return apr_psprintf(pool, "line %u: wanted %s", answer->wrong.line,
                            answer->wrong.wanted);
    default:
        return lbs_roster_why(answer->said);
    }
}

static void say(const lbs_pool_t *pool, const lbs_discover_answer_t *answer,
                apr_time_t now)
{
    lbs_roster_t *roster = pool->roster;

    lbs_atomic_store32_relaxed(&roster->line, answer->wrong.line);
    lbs_atomic_store32_relaxed(&roster->said, (apr_uint32_t)answer->said);
    lbs_atomic_store64_relaxed(&roster->asked_at, (apr_uint64_t)now);
    if (answer->said == LBS_ROSTER_GOOD) {
        lbs_atomic_store64_relaxed(&roster->good_at, (apr_uint64_t)now);
    }
}

/* Tell once that a source has no good answer, and once that it has one. */
static void tell_turn(const lbs_pool_t *pool, watch_t *watch,
                      const lbs_discover_answer_t *answer, apr_pool_t *scratch)
{
    const char *spelling = pool->set.discover->spelling;
    const char *why = explain(answer, scratch);
    int stale = answer->said != LBS_ROSTER_GOOD;
    lbs_clock_t now = lbs_clock_both();

    if (stale == watch->stale) {
        return;
    }
    watch->stale = stale;
    lbs_registry_tell(
        lbs_runtime()->registry, &now, pool->slot, LBS_REGISTRY_NONE,
        stale ? LBS_EVENT_SOURCE_STALE : LBS_EVENT_SOURCE_OK,
        stale ? apr_pstrcat(scratch, spelling, ": ", why, NULL) : spelling);
    if (stale) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, pool->server,
                     LBSNO(3604) "pool %s: LBStickyDiscover %s: %s; its "
                                 "members stay as they are: correct the file",
                     pool->name, spelling, why);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, pool->server,
                     LBSNO(3605) "pool %s: LBStickyDiscover %s names members "
                                 "again",
                     pool->name, spelling);
    }
}

/* Members that the source names and that get no place. */
typedef struct ignored_t {
    apr_uint32_t count;
    const lbs_list_member_t *first; /* that was refused */
    apr_uint32_t refused;
    apr_uint32_t no_room;
} ignored_t;

static void tell_ignored(const lbs_pool_t *pool, const ignored_t *ignored,
                         apr_time_t now, apr_pool_t *scratch)
{
    lbs_roster_t *roster = pool->roster;
    apr_uint64_t told = lbs_atomic_load64_relaxed(&roster->told_at);
    lbs_clock_t both = lbs_clock_both();
    const char *why;

    lbs_atomic_store32_relaxed(&roster->ignored, ignored->count);
    if (ignored->count == 0
        || (told != 0 && now - (apr_time_t)told < TELL_EVERY)) {
        return;
    }
    lbs_atomic_store64_relaxed(&roster->told_at, (apr_uint64_t)now);
    why = ignored->refused == 0
              ? "max= of them are there"
              : lbs_discover_seat_refusal(pool, ignored->first, scratch);
    (void)lbs_atomic_add64_relaxed(&roster->kinds[LBS_ROSTER_REFUSED],
                                   ignored->count);
    if (ignored->refused > 0) {
        lbs_registry_tell(
            lbs_runtime()->registry, &both, pool->slot, LBS_REGISTRY_NONE,
            LBS_EVENT_REFUSED_ADDRESS,
            apr_pstrcat(scratch, ignored->first->url, ": ", why, NULL));
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, pool->server,
                 LBSNO(3606) "pool %s: LBStickyDiscover %s: %u of its members "
                             "get nothing, %s the first of them: %s; write "
                             "allow= or max=, or take them out",
                 pool->name, pool->set.discover->spelling, ignored->count,
                 ignored->first->url, why != NULL ? why : "it is refused");
}

static void note_ignored(ignored_t *ignored, lbs_discover_came_t came,
                         const lbs_list_member_t *m)
{
    if (came == LBS_DISCOVER_REFUSED && ignored->refused++ == 0) {
        ignored->first = m;
    }
    else if (came == LBS_DISCOVER_NO_ROOM && ignored->no_room++ == 0
             && ignored->refused == 0) {
        ignored->first = m;
    }
    ignored->count = ignored->refused + ignored->no_room;
}

/* Following -------------------------------------------------------------- */

#define AT(list, i)                                                           \
    (&((const lbs_list_member_t *)(const void *)(list)->elts)[i])

/* How many of the pool would serve if the list were followed at once. */
static apr_uint32_t would_be_there(const lbs_pool_t *pool,
                                   const apr_array_header_t *list,
                                   apr_pool_t *scratch)
{
    apr_uint32_t n = (apr_uint32_t)pool->configured;
    int i;

    for (i = 0; i < list->nelts; i++) {
        n += lbs_discover_seat_refusal(pool, AT(list, i), scratch) == NULL;
    }
    return n;
}

static int is_named(const apr_array_header_t *list, apr_uint32_t slot)
{
    lbs_registry_member_info_t info;
    int i;

    if (lbs_registry_member_info(lbs_runtime()->registry, slot, &info)
        != APR_SUCCESS) {
        return 0;
    }
    for (i = 0; i < list->nelts; i++) {
        const lbs_list_member_t *m = AT(list, i);

        if (strcmp(m->route, info.route) == 0
            && (*m->route || strcmp(m->url, info.url) == 0)) {
            return 1;
        }
    }
    return 0;
}

static void miss_others(const lbs_pool_t *pool, const apr_array_header_t *list,
                        apr_time_t now)
{
    lbs_roster_place_t place;
    int seat;

    for (seat = 0; seat < LBS_ROSTER_SEATS; seat++) {
        if (lbs_roster_at(pool->roster, seat, &place)
            && !is_named(list, place.slot)) {
            lbs_discover_seat_miss(pool, seat, now);
        }
    }
}

static void follow(const lbs_pool_t *pool, lbs_discover_answer_t *answer,
                   apr_time_t now, int tells, apr_pool_t *scratch)
{
    ignored_t ignored = {0};
    int i;

    for (i = 0; i < answer->list->nelts; i++) {
        const lbs_list_member_t *m = AT(answer->list, i);

        note_ignored(&ignored, lbs_discover_seat_come(pool, m, scratch, tells),
                     m);
        lbs_discover_seat_value(pool, m);
    }
    tell_ignored(pool, &ignored, now, scratch);
    if (would_be_there(pool, answer->list, scratch)
        < pool->set.discover->min) {
        answer->said = LBS_ROSTER_TOO_FEW;
        return;
    }
    if (tells) {
        miss_others(pool, answer->list, now);
    }
}

static void ask(const lbs_pool_t *pool, watch_t *watch, apr_time_t now,
                int tells, apr_pool_t *scratch)
{
    lbs_discover_answer_t answer;

    watch->mark = lbs_discover_file_mark(pool->set.discover->file, scratch);
    watch->read_at = now;
    lbs_discover_file_read(pool, scratch, &answer);
    if (answer.said == LBS_ROSTER_GOOD) {
        follow(pool, &answer, now, tells, scratch);
    }
    say(pool, &answer, now);
    tell_turn(pool, watch, &answer, scratch);
}

/* Virtual hosts that inherit a pool have its members: the first one asks. */
static int asks(const lbs_pool_t *pool)
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

static void tick_pool(const lbs_pool_t *pool, apr_time_t now)
{
    watch_t *watch = &watches[pool->slot];
    apr_pool_t *scratch;
    int seat;

    for (seat = 0; seat < LBS_ROSTER_SEATS; seat++) {
        lbs_discover_seat_tick(pool, seat, now);
    }
    if (now - watch->looked_at < LOOK_EVERY && watch->looked_at != 0) {
        return;
    }
    watch->looked_at = now;
    apr_pool_create(&scratch, memory);
    if (watch->read_at == 0
        || now - watch->read_at >= pool->set.discover->interval
        || watch->mark
               != lbs_discover_file_mark(pool->set.discover->file, scratch)) {
        ask(pool, watch, now, 1, scratch);
    }
    apr_pool_destroy(scratch);
}

void lbs_discover_tick(apr_time_t now)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);

        if (asks(pool)) {
            tick_pool(pool, now);
        }
    }
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

        if (!asks(pool)) {
            continue;
        }
        for (seat = 0; seat < LBS_ROSTER_SEATS; seat++) {
            lbs_discover_seat_keep(pool, seat);
        }
        if (is_start) {
            ask(pool, &watches[pool->slot], lbs_clock_now(), 0, ptemp);
        }
    }
}

static void recall(const lbs_pool_t *pool, const lbs_outline_member_t *was)
{
    lbs_list_member_t m = {.url = was->url,
                           .route = was->route,
                           .weight = 100,
                           .lbset = was->lbset};
    const char *host = strstr(was->url, "://");
    const char *end;

    if (host == NULL) {
        return;
    }
    host += strlen("://");
    host += *host == '[';
    end = host + strcspn(host, host[-1] == '[' ? "]" : ":/");
    if (lbs_net_read(host, (apr_size_t)(end - host), &m.net)) {
        (void)lbs_discover_seat_come(pool, &m, memory, 0);
    }
}

void lbs_discover_recall(const lbs_outline_t *outline)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i, k, n;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);

        for (k = 0; asks(pool) && k < outline->pools->nelts; k++) {
            const lbs_outline_pool_t *was =
                &LBS_OUTLINE_AT(outline->pools, k, lbs_outline_pool_t);

            if (strcmp(was->name, pool->name) != 0
                || strcmp(was->vhost, pool->vhost) != 0) {
                continue;
            }
            for (n = 0; n < was->members->nelts; n++) {
                const lbs_outline_member_t *m =
                    &LBS_OUTLINE_AT(was->members, n, lbs_outline_member_t);

                if (m->found && !m->removed) {
                    recall(pool, m);
                }
            }
        }
    }
}

/* At a start the state file has given values of its own; members that were
 * there before a reload keep theirs until the source is asked. */
void lbs_discover_settle(apr_pool_t *ptemp)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);
        lbs_discover_answer_t answer;
        int k;

        if (!asks(pool)) {
            continue;
        }
        (void)lbs_gauge_set(pool->member[pool->configured]->gauge,
                            LBS_F_STOPPED);
        lbs_discover_file_read(pool, ptemp, &answer);
        for (k = 0; answer.said == LBS_ROSTER_GOOD && k < answer.list->nelts;
             k++) {
            lbs_discover_seat_value(pool, AT(answer.list, k));
        }
    }
}
