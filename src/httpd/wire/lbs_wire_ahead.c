/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_ahead.c - see lbs_wire_ahead.h. */
#include "src/httpd/wire/lbs_wire_ahead.h"

#include <httpd.h>
#include <string.h>

/* Filters that need not see what a member sends: httpd's own reader, and
 * mod_logio, which counts a client's bytes and logs no others. */
static int is_dispensable(const ap_filter_t *f)
{
    return strcmp(f->frec->name, "core_in") == 0
           || strcmp(f->frec->name, "log_input_output") == 0;
}

void lbs_wire_ahead_take(ap_filter_t *f)
{
    lbs_connection_t *connection = f->ctx;
    const ap_filter_t *beneath;
    apr_bucket_brigade *bb;

    for (beneath = f->next; beneath != NULL; beneath = beneath->next) {
        if (!is_dispensable(beneath)) {
            return;
        }
    }
    bb = apr_brigade_create(f->c->pool, f->c->bucket_alloc);
    if (ap_get_brigade(f->next, bb, AP_MODE_EXHAUSTIVE, APR_NONBLOCK_READ, 0)
            != APR_SUCCESS
        || APR_BRIGADE_EMPTY(bb)) {
        apr_brigade_destroy(bb);
        return;
    }
    if (APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb))) {
        apr_bucket_delete(APR_BRIGADE_LAST(bb));
    }
    connection->ahead = bb;
}

/* The first part of what was read stays where it is, until the next call. */
static void lend(apr_bucket_brigade *bb, const char *data, apr_size_t n)
{
    APR_BRIGADE_INSERT_TAIL(
        bb, apr_bucket_transient_create(data, n, bb->bucket_alloc));
}

static apr_status_t get_line(apr_bucket_brigade *ahead, apr_bucket_brigade *bb,
                             apr_read_type_e block, apr_bucket *e,
                             const char *data, apr_size_t n)
{
    const char *end = memchr(data, '\n', n);
    apr_status_t rv;

    if (end != NULL) {
        apr_size_t length = (apr_size_t)(end - data) + 1;

        lend(bb, data, length);
        e->start += (apr_off_t)length;
        e->length -= length;
        return APR_SUCCESS;
    }
    /* The line goes on in what is still to come. */
    rv = apr_brigade_split_line(bb, ahead, block, HUGE_STRING_LEN);
    return APR_STATUS_IS_EAGAIN(rv) && block == APR_NONBLOCK_READ ? APR_SUCCESS
                                                                  : rv;
}

static apr_status_t get_bytes(apr_bucket_brigade *bb, apr_read_type_e block,
                              apr_bucket *e, apr_size_t n, apr_off_t bytes)
{
    if (n == 0) {
        /* The end. Who does not wait finds it the next time. */
        if (block == APR_BLOCK_READ) {
            apr_bucket_delete(e);
            APR_BRIGADE_INSERT_TAIL(bb,
                                    apr_bucket_eos_create(bb->bucket_alloc));
        }
        return APR_SUCCESS;
    }
    if ((apr_off_t)n > bytes) {
        apr_status_t rv = apr_bucket_split(e, (apr_size_t)bytes);

        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    APR_BUCKET_REMOVE(e);
    APR_BRIGADE_INSERT_TAIL(bb, e);
    return APR_SUCCESS;
}

static apr_status_t get_all(apr_bucket_brigade *ahead, apr_bucket_brigade *bb)
{
    APR_BRIGADE_CONCAT(bb, ahead);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));
    return APR_SUCCESS;
}

static apr_status_t get(apr_bucket_brigade *ahead, apr_bucket_brigade *bb,
                        ap_input_mode_t mode, apr_read_type_e block,
                        apr_off_t bytes)
{
    apr_bucket *e = APR_BRIGADE_FIRST(ahead);
    const char *data;
    apr_size_t n;
    apr_status_t rv;

    while (e != APR_BRIGADE_SENTINEL(ahead) && e->length == 0) {
        apr_bucket_delete(e); /* it was handed out to its end */
        e = APR_BRIGADE_FIRST(ahead);
    }
    if (e == APR_BRIGADE_SENTINEL(ahead)) {
        return APR_EOF;
    }
    if (mode == AP_MODE_EXHAUSTIVE) {
        return get_all(ahead, bb);
    }
    rv = apr_bucket_read(e, &data, &n, block);
    if (rv != APR_SUCCESS) {
        return APR_STATUS_IS_EAGAIN(rv) && block == APR_NONBLOCK_READ
                   ? APR_SUCCESS
                   : rv;
    }
    switch (mode) {
    case AP_MODE_GETLINE:
        return get_line(ahead, bb, block, e, data, n);
    case AP_MODE_SPECULATIVE:
        if (n > 0) {
            lend(bb, data, (apr_off_t)n > bytes ? (apr_size_t)bytes : n);
        }
        return APR_SUCCESS;
    case AP_MODE_READBYTES:
        return get_bytes(bb, block, e, n, bytes);
    default: /* AP_MODE_EATCRLF, AP_MODE_INIT: for a client's connection */
        return APR_SUCCESS;
    }
}

apr_status_t lbs_wire_ahead_get(ap_filter_t *f, apr_bucket_brigade *bb,
                                ap_input_mode_t mode, apr_read_type_e block,
                                apr_off_t bytes)
{
    const lbs_connection_t *connection = f->ctx;

    return connection->ahead != NULL
               ? get(connection->ahead, bb, mode, block, bytes)
               : ap_get_brigade(f->next, bb, mode, block, bytes);
}
