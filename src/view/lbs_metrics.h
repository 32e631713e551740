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

/* What a client asks for. */
typedef struct lbs_metrics_ask_t {
    lbs_metrics_format_t format;
    int detail; /* all ends of histograms, all series, of any length */
} lbs_metrics_ask_t;

/** @return the format that an Accept field asks for; NULL or another type: the
 * text */
lbs_metrics_format_t lbs_metrics_accepted(const char *accept);

/** @return the Content-Type of a format */
const char *lbs_metrics_type(lbs_metrics_format_t format);

/**
 * Write all metrics. Cost: linear in members.
 *
 * Without detail histograms have half of their ranges, and the document has
 * about 400 KB at most: where members are many, a metric is written without
 * the series that have their ordinary value (a counter 0, the state up, the
 * weight 1), or not at all; its HELP line says so.
 *
 * A member is called by its route; where two of a pool have the same one, by
 * its URL, for no two series of a metric may have the same labels.
 *
 * @param out  opened with LBS_OUT_LABEL
 */
void lbs_metrics_write(lbs_out_t *out, const lbs_view_t *view,
                       lbs_metrics_ask_t ask);

#endif
