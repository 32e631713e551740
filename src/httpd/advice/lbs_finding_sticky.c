/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_finding_sticky.c - this module's directives where they do nothing, and
 * mod_proxy's where this module takes their place. */
#include <apr_strings.h>
#include <string.h>

#include "src/httpd/advice/lbs_finding_int.h"
#include "src/httpd/advice/lbs_lines.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/config/lbs_walk.h"
#include "src/httpd/proxy/lbs_log.h"

/* A directive that counts for a server, also where no pool of it is governed.
 */
static int is_for_server(const lbs_line_t *line)
{
    static const char *const names[] = {"LBSticky",      "LBStickySecret",
                                        "LBStickyTable", "LBStickyPersist",
                                        "LBStickyAdmin", "LBStickyRegister"};
    unsigned i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (lbs_line_is(line, names[i])) {
            return 1;
        }
    }
    return 0;
}

/* Is there a governed pool for which a line may count? */
static int is_used(const lbs_findings_t *findings, const lbs_line_t *line)
{
    lbs_walk_t walk = lbs_walk_all(findings->pool, findings->main_server);

    while (lbs_walk_next(&walk)) {
        if (walk.set.sticky->on
            && (line->server == findings->main_server
                || walk.server == line->server)
            && (line->pool == NULL || strcmp(line->pool, walk.name) == 0)) {
            return 1;
        }
    }
    return 0;
}

/* Is LBSticky off written for the pool of this line? Then the administrator
 * has not forgotten LBSticky. */
static int is_off(const lbs_findings_t *findings, const lbs_line_t *line)
{
    int i;

    for (i = 0; i < findings->lines->nelts; i++) {
        const lbs_line_t *other =
            &APR_ARRAY_IDX(findings->lines, i, lbs_line_t);

        if (lbs_line_is(other, "LBSticky")
            && lbs_line_says(findings->pool, other, "off")
            && (other->pool == NULL
                || (line->pool != NULL
                    && strcmp(other->pool, line->pool) == 0))) {
            return 1;
        }
    }
    return 0;
}

static void look_at_forgotten(lbs_findings_t *findings)
{
    int i;

    for (i = 0; i < findings->lines->nelts; i++) {
        const lbs_line_t *line =
            &APR_ARRAY_IDX(findings->lines, i, lbs_line_t);

        if (ap_cstr_casecmpn(line->directive, "LBSticky", 8) != 0
            || is_for_server(line) || is_used(findings, line)
            || is_off(findings, line)) {
            continue;
        }
        lbs_finding_add(
            findings, line->server, line->pool != NULL ? line->pool : "",
            "sticky-forgotten", 1,
            LBSNO(
                3308) "%s: %s does nothing: no LBSticky is in force for %s%s, "
                      "so mod_proxy_balancer decides; write LBSticky cookie "
                      "beside it",
            lbs_line_place(findings->pool, line), line->directive,
            line->pool != NULL ? "pool " : "a pool of this server",
            line->pool != NULL ? line->pool : "");
    }
}

static int has_route(const lbs_walk_t *walk)
{
    int i;

    for (i = 0; i < lbs_worker_count(walk->balancer); i++) {
        if (*lbs_worker_route(lbs_worker_at(walk->balancer, i)) != '\0') {
            return 1;
        }
    }
    return 0;
}

static void look_at_routes(lbs_findings_t *findings, const lbs_walk_t *walk)
{
    const lbs_set_sticky_t *sticky = walk->set.sticky;
    int i;

    for (i = 0; i < sticky->count && !has_route(walk); i++) {
        if (sticky->source[i].kind == LBS_SOURCE_ROUTE) {
            lbs_finding_add(
                findings, walk->server, walk->name, "no-routes", 1,
                LBSNO(3309) "pool %s: LBSticky %s finds no member: no "
                            "BalancerMember has a route=; write route=NAME "
                            "behind each, as the application writes it",
                walk->name, sticky->source[i].spelling);
            return;
        }
    }
}

static void look_at_parameters(lbs_findings_t *findings,
                               const lbs_walk_t *walk)
{
    const char *sticky = lbs_worker_pool_sticky(walk->balancer);
    int i;

    if (sticky != NULL) {
        lbs_finding_add(
            findings, walk->server, walk->name, "stickysession", 1,
            LBSNO(1103) "pool %s: stickysession=%s is ignored here; write "
                        "LBSticky route=%s if the application writes the "
                        "route itself, or take stickysession= out",
            walk->name, sticky, sticky);
    }
    for (i = 0; i < lbs_worker_count(walk->balancer); i++) {
        const proxy_worker *worker = lbs_worker_at(walk->balancer, i);

        if (lbs_worker_is_checked(worker)) {
            lbs_finding_add(
                findings, walk->server, walk->name, "hcmethod", 1,
                LBSNO(1107) "pool %s: hcmethod= of member %s is ignored here; "
                            "write LBStickyCheck path=/PATH",
                walk->name, lbs_worker_name(worker));
        }
    }
}

