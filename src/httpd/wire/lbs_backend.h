/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_backend.h - what is seen of an attempt on the connection to a member.
 *
 * mod_proxy reports the end of an attempt by a status, and little else.
 * Whether a request may be repeated depends on more: was the connection new or
 * kept alive, was anything sent, did anything come back. The filters of
 * lbs_wire.h note that here, for the attempt of their thread.
 *
 * Schemes that do not use httpd's connection filters (ajp, fcgi, scgi; uwsgi
 * when it sends) are not seen: their attempts count as sent and unanswered,
 * but for what their modules write into the error log; lbs_attempt.c asks
 * mod_proxy's pool whether they get a kept connection.
 */
#ifndef LBS_BACKEND_H
#define LBS_BACKEND_H

#include <httpd.h>

/* Questions that the filters ask an attempt under way. */
typedef struct lbs_backend_asks_t {
    int (*trusts)(void *baton); /* will a connection do that was idle? */
    int (*is_out)(void *baton); /* while waiting: is the member out? */
    void (*on_first)(void *baton, apr_time_t now); /* the first byte came */
    int (*expects)(void *baton);  /* does the client wait for a 100? */
    void (*on_deaf)(void *baton); /* the member reads no more */
    int (*restart)(void *baton);  /* HTTP/2: it is sent again from its
                                     begin. @return 1: let it be */
} lbs_backend_asks_t;

/* Observations of one attempt; zero it before. */
typedef struct lbs_backend_t {
    int connected;    /* a new connection was opened for it, or a kept one has
                         proved to be alive */
    int seen;         /* the connection passed through our filters, or it is
                         known whether it was kept */
    int sent;         /* something was written */
    int unshaken;     /* TLS was not agreed on: nothing was sent after all */
    int lost;         /* while writing: the other side is gone */
    int received;     /* something was read, beside 1xx */
    int headed;       /* the head of the answer was read to its end */
    int refused;      /* we refused the connection: nothing was sent */
    int broken_off;   /* we gave up waiting: the member hangs */
    int quiet;        /* the last wait took as long as it may */
    int over_limit;   /* a head is longer than httpd takes */
    int unprocessed;  /* HTTP/2: the member says that it did nothing */
    int assumed;      /* a 100 was said for it */
    unsigned interim; /* 1xx heads */
    unsigned on;      /* HTTP/2: number of the connection it was sent on */
    int was_new;      /* and whether that was a new one then */
    unsigned heads;   /* HTTP/2: HEADERS on that stream, interim ones too;
                         ajp: the head of the answer, or a part of it */
    apr_uint32_t stream; /* HTTP/2: number of the stream it was sent on */
    apr_size_t line;     /* bytes of the field of a head that is being read */
    int in_line;         /* its line goes on */
    apr_time_t sent_at;  /* monotonic; the last write */
    int unopened;        /* its module says that no connection was opened */
    apr_status_t told;   /* what the scheme's module wrote into the log */
    /* In. */
    int repeatable; /* the attempt may be made elsewhere */
    int secured;    /* by TLS */
    int framed;     /* HTTP/2: much is read before there is an answer */
    int unwritten;  /* uwsgi: what is sent passes no filter, the answer does */
    apr_size_t most; /* bytes that a line of a head may have */
    const lbs_backend_asks_t *asks;
    void *baton;
} lbs_backend_t;

/** The answer has begun to come; with HTTP/2 only the caller can tell. */
void lbs_backend_answered(lbs_backend_t *backend);

/** What was received is a 1xx: no answer yet, but the connection was not
 * closed while it was idle. */
void lbs_backend_interim(lbs_backend_t *backend);

/** Watch the connection this thread will use, until lbs_backend_end().
 * @return the one watched before, to be given to lbs_backend_end() */
lbs_backend_t *lbs_backend_begin(lbs_backend_t *backend);

/** Watch no longer. @param before  what lbs_backend_begin() returned */
void lbs_backend_end(lbs_backend_t *before);

#endif
