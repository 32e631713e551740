/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_plot.h - plots as inline SVG.
 *
 * No style attributes and no scripts: colours come from the style sheet, so
 * they follow light and dark, and a strict Content-Security-Policy holds.
 */
#ifndef LBS_PLOT_H
#define LBS_PLOT_H

#include "src/view/lbs_out.h"
#include "src/view/lbs_view.h"

/**
 * Draw requests, latency and errors side by side, each with its scale, and
 * below them, folded away, the same numbers as a table: for readers who cannot
 * see a plot, or want to copy the numbers.
 *
 * @param out   opened with LBS_OUT_HTML
 * @param plot  may be empty: then a sentence says so
 * @param id    unique within the page; letters, digits and dashes
 * @param of    what is plotted, for screen readers
 */
void lbs_plot_write(lbs_out_t *out, const lbs_view_plot_t *plot,
                    const char *id, const char *of);

/** Draw requests as a line without a scale, for a row of a table; its numbers
 *  are in its name for screen readers. */
void lbs_plot_write_small(lbs_out_t *out, const lbs_view_plot_t *plot);

#endif
