/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_finding.h - silent mistakes in a configuration.
 *
 * httpd accepts all of it and says nothing; visitors get 404, 503 or another
 * member. A certain mistake is a warning of `httpd -t` and of each start, and
 * stands among the alerts of lb-status; a line that may be meant so is told by
 * `httpd -t -D LBSTICKY_ADVICE` alone.
 */
#ifndef LBS_FINDING_H
#define LBS_FINDING_H

#include <apr_tables.h>
#include <httpd.h>

typedef struct lbs_finding_t {
    const server_rec *server;
    const char *pool; /* its name; "" when it is about none */
    const char *code; /* a word for scripts: "pool-unused" */
    const char *text; /* with its message number in front */
    int certain;
} lbs_finding_t;

/* The input of the rules, and the list of their findings. */
typedef struct lbs_findings_t {
    apr_pool_t *pool; /* texts live in it */
    server_rec *main_server;
    const apr_array_header_t *lines; /* lbs_line_t */
    apr_array_header_t *found;       /* lbs_finding_t, in order of gravity */
} lbs_findings_t;

/** Apply all rules. Cost: lines x balancers, once for each reading.
 * @param pool  for the list and its texts */
lbs_findings_t *lbs_finding_all(apr_pool_t *pool, apr_pool_t *ptemp,
                                server_rec *main_server);

/** Add a finding. @param format  of its text, with LBSNO(n) in front */
void lbs_finding_add(lbs_findings_t *findings, const server_rec *server,
                     const char *pool, const char *code, int certain,
                     const char *format, ...)
    __attribute__((format(printf, 6, 7)));

#endif
