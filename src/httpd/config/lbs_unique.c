/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_unique.c - see lbs_unique.h. */
#include "src/httpd/config/lbs_unique.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_config.h>
#include <string.h>

#include "src/httpd/config/lbs_config.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/config/lbs_walk.h"
#include "src/state/lbs_registry.h"

/* By its route, else by its URL: as the registry identifies a member. */
static const char *member_name(const proxy_worker *worker)
{
    const char *route = lbs_worker_route(worker);

    return *route != '\0' ? route : lbs_worker_name(worker);
}

static int check_members(apr_pool_t *ptemp, const lbs_walk_t *walk)
{
    apr_hash_t *seen = apr_hash_make(ptemp);
    int n = lbs_worker_count(walk->balancer);
    int status = OK;
    int i;

    for (i = 0; i < n; i++) {
        const proxy_worker *worker = lbs_worker_at(walk->balancer, i);
        const char *member = member_name(worker);
        const char *other = apr_hash_get(seen, member, APR_HASH_KEY_STRING);

        if (other != NULL) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0,
                         walk->owner,
                         LBSNO(1800) "pool %s: members %s and %s are both "
                                     "called %s; give each a route= of its "
                                     "own",
                         walk->name, other, lbs_worker_name(worker), member);
            status = HTTP_INTERNAL_SERVER_ERROR;
        }
        apr_hash_set(seen, member, APR_HASH_KEY_STRING,
                     lbs_worker_name(worker));
    }
    return status;
}

/* The URL of a BalancerMember line as mod_proxy compares it: without the path
 * of a socket, scheme and host without regard to case.
 *
 * @param host_end  out: bytes of scheme and host
 */
static const char *folded_url(apr_pool_t *ptemp, const char *args,
                              apr_size_t *host_end)
{
    char *url = ap_getword_conf(ptemp, &args);
    char *bar = strchr(url, '|');
    char *host, *end, *p;

    if (ap_cstr_casecmpn(url, "unix:", 5) == 0 && bar != NULL) {
        url = bar + 1;
    }
    host = strstr(url, "://");
    end = host != NULL ? host + 3 + strcspn(host + 3, "/") : url;
    for (p = url; p < end; p++) {
        *p = (char)apr_tolower(*p);
    }
    *host_end = (apr_size_t)(end - url);
    return url;
}

/* The line before whose URL this one is, or begins with. */
static const ap_directive_t *find_taken(apr_hash_t *seen, const char *url,
                                        apr_size_t host_end)
{
    const ap_directive_t *other = NULL;
    apr_size_t n;

    for (n = strlen(url); n > 0 && n >= host_end && other == NULL; n--) {
        other = apr_hash_get(seen, url, (apr_ssize_t)n);
    }
    return other;
}

/* The lines of the whole configuration. */
typedef struct lines_t {
    apr_pool_t *ptemp;
    const server_rec *main_server;
    apr_hash_t *seen; /* server and pool -> URL -> the line that has it */
} lines_t;

static apr_hash_t *lines_of(const lines_t *lines, const server_rec *s,
                            const char *name)
{
    const char *key = apr_psprintf(lines->ptemp, "%pp %s", s, name);
    apr_hash_t *urls = apr_hash_get(lines->seen, key, APR_HASH_KEY_STRING);

    if (urls == NULL) {
        urls = apr_hash_make(lines->ptemp);
        apr_hash_set(lines->seen, key, APR_HASH_KEY_STRING, urls);
    }
    return urls;
}

/* mod_proxy takes a line whose URL is an earlier one's, or begins with it,
 * for more about that: the pool would silently have a member less than the
 * file.
 *
 * @param args  of the line, from the URL on
 */
