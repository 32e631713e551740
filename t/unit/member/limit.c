/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of a simulated member: so many workers with one queue, service
 * times of several distributions, visitors that come at random. What finds the
 * limit reached goes elsewhere. */
#include "src/member/lbs_limit.h"

#include <math.h>
#include <string.h>

#include "src/base/lbs_rand.h"
#include "t/unit/tap.h"

#define ROOM 512 /* visitors, who go away when there are more */
#define MS 1000

typedef enum shape_t { FIXED, EXPONENTIAL, CLASSES } shape_t;

typedef struct member_t {
    lbs_limit_t limit;
    lbs_rand_t rand;
    shape_t shape;
    int workers;
    double service_ms;
    double load; /* requests per millisecond */
    apr_uint32_t most;
    apr_uint32_t inflight;
    apr_uint64_t now, answers, sum_us;
    double left[ROOM]; /* work of each request, ms; in order of arrival */
    apr_uint64_t came[ROOM];
    double waited_us; /* of those counted */
    long counted, elsewhere;
    double limits; /* summed up, for the mean */
    long ticks, unlimited;
} member_t;

static void open_member(member_t *m, int workers, double service_ms,
                        shape_t shape, apr_uint64_t seed)
{
    memset(m, 0, sizeof(*m));
    m->workers = workers;
    m->service_ms = service_ms;
    m->shape = shape;
    m->rand.state = seed;
    m->now = 5000000;
}

static double work_of(member_t *m)
{
    double unit = lbs_rand_unit(&m->rand);

    switch (m->shape) {
    case EXPONENTIAL:
        return -m->service_ms * log(1 - unit);
    case CLASSES: /* nine quick pages, and one that takes ten times as long */
        return lbs_rand_below(&m->rand, 10) == 0 ? m->service_ms * 5.26
                                                 : m->service_ms * 0.526;
    default:
        return m->service_ms * (0.9 + 0.2 * unit);
    }
}

static void arrive(member_t *m)
{
    if ((m->most != 0 && m->inflight >= m->most) || m->inflight == ROOM) {
        m->elsewhere++;
        return;
    }
    m->left[m->inflight] = work_of(m);
    m->came[m->inflight++] = m->now;
}

static void work(member_t *m)
{
    apr_uint32_t i, kept = 0, busy = m->inflight;

    if (busy > (apr_uint32_t)m->workers) {
        busy = (apr_uint32_t)m->workers;
    }
    for (i = 0; i < m->inflight; i++) {
        if (i < busy) {
            m->left[i] -= 1;
        }
        if (i < busy && m->left[i] <= 0) {
            m->answers++;
            m->counted++;
            m->sum_us += m->now + MS - m->came[i];
            m->waited_us += (double)(m->now + MS - m->came[i]);
            continue;
        }
        m->left[kept] = m->left[i];
        m->came[kept++] = m->came[i];
    }
    m->inflight = kept;
}

static void run(member_t *m, int seconds)
{
    long ms;

    m->waited_us = m->limits = 0;
    m->counted = m->elsewhere = m->ticks = m->unlimited = 0;
    for (ms = 0; ms < seconds * 1000L; ms++) {
        double due = m->load;

        for (; due > 0; due -= 1) {
            if (lbs_rand_unit(&m->rand) < due) {
                arrive(m);
            }
        }
        work(m);
        m->now += MS;
        if (ms % 100 == 99) {
            lbs_limit_news_t news = {m->answers, m->sum_us, m->inflight};

            m->most = lbs_limit_tick(&m->limit, &news, m->now);
            m->ticks++;
            m->unlimited += m->most == 0;
            m->limits += m->most;
        }
    }
}

static double mean_limit(const member_t *m)
{
    return m->limits / (double)m->ticks;
}

/* @param part  of what all workers can do */
static void load(member_t *m, double part)
{
    m->load = part * m->workers / m->service_ms;
}

static void settles(int workers, double service_ms, shape_t shape,
                    const char *what)
{
    member_t *m = malloc(sizeof(*m));
    apr_uint64_t seed;
    int near = 0, quick = 0, busy = 0;

    for (seed = 1; seed <= 3; seed++) {
        open_member(m, workers, service_ms, shape, seed);
        load(m, 0.5);
        run(m, 30);
        load(m, 1.5);
        run(m, 90);
        run(m, 120);
        near += mean_limit(m) >= 0.7 * workers
                && mean_limit(m) <= 2.0 * workers + 1;
        quick += m->waited_us / (double)m->counted < 2.5 * service_ms * 1000;
        busy += (double)m->counted > 0.75 * 120000.0 * workers / service_ms;
        diag("%s, seed %d: limit %.1f, %.0f ms, %.0f %% busy", what, (int)seed,
             mean_limit(m), m->waited_us / (double)m->counted / 1000,
             100 * (double)m->counted / (120000.0 * workers / service_ms));
    }
    is_int(near, 3, "%s: the limit is near the number of workers", what);
    is_int(quick, 3, "%s: answers do not wait", what);
    is_int(busy, 3, "%s: and the workers have work", what);
    free(m);
}

static void not_loaded(void)
{
    member_t *m = malloc(sizeof(*m));

    open_member(m, 16, 40, EXPONENTIAL, 7);
    load(m, 0.5);
    run(m, 30);
    run(m, 300);
    ok((double)m->unlimited > 0.95 * (double)m->ticks,
       "half of the load: nearly never limited (%ld of %ld)", m->unlimited,
       m->ticks);
    ok((double)m->elsewhere < 0.01 * (double)m->counted,
       "hardly anybody goes elsewhere (%ld of %ld)", m->elsewhere, m->counted);
    open_member(m, 4, 40, FIXED, 8);
    m->load = 0.02; /* one visitor, who waits between two requests */
    run(m, 300);
    is_int((int)m->elsewhere, 0, "one visitor never goes elsewhere");
    open_member(m, 4, 40, FIXED, 8);
    run(m, 3600);
    is_int((int)m->most, 0, "no requests, no limit");
    free(m);
}

static void changes(void)
{
    member_t *m = malloc(sizeof(*m));

    open_member(m, 8, 20, EXPONENTIAL, 3);
    load(m, 1.5);
    run(m, 120);
    ok(m->most != 0, "a jump of load out of nothing: a limit is found");
    m->service_ms = 100;
    load(m, 1.5);
    run(m, 60);
    run(m, 120);
    ok(mean_limit(m) >= 4.5 && mean_limit(m) <= 18,
       "a member that became slow: as many workers (%.1f)", mean_limit(m));
    m->workers = 24;
    load(m, 1.5);
    run(m, 120);
    run(m, 120);
    ok(mean_limit(m) >= 14 && mean_limit(m) <= 50,
       "more workers: the limit follows (%.1f)", mean_limit(m));
    load(m, 0);
    run(m, 900);
    is_int((int)m->most, 0, "idle for long: no limit");
    load(m, 0.3);
    run(m, 120);
    ok((double)m->elsewhere < 0.02 * (double)m->counted,
       "and the next visitors stay (%ld)", m->elsewhere);
    free(m);
}

int main(void)
{
    settles(4, 25, FIXED, "4 workers, even pages");
    settles(4, 25, EXPONENTIAL, "4 workers, uneven pages");
    settles(16, 40, EXPONENTIAL, "16 workers");
    settles(16, 40, CLASSES, "16 workers, quick and slow pages");
    not_loaded();
    changes();
    return done_testing();
}
