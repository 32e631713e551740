/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of 5xx, as they eject a member and keep it out. */
#include "src/member/lbs_eject.h"
#include "t/unit/tap.h"

#define SEC APR_UINT64_C(1000000)

static const lbs_eject_conf_t defaults = {
    3, 50, 10 * SEC, SEC, 60 * SEC, LBS_STALL_AUTO, 1};

static const lbs_eject_conf_t *conf;
static lbs_eject_t record;
static lbs_gauge_t gauge;
static lbs_eject_pool_t pool;
static lbs_eject_on_t on;
static apr_uint64_t now;
static lbs_eject_why_t why;

static void start(const lbs_eject_conf_t *with)
{
    conf = with;
    memset(&record, 0, sizeof(record));
    memset(&pool, 0, sizeof(pool));
    lbs_gauge_init(&gauge);
    on = (lbs_eject_on_t){&record, &gauge, &pool, conf};
    lbs_eject_recount(&pool, 4, 4, 0);
    now = 1000 * SEC;
}

static apr_uint32_t flags(void)
{
    return gauge.flags & (LBS_F_EJECTED | LBS_F_HALF_OPEN);
}

static lbs_eject_turn_t fail(void)
{
    lbs_eject_attempt_t attempt = {now, 0, 0};

    return lbs_eject_failed(&on, &attempt, now, &why);
}

static lbs_eject_turn_t answer_trial(void)
{
    lbs_eject_attempt_t attempt = {now, 1, 0};

    return lbs_eject_answered(&on, &attempt, now);
}

static lbs_eject_turn_t tick(void)
{
    static const lbs_stall_news_t no_news = {
        .probe = {.kind = LBS_PROBE_NEVER}};

    return lbs_eject_tick(&on, &no_news, now, &why);
}

static void tell_others(apr_uint32_t all, apr_uint32_t bad)
{
    lbs_window_sum_t parts[LBS_WINDOW_CELLS];
    int i;

    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        parts[i] = (lbs_window_sum_t){all, bad};
    }
    lbs_evidence_others(&record.evidence, parts);
}

/* Answers of 5xx to as many visitors; the others gave `all` answers, `bad` of
 * them 5xx. @return the last turn */
static lbs_eject_turn_t err(int times, apr_uint32_t all, apr_uint32_t bad)
{
    lbs_eject_attempt_t attempt = {now, flags() == LBS_F_HALF_OPEN, 0};
    lbs_eject_turn_t turn = LBS_EJECT_NONE;
    lbs_evidence_t *evidence = &record.evidence;
    apr_uint64_t visitor = 1;

    tell_others(all, bad);
    for (; times > 0; times--, visitor++) {
        lbs_evidence_answer(evidence, conf->window_us, 1, now);
        lbs_evidence_visitor(evidence, conf->window_us, visitor << 20, now);
        turn = lbs_eject_erred(&on, &attempt, now, &why);
    }
    return turn != LBS_EJECT_NONE ? turn : lbs_eject_judge(&on, now, &why);
}

static void what_probes_say(void)
{
    int i;

    start(&defaults);
    is_int(err(2, 100, 0), LBS_EJECT_NONE, "two visitors");
    (void)lbs_suspect_erred(&record.suspect, defaults.window_us, 1, now);
    (void)lbs_suspect_erred(&record.suspect, defaults.window_us, 2, now);
    lbs_suspect_probed(&record.suspect, 8);
    tell_others(9, 0);
    is_int(lbs_eject_judge(&on, now, &why), LBS_EJECT_NONE,
           "and eight probes, but the others gave nine answers");
    tell_others(100, 20);
    is_int(lbs_eject_judge(&on, now, &why), LBS_EJECT_NONE, "or too many 5xx");
    tell_others(100, 0);
    is_int(lbs_eject_judge(&on, now, &why), LBS_EJECT_EJECTED,
           "else they eject");

    start(&defaults);
    tell_others(100, 0);
    for (i = 0; i < 20; i++) {
        lbs_evidence_answer(&record.evidence, defaults.window_us, 1, now);
        lbs_evidence_visitor(&record.evidence, defaults.window_us,
                             (apr_uint64_t)i << 20, now);
    }
    lbs_suspect_answered_well(&record.suspect);
    is_int(lbs_eject_judge(&on, now, &why), LBS_EJECT_EJECTED,
           "visitors' errors count by themselves, whatever probes say");
}

static void errors_that_others_do_not_give(void)
{
    static const lbs_eject_conf_t listed = {
        3, 50, 10 * SEC, SEC, 60 * SEC, LBS_STALL_AUTO, 0};

    start(&defaults);
    is_int(err(9, 100, 0), LBS_EJECT_NONE, "nine are too few");
    is_int(err(1, 100, 0), LBS_EJECT_EJECTED, "the tenth ejects");
    is_str(lbs_eject_reason(why), "answers 5xx while others do not",
           "and says why");
    now += SEC;
    is_int(tick(), LBS_EJECT_HALF_OPEN, "the hold is over");
    is_int(err(1, 100, 0), LBS_EJECT_EJECTED, "a trial answered 5xx fails");
    is_int(lbs_eject_until(&record), now + 2 * SEC, "and doubles the hold");
    now += 2 * SEC;
    (void)tick();
    is_int(err(1, 100, 50), LBS_EJECT_NONE, "not when all give them now");
    is_int(answer_trial(), LBS_EJECT_UP, "then it is an answer");
    is_int(err(9, 100, 0), LBS_EJECT_NONE, "what it gave before is past");
    start(&defaults);
    is_int(err(100, 100, 50), LBS_EJECT_NONE, "others give them, too");
    start(&listed);
    is_int(err(100, 100, 0), LBS_EJECT_NONE, "status=LIST: no evidence");
}

/* Ejected for something else: a 5xx is an answer. */
static void errors_of_a_trial(void)
{
    start(&defaults);
    (void)fail();
    (void)fail();
    (void)fail();
    now += SEC;
    (void)tick();
    is_int(err(1, 100, 0), LBS_EJECT_NONE,
           "a member that refused connections answers 5xx when tried");
    is_int(answer_trial(), LBS_EJECT_UP, "and is back");
}

int main(void)
{
    what_probes_say();
    errors_that_others_do_not_give();
    errors_of_a_trial();
    return done_testing();
}
