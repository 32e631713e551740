/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_metrics_int.h - parts of the metrics, for lbs_metrics.c. */
#ifndef LBS_METRICS_INT_H
#define LBS_METRICS_INT_H

#include "src/view/lbs_metrics.h"
#include "src/view/lbs_out.h"
#include "src/view/lbs_view.h"

/**
 * Write what LBStickyDiscover does.
 *
 * @param labels  of each pool, escaped, without braces
 */
void lbs_metrics_discover(lbs_out_t *out, const lbs_view_t *view,
                          const char *const *labels,
                          lbs_metrics_format_t format);

#endif
