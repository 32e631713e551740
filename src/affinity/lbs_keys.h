/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_keys.h - find the session's key in a URL, a route or an address.
 *
 * Keys are the bytes of the request line as they stand there: nothing is
 * decoded, so no two places can disagree about a %00. Names match whole and
 * with regard to case. An empty value is no key: the next one counts.
 * All of it is linear in the text, and slices point into it.
 */
#ifndef LBS_KEYS_H
#define LBS_KEYS_H

#include <apr_errno.h>

#include "src/base/lbs_slice.h"

#define LBS_KEY_IP_LEN 17 /* bytes: the family and an IPv6 address */
#define LBS_KEY_V4_BITS 32
#define LBS_KEY_V6_BITS 128

/**
 * Find the first non-empty value of a parameter of the query.
 *
 * @param args  what stands behind the `?`; `&` separates; NULL is no query
 * @return APR_SUCCESS; APR_NOTFOUND: no key, value untouched
 */
apr_status_t lbs_key_query(const char *args, lbs_slice_t name,
                           lbs_slice_t *value);

/**
 * Find the first non-empty `;NAME=value` in a path, in any segment. A value
 * ends at `;` or `/`.
 *
 * @param path  the request's target, undecoded; read up to `?` or `#`; NULL
 *              is no path
 * @param name  as lbs_source_add() lets through: without `;`, `/`, `?`, `#`
 * @return APR_SUCCESS; APR_NOTFOUND: no key, value untouched
 */
apr_status_t lbs_key_path(const char *path, lbs_slice_t name,
                          lbs_slice_t *value);

/**
 * The next place where an application may have written a route behind its
 * session id: what follows a dot, the longest text first. Ids and routes may
 * hold dots themselves.
 *
 * @param route  in: n is 0, or what the call before gave; out: the next
 * @return APR_SUCCESS; APR_NOTFOUND: no more dots, or the value ends with one;
 *         route untouched
 */
apr_status_t lbs_key_route_next(lbs_slice_t value, lbs_slice_t *route);

/**
 * The key of a client's network. Never the port: it is not asked for. An
 * IPv4 address in IPv6 notation, ::ffff:a.b.c.d, gives the key of a.b.c.d.
 *
 * @param out     the family as 4 or 6, then the address, host bits cleared
 * @param addr    4 or 16 bytes in network order
 * @param is_v6   are they 16?
 * @param v4bits  network bits of an IPv4 address; more than 32 are 32
 * @param v6bits  network bits of an IPv6 address; more than 128 are 128
 * @return bytes of out in use: 5 or 17
 */
apr_size_t lbs_key_ip(unsigned char out[LBS_KEY_IP_LEN], const void *addr,
                      int is_v6, unsigned v4bits, unsigned v6bits);

#endif
