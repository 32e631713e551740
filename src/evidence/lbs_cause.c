/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_cause.c - see lbs_cause.h. */
#include "src/evidence/lbs_cause.h"

lbs_said_t lbs_cause_said(int status)
{
    /* httpd's OK, DECLINED, DONE and SUSPENDED. */
    if (status <= 0 && status >= -3) {
        return LBS_SAID_DONE;
    }
    if (status < 100 || status > 599) {
        return LBS_SAID_NOTHING;
    }
    if (status < 400) {
        return LBS_SAID_ANSWER;
    }
    switch (status) {
    case 501:
        return LBS_SAID_REFUSED;
    case 503:
        return LBS_SAID_503;
    case 504:
        return LBS_SAID_504;
    default:
        return status < 500 ? LBS_SAID_REFUSED : LBS_SAID_FAILED;
    }
}

/* The answer had begun. */
static lbs_cause_t of_answer(const lbs_facts_t *f)
{
    if (!f->cut || f->gone) {
        return LBS_CAUSE_NONE;
    }
    if (f->unread || f->slow) {
        return LBS_CAUSE_CLIENT;
    }
    return f->quiet ? LBS_CAUSE_QUIET : LBS_CAUSE_BODY;
}

/* Nothing was sent, as far as can be told. On a connection that is not
 * watched, mod_proxy must say so, too; its 503 alone is no proof, because
 * mod_proxy_fcgi returns 503 also after all was sent. */
static int is_unsent(const lbs_facts_t *f)
{
    return !f->sent && (f->said == LBS_SAID_503 || f->watched || f->rejected);
}

static lbs_cause_t of_unsent(const lbs_facts_t *f)
{
    if (f->exhausted) {
        return LBS_CAUSE_FULL;
    }
    return f->rejected ? LBS_CAUSE_REFUSED : LBS_CAUSE_CONNECT;
}

/* All was sent and nothing came, as far as mod_proxy knows. */
static lbs_cause_t of_silence(const lbs_facts_t *f)
{
    if (f->received) {
        return f->quiet ? LBS_CAUSE_QUIET : LBS_CAUSE_GARBAGE;
    }
    if (f->said == LBS_SAID_504 || f->quiet) {
        return LBS_CAUSE_TIMEOUT;
    }
    return f->seen && !f->fresh ? LBS_CAUSE_STALE : LBS_CAUSE_RESET;
}

lbs_cause_t lbs_cause_find(const lbs_facts_t *f)
{
    if (f->unread && (!f->answered || f->discarded)) {
        return LBS_CAUSE_CLIENT;
    }
    if (f->discarded) {
        return LBS_CAUSE_STATUS;
    }
    if (f->answered) {
        return of_answer(f);
    }
    if (f->said == LBS_SAID_ANSWER
        || (f->said == LBS_SAID_DONE && (!f->gone || f->tunnel))) {
        return LBS_CAUSE_NONE;
    }
    if (f->abandoned) {
        return LBS_CAUSE_STALL;
    }
    if (f->unshaken) {
        return LBS_CAUSE_CONNECT;
    }
    if (f->unprocessed) {
        return LBS_CAUSE_UNTAKEN;
    }
    /* mod_proxy gives these the status of a bad request or a time-out. */
    if (f->mistrusted || (f->lost && !f->fresh)) {
        return LBS_CAUSE_STALE;
    }
    if (f->gone) {
        return LBS_CAUSE_CLIENT;
    }
    if (f->limit) {
        return LBS_CAUSE_REFUSED;
    }
    if (f->lost) {
        return LBS_CAUSE_RESET;
    }
    if (f->said == LBS_SAID_REFUSED || f->said == LBS_SAID_NOTHING) {
        return LBS_CAUSE_REFUSED;
    }
    return is_unsent(f) ? of_unsent(f) : of_silence(f);
}

int lbs_cause_is_failure(lbs_cause_t cause)
{
    return cause == LBS_CAUSE_RESET || cause == LBS_CAUSE_TIMEOUT
           || cause == LBS_CAUSE_GARBAGE || cause == LBS_CAUSE_BODY;
}

int lbs_cause_is_unseen(lbs_cause_t cause)
{
    return cause == LBS_CAUSE_FULL || cause == LBS_CAUSE_CLOSED
           || cause == LBS_CAUSE_CONNECT || cause == LBS_CAUSE_UNTAKEN;
}
