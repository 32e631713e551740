/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_checker.c - see lbs_checker.h.
 *
 * The thread owns everything below `seats` but the states of members, which
 * are shared and changed by atomics; no other thread looks at it before the
 * thread was joined.
 */
#include "src/httpd/check/lbs_checker.h"

#include <apr_signal.h>
#include <apr_thread_proc.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <signal.h>

#include "src/httpd/check/lbs_check_found.h"
#include "src/httpd/check/lbs_check_seat.h"
#include "src/httpd/check/lbs_panic.h"
#include "src/httpd/pool/lbs_common.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

#define STEP_MS 100 /* how long a due check may wait for its begin */
#define PAUSE_MS 20 /* between two looks for due ones */
#define BELL_MS 20  /* between two looks for new suspects */
#define HOT_MS 2    /* while a suspect is asked */
#define LIVELY APR_USEC_PER_SEC /* since the last visitor's request */
#define OUTSTANDING_MAX 256     /* checks at once: each takes a descriptor */
#define FEW 256                 /* so many members are looked at each time */
#define TURNS 50 /* of more, those that rest are looked at once in so many */

/* A few words for each seat tell that nothing is due of it. They lie close
 * together, for thousands are looked at ten times a second. */
typedef struct rest_t {
    const lbs_gauge_t *gauge; /* NULL: it is checked all the time */
    apr_time_t old;           /* evidence of that age counts no more */
} rest_t;

/* Of a configuration; the pools that decide about their members' checks. */
static struct {
    apr_array_header_t *pools; /* const lbs_pool_t * */
    apr_array_header_t *seats; /* lbs_check_seat_t * */
    apr_array_header_t *rests; /* rest_t, of the same index */
} plan;

/* Of the process that ticks. */
static struct {
    lbs_atomic32_t started; /* 1: the thread is to be joined */
    lbs_atomic32_t running; /* 0: it has to end */
    apr_thread_t *thread;
    apr_pool_t *pool;
    CURLM *multi;
    int outstanding;
    int next; /* seat to begin with: all get their turn when there are many */
    int look; /* number of the look for due ones */
    int hot;  /* a member is asked in quick succession */
    int called;            /* there is a new suspect */
    apr_uint64_t suspects; /* of all pools, when it was last looked */
    apr_time_t begun_at;
    apr_time_t looked_at;
} prober;

/* Members to check ------------------------------------------------------- */

static const lbs_check_conf_t *conf_of(apr_pool_t *pconf,
                                       const lbs_pool_t *pool)
{
    const lbs_set_check_t *set = pool->set.check;
    lbs_check_conf_t *conf = apr_pcalloc(pconf, sizeof(*conf));

    conf->interval_us = set->interval;
    conf->timeout_us = set->timeout;
    conf->rise = set->rise;
    conf->fall = set->fall;
    conf->expect = &set->expect;
    conf->expect_text = set->expect_text;
    return conf;
}

/* @param before  seats of the same pool */
static void join_ring(lbs_check_seat_t *seat, apr_size_t before)
{
    int count = plan.seats->nelts;

    if (before > 0) {
        seat->next =
            APR_ARRAY_IDX(plan.seats, count - (int)before, lbs_check_seat_t *);
        APR_ARRAY_IDX(plan.seats, count - 1, lbs_check_seat_t *)->next = seat;
    }
}

static void add_seats(apr_pool_t *pconf, const lbs_pool_t *pool)
{
    const lbs_check_conf_t *conf =
        lbs_check_seat_is_checked(pool) ? conf_of(pconf, pool) : NULL;
    const lbs_check_tls_t *tls =
        lbs_check_tls_read(pconf, pool->server, pool->name);
    apr_size_t i;

    /* Where none is configured the first place has the seat behind which those
     * of found members are put. */
    for (i = 0; i < pool->configured || i == 0; i++) {
        lbs_check_seat_t *seat = apr_palloc(pconf, sizeof(*seat));

        lbs_check_seat_init(seat, pconf, pool, pool->member[i], conf, tls);
        join_ring(seat, i);
        APR_ARRAY_PUSH(plan.seats, lbs_check_seat_t *) = seat;
        APR_ARRAY_PUSH(plan.rests, rest_t) =
            (rest_t){conf == NULL ? pool->gauges[i] : NULL,
                     pool->eject_conf.window_us + APR_USEC_PER_SEC};
    }
}

/* @param turn  a number that grows: resting seats get their turn */
static int is_resting(int i, int turn, apr_time_t now)
{
    const rest_t *rest = &APR_ARRAY_IDX(plan.rests, i, const rest_t);
    apr_time_t since = now > rest->old ? now - rest->old : 0;

    return plan.seats->nelts > FEW && (i + turn) % TURNS != 0
           && rest->gauge != NULL
           && lbs_gauge_is_quiet(rest->gauge, (apr_uint64_t)since);
}

