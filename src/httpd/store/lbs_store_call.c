/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_store_call.c - see lbs_store_call.h. */
#include "src/httpd/store/lbs_store_call.h"

#include <apr_global_mutex.h>
#include <apr_thread_cond.h>
#include <apr_thread_pool.h>
#include <http_config.h>
#include <stdlib.h>
#include <unistd.h>
#include <util_mutex.h>

#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/shared/lbs_shm.h"

#define MUTEX "lbsticky-store"
#define THREADS 4  /* calls of one process at a time */
#define PATIENCE 3 /* failures in a row before it is left alone */
#define REST apr_time_from_sec(2) /* between tries while it is left alone */
#define WARN_EVERY apr_time_from_sec(60)
#define LEAVE_WITHIN apr_time_from_sec(1)

/* Shared by all processes of this configuration. */
typedef struct breaker_t {
    lbs_atomic32_t failures;  /* in a row */
    lbs_atomic32_t down;      /* 1: it is left alone */
    lbs_atomic64_t tried_at;  /* monotonic; 0: try at once */
    lbs_atomic64_t warned_at; /* monotonic */
} breaker_t;

struct lbs_store_t {
    const ap_socache_provider_t *provider;
    ap_socache_instance_t *instance;
    const char *spelling;
    server_rec *server;
    apr_global_mutex_t *mutex; /* NULL: the provider needs none */
    breaker_t *breaker;
};

/* One call; the last of the caller and the thread frees it. */
typedef struct call_t {
    lbs_store_t *store;
    lbs_store_op_t op;
    apr_time_t expiry;
    char name[LBS_STORE_RECORD_NAME_LEN + 1];
    unsigned char value[LBS_STORE_CALL_MAX];
    apr_size_t len;
    apr_status_t rv;
    int done; /* both under the lock */
    int abandoned;
} call_t;

/* Of this process. The lock protects the fields below it, and done and
 * abandoned of all calls. */
static struct {
    apr_thread_pool_t *threads;
    apr_thread_mutex_t *lock;
    apr_thread_cond_t *over; /* a call, or one of the counted */
    int alone;               /* calls that have a store's mutex, or want it */
    int ends;                /* 1: begin none of these any more */
} process;

static apr_array_header_t *stores; /* lbs_store_t *, from pconf */

void lbs_store_call_pre_config(apr_pool_t *pconf)
{
    stores = apr_array_make(pconf, 2, sizeof(lbs_store_t *));
    (void)ap_mutex_register(pconf, MUTEX, NULL, APR_LOCK_DEFAULT, 0);
}

static apr_status_t init(lbs_store_t *store, apr_pool_t *pconf)
{
    static const struct ap_socache_hints hints = {LBS_STORE_RECORD_NAME_LEN,
                                                  LBS_STORE_RECORD_VALUE_LEN,
                                                  apr_time_from_sec(60)};
    apr_status_t rv = store->provider->init(store->instance, "lbsticky",
                                            &hints, store->server, pconf);
    void *block;

    if (rv == APR_SUCCESS
        && (store->provider->flags & AP_SOCACHE_FLAG_NOTMPSAFE) != 0) {
        rv = ap_global_mutex_create(&store->mutex, NULL, MUTEX,
                                    store->spelling, store->server, pconf, 0);
    }
    if (rv == APR_SUCCESS) {
        rv = lbs_shm_create(&block, sizeof(breaker_t), pconf);
    }
    if (rv == APR_SUCCESS) {
        store->breaker = block;
    }
    return rv;
}

apr_status_t lbs_store_call_open(lbs_store_t **store,
                                 const ap_socache_provider_t *provider,
                                 const char *spelling, const char *args,
                                 server_rec *s, apr_pool_t *pconf,
                                 apr_pool_t *ptemp)
{
    lbs_store_t *made = apr_pcalloc(pconf, sizeof(*made));
    const char *error;
    apr_status_t rv = APR_EINVAL;

    made->provider = provider;
    made->spelling = spelling;
    made->server = s;
    error = provider->create(&made->instance, args, ptemp, pconf);
    if (error == NULL) {
        rv = init(made, pconf);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(
            APLOG_MARK, APLOG_EMERG, rv, s,
            LBSNO(2500) "LBStickyStore %s cannot be opened%s%s; write a "
                        "provider and a server that it can reach, or "
                        "LBStickyStore off",
            spelling, error != NULL ? ": " : "", error != NULL ? error : "");
        return rv;
    }
    APR_ARRAY_PUSH(stores, lbs_store_t *) = made;
    *store = made;
    return APR_SUCCESS;
}

