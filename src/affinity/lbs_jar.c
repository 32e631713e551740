/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_jar.c - see lbs_jar.h. */
#include "src/affinity/lbs_jar.h"

/* Matching --------------------------------------------------------------- */

/* The path of a request target; `/` for one that has none, as `*`. */
static lbs_slice_t path_of(const char *target)
{
    const char *scheme = strstr(target, "://");
    const char *path = target;

    if (scheme != NULL && strcspn(target, "/?#") > (size_t)(scheme - target)) {
        path = scheme + 3 + strcspn(scheme + 3, "/?#");
    }
    if (*path != '/') {
        return lbs_slice_of("/");
    }
    return lbs_slice_span(path, path + strcspn(path, "?#"));
}

/* RFC 6265 5.1.4: the path of a cookie whose line names none. */
static lbs_slice_t default_path(lbs_slice_t path)
{
    while (path.n > 1 && path.p[path.n - 1] != '/') {
        path.n--;
    }
    if (path.n > 1) {
        path.n--; /* the last slash is no part of it */
    }
    return path;
}

/* RFC 6265 5.1.4. */
static int path_covers(lbs_slice_t cookie, lbs_slice_t path)
{
    return path.n >= cookie.n && memcmp(path.p, cookie.p, cookie.n) == 0
           && (path.n == cookie.n || cookie.p[cookie.n - 1] == '/'
               || path.p[cookie.n] == '/');
}

/* Only names have domains above them. */
static int is_address(lbs_slice_t host)
{
    apr_size_t i;

    for (i = 0; i < host.n; i++) {
        if (host.p[i] == ':') {
            return 1;
        }
        if ((host.p[i] < '0' || host.p[i] > '9') && host.p[i] != '.') {
            return 0;
        }
    }
    return 1;
}

/* RFC 6265 5.1.3. */
static int domain_covers(lbs_slice_t domain, lbs_slice_t host)
{
    lbs_slice_t tail = host;

    if (host.n <= domain.n) {
        return lbs_slice_caseeq(domain, host);
    }
    tail.p += host.n - domain.n;
    tail.n = domain.n;
    return tail.p[-1] == '.' && lbs_slice_caseeq(domain, tail)
           && !is_address(host);
}

/* The jar ---------------------------------------------------------------- */

void lbs_jar_open(lbs_jar_t *jar, const char *host, const char *target)
{
    memset(jar, 0, sizeof(*jar));
    jar->host = lbs_slice_of(host);
    jar->path = path_of(target);
}

/* Where a cookie goes: in place of the one it replaces, behind the last, or in
 * place of one that does not cover the request. NULL: nowhere. */
static lbs_jar_cookie_t *place_for(lbs_jar_t *jar,
                                   const lbs_jar_cookie_t *cookie)
{
    lbs_jar_cookie_t *spare = NULL;
    unsigned i;

    for (i = 0; i < jar->count; i++) {
        lbs_jar_cookie_t *other = &jar->cookie[i];

        if (lbs_slice_eq(other->path, cookie->path)
            && lbs_slice_caseeq(other->domain, cookie->domain)) {
            return other;
        }
        if (!other->covers) {
            spare = other;
        }
    }
    if (jar->count < LBS_JAR_MAX) {
        return &jar->cookie[jar->count++];
    }
    return cookie->covers ? spare : NULL;
}

void lbs_jar_add(lbs_jar_t *jar, const lbs_setcookie_t *set)
{
    lbs_jar_cookie_t cookie = {
        .value = set->value,
        .path = set->path.n > 0 ? set->path : default_path(jar->path),
        .domain = set->domain.n > 0 ? set->domain : jar->host,
        .deletes = set->deletes,
    };
    lbs_jar_cookie_t *place;

    cookie.covers = path_covers(cookie.path, jar->path)
                    && domain_covers(cookie.domain, jar->host);
    place = place_for(jar, &cookie);
    if (place != NULL) {
        *place = cookie;
    }
}

unsigned lbs_jar_ended(const lbs_jar_t *jar)
{
    unsigned ended = 0;
    unsigned i;

    for (i = 0; i < jar->count; i++) {
        if (!jar->cookie[i].deletes) {
            return 0;
        }
        ended += jar->cookie[i].covers ? 1 : 0;
    }
    return ended;
}

int lbs_jar_replaces(const lbs_jar_t *jar)
{
    unsigned i;

    for (i = 0; i < jar->count; i++) {
        if (jar->cookie[i].covers && !jar->cookie[i].deletes) {
            return 1;
        }
    }
    return 0;
}
