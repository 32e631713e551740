/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_kept.c - see lbs_kept.h. */
#include "src/httpd/shared/lbs_kept.h"

#include <httpd.h>
#include <http_config.h>

#define NAME "mod_lbsticky"

lbs_kept_t *lbs_kept(void)
{
    lbs_kept_t *kept = ap_retained_data_get(NAME);

    return kept != NULL ? kept : ap_retained_data_create(NAME, sizeof(*kept));
}