/* This process ends. Calls under a store's mutex are short as a rule, and it
 * should not be left locked: they have a second. All others may wait for a
 * server that hangs, for longer than a child may take to end: they are left
 * where they are. All that they use lives as long as the process: httpd
 * destroys pchild, not pconf, when a child ends. */
static apr_status_t leave_calls(void *unused)
{
    apr_time_t until = lbs_clock_now() + LEAVE_WITHIN;

    (void)unused;
    (void)apr_thread_mutex_lock(process.lock);
    process.ends = 1;
    while (process.alone > 0) {
        apr_time_t left = until - lbs_clock_now();

        if (left <= 0) {
            break;
        }
        (void)apr_thread_cond_timedwait(process.over, process.lock, left);
    }
    (void)apr_thread_mutex_unlock(process.lock);
    return APR_SUCCESS;
}

/* In a pool that is never destroyed: destroying it would wait for all
 * threads. */
static apr_status_t create_threads(apr_pool_t *pchild)
{
    apr_pool_t *memory;
    apr_status_t rv = apr_pool_create(&memory, NULL);

    if (rv == APR_SUCCESS) {
        apr_pool_tag(memory, "lbsticky store");
        rv = apr_thread_mutex_create(&process.lock, APR_THREAD_MUTEX_DEFAULT,
                                     memory);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&process.over, memory);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_thread_pool_create(&process.threads, 0, THREADS, memory);
    }
    if (rv == APR_SUCCESS) {
        apr_pool_pre_cleanup_register(pchild, NULL, leave_calls);
    }
    return rv;
}

void lbs_store_call_child(apr_pool_t *pchild, server_rec *main_server)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    memset(&process, 0, sizeof(process));
    if (stores == NULL || stores->nelts == 0) {
        return;
    }
    for (i = 0; i < stores->nelts && rv == APR_SUCCESS; i++) {
        lbs_store_t *store = APR_ARRAY_IDX(stores, i, lbs_store_t *);

        if (store->mutex != NULL) {
            rv = apr_global_mutex_child_init(
                &store->mutex, apr_global_mutex_lockfile(store->mutex),
                pchild);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = create_threads(pchild);
    }
    if (rv != APR_SUCCESS) {
        process.threads = NULL;
        ap_log_error(
            APLOG_MARK, APLOG_ERR, rv, main_server,
            LBSNO(2501) "child %" APR_PID_T_FMT
                        " cannot use LBStickyStore: the system "
                        "gives no thread for its calls, so what it "
                        "learns is known to this server alone; raise the "
                        "limit of processes (ulimit -u, TasksMax)",
            getpid());
    }
}

/* The breaker ------------------------------------------------------------ */

static void tell(const lbs_store_t *store, lbs_event_kind_t kind)
{
    lbs_clock_t now = lbs_clock_both();

    lbs_registry_tell(lbs_runtime()->registry, &now, LBS_EVENTS_NO_SLOT,
                      LBS_EVENTS_NO_SLOT, kind, store->spelling);
}

/* @return 1 when the store may be called now */
static int may_call(const lbs_store_t *store)
{
    breaker_t *breaker = store->breaker;

    return !lbs_atomic_load32_relaxed(&breaker->down)
           || lbs_clock_once(&breaker->tried_at, REST);
}

static void failed(const lbs_store_t *store, apr_status_t rv)
{
    breaker_t *breaker = store->breaker;
    apr_uint32_t up = 0;

    if (lbs_atomic_add32_relaxed(&breaker->failures, 1) + 1 >= PATIENCE) {
        lbs_atomic_store64_relaxed(&breaker->tried_at,
                                   (apr_uint64_t)lbs_clock_now());
        if (lbs_atomic_cas32(&breaker->down, &up, 1)) {
            tell(store, LBS_EVENT_STORE_DOWN);
        }
    }
    if (lbs_clock_once(&breaker->warned_at, WARN_EVERY)) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, rv, store->server,
            LBSNO(2502) "LBStickyStore %s does not answer: requests go "
                        "on, sessions are not shared meanwhile; look "
                        "whether it runs and can be reached from here",
            store->spelling);
    }
}

