/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_explain.c - /explain: the decision that a visitor would get, and why. */
#include "src/httpd/status/lbs_explain.h"

#include <string.h>

#include <apr_strings.h>

#include "src/httpd/decide/lbs_decide.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/status/lbs_collect.h"
#include "src/httpd/status/lbs_question.h"
#include "src/httpd/status/lbs_reply.h"
#include "src/view/lbs_escape.h"
#include "src/view/lbs_form.h"
#include "src/view/lbs_json.h"

typedef struct explain_t {
    request_rec *r;
    lbs_form_t form;
    const lbs_view_pool_t *pool;
    const lbs_pool_t *from; /* what pool was copied from */
    lbs_ask_t ask;
    lbs_question_t key;
    lbs_choice_t choice;
    unsigned char *stands; /* LBS_PICK_STANDS_* of each member */
} explain_t;

/* Is the question one? @return 200, or the status with a sentence */
static int find_pool(explain_t *e, const lbs_view_t *view, const char **wrong)
{
    const char *name = lbs_form_get(&e->form, "pool");
    const char *vhost = lbs_form_get(&e->form, "vhost");
    apr_uint32_t i;

    *wrong = "the field pool is missing";
    if (name == NULL || name[0] == '\0') {
        return HTTP_BAD_REQUEST;
    }
    e->pool = lbs_view_pool_find(view, name, vhost);
    e->from = e->pool != NULL ? lbs_collect_pool(e->pool) : NULL;
    if (e->from == NULL) {
        *wrong = apr_psprintf(e->r->pool, "there is no pool %.255s", name);
        return HTTP_NOT_FOUND;
    }
    for (i = 0; vhost == NULL && i < view->pools_count; i++) {
        const lbs_view_pool_t *other = &view->pools[i];

        if (other != e->pool && strcmp(other->name, name) == 0) {
            *wrong = apr_psprintf(e->r->pool,
                                  "several virtual hosts have a pool %.255s: "
                                  "say vhost, such as %s or %s",
                                  name, e->pool->vhost, other->vhost);
            return HTTP_BAD_REQUEST;
        }
    }
    return HTTP_OK;
}

static const char *check_names(const explain_t *e)
{
    static const char *const known[] = {"pool", "vhost", "cookie", "ip",
                                        "key"};
    int i, keys = 0;
    apr_size_t k;

    for (i = 0; i < e->form.count; i++) {
        const char *name = e->form.fields[i].name;

        for (k = 0; k < 5 && strcmp(known[k], name) != 0; k++) {
        }
        if (k == 5) {
            return apr_psprintf(e->r->pool, "there is no field %.64s", name);
        }
        keys += k >= 2;
    }
    return keys > 1 ? "wanted is one of cookie, ip and key" : NULL;
}

static const char *find_key(explain_t *e)
{
    const char *key = lbs_form_get(&e->form, "key");
    const char *ip = lbs_form_get(&e->form, "ip");
    const char *cookie = lbs_form_get(&e->form, "cookie");

    if (key != NULL) {
        return lbs_question_key(&e->ask, key, &e->key);
    }
    if (ip != NULL) {
        return lbs_question_value(&e->ask, "ip", ip, &e->key);
    }
    if (cookie != NULL) {
        return lbs_question_value(&e->ask, "cookie", cookie, &e->key);
    }
    lbs_question_none(&e->key);
    return NULL;
}

/* The decision ----------------------------------------------------------- */

/* Would a request be turned away at the door of the chosen member? */
static int is_turned_away(const explain_t *e)
{
    const lbs_member_t *m = e->from->member[e->choice.member];
    const lbs_set_limit_t *limit = e->from->set.limit;

    return !e->choice.over && lbs_gauge_full(m->gauge)
           && lbs_queue_waiting(&m->record->queue,
                                (apr_uint64_t)lbs_clock_now())
                  >= limit->queue;
}

/* As for a GET that shows this key and no other. */
static void decide(explain_t *e)
{
    int status;

    lbs_choice_none(&e->choice);
    e->choice.source = e->key.named ? e->key.index : -1;
    status = lbs_decide_shown(&e->ask, &e->key.visit, e->key.why, &e->choice);
    while (status == OK && is_turned_away(e)) {
        status = lbs_decide_again(&e->ask, &e->key.visit, &e->choice,
                                  LBS_REASON_FULL);
    }
    e->stands = apr_palloc(e->r->pool, e->from->count);
    lbs_decide_survey(&e->ask, &e->key.visit, &e->choice, e->stands);
}

