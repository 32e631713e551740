/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_follow.c - see lbs_discover_follow.h. */
#include "src/httpd/discover/lbs_discover_follow.h"

#include <apr_strings.h>
#include <string.h>

#include "src/httpd/discover/lbs_discover_seat.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

#define TELL_EVERY apr_time_from_sec(60)
#define AT LBS_DISCOVER_AT

static const char *spelling_of(const lbs_discover_from_t *from)
{
    return lbs_discover_finder(from)->spelling;
}

static lbs_roster_source_t *source_of(const lbs_discover_from_t *from)
{
    return &from->pool->roster->source[from->source];
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

static void say(const lbs_discover_from_t *from,
                const lbs_discover_answer_t *answer, apr_time_t now)
{
    lbs_roster_source_t *source = source_of(from);

    lbs_atomic_store32_relaxed(&source->line, answer->wrong.line);
    lbs_atomic_store32_relaxed(&source->said, (apr_uint32_t)answer->said);
    lbs_atomic_store64_relaxed(&source->next_at,
                               (apr_uint64_t)answer->next_at);
    if (answer->said == LBS_ROSTER_GOOD) {
        lbs_atomic_store64_relaxed(&source->good_at, (apr_uint64_t)now);
    }
}

/* Tell once that a source has no good answer, and once that it has one. */
static void tell_turn(const lbs_discover_from_t *from,
                      const lbs_discover_answer_t *answer, apr_pool_t *scratch)
{
    const lbs_pool_t *pool = from->pool;
    apr_uint32_t said = lbs_atomic_load32_relaxed(&source_of(from)->said);
    int was = said != LBS_ROSTER_GOOD && said != LBS_ROSTER_NOTHING;
    const char *why = explain(answer, scratch);
    int stale = answer->said != LBS_ROSTER_GOOD;
    lbs_clock_t now = lbs_clock_both();

    if (stale == was) {
        return;
    }
    lbs_registry_tell(
        lbs_runtime()->registry, &now, pool->slot, LBS_REGISTRY_NONE,
        stale ? LBS_EVENT_SOURCE_STALE : LBS_EVENT_SOURCE_OK,
        stale ? apr_pstrcat(scratch, spelling_of(from), ": ", why, NULL)
              : spelling_of(from));
    if (stale) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, pool->server,
            LBSNO(3604) "pool %s: LBStickyDiscover %s: %s; its "
                        "members stay as they are: correct the file, or "
                        "see to its name server",
            pool->name, spelling_of(from), why);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, pool->server,
                     LBSNO(3605) "pool %s: LBStickyDiscover %s names members "
                                 "again",
                     pool->name, spelling_of(from));
    }
}

/* Members that the source names and that get no place. */
typedef struct ignored_t {
    apr_uint32_t count;
    const lbs_list_member_t *first; /* that was refused */
    apr_uint32_t refused;
    apr_uint32_t no_room;
    apr_uint32_t barred; /* by operators, who know */
} ignored_t;

static void tell_ignored(const lbs_discover_from_t *from,
                         const ignored_t *ignored, apr_time_t now,
                         apr_pool_t *scratch)
{
    const lbs_pool_t *pool = from->pool;
    lbs_roster_source_t *source = source_of(from);
    apr_uint64_t told = lbs_atomic_load64_relaxed(&source->told_at);
    lbs_clock_t both = lbs_clock_both();
    const char *why;

    lbs_atomic_store32_relaxed(&source->ignored,
                               ignored->count + ignored->barred);
    if (ignored->count == 0
        || (told != 0 && now - (apr_time_t)told < TELL_EVERY)) {
        return;
    }
    lbs_atomic_store64_relaxed(&source->told_at, (apr_uint64_t)now);
    why = ignored->refused == 0
              ? "max= of them are there"
              : lbs_discover_seat_refusal(pool, ignored->first, scratch);
    (void)lbs_atomic_add64_relaxed(&pool->roster->kinds[LBS_ROSTER_REFUSED],
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
                 pool->name, spelling_of(from), ignored->count,
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
    ignored->barred += came == LBS_DISCOVER_BARRED;
    ignored->count = ignored->refused + ignored->no_room;
}

/* Following -------------------------------------------------------------- */

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

static int would_serve(const lbs_pool_t *pool, const lbs_list_member_t *m,
                       apr_pool_t *scratch)
{
    if (m->by_name && m->nets_count == 0) {
        return lbs_discover_seat_of(pool, m) != LBS_ROSTER_NONE;
    }
    return lbs_discover_seat_refusal(pool, m, scratch) == NULL;
}

/* How many of the pool would serve if the list were followed at once: the
 * configured ones, those of the list, and those of other sources. */
static apr_uint32_t would_be_there(const lbs_discover_from_t *from,
                                   const apr_array_header_t *list,
                                   apr_pool_t *scratch)
{
    const lbs_pool_t *pool = from->pool;
    apr_uint32_t n = (apr_uint32_t)pool->configured;
    lbs_roster_place_t place;
    int i;

    for (i = 0; i < list->nelts; i++) {
        n += (apr_uint32_t)would_serve(pool, AT(list, i), scratch);
    }
    for (i = 0; i < LBS_ROSTER_SEATS; i++) {
        if (lbs_roster_at(pool->roster, i, &place)) {
            apr_uint32_t others =
                lbs_atomic_load32_relaxed(&pool->roster->seat[i].named)
                & ~(1u << from->source);

            n += others != 0 && !is_named(list, place.slot);
        }
    }
    return n;
}

static void miss_others(const lbs_discover_from_t *from,
                        const apr_array_header_t *list, apr_time_t now)
{
    lbs_roster_place_t place;
    int seat;

    for (seat = 0; seat < LBS_ROSTER_SEATS; seat++) {
        if (lbs_roster_at(from->pool->roster, seat, &place)
            && !is_named(list, place.slot)) {
            lbs_discover_seat_miss(from, seat, now);
        }
    }
}

static void follow(const lbs_discover_from_t *from,
                   lbs_discover_answer_t *answer, apr_time_t now, int tells,
                   apr_pool_t *scratch)
{
    ignored_t ignored = {0};
    int i;

    for (i = 0; i < answer->list->nelts; i++) {
        const lbs_list_member_t *m = AT(answer->list, i);

        note_ignored(&ignored, lbs_discover_seat_come(from, m, scratch, tells),
                     m);
        lbs_discover_seat_value(from->pool, m);
    }
    tell_ignored(from, &ignored, now, scratch);
    if (answer->said != LBS_ROSTER_GOOD) {
        return;
    }
    if (would_be_there(from, answer->list, scratch)
        < from->pool->set.discover->min) {
        answer->said = LBS_ROSTER_TOO_FEW;
        return;
    }
    if (tells) {
        miss_others(from, answer->list, now);
    }
}

void lbs_discover_follow(const lbs_discover_from_t *from,
                         lbs_discover_answer_t *answer, apr_time_t now,
                         int tells, apr_pool_t *scratch)
{
    if (answer->list != NULL) {
        follow(from, answer, now, tells, scratch);
    }
    tell_turn(from, answer, scratch);
    say(from, answer, now);
}
