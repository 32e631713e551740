/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_worker.c - see lbs_worker.h. */
#include "src/httpd/proxy/lbs_worker.h"

#include <apr_strings.h>
#include <dlfcn.h>
#include <http_config.h>

#include "src/base/lbs_plain.h"
#include "src/httpd/proxy/lbs_section.h"
#include "src/member/lbs_gauge.h"

/* Before a URL in r->filename. */
#define PROXY "proxy:"
#define PROXY_LEN (sizeof(PROXY) - 1)
#define BALANCER_LEN (sizeof("balancer://") - 1)

/* Time to open a connection: one lost SYN is sent again after one second. */
#define CONNECT_TIME apr_time_from_sec(2)

/* Plain words of mod_proxy's that other threads and processes write. */
#define READ(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define WRITE(word, n) __atomic_store_n(&(word), (n), __ATOMIC_RELAXED)

/* mod_proxy's functions, found by name in the running httpd. */
static struct {
    module *proxy;
    const char *(*map_back)(request_rec *r, proxy_dir_conf *conf,
                            const char *url);
    int (*canon_url)(request_rec *r); /* NULL in httpd before 2.4.58 */
    int (*run_scheme)(request_rec *r, proxy_worker *worker,
                      proxy_server_conf *conf, char *url,
                      const char *proxyhost, apr_port_t proxyport);
    apr_status_t (*initialize)(proxy_worker *worker, server_rec *s,
                               apr_pool_t *p);
    int (*acquire)(const char *scheme, proxy_conn_rec **conn,
                   proxy_worker *worker, server_rec *s);
    int (*release)(const char *scheme, proxy_conn_rec *conn, server_rec *s);
    apr_status_t (*check)(const char *scheme, proxy_conn_rec *conn,
                          server_rec *s, unsigned blank_lines, int flags);
    void (*hook_pre)(proxy_HOOK_pre_request_t *fn, const char *const *pre,
                     const char *const *succ, int order);
    void (*hook_post)(proxy_HOOK_post_request_t *fn, const char *const *pre,
                      const char *const *succ, int order);
    void (*hook_canon)(proxy_HOOK_canon_handler_t *fn, const char *const *pre,
                       const char *const *succ, int order);
    void (*hook_scheme)(proxy_HOOK_scheme_handler_t *fn,
                        const char *const *pre, const char *const *succ,
                        int order);
} mod_proxy;

/* `needed` in the order in which they are missed. */
static const struct {
    const char *name;
    void *function; /* where the address goes */
    int needed;
} imports[] = {
    {"ap_proxy_canon_url", &mod_proxy.canon_url, 0},
    {"proxy_run_scheme_handler", &mod_proxy.run_scheme, 1},
    {"ap_proxy_location_reverse_map", &mod_proxy.map_back, 1},
    {"ap_proxy_initialize_worker", &mod_proxy.initialize, 1},
    {"ap_proxy_acquire_connection", &mod_proxy.acquire, 1},
    {"ap_proxy_release_connection", &mod_proxy.release, 1},
    {"ap_proxy_check_connection", &mod_proxy.check, 1},
    {"proxy_hook_pre_request", &mod_proxy.hook_pre, 1},
    {"proxy_hook_post_request", &mod_proxy.hook_post, 1},
    {"proxy_hook_scheme_handler", &mod_proxy.hook_scheme, 1},
    {"proxy_hook_canon_handler", &mod_proxy.hook_canon, 1},
};

/* mod_proxy_balancer's canonicalising writes the name in lower case, refuses
 * what is none, and leaves the path for the member's scheme. Most URLs have a
 * name that it leaves as it is, and these stay. */
