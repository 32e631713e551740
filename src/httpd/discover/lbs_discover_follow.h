/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_follow.h - what a source said, and what follows from it. */
#ifndef LBS_DISCOVER_FOLLOW_H
#define LBS_DISCOVER_FOLLOW_H

#include "src/httpd/discover/lbs_discover_from.h"

/**
 * Follow an answer: members come, or are missed; say what became of it.
 *
 * @param tells  1: it is news; 0: at a start
 */
void lbs_discover_follow(const lbs_discover_from_t *from,
                         lbs_discover_answer_t *answer, apr_time_t now,
                         int tells, apr_pool_t *scratch);

#endif
