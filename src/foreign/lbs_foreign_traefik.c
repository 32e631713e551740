/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_foreign_traefik.c - Traefik: `sticky.cookie` of a service.
 *
 *     fd1d8ab1e53f7d6e          since 3.2 the first 16 hex digits of the
 *                               SHA-256 of the server's URL
 *     9b1f6a2c0d3e4f58          before 3.2 the URL's FNV-1 hash of 64 bits, or
 *                               the FNV-1 hash of that hash's digits; most
 *                               versions leave out zeros in front
 *     http://10.0.0.11:8000     Traefik 1 and 2.0: the URL itself
 *
 * The URL is the one in Traefik's configuration, byte for byte, so all ways of
 * writing a member's are hashed: with the scheme's own port and without, with
 * a slash at the end and without.
 */
#include "src/foreign/lbs_foreign_int.h"

#include <apr_strings.h>

#include "src/base/lbs_hex.h"
#include "src/foreign/lbs_sha256.h"

#define DIGITS 16 /* hex digits of 64 bits */

static apr_uint64_t fnv(const char *text)
{
    apr_uint64_t hash = APR_UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; text++) {
        hash *= APR_UINT64_C(0x100000001b3);
        hash ^= (unsigned char)*text;
    }
    return hash;
}

static const char *digits(apr_pool_t *pool, apr_uint64_t value)
{
    char *text = apr_pcalloc(pool, DIGITS + 1);

    lbs_hex_put(text, DIGITS, value);
    return text;
}

static const char *without_zeros(const char *text)
{
    while (text[0] == '0' && text[1] != '\0') {
        text++;
    }
    return text;
}

static void say_number(const lbs_foreign_sink_t *sink, const char *text)
{
    lbs_foreign_say(sink, text);
    lbs_foreign_say(sink, without_zeros(text));
}

static void say_url(const lbs_foreign_sink_t *sink, const char *url)
{
    unsigned char digest[LBS_SHA256_LEN];
    const char *once = digits(sink->pool, fnv(url));
    char *sha = apr_pcalloc(sink->pool, DIGITS + 1);
    int i;

    lbs_sha256(digest, url, strlen(url));
    for (i = 0; i < DIGITS / 2; i++) {
        lbs_hex_put(sha + 2 * i, 2, digest[i]);
    }
    lbs_foreign_say(sink, sha);
    say_number(sink, once);
    say_number(sink, digits(sink->pool, fnv(once)));
    say_number(sink, digits(sink->pool, fnv(without_zeros(once))));
    lbs_foreign_say(sink, url);
}

/* What Traefik calls the schemes of mod_proxy that it can speak. */
static const char *scheme_of(const lbs_foreign_member_t *member)
{
    static const char *const same[][2] = {
        {"h2", "https"}, {"ws", "http"}, {"wss", "https"}};
    apr_size_t i;

    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        if (strcmp(member->scheme, same[i][0]) == 0) {
            return same[i][1];
        }
    }
    return member->scheme;
}

static apr_port_t usual_port(const char *scheme)
{
    return strcmp(scheme, "https") == 0 ? 443 : 80;
}

/* The end of the URL, behind host and port. */
static const char *path_of(const lbs_foreign_member_t *member)
{
    const char *at = strstr(member->url, "://");

    at = at != NULL ? strchr(at + 3, '/') : NULL;
    return at != NULL ? at : "";
}

static void say_paths(const lbs_foreign_sink_t *sink, const char *server,
                      const char *path)
{
    apr_size_t n = strlen(path);

    say_url(sink, apr_pstrcat(sink->pool, server, path, NULL));
    if (n != 0 && path[n - 1] == '/') {
        path = apr_pstrmemdup(sink->pool, path, n - 1);
        say_url(sink, apr_pstrcat(sink->pool, server, path, NULL));
    }
    else {
        say_url(sink, apr_pstrcat(sink->pool, server, path, "/", NULL));
    }
}

static void say_member(const lbs_foreign_member_t *member,
                       const lbs_foreign_sink_t *sink)
{
    const char *format =
        strchr(member->host, ':') != NULL ? "%s://[%s]" : "%s://%s";
    const char *server;

    if (member->socket != NULL) {
        return; /* Traefik knows no unix sockets */
    }
    server = apr_psprintf(sink->pool, format, scheme_of(member), member->host);
    say_paths(
        sink,
        apr_psprintf(sink->pool, "%s:%u", server, (unsigned)member->port),
        path_of(member));
    if (member->port == usual_port(scheme_of(member))) {
        say_paths(sink, server, path_of(member));
    }
}

const lbs_foreign_reader_t lbs_foreign_traefik = {
    .word = "traefik",
    .uses = 0,
    .say = say_member,
    .next = lbs_foreign_whole,
};
