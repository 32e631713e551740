/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_document.h - the document of lb-status that a URL means.
 *
 * A handler does not know which location it was set for. The documents are
 * directly below that location and nowhere else, so that access control for
 * one of them, <Location "/lb-status/admin">, holds for every URL of it.
 */
#ifndef LBS_DOCUMENT_H
#define LBS_DOCUMENT_H

#include <httpd.h>

/** @return 1 when the configuration of the request's location sets the
 * handler */
int lbs_document_is_ours(request_rec *r, const char *handler);

/**
 * The name of the document asked for.
 *
 * A location of its own may be set for one document: <Location
 * "/lb-status/json">, <LocationMatch "^/ops/(json|metrics)$">. A plain
 * location named admin is one that has the page.
 *
 * Cost: one pass over the <Location> sections for each of three paths; where
 * the handler is set by other means (.htaccess, <Directory>, <If>), two
 * subrequests.
 *
 * @param handler   its name in SetHandler
 * @param is_known  is there a document of this name?
 * @return "": the page; the last part of the path, known or not; NULL: this
 *         is no place where a document could be
 */
const char *lbs_document_name(request_rec *r, const char *handler,
                              int (*is_known)(const char *name));

#endif
