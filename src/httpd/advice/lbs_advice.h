/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_advice.h - what to write, for a configuration as it stands.
 *
 * `httpd -t` and each start warn of what is certainly wrong. `httpd -t -D
 * LBSTICKY_ADVICE` prints all that was found, and for each balancer without
 * LBSticky the lines that would hand it to this module. Nothing is changed.
 */
#ifndef LBS_ADVICE_H
#define LBS_ADVICE_H

#include "src/httpd/advice/lbs_finding.h"

/**
 * Look for what is silently wrong, and warn of what is certain. In
 * check_config.
 *
 * @param pconf  the findings live in it
 * @param warn   0: no pool has LBSticky, and nobody asked for a word of it
 */
void lbs_advice_check(apr_pool_t *pconf, apr_pool_t *ptemp,
                      server_rec *main_server, int warn);

/** What was found in the configuration in force; NULL before
 * lbs_advice_check(). */
const lbs_findings_t *lbs_advice_findings(void);

/** -D LBSTICKY_ADVICE: print to standard output. In test_config. */
void lbs_advice_print(apr_pool_t *pool, server_rec *main_server);

#endif
