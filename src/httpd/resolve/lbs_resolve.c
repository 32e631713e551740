/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_resolve.c - see lbs_resolve.h. */
#include "src/httpd/resolve/lbs_resolve.h"

#include <apr_strings.h>
#include <string.h>

#include "src/base/lbs_text.h"

#define SERVERS_MOST 8

/* @return 1; out: where the address is, and behind it */
static int check_server(const char *text, apr_size_t n)
{
    const char *end = text + n, *host = text, *colon = NULL;
    apr_uint64_t port;
    lbs_net_t net;

    if (n > 0 && *text == '[') {
        const char *close = memchr(text, ']', n);

        if (close == NULL || (close + 1 < end && close[1] != ':')) {
            return 0;
        }
        host++;
        colon = close + 1 < end ? close + 1 : NULL;
        end = close;
    }
    else {
        colon = memchr(text, ':', n);
        if (colon != NULL
            && memchr(colon + 1, ':', (size_t)(end - colon) - 1)) {
            colon = NULL; /* version 6 */
        }
        end = colon != NULL ? colon : end;
    }
    if (!lbs_net_read(host, (apr_size_t)(end - host), &net)) {
        return 0;
    }
    if (colon != NULL) {
        char digits[8];
        apr_size_t len = (apr_size_t)(text + n - colon) - 1;

        if (len >= sizeof(digits)) {
            return 0;
        }
        memcpy(digits, colon + 1, len);
        digits[len] = '\0';
        return lbs_text_uint(digits, 1, 65535, &port) == NULL;
    }
    return 1;
}

const char *lbs_resolve_check_servers(const char *text)
{
    int count = 0;

    for (;;) {
        apr_size_t n = strcspn(text, ",");

        if (!check_server(text, n) || ++count > SERVERS_MOST) {
            return "up to eight addresses of name servers such as "
                   "10.0.0.2,[fd00::2]:5353";
        }
        if (text[n] == '\0') {
            return NULL;
        }
        text += n + 1;
    }
}

#ifdef LBS_HAVE_CARES

#define CARES_NO_DEPRECATED /* its newer functions are not in 1.18 */
#include <ares.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#define SOCKETS_MOST 32
#define TRY_MS 1500 /* for the first answer of a server, then twice that */
#define TRIES 2
#define HOSTS "/etc/hosts"
#define HOSTS_BYTES 262144

struct lbs_resolve_t {
    ares_channel channel;
    apr_pool_t *pool;
    int whole;         /* names are taken as they are written */
    int closing;       /* nobody is called any more */
    const char *hosts; /* the text of /etc/hosts; NULL: not read yet */
    struct pollfd polled[SOCKETS_MOST];
    int sockets;
};

typedef struct question_t {
    lbs_resolve_t *resolver;
    lbs_dns_type_t type;
    lbs_resolve_fn *then;
    void *baton;
} question_t;

static int is_ready;

static void prepare(void)
{
    is_ready = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
}

const char *lbs_resolve_missing(void)
{
    return NULL;
}

/* The sockets of the channel, as c-ares tells of them. */
static void note_socket(void *data, ares_socket_t fd, int reads, int writes)
{
    lbs_resolve_t *resolver = data;
    int i = 0;

    while (i < resolver->sockets && resolver->polled[i].fd != fd) {
        i++;
    }
    if (!reads && !writes) {
        if (i < resolver->sockets) {
            resolver->polled[i] = resolver->polled[--resolver->sockets];
        }
        return;
    }
    if (i == SOCKETS_MOST) {
        return; /* its answers are late */
    }
    resolver->sockets += i == resolver->sockets;
    resolver->polled[i] = (struct pollfd){
        .fd = fd,
        .events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0))};
}

/* The server that failed last is not the first to be asked again. */
static int turn_servers(lbs_resolve_t *resolver, unsigned first)
{
    struct ares_addr_port_node *head = NULL, *last, *start;
    unsigned n = 1;
    int ok;

    if (ares_get_servers_ports(resolver->channel, &head) != ARES_SUCCESS
        || head == NULL) {
        return 0;
    }
    for (last = head; last->next != NULL; last = last->next) {
        n++;
    }
    if (first % n == 0) {
        ares_free_data(head);
        return 1;
    }
    last->next = head; /* a ring */
    for (first %= n; first > 0; first--) {
        last = last->next;
    }
    start = last->next;
    last->next = NULL;
    ok = ares_set_servers_ports(resolver->channel, start) == ARES_SUCCESS;
    ares_free_data(start);
    return ok;
}

static int open_channel(lbs_resolve_t *resolver, const char *servers,
                        unsigned first)
{
    struct ares_options options = {
        .flags = ARES_FLAG_NOCHECKRESP, /* tells SERVFAIL from silence */
        .timeout = TRY_MS,
        .tries = TRIES,
        .sock_state_cb = note_socket,
        .sock_state_cb_data = resolver,
    };

    if (ares_init_options(&resolver->channel, &options,
                          ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES
                              | ARES_OPT_SOCK_STATE_CB)
        != ARES_SUCCESS) {
        return 0;
    }
    if ((servers != NULL
         && ares_set_servers_ports_csv(resolver->channel, servers)
                != ARES_SUCCESS)
        || !turn_servers(resolver, first)) {
        ares_destroy(resolver->channel);
        return 0;
    }
    return 1;
}

