/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_headers.c - see lbs_headers.h. */
#include "src/httpd/request/lbs_headers.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <string.h>

#include "src/affinity/lbs_cookie.h"
#include "src/httpd/decide/lbs_client.h"

/* Our cookie ------------------------------------------------------------- */

typedef struct strip_t {
    apr_pool_t *pool;
    lbs_slice_t name;
    apr_table_t *headers; /* where what is left of a field goes */
} strip_t;

static int strip_field(void *baton, const char *key, const char *field)
{
    strip_t *strip = baton;
    int found;
    const char *rest =
        lbs_cookie_strip(strip->pool, field, strip->name, &found);

    if (rest != NULL) {
        apr_table_addn(strip->headers, key, rest);
    }
    return 1;
}

/* r->headers_in is a copy of the client's by now. */
static void strip_cookie(request_rec *r, const apr_table_t *client,
                         lbs_slice_t name)
{
    strip_t strip = {r->pool, name, r->headers_in};

    apr_table_unset(r->headers_in, "Cookie");
    apr_table_do(strip_field, &strip, client, "Cookie", NULL);
}

/* X-Forwarded-*
 * ---------------------------------------------------------------- */

void lbs_headers_protect(request_rec *r, apr_table_t *headers,
                         const char *name)
{
    const char *field = apr_table_get(headers, "Connection");
    char *rest, *to;

    if (field == NULL || !ap_find_token(r->pool, field, name)) {
        return;
    }
    /* A token has a separator behind it, and two bytes before it here. */
    rest = to = apr_pcalloc(r->pool, 2 * strlen(field) + 1);
    while (*field != '\0') {
        const char *token = ap_get_token(r->pool, &field, 0);
        apr_size_t n = strlen(token);

        if (n != 0 && ap_cstr_casecmp(token, name) != 0) {
            if (to != rest) {
                *to++ = ',';
                *to++ = ' ';
            }
            memcpy(to, token, n + 1);
            to += n;
        }
        if (*field != '\0') {
            field++;
        }
    }
    if (to != rest) {
        apr_table_setn(headers, "Connection", rest);
    }
    else {
        apr_table_unset(headers, "Connection");
    }
}

static void set_forwarded(request_rec *r, apr_table_t *headers)
{
    if (lbs_client_told(r, LBS_CLIENT_PORT) == NULL) {
        apr_table_setn(headers, LBS_CLIENT_PORT,
                       apr_itoa(r->pool, lbs_client_port(r)));
    }
    if (lbs_client_told(r, LBS_CLIENT_PROTO) == NULL) {
        apr_table_setn(headers, LBS_CLIENT_PROTO,
                       lbs_client_https(r) ? "https" : "http");
    }
    lbs_headers_protect(r, headers, LBS_CLIENT_PROTO);
    lbs_headers_protect(r, headers, LBS_CLIENT_PORT);
}

static void rewrite(request_rec *r, const lbs_request_t *req)
{
    const apr_table_t *client = r->headers_in;

    r->headers_in = apr_table_copy(r->pool, client);
    if (req->pool->set.cookie->strip) {
        strip_cookie(r, client, req->pool->cookie_name);
    }
    if (req->pool->set.forward->proto) {
        set_forwarded(r, r->headers_in);
    }
}

lbs_headers_t lbs_headers_forward(request_rec *r, lbs_request_t *req)
{
    lbs_headers_t saved = {r->headers_in, r->per_dir_config};

    rewrite(r, req);
    req->conf = r->per_dir_config;
    req->host_kept = lbs_worker_prepare(r, req->pool->set.forward->host);
    return saved;
}

void lbs_headers_restore(request_rec *r, const lbs_headers_t *saved)
{
    r->headers_in = saved->headers_in;
    r->per_dir_config = saved->per_dir_config;
}

void lbs_headers_here(request_rec *r, lbs_request_t *req)
{
    if (req->local.client_headers == NULL) {
        req->local.client_headers = r->headers_in;
    }
    rewrite(r, req);
}

void lbs_headers_back(request_rec *r, const lbs_request_t *req)
{
    r->headers_in = req->local.client_headers;
}
