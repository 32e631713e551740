/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire.c - see lbs_wire.h. */
#include "src/httpd/wire/lbs_wire.h"

#include <httpd.h>

#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>

#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/wire/lbs_backend_int.h"
#include "src/httpd/wire/lbs_wire_in.h"
#include "src/httpd/wire/lbs_wire_out.h"

/* Above TLS, where a handshake is not yet the request nor its answer. */
#define SEE_TYPE AP_FTYPE_CONNECTION

/* Beneath TLS, which cannot be interrupted while it reads a record. */
#define WAIT_TYPE ((ap_filter_type)(AP_FTYPE_NETWORK - 2))

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

static ap_filter_rec_t *out_filter;
static ap_filter_rec_t *sink_filter;
static ap_filter_rec_t *in_filter;
static ap_filter_rec_t *wait_filter;

static int pre_connection(conn_rec *c, void *socket)
{
    static lbs_atomic32_t opened;
    lbs_connection_t *connection;

    /* This thread is at nothing but the attempt: the connection is its. */
    if (lbs_backend_current == NULL) {
        return DECLINED;
    }
    lbs_backend_current->connected = 1;
    connection = apr_pcalloc(c->pool, sizeof(*connection));
    connection->socket = socket;
    connection->used_at = lbs_clock_now();
    connection->number = lbs_atomic_add32_relaxed(&opened, 1) + 1;
    connection->out.skip = LBS_FRAMES_PREFACE;
    connection->secured = lbs_backend_current->secured;
    connection->whole = !connection->secured && !lbs_backend_current->framed;
    ap_add_input_filter_handle(in_filter, connection, NULL, c);
    ap_add_output_filter_handle(out_filter, connection, NULL, c);
    if (connection->secured) {
        ap_add_input_filter_handle(wait_filter, connection, NULL, c);
        ap_add_output_filter_handle(sink_filter, connection, NULL, c);
    }
    return OK;
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
    if (lbs_backend_current == NULL || info->level > APLOG_ERR
        || is_message(info, AJP_PING)) {
        return;
    }
    if (info->r != NULL && info->status != APR_SUCCESS) {
        lbs_backend_current->told = info->status;
    }
    if (info->r != NULL && info->format != NULL
        && strstr(info->format, UNOPENED) != NULL) {
        lbs_backend_current->unopened = 1;
    }
    if (is_message(info, AJP_TOO_BIG)) {
        lbs_backend_current->over_limit = 1;
    }
    if (is_message(info, AJP_PART)) {
        lbs_backend_current->heads++;
        lbs_backend_current->quiet |= APR_STATUS_IS_TIMEUP(info->status);
    }
}

void lbs_wire_register(void)
{
    out_filter = ap_register_output_filter("LBS_BACKEND_OUT", lbs_wire_out,
                                           NULL, SEE_TYPE);
    sink_filter = ap_register_output_filter(
        "LBS_BACKEND_SINK", lbs_wire_out_sink, NULL, WAIT_TYPE);
    in_filter = ap_register_input_filter("LBS_BACKEND_IN", lbs_wire_in, NULL,
                                         SEE_TYPE);
    wait_filter = ap_register_input_filter("LBS_BACKEND_WAIT",
                                           lbs_wire_in_wait, NULL, WAIT_TYPE);
    ap_hook_pre_connection(pre_connection, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_error_log(note_error, NULL, NULL, APR_HOOK_MIDDLE);
}
