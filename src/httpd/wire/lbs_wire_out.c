/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_out.c - see lbs_wire_out.h. */
#include "src/httpd/wire/lbs_wire_out.h"

#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/wire/lbs_backend_int.h"
#include "src/httpd/wire/lbs_wire_frames.h"

/* Where mod_ssl notes on a connection how the handshake went. */
#define HANDSHAKE "SSL_connect_rv"

/* A connection that was in use so recently is taken to be alive. */
#define TRUSTED apr_time_from_sec(1)

/* The first write begins with TLS's handshake. */
static int is_shaken(conn_rec *c)
{
    const char *how = apr_table_get(c->notes, HANDSHAKE);

    return how == NULL || strcmp(how, "err") != 0;
}

static int is_refused(const lbs_connection_t *connection, apr_time_t now)
{
    return !lbs_backend_current->connected && !lbs_backend_current->sent
           && now - connection->used_at > TRUSTED
           && !lbs_backend_current->asks->trusts(lbs_backend_current->baton);
}

/* mod_proxy_http2 sends again by itself, to the same member, what was lost
 * before an answer. That is right where a kept connection had ended, no head
 * of an answer had come, the body can be read from its begin, and the request
 * may be processed twice or was not sent yet; a new one that is lost, or a
 * member that hangs, is for lbs_forward.c to judge. */
static int may_go_again(void)
{
    return !lbs_backend_current->was_new && !lbs_backend_current->broken_off
           && lbs_backend_current->heads == 0
           && (lbs_backend_current->repeatable
               || lbs_backend_current->unprocessed
               || lbs_backend_current->stream == 0)
           && lbs_backend_current->asks->restart(lbs_backend_current->baton);
}

/* What is judged is the connection that the request was sent on, not the one
 * that was opened for a repetition which did not take place. */
static int is_sent_again(const lbs_connection_t *connection)
{
    if (lbs_backend_current->on != 0
        && lbs_backend_current->on != connection->number && !may_go_again()) {
        lbs_backend_current->connected = lbs_backend_current->was_new;
        return 1;
    }
    if (lbs_backend_current->on != connection->number) {
        lbs_backend_current->on = connection->number;
        lbs_backend_current->was_new = !connection->used;
        lbs_backend_current->unprocessed = 0;
        lbs_backend_current->stream = 0;
    }
    return 0;
}

/* A write failed after others had come through. What the member said before
 * it closed may still be there to be read: mod_proxy is told that all is well,
 * and goes on to the answer. With TLS that has to happen beneath TLS, which
 * does not read where it could not write. */
static apr_status_t write_failed(ap_filter_t *f, apr_status_t rv)
{
    lbs_connection_t *connection = f->ctx;

    lbs_backend_current->lost = !APR_STATUS_IS_TIMEUP(rv);
    if (!lbs_backend_current->lost || !connection->through
        || lbs_backend_current->received || lbs_backend_current->framed) {
        return rv;
    }
    connection->deaf = 1;
    f->c->aborted = 0; /* else it would not be read at all */
    lbs_backend_current->asks->on_deaf(lbs_backend_current->baton);
    return APR_SUCCESS;
}

apr_status_t lbs_wire_out_sink(ap_filter_t *f, apr_bucket_brigade *bb)
{
    const lbs_connection_t *connection = f->ctx;
    apr_status_t rv;

    if (connection->deaf) {
        apr_brigade_cleanup(bb);
        return APR_SUCCESS;
    }
    rv = ap_pass_brigade(f->next, bb);
    return rv == APR_SUCCESS || lbs_backend_current == NULL
               ? rv
               : write_failed(f, rv);
}

apr_status_t lbs_wire_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    lbs_connection_t *connection = f->ctx;
    apr_time_t now = lbs_clock_now();
    apr_status_t rv;

    if (connection->deaf) {
        apr_brigade_cleanup(bb);
        return lbs_backend_current != NULL ? APR_SUCCESS : APR_ECONNRESET;
    }
    if (lbs_backend_current == NULL) {
        connection->used_at = now;
        return ap_pass_brigade(f->next, bb);
    }
    lbs_backend_current->seen = 1;
    lbs_backend_current->refused = is_refused(connection, now);
    if (lbs_backend_current->refused
        || (lbs_backend_current->framed && is_sent_again(connection))) {
        apr_brigade_cleanup(bb);
        return APR_ECONNRESET;
    }
    if (lbs_backend_current->framed) {
        lbs_wire_frames_out(connection, bb);
    }
    if (!lbs_backend_current->sent) {
        connection->through = 0;
        lbs_backend_current->sent = 1;
    }
    lbs_backend_current->sent_at = now;
    connection->used_at = now;
    connection->used = 1;
    rv = ap_pass_brigade(f->next, bb);
    if (rv == APR_SUCCESS) {
        connection->through = 1;
        return rv;
    }
    lbs_backend_current->unshaken = !is_shaken(f->c);
    return write_failed(f, rv);
}
