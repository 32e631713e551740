/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_remote.c - see lbs_remote.h. */
#include "src/httpd/proxy/lbs_remote.h"

#include "src/httpd/proxy/lbs_worker.h"

/* mod_proxy compares the scheme of a request with that of ProxyRemote before
 * a member is chosen. */
#define SCHEME "balancer"

static int is_direct(request_rec *r, const proxy_server_conf *conf)
{
    struct dirconn_entry *list = (void *)conf->dirconn->elts;
    int i;

    for (i = 0; i < conf->dirconn->nelts; i++) {
        if (list[i].matcher(&list[i], r)) {
            return 1;
        }
    }
    return 0;
}

/* "*", a scheme, the begin of a URL, or an expression. */
static int is_for(const struct proxy_remote *remote, const char *url)
{
    if (strcmp(remote->scheme, "*") == 0) {
        return 1;
    }
    if (remote->use_regex
        && ap_regexec(remote->regexp, url, 0, NULL, 0) == 0) {
        return 1;
    }
    return strchr(remote->scheme, ':') == NULL
               ? ap_cstr_casecmp(SCHEME, remote->scheme) == 0
               : ap_cstr_casecmpn(url, remote->scheme, strlen(remote->scheme))
                     == 0;
}

/* ProxyRemote takes a name and a password since httpd 2.4.59. */
static const char *creds_of(const struct proxy_remote *remote)
{
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 130)
    return remote->creds;
#else
    (void)remote;
    return NULL;
#endif
}

lbs_remote_t lbs_remote_find(request_rec *r, const char *url)
{
    const proxy_server_conf *conf = lbs_worker_conf(r->server);
    lbs_remote_t none = {.host = NULL};
    const struct proxy_remote *list;
    int i;

    if (conf == NULL || conf->proxies->nelts == 0 || is_direct(r, conf)) {
        return none;
    }
    list = (const void *)conf->proxies->elts;
    for (i = 0; i < conf->proxies->nelts; i++) {
        if (is_for(&list[i], url)) {
            return (lbs_remote_t){.host = list[i].hostname,
                                  .port = list[i].port,
                                  .creds = creds_of(&list[i])};
        }
    }
    return none;
}

/* What compares with NoProxy's entries reads the host, and nothing else. */
lbs_remote_t lbs_remote_find_for(apr_pool_t *memory, const server_rec *s,
                                 const char *host, const char *url)
{
    request_rec r;

    memset(&r, 0, sizeof(r));
    r.pool = memory;
    r.server = (server_rec *)s;
    r.hostname = host;
    r.uri = (char *)"/";
    return lbs_remote_find(&r, url);
}
