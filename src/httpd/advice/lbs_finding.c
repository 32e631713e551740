/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_finding.c - see lbs_finding.h. */
#include "src/httpd/advice/lbs_finding.h"

#include <apr_strings.h>
#include <stdarg.h>

#include "src/httpd/advice/lbs_finding_int.h"
#include "src/httpd/advice/lbs_lines.h"

lbs_findings_t *lbs_finding_all(apr_pool_t *pool, apr_pool_t *ptemp,
                                server_rec *main_server)
{
    lbs_findings_t *findings = apr_pcalloc(pool, sizeof(*findings));

    findings->pool = pool;
    findings->main_server = main_server;
    findings->lines = lbs_lines_read(ptemp, main_server);
    findings->found = apr_array_make(pool, 4, sizeof(lbs_finding_t));
    lbs_finding_pools(findings);
    lbs_finding_paths(findings);
    lbs_finding_members(findings);
    lbs_finding_tls(findings);
    lbs_finding_sticky(findings);
    lbs_finding_cookie(findings);
    lbs_finding_peers(findings);
    lbs_finding_state(findings);
    return findings;
}

void lbs_finding_add(lbs_findings_t *findings, const server_rec *server,
                     const char *pool, const char *code, int certain,
                     const char *format, ...)
{
    lbs_finding_t *finding = apr_array_push(findings->found);
    va_list args;

    va_start(args, format);
    finding->text = apr_pvsprintf(findings->pool, format, args);
    va_end(args);
    finding->server = server;
    finding->pool = apr_pstrdup(findings->pool, pool);
    finding->code = code;
    finding->certain = certain;
}
