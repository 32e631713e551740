/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_foreign_int.h - the readers, and what they share. */
#ifndef LBS_FOREIGN_INT_H
#define LBS_FOREIGN_INT_H

#include "src/foreign/lbs_foreign.h"

extern const lbs_foreign_reader_t lbs_foreign_haproxy;
extern const lbs_foreign_reader_t lbs_foreign_nginx;
extern const lbs_foreign_reader_t lbs_foreign_traefik;
extern const lbs_foreign_reader_t lbs_foreign_bigip;
extern const lbs_foreign_reader_t lbs_foreign_mod_proxy;
extern const lbs_foreign_reader_t lbs_foreign_jvmroute;

/** `next` of the products whose whole value names the server. */
static inline int lbs_foreign_whole(lbs_slice_t value, lbs_slice_t *part)
{
    int first = part->n == 0;

    *part = value;
    return first && value.n != 0;
}

/** Hand over a value, unless it is empty. */
static inline void lbs_foreign_say(const lbs_foreign_sink_t *sink,
                                   const char *value)
{
    if (*value != '\0') {
        sink->take(sink->baton, value);
    }
}

/** An address as text, IPv6 in the shortest form, without brackets. */
const char *lbs_foreign_address_text(apr_pool_t *pool,
                                     const lbs_foreign_address_t *address);

#endif
