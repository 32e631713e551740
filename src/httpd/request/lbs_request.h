/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_request.h - the module's state of one request.
 *
 * Made when mod_proxy asks for a member, kept in r->request_config, gone with
 * r->pool. lbs_decide.c fills it, lbs_forward.c sends the request along it,
 * lbs_learn.c remembers the keys that the visitor will show next time.
 */
#ifndef LBS_REQUEST_H
#define LBS_REQUEST_H

#include <httpd.h>
#include <util_filter.h>

#include "mod_lbsticky.h"
#include "src/affinity/lbs_control.h"
#include "src/httpd/decide/lbs_choice.h"
#include "src/httpd/decide/lbs_visit.h"
#include "src/httpd/request/lbs_body.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/wire/lbs_backend.h"
#include "src/member/lbs_inflight.h"

/* One attempt: a request at one member, until it is answered or has failed.
 * Zeroed when it begins. */
typedef struct lbs_attempt_t {
    lbs_flight_t flight;    /* its place among what the member has in flight */
    lbs_backend_t backend;  /* what was seen of the member's connection */
    apr_time_t sent_at;     /* monotonic */
    apr_time_t whole_at;    /* the body was read to its end; without one:
                               sent_at; 0: the client still sends */
    apr_time_t answered_at; /* the answer was judged; 0: not yet */
    apr_time_t first_at;    /* the first byte came back; 0: not seen */
    int error;              /* r->status before it: of an ErrorDocument its
                               error */
    const char *error_line;
    int status;           /* that the member answered with */
    const char *hostname; /* the visitor's */
    int renamed;          /* r->hostname is the member's meanwhile */
    int keepalives;   /* of the client's connection, while we hide them; -1 */
    int forwarding;   /* inside the scheme's own handler */
    int proxied;      /* its handler is mod_proxy's */
    int answered;     /* the member's answer has begun to come */
    int passed;       /* something of it went on to the client */
    int complete;     /* and all of it */
    int cut;          /* the client was shown that it broke off */
    int gone;         /* but it was gone before that */
    ap_filter_t *out; /* where it goes on */
    int tunnel;       /* it was a switch of protocols */
    int judged;       /* ejection knows that it was an answer */
    int discarding;   /* and is thrown away: another one is asked */
    int trusting;     /* Content-Length of a CGI's answer is kept for us */
    apr_uint64_t bytes_out;
    apr_time_t held_up;     /* how long the client took for a part of it */
    int unmeasured;         /* a part of it has no known length */
    apr_uint64_t announced; /* Content-Length of the answer; UINT64_MAX */
} lbs_attempt_t;

/* A failure that is booked when it is known whether others failed, too. */
typedef struct lbs_blame_t {
    int member;
    int kind; /* lbs_fail_t */
    apr_time_t sent_at;
} lbs_blame_t;

/* All attempts of a request. */
typedef struct lbs_tries_t {
    int count;
    apr_uint32_t repeated;     /* of these, counted against tries= */
    int denied;                /* the budget had no repetition for it */
    int waited;                /* in a queue: once is enough */
    int next;                  /* the member asked next; LBS_NO_MEMBER */
    int fresh;                 /* the next attempt opens a new connection */
    apr_array_header_t *blame; /* of lbs_blame_t; NULL: none */
} lbs_tries_t;

/* What the variables LBSTICKY_* say of a request already. */
typedef struct lbs_settled_t {
    const apr_table_t *env; /* NULL: none says anything */
    lbs_decision_t decision;
    lbs_reason_t reason;
    int source, home, member, attempts;
    char tries[12]; /* attempts, as text, to which the environments point */
} lbs_settled_t;

/* Served by this httpd itself, see src/httpd/local/lbs_local.h. */
typedef struct lbs_served_t {
    int here;                    /* for its own member */
    int marked;                  /* for a peer */
    int started;                 /* as an attempt */
    const request_rec *serving;  /* whose handler that is */
    apr_table_t *client_headers; /* headers_in as they came */
} lbs_served_t;

/* Its sessions are not idle meanwhile, see lbs_in_use.h. */
typedef struct lbs_in_use_t {
    apr_time_t began; /* monotonic; 0: no session yet */
    int entered;      /* it has a place among the requests in flight */
    apr_uint32_t place;
} lbs_in_use_t;

typedef struct lbs_request_t {
    request_rec *r;
    lbs_pool_t *pool;
    const char *from; /* balancer://name/path, as mod_proxy mapped it */
    struct ap_conf_vector_t *conf; /* what holds for it, as configured */
    int host_kept; /* the member sees the visitor's Host for our sake */

    lbs_visit_t visit;     /* the visitor's keys */
    lbs_choice_t choice;   /* the decision */
    lbs_attempt_t attempt; /* the attempt under way */
    lbs_served_t local;
    lbs_tries_t tries;
    apr_time_t decided_at; /* monotonic: when its decision was asked for */
    int idempotent;        /* it may be processed twice */
    lbs_body_t *body;      /* NULL: it has none */

    /* The whole request. */
    int counted; /* the decision is in the counters */
    int decided; /* before mod_proxy asked */
    int learned;
    lbs_in_use_t in_use;
    lbs_settled_t settled;
    lbs_control_t control;   /* what its answer asks for, LBStickyControl */
    const char *cookie_line; /* Set-Cookie that still has to go out, or NULL */
} lbs_request_t;

/** May it be sent again as things stand: it may be processed twice, and its
 * body is at hand. */
int lbs_request_is_repeatable(const lbs_request_t *req);

/** Will that be so still when all of it was sent? A request that will not be
 * repeatable needs a connection on which it is not lost. */
int lbs_request_stays_repeatable(const lbs_request_t *req);

/** The module's state of a request; NULL when no governed pool is involved. */
lbs_request_t *lbs_request_of(const request_rec *r);

/** Begin: make the state of a request that is for a governed pool.
 * @param from  lives as long as the request */
lbs_request_t *lbs_request_begin(request_rec *r, lbs_pool_t *pool,
                                 const char *from);

/**
 * The request of this URL that was decided before mod_proxy asked, by
 * LBStickyLocal; mod_proxy goes on with that decision.
 *
 * @return NULL: there is none, decide now
 */
lbs_request_t *lbs_request_decided(request_rec *r, const lbs_pool_t *pool,
                                   const char *url);

/** Decide for this request, as lbs_decide(). */
int lbs_request_decide(lbs_request_t *req);

/** Its member cannot take it after all, as lbs_decide_again(). */
int lbs_request_decide_again(lbs_request_t *req, lbs_reason_t reason);

/** An internal redirect goes on with the state of the request it is from. */
void lbs_request_share(request_rec *r, lbs_request_t *req);

/**
 * Count the decision, once, as it is in the end: a request that was to be
 * kept and had to move is moved. Before the client can see the answer.
 */
void lbs_request_count(lbs_request_t *req);

/** Put the decision into the environment, for logs and headers. Cost: next to
 * nothing where it stands there. */
void lbs_request_settle(request_rec *r, lbs_request_t *req);

/** See lbsticky_answer in mod_lbsticky.h. */
int lbs_request_answer(request_rec *r, lbsticky_answer_t *answer,
                       apr_size_t size);

#endif
