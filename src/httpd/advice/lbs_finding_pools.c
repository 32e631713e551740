/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_finding_pools.c - balancers that have no members, or no users. */
#include <apr_strings.h>
#include <string.h>

#include "src/base/lbs_text.h"
#include "src/httpd/advice/lbs_finding_int.h"
#include "src/httpd/advice/lbs_lines.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/config/lbs_walk.h"
#include "src/httpd/proxy/lbs_log.h"

#define ALIKE 2 /* letters that a typing error gets wrong */

/* <Proxy "balancer://name">, or a BalancerMember that names the pool. */
static int is_defined_by(const lbs_findings_t *findings,
                         const lbs_line_t *line, const char *name)
{
    const char *pool = NULL;

    if (lbs_line_is(line, "<Proxy")) {
        pool = line->pool;
    }
    else if (lbs_line_is(line, "BalancerMember") && line->pool == NULL) {
        pool = lbs_line_word(findings->pool, line, 0);
        pool =
            pool != NULL ? lbs_config_pool_name(findings->pool, pool) : NULL;
    }
    return pool != NULL && strcmp(pool, name) == 0;
}

/* The first line that sends requests to a pool, or defines it. A pool of the
 * main server is also the virtual hosts'. */
static const lbs_line_t *find_line(const lbs_findings_t *findings,
                                   const lbs_walk_t *walk, int defines)
{
    const apr_array_header_t *lines = findings->lines;
    int i;

    for (i = 0; i < lines->nelts; i++) {
        const lbs_line_t *line = &APR_ARRAY_IDX(lines, i, lbs_line_t);

        if ((defines ? is_defined_by(findings, line, walk->name)
                     : lbs_line_sends(findings->pool, line, walk->name))
            && (line->server == walk->owner
                || walk->owner == findings->main_server)) {
            return line;
        }
    }
    return NULL;
}

/* Does a line send requests to whatever pool the request names? */
static int is_any_used(const lbs_findings_t *findings)
{
    int i;

    for (i = 0; i < findings->lines->nelts; i++) {
        const char *target = lbs_line_target(
            findings->pool, &APR_ARRAY_IDX(findings->lines, i, lbs_line_t));

        if (target != NULL && lbs_line_is_computed(target)) {
            return 1;
        }
    }
    return 0;
}

/* The pool with members whose name was perhaps meant. */
static const char *find_alike(const lbs_findings_t *findings,
                              const lbs_walk_t *empty)
{
    lbs_walk_t walk =
        lbs_walk_server(findings->pool, empty->server, findings->main_server);

    while (lbs_walk_next(&walk)) {
        if (lbs_worker_count(walk.balancer) != 0
            && lbs_text_distance(walk.name, empty->name) <= ALIKE) {
            return walk.name;
        }
    }
    return NULL;
}

/* A name that each request completes, as balancer://app$1, is not a pool's. */
static int is_name_of_pattern(const lbs_walk_t *walk)
{
    return strpbrk(walk->name, "$%") != NULL;
}

/* The section of another server that defines a pool of that name. */
static const lbs_line_t *find_elsewhere(const lbs_findings_t *findings,
                                        const lbs_walk_t *empty)
{
    int i;

    for (i = 0; i < findings->lines->nelts; i++) {
        const lbs_line_t *line =
            &APR_ARRAY_IDX(findings->lines, i, lbs_line_t);

        if (line->server != empty->owner
            && is_defined_by(findings, line, empty->name)) {
            return line;
        }
    }
    return NULL;
}

/* A pool of a virtual host is there for that one alone. */
static int is_elsewhere(lbs_findings_t *findings, const lbs_walk_t *walk)
{
    const lbs_line_t *user = lbs_lines_sender(findings->pool, findings->lines,
                                              walk->owner, walk->name, NULL);
    const lbs_line_t *section =
        user != NULL ? find_elsewhere(findings, walk) : NULL;

    if (section == NULL) {
        return 0;
    }
    lbs_finding_add(
        findings, walk->owner, walk->name, "pool-elsewhere", 1,
        LBSNO(3316) "%s: %s sends requests of %s to balancer://%s, which "
                    "only %s has (%s): they are answered 503; write both into "
                    "the same <VirtualHost>, or <Proxy> outside of all",
        lbs_line_place(findings->pool, user), user->directive,
        user->server == findings->main_server
            ? "no virtual host"
            : lbs_config_vhost(findings->pool, user->server),
        walk->name, lbs_config_vhost(findings->pool, section->server),
        lbs_line_place(findings->pool, section));
    return 1;
}

static void look_at_empty(lbs_findings_t *findings, const lbs_walk_t *walk)
{
    const lbs_line_t *user = find_line(findings, walk, 0);
    const lbs_line_t *section = find_line(findings, walk, 1);
    const char *alike = find_alike(findings, walk);

    if ((section == NULL || section->server != walk->owner)
        && is_elsewhere(findings, walk)) {
        return;
    }
    if (section != NULL) {
        lbs_finding_add(
            findings, walk->owner, walk->name, "pool-empty", 1,
            LBSNO(3302) "pool %s (%s) has no BalancerMember: every "
                        "request to it is answered 503; write "
                        "BalancerMember \"http://HOST:PORT\" into "
                        "<Proxy \"balancer://%s\">",
            walk->name, lbs_line_place(findings->pool, section), walk->name);
    }
    else if (user != NULL) {
        lbs_finding_add(
            findings, walk->owner, walk->name, "pool-unknown", 1,
            LBSNO(3301) "%s %s sends requests to balancer://%s, which no "
                        "<Proxy> section defines: they are answered 503; "
                        "write %s%s%s",
            lbs_line_place(findings->pool, user), user->directive, walk->name,
            alike != NULL
                ? "balancer://"
                : "a <Proxy> section with BalancerMember lines for it",
            alike != NULL ? alike : "",
            alike != NULL ? " if that is meant" : "");
    }
}

static void look_at_unused(lbs_findings_t *findings, const lbs_walk_t *walk)
{
    const lbs_line_t *section;

    if (!walk->set.sticky->on || find_line(findings, walk, 0) != NULL
        || is_any_used(findings)) {
        return;
    }
    section = find_line(findings, walk, 1);
    lbs_finding_add(
        findings, walk->owner, walk->name, "pool-unused", 0,
        LBSNO(
            3303) "pool %s%s%s%s: no ProxyPass or RewriteRule sends requests "
                  "to it; write ProxyPass \"/\" \"balancer://%s/\"",
        walk->name, section != NULL ? " (" : "",
        section != NULL ? lbs_line_place(findings->pool, section) : "",
        section != NULL ? ")" : "", walk->name);
}

void lbs_finding_pools(lbs_findings_t *findings)
{
    lbs_walk_t walk = lbs_walk_all(findings->pool, findings->main_server);

    while (lbs_walk_next(&walk)) {
        if (lbs_walk_is_inherited(&walk)) {
            continue;
        }
        if (is_name_of_pattern(&walk)) {
            continue;
        }
        if (lbs_worker_count(walk.balancer) == 0) {
            look_at_empty(findings, &walk);
        }
        else {
            look_at_unused(findings, &walk);
        }
    }
}
