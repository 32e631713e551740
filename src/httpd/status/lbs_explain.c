/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_explain.c - /explain: what would be decided for a visitor, and why. */
#include "src/httpd/status/lbs_explain.h"

#include <string.h>

#include <apr_strings.h>

#include "src/httpd/decide/lbs_place.h"
#include "src/httpd/decide/lbs_extract.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/status/lbs_collect.h"
#include "src/view/lbs_escape.h"
#include "src/view/lbs_form.h"
#include "src/view/lbs_json.h"
#include "src/httpd/status/lbs_question.h"
#include "src/httpd/status/lbs_reply.h"

typedef struct explain_t {
    request_rec *r;
    lbs_form_t form;
    const lbs_view_pool_t *pool;
    const lbs_pool_t *from; /* what pool was copied from */
    lbs_question_t key;
    lbs_decision_t decision;
    lbs_reason_t reason;
    const lbs_view_member_t *member; /* NULL: nobody */
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
        return lbs_question_key(e->r, e->from, key, &e->key);
    }
    if (ip != NULL) {
        return lbs_question_value(e->r, e->from, "ip", ip, &e->key);
    }
    if (cookie != NULL) {
        return lbs_question_value(e->r, e->from, "cookie", cookie, &e->key);
    }
    e->key.source = "";
    e->key.member = LBS_NO_MEMBER;
    e->key.why = LBS_REASON_FIRST;
    return NULL;
}

/* Candidates ------------------------------------------------------------- */

/* Why a pick would not take a member; NULL: it would. */
static const char *why_no_pick(const lbs_view_member_t *member,
                               const lbs_member_t *from)
{
    if (lbs_gauge_open_new(from->gauge)) {
        return NULL;
    }
    if (member->state == LBS_STATE_UP && member->weight <= 0) {
        return "its weight is 0";
    }
    return lbs_state_name(member->state);
}

/* Spares and standbys are for when there is nobody else. */
static int tier_of(const lbs_view_member_t *member)
{
    return member->state == LBS_STATE_STANDBY ? 2
           : member->state == LBS_STATE_SPARE ? 1
                                              : 0;
}

/* The method `hash` is a function of the key: ask it. */
static void pick_by_hash(explain_t *e)
{
    static const lbs_slice_t nothing = {NULL, 0};
    apr_uint16_t tried = (apr_uint16_t)e->key.member;
    lbs_pick_ask_t ask = {.rand = lbs_runtime_rand(),
                          .tried = &tried,
                          .ntried = e->key.member != LBS_NO_MEMBER,
                          .bound_centi = e->from->set.method->bound_centi,
                          .hash = e->key.has_hash ? e->key.pick_hash
                                                  : lbs_extract_pick_hash(
                                                      e->r, e->from, nothing)};
    apr_uint32_t index;

    if (lbs_pick_member(&e->from->pick, &ask, &index) == APR_SUCCESS) {
        e->member = &e->pool->members[index];
    }
}

/* The others by their score, without what chance adds. */
static void pick_by_score(explain_t *e)
{
    apr_uint32_t i;
    int best = 3;
    double least = 0;

    for (i = 0; i < e->pool->members_count; i++) {
        const lbs_view_member_t *member = &e->pool->members[i];
        double score = lbs_pick_score(&e->from->pick, i);
        int tier = tier_of(member);

        if ((int)i != e->key.member
            && why_no_pick(member, &e->from->member[i]) == NULL
            && (tier < best || (tier == best && score < least))) {
            best = tier;
            least = score;
            e->member = member;
        }
    }
}

static void pick(explain_t *e)
{
    if (e->from->set.method->method == LBS_PICK_HASH) {
        pick_by_hash(e);
    }
    else {
        pick_by_score(e);
    }
}