/* A pool of the main server is told of once, but for those of its virtual
 * hosts that alone have LBSticky. */
static int is_told(const lbs_walk_t *walk)
{
    lbs_settings_t outer;

    if (!lbs_walk_is_inherited(walk)) {
        return 0;
    }
    lbs_config_resolve(&outer, walk->owner, walk->name, 0);
    return outer.sticky->on;
}

/* Two members are one server if they have one host and port, or one socket,
 * and the schemes are http and ws. */
static int is_same_server(const proxy_worker *a, const proxy_worker *b)
{
    lbs_worker_place_t x = lbs_worker_place(a), y = lbs_worker_place(b);

    if (x.path != NULL || y.path != NULL) {
        return x.path != NULL && y.path != NULL && strcmp(x.path, y.path) == 0;
    }
    return x.port == y.port && ap_cstr_casecmp(x.host, y.host) == 0;
}

static int is_socket(const proxy_worker *worker)
{
    return ap_cstr_casecmpn(lbs_worker_place(worker).scheme, "ws", 2) == 0;
}

/* Sessions of the two agree where the application's route decides. */
static int goes_by_route(const lbs_walk_t *walk)
{
    const lbs_set_sticky_t *sticky = walk->set.sticky;

    return sticky->count != 0 && sticky->source[0].kind == LBS_SOURCE_ROUTE;
}

static void look_at_sockets(lbs_findings_t *findings, const lbs_walk_t *ws)
{
    const proxy_worker *socket = lbs_worker_count(ws->balancer) != 0
                                     ? lbs_worker_at(ws->balancer, 0)
                                     : NULL;
    lbs_walk_t http =
        lbs_walk_server(findings->pool, ws->server, findings->main_server);

    if (socket == NULL || !is_socket(socket) || goes_by_route(ws)) {
        return;
    }
    while (lbs_walk_next(&http)) {
        if (http.set.sticky->on && lbs_worker_count(http.balancer) != 0
            && !is_socket(lbs_worker_at(http.balancer, 0))
            && is_same_server(socket, lbs_worker_at(http.balancer, 0))) {
            lbs_finding_add(
                findings, ws->server, ws->name, "two-pools", 1,
                LBSNO(3311) "pools %s and %s have the same servers and "
                            "sessions of their own, so a visitor's WebSocket "
                            "may be at another server than the pages; write "
                            "one pool of http:// members with "
                            "upgrade=websocket behind each BalancerMember",
                http.name, ws->name);
            return;
        }
    }
}

/* The pool of the same name in another virtual host of the same ServerName. */
static void look_at_twin(lbs_findings_t *findings, const lbs_walk_t *walk)
{
    lbs_walk_t other = lbs_walk_all(findings->pool, findings->main_server);

    while (lbs_walk_next(&other)) {
        if (other.server != walk->server && !other.set.sticky->on
            && strcmp(other.name, walk->name) == 0
            && lbs_worker_count(other.balancer) != 0
            && lbs_lines_sender(findings->pool, findings->lines, other.server,
                                other.name, NULL)
                   != NULL
            && other.server->server_hostname != NULL
            && walk->server->server_hostname != NULL
            && ap_cstr_casecmp(other.server->server_hostname,
                               walk->server->server_hostname)
                   == 0) {
            lbs_finding_add(
                findings, other.server, walk->name, "half-governed", 0,
                LBSNO(3310) "pool %s is sticky for %s and left to "
                            "mod_proxy_balancer for %s: visitors who change "
                            "between the two lose their session; write the "
                            "same LBSticky into both",
                walk->name, lbs_config_vhost(findings->pool, walk->server),
                lbs_config_vhost(findings->pool, other.server));
            return;
        }
    }
}

void lbs_finding_sticky(lbs_findings_t *findings)
{
    lbs_walk_t walk = lbs_walk_all(findings->pool, findings->main_server);

    look_at_forgotten(findings);
    while (lbs_walk_next(&walk)) {
        if (!walk.set.sticky->on || is_told(&walk)) {
            continue;
        }
        look_at_routes(findings, &walk);
        look_at_parameters(findings, &walk);
        look_at_sockets(findings, &walk);
        look_at_twin(findings, &walk);
    }
}
