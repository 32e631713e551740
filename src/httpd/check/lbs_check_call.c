/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check_call.c - see lbs_check_call.h. */
#include "src/httpd/check/lbs_check_call.h"

#include <apr_strings.h>
#include <apr_time.h>
#include <stdlib.h>

#define USER_AGENT "User-Agent: mod_lbsticky (health check)"

#define LINE 1024 /* bytes of a header line with a password */

struct lbs_check_call_t {
    CURL *curl;
    struct curl_slist *headers;
    struct curl_slist *connect_to;
    struct curl_slist *proxy_headers;
    const lbs_check_request_t *request;
    const lbs_check_conf_t *conf;
    lbs_check_call_heard_t *heard;
    void *baton;
    int connected;   /* a handshake of TLS has begun */
    int status;      /* of the answer; 0: its head is not yet here */
    apr_size_t head; /* bytes read */
    apr_size_t body;
    CURLcode code; /* when done */
    char error[CURL_ERROR_SIZE];
};

/* Reading ---------------------------------------------------------------- */

/* A proxy has taken the request, and may have found nobody to give it to. */
static int is_of_gateway(const lbs_check_call_t *call)
{
    return call->request->remote && call->request->tunnel == NULL
           && (call->status == 502 || call->status == 503
               || call->status == 504);
}

/* The blank line at the end of a head; interim answers have one, too. */
static void end_head(lbs_check_call_t *call)
{
    long status = 0;

    (void)curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && call->status == 0) {
        call->status = (int)status;
        if (!is_of_gateway(call)) {
            call->heard(call->baton);
        }
    }
}

static size_t read_head(char *bytes, size_t size, size_t count, void *baton)
{
    lbs_check_call_t *call = baton;

    call->head += size * count;
    if (size * count == 0) {
        return 0;
    }
    if (size * count <= 2 && bytes[size * count - 1] == '\n'
        && (size * count == 1 || bytes[0] == '\r')) {
        end_head(call);
    }
    return call->head > LBS_CHECK_CALL_HEAD_MAX ? 0 : size * count;
}

static size_t read_body(char *bytes, size_t size, size_t count, void *baton)
{
    lbs_check_call_t *call = baton;

    (void)bytes;
    call->body += size * count;
    return call->body > LBS_CHECK_CALL_BODY_MAX ? 0 : size * count;
}

/* Asking ----------------------------------------------------------------- */

/* An option that this libcurl does not know makes the check fail where it
 * matters; none of those set here is in doubt since its version 7.77. */
#define SET(option, value) (void)curl_easy_setopt(call->curl, option, value)

static void set_blob(CURL *curl, CURLoption option, lbs_slice_t bytes)
{
    struct curl_blob blob = {(char *)bytes.p, bytes.n, CURL_BLOB_NOCOPY};

    if (bytes.n != 0) {
        (void)curl_easy_setopt(curl, option, &blob);
    }
}

/* Of a libcurl with OpenSSL, when TLS begins on a connection that is there. */
static CURLcode note_connection(CURL *curl, void *context, void *baton)
{
    (void)curl;
    (void)context;
    ((lbs_check_call_t *)baton)->connected = 1;
    return CURLE_OK;
}

static void set_tls(lbs_check_call_t *call)
{
    const lbs_check_tls_t *tls = call->request->tls;

    SET(CURLOPT_SSL_CTX_FUNCTION, note_connection);
    SET(CURLOPT_SSL_CTX_DATA, call);
    /* A session that is taken up again shows no certificate, and may be that
     * of a member's namesake, with its certificate for the client. */
    SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    SET(CURLOPT_SSL_VERIFYPEER, (long)tls->verify);
    SET(CURLOPT_SSL_VERIFYHOST, tls->check_name ? 2L : 0L);
    /* The system's CAs are none of mod_ssl's. */
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, tls->ca_path);
    SET(CURLOPT_CRLFILE, tls->crl_file);
    SET(CURLOPT_CERTINFO, 1L);
    set_blob(call->curl, CURLOPT_CAINFO_BLOB, tls->ca);
    set_blob(call->curl, CURLOPT_SSLCERT_BLOB, tls->proof);
    set_blob(call->curl, CURLOPT_SSLKEY_BLOB, tls->proof);
}

