/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_cookie_out.c - see lbs_cookie_out.h. */
#include "src/httpd/request/lbs_cookie_out.h"

#include <apr_strings.h>

#include "src/affinity/lbs_setcookie.h"
#include "src/httpd/decide/lbs_client.h"
#include "src/httpd/decide/lbs_extract.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/shared/lbs_thread_rand.h"

static int is_due(const lbs_request_t *req, apr_time_t now)
{
    const lbs_set_timeout_t *timeout = req->pool->set.timeout;
    apr_int64_t age;

    if (!req->visit.has_token
        || req->visit.token.member
               != req->pool->member[req->choice.member]->token_id) {
        return 1;
    }
    age = (apr_int64_t)lbs_runtime_token_at(now) - req->visit.token.issued;
    return age > apr_time_sec(timeout->idle / 2);
}

/* One field instead of several: what each of them said counts, and what
 * "Header always" added as well. */
static void forbid_shared_caching(request_rec *r)
{
    static const char field[] = "Cache-Control";
    const char *said, *always;

    if (apr_table_get(r->headers_out, field) == NULL
        && apr_table_get(r->err_headers_out, field) == NULL) {
        apr_table_addn(r->headers_out, field, "private");
        return;
    }
    said = apr_table_getm(r->pool, r->headers_out, field);
    always = apr_table_getm(r->pool, r->err_headers_out, field);
    if (said != NULL && always != NULL) {
        said = apr_pstrcat(r->pool, always, ", ", said, NULL);
    }
    apr_table_unset(r->err_headers_out, field);
    apr_table_setn(
        r->headers_out, field,
        lbs_setcookie_private(r->pool, said != NULL ? said : always));
}

static const char *line_of(request_rec *r, const lbs_pool_t *pool,
                           const char *value)
{
    int secure = lbs_cookie_conf_is_secure(
        pool->set.cookie,
        lbs_client_https(r, lbs_client_told(r, LBS_CLIENT_PROTO)));

    return lbs_setcookie_line(r->pool, &pool->cookie[secure != 0], value);
}

/* Write the line that the answer to the client will carry. */
static void issue(request_rec *r, lbs_request_t *req)
{
    char text[LBS_TOKEN_LEN + 1];

    lbs_token_sign(text, &req->visit.token, lbs_runtime()->secret,
                   req->pool->token_pool);
    req->cookie_line = line_of(r, req->pool, text);
}

/* Of two attributes of a name the last one counts. */
void lbs_cookie_out_end(request_rec *r, lbs_request_t *req)
{
    req->visit.has_token = 0;
    if (r->main == NULL) {
        req->cookie_line = apr_pstrcat(r->pool, line_of(r, req->pool, ""),
                                       "; Max-Age=0", NULL);
    }
}

/* A token for the member that answered, with the visitor's session id. */
static void renew_token(lbs_request_t *req, int index, apr_uint32_t now)
{
    lbs_key_t *key = &req->visit.key[index];

    if (!req->visit.has_token) {
        req->visit.token.sid = lbs_rand_next(lbs_thread_rand());
        req->visit.token.created = now;
    }
    req->visit.has_token = 1;
    req->visit.token.issued = now;
    req->visit.token.member = req->pool->member[req->choice.member]->token_id;
    key->present = 1;
    key->hash = lbs_extract_hash(req->pool, index, &req->visit.token.sid,
                                 sizeof(req->visit.token.sid));
}

void lbs_cookie_out_renew(request_rec *r, lbs_request_t *req, int index,
                          int again, apr_time_t now)
{
    /* A subrequest has no headers of its own to the client. */
    if (r->main != NULL) {
        return;
    }
    if (!req->choice.temporary && (again || is_due(req, now))) {
        renew_token(req, index, lbs_runtime_token_at(now));
        issue(r, req);
    }
    else if (again && req->visit.has_token) {
        issue(r, req); /* as it was shown: the session stays at home */
    }
}

/* The request of this page that has a line for the client: itself, or one
 * whose error document it is. */
static lbs_request_t *find_issued(const request_rec *r)
{
    for (; r != NULL; r = r->prev) {
        lbs_request_t *req = lbs_request_of(r);

        if (req != NULL && req->cookie_line != NULL) {
            return req;
        }
    }
    return NULL;
}

int lbs_cookie_out_pending(const request_rec *r)
{
    return find_issued(r) != NULL;
}

/* Of several lines of the name the last one counts. */
void lbs_cookie_out_write(request_rec *r)
{
    lbs_request_t *req = find_issued(r);

    if (req == NULL) {
        return;
    }
    apr_table_addn(r->headers_out, "Set-Cookie", req->cookie_line);
    if (req->pool->set.cookie->nocache) {
        forbid_shared_caching(r);
    }
    for (; req != NULL; req = find_issued(r)) {
        req->cookie_line = NULL;
    }
}
