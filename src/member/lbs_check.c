/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check.c - rise, fall and the plan of active checks.
 *
 * Only the claim's holder writes the other fields; it releases the claim last.
 * A process that dies while it writes leaves the claim behind: the next check
 * repeats what is missing, at worst one result in a row is lost. A process
 * that sleeps in the middle of lbs_check_end() until its claim counts as lost
 * may mix its result with the next one; both are results of this member.
 */
#include "src/member/lbs_check.h"

#include <apr_strings.h>

#include "src/base/lbs_hash.h"

#define GOOD 1u
#define CONNECTED 2u
#define IN_DOUBT 4u
#define ROW_MAX 1000000u

#define TOKEN_OF(claim) ((apr_uint32_t)((claim) >> 32))
#define BEGAN_MS_OF(claim) ((apr_uint32_t)(claim))

static apr_uint32_t ms32(apr_uint64_t us)
{
    return (apr_uint32_t)(us / 1000);
}

/* Wraps every 49 days; a claim lives for seconds. */
static int lost(apr_uint64_t claim, const lbs_check_conf_t *conf,
                apr_uint64_t now)
{
    apr_uint64_t most = (apr_uint64_t)conf->timeout_us + LBS_CHECK_GRACE_US;
    apr_uint32_t age = ms32(now) - BEGAN_MS_OF(claim);

    return age < 0x80000000u && age > most / 1000;
}

/* @param due  as it was seen: 0, or too far away to be kept */
static void plan_first(lbs_check_t *check, const lbs_check_conf_t *conf,
                       apr_uint64_t identity, apr_uint64_t due,
                       apr_uint64_t now)
{
    apr_uint64_t spread = (apr_uint64_t)conf->interval_us;

    spread = lbs_hash_mix(identity) % (spread == 0 ? 1 : spread);
    (void)lbs_atomic_cas64(&check->due, &due, now + spread + 1);
}

/* Later than any plan of this interval: a reload made the interval shorter. */
static int is_stale(apr_uint64_t due, const lbs_check_conf_t *conf,
                    apr_uint64_t now)
{
    return due > now + 2 * (apr_uint64_t)conf->interval_us;
}

/* The next one: an interval after this one began, half of one while the
 * member is not steadily up, and up to a twentieth earlier or later. */
static void plan_next(lbs_check_t *check, const lbs_check_conf_t *conf,
                      apr_uint64_t ticket, int steady, apr_uint64_t now)
{
    apr_uint64_t period = (apr_uint64_t)conf->interval_us;
    apr_uint64_t due = lbs_atomic_load64_relaxed(&check->due);
    apr_uint64_t jitter;

    if (!steady) {
        period /= 2;
    }
    jitter = lbs_hash_mix(ticket ^ now) % (period / 10 + 1);
    due += period - period / 20 + jitter;
    /* Late by more than one interval: the machine slept, or a check takes
     * longer than the interval. There is a pause between two checks all the
     * same. */
    if (due < now + period / 4) {
        due = now + period / 4;
    }
    lbs_atomic_store64_relaxed(&check->due, due);
}

/* @return equal results in a row, this one included */
static apr_uint32_t row_add(lbs_check_t *check, apr_uint32_t last)
{
    apr_uint32_t before = lbs_atomic_load32_relaxed(&check->last);
    apr_uint32_t row = lbs_atomic_load32_relaxed(&check->row);

    row = (before & GOOD) == (last & GOOD) ? row + 1 : 1;
    row = row > ROW_MAX ? ROW_MAX : row;
    lbs_atomic_store32_relaxed(&check->row, row);
    lbs_atomic_store32_relaxed(&check->last, last);
    return row;
}

apr_status_t lbs_check_begin(lbs_check_t *check, const lbs_check_conf_t *conf,
                             apr_uint64_t identity, apr_uint32_t token,
                             apr_uint64_t now, apr_uint64_t *ticket)
{
    apr_uint64_t seen = lbs_atomic_load64_acquire(&check->claim);
    apr_uint64_t due = lbs_atomic_load64_relaxed(&check->due);
    apr_uint64_t mine = ((apr_uint64_t)token << 32) | ms32(now);

    if (due == 0 || is_stale(due, conf, now)) {
        plan_first(check, conf, identity, due, now);
        return APR_EAGAIN;
    }
    if (now < due) {
        return APR_EAGAIN;
    }
    if ((seen != 0 && !lost(seen, conf, now))
        || !lbs_atomic_cas64(&check->claim, &seen, mine)) {
        return APR_EBUSY;
    }
    /* Another process may have made a whole check since due was read. */
    if (now < lbs_atomic_load64_relaxed(&check->due)) {
        lbs_check_drop(check, mine);
        return APR_EAGAIN;
    }
    *ticket = mine;
    return APR_SUCCESS;
}

