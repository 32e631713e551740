/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_tick.c - see lbs_tick.h. */
#include "src/httpd/server/lbs_tick.h"

#include <apr_optional.h>
#include <mod_watchdog.h>
#include <unistd.h>

#include "src/base/lbs_lease.h"
#include "src/httpd/check/lbs_checker.h"
#include "src/httpd/health/lbs_health.h"
#include "src/httpd/health/lbs_operator.h"
#include "src/httpd/discover/lbs_discover.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/pool/lbs_present.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/server/lbs_housekeeping.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/store/lbs_store_upkeep.h"
#include "src/state/lbs_admin.h"

#define NAME "_lbsticky_"
#define INTERVAL apr_time_from_msec(100)
#define STOP_NAPS 2000 /* of a millisecond, for a step that is under way */

/* BalancerGrowth lets balancer-manager add members. This module has places
 * for those of the configuration. */
static void look_for_added(lbs_pool_t *pool)
{
    int seats = lbs_worker_pool_seats(pool->balancer);

    if (pool->live->seats != 0 && seats > pool->live->seats) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, pool->server,
            LBSNO(1401) "pool %s: balancer-manager added a member, to "
                        "which nothing is sent; write a BalancerMember "
                        "line for it and reload httpd",
            pool->name);
    }
    pool->live->seats = seats;
}

/* mod_proxy_balancer counts the members it elects; here it elects none. */
static void show_counters(const lbs_pool_t *pool)
{
    apr_size_t i;

    /* balancer-manager has no line for those that were found. */
    for (i = 0; i < pool->configured; i++) {
        const lbs_member_t *m = pool->member[i];

        if (pool->due[i] == 0) {
            continue;
        }
        lbs_worker_set_counters(
            m->worker,
            lbs_atomic_load64_relaxed(&m->record->counts[LBS_COUNT_REQUESTS]),
            lbs_gauge_inflight(m->gauge));
    }
}

/* @return members that are to be asked how they are */
static int tick_pool(lbs_pool_t *pool)
{
    lbs_clock_t now = lbs_clock_both();
    int asked = 0;
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        if (pool->due[i] == 0) {
            continue;
        }
        lbs_operator_follow(pool->member[i], &now);
        (void)lbs_admin_tick(lbs_runtime()->registry, pool->member[i]->slot,
                             &now);
        lbs_runtime_count_sessions(pool->member[i]->slot);
    }
    if (pool->decides) {
        asked = lbs_health_tick(pool);
    }
    (void)lbs_plan_rebuild(pool->plan,
                           lbs_registry_gauges(lbs_runtime()->registry),
                           lbs_clock_now());
    return asked;
}

/* Of the process that ticks: when it last did what is done once a second. */
static apr_time_t second_at;

/* So many members, of all pools, are looked at in every tick. */
#define FEW 256

static lbs_health_round_t next_round(apr_time_t now)
{
    static apr_uint32_t ticks;
    const apr_array_header_t *all = lbs_pools_all();
    apr_size_t members = 0;
    int i;

    for (i = 0; i < all->nelts; i++) {
        members += APR_ARRAY_IDX(all, i, lbs_pool_t *)->count;
    }
    return (lbs_health_round_t){.number = ticks++,
                                .all = members <= FEW || second_at == 0,
                                .is_second =
                                    now - second_at >= APR_USEC_PER_SEC};
}

static void tick_pools(apr_time_t now)
{
    const apr_array_header_t *all = lbs_pools_all();
    lbs_health_round_t round = next_round(now);
    int asked = 0;
    int i;

    for (i = 0; i < all->nelts; i++) {
        lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        lbs_health_look(pool, &round);
        if (round.is_second && pool->decides) {
            lbs_health_second(pool);
        }
        if (round.is_second) {
            look_for_added(pool);
            show_counters(pool);
        }
        asked += tick_pool(pool);
    }
    if (asked > 0) {
        lbs_checker_wake();
    }
    if (round.is_second) {
        lbs_checker_second();
        second_at = now;
    }
}

void lbs_tick_first(void)
{
    lbs_present_hold_t hold = lbs_present_hold();

    second_at = 0;
    tick_pools(lbs_clock_now());
    lbs_present_release(hold);
}

/* During a graceful restart children of two generations tick. The older ones
 * know an older configuration: they keep quiet as soon as there is a newer. */
