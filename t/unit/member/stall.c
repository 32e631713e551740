/* SPDX-License-Identifier: Apache-2.0 */
#include "src/member/lbs_stall.h"
#include "t/unit/tap.h"

#define MS APR_UINT64_C(1000)
#define SEC APR_UINT64_C(1000000)
#define TICK (100 * MS)

static lbs_stall_t record;
static lbs_gauge_t gauge;
static lbs_probe_view_t probe; /* what is known of its probes */
static apr_uint64_t now;

static void start(void)
{
    memset(&record, 0, sizeof(record));
    memset(&probe, 0, sizeof(probe));
    lbs_gauge_init(&gauge);
    now = 1000 * SEC;
}

/* @return whether a stall was found, at a tick when others have just answered
 */
static int tick(apr_uint32_t waiting, apr_int64_t stall_us)
{
    lbs_stall_news_t news = {waiting, stall_us, now, probe};

    lbs_stall_tick(&record, &news, now);
    return lbs_stall_found(&record, &gauge, &news, now);
}

static int suspected(apr_uint32_t waiting, apr_uint64_t others_heard)
{
    lbs_stall_news_t news = {waiting, (apr_int64_t)SEC, others_heard, probe};

    lbs_stall_tick(&record, &news, now);
    return lbs_stall_suspected(&record, &gauge, &news, now);
}

static void found(void)
{
    apr_uint64_t from;
    int i;

    start();
    from = now;
    gauge.heard_at = now - 100 * SEC; /* idle for long */
    probe.asked_at = now + 300 * MS;
    for (i = 0; i < 10 && !tick(3, (apr_int64_t)SEC); i++) {
        now += TICK;
    }
    is_int(i, 10, "three that wait for less than a second: no stall");
    is_int(tick(3, (apr_int64_t)SEC), 1, "none answered for a second");
    is_int(now - from, SEC, "after exactly that time");
}

static void not_found(void)
{
    lbs_stall_news_t silent_all = {30, (apr_int64_t)SEC, 0, probe};
    int found = 0;
    int i;

    start();
    for (i = 0; i < 100; i++, now += TICK) {
        found += tick(2, (apr_int64_t)SEC);
    }
    is_int(found, 0, "two that wait are no stall");
    silent_all.others_heard = now;
    for (i = 0; i < 100; i++, now += TICK) {
        lbs_stall_tick(&record, &silent_all, now);
        found += lbs_stall_found(&record, &gauge, &silent_all, now);
    }
    is_int(found, 0, "nobody answers: no stall of one member");
    for (i = 0; i < 100; i++, now += TICK) {
        gauge.heard_at = now - 50 * MS;
        found += tick(30, (apr_int64_t)SEC);
    }
    is_int(found, 0, "a member that answers now and then does not stall");
    now += 60 * SEC; /* the ticking process died; another one takes over */
    is_int(tick(30, (apr_int64_t)SEC), 0,
           "nor does a member that nobody looked at for a minute");
    for (i = 0; i < 100; i++, now += TICK) {
        found += tick(30, 0);
    }
    is_int(found, 0, "stall=off");
}

static void suspicion(void)
{
    int i;

    start();
    gauge.heard_at = now;
    for (i = 0; i < 6; i++, now += TICK) {
        is_int(suspected(i == 0  ? 0
                         : i < 3 ? 1
                                 : 3,
                         now),
               i >= 3, "%d ms of silence", i * 100);
    }
    is_int(suspected(2, now), 0, "two may just be slow");
    is_int(suspected(3, now - SEC), 0, "nobody answers: not this member");
    gauge.heard_at = now - 100 * MS;
    is_int(suspected(3, now), 0, "it answered a moment ago");
    is_int(suspected(0, now), 0, "nobody waits");
    gauge.heard_at = 0;
    is_int(suspected(3, now), 0, "a quarter of a stall has to pass again");
    now += 200 * MS;
    is_int(suspected(3, now), 0, "not yet");
    now += 50 * MS;
    is_int(suspected(3, now), 1, "now");
}

/* Ticks until a stall is found, in milliseconds; 0: not within a minute. */
static unsigned found_after(void)
{
    apr_uint64_t from = now;

    for (; now - from < 60 * SEC; now += TICK) {
        if (tick(3, (apr_int64_t)SEC)) {
            return (unsigned)((now - from) / MS);
        }
    }
    return 0;
}

static void unasked(void)
{
    start();
    is_int(found_after(), 3000, "nobody asked it: three times the time");
    start();
    probe.asked_at = now - 1;
    is_int(found_after(), 3000, "or not in this silence");
    start();
    probe.asked_at = now + 900 * MS;
    is_int(found_after(), 1200, "asked late: it has a quarter to answer");
    start();
    probe.kind = LBS_PROBE_CONNECT;
    probe.asked_at = now + 300 * MS;
    probe.alive_at = now + 500 * MS;
    is_int(found_after(), 3000, "a connection is no answer");
    start();
    probe.kind = LBS_PROBE_NEVER;
    is_int(found_after(), 3000, "one that cannot be asked");
}

/* Slow requests, of a member that answers whenever it is asked. */
static void alive(void)
{
    int asked = 0, stalls = 0;
    int i;

    start();
    for (i = 0; i < 600; i++, now += TICK) {
        stalls += tick(3, (apr_int64_t)SEC);
        if (suspected(3, now)) {
            probe.asked_at = now;
            probe.alive_at = now + MS;
            asked++;
        }
    }
    is_int(stalls, 0, "a minute of requests that take a minute: no stall");
    is_near(asked, 100, 20, "it was asked %d times", asked);
    probe.asked_at = now + 550 * MS - (now - probe.alive_at);
    is_int(found_after() <= 1000, 1, "and when it hangs that is found");
}

static void times(void)
{
    is_int(lbs_stall_after(LBS_STALL_AUTO, 0), SEC, "nothing known: 1 s");
    is_int(lbs_stall_after(LBS_STALL_AUTO, 50 * MS), SEC, "1 s at least");
    is_int(lbs_stall_after(LBS_STALL_AUTO, 300 * MS), 3 * SEC, "ten p99");
    is_int(lbs_stall_after(LBS_STALL_AUTO, APR_UINT64_MAX), APR_INT64_MAX,
           "and never too much to count");
    is_int(lbs_stall_after(250000, 300 * MS), 250000, "a time is that time");
    is_int(lbs_stall_after(0, 300 * MS), 0, "off is off");
}

int main(void)
{
    found();
    not_found();
    suspicion();
    unasked();
    alive();
    times();
    return done_testing();
}
