/* SPDX-License-Identifier: Apache-2.0 */
/* A process killed in the middle of a turn: the next ticks repair it. */
#include "src/member/lbs_eject.h"
#include "t/unit/member/step.h"

#define SEC APR_UINT64_C(1000000)

static const lbs_eject_conf_t conf = {1, 50, 10 * SEC, SEC, 60 * SEC, 0, 0};

typedef struct shared_t {
    lbs_eject_t record;
    lbs_gauge_t gauge;
    lbs_eject_pool_t pool;
} shared_t;

static shared_t *shared;
static lbs_eject_on_t on;
static apr_uint64_t now;

static void start(void)
{
    memset(shared, 0, sizeof(*shared));
    lbs_gauge_init(&shared->gauge);
    on = (lbs_eject_on_t){&shared->record, &shared->gauge, &shared->pool,
                          &conf};
    lbs_eject_recount(&shared->pool, 4, 4, 0);
    now = 1000 * SEC;
}

static void fail(void *unused)
{
    lbs_eject_attempt_t attempt = {now, 0, 0};
    lbs_eject_why_t why;

    (void)unused;
    (void)lbs_eject_failed(&on, &attempt, now, &why);
}

static void answer_probe(void *unused)
{
    lbs_eject_attempt_t attempt = {now, 1, 0};

    (void)unused;
    (void)lbs_eject_answered(&on, &attempt, now);
}

static void tick(void *unused)
{
    const lbs_stall_news_t news = {.probe = {.kind = LBS_PROBE_NEVER}};
    lbs_eject_why_t why;

    (void)unused;
    (void)lbs_eject_tick(&on, &news, now, &why);
    lbs_eject_recount(&shared->pool, 4, 4,
                      (apr_uint32_t)lbs_eject_out(&shared->record));
}

/* Two ticks later flag, phase and count say the same, and the member can
 * still go through all its turns. */
static int repaired(void *unused)
{
    const apr_uint32_t flags = LBS_F_EJECTED | LBS_F_HALF_OPEN;
    apr_uint64_t before = now;
    int out, good;

    tick(unused);
    tick(unused);
    out = lbs_eject_out(&shared->record);
    good = ((shared->gauge.flags & flags) != 0) == out;
    good &= (apr_uint32_t)shared->pool.ejected == (apr_uint32_t)out;
    fail(unused);
    good &= lbs_eject_out(&shared->record) == 1;
    now += 3 * SEC;
    tick(unused);
    good &= (shared->gauge.flags & flags) == LBS_F_HALF_OPEN;
    answer_probe(unused);
    good &= (shared->gauge.flags & flags) == 0;
    good &= (apr_uint32_t)shared->pool.ejected == 0;
    now = before;
    return good;
}

static void killed(void (*turn)(void *), const char *what)
{
    int bad;
    long steps =
        step_each(turn, NULL, shared, sizeof(*shared), repaired, NULL, &bad);

    ok(bad == 0, "killed at any of %ld instructions of %s: repaired%s", steps,
       what, steps == STEP_DENIED ? " # SKIP no ptrace" : "");
}

int main(void)
{
    shared = step_shared(sizeof(*shared));
    start();
    killed(fail, "an ejection");
    fail(NULL);
    now += 2 * SEC;
    killed(tick, "the end of a hold");
    tick(NULL);
    killed(answer_probe, "a return");
    return done_testing();
}
