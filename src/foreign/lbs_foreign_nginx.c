/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_foreign_nginx.c - nginx 1.29.6 and later, and NGINX Plus:
 * `sticky cookie NAME`.
 *
 *     dae01b6ba7f0bd3bb0d43ac4c3f5ef1c   MD5 of the server as nginx prints it:
 *                                        10.0.0.11:8000, [2001:db8::1]:8000,
 *                                        unix:/run/app.sock
 *     web1                               where its server line has route=web1
 *
 * nginx-sticky-module-ng writes the same MD5. A host name is a server for each
 * of its addresses.
 */
#include "src/foreign/lbs_foreign_int.h"

#include <apr_md5.h>
#include <apr_strings.h>

#include "src/base/lbs_hex.h"

static void say_md5(const lbs_foreign_sink_t *sink, const char *server)
{
    unsigned char digest[APR_MD5_DIGESTSIZE];
    char *hex = apr_pcalloc(sink->pool, 2 * APR_MD5_DIGESTSIZE + 1);
    int i;

    if (apr_md5(digest, server, strlen(server)) == APR_SUCCESS) {
        for (i = 0; i < APR_MD5_DIGESTSIZE; i++) {
            lbs_hex_put(hex + 2 * i, 2, digest[i]);
        }
        lbs_foreign_say(sink, hex);
    }
}

static void say_member(const lbs_foreign_member_t *member,
                       const lbs_foreign_sink_t *sink)
{
    apr_size_t i;

    lbs_foreign_say(sink, member->route);
    if (member->socket != NULL) {
        say_md5(sink, apr_pstrcat(sink->pool, "unix:", member->socket, NULL));
        return;
    }
    for (i = 0; i < member->addresses; i++) {
        const char *address =
            lbs_foreign_address_text(sink->pool, &member->address[i]);

        say_md5(sink,
                apr_psprintf(sink->pool,
                             member->address[i].is_v6 ? "[%s]:%u" : "%s:%u",
                             address, (unsigned)member->port));
    }
}

const lbs_foreign_reader_t lbs_foreign_nginx = {
    .word = "nginx",
    .uses = LBS_FOREIGN_ADDRESS,
    .say = say_member,
    .next = lbs_foreign_whole,
};
