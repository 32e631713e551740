/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_admin_form.c - /admin: changing a member on an administrator's behalf.
 *
 * In order: are changes allowed (LBStickyAdmin), may this browser or script
 * make them (nonce or header), is the form sensible, is there such a member,
 * may it be changed from here; then the change is made. Access to the location
 * is httpd's own business.
 */
#include "src/httpd/status/lbs_admin_form.h"

#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>

#include "src/base/lbs_slice.h"
#include "src/httpd/decide/lbs_sessions.h"
#include "src/httpd/health/lbs_operator.h"
#include "src/httpd/pool/lbs_present.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_admin.h"
#include "src/view/lbs_change.h"
#include "src/httpd/status/lbs_admin_found.h"
#include "src/httpd/status/lbs_collect.h"
#include "src/view/lbs_escape.h"
#include "src/view/lbs_json.h"
#include "src/httpd/status/lbs_posted.h"
#include "src/httpd/status/lbs_question.h"
#include "src/affinity/lbs_nonce.h"
#include "src/httpd/status/lbs_reply.h"

typedef struct apply_t {
    request_rec *r;
    int by_form; /* with a nonce: answers are for a browser */
    lbs_form_t form;
    lbs_change_t change;
    lbs_pool_t *pool;
    lbs_member_t *member;
    const lbs_view_pool_t *view_pool;
    const lbs_view_member_t *view_member; /* NULL: it is added */
    const char *id;                       /* of the member */
} apply_t;

/* May it be changed ------------------------------------------------------ */

static void nonce_key(lbs_hash_key_t *key)
{
    lbs_hash_derive(key, lbs_registry_table_key(lbs_runtime()->registry),
                    "nonce of forms");
}

/* A nonce of one virtual host is of no use in another. */
static const char *scope_of(request_rec *r)
{
    return apr_psprintf(r->pool, "%s:%u", r->server->server_hostname,
                        r->server->port);
}

const char *lbs_admin_form_nonce(request_rec *r)
{
    char *nonce;
    lbs_hash_key_t key;

    if (!lbs_collect_admin(r->server)) {
        return NULL;
    }
    nonce = apr_palloc(r->pool, LBS_NONCE_LEN + 1);
    nonce_key(&key);
    lbs_nonce_make(&key, scope_of(r), apr_time_sec(apr_time_now()), nonce);
    return nonce;
}

/* The host of "http://WWW.example.com:80" or "www.example.com:80". */
static lbs_slice_t host_of(const char *text)
{
    const char *from = strstr(text, "://");
    const char *end;

    from = from != NULL ? from + 3 : text;
    end = from[0] == '[' ? strchr(from, ']') : NULL;
    end = end != NULL ? end + 1 : from + strcspn(from, ":/,");
    return lbs_slice_span(from, end);
}

/* Browsers say where a form comes from, and no page can make them lie. The
 * host alone is compared: a proxy in front may have changed port and scheme,
 * and it says which host it was asked for. */
static int is_cross_site(request_rec *r)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const char *host = apr_table_get(r->headers_in, "X-Forwarded-Host");

    if (site != NULL && strcasecmp(site, "cross-site") == 0) {
        return 1;
    }
    if (origin == NULL) {
        return 0;
    }
    if (host != NULL && lbs_slice_caseeq(host_of(origin), host_of(host))) {
        return 0;
    }
    host = apr_table_get(r->headers_in, "Host");
    return host == NULL || !lbs_slice_caseeq(host_of(origin), host_of(host));
}

/* @return NULL; or why this request may not change anything */
static const char *why_forbidden(apply_t *a)
{
    const char *header = apr_table_get(a->r->headers_in, "LBSticky-Admin");
    const char *nonce = lbs_form_get(&a->form, "nonce");
    lbs_hash_key_t key;

    if (is_cross_site(a->r)) {
        return "the form comes from another site";
    }
    if (header != NULL && strcmp(header, "1") == 0) {
        return NULL;
    }
    if (nonce == NULL) {
        return "there is neither a nonce nor the header LBSticky-Admin: 1";
    }
    nonce_key(&key);
    return lbs_nonce_good(&key, scope_of(a->r), apr_time_sec(apr_time_now()),
                          nonce)
               ? NULL
               : "the form is too old, or not from this page: load it again";
}

