/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_backend.c - see lbs_backend.h. */
#include "src/httpd/request/lbs_backend.h"

#include <apr_poll.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <util_filter.h>

#include "src/base/lbs_frames.h"
#include "src/httpd/shared/lbs_runtime.h"

/* Above TLS, where a handshake is not yet the request nor its answer. */
#define SEE_TYPE AP_FTYPE_CONNECTION

/* Beneath TLS, which cannot be interrupted while it reads a record. */
#define WAIT_TYPE ((ap_filter_type)(AP_FTYPE_NETWORK - 2))

/* Where mod_ssl notes on a connection how the handshake went. */
#define HANDSHAKE "SSL_connect_rv"

/* A connection that was in use so recently is taken to be alive. */
#define TRUSTED apr_time_from_sec(1)

/* How often a request that waits for an answer looks whether the member was
 * taken out meanwhile. */
#define SLICE apr_time_from_msec(100)

/* RFC 9110, 10.1.1: a client does not wait for a 100 indefinitely. */
#define PATIENCE apr_time_from_sec(1)

/* RFC 9113, 7: the stream was closed before anything was done. */
#define REFUSED_STREAM 7

/* httpd takes no more interim answers than that. */
#define MOST_INTERIM 10

/* mod_proxy_ajp's message for an answer that is larger than its packets may
 * be (ProxyIOBufferSize); its status does not tell that from garbage. */
#define AJP_TOO_BIG "AH01081"

/* What all handlers say where a connection could not be opened. */
#define UNOPENED "failed to make connection to backend"

/* mod_proxy_ajp's message when the question of ping= was not answered: nothing
 * of the request was sent. */
#define AJP_PING "AH00897"

/* Its message when a packet broke off: something of an answer had come. */
#define AJP_PART "AH01032"

/* State of a connection while it is kept alive. */
typedef struct connection_t {
    apr_socket_t *socket;
    apr_time_t used_at; /* monotonic */
    unsigned number;    /* of all this process has opened, from 1 */
    int used;           /* something was sent on it */
    int through;        /* something of this attempt was sent */
    int deaf;           /* the member reads no more of what it is sent */
    int owes_blank;     /* the line after a 100 that we say */
    lbs_frames_t out, in;
} connection_t;

static ap_filter_rec_t *out_filter;
static ap_filter_rec_t *sink_filter;
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

/* HTTP/2's frames --------------------------------------------------------- */

static void frame_out(void *baton, const lbs_frame_t *frame)
{
    (void)baton;
    if (current != NULL && frame->type == LBS_FRAME_HEADERS) {
        current->stream = frame->stream;
    }
}

/* RFC 9113, 8.7: what was refused, and what a GOAWAY leaves out, was not
 * processed. */
static void frame_in(void *baton, const lbs_frame_t *frame)
{
    (void)baton;
    if (current == NULL || current->stream == 0) {
        return;
    }
    if (frame->type == LBS_FRAME_HEADERS && frame->stream == current->stream) {
        current->heads++;
    }
    if (frame->type == LBS_FRAME_RST_STREAM && frame->stream == current->stream
        && frame->word[0] == REFUSED_STREAM) {
        current->unprocessed = 1;
    }
    if (frame->type == LBS_FRAME_GOAWAY
        && (frame->word[0] & 0x7fffffffu) < current->stream) {
        current->unprocessed = 1;
    }
}

static void feed(lbs_frames_t *frames, const apr_bucket_brigade *bb,
                 lbs_frames_seen_t *seen)
{
    apr_bucket *e;
    const char *data;
    apr_size_t n;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e)) {
        if (!APR_BUCKET_IS_METADATA(e)
            && apr_bucket_read(e, &data, &n, APR_BLOCK_READ) == APR_SUCCESS) {
            lbs_frames_feed(frames, data, n, seen, NULL);
        }
    }
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
           && !current->asks->trusts(current->baton);
}

/* mod_proxy_http2 sends again by itself, to the same member, what was lost
 * before an answer. That is right where a kept connection had ended, no head
 * of an answer had come, the body can be read from its begin, and the request
 * may be processed twice or was not sent yet; a new one that is lost, or a
 * member that hangs, is for lbs_forward.c to judge. */
