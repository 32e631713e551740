/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_local_map.c - see lbs_local_map.h. */
#include "src/httpd/local/lbs_local_map.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_request.h>
#include <string.h>

/* mod_proxy leaves a request alone that has this in its environment. */
#define NO_PROXY "no-proxy"

/* Where this stands mod_rewrite takes the filename for its own work. As at a
 * member, its rules look at the URL that came out of them the first time. */
#define REWRITTEN "mod_rewrite_rewritten"

/* ProxyPass ... mapping=encoded: the path has not been decoded. */
static int is_encoded(const request_rec *r)
{
    return apr_table_get(r->notes, "proxy-noencode") != NULL;
}

int lbs_local_map_is_same(const request_rec *r)
{
    const char *path = strstr(r->filename, "://");

    path = path != NULL ? strchr(path + 3, '/') : NULL;
    if (path == NULL) {
        return 0;
    }
    return strcmp(path, apr_table_get(r->notes, "proxy-nocanon") != NULL
                            ? r->unparsed_uri
                            : r->uri)
           == 0;
}

/* As the core does to a path before it is translated; before httpd 2.4.51 with
 * other functions. */
static int unescape(char *path, const core_dir_config *conf)
{
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 118)
    unsigned flags = AP_UNESCAPE_URL_KEEP_UNRESERVED;

    if (!conf->allow_encoded_slashes) {
        flags |= AP_UNESCAPE_URL_FORBID_SLASHES;
    }
    else if (!conf->decode_encoded_slashes) {
        flags |= AP_UNESCAPE_URL_KEEP_SLASHES;
    }
    return ap_unescape_url_ex(path, flags);
#else
    return conf->allow_encoded_slashes
               ? ap_unescape_url_keep2f(path, conf->decode_encoded_slashes)
               : ap_unescape_url(path);
#endif
}

static int decode(request_rec *r)
{
    const core_dir_config *conf = ap_get_core_module_config(r->per_dir_config);

    r->uri = apr_pstrdup(r->pool, r->uri);
    r->parsed_uri.path = r->uri;
    return unescape(r->uri, conf);
}

static int translate(request_rec *r)
{
    int status;

    apr_table_setn(r->subprocess_env, NO_PROXY, "1");
    apr_table_unset(r->notes, REWRITTEN);
    status = ap_run_translate_name(r);
    apr_table_unset(r->subprocess_env, NO_PROXY);
    if (status != OK && status != DONE) {
        return status;
    }
    /* A RewriteRule [P] does not look at no-proxy. */
    return r->proxyreq != PROXYREQ_NONE || r->filename == NULL ? DECLINED : OK;
}

int lbs_local_map_map(request_rec *r, lbs_local_map_t *undo)
{
    int status = OK;

    undo->before = *r;
    r->notes = apr_table_copy(r->pool, r->notes);
    r->subprocess_env = apr_table_copy(r->pool, r->subprocess_env);
    r->headers_out = apr_table_copy(r->pool, r->headers_out);
    r->proxyreq = PROXYREQ_NONE;
    r->filename = NULL;
    r->canonical_filename = NULL;
    r->handler = NULL;
    if (is_encoded(r)) {
        status = decode(r);
    }
    return status == OK ? translate(r) : status;
}

void lbs_local_map_undo(request_rec *r, const lbs_local_map_t *undo)
{
    *r = undo->before;
}
