/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_body.c - see lbs_body.h. */
#include "src/httpd/request/lbs_body.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <util_filter.h>

#define UNKNOWN APR_UINT64_MAX

/* Bytes that mod_proxy reads of a body before it sends anything. */
#define AHEAD 16384

/* Where mod_proxy keeps what it has read of a body and not yet sent. */
#define PREFETCHED "proxy-req-input"

struct lbs_body_t {
    apr_bucket_brigade *kept;   /* copies of all that was read */
    apr_bucket_brigade *replay; /* what is still to be read again */
    apr_uint64_t limit;
    apr_uint64_t bytes;
    apr_uint64_t announced; /* its length; UNKNOWN */
    int ended;
    int given_up;                 /* it is longer than what is kept */
    int read;                     /* its end was handed on */
    void (*is_read)(void *baton); /* NULL: nobody wants to know */
    void *baton;
    ap_filter_t *filter;
};

static ap_filter_rec_t *body_filter;

static apr_uint64_t most_kept(const lbs_body_t *body)
{
    return body->limit > AHEAD ? body->limit : AHEAD;
}

static void keep_data(lbs_body_t *body, apr_bucket *e)
{
    const char *data;
    apr_size_t length;

    if (apr_bucket_read(e, &data, &length, APR_BLOCK_READ) != APR_SUCCESS) {
        body->given_up = 1;
        return;
    }
    body->bytes += length;
    if (!body->given_up && body->bytes <= most_kept(body)
        && apr_brigade_write(body->kept, NULL, NULL, data, length)
               == APR_SUCCESS) {
        return;
    }
    body->given_up = 1;
    apr_brigade_cleanup(body->kept);
}

static void keep(lbs_body_t *body, const apr_bucket_brigade *bb)
{
    apr_bucket *e;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e)) {
        if (!APR_BUCKET_IS_METADATA(e)) {
            keep_data(body, e);
        }
        else if (APR_BUCKET_IS_EOS(e) && !body->given_up) {
            body->ended = 1;
            APR_BRIGADE_INSERT_TAIL(
                body->kept, apr_bucket_eos_create(body->kept->bucket_alloc));
        }
    }
}

static apr_status_t read_again(lbs_body_t *body, apr_bucket_brigade *bb,
                               apr_off_t bytes)
{
    apr_bucket *after;
    apr_status_t rv = apr_brigade_partition(body->replay, bytes, &after);

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE) {
        return rv;
    }
    while (APR_BRIGADE_FIRST(body->replay) != after
           && !APR_BRIGADE_EMPTY(body->replay)) {
        apr_bucket *e = APR_BRIGADE_FIRST(body->replay);

        APR_BUCKET_REMOVE(e);
        APR_BRIGADE_INSERT_TAIL(bb, e);
    }
    /* The end belongs to the last bytes. */
    if (!APR_BRIGADE_EMPTY(body->replay)
        && APR_BUCKET_IS_EOS(APR_BRIGADE_FIRST(body->replay))) {
        APR_BRIGADE_CONCAT(bb, body->replay);
    }
    return APR_SUCCESS;
}

/* The end, if it comes, comes last. */
static void look_for_end(lbs_body_t *body, const apr_bucket_brigade *bb)
{
    if (!body->read && !APR_BRIGADE_EMPTY(bb)
        && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb))) {
        body->read = 1;
        if (body->is_read != NULL) {
            body->is_read(body->baton);
        }
    }
}

static apr_status_t body_in(ap_filter_t *f, apr_bucket_brigade *bb,
                            ap_input_mode_t mode, apr_read_type_e block,
                            apr_off_t bytes)
{
    lbs_body_t *body = f->ctx;
    apr_status_t rv;

    if (!APR_BRIGADE_EMPTY(body->replay)) {
        rv = read_again(body, bb, bytes);
        look_for_end(body, bb);
        return rv;
    }
    rv = ap_get_brigade(f->next, bb, mode, block, bytes);
    if (rv == APR_SUCCESS && mode == AP_MODE_READBYTES) {
        keep(body, bb);
        look_for_end(body, bb);
    }
    return rv;
}

static apr_uint64_t length_of(const request_rec *r)
{
    const char *text = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t length;
    char *end;

    if (text == NULL || apr_table_get(r->headers_in, "Transfer-Encoding")
        || apr_strtoff(&length, text, &end, 10) != APR_SUCCESS || *end != '\0'
        || length < 0) {
        return UNKNOWN;
    }
    return (apr_uint64_t)length;
}

lbs_body_t *lbs_body_attach(request_rec *r, apr_uint64_t limit)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    int plain = r->input_filters == r->proto_input_filters;
    lbs_body_t *body;

    if (!ap_request_has_body(r)) {
        return NULL;
    }
    body = apr_pcalloc(r->pool, sizeof(*body));
    body->kept = apr_brigade_create(r->pool, alloc);
    body->replay = apr_brigade_create(r->pool, alloc);
    body->limit = limit;
    body->announced = length_of(r);
    body->filter =
        ap_add_input_filter_handle(body_filter, body, r, r->connection);
    /* What the protocol's filters have read to its end they say once. So this
     * one has to be in front of them; and mod_proxy streams a body of known
     * length only while nobody but the protocol filters it. */
    if (plain) {
        r->proto_input_filters = r->input_filters;
    }
    return body;
}

void lbs_body_detach(lbs_body_t *body)
{
    if (body != NULL) {
        ap_remove_input_filter(body->filter);
    }
}

int lbs_body_is_whole(const lbs_body_t *body)
{
    return body == NULL || (!body->given_up && body->bytes <= body->limit);
}

int lbs_body_stays_whole(const lbs_body_t *body)
{
    return lbs_body_is_whole(body)
           && (body == NULL || body->ended || body->announced <= body->limit);
}

int lbs_body_is_kept(const lbs_body_t *body)
{
    return body == NULL || !body->given_up;
}

int lbs_body_is_read(const lbs_body_t *body)
{
    return body == NULL || body->read;
}

void lbs_body_on_read(lbs_body_t *body, void (*is_read)(void *baton),
                      void *baton)
{
    if (body != NULL) {
        body->is_read = is_read;
        body->baton = baton;
    }
}

apr_uint64_t lbs_body_bytes(const lbs_body_t *body)
{
    return body == NULL ? 0 : body->bytes;
}

void lbs_body_rewind(request_rec *r, lbs_body_t *body)
{
    apr_bucket *e;

    (void)apr_pool_userdata_setn(NULL, PREFETCHED, NULL, r->pool);
    if (body == NULL) {
        return;
    }
    body->read = 0;
    r->read_length = 0; /* else ap_should_client_block() finds it read */
    apr_brigade_cleanup(body->replay);
    for (e = APR_BRIGADE_FIRST(body->kept);
         e != APR_BRIGADE_SENTINEL(body->kept); e = APR_BUCKET_NEXT(e)) {
        apr_bucket *copy;

        if (apr_bucket_copy(e, &copy) == APR_SUCCESS) {
            APR_BRIGADE_INSERT_TAIL(body->replay, copy);
        }
    }
}

void lbs_body_register(void)
{
    body_filter = ap_register_input_filter(
        "LBS_BODY", body_in, NULL, (ap_filter_type)(AP_FTYPE_PROTOCOL - 1));
}
