/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_reverse.c - see lbs_reverse.h. */
#include "src/httpd/request/lbs_reverse.h"

#include <apr_strings.h>
#include <apr_uri.h>
#include <http_core.h>
#include <stdlib.h>

/* The fields that mod_proxy maps, too. */
static const char *const fields[] = {"Location", "Content-Location", "URI",
                                     "Destination"};

/* Is a port the one the visitor used? The site's own is stated to members in
 * X-Forwarded-Port; a Host without a port means the default of the scheme. */
static int is_their_port(const request_rec *r, const apr_uri_t *url)
{
    const char *forwarded = apr_table_get(r->headers_in, "X-Forwarded-Port");
    apr_port_t usual = apr_uri_port_of_scheme(url->scheme);
    apr_port_t port = url->port != 0 ? url->port : usual;

    return port
               == (r->parsed_uri.port_str != NULL ? r->parsed_uri.port : usual)
           || (forwarded != NULL && port == (apr_port_t)atoi(forwarded));
}

/* @return the path of a URL that has the visitor's host; NULL: it has not */
static const char *path_of(const request_rec *r, const char *text)
{
    const char *path;
    apr_uri_t url;

    if (r->hostname == NULL
        || apr_uri_parse(r->pool, text, &url) != APR_SUCCESS
        || url.scheme == NULL || url.hostname == NULL || url.user != NULL
        || (ap_cstr_casecmp(url.scheme, "http") != 0
            && ap_cstr_casecmp(url.scheme, "https") != 0)
        || ap_cstr_casecmp(url.hostname, r->hostname) != 0
        || !is_their_port(r, &url)) {
        return NULL;
    }
    path = text + strcspn(text, ":") + strlen("://");
    return path + strcspn(path, "/?#");
}

/* Ask for the mapping of the same path with the member's scheme and host; then
 * scheme and host stay as the member wrote them, unless the mapping names
 * another site. */
static const char *map_path(request_rec *r, const lbs_request_t *req,
                            const char *text, const char *path)
{
    const char *name = req->pool->member[req->choice.member]->name;
    const char *host = strstr(name, "://") + strlen("://");
    const char *url = apr_pstrcat(
        r->pool,
        apr_pstrmemdup(r->pool, name,
                       (apr_size_t)(host - name) + strcspn(host, "/")),
        path, NULL);
    const char *mapped = lbs_worker_map_back(r, req->conf, url);
    const char *site = ap_construct_url(r->pool, "", r);
    apr_size_t n = strlen(site);

    if (mapped == url) {
        return text;
    }
    if (strncmp(mapped, site, n) != 0) {
        return mapped;
    }
    return apr_pstrcat(
        r->pool, apr_pstrmemdup(r->pool, text, (apr_size_t)(path - text)),
        mapped + n, NULL);
}

/* ProxyPassReverse "/" "balancer://app/" looks through the members that
 * mod_proxy knows. A URL of a member that was found is mapped as that of the
 * pool's first. @return text, if no mapping is for it */
static const char *map_found(request_rec *r, const lbs_request_t *req,
                             const char *text)
{
    const lbs_member_t *m = req->pool->member[req->choice.member];
    apr_size_t n = strlen(m->place);
    const char *url, *mapped;

    if (*m->found == '\0' || ap_cstr_casecmpn(text, m->place, n) != 0
        || (text[n] != '/' && text[n] != '\0')) {
        return text;
    }
    url = apr_pstrcat(r->pool, lbs_worker_name(req->pool->model), text + n,
                      NULL);
    mapped = lbs_worker_map_back(r, req->conf, url);
    return mapped != url ? mapped : text;
}

void lbs_reverse_map(request_rec *r, const lbs_request_t *req)
{
    unsigned i;

    if (req->conf == NULL || !lbs_worker_maps_back(req->conf)) {
        return;
    }
    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *text = apr_table_get(r->headers_out, fields[i]);
        const char *mapped = text, *path;

        if (text == NULL) {
            continue;
        }
        mapped = lbs_worker_map_back(r, req->conf, text);
        if (mapped == text) {
            mapped = map_found(r, req, text);
        }
        /* A member that is sent its own name does not build URLs of the
         * visitor's. */
        if (mapped == text && req->pool->set.forward->host
            && (path = path_of(r, text)) != NULL) {
            mapped = map_path(r, req, text, path);
        }
        if (mapped != text) {
            apr_table_setn(r->headers_out, fields[i], mapped);
        }
    }
}
