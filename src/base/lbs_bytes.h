/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_bytes.h - numbers as bytes that other machines read, too.
 *
 * Always little endian, at any address. Written out byte by byte, so that the
 * compiler makes one load or store of it where the machine is little endian.
 */
#ifndef LBS_BYTES_H
#define LBS_BYTES_H

#include <apr.h>

static inline void lbs_bytes_put32(unsigned char *to, apr_uint32_t value)
{
    to[0] = (unsigned char)value;
    to[1] = (unsigned char)(value >> 8);
    to[2] = (unsigned char)(value >> 16);
    to[3] = (unsigned char)(value >> 24);
}

static inline void lbs_bytes_put64(unsigned char *to, apr_uint64_t value)
{
    lbs_bytes_put32(to, (apr_uint32_t)value);
    lbs_bytes_put32(to + 4, (apr_uint32_t)(value >> 32));
}

static inline apr_uint32_t lbs_bytes_get32(const unsigned char *from)
{
    return (apr_uint32_t)from[0] | (apr_uint32_t)from[1] << 8
           | (apr_uint32_t)from[2] << 16 | (apr_uint32_t)from[3] << 24;
}

static inline apr_uint64_t lbs_bytes_get64(const unsigned char *from)
{
    return lbs_bytes_get32(from)
           | (apr_uint64_t)lbs_bytes_get32(from + 4) << 32;
}

#endif
