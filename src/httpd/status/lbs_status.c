/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_status.c - `SetHandler lb-status`: the documents below a location.
 *
 * A handler does not know which location it was set for. The name of the
 * document is the last part of the path if it is one of ours; else the page
 * is meant, unless the path without its last part has this handler, too.
 */
#include "src/httpd/status/lbs_status.h"

#include <string.h>
#include <strings.h>

#include <ap_expr.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/status/lbs_admin_form.h"
#include "src/view/lbs_assets.h"
#include "src/httpd/status/lbs_collect.h"
#include "src/httpd/status/lbs_explain.h"
#include "src/view/lbs_json.h"
#include "src/view/lbs_metrics.h"
#include "src/view/lbs_page.h"
#include "src/httpd/status/lbs_reply.h"

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
    lbs_metrics_format_t format =
        lbs_metrics_accepted(apr_table_get(r->headers_in, "Accept"));
    lbs_out_t *out =
        lbs_reply_stream(r, LBS_OUT_LABEL, lbs_metrics_type(format));

    apr_table_mergen(r->headers_out, "Vary", "Accept");
    lbs_metrics_write(out, lbs_collect_view(r->pool, r->server, NULL), format);
    return lbs_reply_finish(out);
}

/* "lb-status" on /lb-status, "." on /lb-status/. What the client asked for
 * counts: mod_dir may have made /index.html of it. */
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
        {"json", M_GET, serve_json},
        {"metrics", M_GET, serve_metrics},
        {"explain", M_GET, lbs_explain_serve},
        {"admin", M_POST, lbs_admin_form_serve},
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

/* Does the configuration of the request's location set this handler? */
static int is_ours(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    const char *handler = core->handler;
    const char *error = NULL;

    /* To httpd every SetHandler is an expression; one that cannot be
     * evaluated is reported when the handler is chosen. */
    if (core->expr_handler != NULL) {
        handler = ap_expr_str_exec(r, core->expr_handler, &error);
    }
    return handler != NULL && error == NULL
           && strcasecmp(handler, HANDLER) == 0;
}

/* Is it something below a location that is asked for, not the location? */
static int is_below(request_rec *r)
{
    apr_size_t n = strlen(r->uri);
    request_rec *parent;
    int below;

    if (r->path_info == NULL || strcmp(r->path_info, "") == 0
        || strcmp(r->path_info, "/") == 0) {
        return 0;
    }
    while (n > 1 && r->uri[n - 1] == '/') {
        n--;
    }
    while (n > 1 && r->uri[n - 1] != '/') {
        n--;
    }
    parent = ap_sub_req_lookup_uri(
        ap_os_escape_path(r->pool, apr_pstrmemdup(r->pool, r->uri, n), 1), r,
        NULL);
    below = is_ours(parent);
    ap_destroy_sub_req(parent);
    return below;
}

int lbs_status_translate(request_rec *r)
{
    if (is_ours(r)) {
        /* mod_proxy's own way to be told so, as by SetEnvIf. */
        apr_table_setn(r->subprocess_env, "no-proxy", "1");
    }
    return DECLINED;
}

int lbs_status_handler(request_rec *r)
{
    static const document_t page = {"", M_GET, serve_page};
    const document_t *document;
    const lbs_asset_t *asset;
    const char *name;

    if (r->handler == NULL || strcmp(r->handler, HANDLER) != 0) {
        return DECLINED;
    }
    if (lbs_runtime() == NULL) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    lbs_reply_headers(r);
    name = strrchr(r->uri, '/');
    name = name != NULL ? name + 1 : r->uri;
    document = find_document(name);
    asset = document == NULL ? lbs_asset_find(name) : NULL;
    if (document == NULL && asset == NULL && is_below(r)) {
        return HTTP_NOT_FOUND;
    }
    document = document != NULL ? document : &page;
    if (r->method_number != document->method) {
        return refuse_method(r, document->method);
    }
    return asset != NULL ? serve_asset(r, asset) : document->serve(r);
}
