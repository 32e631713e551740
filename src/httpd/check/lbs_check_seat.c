/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check_seat.c - see lbs_check_seat.h. */
#include "src/httpd/check/lbs_check_seat.h"

#include "src/httpd/check/lbs_panic.h"
#include "src/httpd/health/lbs_health.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/shared/lbs_thread_rand.h"

/* Of members without checks. One that is down is connected to about twice a
 * second, half of the interval: so it is in use within two seconds of its
 * return, also where new visitors are few. One refusal is enough, for a
 * visitor had one before. */
static const lbs_check_conf_t in_doubt = {
    .interval_us = 1000000,
    .timeout_us = 1000000,
    .rise = 1,
    .fall = 1,
};

/* Four times a second while visitors have been refused lately: most such
 * members are being restarted. */
static const lbs_check_conf_t in_new_doubt = {
    .interval_us = 500000,
    .timeout_us = 1000000,
    .rise = 1,
    .fall = 1,
};

#define NEW 3000000   /* microseconds */
#define SETTLE 150000 /* a refusal may be that of an instant */

/* Of probes: only the time-out counts. */
static const lbs_check_conf_t probing = {
    .interval_us = LBS_PROBE_TIMEOUT_US,
    .timeout_us = LBS_PROBE_TIMEOUT_US,
    .rise = 1,
    .fall = 1,
};

int lbs_check_seat_is_checked(const lbs_pool_t *pool)
{
    return pool->set.check->path != NULL;
}

static void init_errand(lbs_check_errand_t *errand, lbs_check_seat_t *seat,
                        lbs_check_errand_kind_t kind)
{
    errand->seat = seat;
    errand->kind = kind;
}

void lbs_check_seat_init(lbs_check_seat_t *seat, apr_pool_t *memory,
                         const lbs_pool_t *pool, const lbs_member_t *m,
                         const lbs_check_conf_t *conf,
                         const lbs_check_tls_t *tls)
{
    int i;

    memset(seat, 0, sizeof(*seat));
    seat->pool = pool;
    seat->member = m;
    seat->conf = conf;
    seat->tls = tls;
    init_errand(&seat->reach, seat, LBS_CHECK_ERRAND_REACH);
    init_errand(&seat->probe, seat, LBS_CHECK_ERRAND_PROBE);
    for (i = 0; i < LBS_CHECK_SEAT_MORE; i++) {
        init_errand(&seat->more[i], seat, LBS_CHECK_ERRAND_MORE);
        seat->more[i].asks_suspect = 1;
    }
    seat->next = seat;
    if (m->worker == NULL) {
        return;
    }
    seat->reaches = lbs_check_request_reaches(memory, pool, m, tls);
    seat->kind = lbs_check_request_probe(m, seat->reaches);
    lbs_probe_set_kind(&m->record->probe, seat->kind);
}

static void reset_errand(lbs_check_errand_t *errand)
{
    errand->described = 0;
    errand->call = NULL;
}

void lbs_check_seat_reset(lbs_check_seat_t *seat)
{
    int i;

    reset_errand(&seat->reach);
    reset_errand(&seat->probe);
    for (i = 0; i < LBS_CHECK_SEAT_MORE; i++) {
        reset_errand(&seat->more[i]);
    }
    memset(&seat->inquiry, 0, sizeof(seat->inquiry));
}

static const lbs_check_conf_t *reach_conf(const lbs_check_seat_t *seat)
{
    apr_uint64_t lost =
        lbs_atomic_load64_relaxed(&seat->member->record->lost_at);

    if (seat->conf != NULL) {
        return seat->conf;
    }
    return (apr_uint64_t)lbs_clock_now() < lost + NEW ? &in_new_doubt
                                                      : &in_doubt;
}

static int is_down(const lbs_check_seat_t *seat)
{
    return (lbs_atomic_load32_relaxed(&seat->member->gauge->flags)
            & LBS_F_DOWN)
           != 0;
}

/* Beginning -------------------------------------------------------------- */

/* Any answer, be it to a check or to a probe, shows that the member lives. */
static void heard(void *baton)
{
    const lbs_check_errand_t *errand = baton;
    const lbs_member_t *m = errand->seat->member;

    lbs_probe_heard(&m->record->probe, m->gauge,
                    (apr_uint64_t)lbs_clock_now());
}

static int start(lbs_check_errand_t *errand, lbs_check_request_why_t why,
                 const lbs_check_conf_t *conf, apr_pool_t *memory,
                 CURLM *multi)
{
    const lbs_check_seat_t *seat = errand->seat;

    if (!errand->described) {
        lbs_check_request_describe(memory, seat->pool, seat->member, seat->tls,
                                   why, &errand->request);
        errand->described = 1;
    }
    lbs_check_request_date(seat->pool, seat->member, &errand->request);
    errand->call =
        lbs_check_call_begin(multi, &errand->request, conf, heard, errand);
    return errand->call != NULL;
}

