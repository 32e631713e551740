/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_shared_text.h - a short text in shared memory that no reader sees torn.
 *
 * Two copies and a count of texts written; the count's lowest bit says which
 * copy is current. A writer fills the other one and then raises the count, so
 * a writer killed in between leaves the old text. A reader copies the current
 * one and looks whether the count is still the same. One writer at a time: the
 * caller makes sure of that.
 */
#ifndef LBS_SHARED_TEXT_H
#define LBS_SHARED_TEXT_H

#include <apr.h>
#include <apr_errno.h>

#include "src/base/lbs_atomic.h"

#define LBS_SHARED_TEXT_LEN 96 /* bytes, with the NUL */

/* Shared; all zero is the empty text. Private to lbs_shared_text.c. */
typedef struct lbs_shared_text_t {
    lbs_atomic64_t count;
    lbs_atomic64_t words[2][LBS_SHARED_TEXT_LEN / 8];
} lbs_shared_text_t;

/**
 * Write a text. What does not fit is cut; control characters, which may come
 * from a member, become question marks.
 *
 * Locking: the caller is the only writer.
 */
void lbs_shared_text_set(lbs_shared_text_t *note, const char *text);

/**
 * Read the text. Any process, any time.
 *
 * @param text  LBS_SHARED_TEXT_LEN bytes; always terminated
 * @return APR_SUCCESS; APR_EAGAIN: rewritten faster than read, several times
 *         in a row, and text is empty
 */
apr_status_t lbs_shared_text_get(const lbs_shared_text_t *note, char *text);

#endif
