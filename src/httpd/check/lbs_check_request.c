/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check_request.c - see lbs_check_request.h. */
#include "src/httpd/check/lbs_check_request.h"

#include <ap_listen.h>
#include <apr_strings.h>
#include <http_core.h>

#include "src/httpd/proxy/lbs_remote.h"

#define HTTPS_PORT 443
#define HTTP_PORT 80

/* The virtual host as visitors reach it ---------------------------------- */

/* How a site is reached. */
typedef struct site_t {
    const char *name; /* of Host, with a port where it is not the usual one */
    const char *bare; /* without */
    const char *proto;
    apr_port_t port;
} site_t;

/* By https as the configuration says, or by its port. httpd's own hook would
 * ask mod_ssl, which looks at a visitor's connection, and there is none. */
static const char *scheme_of(const server_rec *s, const lbs_check_tls_t *tls)
{
    const char *listens = ap_get_server_protocol((server_rec *)s);

    if (s->server_scheme != NULL) {
        return strcmp(s->server_scheme, "https") == 0 ? "https" : "http";
    }
    return tls->engine || s->port == HTTPS_PORT
                   || (s->addrs != NULL && s->addrs->host_port == HTTPS_PORT)
                   || (listens != NULL && strcmp(listens, "https") == 0)
               ? "https"
               : "http";
}

static apr_port_t usual_port(const char *proto)
{
    return strcmp(proto, "https") == 0 ? HTTPS_PORT : HTTP_PORT;
}

/* The port in ServerName, or of the scheme there, or in <VirtualHost>, or of a
 * Listen. */
static apr_port_t port_of(const server_rec *s, const char *proto)
{
    apr_port_t usual = usual_port(proto);
    apr_port_t first = usual;
    const ap_listen_rec *l;

    if (s->port != 0) {
        return s->port;
    }
    if (s->server_scheme != NULL) {
        return usual;
    }
    if (s->addrs != NULL && s->addrs->host_port != 0) {
        return s->addrs->host_port;
    }
    /* The list's end is the first Listen. */
    for (l = ap_listeners; l != NULL; l = l->next) {
        first = l->bind_addr->port;
        if (first == usual) {
            break;
        }
    }
    return first;
}

/* Without a port: "www.example.com:8080", "[::1]:80". */
static const char *without_port(apr_pool_t *memory, const char *host)
{
    const char *end = *host == '[' ? strchr(host, ']') : strrchr(host, ':');

    if (*host == '[') {
        end = end != NULL ? end + 1 : NULL;
    }
    return end == NULL
               ? host
               : apr_pstrmemdup(memory, host, (apr_size_t)(end - host));
}

static const char *bracketed(apr_pool_t *memory, const char *host)
{
    return *host != '[' && strchr(host, ':') != NULL
               ? apr_pstrcat(memory, "[", host, "]", NULL)
               : host;
}

static site_t site_of(apr_pool_t *memory, const lbs_pool_t *pool,
                      const lbs_check_tls_t *tls)
{
    const lbs_set_check_t *set = pool->set.check;
    const server_rec *s = pool->server;
    const char *own = scheme_of(s, tls);
    site_t site = {.proto = own};

    if (set->proto != NULL) {
        site.proto =
            ap_cstr_casecmp(set->proto, "https") == 0 ? "https" : "http";
    }
    /* Reached otherwise than this server is: somebody stands in front. */
    site.port = strcmp(site.proto, own) == 0 ? port_of(s, own)
                                             : usual_port(site.proto);
    site.name = set->host;
    if (site.name == NULL) {
        site.name = bracketed(memory, s->server_hostname);
        if (site.port != usual_port(site.proto)) {
            site.name = apr_psprintf(memory, "%s:%u", site.name, site.port);
        }
    }
    site.bare = without_port(memory, site.name);
    return site;
}

/* The member ------------------------------------------------------------- */

static const struct {
    const char *scheme;
    lbs_check_request_kind_t kind;
    int tls;
} schemes[] = {
    {"http", LBS_CHECK_REQUEST_HTTP, 0}, {"https", LBS_CHECK_REQUEST_HTTP, 1},
    {"ws", LBS_CHECK_REQUEST_HTTP, 0},   {"wss", LBS_CHECK_REQUEST_HTTP, 1},
    {"h2c", LBS_CHECK_REQUEST_H2, 0},    {"h2", LBS_CHECK_REQUEST_H2, 1},
};

static int find_scheme(const char *scheme, lbs_check_request_kind_t *kind)
{
    unsigned i;

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (ap_cstr_casecmp(schemes[i].scheme, scheme) == 0) {
            *kind = schemes[i].kind;
            return schemes[i].tls;
        }
    }
    *kind = LBS_CHECK_REQUEST_CONNECT;
    return 0;
}

/* The name in the TLS handshake is the one that requests use: the member's
 * own, unless ProxyPreserveHost is written. */
static int asks_for_site(const lbs_check_tls_t *tls)
{
    return tls->keep_host > 0;
}