/* A program that httpd runs meanwhile, a CGI, must not get the connection. */
static curl_socket_t open_socket(void *unused, curlsocktype purpose,
                                 struct curl_sockaddr *at)
{
    (void)unused;
    (void)purpose;
    return socket(at->family, at->socktype | SOCK_CLOEXEC, at->protocol);
}

static const char *creds_line(char *line, apr_size_t size,
                              const lbs_check_request_t *request)
{
    apr_snprintf(line, size, "Proxy-Authorization: %s", request->creds);
    return line;
}

/* What is said for the tunnel is said to the proxy alone, and what the proxy
 * says to that is no answer of the member's. */
static void set_tunnel(lbs_check_call_t *call)
{
    const lbs_check_request_t *request = call->request;
    char line[LINE];

    SET(CURLOPT_PROXY, request->tunnel);
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    if (request->creds != NULL) {
        call->proxy_headers =
            curl_slist_append(NULL, creds_line(line, sizeof(line), request));
        SET(CURLOPT_PROXYHEADER, call->proxy_headers);
    }
}

static void set_place(lbs_check_call_t *call)
{
    const lbs_check_request_t *request = call->request;

    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROXY, ""); /* nor one from the environment */
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    if (request->tunnel != NULL) {
        set_tunnel(call);
    }
    if (request->socket != NULL) {
        SET(CURLOPT_UNIX_SOCKET_PATH, request->socket);
    }
    else {
        call->connect_to = curl_slist_append(NULL, request->connect_to);
        SET(CURLOPT_CONNECT_TO, call->connect_to);
    }
}

static void set_time(lbs_check_call_t *call)
{
    long ms = (long)(call->conf->timeout_us / 1000);

    SET(CURLOPT_TIMEOUT_MS, ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, ms);
    SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A look-up that outlasts the time-out ends by itself: no check waits for
     * it. */
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
}

static void add_header(lbs_check_call_t *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->headers, line);

    call->headers = longer != NULL ? longer : call->headers;
}

static void set_request(lbs_check_call_t *call)
{
    const lbs_check_request_t *request = call->request;
    char line[LINE];
    static const long versions[LBS_CHECK_REQUEST_KINDS] = {
        [LBS_CHECK_REQUEST_HTTP] = CURL_HTTP_VERSION_1_1,
        [LBS_CHECK_REQUEST_H2] = CURL_HTTP_VERSION_2TLS,
    };
    int i;

    if (request->kind == LBS_CHECK_REQUEST_CONNECT) {
        SET(CURLOPT_CONNECT_ONLY, 1L);
        return;
    }
    SET(CURLOPT_HTTP_VERSION, versions[request->kind]);
    if (request->kind == LBS_CHECK_REQUEST_H2
        && strncmp(request->url, "https:", strlen("https:")) != 0) {
        SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    }
    SET(CURLOPT_NOBODY, strcmp(request->method, "HEAD") == 0 ? 1L : 0L);
    SET(CURLOPT_REQUEST_TARGET, request->target);
    for (i = 0; request->headers[i] != NULL; i++) {
        add_header(call, request->headers[i]);
    }
    add_header(call, USER_AGENT);
    if (request->creds != NULL && request->tunnel == NULL) {
        add_header(call, creds_line(line, sizeof(line), request));
    }
    SET(CURLOPT_HTTPHEADER, call->headers);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_HEADERFUNCTION, read_head);
    SET(CURLOPT_HEADERDATA, call);
    SET(CURLOPT_WRITEFUNCTION, read_body);
    SET(CURLOPT_WRITEDATA, call);
}