static int begin_reach(lbs_check_seat_t *seat, apr_pool_t *memory,
                       CURLM *multi, apr_uint64_t now)
{
    lbs_check_errand_t *errand = &seat->reach;
    lbs_check_t *check = &seat->member->record->check;

    if (lbs_check_begin(check, reach_conf(seat), seat->member->token_id,
                        lbs_runtime()->row.token, now, &errand->ticket)
        != APR_SUCCESS) {
        return 0;
    }
    errand->began = now;
    if (!start(errand,
               seat->conf != NULL ? LBS_CHECK_REQUEST_CHECK
                                  : LBS_CHECK_REQUEST_REACH,
               reach_conf(seat), memory, multi)) {
        lbs_check_drop(check, errand->ticket); /* no memory: later, perhaps */
        return 0;
    }
    return 1;
}

static int begin_probe(lbs_check_seat_t *seat, int at_once, apr_pool_t *memory,
                       CURLM *multi, apr_uint64_t now)
{
    lbs_check_errand_t *errand = &seat->probe;
    lbs_probe_t *probe = &seat->member->record->probe;
    apr_uint32_t token = lbs_runtime()->row.token;
    apr_status_t rv =
        at_once ? lbs_probe_begin_at_once(probe, token, now, &errand->ticket)
                : lbs_probe_begin(probe, token, now, &errand->ticket);

    if (rv != APR_SUCCESS) {
        return 0;
    }
    errand->asks_suspect = 0;
    errand->suspect = NULL;
    errand->began = now;
    if (!start(errand, LBS_CHECK_REQUEST_PROBE, &probing, memory, multi)) {
        lbs_probe_drop(probe, errand->ticket);
        return 0;
    }
    return 1;
}

/* Suspects --------------------------------------------------------------- */

#define CONTROLS 16 /* seats that are looked at for one */

static apr_uint64_t any(void)
{
    return lbs_rand_next(lbs_thread_rand());
}

/* While it is open to visitors: what is out is asked by the tick's order. */
static int is_suspected(const lbs_check_seat_t *seat, apr_uint64_t now)
{
    const lbs_eject_t *eject = &seat->member->record->eject;

    return seat->kind == LBS_PROBE_HTTP && seat->pool->set.eject->on
           && seat->pool->eject_conf.errors
           && lbs_suspect_is_one(&eject->suspect,
                                 seat->pool->eject_conf.window_us, now)
           && !lbs_eject_out(eject)
           && lbs_evidence_others_clear(&eject->evidence);
}

/* One that takes visitors, and of which nobody says anything bad. */
static int may_be_control(const lbs_check_seat_t *seat, apr_uint64_t now)
{
    return seat->kind == LBS_PROBE_HTTP && seat->probe.call == NULL
           && (seat->conf != NULL || seat->reach.call == NULL)
           && (lbs_gauge_flags(seat->member->gauge) & LBS_F_CLOSED_NEW) == 0
           && !lbs_suspect_is_one(&seat->member->record->eject.suspect,
                                  seat->pool->eject_conf.window_us, now);
}

static int begin_control(lbs_check_seat_t *seat, apr_pool_t *memory,
                         CURLM *multi, apr_uint64_t now)
{
    lbs_check_seat_t *at = seat->next;
    int i;

    for (i = 0; i < CONTROLS && at != seat; i++, at = at->next) {
        if (may_be_control(at, now)
            && begin_probe(at, 1, memory, multi, now)) {
            at->probe.suspect = seat;
            at->probe.number = lbs_inquiry_control(&seat->inquiry);
            return 1;
        }
    }
    return 0;
}

/* Once it is known that a well member answers the same otherwise.
 * @return errands begun */
static int begin_more(lbs_check_seat_t *seat, apr_pool_t *memory, CURLM *multi,
                      apr_uint64_t now)
{
    int i;

    for (i = 0; i < LBS_CHECK_SEAT_MORE; i++) {
        lbs_check_errand_t *errand = &seat->more[i];

        if (errand->call == NULL) {
            errand->began = now;
            return start(errand, LBS_CHECK_REQUEST_PROBE, &probing, memory,
                         multi);
        }
    }
    return 0;
}

/* @return errands begun */
static int ask_suspect(lbs_check_seat_t *seat, apr_pool_t *memory,
                       CURLM *multi, apr_uint64_t now)
{
    if (seat->probe.call != NULL) {
        return seat->inquiry.control == LBS_INQUIRY_CLEARED
                   ? begin_more(seat, memory, multi, now)
                   : 0;
    }
    if (!begin_probe(seat, 1, memory, multi, now)) {
        return 0;
    }
    seat->probe.asks_suspect = 1;
    return 1;
}