/* The form --------------------------------------------------------------- */

/* The path of the page, one above us. A proxy in front may have another path
 * for it: then a path relative to the form leads there. */
static const char *page_of(request_rec *r)
{
    const char *last = strrchr(r->uri, '/');

    if (apr_table_get(r->headers_in, "X-Forwarded-Host") != NULL) {
        return "./";
    }
    return ap_os_escape_path(
        r->pool, apr_pstrmemdup(r->pool, r->uri, (apr_size_t)(last - r->uri)),
        1);
}

static int refuse(apply_t *a, int status, const char *sentence)
{
    lbs_out_t *out;

    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, a->r,
                  LBSNO(2100) "not changed: %s",
                  ap_escape_logitem(a->r->pool, sentence));
    if (!a->by_form) {
        return lbs_reply_error(a->r, status, sentence);
    }
    out = lbs_reply_open(a->r, LBS_OUT_HTML);
    lbs_out_put(out,
                "<!DOCTYPE html>\n<html lang='en'>\n<head><meta "
                "charset='utf-8'><title>Not changed</title>"
                "<meta name='color-scheme' content='light dark'>"
                "<link rel='stylesheet' href='style.css'></head>\n"
                "<body><main><h1>Nothing was changed</h1><p id='wrong'>%s."
                "</p><p><a href='%s'>Back</a></p></main></body></html>\n",
                sentence, page_of(a->r));
    return lbs_reply_send(a->r, out, status, "text/html; charset=utf-8");
}

/* Find the member to change; on success a->pool and a->member are set. */
static int find_member(apply_t *a, const lbs_view_t *view, const char **wrong)
{
    int status = lbs_change_find(a->r->pool, &a->change, view, &a->view_pool,
                                 &a->view_member, wrong);

    if (status != HTTP_OK) {
        return status;
    }
    a->pool = lbs_collect_pool(a->view_pool);
    if (a->pool == NULL) {
        *wrong = "the pool was removed just now";
        return HTTP_NOT_FOUND;
    }
    if (a->view_member != NULL) {
        a->member = a->pool->member[a->view_member->index];
        a->id = a->view_member->id;
    }
    return HTTP_OK;
}

/* Doing it --------------------------------------------------------------- */

/* @return NULL; or why there is no such session */
static const char *forget_one(apply_t *a)
{
    lbs_ask_t ask = {
        .r = a->r, .pool = a->pool, .now = lbs_clock_now(), .traceless = 1};
    const lbs_key_t *key;
    lbs_question_t found;
    const char *wrong =
        a->change.key != NULL
            ? lbs_question_key(&ask, a->change.key, &found)
            : lbs_question_value(&ask, "cookie", a->change.cookie, &found);

    if (wrong != NULL) {
        return wrong;
    }
    key = &found.visit.key[found.index];
    if (key->hash == 0 || key->slot != (int)a->member->slot) {
        return "the member has no such session";
    }
    lbs_sessions_forget(a->pool, key);
    return NULL;
}

static const char *who(request_rec *r)
{
    return r->user != NULL
               ? apr_psprintf(r->pool, "by %.40s from %s", r->user,
                              r->useragent_ip)
               : apr_pstrcat(r->pool, "from ", r->useragent_ip, NULL);
}

/* The values of a change as they were given, for events and the log. */
static const char *values_of(const apply_t *a)
{
    static const struct {
        const char *name, *said;
    } fields[] = {
        {"weight", "to"}, {"deadline", "deadline"}, {"idle", "idle for"}};
    const char *list = "";
    apr_size_t i;

    for (i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        const char *value = lbs_form_get(&a->form, fields[i].name);

        if (value != NULL && value[0] != '\0') {
            list = apr_pstrcat(a->r->pool, list, *list != '\0' ? ", " : "",
                               fields[i].said, " ", value, NULL);
        }
    }
    return list;
}

static int comes_or_goes(const apply_t *a)
{
    return a->change.action == LBS_CHANGE_ADD
           || a->change.action == LBS_CHANGE_REMOVE;
}

