/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_wish.c - see lbs_discover_wish.h. */
#include "src/httpd/discover/lbs_discover_wish.h"

#include <apr_strings.h>
#include <string.h>

#include "src/httpd/discover/lbs_discover_follow.h"
#include "src/httpd/discover/lbs_discover_seat.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_admin.h"

/* Wishes of one tick, answered when it is over. */
static struct {
    lbs_wish_ticket_t ticket;
    lbs_wish_answer_t answer;
} done[LBS_WISH_PLACES];

static int done_count;

typedef struct job_t {
    const lbs_wish_t *wish;
    lbs_discover_from_t from;
    apr_time_t now;
    apr_pool_t *scratch;
    lbs_wish_answer_t *answer;
} job_t;

static void say(const job_t *job, apr_uint32_t status, const char *text)
{
    job->answer->status = status;
    apr_cpystrn(job->answer->text, text, sizeof(job->answer->text));
}

/* Of virtual hosts that inherit a pool the first one's settings hold. */
static const lbs_pool_t *pool_of(const lbs_wish_t *wish)
{
    const lbs_pool_t *pool = lbs_pools_of_slot(wish->pool_slot);

    return pool != NULL && pool->roster != NULL ? pool : NULL;
}

/* @return 0: the pool has no source of that kind */
static int find_source(job_t *job, lbs_roster_by_t by)
{
    const lbs_set_discover_t *set = job->from.pool->set.discover;

    for (job->from.source = 0; job->from.source < set->count;
         job->from.source++) {
        if (set->finder[job->from.source].by == by) {
            return 1;
        }
    }
    return 0;
}

/* Adding ----------------------------------------------------------------- */

/* @return 0: it was refused */
static int read_member(const job_t *job, lbs_list_member_t *m)
{
    const lbs_pool_t *pool = job->from.pool;
    const lbs_list_model_t model = lbs_discover_model(pool->model);
    /* A member that registers says its address alone. */
    const char *url = strstr(job->wish->url, "://") != NULL
                          ? job->wish->url
                          : apr_pstrcat(job->scratch, model.scheme, "://",
                                        job->wish->url, model.path, NULL);
    const char *wrong = lbs_list_read_url(url, &model, job->scratch, m);

    if (wrong != NULL) {
        say(job, 400,
            apr_psprintf(job->scratch, "url is %.64s, wanted is %s",
                         job->wish->url, wrong));
        return 0;
    }
    wrong = lbs_discover_seat_refusal(pool, m, job->scratch);
    if (wrong != NULL) {
        say(job, 400,
            apr_psprintf(job->scratch,
                         "url is %.64s, which is refused: %s; see allow= of "
                         "LBStickyDiscover",
                         job->wish->url, wrong));
        return 0;
    }
    return 1;
}

static void say_came(const job_t *job, lbs_discover_came_t came)
{
    switch (came) {
    case LBS_DISCOVER_THERE:
        say(job, 200, "");
        break;
    case LBS_DISCOVER_CONFIGURED:
        say(job, 409,
            "the member is configured: change its BalancerMember line");
        break;
    case LBS_DISCOVER_BARRED:
        say(job, 403,
            "an operator has removed the member: lbctl add brings it back");
        break;
    case LBS_DISCOVER_NO_ROOM:
        say(job, 507,
            "there is no room for it: max= members were found, or the place "
            "of one that went has to rest for some seconds");
        break;
    case LBS_DISCOVER_UNKNOWN:
    case LBS_DISCOVER_REFUSED:
        say(job, 400, "its address is refused");
        break;
    }
}

/* A newcomer's weight is its own; that of a member which other sources name,
 * too, is changed, as by action=weight. */
static void weigh(const job_t *job, const lbs_list_member_t *m, int is_new)
{
    const lbs_admin_change_t change = {.action = LBS_ADMIN_SET_WEIGHT,
                                       .weight = m->weight,
                                       .reason = job->wish->reason};
    lbs_clock_t now = lbs_clock_both();

    if (is_new) {
        lbs_discover_seat_value(job->from.pool, m);
    }
    else if (job->wish->weight != LBS_WISH_UNSAID) {
        (void)lbs_admin_apply(lbs_runtime()->registry, job->answer->slot,
                              &change, &now);
    }
}

static apr_uint32_t slot_of(const lbs_pool_t *pool, const lbs_list_member_t *m)
{
    return lbs_registry_find_member(lbs_runtime()->registry,
                                    lbs_discover_seat_id(pool, m));
}

static int has_seat(const lbs_pool_t *pool, apr_uint32_t slot)
{
    return slot != LBS_REGISTRY_NONE
           && lbs_roster_find(pool->roster, slot) != LBS_ROSTER_NONE;
}

