/* SPDX-License-Identifier: Apache-2.0 */
/* script.h - events from a seed, the world's clock, and how a script that
 * fails is made short. */
#ifndef LBS_SIM_SCRIPT_H
#define LBS_SIM_SCRIPT_H

#include "t/unit/sim/visit.h"

#define EVENTS 160

typedef enum kind_t {
    VISIT,   /* a: visitor, b: child */
    FAULT,   /* a: member, b: health_t */
    KILL,    /* a: child */
    RELOAD,  /* a: set of members, b: another unit of their clocks */
    OPERATE, /* a: member, b: what */
    PAUSE,   /* a: seconds */
    WALL,    /* a: minutes + 60 that the wall clock jumps */
    FORGET,  /* a: visitor, b: 0 of 4: its token is spoilt, too */
    KINDS
} kind_t;

typedef struct event_t {
    kind_t kind;
    apr_time_t after; /* the event before */
    apr_uint32_t a;
    apr_uint32_t b;
    apr_uint64_t draw; /* what chance says in it */
} event_t;

typedef struct script_t {
    apr_uint64_t seed;
    int count;
    event_t event[EVENTS];
} script_t;

TAP_FUNC void script_make(script_t *s, apr_uint64_t seed)
{
    static const kind_t often[] = {VISIT,  VISIT,   VISIT, VISIT, VISIT, VISIT,
                                   VISIT,  VISIT,   VISIT, FAULT, KILL,  FAULT,
                                   RELOAD, OPERATE, PAUSE, WALL,  FORGET};
    lbs_rand_t rand = {lbs_hash_mix(seed)};
    int i;

    s->seed = seed;
    s->count = EVENTS;
    for (i = 0; i < EVENTS; i++) {
        event_t *e = &s->event[i];

        e->kind = often[lbs_rand_below(&rand, sizeof(often) / sizeof(*often))];
        e->after =
            lbs_rand_below(&rand, 4) == 0
                ? 0
                : lbs_rand_below(&rand, e->kind == VISIT ? 300000 : 900000);
        e->a = lbs_rand_below(&rand, 1u << 16);
        e->b = lbs_rand_below(&rand, 1u << 16);
        e->draw = lbs_rand_next(&rand);
    }
}

TAP_FUNC void script_print(const script_t *s)
{
    static const char *const name[KINDS] = {"visit",  "fault",   "kill",
                                            "reload", "operate", "pause",
                                            "wall",   "forget"};
    int i;

    for (i = 0; i < s->count; i++) {
        const event_t *e = &s->event[i];

        diag("  +%7.3f s  %-8s %u %u", (double)e->after / SECOND,
             name[e->kind], e->a, e->b);
    }
}

/* The clock -------------------------------------------------------------- */

static void bury(world_t *w)
{
    lbs_inflight_t row;
    int i;
#if SIM_BROKEN != 4
    int j;
#endif

    for (i = 0; i < CHILDREN; i++) {
        if (!w->child[i].dead) {
            continue;
        }
        if (lbs_inflight_condemn(w->rows, w->child[i].row.index,
                                 w->child[i].pid, &row)
            != APR_SUCCESS) {
            bail_out("no such child");
        }
#if SIM_BROKEN != 4
        for (j = 0; j < LETTERS; j++) {
            if (w->member[j].slot != LBS_REGISTRY_NONE) {
                lbs_queue_abandon(&record_of(w, w->member[j].slot)->queue,
                                  &row, (apr_uint64_t)w->now);
            }
        }
#endif
#if SIM_BROKEN != 1
        MUST(w, lbs_inflight_reap(w->rows, &row, w->gauges) == APR_SUCCESS,
             "a dead child's row is not freed");
#endif
        w->child[i].pid = ++w->pids;
        w->child[i].dead = 0;
        MUST(w,
             lbs_inflight_claim(w->rows, w->child[i].pid, &w->child[i].row)
                 == APR_SUCCESS,
             "no row for a child");
    }
    for (i = 0; i < LETTERS; i++) {
        const truth_t *m = &w->member[i];

        if (m->slot != LBS_REGISTRY_NONE) {
            MUST(w,
                 lbs_queue_waiting(&record_of(w, m->slot)->queue,
                                   (apr_uint64_t)w->now)
                     <= waiting_at(w, m->slot, APR_UINT64_MAX),
                 "the dead wait for %c", 'a' + i);
        }
        MUST(w,
             m->slot == LBS_REGISTRY_NONE
                 || lbs_gauge_inflight(&w->gauges[m->slot])
                        == (apr_uint32_t)m->flying,
             "%u in flight at %c, %d in truth",
             lbs_gauge_inflight(&w->gauges[m->slot]), 'a' + i, m->flying);
    }
}

