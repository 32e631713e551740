/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_here.c - see lbs_here.h. */
#include "src/httpd/config/lbs_here.h"

#include <ap_listen.h>
#include <apr_network_io.h>
#include <apr_uri.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

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

lbs_here_t lbs_here_find(apr_pool_t *ptemp, const char *url)
{
    lbs_here_t where = LBS_HERE_NOT;
    apr_sockaddr_t *addr;
    apr_uri_t uri;

    if (apr_uri_parse(ptemp, url, &uri) != APR_SUCCESS || uri.hostname == NULL
        || uri.scheme == NULL || usual_port(uri.scheme) == 0) {
        return LBS_HERE_NOT;
    }
    if (uri.port == 0) {
        uri.port = usual_port(uri.scheme);
    }
    /* A name that cannot be resolved does not mean this machine. */
    if (apr_sockaddr_info_get(&addr, uri.hostname, APR_UNSPEC, uri.port, 0,
                              ptemp)
        != APR_SUCCESS) {
        return LBS_HERE_NOT;
    }
    for (; addr != NULL; addr = addr->next) {
        int here = is_this_machine(addr);

        if (is_listened_to(addr, here)) {
            return LBS_HERE_HTTPD;
        }
        where = here ? LBS_HERE_MACHINE : where;
    }
    return where;
}

int lbs_here_listens(apr_pool_t *ptemp, const proxy_worker *worker,
                     apr_sockaddr_t **addr)
{
    lbs_worker_place_t place = lbs_worker_place(worker);
    apr_sockaddr_t *found;

    if (place.path != NULL || usual_port(place.scheme) == 0
        || (ap_cstr_casecmp(place.host, "localhost") != 0
            && strspn(place.host, "0123456789abcdefABCDEF.:")
                   != strlen(place.host))
        || apr_sockaddr_info_get(&found, place.host, APR_UNSPEC, place.port, 0,
                                 ptemp)
               != APR_SUCCESS) {
        return 0;
    }
    for (; found != NULL; found = found->next) {
        if (is_listened_to(found, is_this_machine(found))) {
            *addr = found;
            return 1;
        }
    }
    return 0;
}
