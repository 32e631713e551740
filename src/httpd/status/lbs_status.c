/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_status.c - `SetHandler lb-status`: the documents below a location. */
#include "src/httpd/status/lbs_status.h"

#include <string.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include "src/base/lbs_atomic.h"
#include "src/httpd/pool/lbs_present.h"
#include "src/httpd/pool/lbs_received.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/status/lbs_admin_form.h"
#include "src/httpd/status/lbs_collect.h"
#include "src/httpd/status/lbs_document.h"
#include "src/httpd/status/lbs_explain.h"
#include "src/httpd/status/lbs_register.h"
#include "src/httpd/status/lbs_reply.h"
#include "src/view/lbs_assets.h"
#include "src/view/lbs_json.h"
#include "src/view/lbs_metrics.h"
#include "src/view/lbs_page.h"

#define HANDLER "lb-status"

typedef struct document_t {
    const char *name;
    int method; /* M_GET, which includes HEAD, or M_POST */
    int (*serve)(request_rec *r);
} document_t;

static int serve_json(request_rec *r)
{
    lbs_out_t *out = lbs_reply_stream(r, LBS_OUT_PLAIN, "application/json");

    lbs_json_write(out, lbs_collect_view(r->pool, r->server, NULL));
    return lbs_reply_finish(out);
}

static int serve_metrics(request_rec *r)
{
    const char *args = r->args != NULL ? r->args : "";
    lbs_metrics_ask_t ask = {
        lbs_metrics_accepted(apr_table_get(r->headers_in, "Accept")), 0};
    lbs_form_t query;
    lbs_out_t *out =
        lbs_reply_stream(r, LBS_OUT_LABEL, lbs_metrics_type(ask.format));

    ask.detail = lbs_form_parse(&query, r->pool, args, strlen(args)) == NULL
                 && lbs_form_get(&query, "detail") != NULL;
    apr_table_mergen(r->headers_out, "Vary", "Accept");
    lbs_metrics_write(out, lbs_collect_view(r->pool, r->server, NULL), ask);
    return lbs_reply_finish(out);
}

/* "lb-status" on /lb-status, "." on /lb-status/. The client's own path counts:
 * mod_dir may have made /index.html of it. */
static const char *here_of(request_rec *r)
{
    const char *path = r->parsed_uri.path != NULL ? r->parsed_uri.path : "";
    const char *last = strrchr(path, '/');

    if (last == NULL || last[1] == '\0') {
        return ".";
    }
    return ap_os_escape_path(r->pool, last + 1, 0);
}

static int serve_page(request_rec *r)
{
    lbs_out_t *out = lbs_reply_open(r, LBS_OUT_HTML);
    const char *args = r->args != NULL ? r->args : "";
    lbs_page_t page = {NULL, NULL, here_of(r), NULL};
    lbs_collect_t more = {1, NULL};
    lbs_form_t query;
    const char *wrong = lbs_form_parse(&query, r->pool, args, strlen(args));

    if (wrong != NULL) {
        return HTTP_BAD_REQUEST;
    }
    more.day_of = lbs_form_get(&query, "member");
    page.view = lbs_collect_view(r->pool, r->server, &more);
    page.query = &query;
    page.nonce = lbs_admin_form_nonce(r);
    return lbs_reply_send(r, out, lbs_page_write(out, &page),
                          "text/html; charset=utf-8");
}

static int serve_asset(request_rec *r, const lbs_asset_t *asset)
{
    return lbs_reply_bytes(
        r, asset->data, (apr_size_t)(asset->end - asset->data), asset->type);
}

static const document_t *find_document(const char *name)
{
    static const document_t documents[] = {
        {"", M_GET, serve_page},
        {"json", M_GET, serve_json},
        {"metrics", M_GET, serve_metrics},
        {"explain", M_GET, lbs_explain_serve},
        {"admin", M_POST, lbs_admin_form_serve},
        {"register", M_POST, lbs_register_serve},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(documents) / sizeof(*documents); i++) {
        if (strcmp(documents[i].name, name) == 0) {
            return &documents[i];
        }
    }
    return NULL;
}