static int may_go_again(void)
{
    return !current->was_new && !current->broken_off && current->heads == 0
           && (current->repeatable || current->unprocessed
               || current->stream == 0)
           && current->asks->restart(current->baton);
}

/* What is judged is the connection that the request was sent on, not the one
 * that was opened for a repetition which did not take place. */
static int is_sent_again(const connection_t *connection)
{
    if (current->on != 0 && current->on != connection->number
        && !may_go_again()) {
        current->connected = current->was_new;
        return 1;
    }
    if (current->on != connection->number) {
        current->on = connection->number;
        current->was_new = !connection->used;
        current->unprocessed = 0;
        current->stream = 0;
    }
    return 0;
}

/* A write failed after others had come through. What the member said before
 * it closed may still be there to be read: mod_proxy is told that all is well,
 * and goes on to the answer. With TLS that has to happen beneath TLS, which
 * does not read where it could not write. */
static apr_status_t write_failed(ap_filter_t *f, apr_status_t rv)
{
    connection_t *connection = f->ctx;

    current->lost = !APR_STATUS_IS_TIMEUP(rv);
    if (!current->lost || !connection->through || current->received
        || current->framed) {
        return rv;
    }
    connection->deaf = 1;
    f->c->aborted = 0; /* else it would not be read at all */
    current->asks->on_deaf(current->baton);
    return APR_SUCCESS;
}

static apr_status_t backend_sink(ap_filter_t *f, apr_bucket_brigade *bb)
{
    const connection_t *connection = f->ctx;
    apr_status_t rv;

    if (connection->deaf) {
        apr_brigade_cleanup(bb);
        return APR_SUCCESS;
    }
    rv = ap_pass_brigade(f->next, bb);
    return rv == APR_SUCCESS || current == NULL ? rv : write_failed(f, rv);
}

