/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_finding_paths.c - ProxyPass lines that cannot do what they say: lines
 * that an earlier one always wins over, and slashes too many or too few. */
#include <apr_strings.h>
#include <string.h>

#include "src/httpd/advice/lbs_finding_int.h"
#include "src/httpd/advice/lbs_lines.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/config/lbs_walk.h"
#include "src/httpd/proxy/lbs_log.h"

/* A ProxyPass of the server itself. Those in a <Location> are tried before, so
 * they do not compete with it. */
static int is_plain_pass(const lbs_line_t *line)
{
    return lbs_line_is(line, "ProxyPass") && line->location == NULL
           && line->pool == NULL;
}

/* As mod_proxy compares: "/a" is for /a and /a/b, not for /ab. */
static int covers(const char *path, const char *other)
{
    apr_size_t n = strlen(path);

    return strncmp(path, other, n) == 0
           && (n == 0 || path[n - 1] == '/' || other[n] == '\0'
               || other[n] == '/');
}

/* The earlier ProxyPass of the same server that takes every path of this one.
 */
static const lbs_line_t *find_winner(const lbs_findings_t *findings, int at)
{
    const lbs_line_t *line = &APR_ARRAY_IDX(findings->lines, at, lbs_line_t);
    const char *path = lbs_line_word(findings->pool, line, 0);
    int i;

    for (i = 0; path != NULL && i < at; i++) {
        const lbs_line_t *other =
            &APR_ARRAY_IDX(findings->lines, i, lbs_line_t);
        const char *before;

        if (!is_plain_pass(other) || other->server != line->server) {
            continue;
        }
        before = lbs_line_word(findings->pool, other, 0);
        if (before != NULL && covers(before, path)) {
            return other;
        }
    }
    return NULL;
}

static void look_at_order(lbs_findings_t *findings)
{
    int i;

    for (i = 0; i < findings->lines->nelts; i++) {
        const lbs_line_t *line =
            &APR_ARRAY_IDX(findings->lines, i, lbs_line_t);
        const lbs_line_t *winner =
            is_plain_pass(line) ? find_winner(findings, i) : NULL;

        if (winner != NULL) {
            lbs_finding_add(
                findings, line->server, "", "pass-unreachable", 1,
                LBSNO(3306) "%s: ProxyPass %s is never used: ProxyPass %s on "
                            "%s comes first and takes all of it; write the "
                            "longer path first",
                lbs_line_place(findings->pool, line), line->args,
                lbs_line_word(findings->pool, winner, 0),
                lbs_line_place(findings->pool, winner));
        }
    }
}

static int ends_in_slash(const char *text)
{
    return *text != '\0' && text[strlen(text) - 1] == '/';
}

/* Members of fcgi, scgi and uwsgi get a file's name, in which two slashes are
 * one. */
static int is_path_sent(const proxy_worker *worker)
{
    return strstr(lbs_worker_place(worker).scheme, "cgi") == NULL
           && strcmp(lbs_worker_place(worker).scheme, "uwsgi") != 0;
}

/* A member's URL as a BalancerMember line has it, without its last slash. */
static const char *without_slash(apr_pool_t *pool, const proxy_worker *worker)
{
    const char *url = lbs_worker_name(worker);
    const char *path = lbs_worker_place(worker).path;

    return apr_psprintf(pool, "%s%s%s%.*s", path != NULL ? "unix:" : "",
                        path != NULL ? path : "", path != NULL ? "|" : "",
                        (int)strlen(url) - 1, url);
}

/* A member's URL with a slash at its end, behind a target with one. */
static void look_at_members(lbs_findings_t *findings, const lbs_line_t *line,
                            const lbs_walk_t *walk)
{
    int i;

    for (i = 0; i < lbs_worker_count(walk->balancer); i++) {
        const proxy_worker *worker = lbs_worker_at(walk->balancer, i);

        if (ends_in_slash(lbs_worker_name(worker)) && is_path_sent(worker)) {
            const char *url = without_slash(findings->pool, worker);

            lbs_finding_add(
                findings, line->server, walk->name, "member-slash", 1,
                LBSNO(3305) "pool %s: BalancerMember %s/ ends in a slash, and "
                            "so does balancer://%s/ on %s: members are asked "
                            "for //PATH and answer 404; write BalancerMember "
                            "\"%s\"",
                walk->name, url, walk->name,
                lbs_line_place(findings->pool, line), url);
            return;
        }
    }
}

