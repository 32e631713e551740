/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_page.h - the page for people.
 *
 * Whole without scripts; app.js only fetches it again and puts what changed in
 * place. The query names what is shown: everything, one pool, one member, or
 * an action of the administrator to be confirmed.
 */
#ifndef LBS_PAGE_H
#define LBS_PAGE_H

#include "src/view/lbs_form.h"
#include "src/view/lbs_out.h"
#include "src/view/lbs_view.h"

typedef struct lbs_page_t {
    const lbs_view_t *view;
    const lbs_form_t *query;
    /* Links are relative, so that a proxy in front may put the page
     * elsewhere: "lb-status" on /lb-status, "." on /lb-status/. */
    const char *here;
    const char *nonce; /* for the forms; NULL: LBStickyAdmin is off */
} lbs_page_t;

/**
 * Write the page.
 *
 * @param out  opened with LBS_OUT_HTML
 * @return the HTTP status it should be sent with: 200; 404: the pool or the
 *         member asked for is not there; 400: the action makes no sense
 */
int lbs_page_write(lbs_out_t *out, const lbs_page_t *page);

#endif