static apr_status_t backend_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    connection_t *connection = f->ctx;
    apr_time_t now = lbs_runtime_now();
    apr_status_t rv;

    if (connection->deaf) {
        apr_brigade_cleanup(bb);
        return current != NULL ? APR_SUCCESS : APR_ECONNRESET;
    }
    if (current == NULL) {
        connection->used_at = now;
        return ap_pass_brigade(f->next, bb);
    }
    current->seen = 1;
    current->refused = is_refused(connection, now);
    if (current->refused || (current->framed && is_sent_again(connection))) {
        apr_brigade_cleanup(bb);
        return APR_ECONNRESET;
    }
    if (current->framed) {
        feed(&connection->out, bb, frame_out);
    }
    if (!current->sent) {
        connection->through = 0;
        current->sent = 1;
    }
    current->sent_at = now;
    connection->used_at = now;
    connection->used = 1;
    rv = ap_pass_brigade(f->next, bb);
    if (rv == APR_SUCCESS) {
        connection->through = 1;
        return rv;
    }
    current->unshaken = !is_shaken(f->c);
    return write_failed(f, rv);
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
        if (current->asks->is_out(current->baton)) {
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
    lbs_backend_t *attempt = current;
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

/* Heads of an answer ------------------------------------------------------ */

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
    connection_t *connection = f->ctx;

    connection->used_at = lbs_runtime_now();
    if (attempt == NULL) {
        return;
    }
    if (attempt->framed) {
        feed(&connection->in, bb, frame_in);
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

/* The 100 that a member does not say ---------------------------------------
 */

/* One byte has come, or an end, or the time is over. @return 1: it is over */
static int is_patience_over(ap_filter_t *f)
{
    const connection_t *connection = f->ctx;
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
        rv = ap_get_brigade(f->next, bb, AP_MODE_SPECULATIVE,
                            APR_NONBLOCK_READ, 1);
        if (!(rv == APR_SUCCESS && APR_BRIGADE_EMPTY(bb))
            && !APR_STATUS_IS_EAGAIN(rv)) {
            break;
        }
        left = current->sent_at + PATIENCE - lbs_runtime_now();
        if (left > 0) {
            (void)apr_poll(&fd, 1, &n, left);
        }
    }
    apr_brigade_destroy(bb);
    return left <= 0;
}

static int expects(void)
{
    return current != NULL && current->sent && !current->received
           && !current->assumed && current->asks->expects(current->baton);
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
    apr_uint32_t id = current->stream;
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
static int say_continue(ap_filter_t *f, apr_bucket_brigade *bb,
                        ap_input_mode_t mode, apr_read_type_e block)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n";
    connection_t *connection = f->ctx;

    if (connection->owes_blank && mode == AP_MODE_GETLINE) {
        connection->owes_blank = 0;
        say(f, bb, "\r\n", 2);
        return 1;
    }
    if (block != APR_BLOCK_READ || !expects()) {
        return 0;
    }
    if (current->framed && mode == AP_MODE_READBYTES) {
        if (current->stream == 0 || !lbs_frames_between(&connection->in)
            || lbs_runtime_now() - current->sent_at < PATIENCE) {
            return 0;
        }
        say_frame(f, bb);
    }
    else if (!current->framed && mode == AP_MODE_GETLINE
             && is_patience_over(f)) {
        say(f, bb, line, sizeof(line) - 1);
        connection->owes_blank = 1;
    }
    else {
        return 0;
    }
    current->assumed = 1;
    return 1;
}

static apr_status_t backend_in(ap_filter_t *f, apr_bucket_brigade *bb,
                               ap_input_mode_t mode, apr_read_type_e block,
                               apr_off_t bytes)
{
    const connection_t *connection = f->ctx;
    lbs_backend_t *attempt = current;
    apr_status_t rv;

    if (attempt != NULL && (!attempt->received || connection->owes_blank)
        && say_continue(f, bb, mode, block)) {
        return APR_SUCCESS;
    }
    rv = ap_get_brigade(f->next, bb, mode, block, bytes);
    if (rv == APR_SUCCESS && !APR_BRIGADE_EMPTY(bb)
        && mode != AP_MODE_SPECULATIVE) {
        look_at(attempt, f, bb, mode);
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
    connection->out.skip = LBS_FRAMES_PREFACE;
    ap_add_input_filter_handle(in_filter, connection, NULL, c);
    ap_add_input_filter_handle(wait_filter, connection, NULL, c);
    ap_add_output_filter_handle(out_filter, connection, NULL, c);
    if (current->secured) {
        ap_add_output_filter_handle(sink_filter, connection, NULL, c);
    }
    return OK;
}

void lbs_backend_answered(lbs_backend_t *backend)
{
    backend->received = 1;
}

void lbs_backend_interim(lbs_backend_t *backend)
{
    backend->received = 0;
    backend->headed = 0;
    backend->connected = 1;
    backend->interim++;
    if (backend->interim >= MOST_INTERIM) {
        backend->over_limit = 1;
    }
}

void lbs_backend_on_head(void (*on_head)(void *baton))
{
    head_is_read = on_head;
}

static int is_message(const ap_errorlog_info *info, const char *number)
{
    return info->format != NULL
           && strncmp(info->format, number, strlen(number)) == 0;
}

/* Handlers that read a socket by themselves log the errors they meet. */
static void note_error(const ap_errorlog_info *info, const char *text)
{
    (void)text;
    if (current == NULL || info->level > APLOG_ERR
        || is_message(info, AJP_PING)) {
        return;
    }
    if (info->r != NULL && info->status != APR_SUCCESS) {
        current->told = info->status;
    }
    if (info->r != NULL && info->format != NULL
        && strstr(info->format, UNOPENED) != NULL) {
        current->unopened = 1;
    }
    if (is_message(info, AJP_TOO_BIG)) {
        current->over_limit = 1;
    }
    if (is_message(info, AJP_PART)) {
        current->heads++;
        current->quiet |= APR_STATUS_IS_TIMEUP(info->status);
    }
}

void lbs_backend_register(void)
{
    out_filter = ap_register_output_filter("LBS_BACKEND_OUT", backend_out,
                                           NULL, SEE_TYPE);
    sink_filter = ap_register_output_filter("LBS_BACKEND_SINK", backend_sink,
                                            NULL, WAIT_TYPE);
    in_filter =
        ap_register_input_filter("LBS_BACKEND_IN", backend_in, NULL, SEE_TYPE);
    wait_filter = ap_register_input_filter("LBS_BACKEND_WAIT", backend_wait,
                                           NULL, WAIT_TYPE);
    ap_hook_pre_connection(pre_connection, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_error_log(note_error, NULL, NULL, APR_HOOK_MIDDLE);
}
