/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_local_self.h - LBStickyLocal self: this httpd is a member of its own
 * pool, and answers requests for that member in process.
 *
 * The decision has to fall before directories are walked, so it falls in
 * map_to_storage. If it falls on the own member, the request enters its row
 * there and then, is translated once more without ProxyPass, and runs on as
 * if this httpd had never been a proxy; its handler is wrapped so that it
 * counts, is learned from and ends like any attempt. If it falls on another
 * member, mod_proxy goes on with it and does not decide again.
 *
 * Where that is not possible, the own member is reached as any other, over a
 * connection, and the marker of lbs_hop_header.h makes this httpd serve it:
 *   - ProxyPass or a rule maps the URL to another one than the client's;
 *   - a source is expr=, which may need the result of authentication;
 *   - LBStickyRetry status= may ask a second member after an answer;
 *   - the own member is the second that is tried.
 */
#ifndef LBS_LOCAL_SELF_H
#define LBS_LOCAL_SELF_H

#include <httpd.h>

#include "src/httpd/request/lbs_request.h"

/**
 * Decide for a request that ProxyPass sends to a pool of which this httpd may
 * be a member.
 *
 * @return 1: it is served here, and mapped; 0: mod_proxy goes on with it
 */
int lbs_local_self_map(request_rec *r, lbs_pool_t *pool);

/** handler: run the real one, as an attempt. */
int lbs_local_self_handler(request_rec *r);

/** insert_error_filter: an answer that comes before any handler ran. */
void lbs_local_self_error(request_rec *r);

#endif