/* A key names a member: who is it then? A full one is left for this once. */
static void decide_by_key(explain_t *e)
{
    const lbs_pool_t *from = e->from;
    int named = e->key.member;
    lbs_key_t key = {
        .known = e->key.found,
        .hash = e->key.hash,
        .slot = named != LBS_NO_MEMBER ? (int)from->member[named].slot : -1,
        .expires = e->key.expires,
    };
    lbs_place_t place;

    lbs_place_find(from, &key, lbs_runtime_now(), &place);
    if (place.member != LBS_NO_MEMBER
        && lbs_gauge_full(from->member[place.member].gauge)) {
        place.member = LBS_NO_MEMBER;
        place.why = LBS_REASON_FULL;
    }
    e->decision =
        place.why == LBS_REASON_NONE ? LBS_DECISION_KEPT : LBS_DECISION_MOVED;
    e->reason = place.why;
    if (place.member != LBS_NO_MEMBER) {
        e->member = &e->pool->members[place.member];
    }
    else if (from->failover) {
        pick(e);
    }
}

/* The reason of a refusal, as a request has it in LBSTICKY_REASON. */
static lbs_reason_t why_refused(const explain_t *e)
{
    if (e->key.named && !e->from->failover) {
        return e->reason;
    }
    return lbs_view_pool_count(e->pool, LBS_STATE_FULL) > 0 ? LBS_REASON_FULL
                                                            : LBS_REASON_DOWN;
}

static void decide(explain_t *e)
{
    if (e->key.named) {
        decide_by_key(e);
    }
    else {
        int sticky = e->from->set.sticky->count > 0;

        e->decision = sticky ? LBS_DECISION_NEW : LBS_DECISION_NONE;
        e->reason = sticky ? e->key.why : LBS_REASON_NONE;
        pick(e);
    }
    if (e->member == NULL) {
        e->decision = LBS_DECISION_REFUSED;
        e->reason = why_refused(e);
    }
}

/* The answer ------------------------------------------------------------- */

static json_t *text(const explain_t *e, const char *string)
{
    return json_string_nocheck(lbs_escape_utf8(e->r->pool, string));
}

static const char *label(const lbs_view_member_t *member)
{
    return member != NULL ? lbs_view_member_label(member) : "";
}

static json_t *candidate(const explain_t *e, apr_uint32_t index)
{
    const lbs_view_member_t *member = &e->pool->members[index];
    const char *why = why_no_pick(member, &e->from->member[index]);

    return json_pack("{s:o, s:s, s:b, s:s, s:f}", "member",
                     text(e, label(member)), "state",
                     lbs_state_name(member->state), "eligible", why == NULL,
                     "why", why != NULL ? why : "open to new sessions",
                     "score", lbs_pick_score(&e->from->pick, index));
}

/* NULL when one of them is missing for lack of memory: then the answer is,
 * too. */
static json_t *candidates(const explain_t *e)
{
    json_t *array = json_array();
    apr_uint32_t i;

    for (i = 0; i < e->pool->members_count; i++) {
        if (json_array_append_new(array, candidate(e, i)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *table(const explain_t *e)
{
    apr_time_t left = e->key.expires - lbs_runtime_now();
    int known = e->key.found && e->key.member != LBS_NO_MEMBER;

    return json_pack(
        "{s:b, s:o, s:I}", "found", e->key.found, "member",
        text(e, label(known ? &e->pool->members[e->key.member] : NULL)),
        "expires_in_s",
        (json_int_t)(e->key.found && left > 0 ? apr_time_sec(left) : 0));
}

static int answer(const explain_t *e)
{
    lbs_out_t *out = lbs_reply_open(e->r, LBS_OUT_PLAIN);
    const char *hash =
        e->key.has_hash ? apr_psprintf(e->r->pool, "%016" APR_UINT64_T_HEX_FMT,
                                       e->key.hash)
                        : "";
    json_t *object = json_pack(
        "{s:o, s:o, s:s, s:o, s:s, s:s, s:o, s:o}", "pool",
        text(e, e->pool->name), "source", text(e, e->key.source), "key", hash,
        "table", table(e), "decision", lbs_decision_name(e->decision),
        "reason", lbs_reason_name(e->reason), "member",
        text(e, label(e->member)), "candidates", candidates(e));

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
    wrong = find_key(&e);
    if (wrong != NULL) {
        return lbs_reply_error(r, HTTP_BAD_REQUEST, wrong);
    }
    decide(&e);
    return answer(&e);
}