static int refuse_method(request_rec *r, int method)
{
    ap_allow_standard_methods(r, REPLACE_ALLOW, method, -1);
    return HTTP_METHOD_NOT_ALLOWED;
}

int lbs_status_translate(request_rec *r)
{
    if (lbs_document_is_ours(r, HANDLER)) {
        /* mod_proxy's own way to be told so, as by SetEnvIf. */
        apr_table_setn(r->subprocess_env, "no-proxy", "1");
    }
    return DECLINED;
}

/* A RewriteRule with [P] does not look at no-proxy. */
static int is_taken(request_rec *r)
{
    return r->proxyreq == PROXYREQ_REVERSE && r->filename != NULL
           && strncmp(r->filename, "proxy:", strlen("proxy:")) == 0
           && lbs_document_is_ours(r, HANDLER);
}

int lbs_status_map(request_rec *r)
{
    if (is_taken(r)) {
        r->proxyreq = PROXYREQ_NONE;
        r->handler = NULL;
        r->filename = NULL;
        return ap_core_translate(r) == OK ? DECLINED : HTTP_NOT_FOUND;
    }
    return DECLINED;
}

int lbs_status_fixup(request_rec *r)
{
    if (is_taken(r)) {
        r->proxyreq = PROXYREQ_NONE;
        r->handler = HANDLER;
    }
    return DECLINED;
}

/* Without pools the answer says how to get one.
 */
static int serve_nothing(request_rec *r)
{
    static const char text[] =
        "No pool has LBSticky in force, so there is nothing to show.\n"
        "Write LBSticky cookie into <Proxy \"balancer://...\"> or into the\n"
        "virtual host of the pool, and reload httpd.\n";
    static lbs_atomic64_t told_at;

    if (lbs_clock_once(&told_at, apr_time_from_sec(60))) {
        ap_log_rerror(
            APLOG_MARK, APLOG_WARNING, 0, r,
            LBSNO(3400) "lb-status at %s has nothing to show: no pool has "
                        "LBSticky in force; write LBSticky cookie into "
                        "the <Proxy> section of a pool, or its virtual "
                        "host",
            ap_escape_logitem(r->pool, r->uri));
    }
    r->status = HTTP_SERVICE_UNAVAILABLE;
    ap_set_content_type(r, "text/plain; charset=utf-8");
    (void)ap_rputs(text, r);
    return OK;
}

static int is_known(const char *name)
{
    return find_document(name) != NULL || lbs_asset_find(name) != NULL;
}

/* The members are those of one moment. */
static int serve(request_rec *r, const document_t *document)
{
    lbs_present_hold_t hold = lbs_present_hold();
    int status = document->serve(r);

    lbs_present_release(hold);
    return status;
}

int lbs_status_handler(request_rec *r)
{
    const document_t *document;
    const lbs_asset_t *asset;
    const char *name;
    int method;

    if (r->handler == NULL || strcmp(r->handler, HANDLER) != 0) {
        return DECLINED;
    }
    if (lbs_runtime() == NULL) {
        return serve_nothing(r);
    }
    /* A peer forwards a visitor's request: such a request gets nothing of this
     * server's own. */
    if (lbs_received_of(r)->from != LBS_RECEIVED_CLIENT) {
        return HTTP_FORBIDDEN;
    }
    lbs_reply_headers(r);
    name = lbs_document_name(r, HANDLER, is_known);
    if (name == NULL) {
        return HTTP_NOT_FOUND;
    }
    document = find_document(name);
    asset = document == NULL ? lbs_asset_find(name) : NULL;
    if (document == NULL && asset == NULL) {
        return HTTP_NOT_FOUND;
    }
    method = document != NULL ? document->method : M_GET;
    if (r->method_number != method) {
        return refuse_method(r, method);
    }
    return asset != NULL ? serve_asset(r, asset) : serve(r, document);
}
