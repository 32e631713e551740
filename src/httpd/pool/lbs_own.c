/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_own.c - see lbs_own.h. */
#include "src/httpd/pool/lbs_own.h"

#include <ap_listen.h>
#include <apr_network_io.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#include "src/httpd/config/lbs_config.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/config/lbs_walk.h"

/* How a member's address relates to this process. */
typedef enum where_t {
    ELSEWHERE,
    THIS_MACHINE, /* but no process of this httpd listens there */
    THIS_HTTPD
} where_t;

/* Addresses -------------------------------------------------------------- */

static int is_loopback(const apr_sockaddr_t *addr)
{
    if (addr->family == APR_INET) {
        return (ntohl(addr->sa.sin.sin_addr.s_addr) >> 24) == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(&addr->sa.sin6.sin6_addr);
}

static int has_address(const struct sockaddr *sa, const apr_sockaddr_t *addr)
{
    if (sa == NULL || sa->sa_family != addr->family) {
        return 0;
    }
    if (sa->sa_family == AF_INET) {
        return memcmp(
                   &((const struct sockaddr_in *)(const void *)sa)->sin_addr,
                   &addr->sa.sin.sin_addr, sizeof(struct in_addr))
               == 0;
    }
    return memcmp(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr,
                  &addr->sa.sin6.sin6_addr, sizeof(struct in6_addr))
           == 0;
}

static int is_this_machine(const apr_sockaddr_t *addr)
{
    struct ifaddrs *all, *one;
    int found = is_loopback(addr);

    if (found || getifaddrs(&all) != 0) {
        return found;
    }
    for (one = all; one != NULL && !found; one = one->ifa_next) {
        found = has_address(one->ifa_addr, addr);
    }
    freeifaddrs(all);
    return found;
}

/* Listening to every address counts for addresses of this machine only. */
static int is_listened_to(const apr_sockaddr_t *addr, int here)
{
    const ap_listen_rec *listen;

    for (listen = ap_listeners; listen != NULL; listen = listen->next) {
        const apr_sockaddr_t *bound = listen->bind_addr;

        if (bound == NULL || bound->port != addr->port) {
            continue;
        }
        if (apr_sockaddr_is_wildcard(bound)
                ? here
                : apr_sockaddr_equal(bound, addr)) {
            return 1;
        }
    }
    return 0;
}

/* The port of a member's URL by its scheme; 0: the scheme does not lead to a
 * server like this one. */
static apr_port_t usual_port(const char *scheme)
{
    static const struct {
        const char *scheme;
        apr_port_t port;
    } ports[] = {{"http", 80}, {"https", 443}, {"h2c", 80},
                 {"h2", 443},  {"ws", 80},     {"wss", 443}};
    unsigned i;

    for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        if (ap_cstr_casecmp(ports[i].scheme, scheme) == 0) {
            return ports[i].port;
        }
    }
    return 0;
}

/* @param url  of a member, as mod_proxy has it */
static where_t find_where(apr_pool_t *ptemp, const char *url)
{
    where_t where = ELSEWHERE;
    apr_sockaddr_t *addr;
    apr_uri_t uri;

    if (apr_uri_parse(ptemp, url, &uri) != APR_SUCCESS || uri.hostname == NULL
        || uri.scheme == NULL || usual_port(uri.scheme) == 0) {
        return ELSEWHERE;
    }
    if (uri.port == 0) {
        uri.port = usual_port(uri.scheme);
    }
    /* A name that cannot be resolved does not mean this machine. */
    if (apr_sockaddr_info_get(&addr, uri.hostname, APR_UNSPEC, uri.port, 0,
                              ptemp)
        != APR_SUCCESS) {
        return ELSEWHERE;
    }
    for (; addr != NULL; addr = addr->next) {
        int here = is_this_machine(addr);

        if (is_listened_to(addr, here)) {
            return THIS_HTTPD;
        }
        where = here ? THIS_MACHINE : where;
    }
    return where;
}

static int has_retry_status(const lbs_pool_t *pool)
{
    static const lbs_statuses_t none;
    const lbs_set_retry_t *retry = pool->set.retry;

    return retry->on && memcmp(&retry->status, &none, sizeof(none)) != 0;
}

void lbs_own_find(apr_pool_t *ptemp)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);
        int own = 0;
        apr_size_t k;

        for (k = 0; pool->set.local->self && k < pool->count; k++) {
            lbs_member_t *m = &pool->member[k];

            m->own = find_where(ptemp, m->name) == THIS_HTTPD;
            own |= m->own;
        }
        /* An expression may read the result of mapping, and an answer that may
         * be repeated elsewhere must come over a connection. */
        pool->own_early =
            own && !lbs_settings_has_source(pool->set.sticky, LBS_SOURCE_EXPR)
            && !has_retry_status(pool);
    }
}

/* Checks ------------------------------------------------------------------ */

/* Where the members of all pools with `self` are. */
typedef struct found_t {
    int httpd;         /* one is this httpd */
    const char *here;  /* one is this machine, and this httpd does not listen
                          there */
    const char *pool;  /* server of that member */
    const char *where; /* its LBStickyLocal */
    const server_rec *server;
} found_t;

static void look_at_members(apr_pool_t *ptemp, const lbs_walk_t *walk,
                            found_t *found)
{
    int n = lbs_worker_count(walk->balancer);
    int i;

    for (i = 0; i < n; i++) {
        const char *url = lbs_worker_name(lbs_worker_at(walk->balancer, i));
        where_t where = find_where(ptemp, url);

        found->httpd |= where == THIS_HTTPD;
        if (where == THIS_MACHINE && found->here == NULL) {
            found->here = url;
            found->pool = walk->name;
            found->where = walk->set.local->where;
            found->server = walk->server;
        }
    }
}

/* A member that is here, while a member of some pool is this httpd, is
 * another program on this machine; where none is this httpd, a Listen is
 * missing. */
static int check_found(const found_t *found)
{
    if (found->httpd || found->here == NULL) {
        return OK;
    }
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, found->server,
                 LBSNO(2200) "LBStickyLocal on %s: \"self\": member %s of "
                             "pool %s is this machine, but this httpd does "
                             "not listen there; wanted Listen with that "
                             "address and port, or no self if another program "
                             "serves it",
                 found->where, found->here, found->pool);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int check_secret(const lbs_walk_t *walk, const server_rec *main_server)
{
    if (lbs_config_of(main_server)->main->secret_source == LBS_SECRET_GIVEN) {
        return OK;
    }
    ap_log_error(
        APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, walk->server,
        LBSNO(2201) "LBStickyLocal on %s: \"self\": wanted a secret that "
                    "all servers of the pool share; write "
                    "LBStickySecret file:/etc/apache2/lbsticky.secret "
                    "with the same file on each of them",
        walk->set.local->where);
    return HTTP_INTERNAL_SERVER_ERROR;
}

int lbs_own_check(apr_pool_t *ptemp, server_rec *main_server)
{
    lbs_walk_t walk = lbs_walk_all(ptemp, main_server);
    found_t found = {0};
    int status = OK;

    while (status == OK && lbs_walk_next(&walk)) {
        if (walk.set.sticky->on && walk.set.local->self) {
            status = check_secret(&walk, main_server);
            look_at_members(ptemp, &walk, &found);
        }
    }
    return status == OK ? check_found(&found) : status;
}
