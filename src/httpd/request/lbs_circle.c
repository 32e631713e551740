/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_circle.c - see lbs_circle.h. */
#include "src/httpd/request/lbs_circle.h"

#include <apr_uri.h>
#include <string.h>

#include "src/httpd/decide/lbs_client.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

#define WARN_EVERY apr_time_from_sec(3600)

/* What the visitor asked for, before any internal redirect. */
static const char *asked_for(const request_rec *r)
{
    const char *uri, *host;

    while (r->prev != NULL || r->main != NULL) {
        r = r->prev != NULL ? r->prev : r->main;
    }
    uri = r->unparsed_uri;
    if (*uri == '/' || (host = strstr(uri, "://")) == NULL) {
        return uri;
    }
    host += strlen("://");
    return host + strcspn(host, "/?");
}

static apr_port_t port_or_usual(const apr_uri_t *url)
{
    return url->port_str != NULL ? url->port : APR_URI_HTTPS_DEFAULT_PORT;
}

/* Is a Location the https URL of what was asked for? */
static int is_same(request_rec *r, const char *location)
{
    const char *path, *asked = asked_for(r);
    apr_uri_t url;
    apr_size_t n;

    if (r->hostname == NULL
        || ap_cstr_casecmpn(location, "https://", strlen("https://")) != 0
        || apr_uri_parse(r->pool, location, &url) != APR_SUCCESS
        || url.hostname == NULL
        || ap_cstr_casecmp(url.hostname, r->hostname) != 0
        || port_or_usual(&url) != port_or_usual(&r->parsed_uri)) {
        return 0;
    }
    path = location + strlen("https://");
    path += strcspn(path, "/?#");
    n = strcspn(path, "#");
    return strlen(asked) == n && strncmp(path, asked, n) == 0;
}

/* A cookie may make the second answer another one. */
static int is_circle(request_rec *r)
{
    const char *location;

    return ap_is_HTTP_REDIRECT(r->status) && r->status != HTTP_NOT_MODIFIED
           && r->method_number == M_GET
           && (location = apr_table_get(r->headers_out, "Location")) != NULL
           && apr_table_get(r->headers_out, "Set-Cookie") == NULL
           && is_same(r, location);
}

static void tell_https(request_rec *r, const lbs_request_t *req)
{
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                  LBSNO(3502) "pool %s: member %s redirects https://%s%s to "
                              "itself, so visitors go in a circle: let the "
                              "site believe X-Forwarded-Proto (Django: write "
                              "SECURE_PROXY_SSL_HEADER)%s",
                  req->pool->name, req->pool->member[req->choice.member]->name,
                  r->hostname, asked_for(r),
                  req->pool->set.forward->proto
                      ? ""
                      : ", and take proto=off out of LBStickyForward");
}

static void tell_http(request_rec *r, const lbs_request_t *req)
{
    const char *client = r->connection->client_ip;

    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                  LBSNO(3503) "pool %s: %s says X-Forwarded-Proto: https and "
                              "is redirected to https, in a circle if it is "
                              "a proxy of yours: write RemoteIPHeader "
                              "X-Forwarded-For and RemoteIPTrustedProxy %s",
                  req->pool->name, client, client);
}

void lbs_circle_look(request_rec *r, const lbs_request_t *req)
{
    int https;

    if (!is_circle(r)) {
        return;
    }
    /* The header is the member's by now: it has what the member was told. */
    https = lbs_client_https(r, lbs_client_told(r, LBS_CLIENT_PROTO));
    if (!https && !lbs_client_claims_https(r)) {
        return; /* the usual way from http to https */
    }
    lbs_recent_add(&lbs_runtime()->notes.circles[req->pool->slot],
                   (apr_uint64_t)lbs_clock_now());
    if (!lbs_clock_once(&lbs_runtime()->notes.circle_at[req->pool->slot],
                        WARN_EVERY)) {
        return;
    }
    if (https) {
        tell_https(r, req);
    }
    else {
        tell_http(r, req);
    }
}
