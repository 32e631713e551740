/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_backend.c - see lbs_backend.h. */
#include "src/httpd/request/lbs_backend.h"

#include <http_connection.h>
#include <util_filter.h>

#include "src/httpd/shared/lbs_runtime.h"

/* Above TLS, where a handshake is not yet the request nor its answer. */
#define SEE_TYPE AP_FTYPE_CONNECTION

/* Beneath TLS, which cannot be interrupted while it reads a record. */
#define WAIT_TYPE ((ap_filter_type)(AP_FTYPE_NETWORK - 2))

/* Where mod_ssl notes on a connection how the handshake went. */
#define HANDSHAKE "SSL_connect_rv"

/* A connection that was in use so recently is taken to be alive. */
#define TRUSTED apr_time_from_sec(1)

/* How often somebody who waits for an answer looks whether the member was
 * taken out meanwhile. */
#define SLICE apr_time_from_msec(100)

/* What is remembered of a connection while it is kept alive. */
typedef struct connection_t {
    apr_socket_t *socket;
    apr_time_t used_at; /* monotonic */
    unsigned number;    /* of all this process has opened, from 1 */
    int used;           /* something was sent on it */
} connection_t;

static ap_filter_rec_t *out_filter;
static ap_filter_rec_t *in_filter;
static ap_filter_rec_t *wait_filter;

static void (*head_is_read)(void *baton);

/* mod_proxy works on a request in one thread from end to end. */
static __thread lbs_backend_t *current;

lbs_backend_t *lbs_backend_begin(lbs_backend_t *backend)
{
    lbs_backend_t *before = current;

    current = backend;
    return before;
}

void lbs_backend_end(lbs_backend_t *before)
{
    current = before;
}

/* Sending ---------------------------------------------------------------- */

/* The first write begins with TLS's handshake. */
static int is_shaken(conn_rec *c)
{
    const char *how = apr_table_get(c->notes, HANDSHAKE);

    return how == NULL || strcmp(how, "err") != 0;
}

static int is_refused(const connection_t *connection, apr_time_t now)
{
    return !current->connected && !current->sent
           && now - connection->used_at > TRUSTED
           && !current->trusts(current->baton);
}

/* mod_proxy_http2 sends again by itself, to the same member, what was lost
 * before an answer. That is right where a kept connection had ended; a new
 * one that is lost, or a member that hangs, is for lbs_forward.c to judge. */
static int is_sent_again(const connection_t *connection)
{
    int again = current->on != 0 && current->on != connection->number
                && (current->was_new || current->broken_off);

    if (!again && current->on != connection->number) {
        current->on = connection->number;
        current->was_new = !connection->used;
    }
    return again;
}

static apr_status_t backend_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    connection_t *connection = f->ctx;
    apr_time_t now = lbs_runtime_now();
    apr_status_t rv;

    if (current != NULL) {
        current->seen = 1;
        current->refused = is_refused(connection, now);
        if (current->refused
            || (current->framed && is_sent_again(connection))) {
            apr_brigade_cleanup(bb);
            return APR_ECONNRESET;
        }
        current->sent = 1;
    }
    connection->used_at = now;
    connection->used = 1;
    rv = ap_pass_brigade(f->next, bb);
    if (current != NULL && rv != APR_SUCCESS) {
        current->unshaken = !is_shaken(f->c);
        current->lost = !APR_STATUS_IS_TIMEUP(rv);
    }
    return rv;
}

/* Receiving -------------------------------------------------------------- */

/* Wait for the first byte in slices, until the whole time is over or the
 * member turns out to hang. */
static apr_status_t wait_in_slices(ap_filter_t *f, apr_bucket_brigade *bb,
                                   ap_input_mode_t mode, apr_off_t bytes)
{
    connection_t *connection = f->ctx;
    apr_time_t began = lbs_runtime_now();
    apr_interval_time_t whole;
    apr_status_t rv = apr_socket_timeout_get(connection->socket, &whole);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (;;) {
        apr_interval_time_t left =
            whole < 0 ? SLICE : whole - (lbs_runtime_now() - began);

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
        if (current->is_out(current->baton)) {
            current->broken_off = 1;
            break;
        }
    }
    (void)apr_socket_timeout_set(connection->socket, whole);
    return rv;
}