/* Why a pick would not take a member; NULL: it would. */
static const char *why_no_pick(const explain_t *e,
                               const lbs_view_member_t *member)
{
    switch (e->stands[member->index]) {
    case LBS_PICK_STANDS_OPEN:
        return NULL;
    case LBS_PICK_STANDS_TRIED:
    case LBS_PICK_STANDS_FULL:
        return lbs_state_name(LBS_STATE_FULL);
    case LBS_PICK_STANDS_IN_RESERVE:
        return member->state == LBS_STATE_STANDBY
                       || member->state == LBS_STATE_SPARE
                   ? lbs_state_name(member->state)
                   : "members of a lower lbset are open";
    default:
        return member->state == LBS_STATE_UP && member->weight <= 0
                   ? "its weight is 0"
                   : lbs_state_name(member->state);
    }
}

/* Was the answer drawn, so that the next request may get another member? */
static int has_chance(const explain_t *e)
{
    apr_size_t i;
    int open = 0;

    for (i = 0; i < e->from->count; i++) {
        open += e->stands[i] == LBS_PICK_STANDS_OPEN;
    }
    return e->choice.drawn && e->choice.member != LBS_NO_MEMBER && open > 1;
}

/* The answer ------------------------------------------------------------- */

static json_t *text(const explain_t *e, const char *string)
{
    return json_string_nocheck(lbs_escape_utf8(e->r->pool, string));
}

static const char *label(const explain_t *e, int index)
{
    apr_uint32_t i;

    for (i = 0; i < e->pool->members_count; i++) {
        if ((int)e->pool->members[i].index == index) {
            return lbs_view_member_label(&e->pool->members[i]);
        }
    }
    return "";
}

static json_t *candidate(const explain_t *e, const lbs_view_member_t *member)
{
    const char *why = why_no_pick(e, member);

    return json_pack("{s:o, s:s, s:b, s:s, s:f}", "member",
                     text(e, lbs_view_member_label(member)), "state",
                     lbs_state_name(member->state), "eligible", why == NULL,
                     "why", why != NULL ? why : "open to new sessions",
                     "score", lbs_pick_score(&e->from->pick, member->index));
}

/* NULL when one of them is missing for lack of memory: then the answer is,
 * too. */
static json_t *candidates(const explain_t *e)
{
    json_t *array = json_array();
    apr_uint32_t i;

    for (i = 0; i < e->pool->members_count; i++) {
        if (json_array_append_new(array, candidate(e, &e->pool->members[i]))
            != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *table(const explain_t *e, const lbs_key_t *key)
{
    apr_time_t left = key->expires - lbs_clock_now();
    int found = key->known && key->stored == 0;
    int member = found ? lbs_pools_member_at(e->from, (apr_uint32_t)key->slot)
                       : LBS_NO_MEMBER;

    return json_pack("{s:b, s:o, s:I}", "found", found, "member",
                     text(e, label(e, member)), "expires_in_s",
                     (json_int_t)(found && left > 0 ? apr_time_sec(left) : 0));
}

static int answer(const explain_t *e)
{
    static const lbs_key_t none = {.slot = -1};
    lbs_out_t *out = lbs_reply_open(e->r, LBS_OUT_PLAIN);
    const lbs_key_t *key =
        e->key.index >= 0 ? &e->key.visit.key[e->key.index] : &none;
    const char *hash =
        key->hash != 0
            ? apr_psprintf(e->r->pool, "%016" APR_UINT64_T_HEX_FMT, key->hash)
            : "";
    json_t *object =
        json_pack("{s:o, s:o, s:s, s:o, s:s, s:s, s:o, s:b, s:o}", "pool",
                  text(e, e->pool->name), "source", text(e, e->key.source),
                  "key", hash, "table", table(e, key), "decision",
                  lbs_decision_name(e->choice.decision), "reason",
                  lbs_reason_name(e->choice.reason), "member",
                  text(e, label(e, e->choice.member)), "chance", has_chance(e),
                  "candidates", candidates(e));

    lbs_json_dump(out, object, JSON_INDENT(1));
    lbs_out_raw(out, "\n");
    return lbs_reply_send(e->r, out, HTTP_OK, "application/json");
}

int lbs_explain_serve(request_rec *r)
{
    explain_t e = {.r = r};
    const char *args = r->args != NULL ? r->args : "";
    const char *wrong = lbs_form_parse(&e.form, r->pool, args, strlen(args));
    int status = HTTP_BAD_REQUEST;

    if (wrong == NULL) {
        wrong = check_names(&e);
    }
    if (wrong != NULL) {
        return lbs_reply_error(r, status, wrong);
    }
    status = find_pool(&e, lbs_collect_view(r->pool, r->server, NULL), &wrong);
    if (status != HTTP_OK) {
        return lbs_reply_error(r, status, wrong);
    }
    e.ask = (lbs_ask_t){.r = r,
                        .pool = e.from,
                        .now = lbs_clock_now(),
                        .idempotent = 1,
                        .traceless = 1};
    wrong = find_key(&e);
    if (wrong != NULL) {
        return lbs_reply_error(r, HTTP_BAD_REQUEST, wrong);
    }
    decide(&e);
    return answer(&e);
}
