/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_finding_members.c - members that nobody can be forwarded to: of a scheme
 * that there is not, and this server itself. */
#include <apr_strings.h>
#include <string.h>

#include "src/base/lbs_text.h"
#include "src/httpd/advice/lbs_finding_int.h"
#include "src/httpd/advice/lbs_lines.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/config/lbs_walk.h"
#include "src/httpd/config/lbs_here.h"
#include "src/httpd/proxy/lbs_log.h"

#define ALIKE 2 /* letters that a typing error gets wrong */

/* Schemes --------------------------------------------------------------- */

/* What httpd's own modules forward by. */
static const char *const schemes[] = {
    "http", "https", "balancer", "unix", "fcgi", "ajp", "h2",     "h2c",
    "ws",   "wss",   "uwsgi",    "scgi", "ftp",  "fd",  "connect"};

#define SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

/* The scheme that was perhaps meant by one that there is not.
 * @return NULL: it is known, or like none: a module of somebody else's */
static const char *find_meant(const char *scheme)
{
    const char *meant = NULL;
    unsigned i, least = ALIKE + 1;

    for (i = 0; i < SCHEMES; i++) {
        unsigned distance = lbs_text_distance(scheme, schemes[i]);

        if (distance == 0) {
            return NULL;
        }
        if (distance < least && distance < strlen(schemes[i])) {
            least = distance;
            meant = schemes[i];
        }
    }
    return meant;
}

/* A ProxyPass or RewriteRule to a scheme that there is not. */
static void look_at_target(lbs_findings_t *findings, const lbs_line_t *line)
{
    const char *target = lbs_line_target(findings->pool, line);
    const char *end = target != NULL ? strstr(target, "://") : NULL;
    const char *scheme, *meant;

    if (end == NULL) {
        return;
    }
    scheme =
        apr_pstrmemdup(findings->pool, target, (apr_size_t)(end - target));
    meant = strpbrk(scheme, "$%{|/:") == NULL ? find_meant(scheme) : NULL;
    if (meant != NULL) {
        lbs_finding_add(
            findings, line->server, "", "scheme", 1,
            LBSNO(3317) "%s: %s to %s: no module of httpd's forwards by "
                        "%s://, so requests get 500; write %s://",
            lbs_line_place(findings->pool, line), line->directive, target,
            scheme, meant);
    }
}

static void look_at_scheme(lbs_findings_t *findings, const lbs_walk_t *walk,
                           const proxy_worker *worker)
{
    const char *scheme = lbs_worker_place(worker).scheme;
    const char *meant = find_meant(scheme);

    if (meant != NULL) {
        lbs_finding_add(
            findings, walk->owner, walk->name, "scheme", 1,
            LBSNO(3320) "pool %s: BalancerMember %s: no module of httpd's "
                        "forwards by %s://, so it gets no requests; write "
                        "%s://",
            walk->name, lbs_worker_name(worker), scheme, meant);
    }
}

/* upgrade= --------------------------------------------------------------- */

/* upgrade= holds a protocol's name; these are taken for one. */
static void look_at_upgrade(lbs_findings_t *findings, const lbs_walk_t *walk,
                            const proxy_worker *worker)
{
    static const char *const wrong[] = {"on", "yes", "true", "1", "ws", "wss"};
    const char *upgrade = lbs_worker_upgrade(worker);
    apr_size_t i, found = lbs_text_distance(upgrade, "websocket") <= ALIKE
                          && ap_cstr_casecmp(upgrade, "websocket") != 0;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        found |= ap_cstr_casecmp(upgrade, wrong[i]) == 0;
    }
    if (found && lbs_worker_drops_websocket(worker)) {
        lbs_finding_add(
            findings, walk->owner, walk->name, "upgrade", 1,
            LBSNO(3318) "pool %s: upgrade=%s of member %s names a protocol "
                        "that no client asks for; write upgrade=websocket",
            walk->name, upgrade, lbs_worker_name(worker));
    }
}

/* This server itself ----------------------------------------------------- */

/* How well a virtual host fits an address: 2 by the address, 1 by its port
 * alone, 0 not at all. */
static int fits(const server_rec *s, const apr_sockaddr_t *addr)
{
    const server_addr_rec *at;
    int best = 0;

    for (at = s->addrs; at != NULL; at = at->next) {
        if (at->host_port != 0 && at->host_port != addr->port) {
            continue;
        }
        if (apr_sockaddr_equal(at->host_addr, addr)) {
            return 2;
        }
        best |= apr_sockaddr_is_wildcard(at->host_addr);
    }
    return best;
}

/* Requests that are sent there with the visitor's Host come back to the
 * virtual host that sent them. The main server is where no virtual host fits.
 */
static int comes_back(const lbs_findings_t *findings, const lbs_walk_t *walk,
                      const apr_sockaddr_t *addr)
{
    int here = fits(walk->server, addr);
    const server_rec *s;

    for (s = findings->main_server->next; s != NULL; s = s->next) {
        if (fits(s, addr) > here) {
            return 0;
        }
    }
    return here > 0 || walk->server == findings->main_server;
}

static void look_at_self(lbs_findings_t *findings, const lbs_walk_t *walk,
                         const proxy_worker *worker)
{
    const lbs_line_t *line;
    apr_sockaddr_t *addr;

    if (walk->set.local->self || !walk->set.forward->host
        || !lbs_here_listens(findings->pool, worker, &addr)
        || !comes_back(findings, walk, addr)) {
        return;
    }
    line = lbs_lines_sender(findings->pool, findings->lines, walk->server,
                            walk->name, "/");
    if (line != NULL) {
        lbs_finding_add(
            findings, walk->server, walk->name, "member-self", 1,
            LBSNO(3319) "pool %s: member %s is this server itself, which "
                        "sends requests there again (%s), until no thread is "
                        "left; write the port of the application, or "
                        "LBStickyLocal self where the site runs in this httpd",
            walk->name, lbs_worker_name(worker),
            lbs_line_place(findings->pool, line));
    }
}

void lbs_finding_members(lbs_findings_t *findings)
{
    lbs_walk_t walk = lbs_walk_all(findings->pool, findings->main_server);
    int i;

    for (i = 0; i < findings->lines->nelts; i++) {
        look_at_target(findings,
                       &APR_ARRAY_IDX(findings->lines, i, lbs_line_t));
    }
    while (lbs_walk_next(&walk)) {
        for (i = 0; i < lbs_worker_count(walk.balancer); i++) {
            const proxy_worker *worker = lbs_worker_at(walk.balancer, i);

            if (!lbs_walk_is_inherited(&walk)) {
                look_at_scheme(findings, &walk, worker);
                look_at_upgrade(findings, &walk, worker);
            }
            if (walk.set.sticky->on) {
                look_at_self(findings, &walk, worker);
            }
        }
    }
}