/* The path of a member's URL, as a directory: "/", "/shop/". */
static const char *root_of(apr_pool_t *memory, const lbs_member_t *m)
{
    const char *host = strstr(m->place, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;

    if (path == NULL) {
        return "/";
    }
    return path[strlen(path) - 1] == '/'
               ? path
               : apr_pstrcat(memory, path, "/", NULL);
}

static const char *path_of(apr_pool_t *memory, const lbs_pool_t *pool,
                           const lbs_member_t *m)
{
    const char *path = pool->set.check->path;

    return path != NULL ? path : root_of(memory, m);
}

/* The scheme, host and port of a member's URL. */
static const char *origin_of(apr_pool_t *memory, const lbs_member_t *m)
{
    const char *host = strstr(m->place, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;

    return path == NULL ? m->place
                        : apr_pstrmemdup(memory, m->place,
                                         (apr_size_t)(path - m->place));
}

/* Another proxy ----------------------------------------------------------- */

/* What mod_proxy would put between for a visitor who asks as we do. A socket
 * in the file system is reached by nobody else. */
static lbs_remote_t remote_of(apr_pool_t *memory, const lbs_pool_t *pool,
                              const lbs_member_t *m, const site_t *site)
{
    if (lbs_worker_place(m->worker).path != NULL) {
        return (lbs_remote_t){.host = NULL};
    }
    return lbs_remote_find_for(memory, pool->server, site->bare,
                               apr_pstrcat(memory, origin_of(memory, m),
                                           path_of(memory, pool, m), NULL));
}

int lbs_check_request_reaches(apr_pool_t *memory, const lbs_pool_t *pool,
                              const lbs_member_t *m,
                              const lbs_check_tls_t *tls)
{
    site_t site = site_of(memory, pool, tls);

    return remote_of(memory, pool, m, &site).host == NULL;
}

lbs_probe_kind_t lbs_check_request_probe(const lbs_member_t *m, int reaches)
{
    lbs_check_request_kind_t kind;
    int secure = find_scheme(lbs_worker_place(m->worker).scheme, &kind);

    if (kind == LBS_CHECK_REQUEST_HTTP
        || (kind == LBS_CHECK_REQUEST_H2 && secure)) {
        return LBS_PROBE_HTTP;
    }
    if (!reaches) {
        return LBS_PROBE_NEVER;
    }
    return kind == LBS_CHECK_REQUEST_CONNECT ? LBS_PROBE_CONNECT
                                             : LBS_PROBE_HTTP;
}

/* As mod_proxy does it: HTTP/1.1 without TLS says the whole URL to the proxy,
 * with TLS the proxy is asked for a tunnel, and all else is spoken to the
 * proxy as if it was the member. */
static void describe_remote(apr_pool_t *memory, const lbs_member_t *m,
                            const lbs_remote_t *remote, int secure,
                            lbs_check_request_t *request)
{
    const char *host = bracketed(memory, remote->host);

    request->remote = 1;
    request->creds = remote->creds;
    if (secure) {
        request->tunnel =
            apr_psprintf(memory, "http://%s:%u", host, remote->port);
        return;
    }
    request->connect_to = apr_psprintf(memory, "::%s:%u", host, remote->port);
    if (request->kind == LBS_CHECK_REQUEST_HTTP) {
        request->target =
            apr_pstrcat(memory, origin_of(memory, m), request->path, NULL);
    }
}

/* What is said, where something is said at all. */
static void describe_line(apr_pool_t *memory, const lbs_pool_t *pool,
                          const lbs_member_t *m, lbs_check_request_why_t why,
                          lbs_check_request_t *request)
{
    request->path = path_of(memory, pool, m);
    request->target = request->path;
    if (why == LBS_CHECK_REQUEST_REACH) {
        request->kind = LBS_CHECK_REQUEST_CONNECT;
    }
}

void lbs_check_request_describe(apr_pool_t *memory, const lbs_pool_t *pool,
                                const lbs_member_t *m,
                                const lbs_check_tls_t *tls,
                                lbs_check_request_why_t why,
                                lbs_check_request_t *request)
{
    lbs_worker_place_t place = lbs_worker_place(m->worker);
    site_t site = site_of(memory, pool, tls);
    lbs_remote_t remote = remote_of(memory, pool, m, &site);
    const char *host = bracketed(memory, place.host);
    int secure;

    memset(request, 0, sizeof(*request));
    secure = find_scheme(place.scheme, &request->kind);
    describe_line(memory, pool, m, why, request);
    secure = secure && request->kind != LBS_CHECK_REQUEST_CONNECT;
    request->url = apr_pstrcat(memory, secure ? "https://" : "http://",
                               secure && asks_for_site(tls) ? site.bare : host,
                               "/", NULL);
    request->host = place.host;
    request->tls = tls;
    if (place.path != NULL) {
        request->socket = place.path;
        request->url = apr_pstrcat(memory, secure ? "https://" : "http://",
                                   site.bare, "/", NULL);
    }
    else {
        request->connect_to =
            apr_psprintf(memory, "::%s:%u", host, place.port);
    }
    if (remote.host != NULL) {
        describe_remote(memory, m, &remote, secure, request);
    }
    request->headers[0] = apr_pstrcat(memory, "Host: ", site.name, NULL);
    request->proto = site.proto;
    request->port = apr_psprintf(memory, "%u", site.port);
    request->headers[1] =
        apr_pstrcat(memory, "X-Forwarded-Proto: ", request->proto, NULL);
    request->headers[2] =
        apr_pstrcat(memory, "X-Forwarded-Port: ", request->port, NULL);
}

void lbs_check_request_date(const lbs_pool_t *pool, const lbs_member_t *m,
                            lbs_check_request_t *request)
{
    int whole =
        pool->set.check->path != NULL || lbs_eject_out(&m->record->eject);
    lbs_hop_about_t about = {.method = whole ? "GET" : "HEAD",
                             .target = request->path,
                             .proto = request->proto,
                             .port = request->port};

    request->method = about.method;
    lbs_marker_line(pool, m, about, request->hop);
    request->headers[3] = request->hop[0] != '\0' ? request->hop : NULL;
}
