/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_status.h - `SetHandler lb-status`: the documents below a location. */
#ifndef LBS_STATUS_H
#define LBS_STATUS_H

#include <httpd.h>

/**
 * httpd's hooks before and at the mapping of the URL: a location with our
 * handler is not for mod_proxy, whatever ProxyPass is around it.
 *
 * @return DECLINED
 */
int lbs_status_translate(request_rec *r);

/**
 * httpd's hooks behind the mapping of the URL: takes back a URL that a
 * RewriteRule with [P] took, of the server or of a directory.
 *
 * @return DECLINED; or HTTP_NOT_FOUND: the URL cannot be mapped
 */
int lbs_status_map(request_rec *r);
int lbs_status_fixup(request_rec *r);

/**
 * httpd's handler hook.
 *
 *     (nothing), /  GET   the page        /admin    POST  change a member
 *     /json         GET   the state       /metrics  GET   for Prometheus
 *     /explain      GET   a decision, without taking it
 *     /app.js, /style.css, /parts.css, /icon.svg
 *
 * @return DECLINED: another handler is set; OK; or the HTTP status
 */
int lbs_status_handler(request_rec *r);

#endif
