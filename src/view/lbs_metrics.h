/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_metrics.h - the state for Prometheus: its own text format 0.0.4, or
 * OpenMetrics 1.0 for clients that ask for it. */
#ifndef LBS_METRICS_H
#define LBS_METRICS_H

#include "src/view/lbs_out.h"
#include "src/view/lbs_view.h"

typedef enum lbs_metrics_format_t {
    LBS_METRICS_TEXT,
    LBS_METRICS_OPEN
} lbs_metrics_format_t;

/** @return the format that an Accept field asks for; NULL or another type: the
 * text */
lbs_metrics_format_t lbs_metrics_accepted(const char *accept);

/** @return the Content-Type of a format */
const char *lbs_metrics_type(lbs_metrics_format_t format);

/**
 * Write all metrics. Cost: linear in members.
 *
 * A member is called by its route; where two of a pool have the same one, by
 * its URL, for no two series of a metric may have the same labels.
 *
 * @param out  opened with LBS_OUT_LABEL
 */
void lbs_metrics_write(lbs_out_t *out, const lbs_view_t *view,
                       lbs_metrics_format_t format);

#endif
