/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_body.c - see lbs_body.h. */
#include "src/httpd/request/lbs_body.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "src/httpd/shared/lbs_clock.h"

#define UNKNOWN APR_UINT64_MAX

/* Bytes that mod_proxy reads of a body before it sends anything. */
#define AHEAD 16384

/* Where handlers keep what they have read of a body and not yet sent. */
static const char *const prefetched[] = {"proxy-req-input",
                                         "proxy-fcgi-input"};
#define PREFETCHED (sizeof(prefetched) / sizeof(prefetched[0]))

struct lbs_body_t {
    request_rec *r;
    apr_bucket_brigade *kept;   /* copies of all that was read */
    apr_bucket_brigade *replay; /* what is still to be read again */
    apr_uint64_t limit;
    apr_uint64_t bytes;     /* read of the client */
    apr_uint64_t announced; /* its length; UNKNOWN */
    apr_status_t failed;    /* how reading it failed */
    apr_time_t silent_at;   /* monotonic; since when there is nothing to read;
                               0: something was there */
    int reading;
    int ended;
    int given_up;                 /* it is longer than what is kept */
    int filling;                  /* it is not read any more */
    lbs_body_rest_t rest;         /* and that is given instead */
    apr_uint64_t to_fill;         /* of what was announced; 0: unknown, too */
    int read;                     /* its end was handed on */
    void (*is_read)(void *baton); /* NULL: nobody is told */
    void *baton;
    void (*on_part)(void *baton); /* NULL: nobody is asked */
    void *part_baton;
    ap_filter_t *filter;
};

static ap_filter_rec_t *body_filter;

/* Keeping ---------------------------------------------------------------- */

static apr_uint64_t most_kept(const lbs_body_t *body)
{
    return body->limit > AHEAD ? body->limit : AHEAD;
}

static void give_up(lbs_body_t *body)
{
    body->given_up = 1;
    apr_brigade_cleanup(body->kept);
}

static void fail(lbs_body_t *body, apr_status_t rv)
{
    if (body->failed == APR_SUCCESS) {
        body->failed = rv;
    }
    give_up(body);
}

static void keep_data(lbs_body_t *body, apr_bucket *e)
{
    const char *data;
    apr_size_t length;
    apr_status_t rv = apr_bucket_read(e, &data, &length, APR_BLOCK_READ);

    if (rv != APR_SUCCESS) {
        fail(body, rv);
        return;
    }
    body->bytes += length;
    if (body->given_up || body->bytes > most_kept(body)
        || apr_brigade_write(body->kept, NULL, NULL, data, length)
               != APR_SUCCESS) {
        give_up(body);
    }
}

static void keep(lbs_body_t *body, const apr_bucket_brigade *bb)
{
    apr_bucket *e;

    for (e = APR_BRIGADE_FIRST(bb);
         e != APR_BRIGADE_SENTINEL(bb) && body->failed == APR_SUCCESS;
         e = APR_BUCKET_NEXT(e)) {
        if (!APR_BUCKET_IS_METADATA(e)) {
            keep_data(body, e);
        }
        else if (AP_BUCKET_IS_ERROR(e)) {
            fail(body, APR_EGENERAL);
        }
        else if (APR_BUCKET_IS_EOS(e)) {
            body->ended = 1;
        }
    }
}

/* Reading ---------------------------------------------------------------- */

static void put_eos(apr_bucket_brigade *bb)
{
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));
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
    if (body->ended && APR_BRIGADE_EMPTY(body->replay)) {
        put_eos(bb);
    }
    return APR_SUCCESS;
}

static void read_to_end(lbs_body_t *body)
{
    if (!body->read) {
        body->read = 1;
        if (body->is_read != NULL) {
            body->is_read(body->baton);
        }
    }
}

/* The end, if it comes, comes last. */
static void look_for_end(lbs_body_t *body, const apr_bucket_brigade *bb)
{
    if (!APR_BRIGADE_EMPTY(bb) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb))) {
        read_to_end(body);
    }
}

/* Bytes that mod_proxy waits for before it looks at the answer; they are sent
 * nowhere. */
static apr_status_t read_filling(lbs_body_t *body, apr_bucket_brigade *bb,
                                 apr_off_t bytes)
{
    static const char nothing[AP_IOBUFSIZE];
    apr_uint64_t some = sizeof(nothing);

    if (body->rest == LBS_BODY_NOTHING) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(bb->bucket_alloc));
        return APR_SUCCESS;
    }
    some = some > (apr_uint64_t)bytes ? (apr_uint64_t)bytes : some;
    some = some > body->to_fill ? body->to_fill : some;
    body->to_fill -= some;
    if (some > 0) {
        APR_BRIGADE_INSERT_TAIL(
            bb, apr_bucket_immortal_create(nothing, (apr_size_t)some,
                                           bb->bucket_alloc));
    }
    if (body->to_fill == 0) {
        put_eos(bb);
    }
    return APR_SUCCESS;
}

