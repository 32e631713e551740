/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_reply.c - sending a document, whole or while it is written. */
#include "src/httpd/status/lbs_reply.h"

#include <http_log.h>
#include <http_protocol.h>

#include "src/httpd/proxy/lbs_log.h"
#include "src/view/lbs_escape.h"
#include "src/view/lbs_json.h"

/* No inline styles or scripts, nothing from elsewhere, no frames, forms only
 * to us. data: is not needed, the icon is a file of ours. */
#define POLICY                                                                \
    "default-src 'none'; script-src 'self'; style-src 'self'; "               \
    "img-src 'self'; connect-src 'self'; form-action 'self'; "                \
    "frame-ancestors 'none'; base-uri 'none'"

void lbs_reply_headers(request_rec *r)
{
    /* err_headers_out: also with the refusals. */
    apr_table_t *headers = r->err_headers_out;

    apr_table_setn(headers, "Cache-Control", "no-store");
    apr_table_setn(headers, "Content-Security-Policy", POLICY);
    apr_table_setn(headers, "X-Content-Type-Options", "nosniff");
    apr_table_setn(headers, "X-Frame-Options", "DENY");
    /* Not no-referrer: with that, browsers send forms with "Origin: null". */
    apr_table_setn(headers, "Referrer-Policy", "same-origin");
}

static apr_status_t keep(void *ctx, const char *data, apr_size_t len)
{
    return apr_brigade_write(ctx, NULL, NULL, data, len);
}

lbs_out_t *lbs_reply_open(request_rec *r, lbs_out_escape_t escape)
{
    apr_bucket_brigade *document =
        apr_brigade_create(r->pool, r->connection->bucket_alloc);

    return lbs_out_open(r->pool, escape, keep, document);
}

static int hand_over(request_rec *r, apr_bucket_brigade *document, int status,
                     const char *type)
{
    apr_bucket *end = apr_bucket_eos_create(r->connection->bucket_alloc);

    r->status = status;
    ap_set_content_type(r, type);
    APR_BRIGADE_INSERT_TAIL(document, end);
    /* Whoever went away does not miss the rest. */
    (void)ap_pass_brigade(r->output_filters, document);
    return OK;
}

/* @return 1: the document is whole */
static int close_whole(request_rec *r, lbs_out_t *out)
{
    apr_status_t rv = lbs_out_close(out);

    if (rv == APR_ENOMEM) {
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, rv, r,
            LBSNO(2700) "%s could not be written for lack of memory, and "
                        "its reader got 500 or a document cut off; give "
                        "this machine or container more memory",
            ap_escape_logitem(r->pool, r->uri));
    }
    return rv == APR_SUCCESS;
}

int lbs_reply_send(request_rec *r, lbs_out_t *out, int status,
                   const char *type)
{
    if (!close_whole(r, out)) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return hand_over(r, out->ctx, status, type);
}

#define PART 65536 /* bytes that are sent at once */

typedef struct stream_t {
    request_rec *r;
    apr_bucket_brigade *part;
    apr_size_t held; /* bytes in part */
    int begun;       /* a part was sent */
} stream_t;

static apr_status_t pass_on(stream_t *stream)
{
    apr_status_t rv = ap_pass_brigade(stream->r->output_filters, stream->part);

    apr_brigade_cleanup(stream->part);
    stream->held = 0;
    stream->begun = 1;
    return rv;
}

static apr_status_t hold(void *ctx, const char *data, apr_size_t len)
{
    stream_t *stream = ctx;
    apr_status_t rv = keep(stream->part, data, len);

    stream->held += len;
    return rv == APR_SUCCESS && stream->held >= PART ? pass_on(stream) : rv;
}

lbs_out_t *lbs_reply_stream(request_rec *r, lbs_out_escape_t escape,
                            const char *type)
{
    stream_t *stream = apr_palloc(r->pool, sizeof(*stream));

    stream->r = r;
    stream->part = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    stream->held = 0;
    stream->begun = 0;
    ap_set_content_type(r, type);
    return lbs_out_open(r->pool, escape, hold, stream);
}

int lbs_reply_finish(lbs_out_t *out)
{
    stream_t *stream = out->ctx;
    apr_bucket_alloc_t *alloc = stream->part->bucket_alloc;
    request_rec *r = stream->r;

    if (!close_whole(r, out)) {
        if (!stream->begun) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        /* To httpd's filters this status means: cut off, not ended. */
        APR_BRIGADE_INSERT_TAIL(
            stream->part,
            ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, alloc));
    }
    APR_BRIGADE_INSERT_TAIL(stream->part, apr_bucket_eos_create(alloc));
    /* Whoever went away does not miss the rest. */
    (void)pass_on(stream);
    return OK;
}

int lbs_reply_bytes(request_rec *r, const char *data, apr_size_t len,
                    const char *type)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *document = apr_brigade_create(r->pool, alloc);

    APR_BRIGADE_INSERT_TAIL(document,
                            apr_bucket_immortal_create(data, len, alloc));
    return hand_over(r, document, HTTP_OK, type);
}

int lbs_reply_error(request_rec *r, int status, const char *sentence)
{
    lbs_out_t *out = lbs_reply_open(r, LBS_OUT_PLAIN);
    const char *text = lbs_escape_utf8(r->pool, sentence);

    lbs_json_dump(out, json_pack("{s:s}", "error", text), JSON_COMPACT);
    lbs_out_raw(out, "\n");
    return lbs_reply_send(r, out, status, "application/json");
}