lbs_check_call_t *lbs_check_call_begin(CURLM *multi,
                                       const lbs_check_request_t *request,
                                       const lbs_check_conf_t *conf,
                                       lbs_check_call_heard_t *heard,
                                       void *baton)
{
    lbs_check_call_t *call = calloc(1, sizeof(*call));

    if (call == NULL) {
        return NULL;
    }
    call->request = request;
    call->conf = conf;
    call->heard = heard;
    call->baton = baton;
    call->curl = curl_easy_init();
    if (call->curl == NULL) {
        free(call);
        return NULL;
    }
    SET(CURLOPT_ERRORBUFFER, call->error);
    SET(CURLOPT_PRIVATE, call);
    set_place(call);
    set_time(call);
    set_tls(call);
    set_request(call);
    if (curl_multi_add_handle(multi, call->curl) != CURLM_OK) {
        lbs_check_call_end(multi, call);
        return NULL;
    }
    return call;
}

/* Judging ---------------------------------------------------------------- */

typedef enum step_t {
    STEP_RESOLVE,
    STEP_CONNECT,
    STEP_TLS,
    STEP_ANSWER
} step_t;

static const char *const step_names[] = {"resolve", "connect", "TLS",
                                         "answer"};

static int is_past(const lbs_check_call_t *call, CURLINFO when)
{
    curl_off_t us = 0;

    return curl_easy_getinfo(call->curl, when, &us) == CURLE_OK && us > 0;
}

/* To libcurl a connection by TLS is one after the handshake; its versions
 * until 8.11 know whom they are connected to before. */
static int has_peer(const lbs_check_call_t *call)
{
    const char *peer = NULL;

    return call->connected || is_past(call, CURLINFO_CONNECT_TIME_T)
           || (curl_easy_getinfo(call->curl, CURLINFO_PRIMARY_IP, &peer)
                   == CURLE_OK
               && peer != NULL && *peer != '\0');
}

int lbs_check_call_is_connected(const lbs_check_call_t *call)
{
    if (!call->request->remote) {
        return has_peer(call);
    }
    /* TLS begins with the member, not with a proxy before it. */
    return call->connected
           || (call->request->tunnel == NULL && call->status != 0
               && !is_of_gateway(call));
}

/* How far it came, from the times at which libcurl left each step. */
static step_t find_step(const lbs_check_call_t *call)
{
    if (!has_peer(call)) {
        return is_past(call, CURLINFO_NAMELOOKUP_TIME_T) ? STEP_CONNECT
                                                         : STEP_RESOLVE;
    }
    if (call->request->tunnel != NULL && !call->connected) {
        return STEP_CONNECT;
    }
    return strncmp(call->request->url, "https:", strlen("https:")) == 0
                   && !is_past(call, CURLINFO_APPCONNECT_TIME_T)
               ? STEP_TLS
               : STEP_ANSWER;
}

/* libcurl's own sentence begins with what it was doing: only the rest. */
static const char *library_says(const lbs_check_call_t *call)
{
    const char *failure = strstr(call->error, " failure: ");

    if (failure != NULL) {
        return failure + strlen(" failure: ");
    }
    return call->error[0] != '\0' ? call->error
                                  : curl_easy_strerror(call->code);
}

static void say_connect(const lbs_check_call_t *call, char *text)
{
    char buffer[LBS_SHARED_TEXT_LEN];
    long error = 0;

    (void)curl_easy_getinfo(call->curl, CURLINFO_OS_ERRNO, &error);
    lbs_check_say_error(
        call->request->remote ? "connect to ProxyRemote" : "connect",
        error != 0 ? apr_strerror((apr_status_t)error, buffer, sizeof(buffer))
                   : library_says(call),
        text);
}

/* @return 1: the proxy has refused to connect to the member; it is said */
static int say_tunnel(const lbs_check_call_t *call, char *text)
{
    char words[LBS_SHARED_TEXT_LEN];
    long status = 0;

    if (call->request->tunnel == NULL || call->connected
        || curl_easy_getinfo(call->curl, CURLINFO_HTTP_CONNECTCODE, &status)
               != CURLE_OK
        || status == 0 || status / 100 == 2) {
        return 0;
    }
    apr_snprintf(words, sizeof(words), "ProxyRemote's proxy says %d",
                 (int)status);
    lbs_check_say_error("connect", words, text);
    return 1;
}

static void say_timeout(const lbs_check_call_t *call, char *text)
{
    char words[LBS_SHARED_TEXT_LEN];

    lbs_check_say_timeout(call->conf, words);
    lbs_check_say_error(step_names[find_step(call)], words, text);
}