void lbs_checker_second(void)
{
    static int turn;
    apr_time_t now = lbs_clock_now();
    int i;

    turn = (turn + 1) % TURNS;
    for (i = 0; i < plan.seats->nelts; i++) {
        if (is_resting(i, turn, now)) {
            continue;
        }
        const lbs_check_seat_t *seat =
            APR_ARRAY_IDX(plan.seats, i, const lbs_check_seat_t *);

        if (!lbs_check_seat_is_checked(seat->pool)) {
            lbs_check_seat_release(seat);
        }
    }
}

static apr_status_t clean_curl(void *unused)
{
    (void)unused;
    curl_global_cleanup();
    return APR_SUCCESS;
}

void lbs_checker_prepare(apr_pool_t *pconf)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    plan.pools = apr_array_make(pconf, 8, sizeof(const lbs_pool_t *));
    plan.seats = apr_array_make(pconf, 8, sizeof(lbs_check_seat_t *));
    plan.rests = apr_array_make(pconf, 8, sizeof(rest_t));
    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        if (lbs_common_decides(i, lbs_check_seat_is_checked)) {
            APR_ARRAY_PUSH(plan.pools, const lbs_pool_t *) = pool;
            add_seats(pconf, pool);
        }
    }
    /* Here and not in the child: it is not safe beside other threads. */
    if (plan.seats->nelts > 0 && curl_global_init(CURL_GLOBAL_ALL) == 0) {
        apr_pool_cleanup_register(pconf, NULL, clean_curl,
                                  apr_pool_cleanup_null);
    }
    lbs_checker_second();
}

/* The thread ------------------------------------------------------------- */

/* A child of an older configuration keeps quiet: see lbs_tick.c. */
static int is_current(void)
{
    return lbs_registry_generation(lbs_runtime()->registry)
           == lbs_runtime()->generation;
}

/* A member became a suspect, in whatever process. Cost: a read per pool. */
static int is_called(void)
{
    const apr_array_header_t *all = lbs_pools_all();
    apr_uint64_t suspects = 0;
    int called;
    int i;

    for (i = 0; i < all->nelts; i++) {
        suspects += lbs_atomic_load64_relaxed(
            &APR_ARRAY_IDX(all, i, lbs_pool_t *)->record->eject.suspects);
    }
    called = suspects != prober.suspects;
    prober.suspects = suspects;
    return called;
}

/* @param memory  out: for its first errands */
static lbs_check_seat_t *seat_at(int i, apr_pool_t **memory)
{
    if (i >= plan.seats->nelts) {
        return lbs_check_found_at(i - plan.seats->nelts, memory);
    }
    *memory = prober.pool;
    return APR_ARRAY_IDX(plan.seats, i, lbs_check_seat_t *);
}

/* Thousands of members are not looked at for each packet that comes in. */
static void begin_due(apr_time_t now)
{
    int pause = prober.hot || prober.called ? HOT_MS : PAUSE_MS;
    int count = plan.seats->nelts + lbs_check_found_count();
    int asks = prober.hot; /* some seat is in the middle of an inquiry */
    int i;

    if (now - prober.begun_at < apr_time_from_msec(pause)) {
        return;
    }
    prober.begun_at = now;
    prober.hot = 0;
    prober.called = 0;
    prober.look = (prober.look + 1) % TURNS;
    for (i = 0; i < count && prober.outstanding < OUTSTANDING_MAX; i++) {
        int number = (prober.next + i) % count;
        lbs_check_seat_t *seat;
        apr_pool_t *memory;

        if (!asks && number < plan.seats->nelts
            && is_resting(number, prober.look, now)) {
            continue;
        }
        seat = seat_at(number, &memory);
        prober.outstanding += lbs_check_seat_begin(seat, memory, prober.multi);
        prober.hot |= lbs_check_seat_is_hot(seat);
    }
    prober.next = (prober.next + i) % count;
}

static void give_back_all(void)
{
    int count = plan.seats->nelts + lbs_check_found_count();
    apr_pool_t *memory;
    int i;

    for (i = 0; i < count && prober.outstanding > 0; i++) {
        lbs_check_seat_give_up(seat_at(i, &memory), prober.multi);
    }
    prober.outstanding = 0;
}

static void look_at_pools(apr_time_t now)
{
    int i;

    if (now - prober.looked_at < apr_time_from_msec(STEP_MS)) {
        return;
    }
    prober.looked_at = now;
    for (i = 0; i < plan.pools->nelts; i++) {
        const lbs_pool_t *pool =
            APR_ARRAY_IDX(plan.pools, i, const lbs_pool_t *);

        lbs_panic_look(lbs_pools_same(pool), lbs_check_seat_is_checked(pool));
    }
}

static void step(void)
{
    lbs_check_call_t *done;
    int running;

    prober.outstanding -= lbs_check_found_follow(plan.seats, prober.multi);
    begin_due(lbs_clock_now());
    (void)curl_multi_perform(prober.multi, &running); /* the checks tell */
    while ((done = lbs_check_call_done(prober.multi)) != NULL) {
        lbs_check_seat_finish(lbs_check_call_baton(done), prober.multi);
        prober.outstanding--;
    }
    if (prober.hot) { /* the answer asks for the next question */
        begin_due(lbs_clock_now());
    }
    look_at_pools(lbs_clock_now());
}

