/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_proposal.h - the lines that hand a balancer to this module, and their
 * effect.
 *
 * Today's stickysession=, lbmethod=, hc*, retry= and Header lines say what an
 * administrator wanted; the proposal says the same in this module's words.
 */
#ifndef LBS_PROPOSAL_H
#define LBS_PROPOSAL_H

#include <apr_file_io.h>

#include "src/httpd/advice/lbs_finding.h"
#include "src/httpd/config/lbs_walk.h"

/** Print the proposal for one balancer. */
void lbs_proposal_print(apr_file_t *out, const lbs_findings_t *findings,
                        const lbs_walk_t *walk);

/** Is LBSticky in force for a pool in the server that defines it? */
int lbs_proposal_is_on_outside(const lbs_walk_t *walk);

#endif
