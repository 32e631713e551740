/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_register.c - see lbs_register.h.
 *
 * In order: may members register here (LBStickyRegister), is the token one of
 * those that may, is the form sensible, is the address the caller's; then the
 * process that ticks is asked (lbs_wishes.h). Access to the location is
 * httpd's own business.
 */
#include "src/httpd/status/lbs_register.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <string.h>
#include <strings.h>

#include "src/base/lbs_text.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/pool/lbs_present.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/shared/lbs_wishes.h"
#include "src/httpd/status/lbs_collect.h"
#include "src/httpd/status/lbs_posted.h"
#include "src/httpd/status/lbs_reply.h"
#include "src/view/lbs_form.h"
#include "src/view/lbs_json.h"

#define LEASE_MIN APR_INT64_C(1000000)     /* a second */
#define LEASE_MAX APR_INT64_C(86400000000) /* a day */

typedef struct call_t {
    request_rec *r;
    const lbs_set_register_t *set;
    const char *token;
    lbs_form_t form;
    const lbs_pool_t *pool;
    lbs_wish_t wish;
} call_t;

/* A caller may be one that tries tokens, so that it is told once a minute. */
static int refuse(const call_t *call, int status, const char *sentence)
{
    static lbs_atomic64_t told_at;

    if (lbs_clock_once(&told_at, apr_time_from_sec(60))) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, call->r,
                      LBSNO(2103) "not registered: %s; correct the "
                                  "member's call; further refusals of "
                                  "this process are not logged for a minute",
                      ap_escape_logitem(call->r->pool, sentence));
    }
    return lbs_reply_error(call->r, status, sentence);
}

static const char *token_of(request_rec *r)
{
    const char *header = apr_table_get(r->headers_in, "Authorization");

    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0) {
        return NULL;
    }
    return header + 7 + strspn(header + 7, " ");
}

static const char *field(const call_t *call, const char *name)
{
    const char *value = lbs_form_get(&call->form, name);

    return value != NULL && *value != '\0' ? value : NULL;
}

/* @return NULL; or why not */
static const char *check_names(const call_t *call)
{
    static const char *const names[] = {"pool",   "vhost", "port", "url",
                                        "weight", "lease", "leave"};
    apr_size_t k;
    int i;

    for (i = 0; i < call->form.count; i++) {
        for (k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            if (strcmp(names[k], call->form.fields[i].name) == 0) {
                break;
            }
        }
        if (k == sizeof(names) / sizeof(names[0])) {
            return apr_psprintf(call->r->pool, "there is no field %.64s",
                                call->form.fields[i].name);
        }
    }
    return NULL;
}

/* @return how many pools have the name */
static int find_pool(call_t *call, const char *name, const char *vhost)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i, count = 0;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);

        if (strcmp(pool->name, name) == 0
            && (vhost == NULL || strcmp(pool->vhost, vhost) == 0)) {
            call->pool = pool;
            count++;
        }
    }
    return count;
}

/* The caller's own address, in brackets if it is of version 6. */
static const char *own_address(request_rec *r, lbs_net_t *net)
{
    const char *text = r->useragent_ip;

    if (strncasecmp(text, "::ffff:", 7) == 0 && strchr(text, '.') != NULL) {
        text += 7;
    }
    if (!lbs_net_read(text, strlen(text), net)) {
        return NULL;
    }
    return strchr(text, ':') != NULL
               ? apr_pstrcat(r->pool, "[", text, "]", NULL)
               : text;
}

static int is_own(const char *url, const lbs_net_t *own)
{
    const char *host = strstr(url, "://");
    lbs_net_t net;
    apr_size_t n;

    host = host != NULL ? host + 3 : url;
    host += *host == '[';
    n = strcspn(host, host > url && host[-1] == '[' ? "]" : ":/");
    return lbs_net_read(host, n, &net) && memcmp(&net, own, sizeof(net)) == 0;
}

static int say_member(call_t *call)
{
    request_rec *r = call->r;
    const char *url = field(call, "url");
    const char *port = field(call, "port");
    lbs_net_t own;
    const char *address = own_address(r, &own);
    apr_uint64_t number;

    if ((url == NULL) == (port == NULL)) {
        return refuse(call, 400, "wanted is one of the fields port and url");
    }
    if (port != NULL
        && (address == NULL
            || lbs_text_uint(port, 1, 65535, &number) != NULL)) {
        return refuse(call, 400, "port: wanted is a number from 1 to 65535");
    }
    if (url != NULL && strlen(url) >= sizeof(call->wish.url)) {
        return refuse(call, 400, "url is too long");
    }
    if (url != NULL && !call->set->from_any
        && (address == NULL || !is_own(url, &own))) {
        return refuse(call, 403,
                      "url has another address than the caller: leave it out "
                      "and say port, or write from=any into LBStickyRegister");
    }
    apr_cpystrn(call->wish.url,
                url != NULL ? url
                            : apr_pstrcat(r->pool, address, ":", port, NULL),
                sizeof(call->wish.url));
    return OK;
}

