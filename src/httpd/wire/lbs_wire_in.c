/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_in.c - see lbs_wire_in.h. */
#include "src/httpd/wire/lbs_wire_in.h"

#include "src/httpd/shared/lbs_clock.h"
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
 * member turns out to hang. */
static apr_status_t wait_in_slices(ap_filter_t *f, apr_bucket_brigade *bb,
                                   ap_input_mode_t mode, apr_off_t bytes)
{
    lbs_connection_t *connection = f->ctx;
    apr_time_t began = lbs_clock_now();
    apr_interval_time_t whole;
    apr_status_t rv = apr_socket_timeout_get(connection->socket, &whole);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (;;) {
        apr_interval_time_t left =
            whole < 0 ? SLICE : whole - (lbs_clock_now() - began);

        if (left <= 0) {
            rv = APR_TIMEUP;
            break;
        }
        (void)apr_socket_timeout_set(connection->socket,
                                     left < SLICE ? left : SLICE);
        rv = ap_get_brigade(f->next, bb, mode, APR_BLOCK_READ, bytes);
        if (!APR_STATUS_IS_TIMEUP(rv)) {
            break;
        }
        if (lbs_backend_current->asks->is_out(lbs_backend_current->baton)) {
            lbs_backend_current->broken_off = 1;
            break;
        }
    }
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
        return ap_get_brigade(f->next, bb, mode, block, bytes);
    }
    rv = attempt->repeatable && !attempt->received
             ? wait_in_slices(f, bb, mode, bytes)
             : ap_get_brigade(f->next, bb, mode, block, bytes);
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
static void count_line(lbs_backend_t *attempt, const char *start,
                       apr_size_t length, int ends)
{
    if (!attempt->in_line && *start != ' ' && *start != '\t') {
        attempt->line = 0;
    }
    attempt->line += length;
    attempt->in_line = !ends;
    attempt->over_limit |= attempt->line + 2 > attempt->most;
}

/* As a rule a line is in one bucket. */
static void look_at_line(lbs_backend_t *attempt, apr_bucket_brigade *bb)
{
    apr_bucket *e = APR_BRIGADE_FIRST(bb);
    const char *start, *data;
    apr_size_t length, n;

    if (apr_bucket_read(e, &start, &length, APR_BLOCK_READ) != APR_SUCCESS
        || length == 0) {
        return;
    }
    data = start;
    n = length;
    for (e = APR_BUCKET_NEXT(e); e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e)) {
        const char *more;
        apr_size_t some;

        if (!APR_BUCKET_IS_METADATA(e)
            && apr_bucket_read(e, &more, &some, APR_BLOCK_READ) == APR_SUCCESS
            && some > 0) {
            data = more;
            n = some;
            length += some;
        }
    }
    if (!attempt->in_line && length <= 2 && data[n - 1] == '\n'
        && (length == 1 || *start == '\r')) {
        attempt->line = 0;
        attempt->headed = 1;
        head_is_read(attempt->baton);
        return;
    }
    count_line(attempt, start, length, data[n - 1] == '\n');
}

static void look_at(lbs_backend_t *attempt, ap_filter_t *f,
                    apr_bucket_brigade *bb, ap_input_mode_t mode)
{
    lbs_connection_t *connection = f->ctx;

    /* The lines of a head come together, so its first one tells the time. */
    if (attempt == NULL || !attempt->received || mode != AP_MODE_GETLINE) {
        connection->used_at = lbs_clock_now();
    }
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
        attempt->asks->on_first(attempt->baton);
    }
    if (attempt->received && mode == AP_MODE_GETLINE) {
        look_at_line(attempt, bb);
    }
}

apr_status_t lbs_wire_in(ap_filter_t *f, apr_bucket_brigade *bb,
                         ap_input_mode_t mode, apr_read_type_e block,
                         apr_off_t bytes)
{
    const lbs_connection_t *connection = f->ctx;
    lbs_backend_t *attempt = lbs_backend_current;
    apr_status_t rv;

    if (attempt != NULL && (!attempt->received || connection->owes_blank)
        && lbs_wire_continue_say(f, bb, mode, block)) {
        return APR_SUCCESS;
    }
    rv = connection->secured ? ap_get_brigade(f->next, bb, mode, block, bytes)
                             : read_on(f, attempt, bb, mode, block, bytes);
    if (rv == APR_SUCCESS && !APR_BRIGADE_EMPTY(bb)
        && mode != AP_MODE_SPECULATIVE) {
        look_at(attempt, f, bb, mode);
    }
    return rv;
}
