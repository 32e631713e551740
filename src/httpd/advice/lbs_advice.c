/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_advice.c - see lbs_advice.h. */
#include "src/httpd/advice/lbs_advice.h"

#include <apr_file_io.h>
#include <http_config.h>
#include <string.h>

#include "src/httpd/advice/lbs_finding.h"
#include "src/httpd/advice/lbs_proposal.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/config/lbs_walk.h"
#include "src/httpd/proxy/lbs_log.h"

/* Of the configuration in force. The parent looks, children inherit it. */
static const lbs_findings_t *in_force;

const lbs_findings_t *lbs_advice_findings(void)
{
    return in_force;
}

void lbs_advice_check(apr_pool_t *pconf, apr_pool_t *ptemp,
                      server_rec *main_server, int warn)
{
    const lbs_findings_t *findings =
        lbs_finding_all(pconf, ptemp, main_server);
    int i;

    in_force = findings;
    for (i = 0; i < findings->found->nelts; i++) {
        const lbs_finding_t *finding =
            &APR_ARRAY_IDX(findings->found, i, lbs_finding_t);

        if (finding->certain
            && (warn || strcmp(finding->code, "sticky-forgotten") == 0)) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, finding->server, "%s",
                         finding->text);
        }
    }
}

/* Printing --------------------------------------------------------------- */

static int is_about(const lbs_finding_t *finding, const lbs_walk_t *walk)
{
    return finding->server == walk->server
           && strcmp(finding->pool, walk->name) == 0;
}

static void print_findings(apr_file_t *out, const lbs_findings_t *findings,
                           const lbs_walk_t *walk)
{
    int i;

    for (i = 0; i < findings->found->nelts; i++) {
        const lbs_finding_t *finding =
            &APR_ARRAY_IDX(findings->found, i, lbs_finding_t);

        if (walk != NULL ? is_about(finding, walk) : *finding->pool == '\0') {
            apr_file_printf(
                out, "%s%s\n",
                finding->certain ? "    wrong: " : "    see: ", finding->text);
        }
    }
}

void lbs_advice_print(apr_pool_t *pool, server_rec *main_server)
{
    lbs_walk_t walk = lbs_walk_all(pool, main_server);
    const lbs_findings_t *findings;
    apr_file_t *out;

    if (!ap_exists_config_define("LBSTICKY_ADVICE")
        || apr_file_open_stdout(&out, pool) != APR_SUCCESS) {
        return;
    }
    findings = lbs_finding_all(pool, pool, main_server);
    while (lbs_walk_next(&walk)) {
        if (lbs_walk_is_inherited(&walk)
            && walk.set.sticky->on == lbs_proposal_is_on_outside(&walk)) {
            continue; /* the main server's entry says it */
        }
        apr_file_printf(out, "balancer://%s of %s\n", walk.name,
                        lbs_config_vhost(pool, walk.server));
        lbs_proposal_print(out, findings, &walk);
        print_findings(out, findings, &walk);
    }
    if (findings->found->nelts != 0) {
        apr_file_printf(out, "The configuration as a whole\n");
        print_findings(out, findings, NULL);
    }
}
