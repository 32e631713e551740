/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_foreign_address.c - addresses as the former balancer printed them. */
#include "src/foreign/lbs_foreign_int.h"

#include <apr_strings.h>

#define GROUPS 8 /* of an IPv6 address, 16 bits each */

static unsigned group_at(const unsigned char *bytes, int i)
{
    return (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
}

/* The longest run of zero groups, of two at least; the first of equal ones. */
static int longest_run(const unsigned char *bytes, int *length)
{
    int best = -1;
    int i, n;

    *length = 1;
    for (i = 0; i < GROUPS; i += n + 1) {
        for (n = 0; i + n < GROUPS && group_at(bytes, i + n) == 0; n++) {
        }
        if (n > *length) {
            best = i;
            *length = n;
        }
    }
    return best;
}

static const char *text_of_v4(apr_pool_t *pool, const char *before,
                              const unsigned char *b)
{
    return apr_psprintf(pool, "%s%u.%u.%u.%u", before, b[0], b[1], b[2], b[3]);
}

/* Are the last four bytes written as an IPv4 address? */
static int has_v4(const unsigned char *bytes, int run, int length)
{
    return run == 0
           && (length == 6 || (length == 5 && group_at(bytes, 5) == 0xffff)
               || (length == 7 && bytes[14] != 0 && bytes[15] != 1));
}

/* As nginx prints an address: RFC 5952, which inet_ntop() follows, too, but
 * for some addresses that begin with zeros. */
static const char *text_of_v6(apr_pool_t *pool, const unsigned char *bytes)
{
    int length;
    int run = longest_run(bytes, &length);
    const char *text = "";
    int i;

    if (has_v4(bytes, run, length)) {
        return text_of_v4(pool, length == 5 ? "::ffff:" : "::", bytes + 12);
    }
    for (i = 0; i < GROUPS; i++) {
        if (i == run) {
            text = apr_pstrcat(pool, text, "::", NULL);
            i += length - 1;
            continue;
        }
        text = apr_psprintf(pool, "%s%s%x", text,
                            i == 0 || i == run + length ? "" : ":",
                            group_at(bytes, i));
    }
    return text;
}

const char *lbs_foreign_address_text(apr_pool_t *pool,
                                     const lbs_foreign_address_t *address)
{
    return address->is_v6 ? text_of_v6(pool, address->bytes)
                          : text_of_v4(pool, "", address->bytes);
}