static int check_line(const lines_t *lines, const server_rec *s,
                      const char *name, const ap_directive_t *line,
                      const char *args)
{
    apr_hash_t *seen = lines_of(lines, s, name);
    apr_size_t host_end;
    const char *url = folded_url(lines->ptemp, args, &host_end);
    const ap_directive_t *other = find_taken(seen, url, host_end);

    apr_hash_set(seen, url, APR_HASH_KEY_STRING, line);
    if (other == NULL) {
        return OK;
    }
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, s,
                 LBSNO(1803) "pool %s: BalancerMember %s on line %d of %s "
                             "begins with the URL of line %d of %s; mod_proxy "
                             "would make one member of both: write each URL "
                             "once, behind unix: too, and the longer one "
                             "first",
                 name, url, line->line_num, line->filename, other->line_num,
                 other->filename);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int is_member(const ap_directive_t *node)
{
    return ap_cstr_casecmp(node->directive, "BalancerMember") == 0;
}

/* A <Proxy> section, or a BalancerMember that names its pool itself. */
static int check_node(const lines_t *lines, const server_rec *s,
                      const ap_directive_t *node)
{
    const ap_directive_t *line = node->first_child;
    const char *args =
        apr_pstrmemdup(lines->ptemp, node->args, strcspn(node->args, ">"));
    const char *name = lbs_config_pool_name(
        lines->ptemp, ap_getword_conf(lines->ptemp, &args));
    lbs_settings_t set;
    int status = OK;

    if (name == NULL) {
        return OK;
    }
    lbs_config_resolve(&set, s, name, 0);
    if (!set.sticky->on) {
        return OK;
    }
    if (is_member(node)) {
        return check_line(lines, s, name, node, args);
    }
    for (; line != NULL; line = line->next) {
        if (is_member(line)) {
            status |= check_line(lines, s, name, line, line->args);
        }
    }
    return status;
}

/* @param s server of these directives; NULL: unknown */
static int check_tree(const lines_t *lines, const server_rec *s,
                      const ap_directive_t *node)
{
    int status = OK;

    for (; s != NULL && node != NULL; node = node->next) {
        if (ap_cstr_casecmp(node->directive, "<VirtualHost") == 0) {
            status |= check_tree(
                lines, lbs_config_server_at(lines->main_server, node),
                node->first_child);
        }
        else if (ap_cstr_casecmp(node->directive, "<Proxy") == 0
                 || is_member(node)) {
            status |= check_node(lines, s, node);
        }
    }
    return status;
}

/* Pools and members that take a slot in the registry. */
typedef struct counted_t {
    apr_hash_t *seen; /* "vhost pool" -> the balancer of that name */
    int pools;
    int members;
} counted_t;

/* Does LBStickyDiscover dns have a name to look up? */
static int check_names(const lbs_walk_t *walk)
{
    const lbs_set_discover_t *set = walk->set.discover;
    int wanted = 0, i;

    for (i = 0; i < set->count; i++) {
        wanted |= set->finder[i].by == LBS_ROSTER_BY_DNS
                  && *set->finder[i].what == '\0';
    }
    for (i = 0; wanted && i < lbs_worker_count(walk->balancer); i++) {
        lbs_worker_place_t place =
            lbs_worker_place(lbs_worker_at(walk->balancer, i));
        lbs_net_t net;

        wanted = place.path != NULL
                 || lbs_net_read(place.host, strlen(place.host), &net);
    }
    if (!wanted) {
        return OK;
    }
    ap_log_error(
        APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, walk->owner,
        LBSNO(1806) "pool %s: no BalancerMember of it has a name that "
                    "LBStickyDiscover dns (%s) could look up; write "
                    "one such as http://app.internal:8000, or "
                    "dns:NAME:PORT",
        walk->name, set->where);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int check_pool(apr_pool_t *ptemp, const lbs_walk_t *walk,
                      counted_t *counted)
{
    const char *vhost = lbs_config_vhost(ptemp, walk->owner);
    char *key = apr_pstrcat(ptemp, vhost, " ", walk->name, NULL);
    int members = lbs_worker_count(walk->balancer);
    const proxy_balancer *other;

    ap_str_tolower(key); /* as the registry compares names */
    other = apr_hash_get(counted->seen, key, APR_HASH_KEY_STRING);
    if (other == NULL) {
        apr_hash_set(counted->seen, key, APR_HASH_KEY_STRING, walk->balancer);
        counted->pools += members > 0;
        counted->members += members
                            + (members > 0 && walk->set.timeout->max != 0)
                            + (members > 0 && walk->set.discover->count > 0);
        return check_members(ptemp, walk) | check_names(walk);
    }
    if (lbs_worker_same_pool(other, walk->balancer)) {
        return OK;
    }
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, walk->owner,
                 LBSNO(1801) "two virtual hosts are called %s and have a pool "
                             "%s each; give one another ServerName or pool "
                             "name",
                 vhost, walk->name);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int check_counts(const counted_t *counted, const server_rec *s)
{
    int status = OK;

    if (counted->pools > LBS_REGISTRY_POOLS_MOST) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, s,
                     LBSNO(1804) "there are %d pools that LBSticky governs, "
                                 "wanted at most %d: write \"LBSticky off\" "
                                 "into some, or define pools that virtual "
                                 "hosts share once, in the main server",
                     counted->pools, LBS_REGISTRY_POOLS_MOST);
        status = HTTP_INTERNAL_SERVER_ERROR;
    }
    if (counted->members >= LBS_REGISTRY_MEMBERS) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, s,
                     LBSNO(1805) "all pools that LBSticky governs have %d "
                                 "members, one more for each LBStickyTimeout "
                                 "max= included, wanted at most %d: write "
                                 "\"LBSticky off\" into some pools, or take "
                                 "BalancerMember lines out",
                     counted->members, LBS_REGISTRY_MEMBERS - 1);
        status = HTTP_INTERNAL_SERVER_ERROR;
    }
    return status;
}