/* @return errands begun */
static int inquire(lbs_check_seat_t *seat, apr_pool_t *memory, CURLM *multi,
                   apr_uint64_t now)
{
    int suspected = is_suspected(seat, now);
    int begun = 0;

    if (!suspected && seat->inquiry.asked == 0) {
        return 0;
    }
    if (lbs_inquiry_is_due(&seat->inquiry, suspected, any(), now)
        && ask_suspect(seat, memory, multi, now)) {
        lbs_inquiry_asked(&seat->inquiry, any(), now);
        begun = 1;
    }
    if (suspected && lbs_inquiry_wants_control(&seat->inquiry)) {
        begun += begin_control(seat, memory, multi, now);
    }
    return begun;
}

int lbs_check_seat_is_hot(const lbs_check_seat_t *seat)
{
    return seat->inquiry.asked != 0;
}

/* A probe's 5xx is one to a visitor of its own, but only in a row: without
 * one there have to be five real ones. */
static void book_errors(const lbs_check_seat_t *seat, apr_uint32_t errors,
                        apr_uint64_t now)
{
    lbs_eject_t *eject = &seat->member->record->eject;
    apr_int64_t window = seat->pool->eject_conf.window_us;
    apr_uint32_t i;

    for (i = 0; i < errors; i++) {
        lbs_evidence_answer(&eject->evidence, window, 1, now);
    }
    if (errors != 0) {
        lbs_suspect_probed(&eject->suspect, errors);
    }
    if (seat->pool->decides
        && lbs_suspect_is_proven(&eject->suspect, window, now)) {
        lbs_health_judge(lbs_pools_same(seat->pool));
    }
}

static void hear_suspect(lbs_check_seat_t *seat, lbs_inquiry_found_t found,
                         apr_uint64_t now)
{
    lbs_eject_t *eject = &seat->member->record->eject;

    if (found == LBS_INQUIRY_WELL) {
        lbs_suspect_answered_well(&eject->suspect);
    }
    book_errors(seat, lbs_inquiry_heard(&seat->inquiry, found, any(), now),
                now);
}

/* What a probe out of turn is for. */
static void hear(const lbs_check_errand_t *errand, lbs_inquiry_found_t found,
                 apr_uint64_t now)
{
    lbs_check_seat_t *suspect = errand->suspect;

    if (errand->asks_suspect) {
        hear_suspect(errand->seat, found, now);
    }
    if (suspect != NULL) {
        book_errors(suspect,
                    lbs_inquiry_controlled(&suspect->inquiry, errand->number,
                                           found, any(), now),
                    now);
    }
}

/* What is due ------------------------------------------------------------ */

/* Of a member with checks. */
static int begin_checked(lbs_check_seat_t *seat, apr_pool_t *memory,
                         CURLM *multi, apr_uint64_t now)
{
    int begun = 0;

    if (seat->reach.call == NULL) {
        begun += begin_reach(seat, memory, multi, now);
    }
    if (seat->probe.call == NULL && seat->kind != LBS_PROBE_NEVER) {
        begun += begin_probe(seat, 0, memory, multi, now);
    }
    return begun + inquire(seat, memory, multi, now);
}

static void hurry(const lbs_check_seat_t *seat, apr_uint64_t now)
{
    const lbs_member_record_t *record = seat->member->record;
    apr_uint64_t settled =
        lbs_atomic_load64_relaxed(&record->lost_at) + SETTLE;

    lbs_check_hurry(&seat->member->record->check, reach_conf(seat), now,
                    settled > now ? settled : now);
}

int lbs_check_seat_begin(lbs_check_seat_t *seat, apr_pool_t *memory,
                         CURLM *multi)
{
    const lbs_member_t *m = seat->member;
    apr_uint64_t now = (apr_uint64_t)lbs_clock_now();

    if (m->worker == NULL) {
        return 0;
    }
    if (seat->conf != NULL) {
        return begin_checked(seat, memory, multi, now);
    }
    if (seat->kind == LBS_PROBE_NEVER || seat->reach.call != NULL) {
        return 0;
    }
    if (seat->probe.call != NULL) {
        return inquire(seat, memory, multi, now);
    }
    if (seat->reaches && lbs_member_record_in_doubt(m->record, m->gauge)) {
        hurry(seat, now);
        if (begin_reach(seat, memory, multi, now)) {
            return 1;
        }
    }
    /* A member that accepts no connection is not asked further. */
    if (is_down(seat)) {
        return 0;
    }
    return begin_probe(seat, 0, memory, multi, now)
               ? 1
               : inquire(seat, memory, multi, now);
}

/* Ending ----------------------------------------------------------------- */

