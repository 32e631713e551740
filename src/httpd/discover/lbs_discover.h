/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover.h - LBStickyDiscover: members that come and go.
 *
 * A source adds at once and takes away slowly: a member that it no longer
 * names is kept for `hold`, then leaves for as long as `leave` says, and is
 * removed then, or as soon as it has no session or is down. An answer that is
 * none, or that leaves fewer members than `min`, changes nothing.
 *
 * The process that ticks does all of it; the parent, before there is one.
 */
#ifndef LBS_DISCOVER_H
#define LBS_DISCOVER_H

#include <httpd.h>

#include "src/preview/lbs_outline.h"

/** Name the members again that are found already, and at a start those that
 * the sources find. Parent, in post_config, in the registry's pass, before a
 * state file is read. */
void lbs_discover_name(apr_pool_t *ptemp);

/** Name those that the sources had found when a state file was written.
 * Parent, after lbs_discover_name() and before the file is restored. */
void lbs_discover_recall(const lbs_outline_t *outline, apr_pool_t *ptemp);

/** Their values are in force. Parent, once the pass is committed. */
void lbs_discover_settle(apr_pool_t *ptemp);

/** Ask the sources when it is time, and move members on. At every tick, in
 * the process that ticks. */
void lbs_discover_tick(apr_time_t now);

/** Answer those who asked for a change in lbs_discover_tick(), once it is in
 * force. */
void lbs_discover_answer(apr_time_t now);

/** Another process ticks: forget what only this one knew. */
void lbs_discover_begin(void);

/** The same in a child: also tell all what the process before left untold. */
void lbs_discover_take_over(void);

#endif