static void worked(const lbs_store_t *store)
{
    breaker_t *breaker = store->breaker;
    apr_uint32_t down = 1;

    if (lbs_atomic_load32_relaxed(&breaker->failures) != 0) {
        lbs_atomic_store32_relaxed(&breaker->failures, 0);
    }
    if (lbs_atomic_load32_relaxed(&breaker->down)
        && lbs_atomic_cas32(&breaker->down, &down, 0)) {
        tell(store, LBS_EVENT_STORE_UP);
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, store->server,
                     LBSNO(2503) "LBStickyStore %s answers again",
                     store->spelling);
    }
}

/* Redis and memcached that are known to be dead are reported as "not found":
 * only a write shows that they live. */
static void judge(lbs_store_t *store, lbs_store_op_t op, apr_status_t rv)
{
    if (rv == APR_SUCCESS) {
        worked(store);
    }
    else if (rv != APR_NOTFOUND || op == LBS_STORE_PUT) {
        failed(store, rv);
    }
    else if (lbs_atomic_load32_relaxed(&store->breaker->down)) {
        lbs_atomic_store64_relaxed(&store->breaker->tried_at, 0);
    }
}

/* The call --------------------------------------------------------------- */

static apr_status_t ask(call_t *call, apr_pool_t *pool)
{
    const ap_socache_provider_t *provider = call->store->provider;
    ap_socache_instance_t *instance = call->store->instance;
    const unsigned char *id = (const unsigned char *)call->name;
    unsigned int len = (unsigned int)call->len;
    apr_status_t rv;

    switch (call->op) {
    case LBS_STORE_PUT:
        return provider->store(instance, call->store->server, id,
                               LBS_STORE_RECORD_NAME_LEN, call->expiry,
                               call->value, len, pool);
    case LBS_STORE_REMOVE:
        return provider->remove(instance, call->store->server, id,
                                LBS_STORE_RECORD_NAME_LEN, pool);
    default:
        rv = provider->retrieve(instance, call->store->server, id,
                                LBS_STORE_RECORD_NAME_LEN, call->value, &len,
                                pool);
        return rv == APR_SUCCESS && len != call->len ? APR_NOTFOUND : rv;
    }
}

/* @return 0 when this process ends and may not take a mutex any more */
static int begin_alone(void)
{
    int may;

    (void)apr_thread_mutex_lock(process.lock);
    may = !process.ends;
    process.alone += may;
    (void)apr_thread_mutex_unlock(process.lock);
    return may;
}

static void end_alone(void)
{
    (void)apr_thread_mutex_lock(process.lock);
    process.alone--;
    (void)apr_thread_cond_broadcast(process.over);
    (void)apr_thread_mutex_unlock(process.lock);
}

/* With the provider's lock, where it needs one. */
static apr_status_t ask_alone(call_t *call, apr_pool_t *pool)
{
    apr_global_mutex_t *mutex = call->store->mutex;
    apr_status_t rv;

    if (mutex == NULL) {
        return ask(call, pool);
    }
    if (!begin_alone()) {
        return APR_EAGAIN;
    }
    rv = apr_global_mutex_lock(mutex);
    if (rv == APR_SUCCESS) {
        rv = ask(call, pool);
        (void)apr_global_mutex_unlock(mutex);
    }
    end_alone();
    return rv;
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *data)
{
    call_t *call = data;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, NULL);
    int abandoned;

    (void)thread;
    if (rv == APR_SUCCESS) {
        rv = ask_alone(call, pool);
        apr_pool_destroy(pool);
    }
    (void)apr_thread_mutex_lock(process.lock);
    call->rv = rv;
    call->done = 1;
    abandoned = call->abandoned;
    (void)apr_thread_cond_broadcast(process.over);
    (void)apr_thread_mutex_unlock(process.lock);
    if (abandoned) {
        free(call);
    }
    return NULL;
}