static void add(const job_t *job)
{
    const lbs_pool_t *pool = job->from.pool;
    const lbs_wish_t *wish = job->wish;
    lbs_list_member_t m = {
        .route = "",
        .weight = wish->weight != LBS_WISH_UNSAID ? wish->weight : 100,
        .lbset = wish->lbset};
    lbs_discover_came_t came;
    int was_there;

    if (!read_member(job, &m)) {
        return;
    }
    was_there = has_seat(pool, slot_of(pool, &m));
    lbs_bars_lift(&pool->roster->bars, lbs_discover_seat_id(pool, &m));
    came = lbs_discover_seat_come(&job->from, &m, job->scratch, 1);
    say_came(job, came);
    if (came == LBS_DISCOVER_THERE) {
        job->answer->slot = slot_of(pool, &m);
        weigh(job, &m, !was_there);
    }
}

/* Removing --------------------------------------------------------------- */

/* @return 0: there is no room to bar it, where another source names it */
static int bar(const job_t *job, int seat, apr_uint32_t slot)
{
    const lbs_pool_t *pool = job->from.pool;
    apr_uint32_t others =
        lbs_atomic_load32_relaxed(&pool->roster->seat[seat].named)
        & ~(1u << job->from.source);
    lbs_registry_member_info_t info;

    return others == 0
           || lbs_registry_member_info(lbs_runtime()->registry, slot, &info)
                  != APR_SUCCESS
           || lbs_bars_put(&pool->roster->bars, info.id, job->now);
}

static void leave(const job_t *job, int seat)
{
    const lbs_pool_t *pool = job->from.pool;
    const lbs_wish_t *wish = job->wish;
    lbs_discover_leave_t leave = {.end = job->now
                                         + (wish->deadline >= 0
                                                ? wish->deadline
                                                : pool->set.discover->leave),
                                  .idle = wish->idle == 0  ? 1
                                          : wish->idle > 0 ? wish->idle
                                                           : 0,
                                  .reason = wish->reason};

    lbs_atomic_store32_relaxed(&pool->roster->seat[seat].named, 0);
    lbs_discover_seat_leave(pool, seat, &leave);
    lbs_discover_seat_tick(pool, seat, job->now);
}

static void take_away(const job_t *job)
{
    const lbs_pool_t *pool = job->from.pool;
    int seat = lbs_roster_find(pool->roster, job->wish->member_slot);

    if (seat == LBS_ROSTER_NONE) {
        say(job, 409,
            "the member is configured: take its BalancerMember line out");
        return;
    }
    if (!bar(job, seat, job->wish->member_slot)) {
        say(job, 507,
            "the sources name too many members that operators have removed: "
            "take these out of the sources");
        return;
    }
    job->answer->slot = job->wish->member_slot;
    leave(job, seat);
    say(job, 200, "");
}

/* Registration ----------------------------------------------------------- */

void lbs_discover_wish_lease(const lbs_pool_t *pool, int seat,
                             apr_time_t lease, apr_time_t now)
{
    if (seat != LBS_ROSTER_NONE) {
        lbs_atomic_store64_relaxed(&pool->roster->seat[seat].lease_us,
                                   (apr_uint64_t)lease);
        lbs_atomic_store64_relaxed(&pool->roster->seat[seat].lease_end,
                                   (apr_uint64_t)(now + lease));
    }
}

static void enrol(const job_t *job)
{
    const lbs_pool_t *pool = job->from.pool;
    const lbs_wish_t *wish = job->wish;
    lbs_list_member_t m = {
        .route = "",
        .weight = wish->weight != LBS_WISH_UNSAID ? wish->weight : 100};
    lbs_discover_came_t came;
    int was_there;

    if (!read_member(job, &m)) {
        return;
    }
    was_there = has_seat(pool, slot_of(pool, &m));
    came = lbs_discover_seat_come(&job->from, &m, job->scratch, 1);
    say_came(job, came);
    if (came != LBS_DISCOVER_THERE) {
        return;
    }
    job->answer->slot = slot_of(pool, &m);
    lbs_discover_wish_lease(pool,
                            lbs_roster_find(pool->roster, job->answer->slot),
                            wish->lease, job->now);
    if (!was_there || wish->weight != LBS_WISH_UNSAID) {
        lbs_discover_seat_value(pool, &m);
    }
}

/* The source names the member no more. */
static void part(const lbs_discover_from_t *from, int seat, apr_time_t now)
{
    const lbs_pool_t *pool = from->pool;

    lbs_atomic_store64_relaxed(&pool->roster->seat[seat].lease_us, 0);
    lbs_atomic_store64_relaxed(&pool->roster->seat[seat].lease_end, 0);
    if (lbs_roster_unname(pool->roster, seat, from->source)) {
        lbs_discover_seat_leave(
            pool, seat,
            &(lbs_discover_leave_t){.end = now + pool->set.discover->leave,
                                    .reason = lbs_discover_reason(from)});
    }
}

static void resign(const job_t *job)
{
    const lbs_pool_t *pool = job->from.pool;
    lbs_list_member_t m = {.route = "", .weight = 100};
    apr_uint32_t slot;
    int seat;

    if (!read_member(job, &m)) {
        return;
    }
    slot = slot_of(pool, &m);
    seat = slot != LBS_REGISTRY_NONE ? lbs_roster_find(pool->roster, slot)
                                     : LBS_ROSTER_NONE;
    if (seat == LBS_ROSTER_NONE) {
        say(job, 404, "the member is not registered");
        return;
    }
    job->answer->slot = slot;
    if (lbs_roster_names(pool->roster, seat, job->from.source)) {
        part(&job->from, seat, job->now);
    }
    say(job, 200, "");
}