static int count_words(void *data, const lbs_table_hit_t *hit)
{
    world_t *w = data;

    w->words[hit->slot]++;
    return 0;
}

static void sweep(world_t *w)
{
    if (w->now < w->swept + SWEEP) {
        return;
    }
    w->swept = w->now;
    memset(w->words, 0, sizeof(w->words));
    (void)lbs_sweep_run(w->sweep, 0, w->now, count_words, w, NULL);
    (void)lbs_reclaim_slots(w->reg, w->now, w->words, w->now);
}

/* As lbs_health_tick(): recount, what the others answer, turns. */
static void weigh(world_t *w)
{
    lbs_window_sum_t all[LBS_WINDOW_CELLS] = {{0, 0}};
    lbs_window_sum_t own[LBS_WINDOW_CELLS];
    apr_uint64_t now = (apr_uint64_t)w->now;
    apr_uint32_t i;
    int c;

    for (i = 0; i < 2 * w->count; i++) {
        apr_uint32_t slot = w->member[w->letter[i % w->count]].slot;
        lbs_eject_on_t on = on_of(w, slot);
        lbs_eject_why_t why = LBS_EJECT_FOR_ERRORS;

        lbs_evidence_parts(&on.record->evidence, eject_conf.window_us, now,
                           own);
        for (c = 0; c < LBS_WINDOW_CELLS; c++) {
            if (i < w->count) {
                all[c].all += own[c].all;
                all[c].bad += own[c].bad;
            }
            own[c].all = all[c].all - own[c].all;
            own[c].bad = all[c].bad - own[c].bad;
        }
        if (i >= w->count) {
            lbs_evidence_others(&on.record->evidence, own);
            turned(w, slot, lbs_eject_judge(&on, now, &why));
        }
    }
}

static void recount(world_t *w)
{
    apr_uint32_t available = 0, out = 0;
    apr_uint32_t i;

    for (i = 0; i < w->count; i++) {
        apr_uint32_t slot = w->member[w->letter[i]].slot;
        const lbs_gauge_t *g = &w->gauges[slot];

        available +=
            (lbs_gauge_flags(g) & LBS_F_CLOSED_NEW & ~LBS_F_EJECTED) == 0
            && lbs_atomic_load32_relaxed(&g->weight) != 0;
        out += lbs_eject_out(&record_of(w, slot)->eject) != 0;
    }
    lbs_eject_recount(&w->pool->eject, w->count, available, out);
}

static void tick_member(world_t *w, truth_t *m)
{
    lbs_clock_t clock = clock_of(w);
    apr_uint64_t now = (apr_uint64_t)w->now;
    lbs_probe_view_t probe = {.kind = LBS_PROBE_HTTP,
                              .asked_at = now - TICK,
                              .began_at = now - TICK,
                              .found_at = now - TICK / 2};
    lbs_stall_news_t news = {.others_heard = now};
    lbs_eject_on_t on = on_of(w, m->slot);
    lbs_eject_why_t why = LBS_EJECT_FOR_STALL;

    probe.found = m->health == REFUSES ? LBS_PROBE_SILENT
                  : m->health == ERRS  ? LBS_PROBE_ERROR
                                       : LBS_PROBE_WELL;
    news.probe = probe;
    if (lbs_admin_tick(w->reg, m->slot, &clock)) {
        MUST(w, m->draining && m->flying == 0,
             "told that %c is drained, and it is not",
             'a' + (int)(m - w->member));
        m->told++;
    }
    turned(w, m->slot, lbs_eject_tick(&on, &news, now, &why));
    (void)lbs_ramp_tick(&record_of(w, m->slot)->ramp, &w->gauges[m->slot],
                        SECOND, now);
}

static void tick(world_t *w)
{
    apr_uint32_t i;

    bury(w);
    recount(w);
    weigh(w);
    for (i = 0; i < w->count; i++) {
        tick_member(w, &w->member[w->letter[i]]);
    }
    (void)lbs_plan_rebuild(w->plan, w->gauges, w->now);
    sweep(w);
}

/* Let time pass: answers come and ticks go by in their order. */
static void pass(world_t *w, apr_time_t until)
{
    while (w->rule == NULL) {
        flying_t *first = NULL;
        int i;

        for (i = 0; i < FLIGHTS; i++) {
            flying_t *f = &w->flying[i];

            if (f->used && (first == NULL || f->ends < first->ends)) {
                first = f;
            }
        }
        if (first != NULL && first->ends <= until
            && first->ends <= w->ticked + TICK) {
            w->now = first->ends;
            land(w, first);
        }
        else if (w->ticked + TICK <= until) {
            w->ticked += TICK;
            w->now = w->ticked;
            tick(w);
        }
        else {
            break;
        }
    }
    w->now = until;
}

