/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_backend.h - what happens on the connection to a member.
 *
 * mod_proxy tells by a status how an attempt ended, and little else. What may
 * be repeated depends on more: was the connection new or kept alive, was
 * anything sent, did anything come back. Filters on the connections that
 * mod_proxy opens for this module's attempts see that. They also refuse a
 * kept-alive connection that a request which cannot be repeated should not
 * trust, and break off waiting for a member that was found to hang.
 *
 * Schemes that do not use httpd's connection filters (ajp, fcgi, scgi, uwsgi)
 * are not seen: their attempts count as sent and unanswered.
 */
#ifndef LBS_BACKEND_H
#define LBS_BACKEND_H

#include <httpd.h>

/* What was seen of one attempt; zero it before. */
typedef struct lbs_backend_t {
    int connected;  /* a new connection was opened for it, or one that was
                       kept has proved to be alive */
    int seen;       /* the connection passed through our filters */
    int sent;       /* something was written */
    int unshaken;   /* TLS was not agreed on: nothing was sent after all */
    int lost;       /* while writing: the other side is gone */
    int received;   /* something was read, beside 1xx */
    int refused;    /* we refused the connection: nothing was sent */
    int broken_off; /* we gave up waiting: the member hangs */
    int timed_out;  /* HTTP/2: the last wait took as long as it may */
    unsigned on;    /* HTTP/2: number of the connection it was sent on */
    int was_new;    /* and whether that was a new one then */
    /* In. */
    int repeatable; /* the attempt may be made elsewhere */
    int framed;     /* HTTP/2: much is read before there is an answer */
    int (*trusts)(void *baton);    /* will a connection do that was idle? */
    int (*is_out)(void *baton);    /* while waiting: is the member out? */
    void (*on_first)(void *baton); /* the first byte came */
    void *baton;
} lbs_backend_t;

/** The answer has begun to come; with HTTP/2 only the caller can tell. */
void lbs_backend_answered(lbs_backend_t *backend);

/** What was received is a 1xx: no answer yet, but the connection is not one
 * that was closed while nobody used it. */
void lbs_backend_interim(lbs_backend_t *backend);

/** Register the filters and the hook. Once, in register_hooks. */
void lbs_backend_register(void);

/** Have this called, with the attempt's baton, at the blank line after each
 * head of an answer, interim ones too: mod_proxy has taken in the head, and
 * has done nothing with it yet. Once, in register_hooks. */
void lbs_backend_on_head(void (*on_head)(void *baton));

/** Watch the connection this thread will use, until lbs_backend_end().
 * @return the one watched before, to be given to lbs_backend_end() */
lbs_backend_t *lbs_backend_begin(lbs_backend_t *backend);

/** Watch no longer. @param before  what lbs_backend_begin() returned */
void lbs_backend_end(lbs_backend_t *before);

#endif