static int say_values(call_t *call)
{
    const char *weight = field(call, "weight");
    const char *lease = field(call, "lease");
    const char *leave = field(call, "leave");

    call->wish.weight = LBS_WISH_UNSAID;
    call->wish.lease = call->set->lease;
    call->wish.kind = leave != NULL ? LBS_WISH_LEAVE : LBS_WISH_REGISTER;
    if (leave != NULL && strcmp(leave, "1") != 0) {
        return refuse(call, 400, "leave: wanted is 1, or no such field");
    }
    if (weight != NULL
        && lbs_text_centi(weight, 0, 10000, &call->wish.weight) != NULL) {
        return refuse(call, 400, "weight: wanted is a number from 0 to 100");
    }
    if (lease != NULL
        && (lbs_text_duration(lease, &call->wish.lease) != NULL
            || call->wish.lease < LEASE_MIN || call->wish.lease > LEASE_MAX)) {
        return refuse(call, 400, "lease: wanted is a duration from 1s to 1d");
    }
    return OK;
}

/* @return OK, or a refusal that was sent */
static int read_form(call_t *call)
{
    request_rec *r = call->r;
    char *body = apr_palloc(r->pool, LBS_FORM_BYTES + 1);
    apr_size_t len;
    int status = lbs_posted_read(r, body, &len);
    const char *wrong;

    if (status != OK) {
        return status;
    }
    if (!lbs_posted_is_form(r)) {
        return refuse(call, 400,
                      "wanted is a form, application/x-www-form-urlencoded, "
                      "with the fields pool and port");
    }
    wrong = lbs_form_parse(&call->form, r->pool, body, len);
    if (wrong == NULL) {
        wrong = check_names(call);
    }
    return wrong != NULL ? refuse(call, 400, wrong) : OK;
}

/* A token of no pool is told nothing of pools. */
static int choose_pool(call_t *call)
{
    const char *name = field(call, "pool");
    int count;

    if (name == NULL) {
        return refuse(call, 400, "the field pool is missing");
    }
    if (!lbs_tokens_has(&call->set->tokens, call->token, name)) {
        return refuse(call, 403,
                      "the token is none of those in the file of "
                      "LBStickyRegister, or not of this pool");
    }
    count = find_pool(call, name, field(call, "vhost"));
    if (count > 1) {
        return refuse(call, 400,
                      "several virtual hosts have a pool of this name: say "
                      "vhost, as /lb-status/json has it");
    }
    return count == 1 ? OK : refuse(call, 404, "there is no such pool");
}

static int answer(const call_t *call, apr_uint32_t slot)
{
    lbs_present_hold_t hold = lbs_present_hold(); /* with a newcomer */
    request_rec *r = call->r;
    const lbs_view_t *view = lbs_collect_view(r->pool, r->server, NULL);
    const lbs_view_pool_t *pool =
        lbs_view_pool_find(view, call->pool->name, call->pool->vhost);
    const lbs_view_member_t *member = NULL;
    lbs_out_t *out = lbs_reply_open(r, LBS_OUT_PLAIN);
    lbs_registry_member_info_t info;

    if (lbs_registry_member_info(lbs_runtime()->registry, slot, &info)
            == APR_SUCCESS
        && pool != NULL) {
        member = lbs_view_member_find(
            pool, apr_psprintf(r->pool, "%016" APR_UINT64_T_HEX_FMT, info.id));
    }
    if (member != NULL) {
        lbs_json_write_member(out, member);
    }
    else {
        lbs_out_raw(out, "{\"done\":\"leave\"}\n");
    }
    lbs_present_release(hold);
    return lbs_reply_send(r, out, HTTP_OK, "application/json");
}

static int ask(call_t *call)
{
    lbs_wish_answer_t said;

    call->wish.pool_slot = call->pool->slot;
    apr_cpystrn(call->wish.reason,
                apr_pstrcat(call->r->pool, "register, from ",
                            call->r->useragent_ip, NULL),
                sizeof(call->wish.reason));
    lbs_wishes_ask(&call->wish, &said);
    return said.status == HTTP_OK
               ? answer(call, said.slot)
               : refuse(call, (int)said.status,
                        apr_pstrdup(call->r->pool, said.text));
}

int lbs_register_serve(request_rec *r)
{
    call_t call = {.r = r, .set = lbs_config_of(r->server)->set.registers};
    int status;

    if (call.set == NULL || call.set->file == NULL) {
        return refuse(&call, 403,
                      "members may not register here; write LBStickyRegister "
                      "file:PATH");
    }
    call.token = token_of(r);
    if (call.token == NULL) {
        return refuse(&call, 403,
                      "wanted is a header Authorization: Bearer TOKEN");
    }
    status = read_form(&call);
    /* A refusal that was sent is OK to httpd, too. */
    if (status == OK && r->status == HTTP_OK) {
        status = choose_pool(&call);
    }
    if (status == OK && r->status == HTTP_OK) {
        status = say_member(&call);
    }
    if (status == OK && r->status == HTTP_OK) {
        status = say_values(&call);
    }
    return status == OK && r->status == HTTP_OK ? ask(&call) : status;
}
