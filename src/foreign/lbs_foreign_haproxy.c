/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_foreign_haproxy.c - HAProxy: `cookie NAME insert|rewrite|prefix`.
 *
 *     web1                 what its server line says behind `cookie`
 *     web1|aBcDe           the same with maxidle: and when it was last used
 *     web1|aBcDe|aBcDf     with maxlife: and when it was first used
 *     web1~0123456789      prefix: and the application's own value
 *
 * The member's route has to be what the server line says. The dates are not
 * read: how long a session lives is LBStickyTimeout's business. Cookies of the
 * mode `dynamic` are a hash under a key that HAProxy keeps; they are opaque
 * names to this reader, and are read where the route is the one HAProxy gave.
 */
#include "src/foreign/lbs_foreign_int.h"

static void say_member(const lbs_foreign_member_t *member,
                       const lbs_foreign_sink_t *sink)
{
    lbs_foreign_say(sink, member->route);
}

/* First the whole value, then all up to its last separator, then up to the one
 * before: a server's name may hold separators, too. */
static int next(lbs_slice_t value, lbs_slice_t *part)
{
    apr_size_t n;

    if (part->n == 0) {
        return lbs_foreign_whole(value, part);
    }
    for (n = part->n - 1; n > 0; n--) {
        if (value.p[n] == '|' || value.p[n] == '~') {
            *part = lbs_slice_span(value.p, value.p + n);
            return 1;
        }
    }
    return 0;
}

const lbs_foreign_reader_t lbs_foreign_haproxy = {
    .word = "haproxy",
    .uses = LBS_FOREIGN_ROUTE,
    .say = say_member,
    .next = next,
};