/* "deadline 10min, by ann from 10.0.0.7" */
static const char *reason_of(const apply_t *a)
{
    int is_new = a->change.action == LBS_CHANGE_ADD;
    const char *values = is_new ? "" : values_of(a);

    return apr_pstrcat(a->r->pool, comes_or_goes(a) ? "admin, " : "", values,
                       *values != '\0' ? ", " : "", who(a->r), NULL);
}

/* A span from now. To lbs_admin.h 0 is none, so at once is the least that
 * there is. */
static apr_interval_time_t from_now(apr_interval_time_t given)
{
    return given == 0 ? 1 : given > 0 ? given : 0;
}

static const char *change_state(apply_t *a)
{
    static const lbs_admin_action_t actions[LBS_CHANGE_FORGET] = {
        [LBS_CHANGE_ENABLE] = LBS_ADMIN_ENABLE,
        [LBS_CHANGE_DRAIN] = LBS_ADMIN_DRAIN,
        [LBS_CHANGE_DISABLE] = LBS_ADMIN_DISABLE,
        [LBS_CHANGE_STANDBY] = LBS_ADMIN_STANDBY,
        [LBS_CHANGE_WEIGHT] = LBS_ADMIN_SET_WEIGHT,
        [LBS_CHANGE_RESET] = LBS_ADMIN_RESET,
    };
    lbs_admin_change_t change = {
        .action = actions[a->change.action],
        .weight = a->change.weight_centi,
        .deadline = from_now(a->change.deadline),
        .idle = from_now(a->change.idle),
        .reason = reason_of(a),
    };

    return lbs_operator_apply(a->pool, a->member, &change);
}

static const char *label_of(const apply_t *a)
{
    return a->view_member != NULL ? lbs_view_member_label(a->view_member)
                                  : a->change.url;
}

static void log_done(const apply_t *a)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, a->r,
                  LBSNO(2101) "pool %s: member %s: %s, %s",
                  ap_escape_logitem(a->r->pool, a->pool->name),
                  ap_escape_logitem(a->r->pool, label_of(a)),
                  lbs_change_action_name(a->change.action), reason_of(a));
}

/* @return 200, or the status of a refusal */
static int come_or_go(apply_t *a, const char **wrong)
{
    lbs_registry_member_info_t info;
    apr_uint32_t slot;
    int status =
        lbs_admin_found_change(a->r->pool, a->pool, a->member, &a->change,
                               reason_of(a), &slot, wrong);

    if (status == HTTP_OK && a->id == NULL
        && lbs_registry_member_info(lbs_runtime()->registry, slot, &info)
               == APR_SUCCESS) {
        a->id = apr_psprintf(a->r->pool, "%016" APR_UINT64_T_HEX_FMT, info.id);
    }
    return status;
}

/* @return 200, or the status of a refusal */
static int do_it(apply_t *a, const char **wrong)
{
    if (comes_or_goes(a)) {
        return come_or_go(a, wrong);
    }
    *wrong = NULL;
    if (a->change.action != LBS_CHANGE_FORGET) {
        *wrong = change_state(a);
    }
    else if (a->change.key != NULL || a->change.cookie != NULL) {
        *wrong = forget_one(a);
    }
    else {
        lbs_sessions_forget_all(a->member, a->r->pool);
    }
    return *wrong == NULL ? HTTP_OK : HTTP_BAD_REQUEST;
}

/* Answering -------------------------------------------------------------- */

/* Back to the member's page, which shows its new state. */
static int redirect(apply_t *a)
{
    apr_pool_t *memory = a->r->pool;

    apr_table_setn(
        a->r->headers_out, "Location",
        apr_pstrcat(memory, page_of(a->r),
                    "?pool=", lbs_escape_url(memory, a->view_pool->name),
                    "&vhost=", lbs_escape_url(memory, a->view_pool->vhost),
                    "&member=", a->id,
                    "&done=", lbs_change_action_name(a->change.action), NULL));
    return HTTP_SEE_OTHER;
}

/* The member as it is now. @return 0: it was removed by a reload since, or
 * there is no memory to write it */