/* Leases of a pool, and how many were not renewed in time: a member does so
 * before a third is left. */
typedef struct leases_t {
    int count, overdue;
    int ended[LBS_ROSTER_SEATS], ended_count;
} leases_t;

static void look(const lbs_discover_from_t *from, apr_time_t now,
                 leases_t *leases)
{
    lbs_roster_t *roster = from->pool->roster;
    lbs_roster_place_t place;
    int seat;

    for (seat = 0; seat < LBS_ROSTER_SEATS; seat++) {
        apr_time_t lease = (apr_time_t)lbs_atomic_load64_relaxed(
            &roster->seat[seat].lease_us);
        apr_time_t left = (apr_time_t)lbs_atomic_load64_relaxed(
                              &roster->seat[seat].lease_end)
                          - now;

        if (lease == 0 || !lbs_roster_at(roster, seat, &place)
            || !lbs_roster_names(roster, seat, from->source)) {
            continue;
        }
        leases->count++;
        leases->overdue += left < lease / 3;
        if (left <= 0) {
            leases->ended[leases->ended_count++] = seat;
        }
    }
}

void lbs_discover_wish_leases(const lbs_pool_t *pool, apr_time_t now,
                              apr_pool_t *scratch)
{
    job_t job = {.from = {.pool = pool, .reason = "register: its lease ended"},
                 .now = now};
    leases_t leases = {0};
    lbs_roster_said_t said = LBS_ROSTER_GOOD;
    int i;

    if (!find_source(&job, LBS_ROSTER_BY_REGISTER)) {
        return;
    }
    look(&job.from, now, &leases);
    if (leases.ended_count > 0 && 2 * leases.overdue > leases.count) {
        said = LBS_ROSTER_UNRENEWED;
    }
    else if (leases.ended_count > 0
             && pool->configured
                        + (apr_size_t)(leases.count - leases.ended_count)
                    < pool->set.discover->min) {
        said = LBS_ROSTER_TOO_FEW;
    }
    for (i = 0; said == LBS_ROSTER_GOOD && i < leases.ended_count; i++) {
        part(&job.from, leases.ended[i], now);
    }
    if (said
        != (lbs_roster_said_t)lbs_atomic_load32_relaxed(
            &pool->roster->source[job.from.source].said)) {
        lbs_discover_answer_t answer = {.said = said};

        lbs_discover_follow(&job.from, &answer, now, 1, scratch);
    }
}

/* Wishes ----------------------------------------------------------------- */

static const struct {
    void (*act)(const job_t *job);
    lbs_roster_by_t by;
    const char *wanted; /* in LBStickyDiscover */
} acts[LBS_WISH_KINDS] = {
    [LBS_WISH_ADD] = {add, LBS_ROSTER_BY_ADMIN, "admin"},
    [LBS_WISH_REMOVE] = {take_away, LBS_ROSTER_BY_ADMIN, "admin"},
    [LBS_WISH_REGISTER] = {enrol, LBS_ROSTER_BY_REGISTER, "register"},
    [LBS_WISH_LEAVE] = {resign, LBS_ROSTER_BY_REGISTER, "register"},
};

static void act(const lbs_wish_t *wish, apr_time_t now, apr_pool_t *scratch,
                lbs_wish_answer_t *answer)
{
    job_t job = {.wish = wish,
                 .from = {.pool = pool_of(wish), .reason = wish->reason},
                 .now = now,
                 .scratch = scratch,
                 .answer = answer};

    *answer = (lbs_wish_answer_t){.status = 400, .slot = LBS_REGISTRY_NONE};
    if (wish->kind >= LBS_WISH_KINDS || acts[wish->kind].act == NULL) {
        say(&job, 400, "another version of this module asks for it");
    }
    else if (job.from.pool == NULL
             || !find_source(&job, acts[wish->kind].by)) {
        say(&job, 403,
            apr_psprintf(scratch,
                         "the pool takes no members from here: write "
                         "LBStickyDiscover %s into its <Proxy> section",
                         acts[wish->kind].wanted));
    }
    else {
        acts[wish->kind].act(&job);
    }
}

void lbs_discover_wish_tick(apr_time_t now, apr_pool_t *scratch)
{
    lbs_wish_ring_t *ring = lbs_runtime()->notes.wishes;
    lbs_wish_t wish;

    while (done_count < LBS_WISH_PLACES
           && lbs_wish_take(ring, now, &wish, &done[done_count].ticket)) {
        act(&wish, now, scratch, &done[done_count].answer);
        done_count++;
    }
}

void lbs_discover_wish_answer(apr_time_t now)
{
    int i;

    for (i = 0; i < done_count; i++) {
        lbs_wish_answer(lbs_runtime()->notes.wishes, &done[i].ticket,
                        &done[i].answer, now);
    }
    done_count = 0;
}
