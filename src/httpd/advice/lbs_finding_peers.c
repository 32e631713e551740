/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_finding_peers.c - servers that pass requests to each other
 * (LBStickyLocal self) at a port where another virtual host only redirects. */
#include <apr_strings.h>
#include <string.h>

#include "src/httpd/advice/lbs_finding_int.h"
#include "src/httpd/advice/lbs_lines.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/config/lbs_walk.h"
#include "src/httpd/proxy/lbs_log.h"

/* Is there a virtual host for a port? A virtual host without a port is for all
 * ports. */
static int has_port(const server_rec *s, apr_port_t port)
{
    const server_addr_rec *at;

    for (at = s->addrs; at != NULL; at = at->next) {
        if (at->host_port == 0 || at->host_port == port) {
            return 1;
        }
    }
    return 0;
}

static int is_redirect(const lbs_line_t *line)
{
    if (line->location != NULL) {
        return 0;
    }
    if (lbs_line_is(line, "RewriteRule")) {
        return ap_strcasestr(line->args, "https://") != NULL;
    }
    return (lbs_line_is(line, "Redirect")
            || lbs_line_is(line, "RedirectPermanent")
            || lbs_line_is(line, "RedirectMatch"))
           && ap_strcasestr(line->args, "https://") != NULL;
}

/* The line of the virtual host of the same name that sends visitors from a
 * port to https. */
static const lbs_line_t *find_redirect(const lbs_findings_t *findings,
                                       const server_rec *s, apr_port_t port)
{
    int i;

    for (i = 0; i < findings->lines->nelts; i++) {
        const lbs_line_t *line =
            &APR_ARRAY_IDX(findings->lines, i, lbs_line_t);

        if (is_redirect(line) && line->server != s
            && has_port(line->server, port)
            && line->server->server_hostname != NULL
            && s->server_hostname != NULL
            && ap_cstr_casecmp(line->server->server_hostname,
                               s->server_hostname)
                   == 0) {
            return line;
        }
    }
    return NULL;
}

static void look_at(lbs_findings_t *findings, const lbs_walk_t *walk)
{
    int i;

    for (i = 0; i < lbs_worker_count(walk->balancer); i++) {
        const proxy_worker *worker = lbs_worker_at(walk->balancer, i);
        apr_port_t port = lbs_worker_place(worker).port;
        const lbs_line_t *line =
            !lbs_worker_is_tls(worker) && !has_port(walk->server, port)
                ? find_redirect(findings, walk->server, port)
                : NULL;

        if (line != NULL) {
            lbs_finding_add(
                findings, walk->server, walk->name, "peer-redirects", 1,
                LBSNO(3313) "pool %s: what this server passes to member %s "
                            "is redirected there, for ever, by %s on %s; "
                            "write BalancerMember \"https://%s:443\" and "
                            "SSLProxyEngine on, SSLProxyCheckPeerName off",
                walk->name, lbs_worker_name(worker), line->directive,
                lbs_line_place(findings->pool, line),
                lbs_worker_place(worker).host);
            return;
        }
    }
}

void lbs_finding_peers(lbs_findings_t *findings)
{
    lbs_walk_t walk = lbs_walk_all(findings->pool, findings->main_server);

    while (lbs_walk_next(&walk)) {
        if (walk.set.sticky->on && walk.set.local->self
            && walk.server != findings->main_server) {
            look_at(findings, &walk);
        }
    }
}
