/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_foreign_bigip.c - F5 BIG-IP: cookie persistence, methods insert and
 * rewrite, as F5's article K6917 describes them.
 *
 *     1677787402.36895.0000                   10.1.1.100:8080, both numbers
 *                                             with their bytes reversed
 *     vi20010112000000000000000000000030.20480  [2001:112::30]:80, the port
 *                                             reversed
 *     rd5o00000000000000000000ffffc0000201o80 192.0.2.1:80 in route domain 5
 *     rd3o20010112000000000000000000000030o80 [2001:112::30]:80 in domain 3
 *
 * Which route domain it was does not matter. An encrypted cookie begins with
 * `!` and cannot be read.
 */
#include "src/foreign/lbs_foreign_int.h"

#include <apr_strings.h>

#include "src/base/lbs_hex.h"

#define MAPPED "00000000000000000000ffff" /* an IPv4 address in 16 bytes */

static void put_hex(char *to, const unsigned char *bytes, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        lbs_hex_put(to + 2 * i, 2, bytes[i]);
    }
    to[2 * n] = '\0';
}

static void say_v4(const lbs_foreign_sink_t *sink, const unsigned char *b,
                   unsigned port, unsigned swapped)
{
    apr_uint32_t reversed = (apr_uint32_t)b[3] << 24 | (apr_uint32_t)b[2] << 16
                            | (apr_uint32_t)b[1] << 8 | b[0];
    char hex[9];

    put_hex(hex, b, 4);
    lbs_foreign_say(sink,
                    apr_psprintf(sink->pool, "%u.%u.0000", reversed, swapped));
    lbs_foreign_say(sink,
                    apr_psprintf(sink->pool, "o" MAPPED "%so%u", hex, port));
}

static void say_v6(const lbs_foreign_sink_t *sink, const unsigned char *b,
                   unsigned port, unsigned swapped)
{
    char hex[33];

    put_hex(hex, b, 16);
    lbs_foreign_say(sink, apr_psprintf(sink->pool, "vi%s.%u", hex, swapped));
    lbs_foreign_say(sink, apr_psprintf(sink->pool, "o%so%u", hex, port));
}

static void say_member(const lbs_foreign_member_t *member,
                       const lbs_foreign_sink_t *sink)
{
    unsigned port = member->port;
    unsigned swapped = (port & 0xff) << 8 | port >> 8;
    apr_size_t i;

    for (i = 0; i < member->addresses; i++) {
        const lbs_foreign_address_t *address = &member->address[i];

        (address->is_v6 ? say_v6 : say_v4)(sink, address->bytes, port,
                                           swapped);
    }
}

/* Behind `rd` stands the number of a route domain. */
static int next(lbs_slice_t value, lbs_slice_t *part)
{
    apr_size_t i = 2;

    if (part->n != 0) {
        return 0;
    }
    if (value.n > 2 && memcmp(value.p, "rd", 2) == 0) {
        while (i < value.n && value.p[i] >= '0' && value.p[i] <= '9') {
            i++;
        }
        value = lbs_slice_span(value.p + (i > 2 ? i : 0), value.p + value.n);
    }
    return lbs_foreign_whole(value, part);
}

const lbs_foreign_reader_t lbs_foreign_bigip = {
    .word = "bigip",
    .uses = LBS_FOREIGN_ADDRESS,
    .say = say_member,
    .next = next,
};
