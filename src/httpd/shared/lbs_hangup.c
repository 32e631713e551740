/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hangup.c - see lbs_client.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif
#include "src/httpd/shared/lbs_hangup.h"

#include <ap_mpm.h>
#include <apr_portable.h>
#include <http_core.h>
#include <poll.h>
#include <scoreboard.h>
#include <sys/socket.h>

/* @return 1: its end stands behind all that was received */
static int has_ended(int fd)
{
#ifdef POLLRDHUP
    struct pollfd look = {.fd = fd, .events = POLLRDHUP};

    return poll(&look, 1, 0) > 0
           && (look.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
#else
    /* Only seen when nothing is left to be read. */
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
#endif
}

int lbs_hangup_seen(const request_rec *r)
{
    conn_rec *c = r->connection;
    apr_socket_t *socket =
        ap_get_conn_socket(c->master != NULL ? c->master : c);
    apr_os_sock_t fd = -1;

    if (!c->aborted && socket != NULL) {
        (void)apr_os_sock_get(&fd, socket);
        if (fd < 0 || has_ended(fd)) {
            c->aborted = 1;
        }
    }
    return c->aborted != 0;
}

/* A child of the running generation that takes connections. */
static int is_anybody_left(int generation)
{
    int most = 0;
    int i;

    (void)ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &most);
    for (i = 0; i < most; i++) {
        const process_score *child = ap_get_scoreboard_process(i);

        if (child != NULL && child->pid != 0 && !child->quiescing
            && child->generation == generation) {
            return 1;
        }
    }
    return 0;
}

int lbs_hangup_server_stops(void)
{
    const global_score *global;
    int state = AP_MPMQ_RUNNING;
    int generation = 0;
    int threaded = 0;

    if (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS
        || state != AP_MPMQ_STOPPING) {
        return 0;
    }
    global = ap_get_scoreboard_global();
    (void)ap_mpm_query(AP_MPMQ_GENERATION, &generation);
    if (global == NULL || global->running_generation != generation) {
        return 0;
    }
    /* A prefork child with a request is told by a signal for all, and says
     * nowhere that it takes no more. */
    (void)ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded);
    return threaded == AP_MPMQ_NOT_SUPPORTED || !is_anybody_left(generation);
}
