/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_checker.h - the thread that makes checks and probes.
 *
 * One thread in the process that ticks makes all checks of LBStickyCheck, and
 * asks the members that are in doubt, with libcurl's multi interface. It is
 * not the tick itself: that runs in steps of 100 ms, and a check takes several
 * steps (connect, TLS, answer), so one with a time-out of 300 ms would fail by
 * waiting for us. When the process dies, the next one that ticks goes on;
 * checks it had begun are given back.
 */
#ifndef LBS_CHECKER_H
#define LBS_CHECKER_H

#include <httpd.h>

/**
 * Find out which pools have checks, and read what only the parent can read. In
 * post_config, when the pools are settled. Members that are no longer checked
 * are up from now on.
 */
void lbs_checker_prepare(apr_pool_t *pconf);

/** Begin checking; in the process that ticks. A failure is logged. */
void lbs_checker_start(void);

/** A member is to be asked: do not wait for the next step. Harmless while this
 * process does not check; not from two threads at once. */
void lbs_checker_wake(void);

/** Stop checking: checks under way are given back. Waits for the thread, some
 * milliseconds. Calling it twice, or from two threads, is harmless. */
void lbs_checker_stop(void);

/** Members that are no longer checked are up: once a second, because a
 * child of the former generation may have said otherwise at the last moment.
 * In the process that ticks. */
void lbs_checker_second(void);

#endif