/* @return 1 when it was done in time; 0: the thread frees it */
static int wait_for(call_t *call, apr_interval_time_t timeout)
{
    apr_time_t until = lbs_clock_now() + timeout;
    apr_time_t left = timeout;
    int done;

    (void)apr_thread_mutex_lock(process.lock);
    while (!call->done && left > 0) {
        (void)apr_thread_cond_timedwait(process.over, process.lock, left);
        left = until - lbs_clock_now();
    }
    done = call->done;
    call->abandoned = !done;
    (void)apr_thread_mutex_unlock(process.lock);
    return done;
}

static void fill_call(call_t *call, lbs_store_t *store,
                      const lbs_store_call_t *what)
{
    call->store = store;
    call->op = what->op;
    call->expiry = what->expiry;
    call->len = what->len;
    memcpy(call->name, what->name, LBS_STORE_RECORD_NAME_LEN);
    if (what->op == LBS_STORE_PUT) {
        memcpy(call->value, what->value, what->len);
    }
}

static call_t *make_call(lbs_store_t *store, const lbs_store_call_t *what)
{
    call_t *call = calloc(1, sizeof(*call));

    if (call != NULL) {
        fill_call(call, store, what);
        call->abandoned = what->timeout == 0;
    }
    return call;
}

/* Calls that no request waits for must not pile up before those that one waits
 * for. */
static int is_in_the_way(const lbs_store_call_t *what)
{
    return what->timeout == 0
           && apr_thread_pool_tasks_count(process.threads) > 0;
}

apr_status_t lbs_store_call(lbs_store_t *store, const lbs_store_call_t *what)
{
    call_t *call;
    apr_status_t rv = APR_TIMEUP;

    if (process.threads == NULL || is_in_the_way(what) || !may_call(store)) {
        return APR_EAGAIN;
    }
    call = make_call(store, what);
    if (call == NULL) {
        return APR_ENOMEM;
    }
    if (apr_thread_pool_push(process.threads, run, call,
                             APR_THREAD_TASK_PRIORITY_NORMAL, NULL)
        != APR_SUCCESS) {
        free(call);
        return APR_EAGAIN;
    }
    if (what->timeout == 0) {
        return APR_EAGAIN; /* the thread frees it */
    }
    if (wait_for(call, what->timeout)) {
        rv = call->rv;
        if (rv == APR_SUCCESS && what->op == LBS_STORE_GET) {
            memcpy(what->value, call->value, what->len);
        }
        free(call);
    }
    if (what->whole || !APR_STATUS_IS_TIMEUP(rv)) {
        judge(store, what->op, rv);
    }
    return rv;
}

/* Work that no request waits for ----------------------------------------- */

typedef struct work_t {
    lbs_store_work_fn *fn;
    void *baton;
} work_t;

static void *APR_THREAD_FUNC run_work(apr_thread_t *thread, void *data)
{
    work_t work = *(work_t *)data;
    apr_pool_t *memory;

    (void)thread;
    free(data);
    if (apr_pool_create(&memory, NULL) == APR_SUCCESS) {
        work.fn(work.baton, memory);
        apr_pool_destroy(memory);
    }
    return NULL;
}

apr_status_t lbs_store_call_later(lbs_store_work_fn *fn, void *baton)
{
    work_t *work;

    if (process.threads == NULL
        || apr_thread_pool_tasks_count(process.threads) > 0) {
        return APR_EAGAIN;
    }
    work = calloc(1, sizeof(*work));
    if (work == NULL) {
        return APR_EAGAIN;
    }
    work->fn = fn;
    work->baton = baton;
    if (apr_thread_pool_push(process.threads, run_work, work,
                             APR_THREAD_TASK_PRIORITY_LOW, NULL)
        != APR_SUCCESS) {
        free(work);
        return APR_EAGAIN;
    }
    return APR_SUCCESS;
}

apr_status_t lbs_store_call_here(lbs_store_t *store,
                                 const lbs_store_call_t *what,
                                 apr_pool_t *memory)
{
    call_t call = {.done = 0};
    apr_status_t rv;

    if (lbs_store_call_is_down(store)) {
        return APR_EAGAIN;
    }
    fill_call(&call, store, what);
    rv = ask_alone(&call, memory);
    if (rv == APR_SUCCESS && what->op == LBS_STORE_GET) {
        memcpy(what->value, call.value, what->len);
    }
    return rv;
}

int lbs_store_call_is_down(const lbs_store_t *store)
{
    return store != NULL && lbs_atomic_load32_relaxed(&store->breaker->down);
}
