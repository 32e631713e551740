/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check_call.c - see lbs_check_call.h. */
#include "src/httpd/check/lbs_check_call.h"

#include <apr_strings.h>
#include <apr_time.h>
#include <stdlib.h>

#define USER_AGENT "User-Agent: mod_lbsticky (health check)"

struct lbs_probe_t {
    CURL *curl;
    struct curl_slist *headers;
    struct curl_slist *connect_to;
    const lbs_target_t *target;
    const lbs_check_conf_t *conf;
    void *baton;
    apr_size_t head; /* bytes read */
    apr_size_t body;
    CURLcode code; /* when done */
    char error[CURL_ERROR_SIZE];
};

/* Reading ---------------------------------------------------------------- */

static size_t read_head(char *bytes, size_t size, size_t count, void *baton)
{
    lbs_probe_t *probe = baton;

    (void)bytes;
    probe->head += size * count;
    return probe->head > LBS_PROBE_HEAD_MAX ? 0 : size * count;
}

static size_t read_body(char *bytes, size_t size, size_t count, void *baton)
{
    lbs_probe_t *probe = baton;

    (void)bytes;
    probe->body += size * count;
    return probe->body > LBS_PROBE_BODY_MAX ? 0 : size * count;
}

/* Asking ----------------------------------------------------------------- */

/* An option that this libcurl does not know makes the check fail where it
 * matters; none of those set here is in doubt since its version 7.77. */
#define SET(option, value) (void)curl_easy_setopt(probe->curl, option, value)

static void set_blob(CURL *curl, CURLoption option, lbs_slice_t bytes)
{
    struct curl_blob blob = {(char *)bytes.p, bytes.n, CURL_BLOB_NOCOPY};

    if (bytes.n != 0) {
        (void)curl_easy_setopt(curl, option, &blob);
    }
}

static void set_tls(lbs_probe_t *probe)
{
    const lbs_trust_t *trust = probe->target->trust;

    SET(CURLOPT_SSL_VERIFYPEER, (long)trust->verify);
    SET(CURLOPT_SSL_VERIFYHOST, trust->check_name ? 2L : 0L);
    /* The system's CAs are none of mod_ssl's. */
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, trust->ca_path);
    SET(CURLOPT_CRLFILE, trust->crl_file);
    SET(CURLOPT_CERTINFO, 1L);
    set_blob(probe->curl, CURLOPT_CAINFO_BLOB, trust->ca);
    set_blob(probe->curl, CURLOPT_SSLCERT_BLOB, trust->proof);
    set_blob(probe->curl, CURLOPT_SSLKEY_BLOB, trust->proof);
}

static void set_place(lbs_probe_t *probe)
{
    const lbs_target_t *target = probe->target;

    SET(CURLOPT_URL, target->url);
    SET(CURLOPT_PROXY, ""); /* nor one from the environment */
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    if (target->socket != NULL) {
        SET(CURLOPT_UNIX_SOCKET_PATH, target->socket);
    }
    else {
        probe->connect_to = curl_slist_append(NULL, target->connect_to);
        SET(CURLOPT_CONNECT_TO, probe->connect_to);
    }
}

static void set_time(lbs_probe_t *probe)
{
    long ms = (long)(probe->conf->timeout_us / 1000);

    SET(CURLOPT_TIMEOUT_MS, ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, ms);
    SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A look-up that outlasts the time-out ends by itself: nobody waits. */
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
}

static void add_header(lbs_probe_t *probe, const char *line)
{
    struct curl_slist *longer = curl_slist_append(probe->headers, line);

    probe->headers = longer != NULL ? longer : probe->headers;
}

static void set_request(lbs_probe_t *probe)
{
    const lbs_target_t *target = probe->target;
    static const long versions[LBS_TARGET_KINDS] = {
        [LBS_TARGET_HTTP] = CURL_HTTP_VERSION_1_1,
        [LBS_TARGET_H2] = CURL_HTTP_VERSION_2TLS,
    };
    int i;

    if (target->kind == LBS_TARGET_CONNECT) {
        SET(CURLOPT_CONNECT_ONLY, 1L);
        return;
    }
    SET(CURLOPT_HTTP_VERSION, versions[target->kind]);
    if (target->kind == LBS_TARGET_H2
        && strncmp(target->url, "https:", strlen("https:")) != 0) {
        SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    }
    SET(CURLOPT_REQUEST_TARGET, target->path);
    for (i = 0; target->headers[i] != NULL; i++) {
        add_header(probe, target->headers[i]);
    }
    add_header(probe, USER_AGENT);
    SET(CURLOPT_HTTPHEADER, probe->headers);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_HEADERFUNCTION, read_head);
    SET(CURLOPT_HEADERDATA, probe);
    SET(CURLOPT_WRITEFUNCTION, read_body);
    SET(CURLOPT_WRITEDATA, probe);
}