static lbs_probe_found_t found_by(const lbs_check_errand_t *errand,
                                  const lbs_check_result_t *result)
{
    int status = lbs_check_call_status(errand->call);

    if (errand->request.kind == LBS_CHECK_REQUEST_CONNECT) {
        return result->connected ? LBS_PROBE_WELL : LBS_PROBE_SILENT;
    }
    if (status == 0) {
        return LBS_PROBE_SILENT;
    }
    return status >= 500 || !lbs_check_call_is_complete(errand->call)
               ? LBS_PROBE_ERROR
               : LBS_PROBE_WELL;
}

static lbs_inquiry_found_t answer_of(const lbs_check_errand_t *errand,
                                     lbs_probe_found_t found)
{
    if (lbs_check_call_status(errand->call) >= 500) {
        return LBS_INQUIRY_ERROR;
    }
    return found == LBS_PROBE_WELL ? LBS_INQUIRY_WELL : LBS_INQUIRY_NOTHING;
}

/* A connection alone says nothing of a member that can be asked more. */
static int is_telling(const lbs_check_errand_t *errand,
                      lbs_probe_found_t found)
{
    return errand->request.kind != LBS_CHECK_REQUEST_CONNECT
           || errand->seat->kind == LBS_PROBE_CONNECT
           || found == LBS_PROBE_SILENT;
}

static void finish_reach(lbs_check_errand_t *errand,
                         const lbs_check_result_t *result,
                         lbs_probe_found_t found, apr_uint64_t now)
{
    const lbs_check_seat_t *seat = errand->seat;
    const lbs_member_t *m = seat->member;
    lbs_check_turn_t turn;

    if (is_telling(errand, found)) {
        lbs_probe_note(&m->record->probe, found, errand->began, now);
    }
    turn = lbs_check_end(&m->record->check, reach_conf(seat), m->gauge,
                         errand->ticket, result, now);
    if (turn != LBS_CHECK_NONE) {
        lbs_health_checked(lbs_pools_same(seat->pool), m, turn, result->text);
    }
    lbs_panic_look(lbs_pools_same(seat->pool), seat->conf != NULL);
}

void lbs_check_seat_finish(lbs_check_errand_t *errand, CURLM *multi)
{
    lbs_check_seat_t *seat = errand->seat;
    apr_uint64_t now = (apr_uint64_t)lbs_clock_now();
    char text[LBS_SHARED_TEXT_LEN];
    lbs_check_result_t result;
    lbs_probe_found_t found;
    lbs_inquiry_found_t answer;

    if (errand->kind != LBS_CHECK_ERRAND_REACH) {
        text[0] = '\0';
        result.connected = lbs_check_call_is_connected(errand->call);
    }
    else {
        lbs_check_call_judge(errand->call, &result, text);
    }
    result.in_doubt = seat->conf == NULL;
    found = found_by(errand, &result);
    answer = answer_of(errand, found);
    lbs_check_call_end(multi, errand->call);
    errand->call = NULL;
    if (errand->kind == LBS_CHECK_ERRAND_REACH) {
        finish_reach(errand, &result, found, now);
        return;
    }
    if (errand->kind == LBS_CHECK_ERRAND_PROBE) {
        lbs_probe_end(&seat->member->record->probe, errand->ticket, found,
                      now);
    }
    hear(errand, answer, now);
}

/* @return 1 if it was under way */
static int end_errand(lbs_check_errand_t *errand, CURLM *multi)
{
    if (errand->call == NULL) {
        return 0;
    }
    lbs_check_call_end(multi, errand->call);
    errand->call = NULL;
    return 1;
}

void lbs_check_seat_give_up(lbs_check_seat_t *seat, CURLM *multi)
{
    int i;

    if (end_errand(&seat->reach, multi)) {
        lbs_check_drop(&seat->member->record->check, seat->reach.ticket);
    }
    if (end_errand(&seat->probe, multi)) {
        lbs_probe_drop(&seat->member->record->probe, seat->probe.ticket);
    }
    for (i = 0; i < LBS_CHECK_SEAT_MORE; i++) {
        (void)end_errand(&seat->more[i], multi);
    }
}

/* Is it down by a result that no check will renew? */
static int is_left_down(const lbs_check_seat_t *seat,
                        const lbs_check_view_t *last)
{
    return !seat->reaches || (last->connected && !last->in_doubt);
}

void lbs_check_seat_release(const lbs_check_seat_t *seat)
{
    const lbs_member_t *m = seat->member;
    lbs_check_view_t last;
    int down = (lbs_atomic_load32_relaxed(&m->gauge->flags) & LBS_F_DOWN) != 0;

    lbs_check_view(&m->record->check, &last);
    if ((!down && (!last.known || last.in_doubt))
        || (down && !is_left_down(seat, &last))) {
        return;
    }
    if (lbs_check_forget(&m->record->check, m->gauge)) {
        lbs_health_checked(seat->pool, m, LBS_CHECK_UP, "no longer checked");
    }
}
