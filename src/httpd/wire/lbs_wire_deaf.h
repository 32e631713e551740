/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_deaf.h - a member that reads no more, seen before it is written to.
 *
 * Handlers that write to a socket by themselves give up at the first write
 * that fails, and with that the answer that is there to be read. Where filters
 * stand, lbs_wire_out.h deals with that.
 */
#ifndef LBS_WIRE_DEAF_H
#define LBS_WIRE_DEAF_H

#include <apr_network_io.h>

/**
 * Wait until the member takes more of the request, or has closed.
 *
 * Waits as long as the socket's time-out; after that the next write to it
 * ends at once with APR_TIMEUP. Of a connection that was reset no more than
 * the end is seen by those who read what came before.
 *
 * @return 1: it has closed its side, so nothing is to be sent any more
 */
int lbs_wire_deaf(apr_socket_t *socket);

#endif
