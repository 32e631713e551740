/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a whole balancer of the pure rooms, in virtual time, from a
 * script.
 *
 * Visitors, members that fail, children that are killed, reloads, an operator
 * and a wall clock that jumps: each is an event of a script, and a script is
 * made from a seed alone. The rooms decide; beside them the world keeps what
 * is true in plain words (who serves whom, until when, who is drained) and
 * compares at every step. Nothing is drawn while a script runs but by a
 * generator that the script's seed began, so a script that fails fails again,
 * and events may be dropped from it.
 *
 * The order in which a request asks the rooms is that of src/httpd: find the
 * session, may its member serve it, else pick; enter; verdict; leave; bind.
 */
#ifndef LBS_SIM_WORLD_H
#define LBS_SIM_WORLD_H

#include <sys/mman.h>

#include <apr_general.h>

#include "src/affinity/lbs_token.h"
#include "src/base/lbs_hash.h"
#include "src/base/lbs_rand.h"
#include "src/member/lbs_budget.h"
#include "src/member/lbs_ewma.h"
#include "src/pick/lbs_pick.h"
#include "src/state/lbs_admin.h"
#include "src/state/lbs_decision.h"
#include "src/state/lbs_reclaim.h"
#include "src/table/lbs_sweep.h"
#include "t/unit/tap.h"

/* 1: a child that died is buried, but what it had in flight is not taken back.
 * 2: one request of some is sent anywhere. 3: a token's date is not looked at.
 * 4: who waits in a queue is not taken out of it when its child dies. Here
 * only, to see that the world notices. */
#ifndef SIM_BROKEN
#define SIM_BROKEN 0
#endif

#define SECOND APR_INT64_C(1000000)
#define START (1000 * SECOND)
#define IDLE (20 * SECOND)
#define UNIT_SLACK (IDLE / 50) /* how much later a session may end */
#define TOKEN_SLACK SECOND /* the same of a token: its date is in seconds */
#define EPOCH 1700000000
#define TICK (SECOND / 5)
#define SWEEP (IDLE / 2)
#define LETTERS 6 /* members a configuration may have */
#define VISITORS 12
#define CHILDREN 3
#define ROWS (SIM_BROKEN == 1 ? 200 : 2 * CHILDREN + 1)
#define FLIGHTS 64
#define TRIES 3
#define LIMIT 5
#define PLACES 3 /* in a member's queue */
#define WAIT (2 * SECOND)
#define NAP (SECOND / 20) /* of who waits */
#define BUDGET 20         /* percent */
#define CAP 50            /* percent */
#define SESSIONS 1000
#define SECONDS 2000 /* a script's longest */

static const lbs_eject_conf_t eject_conf = {
    .failures = 3,
    .cap_percent = CAP,
    .window_us = 10 * SECOND,
    .hold_min_us = 2 * SECOND,
    .hold_max_us = 8 * SECOND,
    .errors = 1,
};

typedef enum health_t { WELL, SLOW, REFUSES, ERRS, HEALTHS } health_t;

/* What is true of a member, whatever its slot. */
typedef struct truth_t {
    int configured;
    apr_uint32_t slot; /* LBS_REGISTRY_NONE: never had one */
    apr_uint32_t index;
    health_t health;
    int disabled;
    int draining;
    apr_time_t deadline; /* of the drain; 0: none */
    apr_time_t drain_idle;
    int told;   /* that it is drained */
    int flying; /* attempts of living children */
} truth_t;

typedef struct visitor_t {
    apr_uint64_t key;
    int owner;        /* letter; -1: no session */
    apr_time_t used;  /* when the session was bound or used last */
    int has_cookie;   /* shows the token that it was given last */
    apr_time_t given; /* when that was */
    char token[LBS_TOKEN_LEN + 1];
} visitor_t;

typedef struct decided_t {
    lbs_decision_t decision;
    lbs_reason_t reason;
    apr_uint32_t index; /* of the plan; LBS_REGISTRY_NONE: none */
    int by_token;       /* the table does not know the session */
} decided_t;