/* mod_proxy streams a body of known length only while the protocol's filter is
 * the first; this filter changes nothing of the body. Content filters may come
 * to the same conclusion of themselves and go. */
static void join_protocol(ap_filter_t *f)
{
    request_rec *r = f->r;

    if (r->input_filters == f && f->next == r->proto_input_filters) {
        r->proto_input_filters = f;
    }
}

/* mod_proxy_http2 asks again and again, without an end, whether there is more
 * to read. A read that waits would have ended. */
static apr_status_t wait_no_longer(lbs_body_t *body, apr_status_t rv)
{
    apr_time_t now = lbs_clock_now();

    if (body->silent_at == 0) {
        body->silent_at = now;
    }
    if (now - body->silent_at < body->r->server->timeout) {
        return rv;
    }
    fail(body, APR_TIMEUP);
    return APR_TIMEUP;
}

static apr_status_t read_client(ap_filter_t *f, apr_bucket_brigade *bb,
                                ap_input_mode_t mode, apr_read_type_e block,
                                apr_off_t bytes)
{
    lbs_body_t *body = f->ctx;
    apr_status_t rv;

    body->reading = 1;
    rv = ap_get_brigade(f->next, bb, mode, block, bytes);
    body->reading = 0;
    join_protocol(f);
    if (block == APR_NONBLOCK_READ && mode == AP_MODE_READBYTES
        && (APR_STATUS_IS_EAGAIN(rv)
            || (rv == APR_SUCCESS && APR_BRIGADE_EMPTY(bb)))) {
        return wait_no_longer(body, rv);
    }
    body->silent_at = 0;
    if (rv == APR_SUCCESS && mode == AP_MODE_READBYTES) {
        keep(body, bb);
    }
    else if (rv == APR_SUCCESS && mode != AP_MODE_SPECULATIVE
             && mode != AP_MODE_INIT) {
        give_up(body);
    }
    else if (rv != APR_SUCCESS
             && (block == APR_BLOCK_READ || !APR_STATUS_IS_EAGAIN(rv))) {
        fail(body, rv);
    }
    return rv;
}

static apr_status_t read_any(ap_filter_t *f, apr_bucket_brigade *bb,
                             ap_input_mode_t mode, apr_read_type_e block,
                             apr_off_t bytes)
{
    lbs_body_t *body = f->ctx;

    if (mode == AP_MODE_READBYTES && body->filling) {
        return read_filling(body, bb, bytes);
    }
    if (!APR_BRIGADE_EMPTY(body->replay)) {
        return read_again(body, bb, bytes);
    }
    if (body->ended) {
        /* The protocol's filters say it as often as they are asked, others
         * once. */
        put_eos(bb);
        return APR_SUCCESS;
    }
    return read_client(f, bb, mode, block, bytes);
}

/* The member is looked at last, so that hardly anything can happen between
 * that and the handler's write. */
static apr_status_t look_at_member(lbs_body_t *body, apr_bucket_brigade *bb,
                                   apr_off_t bytes)
{
    if (body->on_part == NULL || APR_BRIGADE_EMPTY(bb)) {
        return APR_SUCCESS;
    }
    body->on_part(body->part_baton);
    if (!body->filling) {
        return APR_SUCCESS;
    }
    apr_brigade_cleanup(bb);
    return read_filling(body, bb, bytes);
}

static apr_status_t body_in(ap_filter_t *f, apr_bucket_brigade *bb,
                            ap_input_mode_t mode, apr_read_type_e block,
                            apr_off_t bytes)
{
    lbs_body_t *body = f->ctx;
    apr_status_t rv;

    /* The trailers of a body in chunks are read from above, too. */
    if (body->reading) {
        return ap_get_brigade(f->next, bb, mode, block, bytes);
    }
    if (body->failed != APR_SUCCESS) {
        return body->failed;
    }
    rv = read_any(f, bb, mode, block, bytes);
    if (rv == APR_SUCCESS && body->failed == APR_SUCCESS && !body->filling
        && mode == AP_MODE_READBYTES) {
        rv = look_at_member(body, bb, bytes);
    }
    if (body->failed != APR_SUCCESS) {
        apr_brigade_cleanup(bb);
        return body->failed;
    }
    if (rv == APR_SUCCESS) {
        look_for_end(body, bb);
    }
    return rv;
}

/* A request's life --------------------------------------------------------
 */

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
    lbs_body_t *body;

    if (!ap_request_has_body(r)) {
        return NULL;
    }
    body = apr_pcalloc(r->pool, sizeof(*body));
    body->r = r;
    body->kept = apr_brigade_create(r->pool, alloc);
    body->replay = apr_brigade_create(r->pool, alloc);
    body->limit = limit;
    body->announced = length_of(r);
    body->filter =
        ap_add_input_filter_handle(body_filter, body, r, r->connection);
    join_protocol(body->filter);
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

