/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_fields.h - LBStickyControl: the application's word about its session,
 * from the member's answer to the session table, and what a moved session's
 * new member is told.
 *
 * Fields that begin with LBSticky- never go through: neither from a client to
 * a member nor from a member to a client, whether LBStickyControl is on or
 * not. They are taken out of an answer before any other filter sees it.
 */
#ifndef LBS_FIELDS_H
#define LBS_FIELDS_H

#include <httpd.h>

#include "src/affinity/lbs_control.h"
#include "src/httpd/decide/lbs_choice.h"
#include "src/httpd/decide/lbs_visit.h"
#include "src/httpd/pool/lbs_pools.h"

/**
 * The answer of a member is there: read its fields, and take them out.
 *
 * Cost: a walk over the answer's header.
 *
 * @param member   that answered
 * @param control  out; nothing where LBStickyControl is off
 */
void lbs_fields_take(request_rec *r, const lbs_pool_t *pool, int member,
                     lbs_control_t *control);

/** Take them out of what goes to the client without being the answer: an
 * interim answer, trailers. */
void lbs_fields_strip(apr_table_t *headers);

/**
 * Remember what was asked. When the keys of the request were learned, or are
 * not to be, because the session ends.
 *
 * @param member  that answered
 * @param now     monotonic microseconds
 */
void lbs_fields_note(const lbs_pool_t *pool, lbs_visit_t *visit, int member,
                     const lbs_control_t *control, apr_time_t now);

/** Tell the member that gets the request where a moved session was, by a field
 * of r->headers_in. */
void lbs_fields_tell(request_rec *r, const lbs_pool_t *pool,
                     const lbs_visit_t *visit, const lbs_choice_t *choice);

/** A client sent such a field, or the configuration added one: say so, once in
 * a while. */
void lbs_fields_refused(request_rec *r, const lbs_pool_t *pool,
                        const char *name);

#endif
