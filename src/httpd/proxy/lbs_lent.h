/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_lent.h - which connection mod_proxy lends to a scheme's handler.
 *
 * The handlers of scgi, fcgi and uwsgi write to a socket by themselves, where
 * no filter stands. mod_proxy takes their connections out of a list that calls
 * a constructor when nothing idle is in it. In front of the list of a member's
 * worker stands another one that keeps nothing idle: its constructor takes a
 * connection out of mod_proxy's own list, so it runs each time, in the thread
 * that the connection is for. Without threads there is one connection.
 */
#ifndef LBS_LENT_H
#define LBS_LENT_H

#include <apr_network_io.h>
#include <mod_proxy.h>

/* What a thread's handler was lent. */
typedef struct lbs_lent_t {
    const proxy_conn_rec *conn; /* NULL: nothing yet, or it is not known */
    int kept;                   /* it was connected then */
} lbs_lent_t;

/** Does the worker's handler write parts of the body until a write fails?
 * Those of fcgi, scgi and uwsgi do; with AJP the member asks for each part. */
int lbs_lent_pushes(const proxy_worker *worker);

/** Look at such a worker's connections from now on. Once for each, in
 * child_init after mod_proxy's; a worker that mod_proxy adds later is not
 * looked at. */
void lbs_lent_watch(proxy_worker *worker);

/** A handler of this worker is about to run in this thread.
 * @param lent  the caller's, until lbs_lent_end()
 * @return the one before, to be given to lbs_lent_end() */
lbs_lent_t *lbs_lent_begin(const proxy_worker *worker, lbs_lent_t *lent);

/** It has run. @param before  what lbs_lent_begin() returned */
void lbs_lent_end(lbs_lent_t *before);

/** The socket that was opened for the handler that runs in this thread; NULL
 * before that, for a connection that was kept, and when it is not known. */
apr_socket_t *lbs_lent_opened(void);

#endif
