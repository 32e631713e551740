/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_modstatus.c - a section of mod_status's page, and its ?auto form.
 *
 * Short on purpose: a reader of /server-status wants to know whether the load
 * balancer is well, and where to find the rest. The ?auto form has one line
 * for each number, as mod_status has.
 */
#include "src/httpd/status/lbs_modstatus.h"

#include <http_protocol.h>
#include <mod_status.h>

#include "src/httpd/pool/lbs_present.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/view/lbs_alert.h"
#include "src/httpd/status/lbs_collect.h"
#include "src/view/lbs_out.h"

static apr_status_t send_part(void *ctx, const char *data, apr_size_t len)
{
    return ap_rwrite(data, (int)len, ctx) < 0 ? APR_ECONNABORTED : APR_SUCCESS;
}

/* Members that serve visitors with a session. */
static unsigned count_serving(const lbs_view_pool_t *pool)
{
    unsigned count = 0;
    apr_uint32_t i;

    for (i = 0; i < pool->members_count; i++) {
        count += lbs_view_member_serves(&pool->members[i]) != 0;
    }
    return count;
}

static unsigned long long decided(const lbs_view_pool_t *pool,
                                  lbs_decision_t decision)
{
    return lbs_view_pool_decided(pool, decision);
}

/* "LBSticky[app of www.example.com:80] Requests: 17" */
static void write_auto(lbs_out_t *out, const lbs_view_t *view)
{
    apr_uint32_t i;

    lbs_out_put(out,
                "LBStickyEntries: %llu\nLBStickyCapacity: %llu\n"
                "LBStickyProblems: %d\n",
                (unsigned long long)view->table.entries,
                (unsigned long long)view->table.capacity,
                lbs_alert_list(out->pool, view)->count);
    for (i = 0; i < view->pools_count; i++) {
        const lbs_view_pool_t *pool = &view->pools[i];
        const struct {
            const char *name;
            unsigned long long value;
        } rows[] = {
            {"Members", pool->members_count},
            {"MembersServing", count_serving(pool)},
            {"Sessions", pool->sessions},
            {"InFlight", pool->inflight},
            {"Requests", pool->requests},
            {"Kept", decided(pool, LBS_DECISION_KEPT)},
            {"Moved", decided(pool, LBS_DECISION_MOVED)},
            {"Refused", decided(pool, LBS_DECISION_REFUSED)},
        };
        apr_size_t k;

        for (k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
            lbs_out_put(out, "LBSticky[%s of %s]%s: %llu\n", pool->name,
                        pool->vhost, rows[k].name, rows[k].value);
        }
    }
}

static void write_page(lbs_out_t *out, const lbs_view_t *view)
{
    const lbs_alerts_t *alerts = lbs_alert_list(out->pool, view);
    apr_uint32_t i;
    int k;

    lbs_out_put(out,
                "<hr>\n<h2>LBSticky</h2>\n<p>%llu of %llu sessions</p>\n"
                "<ul>\n",
                (unsigned long long)view->table.entries,
                (unsigned long long)view->table.capacity);
    for (k = 0; k < alerts->count; k++) {
        const lbs_view_pool_t *pool = alerts->alert[k].pool;

        lbs_out_put(out, "<li><b>%s%s%s</b></li>\n",
                    pool != NULL ? pool->name : "", pool != NULL ? ": " : "",
                    alerts->alert[k].text);
    }
    for (i = 0; i < view->pools_count; i++) {
        const lbs_view_pool_t *pool = &view->pools[i];

        lbs_out_put(out,
                    "<li>%s of %s: %u of %u members serve, %llu sessions, "
                    "%llu in flight; %llu requests, %llu kept, %llu moved, "
                    "%llu refused</li>\n",
                    pool->name, pool->vhost, count_serving(pool),
                    pool->members_count, (unsigned long long)pool->sessions,
                    (unsigned long long)pool->inflight,
                    (unsigned long long)pool->requests,
                    decided(pool, LBS_DECISION_KEPT),
                    decided(pool, LBS_DECISION_MOVED),
                    decided(pool, LBS_DECISION_REFUSED));
    }
    lbs_out_raw(out, "</ul>\n");
}

static int write_held(request_rec *r, int flags)
{
    int is_auto = (flags & AP_STATUS_SHORT) != 0;
    const lbs_view_t *view;
    lbs_out_t *out;

    view = lbs_collect_view(r->pool, r->server, NULL);
    if (view->pools_count == 0) {
        return DECLINED;
    }
    out = lbs_out_open(r->pool, is_auto ? LBS_OUT_PLAIN : LBS_OUT_HTML,
                       send_part, r);
    if (is_auto) {
        write_auto(out, view);
    }
    else {
        write_page(out, view);
    }
    return lbs_out_close(out) == APR_SUCCESS ? OK : DECLINED;
}

static int write_section(request_rec *r, int flags)
{
    lbs_present_hold_t hold;
    int status;

    if (lbs_runtime() == NULL) {
        return DECLINED;
    }
    hold = lbs_present_hold();
    status = write_held(r, flags);
    lbs_present_release(hold);
    return status;
}

void lbs_modstatus_register(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, write_section, NULL, NULL,
                      APR_HOOK_MIDDLE);
}