/* Why there is no whole answer. */
static void say_failure(const lbs_check_call_t *call, char *text)
{
    const char *words = NULL;
    char unknown[LBS_SHARED_TEXT_LEN];

    if (say_tunnel(call, text)) {
        return;
    }
    switch (call->code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        apr_snprintf(unknown, sizeof(unknown), "unknown host %s",
                     call->request->host);
        lbs_check_say_error("resolve", unknown, text);
        return;
    case CURLE_COULDNT_CONNECT:
        say_connect(call, text);
        return;
    case CURLE_OPERATION_TIMEDOUT:
        say_timeout(call, text);
        return;
    case CURLE_GOT_NOTHING:
        words = "none, the connection was closed";
        break;
    case CURLE_PARTIAL_FILE:
        words = "it broke off";
        break;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        words = "it is not HTTP";
        break;
    case CURLE_WRITE_ERROR:
        words = "more than 64k of header";
        break;
    default:
        words = library_says(call);
        break;
    }
    lbs_check_say_error(step_names[find_step(call)], words, text);
}

/* mod_ssl looks at the dates also where it verifies nothing; libcurl does
 * not, but tells them. */
static int is_expired(const lbs_check_call_t *call)
{
    static const char start[] = "Start date:", end[] = "Expire date:";
    struct curl_certinfo *certs = NULL;
    const struct curl_slist *line;
    time_t now = (time_t)apr_time_sec(apr_time_now());
    int bad = 0;

    if (!call->request->tls->check_expiry
        || curl_easy_getinfo(call->curl, CURLINFO_CERTINFO, &certs) != CURLE_OK
        || certs == NULL || certs->num_of_certs == 0) {
        return 0;
    }
    for (line = certs->certinfo[0]; line != NULL; line = line->next) {
        if (strncmp(line->data, start, strlen(start)) == 0) {
            bad |= curl_getdate(line->data + strlen(start), NULL) > now;
        }
        else if (strncmp(line->data, end, strlen(end)) == 0) {
            bad |= curl_getdate(line->data + strlen(end), NULL) < now;
        }
    }
    return bad;
}

int lbs_check_call_is_complete(const lbs_check_call_t *call)
{
    /* Enough was read of a body that has no end. */
    return call->code == CURLE_OK
           || (call->code == CURLE_WRITE_ERROR
               && call->body > LBS_CHECK_CALL_BODY_MAX);
}

void lbs_check_call_judge(const lbs_check_call_t *call,
                          lbs_check_result_t *result, char *text)
{
    long status = 0;

    result->text = text;
    result->good = 0;
    result->in_doubt = 0;
    result->connected = lbs_check_call_is_connected(call);
    if (!lbs_check_call_is_complete(call)) {
        say_failure(call, text);
    }
    else if (is_expired(call)) {
        lbs_check_say_error("TLS", "the certificate is not valid today", text);
    }
    else if (call->request->kind == LBS_CHECK_REQUEST_CONNECT) {
        result->good = 1;
        apr_cpystrn(text, "connected", LBS_SHARED_TEXT_LEN);
    }
    else {
        (void)curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
        result->good = lbs_check_say_status(call->conf, (int)status, text);
    }
}

/* Its life --------------------------------------------------------------- */

lbs_check_call_t *lbs_check_call_done(CURLM *multi)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        lbs_check_call_t *call = NULL;

        if (message->msg == CURLMSG_DONE
            && curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call)
                   == CURLE_OK) {
            call->code = message->data.result;
            return call;
        }
    }
    return NULL;
}

void *lbs_check_call_baton(const lbs_check_call_t *call)
{
    return call->baton;
}

int lbs_check_call_status(const lbs_check_call_t *call)
{
    return call->status;
}

void lbs_check_call_end(CURLM *multi, lbs_check_call_t *call)
{
    (void)curl_multi_remove_handle(multi, call->curl); /* or never added */
    curl_easy_cleanup(call->curl);
    curl_slist_free_all(call->headers);
    curl_slist_free_all(call->connect_to);
    curl_slist_free_all(call->proxy_headers);
    free(call);
}
