/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_client.c - see lbs_client.h. */
#include "src/httpd/decide/lbs_client.h"

#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <string.h>

#include "src/base/lbs_slice.h"
#include "src/httpd/pool/lbs_received.h"

static const struct {
    const char *field, *note;
} noted[] = {
    {LBS_CLIENT_PROTO, "lbsticky-client-proto"},
    {LBS_CLIENT_PORT, "lbsticky-client-port"},
};
#define NOTED (sizeof(noted) / sizeof(noted[0]))

/* Before "RequestHeader early". The note is the very text of the header: what
 * is set afterwards is another one, though it may read the same. */
static int note_fields(request_rec *r)
{
    unsigned i;

    for (i = 0; i < NOTED; i++) {
        const char *value = apr_table_get(r->headers_in, noted[i].field);

        if (value != NULL) {
            apr_table_setn(r->notes, noted[i].note, value);
        }
    }
    return DECLINED;
}

void lbs_client_register(void)
{
    ap_hook_post_read_request(note_fields, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

/* Behind the PROXY protocol all fields are the client's own. */
int lbs_client_trusted(const request_rec *r)
{
    if (lbs_received_of(r)->from != LBS_RECEIVED_CLIENT) {
        return 1; /* a peer's word about the scheme is signed */
    }
    return (r->useragent_addr != r->connection->client_addr
            || apr_table_get(r->notes, "remoteip-proxy-ip-list") != NULL)
           && !lbs_received_is_framed(r->connection);
}

/* Internal redirects and subrequests have the header of the first request,
 * and notes of their own. */
static const char *sent_by_client(const request_rec *r, const char *name)
{
    unsigned i = strcmp(name, noted[0].field) == 0 ? 0 : 1;

    while (r->prev != NULL || r->main != NULL) {
        r = r->prev != NULL ? r->prev : r->main;
    }
    return apr_table_get(r->notes, noted[i].note);
}

/* A field that the configuration adds stands behind the client's own. */
static int find_added(void *baton, const char *name, const char *value)
{
    const char **found = baton;

    (void)name;
    if (value == *found) {
        return 1;
    }
    *found = value;
    return 0;
}

const char *lbs_client_told(const request_rec *r, const char *name)
{
    const char *value = apr_table_get(r->headers_in, name);
    const char *found = value;

    if (value == NULL || value != sent_by_client(r, name)) {
        return value;
    }
    if (!apr_table_do(find_added, &found, r->headers_in, name, NULL)) {
        return found;
    }
    return lbs_client_trusted(r) ? value : NULL;
}

int lbs_client_https(const request_rec *r, const char *proto)
{
    if (proto == NULL) {
        return strcmp(ap_http_scheme(r), "https") == 0;
    }
    /* The first of several values is the client's. */
    return lbs_slice_caseeq(
        lbs_slice_span(proto, proto + strcspn(proto, ", \t")),
        lbs_slice_of("https"));
}

int lbs_client_claims_https(const request_rec *r)
{
    const char *sent = sent_by_client(r, LBS_CLIENT_PROTO);

    return sent != NULL && lbs_client_https(r, sent);
}

/* The port of ServerName, unless it is only that of <VirtualHost>. A
 * ServerName with a scheme is written.
 * @return 0: none is written */
static apr_port_t named_port(const server_rec *s)
{
    const server_addr_rec *at;

    if (s->server_scheme != NULL) {
        return s->port;
    }
    for (at = s->addrs; at != NULL; at = at->next) {
        if (at->host_port == s->port) {
            return 0;
        }
    }
    return s->port;
}

/* A proxy in front that speaks of a scheme and no port means the scheme's own
 * port, and so does a ServerName; a port in Host that is the one it connects
 * to is the proxy's idea. */
apr_port_t lbs_client_port(const request_rec *r, const char *proto)
{
    apr_port_t local = r->connection->local_addr->port;
    apr_port_t named = named_port(r->server);
    apr_port_t asked = r->parsed_uri.port_str != NULL ? r->parsed_uri.port : 0;

    if (proto != NULL) {
        return asked != 0 && asked != local ? asked
               : lbs_client_https(r, proto) ? 443
                                            : 80;
    }
    if (named != 0) {
        return named;
    }
    if (r->server->server_scheme == NULL) {
        return asked != 0 ? asked : local;
    }
    return asked != 0 && asked != local ? asked
           : asked == 0                 ? ap_get_server_port(r)
                                        : (apr_port_t)ap_default_port(r);
}