/* <Proxy "balancer://typo"> does nothing, and httpd says nothing about it. */
static void check_sections(apr_pool_t *ptemp, const server_rec *s,
                           apr_hash_t *names, apr_hash_t *inherited)
{
    apr_hash_t *sections = lbs_config_sections(s, 0);
    apr_hash_index_t *hi;

    if (sections == NULL) {
        return;
    }
    for (hi = apr_hash_first(ptemp, sections); hi; hi = apr_hash_next(hi)) {
        const void *name;

        apr_hash_this(hi, &name, NULL, NULL);
        if (apr_hash_get(names, name, APR_HASH_KEY_STRING) == NULL) {
            ap_log_error(
                APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, s,
                LBSNO(1802) "%s: <Proxy \"balancer://%s\"> has "
                            "directives of this module, but %s",
                lbs_config_vhost(ptemp, s), (const char *)name,
                apr_hash_get(inherited, name, APR_HASH_KEY_STRING) != NULL
                    ? "the pool is the main server's, so they do "
                      "nothing; write them into the main server's "
                      "section, or here outside of <Proxy>"
                    : "there is no such pool in this server, so they "
                      "do nothing; write the name that ProxyPass "
                      "has, or move the section to where the pool is");
        }
    }
}

static int check_server(apr_pool_t *ptemp, server_rec *s,
                        server_rec *main_server, counted_t *counted)
{
    lbs_walk_t walk = lbs_walk_server(ptemp, s, main_server);
    apr_hash_t *names = apr_hash_make(ptemp);
    apr_hash_t *inherited = apr_hash_make(ptemp);
    int status = OK;

    while (lbs_walk_next(&walk)) {
        apr_hash_set(walk.owner == s ? names : inherited, walk.name,
                     APR_HASH_KEY_STRING, walk.balancer);
        if (walk.set.sticky->on && check_pool(ptemp, &walk, counted) != OK) {
            status = HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    check_sections(ptemp, s, names, inherited);
    return status;
}

int lbs_unique_check(apr_pool_t *ptemp, server_rec *main_server)
{
    lines_t lines = {ptemp, main_server, apr_hash_make(ptemp)};
    counted_t counted = {apr_hash_make(ptemp), 0, 0};
    server_rec *s;
    int status = check_tree(&lines, main_server, ap_conftree);

    for (s = main_server; s != NULL; s = s->next) {
        if (check_server(ptemp, s, main_server, &counted) != OK) {
            status = HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return check_counts(&counted, main_server) == OK
               ? status
               : HTTP_INTERNAL_SERVER_ERROR;
}