/* Visitors are served: one of them may make a suspect. */
static int is_lively(apr_time_t now)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        if (pool->eject_conf.errors
            && (apr_uint64_t)now
                   < lbs_atomic_load64_relaxed(&pool->record->last_request)
                         + LIVELY) {
            return 1;
        }
    }
    return 0;
}

/* @return 1: it was waited for the whole time, and nobody called */
static int wait_quietly(int ms)
{
    apr_time_t began = lbs_clock_now();

    if (curl_multi_poll(prober.multi, NULL, 0, ms, NULL) != CURLM_OK) {
        apr_sleep(apr_time_from_msec(STEP_MS));
    }
    return lbs_clock_now() - began >= apr_time_from_msec(ms);
}

/* A process that serves cannot wake another one's thread. So while visitors
 * are served the thread looks often, but only for that. */
static void wait_for_work(void)
{
    apr_time_t now = lbs_clock_now();
    apr_time_t end = now + apr_time_from_msec(STEP_MS);

    if (prober.hot || !is_lively(now)) {
        (void)wait_quietly(prober.hot ? HOT_MS : STEP_MS);
        return;
    }
    while (lbs_atomic_load32_acquire(&prober.running) && lbs_clock_now() < end
           && !prober.called && wait_quietly(BELL_MS)) {
        prober.called = is_called();
    }
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *unused)
{
    (void)thread;
    (void)unused;
    lbs_check_found_begin();
    while (lbs_atomic_load32_acquire(&prober.running)) {
        if (is_current()) {
            step();
        }
        else {
            give_back_all();
        }
        wait_for_work();
    }
    give_back_all();
    lbs_check_found_end(prober.multi);
    /* Not by apr_thread_exit(): to AddressSanitizer that would leave the
     * variables of this function behind on the stack. */
    return NULL;
}

/* Starting and stopping -------------------------------------------------- */

/* The MPM's signals are for its own threads. */
static apr_status_t start_thread(void)
{
    sigset_t all, before;
    apr_status_t rv;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = apr_thread_create(&prober.thread, NULL, run, NULL, prober.pool);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv;
}

static void close_all(void)
{
    if (prober.multi != NULL) {
        (void)curl_multi_cleanup(prober.multi);
    }
    apr_pool_destroy(prober.pool);
}

/* So many descriptors are looked at: new ones have low numbers. */
#define LOOKED_AT 1024

static int is_inherited(int fd)
{
    int flags = fcntl(fd, F_GETFD);

    return flags != -1 && (flags & FD_CLOEXEC) == 0;
}

/* Programs that this child runs, a CGI, must not get the sockets by which
 * libcurl wakes itself: it makes them without FD_CLOEXEC. What another thread
 * opens meanwhile may get it, too: a program's own descriptors are duplicates,
 * which do not have it. */
static CURLM *open_multi(void)
{
    char before[LOOKED_AT];
    CURLM *multi;
    int fd;

    for (fd = 0; fd < LOOKED_AT; fd++) {
        before[fd] = (char)is_inherited(fd);
    }
    multi = curl_multi_init();
    for (fd = 0; fd < LOOKED_AT; fd++) {
        if (!before[fd] && is_inherited(fd)) {
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }
    return multi;
}

void lbs_checker_start(void)
{
    apr_status_t rv = APR_ENOMEM;
    int i;

    if (plan.seats->nelts == 0) {
        return;
    }
    for (i = 0; i < plan.seats->nelts; i++) {
        lbs_check_seat_reset(APR_ARRAY_IDX(plan.seats, i, lbs_check_seat_t *));
    }
    apr_pool_create(&prober.pool, NULL);
    apr_pool_tag(prober.pool, "lbsticky prober");
    prober.outstanding = 0;
    prober.next = 0;
    prober.multi = open_multi();
    lbs_atomic_store32_release(&prober.running, 1);
    if (prober.multi != NULL) {
        rv = start_thread();
    }
    if (rv == APR_SUCCESS) {
        lbs_atomic_store32_release(&prober.started, 1);
    }
    else {
        ap_log_error(
            APLOG_MARK, APLOG_ERR, rv, ap_server_conf,
            LBSNO(3100) "LBStickyCheck: the system gives no thread for "
                        "checks, so members are neither checked nor asked "
                        "when in doubt; raise the limits of processes "
                        "(ulimit -u, TasksMax) or of memory");
        close_all();
    }
}

void lbs_checker_wake(void)
{
    if (lbs_atomic_load32_acquire(&prober.started)) {
        (void)curl_multi_wakeup(prober.multi);
    }
}

void lbs_checker_stop(void)
{
    apr_uint32_t started = 1;
    apr_status_t rv;

    if (!lbs_atomic_cas32(&prober.started, &started, 0)) {
        return;
    }
    lbs_atomic_store32_release(&prober.running, 0);
    (void)curl_multi_wakeup(prober.multi); /* else it takes STEP_MS */
    (void)apr_thread_join(&rv, prober.thread);
    close_all();
}
