/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_keys.h"

#define V4_BYTES 4
#define V6_BYTES 16

/* The text behind `NAME=` at p; NULL if p does not begin so. strncmp() does
 * not look behind a NUL, and a name holds none. */
static const char *value_of(const char *p, lbs_slice_t name)
{
    if (name.n == 0 || strncmp(p, name.p, name.n) != 0 || p[name.n] != '=') {
        return NULL;
    }
    return p + name.n + 1;
}

/* Take a value that ends at one of the bytes in ends, unless it is empty. */
static apr_status_t take(const char *from, const char *ends,
                         lbs_slice_t *value)
{
    apr_size_t n = strcspn(from, ends);

    if (n == 0) {
        return APR_NOTFOUND;
    }
    value->p = from;
    value->n = n;
    return APR_SUCCESS;
}

apr_status_t lbs_key_query(const char *args, lbs_slice_t name,
                           lbs_slice_t *value)
{
    const char *p = args;

    while (p != NULL) {
        const char *from = value_of(p, name);

        if (from != NULL && take(from, "&#", value) == APR_SUCCESS) {
            return APR_SUCCESS;
        }
        p = strchr(p, '&');
        p = p != NULL ? p + 1 : NULL;
    }
    return APR_NOTFOUND;
}

apr_status_t lbs_key_path(const char *path, lbs_slice_t name,
                          lbs_slice_t *value)
{
    const char *p = path != NULL ? path : "";

    for (p += strcspn(p, ";?#"); *p == ';'; p += strcspn(p, ";?#")) {
        const char *from = value_of(++p, name);

        if (from != NULL && take(from, ";/?#", value) == APR_SUCCESS) {
            return APR_SUCCESS;
        }
    }
    return APR_NOTFOUND;
}

apr_status_t lbs_key_route_next(lbs_slice_t value, lbs_slice_t *route)
{
    const char *end = value.p + value.n;
    const char *from = route->n == 0 ? value.p : route->p;
    const char *dot;

    if (value.n == 0 || end[-1] == '.') {
        return APR_NOTFOUND;
    }
    dot = memchr(from, '.', (apr_size_t)(end - from));
    if (dot == NULL) {
        return APR_NOTFOUND;
    }
    *route = lbs_slice_span(dot + 1, end);
    return APR_SUCCESS;
}

/* Copy an address and clear the bits behind the first `bits`. */
static void copy_network(unsigned char *to, const unsigned char *from,
                         unsigned bytes, unsigned bits)
{
    unsigned i;

    for (i = 0; i < bytes; i++) {
        unsigned kept = bits > 8 ? 8 : bits;

        to[i] = (unsigned char)(from[i] & (0xff00u >> kept));
        bits -= kept;
    }
}

apr_size_t lbs_key_ip(unsigned char out[LBS_KEY_IP_LEN], const void *addr,
                      int is_v6, unsigned v4bits, unsigned v6bits)
{
    static const unsigned char mapped[] = {0, 0, 0, 0, 0,    0,
                                           0, 0, 0, 0, 0xff, 0xff};
    const unsigned char *bytes = addr;

    if (is_v6 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
        bytes += sizeof(mapped);
        is_v6 = 0;
    }
    out[0] = is_v6 ? 6 : 4;
    if (is_v6) {
        copy_network(out + 1, bytes, V6_BYTES, v6bits);
        return 1 + V6_BYTES;
    }
    copy_network(out + 1, bytes, V4_BYTES, v4bits);
    return 1 + V4_BYTES;
}
