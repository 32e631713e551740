/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_continue.c - see lbs_wire_continue.h. */
#include "src/httpd/wire/lbs_wire_continue.h"

#include <apr_poll.h>

#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/wire/lbs_backend_int.h"
#include "src/httpd/wire/lbs_wire_ahead.h"

/* RFC 9110, 10.1.1: a client does not wait for a 100 indefinitely. */
#define PATIENCE apr_time_from_sec(1)

/* One byte has come, or an end, or the time is over. @return 1: it is over */
static int is_patience_over(ap_filter_t *f)
{
    const lbs_connection_t *connection = f->ctx;
    apr_bucket_brigade *bb =
        apr_brigade_create(f->c->pool, f->c->bucket_alloc);
    apr_pollfd_t fd = {.desc_type = APR_POLL_SOCKET,
                       .desc.s = connection->socket,
                       .reqevents = APR_POLLIN,
                       .p = f->c->pool};
    apr_time_t left = PATIENCE;
    apr_status_t rv = APR_EAGAIN;
    apr_int32_t n;

    while (left > 0) {
        rv = lbs_wire_ahead_get(f, bb, AP_MODE_SPECULATIVE, APR_NONBLOCK_READ,
                                1);
        if (!(rv == APR_SUCCESS && APR_BRIGADE_EMPTY(bb))
            && !APR_STATUS_IS_EAGAIN(rv)) {
            break;
        }
        left = lbs_backend_current->sent_at + PATIENCE - lbs_clock_now();
        if (left > 0) {
            (void)apr_poll(&fd, 1, &n, left);
        }
    }
    apr_brigade_destroy(bb);
    return left <= 0;
}

static int expects(void)
{
    return lbs_backend_current != NULL && lbs_backend_current->sent
           && !lbs_backend_current->received && !lbs_backend_current->assumed
           && lbs_backend_current->asks->expects(lbs_backend_current->baton);
}

static void say(ap_filter_t *f, apr_bucket_brigade *bb, const char *what,
                apr_size_t n)
{
    APR_BRIGADE_INSERT_TAIL(
        bb, apr_bucket_heap_create(what, n, NULL, f->c->bucket_alloc));
}

/* RFC 9113, 4.1 and 8.1: HEADERS of one field, `:status: 100`, which changes
 * no table of HPACK (RFC 7541, 6.2.2). */
static void say_frame(ap_filter_t *f, apr_bucket_brigade *bb)
{
    apr_uint32_t id = lbs_backend_current->stream;
    const char frame[] = {0,
                          0,
                          5,
                          LBS_FRAME_HEADERS,
                          0x04, /* END_HEADERS */
                          (char)(id >> 24),
                          (char)(id >> 16),
                          (char)(id >> 8),
                          (char)id,
                          0x08, /* literal, not indexed, name :status */
                          3,
                          '1',
                          '0',
                          '0'};

    say(f, bb, frame, sizeof(frame));
}

/* Who expects a 100 sends its body after a while without one, too; mod_proxy
 * would wait for it as long as for an answer. @return 1: it was said */
int lbs_wire_continue_say(ap_filter_t *f, apr_bucket_brigade *bb,
                          ap_input_mode_t mode, apr_read_type_e block)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n";
    lbs_connection_t *connection = f->ctx;

    if (connection->owes_blank && mode == AP_MODE_GETLINE) {
        connection->owes_blank = 0;
        say(f, bb, "\r\n", 2);
        return 1;
    }
    if (block != APR_BLOCK_READ || !expects()) {
        return 0;
    }
    if (lbs_backend_current->framed && mode == AP_MODE_READBYTES) {
        if (lbs_backend_current->stream == 0
            || !lbs_frames_between(&connection->in)
            || lbs_clock_now() - lbs_backend_current->sent_at < PATIENCE) {
            return 0;
        }
        say_frame(f, bb);
    }
    else if (!lbs_backend_current->framed && mode == AP_MODE_GETLINE
             && is_patience_over(f)) {
        say(f, bb, line, sizeof(line) - 1);
        connection->owes_blank = 1;
    }
    else {
        return 0;
    }
    lbs_backend_current->assumed = 1;
    return 1;
}
