/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_finding_int.h - the rules, a file for each subject. Each looks through
 * the whole configuration and adds its findings. */
#ifndef LBS_FINDING_INT_H
#define LBS_FINDING_INT_H

#include "src/httpd/advice/lbs_finding.h"

void lbs_finding_pools(lbs_findings_t *findings);   /* names, members, users */
void lbs_finding_paths(lbs_findings_t *findings);   /* ProxyPass and slashes */
void lbs_finding_sticky(lbs_findings_t *findings);  /* LBSticky and its like */
void lbs_finding_cookie(lbs_findings_t *findings);  /* LBStickyCookie */
void lbs_finding_tls(lbs_findings_t *findings);     /* https members */
void lbs_finding_members(lbs_findings_t *findings); /* BalancerMember */
void lbs_finding_peers(lbs_findings_t *findings);   /* LBStickyLocal self */
void lbs_finding_state(lbs_findings_t *findings);   /* LBStickyPersist */

#endif
