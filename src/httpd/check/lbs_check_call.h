/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check_call.h - one check of one member, made by libcurl.
 *
 * Each check has a connection of its own, closed at its end: it has to show
 * that the member accepts connections, and a connection kept from check to
 * check would keep one of its workers waiting. Names are resolved anew. What
 * the member sends is read and thrown away, up to a bound; no redirect is
 * followed.
 */
#ifndef LBS_CHECK_CALL_H
#define LBS_CHECK_CALL_H

#include <curl/curl.h>

#include "src/httpd/check/lbs_check_request.h"
#include "src/member/lbs_check.h"

#define LBS_CHECK_CALL_BODY_MAX                                               \
    (1024 * 1024)                           /* bytes: more is not waited for */
#define LBS_CHECK_CALL_HEAD_MAX (64 * 1024) /* bytes: more is a failure */

typedef struct lbs_check_call_t lbs_check_call_t; /* opaque, from malloc */

/* The head of an answer has come, whatever it says. */
typedef void lbs_check_call_heard_t(void *baton);

/**
 * Begin a check.
 *
 * @param multi   runs it from now on
 * @param request  outlives the check
 * @param conf    outlives the check; its time-out is for the whole of it
 * @param heard   called at most once, from within curl_multi_perform()
 * @param baton   the caller's, see lbs_check_call_baton()
 * @return lbs_check_call_end() is due; NULL: no memory, or libcurl cannot
 */
lbs_check_call_t *lbs_check_call_begin(CURLM *multi,
                                       const lbs_check_request_t *request,
                                       const lbs_check_conf_t *conf,
                                       lbs_check_call_heard_t *heard,
                                       void *baton);

/** @return a check that came to its end and was not yet seen; NULL: none */
lbs_check_call_t *lbs_check_call_done(CURLM *multi);

/** @return what lbs_check_call_begin() was given */
void *lbs_check_call_baton(const lbs_check_call_t *call);

/**
 * Report the result of a finished check.
 *
 * @param result  out: its text is `text`
 * @param text    out, LBS_SHARED_TEXT_LEN bytes
 */
void lbs_check_call_judge(const lbs_check_call_t *call,
                          lbs_check_result_t *result, char *text);

/** @return the status of the answer, be it complete or not; 0: there is none
 */
int lbs_check_call_status(const lbs_check_call_t *call);

/** @return 1 when a check that is done has all of its answer, or as much of
 * it as is waited for */
int lbs_check_call_is_complete(const lbs_check_call_t *call);

/** @return 1 when a check that is done got a connection */
int lbs_check_call_is_connected(const lbs_check_call_t *call);

/** Give a check up, done or not. */
void lbs_check_call_end(CURLM *multi, lbs_check_call_t *call);

#endif
