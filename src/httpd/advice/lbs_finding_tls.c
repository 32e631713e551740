/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_finding_tls.c - members that speak TLS, where this httpd does not. */
#include "src/httpd/advice/lbs_finding_int.h"
#include "src/httpd/advice/lbs_lines.h"
#include "src/httpd/config/lbs_walk.h"
#include "src/httpd/proxy/lbs_log.h"

/* Is SSLProxyEngine on, for the server or in a section of it? */
static int is_on(const lbs_findings_t *findings, const lbs_walk_t *walk)
{
    int i;

    for (i = 0; i < findings->lines->nelts; i++) {
        const lbs_line_t *line =
            &APR_ARRAY_IDX(findings->lines, i, lbs_line_t);

        if (lbs_line_is(line, "SSLProxyEngine")
            && lbs_line_says(findings->pool, line, "on")
            && lbs_line_counts_for(line, walk->server,
                                   findings->main_server)) {
            return 1;
        }
    }
    return 0;
}

void lbs_finding_tls(lbs_findings_t *findings)
{
    lbs_walk_t walk = lbs_walk_all(findings->pool, findings->main_server);

    while (lbs_walk_next(&walk)) {
        int n = lbs_worker_count(walk.balancer);
        int i = 0;

        while (i < n && !lbs_worker_is_tls(lbs_worker_at(walk.balancer, i))) {
            i++;
        }
        if (i < n && !is_on(findings, &walk)
            && lbs_lines_sender(findings->pool, findings->lines, walk.server,
                                walk.name, NULL)
                   != NULL) {
            lbs_finding_add(
                findings, walk.server, walk.name, "tls-off", 1,
                LBSNO(
                    3307) "pool %s: member %s is reached by TLS, which is off "
                          "for this server: what is sent there gets 500 or "
                          "503; write SSLProxyEngine on",
                walk.name, lbs_worker_name(lbs_worker_at(walk.balancer, i)));
        }
    }
}
