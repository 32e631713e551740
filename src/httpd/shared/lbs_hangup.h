/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hangup.h - is anybody still there to be answered? Asked by requests that
 * wait, and so do not touch the client's connection.
 */
#ifndef LBS_HANGUP_H
#define LBS_HANGUP_H

#include <httpd.h>

/**
 * Has the client hung up? Also when it has only closed its sending side: a
 * client that does that and still wants its answer cannot be told from one
 * that is gone. Unread bytes that it sent before do not hide the end. A
 * connection that httpd itself has closed, because it stops, is one, too.
 *
 * Marks the connection as aborted. Cost: a system call; reads nothing.
 *
 * @return 1: the client is gone; 0: nothing says so
 */
int lbs_hangup_seen(const request_rec *r);

/**
 * Is httpd being stopped, at once or gracefully? Not so for a reload, whose
 * old children finish what they have, nor for one child that makes room.
 *
 * Cost: nothing as long as this child goes on; then a look at all children.
 */
int lbs_hangup_server_stops(void);

#endif
