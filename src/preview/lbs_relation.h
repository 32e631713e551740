/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_relation.h - does another configuration know a pool's sessions again?
 *
 * A session is asked for by pool, source and value; the table's words say
 * neither source nor value. So of all words of a pool it is known whether they
 * can be found again, or cannot, or that some cannot.
 */
#ifndef LBS_RELATION_H
#define LBS_RELATION_H

#include "src/preview/lbs_outline.h"

typedef struct lbs_relation_t {
    const char *lost; /* why no session is found again: a word; NULL: they
                         are */
    apr_array_header_t *notes; /* const char *: sentences on those that are
                                  not, where others are */
} lbs_relation_t;

/**
 * Compare a pool with what it becomes.
 *
 * @param before    the outline that was written with the sessions
 * @param was       of it
 * @param after     the outline of the next configuration
 * @param is        of it; NULL: there is no such pool
 * @param by_token  1: the two are different pools to the table, and the same
 *                  to the module's cookie
 * @param pool      the notes live in it
 */
lbs_relation_t lbs_relation_find(const lbs_outline_t *before,
                                 const lbs_outline_pool_t *was,
                                 const lbs_outline_t *after,
                                 const lbs_outline_pool_t *is, int by_token,
                                 apr_pool_t *pool);

/** @return sentences (const char *) on secrets that verify no more; none
 *          where no pool of before had the source cookie */
apr_array_header_t *lbs_relation_secrets(const lbs_outline_t *before,
                                         const lbs_outline_t *after,
                                         apr_pool_t *pool);

#endif
