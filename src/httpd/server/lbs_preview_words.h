/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_preview_words.h - the sentences of a preview, beside its numbers. */
#ifndef LBS_PREVIEW_WORDS_H
#define LBS_PREVIEW_WORDS_H

#include "src/httpd/server/lbs_persist_read.h"
#include "src/httpd/server/lbs_preview_count.h"

/** @return why there is no preview, and what to do; without a dot */
const char *lbs_preview_no_file(const char *path,
                                const lbs_persist_outcome_t *outcome,
                                apr_pool_t *pool);

/** Add them to the outlook. After lbs_preview_count(). */
void lbs_preview_words(lbs_preview_t *p, const lbs_restore_t *restore);

#endif
