/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_advice.h - advice for a configuration as it stands.
 *
 * `httpd -t` and each start warn of certain mistakes. `httpd -t -D
 * LBSTICKY_ADVICE` prints all findings, and for each balancer without LBSticky
 * the lines that would hand it to this module. Nothing is changed.
 */
#ifndef LBS_ADVICE_H
#define LBS_ADVICE_H

#include "src/httpd/advice/lbs_finding.h"

/**
 * Look for silent mistakes, and warn of those that are certain. In
 * check_config.
 *
 * @param pconf  the findings live in it
 * @param warn  0: no pool has LBSticky, so nothing is said
 */
void lbs_advice_check(apr_pool_t *pconf, apr_pool_t *ptemp,
                      server_rec *main_server, int warn);

/** The findings in the configuration in force; NULL before
 * lbs_advice_check(). */
const lbs_findings_t *lbs_advice_findings(void);

/** -D LBSTICKY_ADVICE: print to standard output. In test_config. */
void lbs_advice_print(apr_pool_t *pool, server_rec *main_server);

#endif
