/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_file.h - LBStickyDiscover file:PATH, read. */
#ifndef LBS_DISCOVER_FILE_H
#define LBS_DISCOVER_FILE_H

#include "src/httpd/discover/lbs_discover_from.h"

/** Another process ticks. @param memory  that is never given back */
void lbs_discover_file_begin(apr_pool_t *memory);

/**
 * Look at the file when it is time.
 *
 * Cost: a stat a second; the file's size where it has changed, and after each
 * interval. A pipe or a device is not opened.
 *
 * @return 1: it was read. @param answer  out, then
 */
int lbs_discover_file_poll(const lbs_discover_from_t *from, apr_time_t now,
                           apr_pool_t *memory, lbs_discover_answer_t *answer);

/** Read it. */
void lbs_discover_file_read(const lbs_discover_from_t *from, apr_time_t now,
                            apr_pool_t *memory, lbs_discover_answer_t *answer);

#endif