typedef struct flying_t {
    int used;
    int child;
    int visitor;
    int letter;
    apr_uint32_t slot;
    apr_time_t began;
    apr_time_t ends;
    lbs_flight_t flight;
    int waits;  /* in the member's queue, with its ticket */
    int waited; /* once is enough */
    apr_uint64_t ticket;
    apr_time_t gives_up;
    lbs_rand_t rand; /* its own: others may be left out of the script */
    apr_uint16_t tried[TRIES + 1];
    unsigned ntried;
} flying_t;

typedef struct world_t {
    apr_pool_t *memory;
    void *block;
    apr_size_t bytes;
    lbs_registry_t *reg;
    lbs_table_t *table;
    lbs_sweep_t *sweep;
    apr_time_t sweep_began;
    apr_time_t swept;
    apr_uint32_t words[LBS_REGISTRY_MEMBERS];
    lbs_plan_t *plan;
    lbs_pick_method_t method;
    lbs_pool_record_t *pool;
    lbs_secret_t secret;
    lbs_gauge_t *gauges;
    const lbs_rows_t *rows;
    apr_time_t now;
    apr_time_t ticked;
    apr_time_t wall; /* ahead of now */
    apr_uint64_t quantum;
    truth_t member[LETTERS];
    apr_uint32_t count;  /* configured */
    int letter[LETTERS]; /* by index */
    visitor_t visitor[VISITORS];
    flying_t flying[FLIGHTS];
    struct {
        apr_uint32_t pid;
        lbs_inflight_t row;
        int dead;
    } child[CHILDREN];
    apr_uint32_t pids;
    apr_uint32_t requests[SECONDS];
    apr_uint32_t repeats[SECONDS];
    long decisions[LBS_DECISIONS];
    long moves[LBS_REASONS];
    long queued;
    long by_token;    /* sessions kept that the table did not know */
    const char *rule; /* that was broken; NULL: none */
    char failed[160];
} world_t;

/* The first thing that was not so. */
TAP_FUNC TAP_PRINTF(2, 3) void world_fail(world_t *w, const char *fmt, ...)
{
    va_list args;

    if (w->rule == NULL) {
        w->rule = fmt;
        va_start(args, fmt);
        vsnprintf(w->failed, sizeof(w->failed), fmt, args);
        va_end(args);
    }
}

#define MUST(w, what, ...)                                                    \
    do {                                                                      \
        if (!(what)) {                                                        \
            world_fail(w, __VA_ARGS__);                                       \
        }                                                                     \
    } while (0)

TAP_FUNC lbs_clock_t clock_of(const world_t *w)
{
    lbs_clock_t now = {w->now, 1700000000000000 + w->now + w->wall};

    return now;
}

TAP_FUNC lbs_member_record_t *record_of(const world_t *w, apr_uint32_t slot)
{
    return lbs_registry_member_record(w->reg, slot);
}

TAP_FUNC lbs_eject_on_t on_of(const world_t *w, apr_uint32_t slot)
{
    lbs_eject_on_t on = {&record_of(w, slot)->eject, &w->gauges[slot],
                         &w->pool->eject, &eject_conf};

    return on;
}

TAP_FUNC int letter_of(const world_t *w, apr_uint32_t slot)
{
    int i;

    for (i = 0; i < LETTERS; i++) {
        if (w->member[i].slot == slot) {
            return i;
        }
    }
    return -1;
}

/* Tokens of our own cookie ----------------------------------------------- */

#define TOKEN_POOL 7u

static apr_uint64_t token_member(int letter)
{
    char route[2] = {(char)('a' + letter), '\0'};

    return lbs_token_member_id("app", route);
}

static apr_uint32_t token_time(apr_time_t at)
{
    return (apr_uint32_t)(EPOCH + at / SECOND);
}

/* The visitor is given a token of its member. */
TAP_FUNC void give_token(const world_t *w, visitor_t *v, int letter)
{
    lbs_token_t token = {token_time(w->now), token_time(w->now), v->key,
                         token_member(letter)};

    lbs_token_sign(v->token, &token, &w->secret, TOKEN_POOL);
    v->given = w->now;
}

/* Whom the visitor's token names. expires: out, where it names a member
 * @return the letter; -1: there is no such token, or it does not count */
