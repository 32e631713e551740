/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_worker.h - mod_proxy as this module sees it.
 *
 * The only file of the project that looks into proxy_worker and
 * proxy_balancer, and the only one that calls into mod_proxy. Modules are
 * loaded in any order, so nothing here is linked against mod_proxy: its
 * functions are looked up once, after all modules are there.
 */
#ifndef LBS_WORKER_H
#define LBS_WORKER_H

#include <httpd.h>
#include <mod_proxy.h>

/* httpd before 2.4.52 has short names of members only. */
#if !AP_MODULE_MAGIC_AT_LEAST(20120211, 124)
#define name_ex name
#endif

#include "src/base/lbs_slice.h"

/* Bytes of the longest route, with its NUL. */
#define LBS_WORKER_ROUTE_SIZE PROXY_WORKER_MAX_ROUTE_SIZE

/* The functions that mod_proxy's hooks call. */
typedef struct lbs_worker_hooks_t {
    proxy_HOOK_pre_request_t *pre_request;
    proxy_HOOK_post_request_t *post_request;
    proxy_HOOK_scheme_handler_t *scheme_handler;
} lbs_worker_hooks_t;

/**
 * Find mod_proxy's functions and hook into it. Called once per configuration,
 * in pre_config: all modules are loaded then, and hooks not yet sorted.
 *
 * @return NULL; or the name of the function that this mod_proxy lacks
 */
const char *lbs_worker_import(apr_pool_t *pconf,
                              const lbs_worker_hooks_t *hooks);

/** mod_proxy's configuration of a server; NULL without mod_proxy. */
proxy_server_conf *lbs_worker_conf(const server_rec *s);

/** Balancers of a server, its own first and then those it inherits. */
int lbs_worker_pools(const server_rec *s, proxy_balancer **first);

/** @return 1 when two balancers are one, inherited by a virtual host. */
int lbs_worker_same_pool(const proxy_balancer *a, const proxy_balancer *b);

/** @return 1 when a virtual host has this pool from the main server. */
int lbs_worker_is_inherited(const proxy_balancer *pool,
                            const server_rec *main_server);

/** Name of a pool with `balancer://`, as mod_proxy folds it. */
const char *lbs_worker_pool_url(const proxy_balancer *pool);

/** stickysession= of a pool, or NULL. */
const char *lbs_worker_pool_sticky(const proxy_balancer *pool);

/** The name of the path parameter, of stickysession=COOKIE|PARAMETER; the same
 * name where only one is written. NULL without stickysession=. */
const char *lbs_worker_pool_sticky_path(const proxy_balancer *pool);

/** @return 1 when the pool says nofailover=On. */
int lbs_worker_pool_nofailover(const proxy_balancer *pool);

/** maxattempts= of a pool; -1 when it was not written. */
int lbs_worker_pool_maxattempts(const proxy_balancer *pool);

/** lbmethod= of a pool. */
const char *lbs_worker_pool_method(const proxy_balancer *pool);

/** failonstatus= of a pool: statuses, as ints; NULL when none. */
const apr_array_header_t *lbs_worker_pool_statuses(const proxy_balancer *pool);

/** Number of members in mod_proxy's shared memory: those of the configuration,
 * and those that balancer-manager has added in any process. */
int lbs_worker_pool_seats(const proxy_balancer *pool);

/** Number of members of the configuration. */
int lbs_worker_count(const proxy_balancer *pool);

/** @return the member at i, below lbs_worker_count() */
proxy_worker *lbs_worker_at(const proxy_balancer *pool, int i);

/** URL of a member as configured, such as http://10.0.0.11:8000. */
const char *lbs_worker_name(const proxy_worker *worker);

/* Where a member listens. */
typedef struct lbs_worker_place_t {
    const char *scheme;
    const char *host; /* name or address, IPv6 without brackets */
    apr_port_t port;  /* also where the URL has none */
    const char *path; /* of a unix: member's socket; NULL: TCP */
} lbs_worker_place_t;

/** The texts live as long as the member. */
lbs_worker_place_t lbs_worker_place(const proxy_worker *worker);

/** route= of a member; "" when it has none. */
const char *lbs_worker_route(const proxy_worker *worker);

/** redirect= of a member; "" when it has none. */
const char *lbs_worker_redirect(const proxy_worker *worker);

/** lbset= of a member; 0 when it has none. */
int lbs_worker_lbset(const proxy_worker *worker);

/** loadfactor= in hundredths: 100 is 1.00. */
apr_uint32_t lbs_worker_weight(const proxy_worker *worker);

/** mod_proxy's administrative status as LBS_F_* bits. */
apr_uint32_t lbs_worker_flags(const proxy_worker *worker);

/** Write an administrator's change so that balancer-manager shows it.
 * @param flags  LBS_F_* bits that mod_proxy knows; the others are ignored */
void lbs_worker_set_flags(proxy_worker *worker, apr_uint32_t flags);

/** The same for the weight, in hundredths. */
void lbs_worker_set_weight(proxy_worker *worker, apr_uint32_t weight);