static int is_current(void)
{
    return lbs_registry_generation(lbs_runtime()->registry)
           == lbs_runtime()->generation;
}

/* This process does the work. Atomic, because mod_watchdog may stop it from
 * the main thread. */
static lbs_atomic32_t leads;

/* Requests allocate from the configuration's pool, in mod_proxy under a lock
 * that this thread does not have. Never destroyed: end() may run beside a step
 * of this thread. */
static apr_pool_t *own_memory(void)
{
    static apr_pool_t *memory;

    if (memory == NULL) {
        apr_pool_create(&memory, NULL);
        apr_pool_tag(memory, "lbsticky tick");
    }
    else {
        apr_pool_clear(memory);
    }
    return memory;
}

static void begin(void)
{
    lbs_atomic_store32_relaxed(&leads, 1);
    second_at = 0;
    lbs_discover_take_over();
    lbs_housekeeping_start(own_memory());
    lbs_checker_start();
}

static void end(void)
{
    lbs_atomic_store32_relaxed(&leads, 0);
    lbs_checker_stop();
    lbs_lease_drop(lbs_runtime()->notes.tick, (apr_uint32_t)getpid());
}

static void work(apr_time_t now)
{
    lbs_present_hold_t hold = lbs_present_hold();

    lbs_discover_tick(now);
    lbs_present_release(hold);
    hold = lbs_present_hold(); /* with those that came just now */
    tick_pools(now);
    lbs_discover_answer(now);
    lbs_housekeeping_tick(now);
    lbs_store_upkeep_tick(now);
    lbs_present_release(hold);
}

static void step(apr_time_t now)
{
    lbs_lease_t *lease = lbs_runtime()->notes.tick;
    int does = (int)lbs_atomic_load32_relaxed(&leads);
    int shall =
        is_current() && lbs_lease_hold(lease, (apr_uint32_t)getpid(), now);

    if (shall && !does) {
        begin();
    }
    else if (!shall && does) {
        end();
    }
    if (shall) {
        work(now);
    }
}

/* mod_watchdog says STOPPING from the main thread, perhaps in the middle of a
 * step, and may run one more step after it. One word keeps the two apart. */
enum { TICK_IDLE, TICK_BUSY, TICK_STOPPED };

static lbs_atomic32_t phase;

static void stop(void)
{
    apr_uint32_t seen = TICK_IDLE;
    int naps = 0;

    while (!lbs_atomic_cas32(&phase, &seen, TICK_STOPPED)) {
        if (seen == TICK_STOPPED || ++naps > STOP_NAPS) {
            return; /* the process ends all the same, and its lease runs out */
        }
        seen = TICK_IDLE;
        apr_sleep(apr_time_from_msec(1)); /* a step takes milliseconds */
    }
    if (lbs_atomic_load32_relaxed(&leads)) {
        end();
    }
}

static apr_status_t tick(int state, void *data, apr_pool_t *pool)
{
    apr_uint32_t seen = TICK_IDLE;

    (void)data;
    (void)pool;
    if (state == AP_WATCHDOG_STATE_STOPPING) {
        stop();
    }
    else if (state == AP_WATCHDOG_STATE_RUNNING
             && lbs_atomic_cas32(&phase, &seen, TICK_BUSY)) {
        step(lbs_clock_now());
        lbs_present_follow();
        lbs_housekeeping_renew(lbs_clock_now());
        lbs_atomic_store32_release(&phase, TICK_IDLE);
    }
    return APR_SUCCESS;
}

apr_status_t lbs_tick_start(apr_pool_t *pconf, server_rec *main_server)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) * get_instance;
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) * register_callback;
    ap_watchdog_t *watchdog;
    apr_status_t rv = APR_ENOTIMPL;

    get_instance = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    register_callback =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    if (get_instance != NULL && register_callback != NULL) {
        rv = get_instance(&watchdog, NAME, 0, 0, pconf);
        if (rv == APR_SUCCESS) {
            rv = register_callback(watchdog, INTERVAL, NULL, tick);
        }
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(
            APLOG_MARK, APLOG_CRIT, rv, main_server,
            LBSNO(1400) "mod_watchdog refuses to run this module's tick, "
                        "without which no member is checked or comes "
                        "back: its own line before this one says why; "
                        "load the mod_watchdog that came with this httpd");
    }
    return rv;
}
