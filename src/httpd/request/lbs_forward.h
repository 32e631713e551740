/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_forward.h - send a request along its decision.
 *
 * mod_proxy asks for a member (pre_request) and then runs the scheme's
 * handler. This file answers the first question and wraps the second: inside
 * one run of the scheme handler, as mod_proxy sees it, the request may be
 * sent to one member after another, so mod_proxy's own loop, error states and
 * retry= never act in governed pools.
 */
#ifndef LBS_FORWARD_H
#define LBS_FORWARD_H

#include "src/httpd/proxy/lbs_worker.h"

/** The hooks that lbs_worker_import() registers with mod_proxy. */
extern const lbs_worker_hooks_t lbs_forward_hooks;

#endif
