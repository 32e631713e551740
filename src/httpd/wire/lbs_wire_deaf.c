/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_deaf.c - see lbs_wire_deaf.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif
#include "src/httpd/wire/lbs_wire_deaf.h"

#include <apr_portable.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#include "src/httpd/shared/lbs_clock.h"

#ifdef POLLRDHUP
#define CLOSED (POLLRDHUP | POLLHUP | POLLERR)
#else
#define CLOSED (POLLHUP | POLLERR)
#endif

/* As short as a time-out can be. */
#define AT_ONCE 1 /* microseconds */

/* Milliseconds that are left of a wait; -1: no end. */
static int left_of(apr_interval_time_t whole, apr_time_t began)
{
    apr_interval_time_t left = whole - (lbs_clock_now() - began);

    if (whole < 0) {
        return -1;
    }
    if (left <= 0) {
        return 0;
    }
    left = left / 1000 + 1;
    return left > INT_MAX ? INT_MAX : (int)left;
}

int lbs_wire_deaf(apr_socket_t *socket)
{
    struct pollfd look = {.fd = -1, .events = POLLOUT | CLOSED};
    apr_interval_time_t whole = -1;
    apr_time_t began = lbs_clock_now();
    int error, n;
    socklen_t size = sizeof(error);

    if (apr_os_sock_get(&look.fd, socket) != APR_SUCCESS || look.fd < 0
        || apr_socket_timeout_get(socket, &whole) != APR_SUCCESS) {
        return 0;
    }
    do {
        n = poll(&look, 1, left_of(whole, began));
    } while (n < 0 && errno == EINTR);
    if (n == 0) {
        (void)apr_socket_timeout_set(socket, AT_ONCE);
        return 0;
    }
    if (n < 0 || (look.revents & CLOSED) == 0) {
        return 0;
    }
    /* Asking for the error takes it: reading comes to the end instead. */
    (void)getsockopt(look.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return 1;
}
