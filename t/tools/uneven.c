/* SPDX-License-Identifier: Apache-2.0 */
/* uneven.c - servers of unequal speed, and visitors who do not wait.
 *
 *     uneven serve MS WORKERS SPEED...
 *         A server on a port of 127.0.0.1 for each speed; their ports are
 *         printed in one line. Each works on as many requests at once as it
 *         has workers, first come, first served, for an exponential time of
 *         MS milliseconds on average, divided by its speed. Ends with stdin.
 *
 *     uneven visit PORT RATE SECONDS VISITORS SEED
 *         RATE requests a second in the mean, by chance (Poisson), whether
 *         those before are answered or not. VISITORS: so many keep the cookies
 *         that they were given before, when one came after the other; 0:
 *         nobody has any. The first tenth of the time is not counted. Prints
 * answers, errors (no answer, or a status other than 200), and milliseconds:
 * p50, p99, p99.9.
 *
 * The same seed makes the same arrivals. One thread each.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "src/base/lbs_rand.h"

#define SERVERS_MAX 64
#define CONNS_MAX 16384
#define TEXT 4096
#define COOKIE 512
#define GIVE_UP 10.0 /* seconds */

typedef struct conn_t {
    int fd; /* -1: vacant */
    int server;
    int visitor;
    int busy; /* a request of it waits or is worked on */
    int gone; /* its other end left meanwhile */
    int length;
    double began;
    struct conn_t *next; /* queue of a server, or idle ones */
    char text[TEXT];
} conn_t;

typedef struct server_t {
    double speed;
    int busy;
    conn_t *first, *last;
} server_t;

typedef struct due_t {
    double at;
    conn_t *conn;
} due_t;

static conn_t conns[CONNS_MAX];
static server_t servers[SERVERS_MAX];
static due_t *dues;
static int due_count;
static int poller;
static lbs_rand_t rand_state;

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double exponential(double mean)
{
    return -mean * log(1 - lbs_rand_unit(&rand_state));
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int fd, uint64_t number)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = number};
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll_ctl");
    }
}

static conn_t *conn_of(int fd)
{
    conn_t *conn = fd < CONNS_MAX ? &conns[fd] : NULL;

    if (conn == NULL) {
        fprintf(stderr, "uneven: more than %d descriptors\n", CONNS_MAX);
        exit(1);
    }
    memset(conn, 0, sizeof(*conn));
    conn->fd = fd;
    return conn;
}

static void hang_up(conn_t *conn)
{
    close(conn->fd);
    conn->fd = -1;
}

/* @return 1 if there is more, 0 if it was closed; what came is in text */
static int read_some(conn_t *conn)
{
    ssize_t got = recv(conn->fd, conn->text + conn->length,
                       (size_t)(TEXT - 1 - conn->length), 0);

    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    conn->length += (int)got;
    conn->text[conn->length] = '\0';
    return 1;
}

/* Servers ---------------------------------------------------------------- */

static void due(double at, conn_t *conn)
{
    int i = due_count++;

    while (i > 0 && dues[(i - 1) / 2].at > at) {
        dues[i] = dues[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    dues[i] = (due_t){at, conn};
}

static conn_t *due_next(void)
{
    conn_t *conn = dues[0].conn;
    due_t last = dues[--due_count];
    int i = 0;

    for (;;) {
        int child = 2 * i + 1;

        if (child + 1 < due_count && dues[child + 1].at < dues[child].at) {
            child++;
        }
        if (child >= due_count || dues[child].at >= last.at) {
            break;
        }
        dues[i] = dues[child];
        i = child;
    }
    dues[i] = last;
    return conn;
}

static void work(conn_t *conn, double mean)
{
    server_t *server = &servers[conn->server];

    server->busy++;
    due(seconds() + exponential(mean / server->speed), conn);
}

static void asked(conn_t *conn, double mean, int workers)
{
    server_t *server = &servers[conn->server];

    conn->busy = 1;
    conn->length = 0;
    conn->next = NULL;
    if (server->busy < workers) {
        work(conn, mean);
        return;
    }
    if (server->first == NULL) {
        server->first = conn;
    }
    else {
        server->last->next = conn;
    }
    server->last = conn;
}

static void done(conn_t *conn, double mean)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
    server_t *server = &servers[conn->server];
    conn_t *next = server->first;

    conn->busy = 0;
    if (conn->gone) {
        hang_up(conn);
    }
    else {
        (void)!send(conn->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
    }
    server->busy--;
    if (next != NULL) {
        server->first = next->next;
        work(next, mean);
    }
}

static int listen_at(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, size) != 0
        || listen(fd, 1024) != 0
        || getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        die("listen");
    }
    printf("%d ", ntohs(address.sin_port));
    return fd;
}