int lbs_body_is_measured(const lbs_body_t *body)
{
    return body != NULL && body->ended && body->failed == APR_SUCCESS;
}

int lbs_body_is_reading(const lbs_body_t *body)
{
    return body != NULL && body->reading;
}

void lbs_body_refuse(lbs_body_t *body)
{
    fail(body, AP_FILTER_ERROR);
}

int lbs_body_has_failed(const lbs_body_t *body, int *status)
{
    if (body == NULL || body->failed == APR_SUCCESS) {
        return 0;
    }
    *status = ap_map_http_request_error(body->failed, HTTP_BAD_REQUEST);
    return 1;
}

void lbs_body_on_part(lbs_body_t *body, void (*on_part)(void *baton),
                      void *baton)
{
    if (body != NULL) {
        body->on_part = on_part;
        body->part_baton = baton;
    }
}

void lbs_body_fill(lbs_body_t *body, lbs_body_rest_t rest)
{
    apr_off_t left = 0;

    if (body == NULL || body->filling) {
        return;
    }
    body->filling = 1;
    body->rest = rest;
    body->to_fill = 0;
    if (rest != LBS_BODY_LENGTH) {
        read_to_end(body);
        return;
    }
    if (body->announced != UNKNOWN && body->announced > body->bytes) {
        body->to_fill = body->announced - body->bytes;
    }
    if (apr_brigade_length(body->replay, 1, &left) == APR_SUCCESS) {
        body->to_fill += (apr_uint64_t)left;
    }
}

/* Reading it again -------------------------------------------------------- */

static apr_bucket_brigade *find_prefetched(request_rec *r, unsigned i)
{
    void *found = NULL;

    (void)apr_pool_userdata_get(&found, prefetched[i], r->pool);
    return found;
}

/* Are all bytes that were read either in a handler's hands or in ours? */
static int is_at_hand(request_rec *r, const lbs_body_t *body)
{
    apr_off_t some = 0;
    apr_uint64_t found = 0;
    unsigned i;

    for (i = 0; i < PREFETCHED; i++) {
        apr_bucket_brigade *bb = find_prefetched(r, i);

        if (bb != NULL
            && (apr_brigade_length(bb, 0, &some) != APR_SUCCESS || some < 0)) {
            return 0;
        }
        found += bb != NULL ? (apr_uint64_t)some : 0;
    }
    if (apr_brigade_length(body->replay, 0, &some) != APR_SUCCESS
        || some < 0) {
        return 0;
    }
    return found + (apr_uint64_t)some == body->bytes;
}

int lbs_body_can_rewind(request_rec *r, const lbs_body_t *body, int sent)
{
    return body == NULL
           || (body->failed == APR_SUCCESS
               && (!body->given_up || (!sent && is_at_hand(r, body))));
}

static void copy_kept(lbs_body_t *body)
{
    apr_bucket *e;

    apr_brigade_cleanup(body->replay);
    for (e = APR_BRIGADE_FIRST(body->kept);
         e != APR_BRIGADE_SENTINEL(body->kept); e = APR_BUCKET_NEXT(e)) {
        apr_bucket *copy;

        apr_status_t rv = apr_bucket_copy(e, &copy);

        if (rv != APR_SUCCESS) {
            fail(body, rv);
            return;
        }
        APR_BRIGADE_INSERT_TAIL(body->replay, copy);
    }
}

/* What a handler has read and not sent goes before what it has not read. */
static void take_back(request_rec *r, lbs_body_t *body)
{
    unsigned i;

    for (i = 0; i < PREFETCHED; i++) {
        apr_bucket_brigade *bb = find_prefetched(r, i);
        apr_bucket *e, *next;

        if (bb == NULL) {
            continue;
        }
        for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb);
             e = next) {
            next = APR_BUCKET_NEXT(e);
            if (APR_BUCKET_IS_METADATA(e)) {
                apr_bucket_delete(e);
            }
        }
        APR_BRIGADE_PREPEND(body->replay, bb);
    }
}

int lbs_body_rewind(request_rec *r, lbs_body_t *body, int sent)
{
    unsigned i;

    if (!lbs_body_can_rewind(r, body, sent)) {
        return 0;
    }
    if (body != NULL) {
        r->read_length = 0; /* else ap_should_client_block() finds it read */
        if (body->given_up) {
            take_back(r, body);
        }
        else {
            copy_kept(body); /* the next reader sees a failure */
        }
        body->filling = 0;
        body->read = 0;
    }
    for (i = 0; i < PREFETCHED; i++) {
        (void)apr_pool_userdata_setn(NULL, prefetched[i], NULL, r->pool);
    }
    return 1;
}

void lbs_body_register(void)
{
    /* Before all content filters, whatever they are. */
    body_filter = ap_register_input_filter(
        "LBS_BODY", body_in, NULL, (ap_filter_type)(AP_FTYPE_RESOURCE - 1));
}
