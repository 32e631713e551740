/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_jar.h - the browser's cookies of one name, after one answer.
 *
 * A browser keeps one cookie for each name, domain and path (RFC 6265 5.3), so
 * an answer may set a name for `/` and end it for `/old` in one go, and only a
 * cookie that covers a request is sent with it. A jar collects the Set-Cookie
 * lines of one name in the order of the answer; later lines replace earlier
 * ones of the same domain and path.
 *
 * The number of cookies is bounded: beyond it, a cookie that covers the
 * request takes the place of one that does not, and others are left out.
 */
#ifndef LBS_JAR_H
#define LBS_JAR_H

#include "src/affinity/lbs_setcookie.h"
#include "src/base/lbs_slice.h"

#define LBS_JAR_MAX 8 /* cookies of one name that an answer may set or end */

typedef struct lbs_jar_cookie_t {
    lbs_slice_t value;
    lbs_slice_t path;   /* never empty */
    lbs_slice_t domain; /* of the host where the line names none */
    int deletes;
    int covers; /* the browser sends it with a request like this one */
} lbs_jar_cookie_t;

typedef struct lbs_jar_t {
    lbs_slice_t host; /* of the request; empty: not known */
    lbs_slice_t path; /* of the request */
    unsigned count;
    lbs_jar_cookie_t cookie[LBS_JAR_MAX];
} lbs_jar_t;

/**
 * Begin with the request as the browser sent it. The strings must outlive the
 * jar.
 *
 * @param host    without a port; NULL or empty: not known
 * @param target  the request target: a path or a URL, with or without a query
 */
void lbs_jar_open(lbs_jar_t *jar, const char *host, const char *target);

/** Add one line. Its slices must outlive the jar. Cost: linear in the line and
 * in LBS_JAR_MAX. */
void lbs_jar_add(lbs_jar_t *jar, const lbs_setcookie_t *set);

/** @return how many cookies shown with the request are gone after the answer,
 * at most: deletions that cover it. 0 when the answer sets a cookie of the
 * name, wherever. */
unsigned lbs_jar_ended(const lbs_jar_t *jar);

/** @return 1 when the answer sets a cookie that is shown from now on with
 * requests like this one; else 0 */
int lbs_jar_replaces(const lbs_jar_t *jar);

#endif
