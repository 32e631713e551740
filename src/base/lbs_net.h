/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_net.h - addresses of IP, and sets of them.
 *
 * An address of version 4 is kept as the one of version 6 that stands for it
 * (::ffff:a.b.c.d), so that there is one way to write each.
 */
#ifndef LBS_NET_H
#define LBS_NET_H

#include <apr.h>

#define LBS_NET_RANGES 16

typedef struct lbs_net_t {
    unsigned char byte[16];
} lbs_net_t;

typedef struct lbs_net_range_t {
    lbs_net_t first;
    int bits; /* that count, of 128 */
} lbs_net_range_t;

typedef struct lbs_net_set_t {
    int private_ones; /* RFC 1918, RFC 6598, fc00::/7 */
    int all;
    int count;
    lbs_net_range_t range[LBS_NET_RANGES];
} lbs_net_set_t;

/**
 * Read an address, without brackets and without a zone.
 *
 * @param n  bytes of text
 * @return 1; 0: it is none
 */
int lbs_net_read(const char *text, apr_size_t n, lbs_net_t *net);

#define LBS_NET_TEXT 46 /* bytes of an address as text, with its end */

/** Write an address, one of version 6 in its short form (RFC 5952). */
void lbs_net_text(const lbs_net_t *net, char text[LBS_NET_TEXT]);

/** @return 1 when it is one of version 4 */
int lbs_net_is_v4(const lbs_net_t *net);

/**
 * Read a comma list of ranges (10.0.0.0/8, an address alone is a range of
 * one), `private` and `any`.
 *
 * @param set  out: all of it, on success only
 * @return NULL; or what was wanted instead
 */
const char *lbs_net_set_read(const char *text, lbs_net_set_t *set);

/** @return 1 when a set has an address */
int lbs_net_set_has(const lbs_net_set_t *set, const lbs_net_t *net);

/** @return NULL; or what an address is that no server can have, or that must
 * never be asked: unspecified, multicast, broadcast, link-local (there a cloud
 * keeps what it tells to its machines) */
const char *lbs_net_never(const lbs_net_t *net);

#endif
