/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_admin_form.h - /admin: changing a member on an administrator's behalf.
 */
#ifndef LBS_ADMIN_FORM_H
#define LBS_ADMIN_FORM_H

#include <httpd.h>

/** @return a nonce for the forms of this page; NULL when LBStickyAdmin is off
 *          for the server that is asked */
const char *lbs_admin_form_nonce(request_rec *r);

/**
 * Serve a POST to /admin. A refused form changes nothing: everything is
 * checked before the first change.
 *
 * @return for the handler to return: OK after a document was sent, or the
 *         status of a refusal
 */
int lbs_admin_form_serve(request_rec *r);

#endif
