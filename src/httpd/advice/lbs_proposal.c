/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_proposal.c - see lbs_proposal.h. */
#include "src/httpd/advice/lbs_proposal.h"

#include <apr_strings.h>
#include <string.h>

#include "src/base/lbs_text.h"
#include "src/httpd/advice/lbs_lines.h"
#include "src/httpd/config/lbs_config.h"

typedef struct proposal_t {
    apr_file_t *out;
    apr_pool_t *pool;
    const lbs_findings_t *findings;
    const lbs_walk_t *walk;
} proposal_t;

int lbs_proposal_is_on_outside(const lbs_walk_t *walk)
{
    lbs_settings_t outer;

    lbs_config_resolve(&outer, walk->owner, walk->name, 0);
    return outer.sticky->on;
}

static const lbs_line_t *line_at(const proposal_t *p, int i)
{
    return &APR_ARRAY_IDX(p->findings->lines, i, lbs_line_t);
}

/* The line of a server that is this directive and has these words in it. */
static const lbs_line_t *find_line(const proposal_t *p, const char *directive,
                                   const char *first, const char *second)
{
    int i;

    for (i = 0; i < p->findings->lines->nelts; i++) {
        const lbs_line_t *line = line_at(p, i);

        if (lbs_line_is(line, directive)
            && lbs_line_counts_for(line, p->walk->server,
                                   p->findings->main_server)
            && (first == NULL || ap_strcasestr(line->args, first) != NULL)
            && (second == NULL || ap_strcasestr(line->args, second) != NULL)) {
            return line;
        }
    }
    return NULL;
}

/* LBSticky ---------------------------------------------------------------- */

static int has_routes(const lbs_walk_t *walk)
{
    int i = 0;

    while (i < lbs_worker_count(walk->balancer)
           && *lbs_worker_route(lbs_worker_at(walk->balancer, i)) == '\0') {
        i++;
    }
    return i < lbs_worker_count(walk->balancer);
}

/* stickysession=JSESSIONID|jsessionid names a cookie and a path parameter;
 * route= looks for one name in both. */
static const char *routes_of(const proposal_t *p)
{
    const char *cookie = lbs_worker_pool_sticky(p->walk->balancer);
    const char *path = lbs_worker_pool_sticky_path(p->walk->balancer);

    return path == NULL || strcmp(cookie, path) == 0
               ? apr_pstrcat(p->pool, " route=", cookie, NULL)
               : apr_pstrcat(p->pool, " route=", cookie, " route=", path,
                             NULL);
}

/* The writer of the route: a Header line of this httpd, the application, or
 * none. */
static void propose_source(const proposal_t *p)
{
    const char *sticky = lbs_worker_pool_sticky(p->walk->balancer);
    const lbs_line_t *header =
        sticky != NULL
            ? find_line(p, "Header", apr_pstrcat(p->pool, sticky, "=", NULL),
                        "BALANCER_WORKER_ROUTE")
            : NULL;

    if (header != NULL) {
        apr_file_printf(p->out,
                        "        LBSticky cookie route=%s\n"
                        "    remove %s: Header %s\n"
                        "        (the module's own cookie takes its place; "
                        "route=%s keeps visitors of today where they are; "
                        "LBStickyForeign mod_proxy:%s in its place counts "
                        "them, so that one knows when they all have it)\n",
                        sticky, lbs_line_place(p->pool, header), header->args,
                        sticky, sticky);
    }
    else if (sticky != NULL && has_routes(p->walk)) {
        apr_file_printf(p->out, "        LBSticky%s\n", routes_of(p));
    }
    else {
        apr_file_printf(p->out, "        LBSticky cookie\n");
    }
    if (sticky != NULL) {
        apr_file_printf(
            p->out, "    remove stickysession=%s: LBSticky says it\n", sticky);
    }
}

/* The other directives ---------------------------------------------------- */

static void propose_method(const proposal_t *p)
{
    const char *method = lbs_worker_pool_method(p->walk->balancer);

    if (strcmp(method, "bybusyness") == 0) {
        apr_file_printf(p->out, "        LBStickyMethod least-busy\n");
    }
    else if (strcmp(method, "byrequests") != 0) {
        apr_file_printf(p->out,
                        "    lbmethod=%s: LBStickyMethod least-load, the "
                        "default, goes by the time members take\n",
                        method);
    }
}

static void propose_check(const proposal_t *p)
{
    char interval[LBS_TEXT_DURATION_LEN];
    lbs_worker_check_t check;
    int i;

    for (i = 0; i < lbs_worker_count(p->walk->balancer); i++) {
        if (!lbs_worker_check(lbs_worker_at(p->walk->balancer, i), &check)) {
            continue;
        }
        if (!check.http) {
            apr_file_printf(p->out, "    remove hc*: a member that refuses "
                                    "connections is found without a check\n");
            return;
        }
        lbs_text_duration_write(interval, check.interval);
        apr_file_printf(p->out,
                        "        LBStickyCheck path=%s interval=%s rise=%d "
                        "fall=%d\n    remove hc*: LBStickyCheck says it\n",
                        check.path, interval, check.passes, check.fails);
        return;
    }
}

static void propose_hold(const proposal_t *p)
{
    char hold[LBS_TEXT_DURATION_LEN];
    int i;

    for (i = 0; i < lbs_worker_count(p->walk->balancer); i++) {
        apr_interval_time_t retry =
            lbs_worker_retry(lbs_worker_at(p->walk->balancer, i));

        if (retry > 0) {
            lbs_text_duration_write(hold, retry);
            apr_file_printf(p->out,
                            "    retry=%s: has no effect then; LBStickyEject "
                            "hold=%s-%s would say it, the default hold=1s-60s "
                            "is better for visitors\n",
                            hold, hold, hold);
            return;
        }
    }
}

/* What changes ------------------------------------------------------------ */

static void tell_changes(const proposal_t *p)
{
    const lbs_line_t *rule = find_line(p, "RewriteRule", "balancer://", "[");

    if (find_line(p, "ProxyPreserveHost", NULL, NULL) == NULL) {
        apr_file_printf(p->out,
                        "    changes: members see the visitor's Host instead "
                        "of their own name; write LBStickyForward host=off if "
                        "they need that\n");
    }
    if (find_line(p, "SetHandler", "balancer-manager", NULL) != NULL) {
        apr_file_printf(p->out,
                        "    changes: balancer-manager goes on working; what "
                        "is changed there survives a reload\n");
    }
    if (rule != NULL) {
        apr_file_printf(p->out,
                        "    stays: %s, a RewriteRule with [P]; a <Location> "
                        "with SetHandler lb-status wins over it\n",
                        lbs_line_place(p->pool, rule));
    }
    if (p->walk->owner == p->findings->main_server
        && p->findings->main_server->next != NULL) {
        apr_file_printf(p->out,
                        "    note: the pool is the main server's; every "
                        "virtual host that uses it has sessions of its own\n");
    }
}

void lbs_proposal_print(apr_file_t *out, const lbs_findings_t *findings,
                        const lbs_walk_t *walk)
{
    const proposal_t p = {out, findings->pool, findings, walk};

    if (lbs_worker_count(walk->balancer) == 0) {
        return;
    }
    if (walk->set.sticky->on) {
        apr_file_printf(out, "    has LBSticky\n");
        return;
    }
    apr_file_printf(out, "    write into <Proxy \"balancer://%s\">:\n",
                    walk->name);
    propose_source(&p);
    propose_method(&p);
    propose_check(&p);
    propose_hold(&p);
    tell_changes(&p);
}
