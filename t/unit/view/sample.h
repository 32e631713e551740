/* SPDX-License-Identifier: Apache-2.0 */
/* sample.h - made-up views for the tests of what is shown.
 *
 * Everything is a function of the arguments: two calls give equal views.
 */
#ifndef LBS_SAMPLE_H
#define LBS_SAMPLE_H

#include <apr_general.h>
#include <apr_strings.h>

#include "src/base/lbs_rand.h"
#include "src/view/lbs_form.h"
#include "src/view/lbs_out.h"
#include "src/view/lbs_view.h"
#include "t/unit/tap.h"

#define SAMPLE_NOW 1700000000 /* 2023-11-14 22:13:20 UTC */
#define SAMPLE_NASTY "\"><script>alert(1)</script>\n\\&'\xc3\xa9\xff"

/* A document, collected. */
typedef struct sample_text_t {
    apr_pool_t *pool;
    char *text;
    apr_size_t len, room;
} sample_text_t;

TAP_FUNC apr_status_t sample_sink(void *ctx, const char *data, apr_size_t len)
{
    sample_text_t *to = ctx;

    if (to->len + len + 1 > to->room) {
        apr_size_t room = 2 * (to->len + len + 1);
        char *text = apr_palloc(to->pool, room);

        if (to->len > 0) {
            memcpy(text, to->text, to->len);
        }
        to->text = text;
        to->room = room;
    }
    memcpy(to->text + to->len, data, len);
    to->len += len;
    to->text[to->len] = '\0';
    return APR_SUCCESS;
}

/* A document that collects into *to. */
TAP_FUNC lbs_out_t *sample_out(apr_pool_t *pool, lbs_out_escape_t escape,
                               sample_text_t *to)
{
    to->pool = pool;
    to->text = apr_pstrdup(pool, "");
    to->len = 0;
    to->room = 1;
    return lbs_out_open(pool, escape, sample_sink, to);
}

TAP_FUNC apr_pool_t *sample_memory(void)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS
        || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        bail_out("no memory");
    }
    return pool;
}

TAP_FUNC int sample_occurs(const char *text, const char *part)
{
    int count = 0;

    while ((text = strstr(text, part)) != NULL) {
        count++;
        text++;
    }
    return count;
}

TAP_FUNC lbs_view_plot_t sample_plot(apr_pool_t *pool, apr_uint64_t seed,
                                     apr_uint32_t step, apr_uint32_t count,
                                     apr_uint32_t load)
{
    lbs_view_point_t *points = apr_palloc(pool, count * sizeof(*points));
    lbs_view_plot_t plot = {SAMPLE_NOW, step, count, points};
    lbs_rand_t rand = {seed};
    apr_uint32_t i;
    float level = 1;

    for (i = 0; i < count; i++) {
        level += ((float)lbs_rand_unit(&rand) - 0.5f) * 0.3f;
        level = level < 0.2f ? 0.2f : level > 2 ? 2 : level;
        points[i].known = 1;
        points[i].requests = (apr_uint64_t)(level * (float)(load * step));
        points[i].errors = lbs_rand_below(&rand, 40) == 0 ? 1 : 0;
        points[i].p50_ms = 12 * (double)level;
        points[i].p99_ms = points[i].p50_ms + 60 * lbs_rand_unit(&rand);
    }
    return plot;
}

TAP_FUNC void sample_numbers(apr_pool_t *pool, lbs_view_member_t *m,
                             apr_uint64_t seed)
{
    static const double upper[] = {0.001, 0.01, 0.1, 1};
    static const apr_uint64_t counts[] = {10, 200, 30, 4, 5};
    lbs_rand_t rand = {seed};
    apr_uint32_t i;

    m->weight = m->effective_weight = 1;
    m->sessions = 100 + lbs_rand_below(&rand, 300);
    m->inflight = lbs_rand_below(&rand, 9);
    m->requests = 100000 + lbs_rand_below(&rand, 100000);
    m->responses[1] = m->requests - 300;
    m->responses[2] = 200;
    m->responses[3] = 100;
    for (i = 0; i < LBS_FAILS; i++) {
        m->failures[i] = lbs_rand_below(&rand, 3);
    }
    m->bytes_in = m->requests * 700;
    m->bytes_out = m->requests * 23000;
    m->ewma_ms = 9.5;
    m->p50_ms = 8.1;
    m->p90_ms = 19;
    m->p99_ms = 87.5;
    m->durations = (lbs_view_histogram_t){5, upper, counts, 12.5};
    m->check = (lbs_view_check_t){1, 1, 1, "HTTP 200", SAMPLE_NOW - 2};
    m->since = SAMPLE_NOW - 4000;
    m->downtime_s = 192.5;
    m->turns = 2;
    m->lately = (lbs_lately_sum_t){400, 6, 2};
    m->plot[LBS_VIEW_RECENT] = sample_plot(pool, seed, 5, 60, 20);
    m->plot[LBS_VIEW_DAY] = sample_plot(pool, seed + 1, 300, 288, 20);
}

/* States that a page must be able to show, on the members from the second
 * one; the rest is up. */
