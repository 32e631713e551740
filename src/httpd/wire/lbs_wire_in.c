/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_in.c - see lbs_wire_in.h. */
#include "src/httpd/wire/lbs_wire_in.h"

#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/wire/lbs_wire_ahead.h"
#include "src/httpd/wire/lbs_backend_int.h"
#include "src/httpd/wire/lbs_wire_continue.h"
#include "src/httpd/wire/lbs_wire_frames.h"

/* How often a request that waits for an answer looks whether the member was
 * taken out meanwhile. */
#define SLICE apr_time_from_msec(100)

static void (*head_is_read)(void *baton);

void lbs_wire_in_on_head(void (*on_head)(void *baton))
{
    head_is_read = on_head;
}

/* Wait for the first byte in slices, until the whole time is over or the
 * member turns out to hang. As a rule the first slice is enough, and no clock
 * is read. */
static apr_status_t wait_in_slices(ap_filter_t *f, apr_bucket_brigade *bb,
                                   ap_input_mode_t mode, apr_off_t bytes)
{
    lbs_connection_t *connection = f->ctx;
    apr_interval_time_t whole, left, slice;
    apr_time_t began = 0;
    apr_status_t rv = apr_socket_timeout_get(connection->socket, &whole);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    left = whole;
    do {
        slice = left >= 0 && left < SLICE ? left : SLICE;
        (void)apr_socket_timeout_set(connection->socket, slice);
        rv = lbs_wire_ahead_get(f, bb, mode, APR_BLOCK_READ, bytes);
        if (!APR_STATUS_IS_TIMEUP(rv)) {
            break;
        }
        if (lbs_backend_current->asks->is_out(lbs_backend_current->baton)) {
            lbs_backend_current->broken_off = 1;
            break;
        }
        if (whole >= 0) {
            apr_time_t now = lbs_clock_now();

            began = began != 0 ? began : now - slice;
            left = whole - (now - began);
        }
    } while (whole < 0 || left > 0);
    (void)apr_socket_timeout_set(connection->socket, whole);
    return rv;
}

/* Ask the connection for more, as httpd would. */
static apr_status_t read_on(ap_filter_t *f, lbs_backend_t *attempt,
                            apr_bucket_brigade *bb, ap_input_mode_t mode,
                            apr_read_type_e block, apr_off_t bytes)
{
    apr_status_t rv;

    if (attempt == NULL || block != APR_BLOCK_READ
        || (mode != AP_MODE_GETLINE && mode != AP_MODE_READBYTES)) {
        return lbs_wire_ahead_get(f, bb, mode, block, bytes);
    }
    rv = attempt->repeatable && !attempt->received
             ? wait_in_slices(f, bb, mode, bytes)
             : lbs_wire_ahead_get(f, bb, mode, block, bytes);
    attempt->quiet = APR_STATUS_IS_TIMEUP(rv);
    return rv;
}

apr_status_t lbs_wire_in_wait(ap_filter_t *f, apr_bucket_brigade *bb,
                              ap_input_mode_t mode, apr_read_type_e block,
                              apr_off_t bytes)
{
    return read_on(f, lbs_backend_current, bb, mode, block, bytes);
}

/* A field that is folded over several lines is one line to httpd. */
static void count_line(lbs_backend_t *attempt, char first, char last,
                       apr_size_t length)
{
    if (!attempt->in_line) {
        if (last == '\n' && (length == 1 || (length == 2 && first == '\r'))) {
            attempt->line = 0;
            attempt->headed = 1;
            head_is_read(attempt->baton);
            return;
        }
        if (first != ' ' && first != '\t') {
            attempt->line = 0;
        }
    }
    attempt->line += length;
    attempt->in_line = last != '\n';
    attempt->over_limit |= attempt->line + 2 > attempt->most;
}

/* A line in several buckets, which would make the usual case longer. */
static __attribute__((noinline)) void look_at_parts(lbs_backend_t *attempt,
                                                    apr_bucket_brigade *bb)
{
    apr_bucket *e;
    apr_size_t length = 0;
    char first = 0, last = 0;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e)) {
        const char *more;
        apr_size_t some;

        if (!APR_BUCKET_IS_METADATA(e)
            && apr_bucket_read(e, &more, &some, APR_BLOCK_READ) == APR_SUCCESS
            && some > 0) {
            first = length == 0 ? more[0] : first;
            last = more[some - 1];
            length += some;
        }
    }
    if (length > 0) {
        count_line(attempt, first, last, length);
    }
}