static int canon(request_rec *r, char *url)
{
    static const char prefix[] = "balancer://";
    const char *name = url + sizeof(prefix) - 1;

    (void)r;
    if (strncmp(url, prefix, sizeof(prefix) - 1) != 0 || *name < 'a'
        || *name > 'z') {
        return DECLINED;
    }
    while ((*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9')
           || *name == '-' || *name == '.' || *name == '_') {
        name++;
    }
    return *name == '/' ? OK : DECLINED;
}

const char *lbs_worker_import(apr_pool_t *pconf,
                              const lbs_worker_hooks_t *hooks)
{
    static const char *const balancer[] = {"mod_proxy_balancer.c", NULL};
    unsigned i;

    mod_proxy.proxy = ap_find_linked_module("mod_proxy.c");
    for (i = 0; i < sizeof(imports) / sizeof(imports[0]); i++) {
        /* POSIX lets dlsym() return functions; ISO C has no cast for it. */
        void *found = dlsym(RTLD_DEFAULT, imports[i].name);

        if (found == NULL && imports[i].needed) {
            return imports[i].name;
        }
        memcpy(imports[i].function, &found, sizeof(found));
    }
    lbs_section_import(pconf);
    mod_proxy.hook_pre(hooks->pre_request, NULL, balancer, APR_HOOK_FIRST);
    mod_proxy.hook_post(hooks->post_request, NULL, balancer, APR_HOOK_FIRST);
    mod_proxy.hook_scheme(hooks->scheme_handler, NULL, NULL,
                          APR_HOOK_REALLY_FIRST);
    if (mod_proxy.canon_url != NULL) {
        mod_proxy.hook_canon(canon, NULL, NULL, APR_HOOK_REALLY_FIRST);
    }
    return NULL;
}

/* Also where no pool is governed and nothing was imported. */
proxy_server_conf *lbs_worker_conf(const server_rec *s)
{
    if (mod_proxy.proxy == NULL) {
        mod_proxy.proxy = ap_find_linked_module("mod_proxy.c");
    }
    return mod_proxy.proxy == NULL
               ? NULL
               : ap_get_module_config(s->module_config, mod_proxy.proxy);
}

int lbs_worker_pools(const server_rec *s, proxy_balancer **first)
{
    proxy_server_conf *conf = lbs_worker_conf(s);

    if (conf == NULL || conf->balancers == NULL) {
        return 0;
    }
    *first = (proxy_balancer *)(void *)conf->balancers->elts;
    return conf->balancers->nelts;
}

int lbs_worker_same_pool(const proxy_balancer *a, const proxy_balancer *b)
{
    return a->workers == b->workers;
}

int lbs_worker_is_inherited(const proxy_balancer *pool,
                            const server_rec *main_server)
{
    proxy_balancer *theirs = NULL;
    int n = lbs_worker_pools(main_server, &theirs);

    while (n-- > 0) {
        if (lbs_worker_same_pool(&theirs[n], pool)) {
            return 1;
        }
    }
    return 0;
}

const char *lbs_worker_pool_url(const proxy_balancer *pool)
{
    return pool->s->name;
}

const char *lbs_worker_pool_sticky(const proxy_balancer *pool)
{
    return pool->s->sticky[0] != '\0' ? pool->s->sticky : NULL;
}

const char *lbs_worker_pool_sticky_path(const proxy_balancer *pool)
{
    return pool->s->sticky_path[0] != '\0' ? pool->s->sticky_path : NULL;
}

int lbs_worker_pool_nofailover(const proxy_balancer *pool)
{
    return pool->s->sticky_force;
}

int lbs_worker_pool_maxattempts(const proxy_balancer *pool)
{
    return pool->s->max_attempts_set ? pool->s->max_attempts : -1;
}

const char *lbs_worker_pool_method(const proxy_balancer *pool)
{
    return pool->s->lbpname;
}

const apr_array_header_t *lbs_worker_pool_statuses(const proxy_balancer *pool)
{
    return pool->errstatuses;
}

int lbs_worker_pool_seats(const proxy_balancer *pool)
{
    int seats = 0;
    int i;

    for (i = 0; i < pool->max_workers; i++) {
        void *seat = NULL;

        if (pool->storage->dptr(pool->wslot, (unsigned)i, &seat) == APR_SUCCESS
            && ((const proxy_worker_shared *)seat)->hash.def != 0) {
            seats++;
        }
    }
    return seats;
}

int lbs_worker_count(const proxy_balancer *pool)
{
    return pool->workers->nelts;
}

proxy_worker *lbs_worker_at(const proxy_balancer *pool, int i)
{
    return APR_ARRAY_IDX(pool->workers, i, proxy_worker *);
}

const char *lbs_worker_name(const proxy_worker *worker)
{
    return worker->s->name_ex;
}

lbs_worker_place_t lbs_worker_place(const proxy_worker *worker)
{
    const proxy_worker_shared *s = worker->s;
    lbs_worker_place_t place = {s->scheme, s->hostname_ex, s->port,
                                *s->uds_path ? s->uds_path : NULL};

    return place;
}

const char *lbs_worker_route(const proxy_worker *worker)
{
    return worker->s->route;
}

const char *lbs_worker_redirect(const proxy_worker *worker)
{
    return worker->s->redirect;
}

int lbs_worker_lbset(const proxy_worker *worker)
{
    return worker->s->lbset;
}

apr_uint32_t lbs_worker_weight(const proxy_worker *worker)
{
    return READ(worker->s->lbfactor) > 0
               ? (apr_uint32_t)READ(worker->s->lbfactor)
               : 0;
}

/* mod_proxy's bits beside ours. Health and error bits are not among them:
 * in a governed pool neither mod_proxy's errors nor mod_proxy_hcheck act. */
static const struct {
    unsigned proxy;
    apr_uint32_t ours;
} status_bits[] = {
    {PROXY_WORKER_STOPPED, LBS_F_STOPPED},
    {PROXY_WORKER_IN_SHUTDOWN, LBS_F_STOPPED},
    {PROXY_WORKER_DISABLED, LBS_F_DISABLED},
    {PROXY_WORKER_DRAIN, LBS_F_DRAIN},
    {PROXY_WORKER_HOT_STANDBY, LBS_F_STANDBY},
    {PROXY_WORKER_HOT_SPARE, LBS_F_SPARE},
};
#define STATUS_BITS (sizeof(status_bits) / sizeof(status_bits[0]))
static const unsigned written = PROXY_WORKER_STOPPED | PROXY_WORKER_DISABLED
                                | PROXY_WORKER_DRAIN | PROXY_WORKER_HOT_STANDBY
                                | PROXY_WORKER_HOT_SPARE;

apr_uint32_t lbs_worker_flags(const proxy_worker *worker)
{
    unsigned status = READ(worker->s->status);
    apr_uint32_t flags = 0;
    unsigned i;

    for (i = 0; i < STATUS_BITS; i++) {
        if (status & status_bits[i].proxy) {
            flags |= status_bits[i].ours;
        }
    }
    return flags;
}

void lbs_worker_set_flags(proxy_worker *worker, apr_uint32_t flags)
{
    unsigned was = READ(worker->s->status);
    unsigned i, bits = 0;

    for (i = 0; i < STATUS_BITS; i++) {
        bits |= flags & status_bits[i].ours ? status_bits[i].proxy : 0;
    }
    while (!__atomic_compare_exchange_n(&worker->s->status, &was,
                                        (was & ~written) | (bits & written), 1,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

void lbs_worker_set_weight(proxy_worker *worker, apr_uint32_t weight)
{
    WRITE(worker->s->lbfactor, (int)weight);
}

void lbs_worker_set_counters(proxy_worker *worker, apr_uint64_t requests,
                             apr_uint32_t inflight)
{
    WRITE(worker->s->elected, (apr_size_t)requests);
    WRITE(worker->s->busy, inflight);
}

int lbs_worker_is_checked(const proxy_worker *worker)
{
    return worker->s->method != NONE;
}

int lbs_worker_check(const proxy_worker *worker, lbs_worker_check_t *check)
{
    const proxy_worker_shared *s = worker->s;

    if (!lbs_worker_is_checked(worker)) {
        return 0;
    }
    *check = (lbs_worker_check_t){
        .http = s->method != TCP && s->method != CPING,
        .path = *s->hcuri != '\0' ? s->hcuri : "/",
        .interval = s->interval,
        .passes = s->passes,
        .fails = s->fails,
    };
    return 1;
}

apr_interval_time_t lbs_worker_retry(const proxy_worker *worker)
{
    return worker->s->retry_set ? worker->s->retry : 0;
}

void lbs_worker_govern(proxy_worker *worker)
{
    proxy_worker_shared *shared = worker->s;

    /* With this bit no failure puts the member into mod_proxy's error state
     * and its retry= never acts. */
    shared->status |= PROXY_WORKER_IGNORE_ERRORS;
    shared->method = NONE;
    shared->status &=
        ~(unsigned)(PROXY_WORKER_IN_ERROR | PROXY_WORKER_HC_FAIL);
    /* A machine without power refuses nothing: it is silent. Without
     * connectiontimeout= an attempt must not wait a minute for it. */
    if (!shared->conn_timeout_set) {
        shared->conn_timeout = CONNECT_TIME;
        if (shared->timeout_set && shared->timeout > 0
            && shared->timeout < CONNECT_TIME) {
            shared->conn_timeout = shared->timeout;
        }
        shared->conn_timeout_set = 1;
    }
}

/* Nearly all members are so, and each request asks it many times. */
static int is_http(const proxy_worker *worker)
{
    const char *scheme = worker->s->scheme;

    return scheme[0] == 'h' && scheme[1] == 't' && scheme[2] == 't'
           && scheme[3] == 'p' && scheme[4] == '\0';
}

int lbs_worker_is_watched(const proxy_worker *worker)
{
    const char *scheme = worker->s->scheme;

    return is_http(worker) || strncmp(scheme, "http", 4) == 0
           || strncmp(scheme, "ws", 2) == 0 || lbs_worker_is_framed(worker);
}

int lbs_worker_is_unwritten(const proxy_worker *worker)
{
    return lbs_worker_speaks(worker, "uwsgi");
}

int lbs_worker_speaks(const proxy_worker *worker, const char *scheme)
{
    return *worker->s->scheme == *scheme
           && strcmp(worker->s->scheme, scheme) == 0;
}

const char *lbs_worker_upgrade(const proxy_worker *worker)
{
    return worker->s->upgrade;
}

int lbs_worker_drops_websocket(const proxy_worker *worker)
{
    const char *upgrade = worker->s->upgrade;

    return (lbs_worker_speaks(worker, "http")
            || lbs_worker_speaks(worker, "https"))
           && ap_cstr_casecmp(upgrade, "websocket") != 0
           && ap_cstr_casecmp(upgrade, "any") != 0;
}

apr_size_t lbs_worker_most_line(const proxy_worker *worker)
{
    return worker->s->response_field_size_set
               ? (apr_size_t)worker->s->response_field_size
               : HUGE_STRING_LEN;
}

int lbs_worker_is_pinged(const proxy_worker *worker)
{
    return worker->s->ping_timeout_set;
}

int lbs_worker_is_framed(const proxy_worker *worker)
{
    return worker->s->scheme[0] == 'h' && worker->s->scheme[1] == '2';
}

apr_off_t lbs_worker_bytes_sent(const proxy_worker *worker)
{
    return worker->s->transferred;
}

int lbs_worker_pool_empty(const proxy_worker *worker)
{
    return worker->s->hmax > 0 && worker->cp != NULL && worker->cp->res != NULL
           && apr_reslist_acquired_count(worker->cp->res)
                  >= (apr_uint32_t)worker->s->hmax;
}

int lbs_worker_reuses(const request_rec *r, proxy_worker *worker, int fresh)
{
    const char *scheme = worker->s->scheme;
    proxy_conn_rec *conn = NULL;
    int kept;

    if (!PROXY_WORKER_IS_USABLE(worker) || lbs_worker_pool_empty(worker)
        || mod_proxy.acquire(scheme, &conn, worker, r->server) != OK) {
        return 0;
    }
    kept = mod_proxy.check(scheme, conn, r->server, 0, PROXY_CHECK_CONN_EMPTY)
           == APR_SUCCESS;
    if (kept && fresh) {
        conn->close = 1;
        kept = 0;
    }
    (void)mod_proxy.release(scheme, conn, r->server);
    return kept;
}

/* Do mod_proxy's handlers for http encode the path, and is there nothing in
 * the query that they refuse? */
static int is_usual(const request_rec *r)
{
    const proxy_dir_conf *conf =
        ap_get_module_config(r->per_dir_config, mod_proxy.proxy);

    return mod_proxy.canon_url != NULL && r->proxyreq == PROXYREQ_REVERSE
           && conf->interpolate_env != 1
           && apr_table_get(r->notes, "proxy-nocanon") == NULL
           && apr_table_get(r->notes, "proxy-noencode") == NULL
           && (r->args == NULL || *ap_scan_vchar_obstext(r->args) == '\0');
}

/* What mod_proxy's canonicalising would make of a URL that needs none. */
static void aim_plainly(request_rec *r, lbs_slice_t plain, lbs_slice_t path,
                        char **url)
{
    apr_size_t args = r->args != NULL ? strlen(r->args) + 1 : 0;
    apr_size_t bytes = plain.n + path.n + args + 1;
    char *to = apr_palloc(r->pool, PROXY_LEN + 2 * bytes);

    r->filename = to;
    memcpy(to, PROXY, PROXY_LEN);
    to += PROXY_LEN;
    memcpy(to, plain.p, plain.n);
    memcpy(to + plain.n, path.p, path.n);
    if (args != 0) {
        to[plain.n + path.n] = '?';
        memcpy(to + plain.n + path.n + 1, r->args, args - 1);
    }
    to[bytes - 1] = '\0';
    *url = memcpy(to + bytes, to, bytes);
}

int lbs_worker_aim(request_rec *r, proxy_worker *worker, lbs_slice_t plain,
                   const char *from, char **url)
{
    const char *path = strchr(from + BALANCER_LEN, '/');
    int status = OK;

    if (path != NULL && plain.n != 0) {
        apr_size_t span = lbs_plain_span(path);

        if (path[span] == '\0' && is_usual(r)) {
            aim_plainly(r, plain, lbs_slice_span(path, path + span), url);
            return OK;
        }
    }
    r->filename = apr_pstrcat(r->pool, PROXY, worker->s->name_ex, path, NULL);
    if (mod_proxy.canon_url != NULL) {
        status = mod_proxy.canon_url(r);
    }
    if (status == OK) {
        *url = apr_pstrdup(r->pool, r->filename + PROXY_LEN);
    }
    return status;
}

void lbs_worker_ready(request_rec *r, proxy_worker *worker,
                      proxy_server_conf *conf)
{
    (void)mod_proxy.initialize(worker, r->server, conf->pool);
}

int lbs_worker_run(request_rec *r, proxy_worker *worker,
                   proxy_server_conf *conf, char *url, const char *proxyhost,
                   apr_port_t proxyport)
{
    return mod_proxy.run_scheme(r, worker, conf, url, proxyhost, proxyport);
}

int lbs_worker_is_tls(const proxy_worker *worker)
{
    const char *scheme = worker->s->scheme;

    return !is_http(worker)
           && (strcmp(scheme, "https") == 0 || strcmp(scheme, "wss") == 0
               || strcmp(scheme, "h2") == 0);
}

/* ProxyPassReverse ------------------------------------------------------- */

int lbs_worker_maps_back(const struct ap_conf_vector_t *conf)
{
    const proxy_dir_conf *own = ap_get_module_config(conf, mod_proxy.proxy);

    return own->raliases->nelts != 0;
}

const char *lbs_worker_map_back(request_rec *r, struct ap_conf_vector_t *conf,
                                const char *url)
{
    return mod_proxy.map_back(r, ap_get_module_config(conf, mod_proxy.proxy),
                              url);
}
