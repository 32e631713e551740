/* SPDX-License-Identifier: Apache-2.0 */
#include "src/member/lbs_probe.h"
#include "t/unit/tap.h"

#define MS APR_UINT64_C(1000)
#define SEC APR_UINT64_C(1000000)

static lbs_probe_t probe;
static lbs_gauge_t gauge;
static lbs_probe_view_t view;
static apr_uint64_t now, ticket;

static void start(void)
{
    memset(&probe, 0, sizeof(probe));
    lbs_gauge_init(&gauge);
    now = 5000 * SEC;
}

static apr_status_t begin(apr_uint32_t token, apr_uint64_t *mine)
{
    return lbs_probe_begin(&probe, token, now, mine);
}

static void only_when_wanted(void)
{
    start();
    is_int(begin(1, &ticket), APR_EAGAIN, "a member that is well is left be");
    lbs_probe_want(&probe, (apr_int64_t)SEC);
    is_int(begin(1, &ticket), APR_SUCCESS, "in doubt: at once");
    lbs_probe_end(&probe, ticket, LBS_PROBE_SILENT, now);
    is_int(begin(1, &ticket), APR_EAGAIN, "and not again at once");
    now += SEC;
    is_int(begin(1, &ticket), APR_SUCCESS, "but after that time");
    lbs_probe_end(&probe, ticket, LBS_PROBE_WELL, now);
    lbs_probe_want(&probe, 0);
    now += 100 * SEC;
    is_int(begin(1, &ticket), APR_EAGAIN, "no more doubt: no more probes");
    lbs_probe_want(&probe, 10);
    is_int(begin(1, &ticket), APR_SUCCESS, "less than a millisecond is one");
}

static void jittered(void)
{
    apr_uint64_t least = SEC, most = 0;
    int i;

    start();
    lbs_probe_want(&probe, (apr_int64_t)SEC);
    for (i = 0; i < 200; i++) {
        apr_uint64_t from = now;

        while (begin(1, &ticket) != APR_SUCCESS) {
            now += MS;
        }
        if (i > 0) {
            least = now - from < least ? now - from : least;
            most = now - from > most ? now - from : most;
        }
        lbs_probe_end(&probe, ticket, LBS_PROBE_SILENT, now);
    }
    ok(least >= 749 * MS && least < 800 * MS, "as early as %d ms",
       (int)(least / MS));
    ok(most <= 1000 * MS && most > 950 * MS, "as late as %d ms",
       (int)(most / MS));
}

static void one_is_outstanding(void)
{
    apr_uint64_t other;

    start();
    lbs_probe_want(&probe, 100 * (apr_int64_t)MS);
    (void)begin(1, &ticket);
    now += 900 * MS;
    is_int(begin(2, &other), APR_EBUSY, "one is outstanding");
    lbs_probe_abandon(&probe, 3);
    is_int(begin(2, &other), APR_EBUSY, "somebody else died");
    lbs_probe_abandon(&probe, 1);
    lbs_probe_view(&probe, &view);
    is_int(view.asked_at, 0, "its process died: it was not asked");
    is_int(begin(2, &other), APR_SUCCESS, "another one asks at once");
    lbs_probe_end(&probe, ticket, LBS_PROBE_WELL, now);
    lbs_probe_view(&probe, &view);
    is_int(view.found, LBS_PROBE_UNKNOWN, "a result that is lost is ignored");
    now += 4 * SEC;
    is_int(begin(1, &ticket), APR_SUCCESS, "kept too long: free again");
    lbs_probe_drop(&probe, ticket);
    now += 100 * MS;
    is_int(begin(1, &ticket), APR_SUCCESS, "given back: free again");
}

static void found(void)
{
    start();
    gauge.doubt_until = now + SEC;
    lbs_probe_view(&probe, &view);
    is_int(view.found, LBS_PROBE_UNKNOWN, "never asked");
    is_int(view.kind, LBS_PROBE_HTTP, "a member is asked by HTTP");
    lbs_probe_set_kind(&probe, LBS_PROBE_CONNECT);
    lbs_probe_want(&probe, (apr_int64_t)SEC);
    (void)begin(1, &ticket);
    now += 5 * MS;
    lbs_probe_heard(&probe, &gauge, now);
    is_int(gauge.doubt_until, 0, "it answers: no doubt is left");
    now += 5 * MS;
    lbs_probe_end(&probe, ticket, LBS_PROBE_ERROR, now);
    lbs_probe_view(&probe, &view);
    is_int(view.kind, LBS_PROBE_CONNECT, "or can only be connected to");
    is_int(view.found, LBS_PROBE_ERROR, "what it was");
    is_int(now - view.found_at, 0, "when the result came");
    is_int(now - view.alive_at, 5 * MS, "when the answer came");
    is_int(now - view.began_at, 10 * MS, "and when it was asked");
    lbs_probe_note(&probe, LBS_PROBE_SILENT, now, now + SEC);
    lbs_probe_view(&probe, &view);
    is_int(view.found == LBS_PROBE_SILENT && view.began_at == now, 1,
           "a check's result counts, too");
}

int main(void)
{
    only_when_wanted();
    jittered();
    one_is_outstanding();
    found();
    return done_testing();
}