/* As a rule a line is in one bucket. */
static void look_at_line(lbs_backend_t *attempt, apr_bucket_brigade *bb)
{
    apr_bucket *e = APR_BRIGADE_FIRST(bb);
    const char *data;
    apr_size_t n;

    if (APR_BUCKET_NEXT(e) != APR_BRIGADE_SENTINEL(bb)) {
        look_at_parts(attempt, bb);
    }
    else if (apr_bucket_read(e, &data, &n, APR_BLOCK_READ) == APR_SUCCESS
             && n > 0) {
        count_line(attempt, data[0], data[n - 1], n);
    }
}

static void look_at(lbs_backend_t *attempt, ap_filter_t *f,
                    apr_bucket_brigade *bb, ap_input_mode_t mode)
{
    lbs_connection_t *connection = f->ctx;

    connection->used_at = lbs_clock_now();
    if (attempt == NULL) {
        return;
    }
    if (attempt->framed) {
        lbs_wire_frames_in(connection, bb);
        return;
    }
    if ((attempt->sent || attempt->unwritten) && !attempt->received
        && !APR_BUCKET_IS_EOS(APR_BRIGADE_FIRST(bb))) {
        attempt->received = 1;
        attempt->seen = 1;
        attempt->asks->on_first(attempt->baton, connection->used_at);
    }
    if (attempt->received && mode == AP_MODE_GETLINE) {
        look_at_line(attempt, bb);
    }
}

/* Kept out of the frequent call, which it would make longer. */
static __attribute__((noinline)) apr_status_t read_any(
    ap_filter_t *f, lbs_backend_t *attempt, apr_bucket_brigade *bb,
    ap_input_mode_t mode, apr_read_type_e block, apr_off_t bytes)
{
    const lbs_connection_t *connection = f->ctx;
    apr_status_t rv;

    if (attempt != NULL && (!attempt->received || connection->owes_blank)
        && lbs_wire_continue_say(f, bb, mode, block)) {
        return APR_SUCCESS;
    }
    rv = connection->secured ? lbs_wire_ahead_get(f, bb, mode, block, bytes)
                             : read_on(f, attempt, bb, mode, block, bytes);
    if (rv == APR_SUCCESS && !APR_BRIGADE_EMPTY(bb)
        && mode != AP_MODE_SPECULATIVE) {
        look_at(attempt, f, bb, mode);
    }
    return rv;
}

/* A line of a head, or of chunks, once the answer has begun: the most frequent
 * call by far. Lines of a head come together, so they are not dated. */
static apr_status_t read_line(ap_filter_t *f, lbs_backend_t *attempt,
                              apr_bucket_brigade *bb, apr_read_type_e block)
{
    const lbs_connection_t *connection = f->ctx;
    apr_status_t rv = lbs_wire_ahead_get(f, bb, AP_MODE_GETLINE, block, 0);

    if (!connection->secured && block == APR_BLOCK_READ) {
        attempt->quiet = APR_STATUS_IS_TIMEUP(rv);
    }
    if (rv == APR_SUCCESS && !APR_BRIGADE_EMPTY(bb)) {
        look_at_line(attempt, bb);
    }
    return rv;
}

apr_status_t lbs_wire_in(ap_filter_t *f, apr_bucket_brigade *bb,
                         ap_input_mode_t mode, apr_read_type_e block,
                         apr_off_t bytes)
{
    lbs_connection_t *connection = f->ctx;
    lbs_backend_t *attempt = lbs_backend_current;

    if (connection->whole) {
        connection->whole = 0;
        lbs_wire_ahead_take(f);
    }
    if (attempt != NULL && attempt->received && !connection->owes_blank) {
        if (mode == AP_MODE_SPECULATIVE) {
            return lbs_wire_ahead_get(f, bb, mode, block, bytes);
        }
        if (mode == AP_MODE_GETLINE && !attempt->framed) {
            return read_line(f, attempt, bb, block);
        }
    }
    return read_any(f, attempt, bb, mode, block, bytes);
}