/* Events ----------------------------------------------------------------- */

static void kill_child(world_t *w, apr_uint32_t child)
{
    int i;

    if (w->child[child].dead) {
        return;
    }
    w->child[child].dead = 1;
    for (i = 0; i < FLIGHTS; i++) {
        flying_t *f = &w->flying[i];

        if (f->used && f->child == (int)child) {
            f->used = 0;
            w->member[f->letter].flying -= !f->waits;
        }
    }
}

static void operate(world_t *w, truth_t *m, apr_uint32_t what)
{
    static const lbs_admin_change_t change[] = {
        {.action = LBS_ADMIN_ENABLE},
        {.action = LBS_ADMIN_DRAIN},
        {.action = LBS_ADMIN_DRAIN, .deadline = 3 * SECOND},
        {.action = LBS_ADMIN_DRAIN, .deadline = 9 * SECOND, .idle = SECOND},
        {.action = LBS_ADMIN_DISABLE},
        {.action = LBS_ADMIN_SET_WEIGHT, .weight = 300},
        {.action = LBS_ADMIN_SET_WEIGHT, .weight = 0},
        {.action = LBS_ADMIN_RESET}};
    const lbs_admin_change_t *c = &change[what % 8];
    lbs_clock_t now = clock_of(w);
    lbs_eject_on_t on;

    if (!m->configured) {
        return;
    }
    on = on_of(w, m->slot);
    MUST(w, lbs_admin_apply(w->reg, m->slot, c, &now) == NULL,
         "an operator's change is refused");
    if (c->action != LBS_ADMIN_SET_WEIGHT) {
        int drains = c->action == LBS_ADMIN_DRAIN;

        m->told = drains && m->draining ? m->told : 0;
        m->draining = drains;
        m->disabled = c->action == LBS_ADMIN_DISABLE;
        m->deadline = c->deadline != 0 ? w->now + c->deadline : 0;
        m->drain_idle = c->idle;
    }
    if (c->action == LBS_ADMIN_RESET) {
        (void)lbs_eject_lift(&on, (apr_uint64_t)w->now);
    }
    (void)lbs_plan_rebuild(w->plan, w->gauges, w->now);
}

/* The table loses a session, as when another one needs its place. */
static void forget(world_t *w, visitor_t *v, int spoil)
{
    if (lbs_table_forget(w->table, v->key, w->now, NULL) != APR_SUCCESS) {
        return;
    }
    if (spoil && v->has_cookie && v->token[0] != '\0') {
        v->token[LBS_TOKEN_LEN / 2] ^= 1;
        v->owner = -1;
    }
    else if (!v->has_cookie || v->token[0] == '\0') {
        v->owner = -1;
    }
    v->used = v->given;
}

static void happen(world_t *w, const event_t *e)
{
    pass(w, w->now + e->after);
    switch (e->kind) {
    case VISIT:
        visit(w, e->a % VISITORS, e->b % CHILDREN, e->draw);
        break;
    case FAULT:
        w->member[e->a % LETTERS].health = (health_t)(e->b % HEALTHS);
        break;
    case KILL:
        kill_child(w, e->a % CHILDREN);
        break;
    case RELOAD:
        configure(w, 1u << e->b % LETTERS | e->a % (1u << LETTERS),
                  e->b / LETTERS % 2 != 0);
        tick(w); /* lbs_tick_first() */
        break;
    case OPERATE:
        operate(w, &w->member[e->a % LETTERS], e->b);
        break;
    case PAUSE:
        pass(w, w->now + (apr_time_t)(e->a % 12) * SECOND);
        break;
    case WALL:
        w->wall += ((apr_time_t)(e->a % 120) - 60) * 60 * SECOND;
        break;
    case FORGET:
        forget(w, &w->visitor[e->a % VISITORS], e->b % 4 == 0);
        break;
    default:
        break;
    }
}

/* Nobody comes any more, all members are well: everything comes to an end. */
static void rest(world_t *w)
{
    int i;

    for (i = 0; i < LETTERS; i++) {
        w->member[i].health = WELL;
    }
    pass(w, w->now + 2 * IDLE);
    for (i = 0; i < FLIGHTS; i++) {
        MUST(w, !w->flying[i].used, "a request never ends");
    }
    for (i = 0; i < LETTERS; i++) {
        const truth_t *m = &w->member[i];

        if (!m->configured) {
            continue;
        }
        MUST(w, lbs_gauge_inflight(&w->gauges[m->slot]) == 0,
             "in flight at %c for ever", 'a' + i);
        MUST(w,
             lbs_queue_waiting(&record_of(w, m->slot)->queue,
                               (apr_uint64_t)w->now)
                 == 0,
             "one waits for %c for ever", 'a' + i);
        MUST(w, !lbs_eject_out(&record_of(w, m->slot)->eject),
             "the hold of %c never ends", 'a' + i);
        MUST(w, !m->draining || m->told != 0, "the drain of %c never ends",
             'a' + i);
        MUST(w, lbs_table_sessions(lbs_registry_slots(w->reg), m->slot) == 0,
             "sessions of %c never end", 'a' + i);
    }
}