lbs_check_turn_t lbs_check_end(lbs_check_t *check,
                               const lbs_check_conf_t *conf, lbs_gauge_t *g,
                               apr_uint64_t ticket,
                               const lbs_check_result_t *result,
                               apr_uint64_t now)
{
    apr_uint32_t last = (result->good ? GOOD : 0)
                        | (result->connected || result->good ? CONNECTED : 0)
                        | (result->in_doubt ? IN_DOUBT : 0);
    lbs_check_turn_t turn = LBS_CHECK_NONE;
    apr_uint32_t row;

    if (lbs_atomic_load64_acquire(&check->claim) != ticket) {
        return LBS_CHECK_NONE;
    }
    row = row_add(check, last);
    lbs_shared_text_set(&check->text, result->text);
    lbs_atomic_store64_relaxed(&check->ended, now);
    /* A member that joins needs one good check, and has none before. */
    if (result->good
        && (lbs_gauge_clear(g, LBS_F_JOINING) || row >= conf->rise)
        && lbs_gauge_clear(g, LBS_F_DOWN)) {
        turn = LBS_CHECK_UP;
    }
    if (!result->good && row >= conf->fall && lbs_gauge_set(g, LBS_F_DOWN)) {
        turn = LBS_CHECK_DOWN;
    }
    plan_next(check, conf, ticket,
              result->good
                  && (lbs_atomic_load32_relaxed(&g->flags) & LBS_F_DOWN) == 0,
              now);
    lbs_check_drop(check, ticket);
    return turn;
}

void lbs_check_hurry(lbs_check_t *check, const lbs_check_conf_t *conf,
                     apr_uint64_t now, apr_uint64_t then)
{
    apr_uint64_t due = lbs_atomic_load64_relaxed(&check->due);

    if (due + (apr_uint64_t)conf->interval_us < then
        || due > now + (apr_uint64_t)conf->interval_us) {
        (void)lbs_atomic_cas64(&check->due, &due, then);
    }
}

void lbs_check_drop(lbs_check_t *check, apr_uint64_t ticket)
{
    (void)lbs_atomic_cas64(&check->claim, &ticket, 0); /* lost meanwhile */
}

void lbs_check_abandon(lbs_check_t *check, apr_uint32_t token)
{
    apr_uint64_t seen = lbs_atomic_load64_acquire(&check->claim);

    if (seen != 0 && TOKEN_OF(seen) == token) {
        lbs_check_drop(check, seen);
    }
}

int lbs_check_forget(lbs_check_t *check, lbs_gauge_t *g)
{
    lbs_atomic_store32_relaxed(&check->row, 0);
    lbs_atomic_store32_relaxed(&check->last, 0);
    lbs_atomic_store64_relaxed(&check->ended, 0);
    lbs_atomic_store64_relaxed(&check->due, 0);
    (void)lbs_gauge_clear(g, LBS_F_JOINING);
    return lbs_gauge_clear(g, LBS_F_DOWN);
}

int lbs_check_is_in_doubt(const lbs_check_t *check)
{
    return (lbs_atomic_load32_relaxed(&check->last) & IN_DOUBT) != 0;
}

void lbs_check_view(const lbs_check_t *check, lbs_check_view_t *view)
{
    apr_uint32_t last = lbs_atomic_load32_relaxed(&check->last);

    view->at = lbs_atomic_load64_relaxed(&check->ended);
    view->known = view->at != 0;
    view->ok = view->known && (last & GOOD) != 0;
    view->connected = view->known && (last & CONNECTED) != 0;
    view->in_doubt = view->known && (last & IN_DOUBT) != 0;
    view->text[0] = '\0';
    if (view->known) {
        (void)lbs_shared_text_get(&check->text, view->text); /* or empty */
    }
}

int lbs_check_say_status(const lbs_check_conf_t *conf, int status, char *text)
{
    int good = lbs_statuses_has(conf->expect, status);

    if (good) {
        apr_snprintf(text, LBS_SHARED_TEXT_LEN, "HTTP %d", status);
    }
    else {
        apr_snprintf(text, LBS_SHARED_TEXT_LEN, "HTTP %d, want %s", status,
                     conf->expect_text);
    }
    return good;
}

void lbs_check_say_error(const char *step, const char *error, char *text)
{
    apr_snprintf(text, LBS_SHARED_TEXT_LEN, "%s: %s", step, error);
}

void lbs_check_say_timeout(const lbs_check_conf_t *conf, char *text)
{
    apr_int64_t ms = conf->timeout_us / 1000;

    if (ms % 1000 == 0) {
        apr_snprintf(text, LBS_SHARED_TEXT_LEN,
                     "timeout after %" APR_INT64_T_FMT "s", ms / 1000);
    }
    else {
        apr_snprintf(text, LBS_SHARED_TEXT_LEN,
                     "timeout after %" APR_INT64_T_FMT "ms", ms);
    }
}