static const lbs_walk_t *find_pool(const lbs_findings_t *findings,
                                   const lbs_line_t *line, const char *name,
                                   lbs_walk_t *walk)
{
    *walk = lbs_walk_server(findings->pool, (server_rec *)line->server,
                            findings->main_server);
    while (name != NULL && lbs_walk_next(walk)) {
        if (strcmp(walk->name, name) == 0) {
            return walk;
        }
    }
    return NULL;
}

static void look_at_slashes(lbs_findings_t *findings, const lbs_line_t *line)
{
    const char *target = lbs_line_target(findings->pool, line);
    const char *path = lbs_line_path(findings->pool, line);
    const char *name =
        target != NULL ? lbs_config_pool_name(findings->pool, target) : NULL;
    const lbs_walk_t *pool;
    lbs_walk_t walk;

    if (name == NULL || path == NULL || *path != '/') {
        return;
    }
    if (strchr(target + strlen("balancer://"), '/') == NULL) {
        if (ends_in_slash(path)) {
            lbs_finding_add(
                findings, line->server, name, "target-slash", 1,
                LBSNO(
                    3304) "%s: ProxyPass \"%s\" \"%s\" has a slash behind the "
                          "path and none behind the pool: requests go to a "
                          "pool %sPATH, which there is not, and get 500 or "
                          "503; "
                          "write \"%s/\"",
                lbs_line_place(findings->pool, line), path, target, name,
                target);
        }
        return;
    }
    pool = find_pool(findings, line, name, &walk);
    if (pool != NULL && ends_in_slash(target)) {
        look_at_members(findings, line, pool);
    }
}

static const lbs_line_t *find_slashes(const lbs_findings_t *findings,
                                      const server_rec *s)
{
    int i;

    for (i = 0; i < findings->lines->nelts; i++) {
        const lbs_line_t *line =
            &APR_ARRAY_IDX(findings->lines, i, lbs_line_t);

        if (line->server == s && lbs_line_is(line, "AllowEncodedSlashes")) {
            return line;
        }
    }
    return NULL;
}

/* httpd does not hand AllowEncodedSlashes down to virtual hosts. */
static void look_at_encoded(lbs_findings_t *findings)
{
    const lbs_line_t *outer = find_slashes(findings, findings->main_server);
    const server_rec *told = NULL;
    lbs_walk_t walk = lbs_walk_all(findings->pool, findings->main_server);

    if (outer == NULL || lbs_line_says(findings->pool, outer, "off")) {
        return;
    }
    while (lbs_walk_next(&walk)) {
        if (walk.server != findings->main_server && walk.server != told
            && walk.set.sticky->on
            && lbs_lines_sender(findings->pool, findings->lines, walk.server,
                                walk.name, NULL)
                   != NULL
            && find_slashes(findings, walk.server) == NULL) {
            told = walk.server;
            lbs_finding_add(
                findings, walk.server, walk.name, "encoded-slashes", 1,
                LBSNO(3314) "%s: AllowEncodedSlashes %s does not hold in "
                            "virtual hosts: paths with %%2F get 404 from %s; "
                            "write it into that virtual host",
                lbs_line_place(findings->pool, outer), outer->args,
                lbs_config_vhost(findings->pool, walk.server));
        }
    }
}

void lbs_finding_paths(lbs_findings_t *findings)
{
    int i;

    for (i = 0; i < findings->lines->nelts; i++) {
        const lbs_line_t *line =
            &APR_ARRAY_IDX(findings->lines, i, lbs_line_t);

        if (lbs_line_is(line, "ProxyPass")) {
            look_at_slashes(findings, line);
        }
    }
    look_at_order(findings);
    look_at_encoded(findings);
}
