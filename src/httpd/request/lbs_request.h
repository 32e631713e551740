/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_request.h - what the module knows of one request.
 *
 * Made when mod_proxy asks for a member, kept in r->request_config, gone with
 * r->pool. lbs_decide.c fills it, lbs_forward.c sends the request along it,
 * lbs_learn.c remembers from it what the visitor will show next time.
 */
#ifndef LBS_REQUEST_H
#define LBS_REQUEST_H

#include <httpd.h>

#include "mod_lbsticky.h"
#include "src/affinity/lbs_token.h"
#include "src/httpd/request/lbs_backend.h"
#include "src/httpd/request/lbs_body.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/member/lbs_inflight.h"
#include "src/state/lbs_decision.h"

#define LBS_MAX_TRIED 64 /* members one request may be sent to */

/* One source's key in this request. */
typedef struct lbs_key_t {
    int present;         /* it shows a value that can be learned */
    int known;           /* the table has it */
    apr_uint64_t hash;   /* as the table knows it */
    int slot;            /* the member it names; -1: none */
    apr_time_t expires;  /* when known; on the monotonic clock */
    const char *name;    /* in LBStickyStore; NULL: it is not stored */
    apr_uint64_t stored; /* Unix seconds: when it began, of the store; or 0 */
} lbs_key_t;

/* What an environment says of a request already. */
typedef struct lbs_settled_t {
    const apr_table_t *env; /* NULL: none says anything */
    lbs_decision_t decision;
    lbs_reason_t reason;
    int source, home, member, attempts;
} lbs_settled_t;

typedef struct lbs_request_t {
    request_rec *r;
    lbs_pool_t *pool;
    const char *from; /* balancer://name/path, as mod_proxy mapped it */

    /* What it shows. */
    lbs_key_t key[LBS_SOURCE_MAX];
    lbs_slice_t pick_value; /* first value shown, for the method hash */
    int has_token;          /* a token that some known secret signed */
    lbs_token_t token;

    /* What was decided. */
    lbs_decision_t decision;
    lbs_reason_t reason;
    int source;    /* index of the source that decided; -1: none */
    int home;      /* member the session is bound to; LBS_NO_MEMBER */
    int member;    /* chosen now; LBS_NO_MEMBER */
    int temporary; /* this request only: the session stays at home */

    /* All attempts. */
    apr_uint16_t tried[LBS_MAX_TRIED];
    unsigned ntried;
    int idempotent;   /* it may be processed twice */
    lbs_body_t *body; /* NULL: it has none */
    int attempts;
    apr_uint32_t repeated; /* of these, counted against tries= */
    int denied;            /* the budget had no repetition for it */
    int waited;            /* in a queue: once is enough */
    int counted;           /* the decision is in the counters */
    int decided;           /* before mod_proxy asked */
    int learned;
    lbs_settled_t settled;
    const char *cookie_line; /* Set-Cookie that still has to go out, or NULL */

    /* Served by this httpd itself, see lbs_local.h. */
    int here;                    /* for its own member */
    int marked;                  /* for a peer */
    int started;                 /* as an attempt */
    const request_rec *serving;  /* whose handler that is */
    apr_table_t *client_headers; /* headers_in as they came */

    /* The attempt under way. */
    lbs_flight_t flight;
    lbs_backend_t backend;
    apr_time_t sent_at;  /* monotonic */
    apr_time_t first_at; /* the first byte came back; 0: not seen */
    int fresh;           /* only on a new connection */
    int keepalives; /* of the client's connection, while we hide them; -1 */
    int forwarding; /* inside the scheme's own handler */
    int answered;   /* the member's answer has begun to come */
    int broken;     /* the answer broke off */
    int judged;     /* ejection knows that it was an answer */
    int discarding; /* and is thrown away: another one is asked */
    int next;       /* that one; LBS_NO_MEMBER: not chosen */
    apr_uint64_t bytes_out;
    int unmeasured; /* a part of it came as a socket (scgi) */
} lbs_request_t;

/** The module's state of a request; NULL when no governed pool is involved. */
lbs_request_t *lbs_request_of(const request_rec *r);

/** Begin: make the state of a request that is for a governed pool. */
lbs_request_t *lbs_request_begin(request_rec *r, lbs_pool_t *pool,
                                 const char *from);

/** An internal redirect goes on with the state of the request it is from. */
void lbs_request_share(request_rec *r, lbs_request_t *req);

/** Was this member sent to already? */
int lbs_request_tried(const lbs_request_t *req, int member);

/** Note that a member is not to be picked again for this request. */
void lbs_request_try(lbs_request_t *req, int member);

/**
 * Count the decision, once, as it is in the end: a request that was to be
 * kept and had to move is moved. Before the client can see the answer.
 */
void lbs_request_count(lbs_request_t *req);

/** Put the decision into the environment, for logs and headers. Cost: next to
 * nothing where it stands there. */
void lbs_request_settle(request_rec *r, lbs_request_t *req);

/** See lbsticky_answer in mod_lbsticky.h. */
int lbs_request_answer(request_rec *r, lbsticky_answer_t *answer);

#endif
