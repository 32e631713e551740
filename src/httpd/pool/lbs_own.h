/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_own.h - which member is this httpd itself.
 *
 * A member is this httpd when its host is an address of this machine and
 * some Listen covers that address and port. Names are resolved and the
 * machine's addresses looked up when the configuration is read: an address
 * that moves between machines at run time (VRRP) belongs into Listen or DNS,
 * never into a BalancerMember.
 */
#ifndef LBS_OWN_H
#define LBS_OWN_H

#include <httpd.h>

/** Note in every pool which of its members is this httpd. Parent, in
 * post_config, after lbs_pools_build_all(). */
void lbs_own_find(apr_pool_t *ptemp);

/**
 * Refuse settings that LBStickyLocal cannot fulfil: `self` without a secret
 * that servers share, or where a member is this machine and no member of any
 * pool is this httpd. In check_config.
 *
 * @return OK; or an HTTP status, and the log says what to write instead
 */
int lbs_own_check(apr_pool_t *ptemp, server_rec *main_server);

#endif
