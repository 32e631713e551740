/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_received.c - see lbs_received.h. */
#include "src/httpd/pool/lbs_received.h"

#include <apr_strings.h>
#include <arpa/inet.h>
#include <http_config.h>
#include <http_protocol.h>
#include <string.h>

#include "src/affinity/lbs_connection.h"
#include "src/httpd/pool/lbs_marker.h"
#include "src/httpd/shared/lbs_runtime.h"

#define KEY "lbsticky-received"

/* In r->notes, for logs: the marker as it came in. */
#define NOTE_HOP "lbsticky-hop"

/* The address ------------------------------------------------------------ */

static int is_loopback(const lbs_hop_t *hop)
{
    static const unsigned char one[LBS_HOP_ADDR] = {[LBS_HOP_ADDR - 1] = 1};

    return hop->addr_len == 4 ? hop->addr[0] == 127
                              : memcmp(hop->addr, one, sizeof(one)) == 0;
}

/* Did this machine open the connection itself? */
static int is_from_here(const conn_rec *c)
{
    lbs_hop_t hop = {0};

    if (apr_sockaddr_equal(c->client_addr, c->local_addr)) {
        return 1;
    }
    hop.addr_len = c->client_addr->family == APR_INET ? 4 : LBS_HOP_ADDR;
    memcpy(hop.addr, c->client_addr->ipaddr_ptr, hop.addr_len);
    return is_loopback(&hop);
}

static void set_address(request_rec *r, const void *bytes, apr_size_t len)
{
    char text[INET6_ADDRSTRLEN];
    apr_sockaddr_t *addr;

    /* A number is never looked up. */
    if (inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text))
            == NULL
        || apr_sockaddr_info_get(&addr, text, APR_UNSPEC, 0, 0, r->pool)
               != APR_SUCCESS) {
        return;
    }
    r->useragent_addr = addr;
    r->useragent_ip = apr_pstrdup(r->pool, text);
}

static void set_nobody(request_rec *r)
{
    static const unsigned char nobody[4] = {0, 0, 0, 0};

    set_address(r, nobody, sizeof(nobody));
}

static void set_visitor(request_rec *r, const lbs_hop_t *hop)
{
    if (hop->addr_len == 0
        || (is_loopback(hop) && !is_from_here(r->connection))) {
        return;
    }
    /* A family that this httpd was built without. */
    set_nobody(r);
    set_address(r, hop->addr, hop->addr_len);
}

int lbs_received_is_framed(const conn_rec *c)
{
    const module *remoteip = ap_find_linked_module("mod_remoteip.c");

    c = c->master != NULL ? c->master : c;
    return remoteip != NULL
           && ap_get_module_config(c->conn_config, remoteip) != NULL;
}

/* Receiving -------------------------------------------------------------- */

static const char *take(request_rec *r, const char *name)
{
    const char *value = apr_table_get(r->headers_in, name);

    if (value != NULL) {
        apr_table_unset(r->headers_in, name);
    }
    return value;
}

static void read_marker(request_rec *r, const char *text,
                        lbs_received_t *received)
{
    lbs_hop_about_t about = {
        .method = received->method,
        .target = received->target,
        .proto = apr_table_get(r->headers_in, "X-Forwarded-Proto"),
        .port = apr_table_get(r->headers_in, "X-Forwarded-Port"),
    };
    apr_status_t rv = lbs_marker_read(text, &about, &received->hop);

    apr_table_setn(r->notes, NOTE_HOP, text);
    if (rv == APR_SUCCESS) {
        received->from = LBS_RECEIVED_PEER;
        set_visitor(r, &received->hop);
    }
    else if (rv == APR_TIMEUP) {
        received->from = LBS_RECEIVED_LATE;
    }
}

/* Does Connection name a field that a server or this module uses? */
static int names_fields(const request_rec *r)
{
    const char *field = apr_table_get(r->headers_in, "Connection");
    lbs_slice_t name;

    while (field != NULL && lbs_connection_next(&field, &name)) {
        if (!lbs_connection_is_usual(name)
            && !lbs_connection_protects(NULL, name)) {
            return 1;
        }
    }
    return 0;
}

static int receive(request_rec *r)
{
    const char *marker, *trail;
    lbs_received_t *received;
    int names;

    if (lbs_runtime() == NULL) {
        return DECLINED;
    }
    marker = take(r, LBS_MARKER_HEADER);
    trail = take(r, LBS_MARKER_TRAIL);
    names = names_fields(r);
    if (marker == NULL && trail == NULL && !names) {
        return DECLINED;
    }
    received = apr_pcalloc(r->pool, sizeof(*received));
    received->trail = trail;
    received->method = r->method;
    received->target = lbs_marker_target(r->unparsed_uri);
    received->headers = names ? apr_table_copy(r->pool, r->headers_in) : NULL;
    if (marker != NULL) {
        read_marker(r, marker, received);
    }
    apr_pool_userdata_setn(received, KEY, NULL, r->pool);
    return DECLINED;
}

/* mod_remoteip has run. The PROXY protocol gives it the peer's address; and
 * for a late request it may know the visitor's, if it trusts the peer. */
static int settle(request_rec *r)
{
    const lbs_received_t *received = lbs_received_of(r);
    int framed = received->from != LBS_RECEIVED_CLIENT
                 && lbs_received_is_framed(r->connection);

    if (received->from == LBS_RECEIVED_PEER && framed) {
        set_visitor(r, &received->hop);
    }
    if (received->from == LBS_RECEIVED_LATE
        && (framed || r->useragent_addr == r->connection->client_addr)) {
        set_nobody(r);
    }
    return DECLINED;
}

const lbs_received_t *lbs_received_of(const request_rec *r)
{
    static const lbs_received_t nothing;
    void *received = NULL;

    while (r->prev != NULL || r->main != NULL) {
        r = r->prev != NULL ? r->prev : r->main;
    }
    (void)apr_pool_userdata_get(&received, KEY, r->pool);
    return received != NULL ? received : &nothing;
}

void lbs_received_register(void)
{
    static const char *const after[] = {"mod_remoteip.c", NULL};

    ap_hook_post_read_request(receive, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_post_read_request(settle, after, NULL, APR_HOOK_FIRST);
}