/* Running ---------------------------------------------------------------- */

static void map_block(world_t *w)
{
    if (lbs_registry_bytes(ROWS, &w->bytes) != APR_SUCCESS) {
        bail_out("no size");
    }
    w->block = mmap(NULL, w->bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (w->block == MAP_FAILED) {
        bail_out("no memory");
    }
}

static void begin(world_t *w, apr_pool_t *memory, apr_uint64_t seed)
{
    static const lbs_registry_seed_t start = {
        {START, START}, {"key"}, "secret"};
    apr_size_t len = lbs_table_bytes(SESSIONS);
    char *block = apr_pcalloc(memory, len + LBS_TABLE_ALIGN);
    int i;

    memset(w, 0, sizeof(*w));
    w->memory = memory;
    lbs_secret_random(&w->secret, "a secret of sixteen", 19);
    w->now = w->ticked = w->swept = START;
    w->method = (lbs_pick_method_t)(seed % 16 < 3 ? seed % 3
                                    : seed % 16 < 14
                                        ? LBS_PICK_LEAST_LOAD
                                        : LBS_PICK_ROUND_ROBIN + seed % 2);
    block += LBS_TABLE_ALIGN - (apr_uintptr_t)block % LBS_TABLE_ALIGN;
    map_block(w);
    if (lbs_registry_format(w->block, w->bytes, ROWS, &start) != APR_SUCCESS
        || lbs_registry_open(&w->reg, w->block, w->bytes, ROWS, memory)
               != APR_SUCCESS
        || lbs_table_format(block, len, SESSIONS) != APR_SUCCESS
        || lbs_table_open(&w->table, block, len, lbs_registry_slots(w->reg),
                          memory)
               != APR_SUCCESS) {
        bail_out("no world");
    }
    w->gauges = lbs_registry_gauges(w->reg);
    w->rows = lbs_registry_rows(w->reg);
    lbs_sweep_create(&w->sweep, w->table, memory);
    for (i = 0; i < LETTERS; i++) {
        w->member[i].slot = LBS_REGISTRY_NONE;
    }
    for (i = 0; i < VISITORS; i++) {
        w->visitor[i] =
            (visitor_t){.key = lbs_hash_mix(seed + (apr_uint64_t)i),
                        .owner = -1,
                        .has_cookie = i % 2};
    }
    for (i = 0; i < CHILDREN; i++) {
        w->child[i].pid = ++w->pids;
        (void)lbs_inflight_claim(w->rows, w->child[i].pid, &w->child[i].row);
    }
    configure(w, 0xf, 0);
    recount(w);
}

/* @return 1: all that must be true was */
TAP_FUNC int script_run(const script_t *s, world_t *w, apr_pool_t *memory)
{
    int i;

    apr_pool_clear(memory);
    begin(w, memory, s->seed);
    for (i = 0; i < s->count && w->rule == NULL; i++) {
        happen(w, &s->event[i]);
    }
    rest(w);
    munmap(w->block, w->bytes);
    return w->rule == NULL;
}

static apr_time_t times(const event_t *e, int n)
{
    apr_time_t sum = 0;

    for (; n > 0; n--, e++) {
        sum += e->after
               + (e->kind == PAUSE ? (apr_time_t)(e->a % 12) * SECOND : 0);
    }
    return sum;
}

/* Drop events as long as it fails in the same way without them: many at first,
 * then one by one, until none can be spared. */
TAP_FUNC void script_minimise(script_t *s, world_t *w, apr_pool_t *memory)
{
    const char *rule = w->rule;
    int chunk = s->count / 2;

    while (chunk > 0) {
        script_t less = *s;
        int at = 0;
        int dropped = 0;

        while (at < s->count) {
            int n = at + chunk < s->count ? chunk : s->count - at;

            less = *s;
            if (at + n < s->count) { /* the others happen when they did */
                less.event[at + n].after += times(&s->event[at], n);
            }
            memmove(&less.event[at], &less.event[at + n],
                    (size_t)(s->count - at - n) * sizeof(event_t));
            less.count -= n;
            if (script_run(&less, w, memory) || w->rule != rule) {
                at += n;
            }
            else {
                *s = less;
                dropped = 1;
            }
        }
        chunk = chunk > 1 ? chunk / 2 : dropped;
    }
    (void)script_run(s, w, memory);
}

#endif
