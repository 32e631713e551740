/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hint.h - what the result of a check most often means, and which line to
 * change. */
#ifndef LBS_HINT_H
#define LBS_HINT_H

/**
 * Explain why a member is down.
 *
 * @param last  result of its last check: "HTTP 400, want 200-399"
 * @return a static text to be set behind `last`, with its "; "; "" where the
 *         result says it all
 */
const char *lbs_hint_of_check(const char *last);

#endif
