/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_marker.c - see lbs_marker.h. */
#include "src/httpd/pool/lbs_marker.h"

#include <apr_strings.h>
#include <string.h>

#include "src/affinity/lbs_trail.h"
#include "src/httpd/shared/lbs_runtime.h"

#define PURPOSE "peer" /* of the keys */

int lbs_marker_fits(const lbs_member_t *m)
{
    static const char *const others[] = {"ajp:", "fcgi:", "scgi:", "uwsgi:"};
    unsigned i;

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strncmp(m->name, others[i], strlen(others[i])) == 0) {
            return 0;
        }
    }
    return 1;
}

const char *lbs_marker_target(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path;

    if (*url == '/' || host == NULL) {
        return url;
    }
    path = strchr(host + 3, '/');
    return path != NULL ? path : "/";
}

static apr_uint32_t seconds_now(void)
{
    return (apr_uint32_t)apr_time_sec(apr_time_now());
}

/* An IPv4 address is one also where a socket for both families has it. */
static void put_address(lbs_hop_t *hop, const apr_sockaddr_t *addr)
{
    const unsigned char *bytes = addr->ipaddr_ptr;

    if (addr->family == APR_INET) {
        hop->addr_len = 4;
    }
#if APR_HAVE_IPV6
    else if (addr->family == APR_INET6) {
        hop->addr_len = LBS_HOP_ADDR;
        if (IN6_IS_ADDR_V4MAPPED(&addr->sa.sin6.sin6_addr)) {
            bytes += LBS_HOP_ADDR - 4;
            hop->addr_len = 4;
        }
    }
#endif
    memcpy(hop->addr, bytes, hop->addr_len);
}

void lbs_marker_sign(const lbs_pool_t *pool, const lbs_member_t *m,
                     const apr_sockaddr_t *visitor,
                     const lbs_hop_about_t *about, char *out)
{
    lbs_hop_t hop = {.made = seconds_now(),
                     .pool = pool->token_pool,
                     .member = m->token_id};
    lbs_hash_key_t key;

    if (visitor != NULL) {
        put_address(&hop, visitor);
    }
    lbs_secret_key(&key, lbs_runtime()->secret, 0, PURPOSE);
    lbs_hop_write(out, &key, &hop, about);
}

apr_status_t lbs_marker_read(const char *text, const lbs_hop_about_t *about,
                             lbs_hop_t *hop)
{
    const lbs_secret_t *secret = lbs_runtime()->secret;
    apr_status_t rv = APR_EACCES;
    apr_size_t i;

    for (i = 0; i < secret->count && rv == APR_EACCES; i++) {
        lbs_hash_key_t key;

        lbs_secret_key(&key, secret, i, PURPOSE);
        rv = lbs_hop_read(text, &key, about, seconds_now(), hop);
    }
    return rv;
}

const char *lbs_marker_trail(request_rec *r, const lbs_pool_t *pool,
                             const char *before, const char *target)
{
    lbs_trail_about_t about = {pool->token_pool, r->method, target};
    char *trail = apr_palloc(r->pool, LBS_TRAIL_MAX + 1);
    lbs_hash_key_t key;

    lbs_secret_key(&key, lbs_runtime()->secret, 0, PURPOSE);
    lbs_trail_extend(trail, before, &key, &about, seconds_now());
    return trail;
}

int lbs_marker_was_here(const lbs_pool_t *pool, const char *trail,
                        const char *method, const char *target)
{
    lbs_trail_about_t about = {pool->token_pool, method, target};
    const lbs_secret_t *secret = lbs_runtime()->secret;
    apr_size_t i;
    int found = 0;

    for (i = 0; i < secret->count && !found; i++) {
        lbs_hash_key_t key;

        lbs_secret_key(&key, secret, i, PURPOSE);
        found = lbs_trail_has(trail, &key, &about, seconds_now());
    }
    return found;
}

void lbs_marker_line(const lbs_pool_t *pool, const lbs_member_t *m,
                     lbs_hop_about_t about, char *line)
{
    char marker[LBS_HOP_MAX + 1];

    line[0] = '\0';
    if (!pool->set.local->self || !lbs_marker_fits(m)) {
        return;
    }
    lbs_marker_sign(pool, m, NULL, &about, marker);
    apr_snprintf(line, LBS_MARKER_LINE, "%s: %s", LBS_MARKER_HEADER, marker);
}
