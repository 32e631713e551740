/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_children.c - see lbs_children.h. */
#include "src/httpd/shared/lbs_children.h"

#include <unistd.h>

#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

void lbs_children_join(apr_pool_t *pchild, server_rec *main_server)
{
    lbs_runtime_t *rt = lbs_runtime();
    apr_status_t rv =
        lbs_inflight_claim(&rt->rows, (apr_uint32_t)getpid(), &rt->row);

    (void)pchild;
    if (rv != APR_SUCCESS) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, rv, main_server,
            LBSNO(1901) "child %" APR_PID_T_FMT
                        " is one more than at the first start: "
                        "what it has in flight stays in the "
                        "counters if it is killed; stop and start httpd "
                        "once after raising ServerLimit",
            getpid());
    }
}

/* The other things that a dead child may hold: checks, probes, places in
 * queues. */
static void abandon(const lbs_inflight_t *row)
{
    lbs_registry_t *registry = lbs_runtime()->registry;
    apr_uint64_t now = (apr_uint64_t)lbs_clock_now();
    apr_uint32_t slot = LBS_REGISTRY_NONE;

    while ((slot = lbs_registry_next_member(registry, LBS_REGISTRY_NONE, slot))
           != LBS_REGISTRY_NONE) {
        lbs_member_record_t *m = lbs_registry_member_record(registry, slot);

        lbs_check_abandon(&m->check, row->token);
        lbs_probe_abandon(&m->probe, row->token);
        lbs_queue_abandon(&m->queue, row, now);
    }
}

/* Where a member is too busy to be looked at, or this process dies, the row
 * stays condemned and lbs_children_finish() goes on. */
static void take_back(const lbs_inflight_t *row)
{
    lbs_runtime_t *rt = lbs_runtime();

    abandon(row);
    (void)lbs_inflight_reap(&rt->rows, row, lbs_registry_gauges(rt->registry));
}

void lbs_children_gone(apr_uint32_t pid)
{
    lbs_runtime_t *rt = lbs_runtime();
    apr_uint32_t i;
    lbs_inflight_t row;

    if (rt == NULL) {
        return;
    }
    lbs_lease_drop(rt->notes.tick, pid);
    lbs_ongoing_abandon(rt->notes.ongoing, pid);
    for (i = 0; i < rt->rows.rows; i++) {
        if (lbs_inflight_pid(&rt->rows, i) == pid
            && lbs_inflight_condemn(&rt->rows, i, pid, &row) == APR_SUCCESS) {
            take_back(&row);
        }
    }
}

void lbs_children_finish(void)
{
    lbs_runtime_t *rt = lbs_runtime();
    apr_uint32_t i;
    lbs_inflight_t row;

    for (i = 0; i < rt->rows.rows; i++) {
        if (lbs_inflight_condemned(&rt->rows, i, &row)) {
            take_back(&row);
        }
    }
}
