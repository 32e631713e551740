/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_change.h - a change asked for by a form, checked and in numbers. */
#ifndef LBS_CHANGE_H
#define LBS_CHANGE_H

#include <apr_time.h>

#include "src/view/lbs_form.h"
#include "src/view/lbs_view.h"

typedef enum lbs_change_action_t {
    LBS_CHANGE_ENABLE,
    LBS_CHANGE_DRAIN,
    LBS_CHANGE_DISABLE,
    LBS_CHANGE_STANDBY,
    LBS_CHANGE_WEIGHT,
    LBS_CHANGE_RESET,
    LBS_CHANGE_FORGET,
    LBS_CHANGE_ADD,
    LBS_CHANGE_REMOVE,
    LBS_CHANGE_ACTIONS
} lbs_change_action_t;

#define LBS_CHANGE_UNSAID APR_UINT32_MAX

typedef struct lbs_change_t {
    lbs_change_action_t action;
    const char *pool;
    const char *vhost;            /* NULL: not said */
    const char *member;           /* id, route or URL; LBS_CHANGE_ADD: NULL */
    const char *url;              /* LBS_CHANGE_ADD */
    apr_uint32_t weight_centi;    /* LBS_CHANGE_WEIGHT: 0 to 10000; of
                                     LBS_CHANGE_ADD also LBS_CHANGE_UNSAID */
    apr_uint32_t lbset;           /* LBS_CHANGE_ADD */
    apr_interval_time_t deadline; /* LBS_CHANGE_DRAIN, LBS_CHANGE_REMOVE: from
                                     now; -1: none */
    apr_interval_time_t idle;     /* likewise */
    const char *key;    /* LBS_CHANGE_FORGET: SOURCE:VALUE, or NULL */
    const char *cookie; /* LBS_CHANGE_FORGET: a token, or NULL */
    const char *nonce;  /* NULL: not said */
} lbs_change_t;

/** @return an action's name, as forms and the command line write it */
const char *lbs_change_action_name(lbs_change_action_t action);

/** @return the action of that name; LBS_CHANGE_ACTIONS when there is none */
lbs_change_action_t lbs_change_action_find(const char *name);

/**
 * Check the fields of a form.
 *
 * @param form  parsed; a field it does not know, one that does not belong to
 *              the action and a value out of range are refused
 * @param out   out: strings as in form; not to be used on failure
 * @return NULL; else a sentence naming field, value and the values allowed
 */
const char *lbs_change_check(apr_pool_t *pool, const lbs_form_t *form,
                             lbs_change_t *out);

/**
 * Find the pool and the member that a form is about.
 *
 * @param pool    out, with member: written only on 200
 * @param member  out; NULL for LBS_CHANGE_ADD
 * @param wrong   out: a sentence, when it is not 200
 * @return 200; 400: two virtual hosts have a pool of that name, the sentence
 *         names them; 404: there is no such pool or member; 403: the pool may
 *         not be changed from here
 */
int lbs_change_find(apr_pool_t *memory, const lbs_change_t *form,
                    const lbs_view_t *view, const lbs_view_pool_t **pool,
                    const lbs_view_member_t **member, const char **wrong);

#endif