/* A connection whose request is worked on keeps its place till that is done:
 * its descriptor is closed then. */
static void heard(conn_t *conn, double mean, int workers)
{
    if (!read_some(conn)) {
        if (conn->busy) {
            (void)epoll_ctl(poller, EPOLL_CTL_DEL, conn->fd, NULL);
            conn->gone = 1;
            return;
        }
        hang_up(conn);
    }
    else if (!conn->busy && strstr(conn->text, "\r\n\r\n") != NULL) {
        asked(conn, mean, workers);
    }
}

static int serve(int argc, char **argv)
{
    double mean = atof(argv[2]) / 1000;
    int workers = atoi(argv[3]);
    int listener[SERVERS_MAX];
    int n;

    for (n = 0; n + 4 < argc && n < SERVERS_MAX; n++) {
        servers[n].speed = atof(argv[n + 4]);
        listener[n] = listen_at();
        watch(listener[n], (uint64_t)listener[n] | (uint64_t)(n + 1) << 32);
    }
    printf("\n");
    fflush(stdout);
    watch(0, 0);
    for (;;) {
        struct epoll_event event[64];
        double wait = due_count > 0 ? dues[0].at - seconds() : 1;
        int i, got = epoll_wait(poller, event, 64,
                                wait > 0 ? (int)ceil(wait * 1000) : 0);

        for (i = 0; i < got; i++) {
            int fd = (int)(event[i].data.u64 & 0xffffffff);
            int of = (int)(event[i].data.u64 >> 32);
            int new = of != 0 ? accept(fd, NULL, NULL) : -1;

            if (fd == 0) {
                return 0;
            }
            if (new >= 0) {
                conn_of(new)->server = of - 1;
                watch(new, (uint64_t) new);
            }
            else if (of == 0) {
                heard(&conns[fd], mean, workers);
            }
        }
        while (due_count > 0 && dues[0].at <= seconds()) {
            done(due_next(), mean);
        }
    }
}

/* Visitors --------------------------------------------------------------- */

typedef struct crowd_t {
    struct sockaddr_in to;
    conn_t *idle;
    char (*cookie)[COOKIE];
    double *took;
    long answers, errors;
    double counted_from;
    int open;
} crowd_t;

static void failed(crowd_t *crowd, conn_t *conn)
{
    crowd->errors += conn->began >= crowd->counted_from;
    crowd->open--;
    hang_up(conn);
}

static void send_one(crowd_t *crowd, int visitor)
{
    char request[COOKIE + 128];
    conn_t *conn = crowd->idle;
    int length;

    if (conn != NULL) {
        crowd->idle = conn->next;
    }
    else {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        if (fd < 0
            || connect(fd, (struct sockaddr *)&crowd->to, sizeof(crowd->to))
                   != 0) {
            die("connect");
        }
        conn = conn_of(fd);
        watch(fd, (uint64_t)fd);
    }
    conn->busy = 1;
    conn->length = 0;
    conn->visitor = visitor;
    conn->began = seconds();
    crowd->open++;
    length = snprintf(request, sizeof(request),
                      "GET / HTTP/1.1\r\nHost: uneven\r\n%s\r\n",
                      visitor >= 0 ? crowd->cookie[visitor] : "");
    if (send(conn->fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
        failed(crowd, conn);
    }
}

/* The request's field with all that the answer sets. */
static void keep_cookies(char *cookie, const char *text)
{
    const char *line = text;

    while ((line = strcasestr(line, "\r\nset-cookie:")) != NULL) {
        line += strlen("\r\nset-cookie:");
        line += strspn(line, " ");
        snprintf(cookie, COOKIE, "Cookie: %.*s\r\n", (int)strcspn(line, ";\r"),
                 line);
    }
}

static void answered(crowd_t *crowd, conn_t *conn)
{
    const char *end = strstr(conn->text, "\r\n\r\n");
    const char *length = strcasestr(conn->text, "\r\ncontent-length:");
    double now = seconds();

    if (end == NULL
        || (length != NULL
            && end + 4 - conn->text + atoi(length + 17) > conn->length)) {
        return;
    }
    if (conn->began >= crowd->counted_from) {
        crowd->errors += strstr(conn->text, " 200 ") == NULL;
        crowd->took[crowd->answers++] = now - conn->began;
    }
    if (conn->visitor >= 0) {
        keep_cookies(crowd->cookie[conn->visitor], conn->text);
    }
    conn->busy = 0;
    crowd->open--;
    if (strcasestr(conn->text, "\r\nconnection: close") != NULL) {
        hang_up(conn);
        return;
    }
    conn->next = crowd->idle;
    crowd->idle = conn;
}

static void drop_idle(crowd_t *crowd, conn_t *conn)
{
    conn_t **at = &crowd->idle;

    while (*at != NULL && *at != conn) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = conn->next;
    }
    hang_up(conn);
}