static int read_token(const world_t *w, const visitor_t *v,
                      apr_time_t *expires)
{
    lbs_token_t token;
    int i;

    if (!v->has_cookie
        || lbs_token_verify(&token, v->token, strlen(v->token), &w->secret,
                            TOKEN_POOL)
               != APR_SUCCESS
        || token.sid != v->key) {
        return -1;
    }
#if SIM_BROKEN != 3
    if (token_time(w->now) - token.issued > IDLE / SECOND) {
        return -1;
    }
#endif
    *expires = (apr_time_t)(token.issued - EPOCH) * SECOND + IDLE;
    for (i = 0; i < LETTERS && token_member(i) != token.member; i++) {
    }
    return i < LETTERS ? i : -1;
}

/* Configuration ---------------------------------------------------------- */

TAP_FUNC void make_plan(world_t *w)
{
    lbs_plan_member_t member[LETTERS];
    apr_uint32_t with = lbs_pick_method_needs(w->method);
    apr_size_t bytes = lbs_plan_bytes(w->count, with);
    char *block = apr_pcalloc(w->memory, bytes + 64);
    apr_uint32_t i;

    block += 64 - (apr_uintptr_t)block % 64;
    for (i = 0; i < w->count; i++) {
        const truth_t *m = &w->member[w->letter[i]];

        member[i] = (lbs_plan_member_t){
            .identity = lbs_hash_mix((apr_uint64_t)w->letter[i] + 7),
            .slot = m->slot,
            .weight = 100};
    }
    if (lbs_plan_format(&w->plan, block, bytes, member, w->count, with,
                        w->memory)
        != APR_SUCCESS) {
        bail_out("no plan");
    }
    (void)lbs_plan_rebuild(w->plan, w->gauges, w->now);
}

/* A member that comes back keeps its slot and an operator's change, unless
 * its slot was freed meanwhile. */
static void name_member(world_t *w, apr_uint32_t pool, int letter)
{
    truth_t *m = &w->member[letter];
    char route[2] = {(char)('a' + letter), '\0'};
    const lbs_admin_values_t file = {0, 100};
    lbs_clock_t now = clock_of(w);
    apr_uint32_t slot = LBS_REGISTRY_NONE;
    int other = -1;

    if (lbs_registry_member(w->reg, pool, route, "http://m", &slot, NULL)
        != APR_SUCCESS) {
        bail_out("no slot");
    }
    other = letter_of(w, slot);
    if (other >= 0 && other != letter) {
        MUST(w, w->member[other].flying == 0,
             "slot of %c given to %c while requests are there", 'a' + other,
             'a' + letter);
        w->member[other].slot = LBS_REGISTRY_NONE;
    }
    if (m->slot != slot) {
        *m = (truth_t){.slot = slot, .health = m->health};
    }
    if (lbs_table_unit(lbs_registry_slots(w->reg), slot) == 0) {
        lbs_registry_slots(w->reg)->quantum_us[slot] = w->quantum;
    }
    lbs_admin_reconcile(w->reg, slot, &file, &now);
    if ((lbs_admin_overrides(w->reg, slot) & 1u << LBS_ADMIN_STATE) == 0) {
        m->draining = m->disabled = 0; /* its slot was freed meanwhile */
    }
    lbs_atomic_store32_relaxed(&w->gauges[slot].limit, LIMIT);
    m->configured = 1;
    m->index = w->count;
    w->letter[w->count++] = letter;
}

/* @param set  a bit for each letter, at least one */
TAP_FUNC void configure(world_t *w, apr_uint32_t set, int unit)
{
    lbs_clock_t now = clock_of(w);
    apr_uint32_t pool = LBS_REGISTRY_NONE;
    int i;

    lbs_registry_begin(w->reg);
    if (lbs_registry_pool(w->reg, "www", "app", &pool, NULL) != APR_SUCCESS) {
        bail_out("no pool");
    }
    w->pool = lbs_registry_pool_record(w->reg, pool);
    w->count = 0;
    w->quantum = lbs_table_quantum(unit ? IDLE / 8 : IDLE, IDLE);
    for (i = 0; i < LETTERS; i++) {
        w->member[i].configured = 0;
    }
    for (i = 0; i < LETTERS; i++) {
        if ((set >> i & 1) != 0) {
            name_member(w, pool, i);
            (void)lbs_sweep_requantise(w->table, w->member[i].slot, w->quantum,
                                       w->now);
        }
    }
    lbs_registry_commit(w->reg, &now);
    make_plan(w);
}