lbs_resolve_t *lbs_resolve_open(const char *servers, unsigned first,
                                apr_pool_t *pool)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    lbs_resolve_t *resolver = apr_pcalloc(pool, sizeof(*resolver));

    (void)pthread_once(&once, prepare);
    resolver->pool = pool;
    resolver->whole = servers != NULL;
    return is_ready && open_channel(resolver, servers, first) ? resolver
                                                              : NULL;
}

static lbs_roster_said_t said_by(int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
        return LBS_ROSTER_NO_NAME;
    case ARES_ENODATA:
        return LBS_ROSTER_NO_DATA;
    case ARES_ESERVFAIL:
    case ARES_ENOTIMP:
    case ARES_EFORMERR:
        return LBS_ROSTER_FAILS;
    case ARES_EREFUSED:
        return LBS_ROSTER_REFUSES;
    case ARES_ETIMEOUT:
        return LBS_ROSTER_LATE;
    case ARES_EBADRESP:
    case ARES_EBADNAME:
        return LBS_ROSTER_GARBLED;
    default:
        return LBS_ROSTER_SILENT;
    }
}

/* With a status of failure the bytes may say more. */
static void answer(void *data, int status, int timeouts, unsigned char *bytes,
                   int n)
{
    const question_t *question = data;
    lbs_dns_reply_t reply = {.said = said_by(status)};

    (void)timeouts;
    if (question->resolver->closing) {
        return;
    }
    if (bytes != NULL && n > 0) {
        reply = lbs_dns_read(bytes, (apr_size_t)n, question->type,
                             question->resolver->pool);
    }
    question->then(question->baton, &reply);
}

static int find_in_hosts(lbs_resolve_t *resolver, const char *name,
                         lbs_dns_type_t type, lbs_dns_reply_t *reply)
{
    if (resolver->hosts == NULL) {
        char *text = apr_palloc(resolver->pool, HOSTS_BYTES + 1);
        FILE *file = fopen(HOSTS, "re");
        size_t n = file != NULL ? fread(text, 1, HOSTS_BYTES, file) : 0;

        if (file != NULL) {
            (void)fclose(file);
        }
        text[n] = '\0';
        resolver->hosts = text;
    }
    return lbs_dns_hosts(resolver->hosts, name, type, resolver->pool, reply);
}

void lbs_resolve_ask(lbs_resolve_t *resolver, const char *name,
                     lbs_dns_type_t type, lbs_resolve_fn *then, void *baton)
{
    question_t *question = apr_palloc(resolver->pool, sizeof(*question));
    lbs_dns_reply_t reply;

    *question = (question_t){resolver, type, then, baton};
    if (resolver->whole) {
        ares_query(resolver->channel, name, 1, (int)type, answer, question);
    }
    else if (find_in_hosts(resolver, name, type, &reply)) {
        then(baton, &reply);
    }
    else {
        ares_search(resolver->channel, name, 1, (int)type, answer, question);
    }
}

void lbs_resolve_step(lbs_resolve_t *resolver)
{
    struct pollfd polled[SOCKETS_MOST];
    int i, n = resolver->sockets;

    memcpy(polled, resolver->polled, sizeof(polled));
    if (n > 0 && poll(polled, (nfds_t)n, 0) < 0) {
        n = 0;
    }
    for (i = 0; i < n; i++) {
        int reads = polled[i].revents & (POLLIN | POLLERR | POLLHUP);

        if (polled[i].revents != 0) {
            ares_process_fd(
                resolver->channel, reads ? polled[i].fd : ARES_SOCKET_BAD,
                polled[i].revents & POLLOUT ? polled[i].fd : ARES_SOCKET_BAD);
        }
    }
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void lbs_resolve_close(lbs_resolve_t *resolver)
{
    resolver->closing = 1;
    ares_destroy(resolver->channel);
}

#else

const char *lbs_resolve_missing(void)
{
    return "another source: this module was built without c-ares, which looks "
           "names up; install libc-ares-dev and build it again";
}

lbs_resolve_t *lbs_resolve_open(const char *servers, unsigned first,
                                apr_pool_t *pool)
{
    (void)servers;
    (void)first;
    (void)pool;
    return NULL;
}

void lbs_resolve_ask(lbs_resolve_t *resolver, const char *name,
                     lbs_dns_type_t type, lbs_resolve_fn *then, void *baton)
{
    (void)resolver;
    (void)name;
    (void)type;
    (void)then;
    (void)baton;
}

void lbs_resolve_step(lbs_resolve_t *resolver)
{
    (void)resolver;
}

void lbs_resolve_close(lbs_resolve_t *resolver)
{
    (void)resolver;
}

#endif
