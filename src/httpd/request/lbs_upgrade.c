/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_upgrade.c - see lbs_upgrade.h. */
#include "src/httpd/request/lbs_upgrade.h"

#include <apr_strings.h>

#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/proxy/lbs_worker.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

#define WARN_EVERY apr_time_from_sec(3600)

/* How servers answer a handshake that arrives without its Upgrade: Node,
 * Tomcat and Go 400, the RFC's word is 426, ASGI servers look for a page, and
 * sites of one page answer that. Who may not come in, or is sent elsewhere,
 * would be so with it, too. */
static int is_refusal(int status)
{
    return status == HTTP_OK || status == HTTP_BAD_REQUEST
           || status == HTTP_NOT_FOUND || status == HTTP_METHOD_NOT_ALLOWED
           || status == HTTP_UPGRADE_REQUIRED
           || status == HTTP_INTERNAL_SERVER_ERROR
           || status == HTTP_NOT_IMPLEMENTED;
}

static int asks_for_websocket(const request_rec *r)
{
    const char *upgrade = apr_table_get(r->headers_in, "Upgrade");

    return upgrade != NULL && ap_cstr_casecmp(upgrade, "websocket") == 0;
}

void lbs_upgrade_look(request_rec *r, const lbs_request_t *req)
{
    const lbs_member_t *m;

    if (!is_refusal(r->status) || !asks_for_websocket(r) || req->local.here) {
        return;
    }
    m = req->pool->member[req->choice.member];
    if (!lbs_worker_drops_websocket(m->worker)) {
        return;
    }
    lbs_recent_add(&lbs_runtime()->notes.upgrades_lost[req->pool->slot],
                   (apr_uint64_t)lbs_clock_now());
    if (lbs_clock_once(&lbs_runtime()->notes.upgrade_at[req->pool->slot],
                       WARN_EVERY)) {
        ap_log_rerror(
            APLOG_MARK, APLOG_WARNING, 0, r,
            LBSNO(3501) "pool %s: a client asked for a WebSocket at %s and "
                        "got %d: mod_proxy_http passes none on to a member "
                        "without upgrade=; write BalancerMember \"%s\" "
                        "upgrade=websocket, and so for each member",
            req->pool->name, r->uri, r->status, m->name);
    }
}
