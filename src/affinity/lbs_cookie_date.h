/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_cookie_date.h - the date in a cookie's Expires, as browsers read it.
 *
 * The algorithm of RFC 6265 5.1.1, because a date that a browser understands
 * must be understood here too: applications write `Thu, 01 Jan 1970 00:00:00
 * GMT`, `Thu, 01-Jan-1970 00:00:00 GMT`, `01-Jan-70 0:0:0` and more.
 * apr_date_parse_http() knows three of these forms and answers the same for
 * the epoch, which is what most deletions carry, as for a bad date.
 */
#ifndef LBS_COOKIE_DATE_H
#define LBS_COOKIE_DATE_H

#include <apr_errno.h>
#include <apr_time.h>

#include "src/base/lbs_slice.h"

/**
 * Read a date. Cost: linear in its length.
 *
 * @param when  out: microseconds since 1970, UTC; negative before
 * @return APR_SUCCESS; APR_EINVAL: no date, the browser ignores the attribute
 */
apr_status_t lbs_cookie_date_parse(lbs_slice_t text, apr_time_t *when);

#endif