/* Decisions -------------------------------------------------------------- */

/* As lbs_place_why_not() of src/httpd/decide. */
static lbs_reason_t why_not(const world_t *w, apr_uint32_t slot,
                            const lbs_table_hit_t *hit)
{
    static const struct {
        apr_uint32_t flags;
        lbs_reason_t reason;
    } row[] = {{LBS_F_REMOVED, LBS_REASON_REMOVED},
               {LBS_F_STOPPED | LBS_F_DISABLED, LBS_REASON_DISABLED},
               {LBS_F_DRAINED, LBS_REASON_DRAINED},
               {LBS_F_DOWN, LBS_REASON_DOWN},
               {LBS_F_EJECTED, LBS_REASON_EJECTED}};
    apr_uint32_t flags = lbs_gauge_flags(&w->gauges[slot]);
    lbs_admin_drain_t drain;
    size_t i;

    for (i = 0; i < sizeof(row) / sizeof(*row); i++) {
        if ((flags & row[i].flags) != 0) {
            return row[i].reason;
        }
    }
    lbs_admin_drain(w->reg, slot, &drain);
    return (flags & LBS_F_DRAIN) != 0 && drain.idle != 0
                   && IDLE - (hit->expires_us - w->now) > drain.idle
               ? LBS_REASON_DRAINED
               : LBS_REASON_NONE;
}

static void pick(world_t *w, apr_uint64_t key, const flying_t *f, int dry,
                 lbs_rand_t *rand, decided_t *d)
{
    lbs_pick_pool_t pool = {w->method, w->plan, w->gauges};
    lbs_pick_ask_t ask = {.hash = key,
                          .rand = rand,
                          .now = w->now,
                          .tried = f->tried,
                          .ntried = f->ntried,
                          .traceless = dry};
    apr_status_t rv = lbs_pick_member(&pool, &ask, &d->index);

    if (rv != APR_SUCCESS) {
        d->index = LBS_REGISTRY_NONE;
        d->decision = LBS_DECISION_REFUSED;
        d->reason = rv == APR_EBUSY ? LBS_REASON_FULL : LBS_REASON_DOWN;
    }
}

static int was_tried(const flying_t *f, apr_uint32_t index)
{
    unsigned i;

    for (i = 0; i < f->ntried; i++) {
        if (f->tried[i] == index) {
            return 1;
        }
    }
    return 0;
}

/* dry: leave no trace, as explain does. */
static decided_t decide(world_t *w, const visitor_t *v, const flying_t *f,
                        int dry, lbs_rand_t *rand)
{
    decided_t d = {LBS_DECISION_NEW, LBS_REASON_UNKNOWN, LBS_REGISTRY_NONE, 0};
    lbs_table_hit_t hit;
    apr_status_t rv = lbs_table_find(w->table, v->key, w->now, &hit);

    int letter = -1;

    if (rv == APR_SUCCESS) {
        letter = letter_of(w, hit.slot);
    }
    else if (rv == APR_NOTFOUND) {
        letter = read_token(w, v, &hit.expires_us);
        d.by_token = letter >= 0;
        hit.slot = letter >= 0 ? w->member[letter].slot : LBS_REGISTRY_NONE;
    }
    if (letter >= 0) {
        lbs_reason_t why = d.by_token && !w->member[letter].configured
                               ? LBS_REASON_REMOVED
                               : why_not(w, hit.slot, &hit);

        if (why == LBS_REASON_NONE && was_tried(f, w->member[letter].index)) {
            why = LBS_REASON_FULL;
        }
        d.decision =
            why == LBS_REASON_NONE ? LBS_DECISION_KEPT : LBS_DECISION_MOVED;
        d.reason = why;
        if (why == LBS_REASON_NONE) {
            d.index = w->member[letter].index;
            if (!dry && !d.by_token) {
                (void)lbs_table_renew(w->table, v->key, w->now, IDLE, &hit);
            }
            return d;
        }
    }
    else if (rv == APR_TIMEUP) {
        d.reason = LBS_REASON_EXPIRED;
    }
    pick(w, v->key, f, dry, rand, &d);
    return d;
}

#endif