static apr_status_t backend_wait(ap_filter_t *f, apr_bucket_brigade *bb,
                                 ap_input_mode_t mode, apr_read_type_e block,
                                 apr_off_t bytes)
{
    apr_status_t rv;

    if (current == NULL || current->received || block != APR_BLOCK_READ
        || (mode != AP_MODE_GETLINE && mode != AP_MODE_READBYTES)) {
        return ap_get_brigade(f->next, bb, mode, block, bytes);
    }
    rv = current->repeatable ? wait_in_slices(f, bb, mode, bytes)
                             : ap_get_brigade(f->next, bb, mode, block, bytes);
    current->timed_out = current->framed && APR_STATUS_IS_TIMEUP(rv);
    return rv;
}

static int is_blank(apr_bucket_brigade *bb)
{
    char line[3];
    apr_size_t length = sizeof(line);

    return apr_brigade_flatten(bb, line, &length) == APR_SUCCESS
           && ((length == 1 && line[0] == '\n')
               || (length == 2 && line[0] == '\r' && line[1] == '\n'));
}

static apr_status_t backend_in(ap_filter_t *f, apr_bucket_brigade *bb,
                               ap_input_mode_t mode, apr_read_type_e block,
                               apr_off_t bytes)
{
    connection_t *connection = f->ctx;
    apr_status_t rv = ap_get_brigade(f->next, bb, mode, block, bytes);

    if (rv == APR_SUCCESS && !APR_BRIGADE_EMPTY(bb)) {
        connection->used_at = lbs_runtime_now();
        if (current != NULL && current->sent && !current->received
            && !current->framed && !APR_BUCKET_IS_EOS(APR_BRIGADE_FIRST(bb))) {
            current->received = 1;
            current->on_first(current->baton);
        }
        if (current != NULL && current->received && mode == AP_MODE_GETLINE
            && is_blank(bb)) {
            head_is_read(current->baton);
        }
    }
    return rv;
}

/* Connections ------------------------------------------------------------ */

static int pre_connection(conn_rec *c, void *socket)
{
    static lbs_atomic32_t opened;
    connection_t *connection;

    /* This thread is at nothing but the attempt: the connection is its. */
    if (current == NULL) {
        return DECLINED;
    }
    current->connected = 1;
    connection = apr_pcalloc(c->pool, sizeof(*connection));
    connection->socket = socket;
    connection->used_at = lbs_runtime_now();
    connection->number = lbs_atomic_add32_relaxed(&opened, 1) + 1;
    ap_add_input_filter_handle(in_filter, connection, NULL, c);
    ap_add_input_filter_handle(wait_filter, connection, NULL, c);
    ap_add_output_filter_handle(out_filter, connection, NULL, c);
    return OK;
}

void lbs_backend_answered(lbs_backend_t *backend)
{
    backend->received = 1;
}

void lbs_backend_interim(lbs_backend_t *backend)
{
    backend->received = 0;
    backend->connected = 1;
}

void lbs_backend_on_head(void (*on_head)(void *baton))
{
    head_is_read = on_head;
}

void lbs_backend_register(void)
{
    out_filter = ap_register_output_filter("LBS_BACKEND_OUT", backend_out,
                                           NULL, SEE_TYPE);
    in_filter =
        ap_register_input_filter("LBS_BACKEND_IN", backend_in, NULL, SEE_TYPE);
    wait_filter = ap_register_input_filter("LBS_BACKEND_WAIT", backend_wait,
                                           NULL, WAIT_TYPE);
    ap_hook_pre_connection(pre_connection, NULL, NULL, APR_HOOK_MIDDLE);
}
