/* SPDX-License-Identifier: Apache-2.0 */
/* mod_lbsticky.h - what other modules may ask of this one.
 *
 * The only header that is installed. The functions are optional ones, so the
 * asking module loads with or without mod_lbsticky:
 *
 *     APR_OPTIONAL_FN_TYPE(lbsticky_answer) *ask;
 *     lbsticky_answer_t answer;
 *
 *     ask = APR_RETRIEVE_OPTIONAL_FN(lbsticky_answer);
 *     if (ask != NULL && ask(r, &answer, sizeof(answer)) == OK) {
 *         ... answer.member, answer.decision ...
 *     }
 *
 * The same can be read as LBSTICKY_* in the environment of the request, by
 * configuration and logs.
 */
#ifndef MOD_LBSTICKY_H
#define MOD_LBSTICKY_H

#include <apr_optional.h>
#include <httpd.h>

#define LBSTICKY_VERSION "1.0"

/* All texts live as long as the request; none is NULL, but where the module
 * that is loaded is older than this header and does not know the field. Later
 * versions add fields at the end and change none. */
typedef struct lbsticky_answer_t {
    const char *pool;     /* its name, without balancer:// */
    const char *member;   /* route, else URL, of the member chosen; "" */
    const char *decision; /* new, kept, moved, refused, local or none */
    const char *reason;   /* first, expired, down ...; "" when it needs none */
    const char *source;   /* that decided, such as cookie or haproxy:SRV; "" */
    int attempts;         /* members the request was sent to so far */
} lbsticky_answer_t;

/**
 * What was decided for a request.
 *
 * @param r  a request; asked for from the handler's phase on
 * @param answer  out: written only on OK, and no further than `size`
 * @param size  sizeof(lbsticky_answer_t), as the caller was built: the module
 *              that is loaded may know fewer fields, which are zero then, or
 *              more, which are left out
 * @return OK; DECLINED: the request is not for a pool that LBSticky governs
 */
APR_DECLARE_OPTIONAL_FN(int, lbsticky_answer,
                        (request_rec * r, lbsticky_answer_t *answer,
                         apr_size_t size));

#endif