/** Write this module's counters where balancer-manager and server-status look
 * for mod_proxy's: requests the member was sent, and those in flight. */
void lbs_worker_set_counters(proxy_worker *worker, apr_uint64_t requests,
                             apr_uint32_t inflight);

/** @return 1 when mod_proxy_hcheck is told to check the member. */
int lbs_worker_is_checked(const proxy_worker *worker);

/* The settings of mod_proxy_hcheck for a member. */
typedef struct lbs_worker_check_t {
    int http;         /* it asks for a page; 0: it connects, or AJP's CPING */
    const char *path; /* of the page */
    apr_interval_time_t interval;
    int passes, fails;
} lbs_worker_check_t;

/** @return 0: mod_proxy_hcheck does not check the member */
int lbs_worker_check(const proxy_worker *worker, lbs_worker_check_t *check);

/** retry= of a member; 0 when it was not written. */
apr_interval_time_t lbs_worker_retry(const proxy_worker *worker);

/** Take a member's error handling and checks out of mod_proxy's hands, and
 * give up opening a connection after two seconds unless connectiontimeout= is
 * set. */
void lbs_worker_govern(proxy_worker *worker);

/** @return 1 when the member's scheme sends through httpd's connection
 * filters, so that lbs_wire_out.c sees what is sent */
int lbs_worker_is_watched(const proxy_worker *worker);

/** @return 1 when the member's scheme reads through them, but does not send
 * through them: uwsgi */
int lbs_worker_is_unwritten(const proxy_worker *worker);

/** @return 1 when the member's scheme is this one, in lower case */
int lbs_worker_speaks(const proxy_worker *worker, const char *scheme);

/** upgrade= of a member; "" when it has none. */
const char *lbs_worker_upgrade(const proxy_worker *worker);

/** @return 1 when mod_proxy_http takes Upgrade: websocket out of requests to
 * the member, for want of upgrade= */
int lbs_worker_drops_websocket(const proxy_worker *worker);

/** @return bytes that httpd takes of a line in the head of its answer */
apr_size_t lbs_worker_most_line(const proxy_worker *worker);

/** @return 1 when ping= is written: mod_proxy makes sure of a member itself */
int lbs_worker_is_pinged(const proxy_worker *worker);

/** @return 1 when the member speaks HTTP/2: on its connections much is said
 * that belongs to no request */
int lbs_worker_is_framed(const proxy_worker *worker);

/** @return bytes that its scheme counts as sent to the member, by all: when
 * they are the same afterwards, an attempt has sent nothing. Schemes that are
 * not watched count all they send, but ajp, which counts bodies. */
apr_off_t lbs_worker_bytes_sent(const proxy_worker *worker);

/** @return 1 when the member's connection pool has nothing left to give. */
int lbs_worker_pool_empty(const proxy_worker *worker);

/**
 * Look at the connection that this thread would get next from the member's
 * connection pool. The last one given back is the first one given out, so a
 * handler that runs at once gets the same, unless another thread was faster;
 * that one has then used and given back the one that is taken.
 *
 * @param fresh  close it if it is open: the handler opens a new one
 * @return 1 when it is open and its other side has not closed it
 */
int lbs_worker_reuses(const request_rec *r, proxy_worker *worker, int fresh);

/**
 * Aim a request at a member: r->filename and *url become the member's URL,
 * with the path bytes that mod_proxy's canonicalising makes of them.
 *
 * @param plain the member's URL where it is canonical, else empty: with a path
 *              that is canonical, too, mod_proxy is not asked
 * @param from  balancer://name/path of this request, as mod_proxy mapped it
 * @param url   out: the member's URL; written only on OK
 * @return OK; HTTP_BAD_REQUEST or another status with which mod_proxy's
 *         canonicalising refuses the path: the answer
 */
int lbs_worker_aim(request_rec *r, proxy_worker *worker, lbs_slice_t plain,
                   const char *from, char **url);

/** Make a member usable in this process; done once per member, cheap then. */
void lbs_worker_ready(request_rec *r, proxy_worker *worker,
                      proxy_server_conf *conf);

/**
 * Run the scheme's own handler: send the request and bring its answer.
 *
 * @param proxyhost  and port: of ProxyRemote, NULL without
 * @return the handler's status: OK, or an HTTP status
 */
int lbs_worker_run(request_rec *r, proxy_worker *worker,
                   proxy_server_conf *conf, char *url, const char *proxyhost,
                   apr_port_t proxyport);

/** @return 1 when the member is reached over TLS */
int lbs_worker_is_tls(const proxy_worker *worker);

/** @return 1 when ProxyPassReverse is written in a configuration
 * @param conf  of the request, as it was before lbs_section_prepare() */
int lbs_worker_maps_back(const struct ap_conf_vector_t *conf);

/**
 * Apply ProxyPassReverse to a URL that a member wrote.
 *
 * @param conf  of the request, as it was before lbs_section_prepare()
 * @return the URL as the visitor has to use it; `url` itself when no
 *         ProxyPassReverse is for it
 */
const char *lbs_worker_map_back(request_rec *r, struct ap_conf_vector_t *conf,
                                const char *url);

#endif