static void wait_for_answers(crowd_t *crowd, double until)
{
    struct epoll_event event[64];
    double wait = until - seconds();
    int i, got = epoll_wait(poller, event, 64,
                            wait > 0 ? (int)ceil(wait * 1000) : 0);

    for (i = 0; i < got; i++) {
        conn_t *conn = &conns[event[i].data.u64];

        if (conn->fd < 0) {
            continue;
        }
        if (read_some(conn)) {
            answered(crowd, conn);
        }
        else if (conn->busy) {
            failed(crowd, conn);
        }
        else {
            drop_idle(crowd, conn);
        }
    }
}

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return a < b ? -1 : a > b;
}

static double at(const crowd_t *crowd, double part)
{
    return crowd->answers == 0
               ? 0
               : crowd->took[(long)((double)crowd->answers * part)] * 1000;
}

/* Each once, before anything is counted. */
static void come_one_by_one(crowd_t *crowd, int visitors)
{
    double late = seconds() + 60;
    int i;

    crowd->counted_from = late;
    for (i = 0; i < visitors; i++) {
        send_one(crowd, i);
        while (crowd->open > 0 && seconds() < late) {
            wait_for_answers(crowd, late);
        }
    }
}

static int visit(char **argv)
{
    double rate = atof(argv[3]);
    double length = atof(argv[4]);
    int visitors = atoi(argv[5]);
    double start;
    double next;
    crowd_t crowd = {.to.sin_family = AF_INET};

    crowd.to.sin_port = htons((uint16_t)atoi(argv[2]));
    crowd.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    crowd.cookie = calloc((size_t)visitors + 1, COOKIE);
    crowd.took = calloc((size_t)(rate * length * 2) + 1000, sizeof(double));
    rand_state.state = lbs_hash_mix((uint64_t)atoll(argv[6]));
    come_one_by_one(&crowd, visitors);
    start = seconds();
    next = start;
    crowd.counted_from = start + length / 10;
    while (seconds() < start + length) {
        while (next <= seconds() && next < start + length) {
            send_one(&crowd, visitors > 0 ? (int)lbs_rand_below(
                                 &rand_state, (uint32_t)visitors)
                                          : -1);
            next += exponential(1 / rate);
        }
        wait_for_answers(&crowd, next);
    }
    while (crowd.open > 0 && seconds() < start + length + GIVE_UP) {
        wait_for_answers(&crowd, seconds() + 0.1);
    }
    qsort(crowd.took, (size_t)crowd.answers, sizeof(double), by_size);
    printf("%ld\t%ld\t%.1f\t%.1f\t%.1f\n", crowd.answers,
           crowd.errors + crowd.open, at(&crowd, 0.5), at(&crowd, 0.99),
           at(&crowd, 0.999));
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(0);
    dues = calloc(CONNS_MAX, sizeof(*dues));
    rand_state.state = lbs_hash_mix(1);
    if (argc > 4 && strcmp(argv[1], "serve") == 0) {
        return serve(argc, argv);
    }
    if (argc == 7 && strcmp(argv[1], "visit") == 0) {
        return visit(argv);
    }
    fputs("uneven serve MS WORKERS SPEED... | "
          "visit PORT RATE SECONDS VISITORS SEED\n",
          stderr);
    return 2;
}
