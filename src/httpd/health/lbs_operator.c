/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_operator.c - see lbs_operator.h. */
#include "src/httpd/health/lbs_operator.h"

#include "src/httpd/health/lbs_health.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_manager.h"

#define FOLLOW_WITHIN apr_time_from_sec(2)
#define FOLLOW_NAP apr_time_from_msec(1)
#define TWO_TICKS apr_time_from_msec(200)

/* mod_proxy's record follows, so that balancer-manager shows it. */
static void mirror(const lbs_member_t *m)
{
    lbs_admin_values_t values = {lbs_gauge_flags(m->gauge) & LBS_ADMIN_FLAGS,
                                 lbs_atomic_load32_relaxed(&m->gauge->weight)};

    if (*m->found != '\0') {
        return; /* its record is of this process only */
    }
    lbs_worker_set_flags(m->worker, values.flags);
    lbs_worker_set_weight(m->worker, values.weight);
    lbs_manager_wrote(lbs_runtime()->registry, m->slot, &values);
}

/* In force --------------------------------------------------------------- */

/* The tables of one pool follow. A builder takes a millisecond; a builder that
 * died in the middle is overruled after a second. */
static void follow_plan(const lbs_pool_t *pool)
{
    apr_time_t until = lbs_clock_now() + FOLLOW_WITHIN;

    while (lbs_plan_follow(pool->plan,
                           lbs_registry_gauges(lbs_runtime()->registry),
                           lbs_clock_now())
               == APR_EBUSY
           && lbs_clock_now() < until) {
        apr_sleep(FOLLOW_NAP);
    }
}

/* The next pick knows of the change, at every virtual host with these members
 * and in every process. A child of an older configuration cannot reach the
 * tables of the newer one: there the tick finds the change. */
static void enforce(const lbs_pool_t *pool)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    lbs_atomic_add32_relaxed(&pool->record->changes, 1);
    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *other = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        if (other->slot == pool->slot) {
            follow_plan(other);
        }
    }
    if (lbs_registry_generation(lbs_runtime()->registry)
        != lbs_runtime()->generation) {
        apr_sleep(TWO_TICKS);
    }
}

/* Asked for -------------------------------------------------------------- */

/* A drain may have no time at all: its sessions move with their next request,
 * and not only after the next tick. */
static void close_now(const lbs_member_t *m)
{
    lbs_clock_t now = lbs_clock_both();

    now.mono++; /* the shortest deadline is over */
    (void)lbs_admin_tick(lbs_runtime()->registry, m->slot, &now);
}

static void follow_up(const lbs_pool_t *pool, const lbs_member_t *m,
                      lbs_admin_action_t action, apr_uint32_t before)
{
    lbs_eject_on_t on = lbs_health_eject_on(pool, m);
    apr_uint64_t now = (apr_uint64_t)lbs_clock_now();

    if (action == LBS_ADMIN_RESET) {
        if (lbs_eject_lift(&on, now)) {
            lbs_health_begin_anew(pool, m);
        }
    }
    if (lbs_state_returns(before,
                          lbs_atomic_load32_relaxed(&m->gauge->flags))) {
        lbs_health_warm_up(pool, m);
    }
    close_now(m);
    lbs_health_recount(pool);
    /* Since when it is in its state. */
    lbs_member_record_tick(m->record, m->gauge, now);
    mirror(m);
}

const char *lbs_operator_apply(const lbs_pool_t *pool, const lbs_member_t *m,
                               const lbs_admin_change_t *change)
{
    lbs_clock_t now = lbs_clock_both();
    apr_uint32_t before = lbs_atomic_load32_relaxed(&m->gauge->flags);
    const char *wrong =
        lbs_admin_apply(lbs_runtime()->registry, m->slot, change, &now);

    if (wrong == NULL) {
        follow_up(pool, m, change->action, before);
        enforce(pool);
    }
    return wrong;
}

/* balancer-manager ------------------------------------------------------- */

void lbs_operator_follow(const lbs_member_t *m, const lbs_clock_t *now)
{
    lbs_admin_values_t shown = {lbs_worker_flags(m->worker),
                                lbs_worker_weight(m->worker)};
    lbs_admin_values_t want;

    if (*m->found == '\0'
        && lbs_manager_follow(lbs_runtime()->registry, m->slot, &shown, now,
                              &want)) {
        mirror(m);
    }
}

/* A configuration -------------------------------------------------------- */

static void reconcile(const lbs_pool_t *pool, const lbs_member_t *m,
                      int is_reload)
{
    lbs_admin_values_t values = {lbs_worker_flags(m->worker),
                                 lbs_worker_weight(m->worker)};
    lbs_clock_t now = lbs_clock_both();

    lbs_admin_reconcile(lbs_runtime()->registry, m->slot, &values, &now);
    mirror(m);
    if (m->created && is_reload) {
        lbs_health_warm_up(pool, m);
    }
    else if (m->created) {
        lbs_atomic_store32_relaxed(&m->gauge->ramp, LBS_RAMP_FULL);
    }
}

/* Virtual hosts that inherit a pool have its very members. mod_proxy's record
 * of a member holds the configuration's values only until they are reconciled:
 * a second look would take an operator's change for the file's. */
void lbs_operator_reconcile(void)
{
    const apr_array_header_t *all = lbs_pools_all();
    lbs_registry_t *registry = lbs_runtime()->registry;
    lbs_clock_t now = lbs_clock_both();
    int is_reload = lbs_registry_generation(registry) != 0;
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);
        apr_size_t m;

        for (m = 0; m < pool->configured && pool->decides; m++) {
            reconcile(pool, pool->member[m], is_reload);
        }
    }
    lbs_registry_commit(registry, &now);
    lbs_runtime()->generation = lbs_registry_generation(registry);
}
