/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_metrics.h - the state in the Prometheus text format, version 0.0.4. */
#ifndef LBS_METRICS_H
#define LBS_METRICS_H

#include "src/status/lbs_out.h"
#include "src/status/lbs_view.h"

#define LBS_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/**
 * Write all metrics. Cost: linear in members.
 *
 * A member is called by its route; where two of a pool have the same one, by
 * its URL, for no two series of a metric may have the same labels.
 *
 * @param out  opened with LBS_OUT_LABEL
 */
void lbs_metrics_write(lbs_out_t *out, const lbs_view_t *view);

#endif
