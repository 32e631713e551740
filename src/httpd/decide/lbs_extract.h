/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_extract.h - the keys that a request shows, source by source. */
#ifndef LBS_EXTRACT_H
#define LBS_EXTRACT_H

#include <httpd.h>

#include "src/affinity/lbs_source.h"
#include "src/base/lbs_slice.h"
#include "src/httpd/pool/lbs_pools.h"

/**
 * Called with one value that a source shows.
 *
 * @return 1 when that was the one looked for; 0 to be given the next
 */
typedef int lbs_extract_fn(void *baton, lbs_slice_t value);

/**
 * Go through the values a source shows in this request, in the order they
 * stand. Cookies may come more than once; every other source has one value
 * at the most. Empty values are left out.
 *
 * Cost: one pass over the field in question.
 *
 * @param index  of the source in the pool's LBSticky
 * @return 1 when fn said so, else 0
 */
int lbs_extract_each(request_rec *r, const lbs_pool_t *pool, int index,
                     lbs_extract_fn *fn, void *baton);

/** The same for the cookies of one name, wherever in the request they stand.
 */
int lbs_extract_cookies(request_rec *r, lbs_slice_t name, lbs_extract_fn *fn,
                        void *baton);

/** The same for the path parameter ;name=value. */
int lbs_extract_path(request_rec *r, const char *name, lbs_extract_fn *fn,
                     void *baton);

/** The key in a header's value. httpd puts the fields of one name together,
 * with commas between them: empty ones at either end are no part of it.
 * @param text  NULL: no key */
lbs_slice_t lbs_extract_header_value(const char *text);

/** Keyed hash of a client without a cookie: address and User-Agent. */
apr_uint64_t lbs_extract_first(request_rec *r, const lbs_pool_t *pool);

/**
 * Hash of a value of a source, as the session table knows it; keyed, so that a
 * client that chooses the value does not choose the hash.
 *
 * @param value  of our own cookie: the sid of a token that was verified
 */
apr_uint64_t lbs_extract_hash(const lbs_pool_t *pool, int index,
                              const void *value, apr_size_t len);

/**
 * Hash of a key for the method `hash`: the same on every server that has the
 * same secret.
 *
 * @param r  NULL when there is a value
 * @param value  empty: the client's address is the key
 */
apr_uint64_t lbs_extract_pick_hash(request_rec *r, const lbs_pool_t *pool,
                                   lbs_slice_t value);

#endif
