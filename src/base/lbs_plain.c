/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_plain.h"

#include <stdlib.h>
#include <string.h>

/* Letters, digits and ~$-_.+!*'(),;:@&=/ by their code. */
static const apr_uint64_t themselves[2] = {APR_UINT64_C(0x2fffffd200000000),
                                           APR_UINT64_C(0x47fffffe87ffffff)};

static int is_itself(unsigned char c)
{
    return c < 128 && (themselves[c >> 6] >> (c & 63) & 1) != 0;
}

apr_size_t lbs_plain_span(const char *path)
{
    const char *p = path;

    while (is_itself((unsigned char)*p)) {
        p++;
    }
    return (apr_size_t)(p - path);
}

/* Behind the port at p; NULL when canonicalising would change it. */
static const char *skip_port(const char *p, long usual)
{
    char *end;
    long port;

    if (*p != ':') {
        return p;
    }
    if (p[1] < '1' || p[1] > '9') {
        return NULL;
    }
    port = strtol(p + 1, &end, 10);
    return port <= 65535 && port != usual ? end : NULL;
}

apr_size_t lbs_plain_url(const char *url)
{
    int tls = strncmp(url, "https://", 8) == 0;
    const char *host = url + (tls ? 8 : 7);
    const char *p;

    if (!tls && strncmp(url, "http://", 7) != 0) {
        return 0;
    }
    p = host + strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-.");
    if (p == host || (p = skip_port(p, tls ? 443 : 80)) == NULL
        || (*p != '/' && *p != '\0')) {
        return 0;
    }
    p += lbs_plain_span(p);
    return *p == '\0' ? (apr_size_t)(p - url) : 0;
}