lbs_probe_t *lbs_probe_begin(CURLM *multi, const lbs_target_t *target,
                             const lbs_check_conf_t *conf, void *baton)
{
    lbs_probe_t *probe = calloc(1, sizeof(*probe));

    if (probe == NULL) {
        return NULL;
    }
    probe->target = target;
    probe->conf = conf;
    probe->baton = baton;
    probe->curl = curl_easy_init();
    if (probe->curl == NULL) {
        free(probe);
        return NULL;
    }
    SET(CURLOPT_ERRORBUFFER, probe->error);
    SET(CURLOPT_PRIVATE, probe);
    set_place(probe);
    set_time(probe);
    set_tls(probe);
    set_request(probe);
    if (curl_multi_add_handle(multi, probe->curl) != CURLM_OK) {
        lbs_probe_end(multi, probe);
        return NULL;
    }
    return probe;
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

static int is_past(const lbs_probe_t *probe, CURLINFO when)
{
    curl_off_t us = 0;

    return curl_easy_getinfo(probe->curl, when, &us) == CURLE_OK && us > 0;
}

/* To libcurl a connection by TLS is one after the handshake, but it knows
 * whom it is connected to before. */
static int is_connected(const lbs_probe_t *probe)
{
    const char *peer = NULL;

    return is_past(probe, CURLINFO_CONNECT_TIME_T)
           || (curl_easy_getinfo(probe->curl, CURLINFO_PRIMARY_IP, &peer)
                   == CURLE_OK
               && peer != NULL && *peer != '\0');
}

/* How far it came, from the times at which libcurl left each step. */
static step_t find_step(const lbs_probe_t *probe)
{
    if (!is_connected(probe)) {
        return is_past(probe, CURLINFO_NAMELOOKUP_TIME_T) ? STEP_CONNECT
                                                          : STEP_RESOLVE;
    }
    return strncmp(probe->target->url, "https:", strlen("https:")) == 0
                   && !is_past(probe, CURLINFO_APPCONNECT_TIME_T)
               ? STEP_TLS
               : STEP_ANSWER;
}

/* libcurl's own sentence begins with what it was doing: only the rest. */
static const char *library_says(const lbs_probe_t *probe)
{
    const char *failure = strstr(probe->error, " failure: ");

    if (failure != NULL) {
        return failure + strlen(" failure: ");
    }
    return probe->error[0] != '\0' ? probe->error
                                   : curl_easy_strerror(probe->code);
}

static void say_connect(const lbs_probe_t *probe, char *text)
{
    char buffer[LBS_NOTE_LEN];
    long error = 0;

    (void)curl_easy_getinfo(probe->curl, CURLINFO_OS_ERRNO, &error);
    lbs_check_say_error(
        "connect",
        error != 0 ? apr_strerror((apr_status_t)error, buffer, sizeof(buffer))
                   : library_says(probe),
        text);
}

static void say_timeout(const lbs_probe_t *probe, char *text)
{
    char words[LBS_NOTE_LEN];

    lbs_check_say_timeout(probe->conf, words);
    lbs_check_say_error(step_names[find_step(probe)], words, text);
}

/* Why there is no whole answer. */
static void say_failure(const lbs_probe_t *probe, char *text)
{
    const char *words = NULL;
    char unknown[LBS_NOTE_LEN];

    switch (probe->code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        apr_snprintf(unknown, sizeof(unknown), "unknown host %s",
                     probe->target->host);
        lbs_check_say_error("resolve", unknown, text);
        return;
    case CURLE_COULDNT_CONNECT:
        say_connect(probe, text);
        return;
    case CURLE_OPERATION_TIMEDOUT:
        say_timeout(probe, text);
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
        words = library_says(probe);
        break;
    }
    lbs_check_say_error(step_names[find_step(probe)], words, text);
}

/* mod_ssl looks at the dates also where it verifies nothing; libcurl does
 * not, but tells them. */
static int is_expired(const lbs_probe_t *probe)
{
    static const char start[] = "Start date:", end[] = "Expire date:";
    struct curl_certinfo *certs = NULL;
    const struct curl_slist *line;
    time_t now = (time_t)apr_time_sec(apr_time_now());
    int bad = 0;

    if (!probe->target->trust->check_expiry
        || curl_easy_getinfo(probe->curl, CURLINFO_CERTINFO, &certs)
               != CURLE_OK
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

static int is_complete(const lbs_probe_t *probe)
{
    /* Enough was read of a body that has no end. */
    return probe->code == CURLE_OK
           || (probe->code == CURLE_WRITE_ERROR
               && probe->body > LBS_PROBE_BODY_MAX);
}

void lbs_probe_judge(const lbs_probe_t *probe, lbs_check_result_t *result,
                     char *text)
{
    long status = 0;

    result->text = text;
    result->good = 0;
    result->connected = is_connected(probe);
    if (!is_complete(probe)) {
        say_failure(probe, text);
    }
    else if (is_expired(probe)) {
        lbs_check_say_error("TLS", "the certificate is not valid today", text);
    }
    else if (probe->target->kind == LBS_TARGET_CONNECT) {
        result->good = 1;
        apr_cpystrn(text, "connected", LBS_NOTE_LEN);
    }
    else {
        (void)curl_easy_getinfo(probe->curl, CURLINFO_RESPONSE_CODE, &status);
        result->good = lbs_check_say_status(probe->conf, (int)status, text);
    }
}

/* Its life --------------------------------------------------------------- */

lbs_probe_t *lbs_probe_done(CURLM *multi)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        lbs_probe_t *probe = NULL;

        if (message->msg == CURLMSG_DONE
            && curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
                                 &probe)
                   == CURLE_OK) {
            probe->code = message->data.result;
            return probe;
        }
    }
    return NULL;
}

void *lbs_probe_baton(const lbs_probe_t *probe)
{
    return probe->baton;
}

void lbs_probe_end(CURLM *multi, lbs_probe_t *probe)
{
    (void)curl_multi_remove_handle(multi, probe->curl); /* or never added */
    curl_easy_cleanup(probe->curl);
    curl_slist_free_all(probe->headers);
    curl_slist_free_all(probe->connect_to);
    free(probe);
}
