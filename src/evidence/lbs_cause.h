/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_cause.h - why an attempt ended as it did.
 *
 * A scheme's handler says little about its end: a number. The rest follows
 * from what was seen of the member's connection, the client's body and the
 * answer. Every combination has exactly one cause, and every cause exactly one
 * consequence: docs/design.md, section 3, has the table.
 */
#ifndef LBS_CAUSE_H
#define LBS_CAUSE_H

typedef enum lbs_cause_t {
    LBS_CAUSE_NONE,    /* it was answered */
    LBS_CAUSE_FULL,    /* its limit or its connection pool is used up */
    LBS_CAUSE_CLOSED,  /* it was taken out before anything was sent */
    LBS_CAUSE_CONNECT, /* no connection: it never saw the request */
    LBS_CAUSE_UNTAKEN, /* HTTP/2: it says that it did not process it */
    LBS_CAUSE_STALE,   /* a kept-alive connection had ended */
    LBS_CAUSE_RESET,   /* the connection ended before an answer */
    LBS_CAUSE_STALL,   /* it hangs: we stopped waiting */
    LBS_CAUSE_TIMEOUT, /* the response time-out */
    LBS_CAUSE_STATUS,  /* it answered with a status of LBStickyRetry */
    LBS_CAUSE_GARBAGE, /* its answer was no HTTP */
    LBS_CAUSE_BODY,    /* the answer broke off: too late for another */
    LBS_CAUSE_QUIET,   /* the answer began, then fell silent */
    LBS_CAUSE_REFUSED, /* httpd refused the request, or took not the answer */
    LBS_CAUSE_CLIENT   /* the client went away, or its body was no body */
} lbs_cause_t;

/* What the handler's number means. */
typedef enum lbs_said_t {
    LBS_SAID_DONE,    /* OK, DONE, SUSPENDED, DECLINED */
    LBS_SAID_ANSWER,  /* a status below 400: httpd shall answer for it */
    LBS_SAID_REFUSED, /* 4xx, 501: it could not even be sent */
    LBS_SAID_503,     /* no connection, in most handlers */
    LBS_SAID_504,     /* a time-out */
    LBS_SAID_FAILED,  /* another 5xx */
    LBS_SAID_NOTHING  /* no status: a filter of httpd's ended it */
} lbs_said_t;

/* All that is known when the handler has returned. */
typedef struct lbs_facts_t {
    lbs_said_t said;
    /* The client. */
    unsigned gone : 1;   /* its connection is aborted */
    unsigned unread : 1; /* its body could not be read */
    unsigned slow : 1;   /* it took the answer so slowly that the member may
                            have given up */
    /* The answer, as it came in. */
    unsigned answered : 1;  /* it has begun */
    unsigned cut : 1;       /* it has not come to its end */
    unsigned discarded : 1; /* it is thrown away for its status */
    unsigned tunnel : 1;    /* it was a switch of protocols */
    unsigned limit : 1;     /* its head is more than httpd takes */
    /* The member's connection. */
    unsigned watched : 1;     /* what is sent on it can be seen */
    unsigned seen : 1;        /* and something of it was */
    unsigned fresh : 1;       /* it was opened for this attempt */
    unsigned sent : 1;        /* something was written */
    unsigned received : 1;    /* something was read, beside 1xx */
    unsigned lost : 1;        /* while writing: the other side is gone */
    unsigned unshaken : 1;    /* TLS was not agreed on: nothing was sent */
    unsigned mistrusted : 1;  /* we did not want to use it: nothing was sent */
    unsigned abandoned : 1;   /* we gave up waiting: the member hangs */
    unsigned unprocessed : 1; /* HTTP/2: the member says so */
    unsigned quiet : 1;       /* the last wait took as long as it may */
    unsigned exhausted : 1;   /* its connection pool is used up */
    unsigned rejected : 1;    /* mod_proxy refused before it connected */
} lbs_facts_t;

/** What a handler returned, as a word. */
lbs_said_t lbs_cause_said(int status);

/** The one cause of all that was seen. */
lbs_cause_t lbs_cause_find(const lbs_facts_t *facts);

/** @return 1: the member is to blame, and the request was sent to it. A second
 * member that fails in the same way points to the request instead */
int lbs_cause_is_failure(lbs_cause_t cause);

/** @return 1: the member has not seen the request, so that going on elsewhere
 * is no repetition */
int lbs_cause_is_unseen(lbs_cause_t cause);

#endif
