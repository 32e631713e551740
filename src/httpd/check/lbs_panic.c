/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_panic.c - see lbs_panic.h. */
#include "src/httpd/check/lbs_panic.h"

#include <apr_strings.h>

#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

/* Flags that close a member by order. */
#define BY_ORDER                                                              \
    (LBS_F_STOPPED | LBS_F_DISABLED | LBS_F_DRAIN | LBS_F_DRAINED             \
     | LBS_F_REMOVED | LBS_F_LEAVING)

static int is_open_by_order(const lbs_gauge_t *g)
{
    return (lbs_atomic_load32_relaxed(&g->flags) & BY_ORDER) == 0
           && lbs_atomic_load32_relaxed(&g->weight) != 0;
}

static int is_down(const lbs_gauge_t *g)
{
    return (lbs_atomic_load32_relaxed(&g->flags) & LBS_F_DOWN) != 0;
}

static int are_all_down(const lbs_pool_t *pool)
{
    int down = 0;
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        const lbs_gauge_t *g = pool->member[i]->gauge;

        if (is_open_by_order(g)) {
            if (!is_down(g)) {
                return 0;
            }
            down++;
        }
    }
    return down != 0;
}

static int accepts(const lbs_member_t *m)
{
    lbs_check_view_t view;

    lbs_check_view(&m->record->check, &view);
    return view.connected;
}

static lbs_panic_t judge(const lbs_pool_t *pool, int checked)
{
    apr_size_t i;

    if (!are_all_down(pool)) {
        return LBS_PANIC_NONE;
    }
    if (!checked) {
        return LBS_PANIC_LAST;
    }
    if (!*pool->set.panic) {
        return LBS_PANIC_NONE;
    }
    for (i = 0; i < pool->count; i++) {
        if (is_open_by_order(pool->member[i]->gauge)
            && accepts(pool->member[i])) {
            return LBS_PANIC_IGNORED;
        }
    }
    return LBS_PANIC_DEAD;
}

/* @return members whose checks are ignored now */
static int mark(const lbs_pool_t *pool, lbs_panic_t panic)
{
    int ignored = 0;
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        const lbs_member_t *m = pool->member[i];

        if (is_down(m->gauge)
            && (panic == LBS_PANIC_LAST
                || (panic == LBS_PANIC_IGNORED && accepts(m)))) {
            (void)lbs_gauge_set(m->gauge, LBS_F_PANIC);
            ignored += is_open_by_order(m->gauge);
        }
        else {
            (void)lbs_gauge_clear(m->gauge, LBS_F_PANIC);
        }
    }
    return ignored;
}

static void tell(const lbs_pool_t *pool, lbs_event_kind_t kind,
                 const char *reason)
{
    lbs_clock_t now = lbs_clock_both();

    lbs_registry_tell(lbs_runtime()->registry, &now, pool->slot,
                      LBS_REGISTRY_NONE, kind, reason);
}

static void tell_panic(const lbs_pool_t *pool, lbs_panic_t panic, int ignored)
{
    char words[96];
    int dead = panic == LBS_PANIC_DEAD;

    apr_snprintf(words, sizeof(words),
                 "every check fails: ignored for the %d that accept "
                 "connections",
                 ignored);
    tell(pool, LBS_EVENT_PANIC,
         dead ? "no member accepts connections" : words);
    apr_snprintf(words, sizeof(words),
                 "checks are ignored for the %d that accept connections",
                 ignored);
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, pool->server,
                 LBSNO(3000) "pool %s: panic: every member fails its check, "
                             "%s%s",
                 pool->name, dead ? "and none accepts connections" : words,
                 dead ? ": visitors get 503 until one does; start them, or "
                        "look for a firewall between"
                      : "; look whether the path of LBStickyCheck is right");
}

static void tell_over(const lbs_pool_t *pool, int checked)
{
    tell(pool, LBS_EVENT_PANIC_OVER,
         checked ? "not every check fails any more" : "there are no checks");
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, pool->server,
                 LBSNO(3001) "pool %s: panic is over: %s", pool->name,
                 checked
                     ? "a check is good again, and checks count from now on"
                     : "its members are no longer checked");
}

/* Without checks nothing is told: each member's own event is. */
static int is_told(lbs_panic_t panic)
{
    return panic == LBS_PANIC_IGNORED || panic == LBS_PANIC_DEAD;
}

void lbs_panic_look(const lbs_pool_t *pool, int checked)
{
    lbs_panic_t before =
        (lbs_panic_t)lbs_atomic_load32_relaxed(&pool->record->panic);
    lbs_panic_t panic = judge(pool, checked);
    int ignored;

    if (panic == LBS_PANIC_NONE && before == LBS_PANIC_NONE) {
        return;
    }
    ignored = mark(pool, panic);
    if (panic == before) {
        return;
    }
    lbs_atomic_store32_relaxed(&pool->record->panic, (apr_uint32_t)panic);
    if (is_told(panic)) {
        tell_panic(pool, panic, ignored);
    }
    else if (is_told(before)) {
        tell_over(pool, checked);
    }
}