TAP_FUNC void sample_state(lbs_view_member_t *m, apr_uint32_t number)
{
    static const char *const override[] = {"weight", "drain"};

    m->state = LBS_STATE_UP;
    if (number == 1) {
        m->state = LBS_STATE_DRAIN;
        m->drain_since = SAMPLE_NOW - 300;
        m->drain_deadline = SAMPLE_NOW + 250;
        m->drain_left = m->sessions;
        m->override = override;
        m->overrides = 2;
    }
    if (number == 2) {
        m->state = LBS_STATE_DOWN;
        m->check = (lbs_view_check_t){1, 0, 1, "HTTP 400, want 200-399",
                                      SAMPLE_NOW - 1};
    }
    if (number == 3) {
        m->state = LBS_STATE_EJECTED;
        m->eject_until = SAMPLE_NOW + 12;
        m->eject_count = 2;
    }
    if (number == 4) {
        m->state = LBS_STATE_WARMING;
        m->effective_weight = 0.3;
    }
    if (number >= 5 && number < 10) {
        static const lbs_state_t states[] = {
            LBS_STATE_STANDBY, LBS_STATE_SPARE, LBS_STATE_FULL,
            LBS_STATE_DISABLED, LBS_STATE_STOPPED};

        m->state = states[number - 5];
    }
}

TAP_FUNC void sample_members(apr_pool_t *pool, lbs_view_pool_t *of,
                             apr_uint32_t count, int troubles)
{
    lbs_view_member_t *members = apr_pcalloc(pool, count * sizeof(*members));
    apr_uint32_t i;

    for (i = 0; i < count; i++) {
        lbs_view_member_t *m = &members[i];

        m->id = apr_psprintf(pool, "%016x", i + 0xabc);
        m->name =
            apr_psprintf(pool, "http://10.0.%u.%u:8000", i / 250, i % 250 + 1);
        m->route = apr_psprintf(pool, "web%u", i + 1);
        sample_numbers(pool, m, i);
        sample_state(m, troubles ? i : 0);
    }
    of->members = members;
    of->members_count = count;
}

TAP_FUNC void sample_pool(apr_pool_t *pool, lbs_view_pool_t *p,
                          const char *name, apr_uint32_t count, int troubles)
{
    static const char *const sources[] = {"cookie", "session=sessionid"};
    static const lbs_view_reader_t readers[] = {
        {"haproxy:SRV", 1200, 1699999000}, {"bigip:BIGipServerapp", 0, 0}};

    memset(p, 0, sizeof(*p));
    p->name = name;
    p->vhost = "www.example.com:80";
    p->sources = sources;
    p->readers = readers;
    p->readers_count = 2;
    p->sources_count = 2;
    p->method = "least-load";
    p->requests = 184467;
    p->inflight = 14;
    p->sessions = 3120;
    p->retries = 17;
    p->busy_key_percent = -1;
    p->failover = 1;
    p->decisions[LBS_DECISION_KEPT][LBS_REASON_NONE] = 181000;
    p->decisions[LBS_DECISION_NEW][LBS_REASON_FIRST] = 3000;
    p->decisions[LBS_DECISION_NEW][LBS_REASON_EXPIRED] = 120;
    p->decisions[LBS_DECISION_NEW][LBS_REASON_FORGED] = 1;
    p->decisions[LBS_DECISION_MOVED][LBS_REASON_DOWN] = 340;
    p->decisions[LBS_DECISION_REFUSED][LBS_REASON_FULL] = 6;
    p->plot[LBS_VIEW_RECENT] = sample_plot(pool, 7, 5, 60, 20 * count);
    p->plot[LBS_VIEW_DAY] = sample_plot(pool, 8, 300, 288, 20 * count);
    sample_members(pool, p, count, troubles);
}

/* One pool `app` with that many members. */
TAP_FUNC lbs_view_t *sample_view(apr_pool_t *pool, apr_uint32_t count,
                                 int troubles)
{
    lbs_view_t *view = apr_pcalloc(pool, sizeof(*view));
    lbs_view_pool_t *pools = apr_pcalloc(pool, 2 * sizeof(*pools));
    static const lbs_view_event_t events[] = {
        {SAMPLE_NOW - 10, "app", "www.example.com:80", "web3",
         "0000000000000abe", "down", "HTTP 400, want 200-399"},
        {SAMPLE_NOW - 300, "app", "www.example.com:80", "web2",
         "0000000000000abd", "drain", "deadline in 9 min"},
        {SAMPLE_NOW - 90000, "", "", "", "", "state-file", "read"},
    };

    sample_pool(pool, &pools[0], "app", count, troubles);
    view->version = "1.0";
    view->server = "www1";
    view->started = SAMPLE_NOW - 100000;
    view->now = SAMPLE_NOW;
    view->generation = 3;
    view->table.capacity = 250000;
    view->table.entries = 3120;
    view->table.bytes = 3407872;
    view->table.expired = 777;
    view->table.persist = "/run/apache2/lbsticky.state";
    view->table.age_s = 4;
    view->pools = pools;
    view->pools_count = 1;
    view->events = events;
    view->events_count = 3;
    return view;
}

/* A pool whose names are as bad as names can be, before all others. */
TAP_FUNC lbs_view_t *sample_nasty_view(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 2, 0);
    lbs_view_pool_t *p = apr_pcalloc(pool, sizeof(*p));
    lbs_view_event_t *event = apr_pcalloc(pool, sizeof(*event));
    lbs_view_member_t *members = apr_pcalloc(pool, 2 * sizeof(*members));
    char *name = apr_palloc(pool, 256);

    memset(name, 'x', 255);
    name[255] = '\0';
    memcpy(name, SAMPLE_NASTY, sizeof(SAMPLE_NASTY) - 1);
    *p = view->pools[0];
    members[0] = p->members[0];
    members[1] = p->members[1];
    members[0].route = name;
    members[0].name = apr_pstrcat(pool, "http://h/", name, NULL);
    members[0].check.last = SAMPLE_NASTY;
    members[0].state = LBS_STATE_DOWN;
    p->name = p->vhost = name;
    p->members = members;
    *event = view->events[0];
    event->pool = event->vhost = event->member = event->reason = name;
    view->pools = p;
    view->events = event;
    view->events_count = 1;
    view->table.persist = view->server = name;
    return view;
}

#endif