static int write_member(const apply_t *a, lbs_out_t *out)
{
    lbs_present_hold_t hold = lbs_present_hold(); /* with a newcomer */
    const lbs_view_t *view = lbs_collect_view(a->r->pool, a->r->server, NULL);
    const lbs_view_pool_t *pool =
        lbs_view_pool_find(view, a->view_pool->name, a->view_pool->vhost);
    const lbs_view_member_t *member =
        pool != NULL ? lbs_view_member_find(pool, a->id) : NULL;

    if (member != NULL) {
        lbs_json_write_member(out, member);
    }
    lbs_present_release(hold);
    return member != NULL && out->status == APR_SUCCESS;
}

static void write_done(const apply_t *a, lbs_out_t *out)
{
    lbs_out_put(out, "{\"id\":\"%s\",\"done\":\"%s\"}\n", a->id,
                lbs_change_action_name(a->change.action));
}

/* It is done by now, so that no answer may say anything else. */
static int answer(apply_t *a)
{
    lbs_out_t *out;

    if (a->by_form) {
        return redirect(a);
    }
    out = lbs_reply_open(a->r, LBS_OUT_PLAIN);
    if (write_member(a, out)) {
        return lbs_reply_send(a->r, out, HTTP_OK, "application/json");
    }
    if (a->change.action != LBS_CHANGE_REMOVE) {
        ap_log_rerror(
            APLOG_MARK, APLOG_WARNING, out->status, a->r,
            LBSNO(2102) "pool %s: member %s was changed, but its JSON "
                        "could not be written for lack of memory, or "
                        "because a reload has removed it; ask for "
                        "/lb-status/json to see how it is now",
            ap_escape_logitem(a->r->pool, a->pool->name),
            ap_escape_logitem(a->r->pool, label_of(a)));
    }
    out = lbs_reply_open(a->r, LBS_OUT_PLAIN);
    write_done(a, out);
    return lbs_reply_send(a->r, out, HTTP_OK, "application/json");
}

/* Read and check the form. @return OK, or a refusal that was sent */
static int read_form(apply_t *a)
{
    char *body = apr_palloc(a->r->pool, LBS_FORM_BYTES + 1);
    apr_size_t len;
    int status = lbs_posted_read(a->r, body, &len);
    const char *wrong;

    if (status != OK) {
        return status;
    }
    if (!lbs_posted_is_form(a->r)) {
        return refuse(a, HTTP_BAD_REQUEST,
                      "wanted is a form, application/x-www-form-urlencoded");
    }
    wrong = lbs_form_parse(&a->form, a->r->pool, body, len);
    if (wrong != NULL) {
        return refuse(a, HTTP_BAD_REQUEST, wrong);
    }
    a->by_form = lbs_form_get(&a->form, "nonce") != NULL
                 && apr_table_get(a->r->headers_in, "LBSticky-Admin") == NULL;
    return OK;
}

int lbs_admin_form_serve(request_rec *r)
{
    apply_t a = {.r = r};
    const char *wrong;
    int status;

    if (!lbs_collect_admin(r->server)) {
        return refuse(&a, HTTP_FORBIDDEN,
                      "LBStickyAdmin is off here; write LBStickyAdmin on");
    }
    status = read_form(&a);
    /* A refusal that was sent is OK to httpd, too. */
    if (status != OK || r->status != HTTP_OK) {
        return status;
    }
    wrong = why_forbidden(&a);
    if (wrong != NULL) {
        return refuse(&a, HTTP_FORBIDDEN, wrong);
    }
    wrong = lbs_change_check(r->pool, &a.form, &a.change);
    if (wrong != NULL) {
        return refuse(&a, HTTP_BAD_REQUEST, wrong);
    }
    status =
        find_member(&a, lbs_collect_view(r->pool, r->server, NULL), &wrong);
    if (status != HTTP_OK) {
        return refuse(&a, status, wrong);
    }
    status = do_it(&a, &wrong);
    if (status != HTTP_OK) {
        return refuse(&a, status, wrong);
    }
    log_done(&a);
    return answer(&a);
}
