/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_plot.c - plots as inline SVG.
 *
 * A plot is drawn in a box of 1000 by 200 that the style sheet stretches to
 * the room there is; lines keep their width. Text stands outside of the SVG,
 * where it is neither stretched nor unreachable.
 */
#include "src/view/lbs_plot.h"

#include <apr_strings.h>

#include "src/view/lbs_human.h"

#define WIDE 1000
#define HIGH 200
#define MARGIN 4 /* a line at the edge is seen whole */

/* One of the three plots: its lines and how its values are written. */
typedef struct kind_t {
    const char *title, *css;
    const char *columns; /* of the table, from 0, that hold its numbers */
    const char *key;     /* what the lines are; "": what is counted */
    double (*value)(const lbs_view_plot_t *plot, apr_uint32_t i);
    const char *(*text)(apr_pool_t *pool, double value);
    /* A second, fainter line above the first; may be NULL. */
    double (*upper)(const lbs_view_plot_t *plot, apr_uint32_t i);
} kind_t;

static double requests_at(const lbs_view_plot_t *plot, apr_uint32_t i)
{
    return (double)plot->points[i].requests / plot->step;
}

static double errors_at(const lbs_view_plot_t *plot, apr_uint32_t i)
{
    return (double)plot->points[i].errors / plot->step;
}

static double p50_at(const lbs_view_plot_t *plot, apr_uint32_t i)
{
    return plot->points[i].p50_ms;
}

static double p99_at(const lbs_view_plot_t *plot, apr_uint32_t i)
{
    return plot->points[i].p99_ms;
}

static const kind_t kinds[] = {
    {"Requests", "requests", "1", "", requests_at, lbs_human_rate, NULL},
    {"Latency", "latency", "3 4", "p50, p99 above", p50_at, lbs_human_ms,
     p99_at},
    {"Errors", "errors", "2", "", errors_at, lbs_human_rate, NULL},
};

static double most_of(const lbs_view_plot_t *plot, const kind_t *kind)
{
    double most = 0;
    apr_uint32_t i;

    for (i = 0; i < plot->count; i++) {
        double value = kind->value(plot, i);
        double upper = kind->upper != NULL ? kind->upper(plot, i) : 0;

        value = upper > value ? upper : value;
        most = value > most ? value : most;
    }
    return most;
}

/* @return the next of 1, 2, 5, 10 ... above the value: a scale that does not
 * jump with every refresh */
static double round_up(double value)
{
    double power = 0.001;

    while (power * 10 <= value) {
        power *= 10;
    }
    if (value <= power) {
        return power;
    }
    return value <= 2 * power   ? 2 * power
           : value <= 5 * power ? 5 * power
                                : 10 * power;
}

typedef double value_at_t(const lbs_view_plot_t *plot, apr_uint32_t i);

static apr_uint32_t x_of(const lbs_view_plot_t *plot, apr_uint32_t i)
{
    return i * WIDE / (plot->count > 1 ? plot->count - 1 : 1);
}

/* A line through the points [from, to); a single one is a dash. */
static void put_run(lbs_out_t *out, const lbs_view_plot_t *plot,
                    value_at_t *value, double top, apr_uint32_t from,
                    apr_uint32_t to)
{
    apr_uint32_t i;

    for (i = from; i < to; i++) {
        double y = HIGH - MARGIN - value(plot, i) / top * (HIGH - 2 * MARGIN);

        lbs_out_raw(out, i == from ? "M" : " ");
        lbs_out_count(out, x_of(plot, i));
        lbs_out_raw(out, " ");
        lbs_out_count(out, (apr_uint64_t)y);
    }
    if (to - from == 1) {
        lbs_out_raw(out, from > 0 ? "h-6" : "h6");
    }
}

/* The points of a plot as one path; broken where there is no value.
 *
 * @param filled  the area below the line, instead of the line */
static void put_path(lbs_out_t *out, const lbs_view_plot_t *plot,
                     value_at_t *value, double top, int filled)
{
    apr_uint32_t from, to;

    for (from = 0; from < plot->count; from = to + 1) {
        for (to = from; to < plot->count && plot->points[to].known; to++) {
        }
        if (to == from) {
            continue;
        }
        put_run(out, plot, value, top, from, to);
        if (filled) {
            lbs_out_put(out, "V%dH%uZ", HIGH, x_of(plot, from));
        }
    }
}

/* The line, and the area below it: the eye reads a level from an area and a
 * change from a line. */
static void put_curve(lbs_out_t *out, const lbs_view_plot_t *plot,
                      const kind_t *kind, double top)
{
    if (kind->upper != NULL) {
        lbs_out_raw(out, "<path class='upper' d='");
        put_path(out, plot, kind->upper, top, 0);
        lbs_out_raw(out, "'/>");
    }
    lbs_out_raw(out, "<path class='area' d='");
    put_path(out, plot, kind->value, top, 1);
    lbs_out_raw(out, "'/><path class='line' d='");
    put_path(out, plot, kind->value, top, 0);
    lbs_out_raw(out, "'/>");
}

static const char *span_of(apr_pool_t *pool, const lbs_view_plot_t *plot)
{
    return lbs_human_span(pool, (apr_int64_t)plot->step * plot->count);
}

static void put_figure(lbs_out_t *out, const lbs_view_plot_t *plot,
                       const kind_t *kind, const char *of)
{
    double most = most_of(plot, kind);
    double top = round_up(most);
    double now = kind->value(plot, plot->count - 1);
    const char *now_text = kind->text(out->pool, now);
    const char *top_text = most > 0 ? kind->text(out->pool, top) : "";
    const char *span = span_of(out->pool, plot);
    const char *key = kind->key;

    if (*key == '\0') {
        key = apr_pstrcat(out->pool, "in the last ",
                          lbs_human_span(out->pool, plot->step), NULL);
    }
    lbs_out_put(out,
                "<figure class='plot %s' data-columns='%s'><figcaption>"
                "<b>%s</b> <span class='now'>%s</span> "
                "<span class='key'>%s</span><span class='scale'>%s</span>"
                "</figcaption>",
                most > 0 ? kind->css : "", kind->columns, kind->title,
                now_text, key, top_text);
    lbs_out_put(out,
                "<svg viewBox='0 0 %d %d' preserveAspectRatio='none' "
                "role='img' aria-label='%s of %s, last %s: now %s, "
                "at most %s'><path class='grid' d='M0 %dH%dM0 %dH%d"
                "M0 %dH%d'/>",
                WIDE, HIGH, kind->title, of, span, now_text,
                kind->text(out->pool, most), MARGIN, WIDE, HIGH / 2, WIDE,
                HIGH - MARGIN, WIDE);
    put_curve(out, plot, kind, top);
    lbs_out_put(out,
                "</svg><div class='ends'><span>%s ago</span>"
                "<span>now</span></div></figure>",
                span);
}

static void put_table(lbs_out_t *out, const lbs_view_plot_t *plot,
                      const char *id, const char *of)
{
    apr_uint32_t i;

    lbs_out_put(out,
                "<details class='numbers' id='%s-numbers'><summary>The "
                "numbers<span class='hidden'> behind the plots of %s</span>"
                "</summary><div class='scroll' tabindex='0' "
                "role='group' aria-label='Numbers of %s'><table><thead>"
                "<tr><th scope='col'>Until</th>"
                "<th scope='col'>Requests</th><th scope='col'>Errors</th>"
                "<th scope='col'>p50</th><th scope='col'>p99</th></tr>"
                "</thead><tbody>",
                id, of, of);
    for (i = 0; i < plot->count; i++) {
        const lbs_view_point_t *point = &plot->points[i];
        apr_int64_t until =
            plot->until - (apr_int64_t)(plot->count - 1 - i) * plot->step;

        lbs_out_put(out,
                    "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td>"
                    "<td>%s</td></tr>",
                    lbs_human_time(out->pool, until, plot->until),
                    lbs_human_count(out->pool, point->requests),
                    lbs_human_count(out->pool, point->errors),
                    lbs_human_ms(out->pool, point->p50_ms),
                    lbs_human_ms(out->pool, point->p99_ms));
    }
    lbs_out_raw(out, "</tbody></table></div></details>");
}

void lbs_plot_write(lbs_out_t *out, const lbs_view_plot_t *plot,
                    const char *id, const char *of)
{
    apr_size_t k;

    if (plot->count == 0 || plot->step == 0) {
        lbs_out_raw(out, "<p class='quiet'>Nothing was counted yet.</p>");
        return;
    }
    lbs_out_put(out, "<div class='plots' id='%s'>", id);
    for (k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
        put_figure(out, plot, &kinds[k], of);
    }
    put_table(out, plot, id, of);
    lbs_out_raw(out, "</div>");
}

void lbs_plot_write_small(lbs_out_t *out, const lbs_view_plot_t *plot)
{
    const kind_t *kind = &kinds[0];
    double most;

    if (plot->count == 0 || plot->step == 0) {
        return;
    }
    most = most_of(plot, kind);
    lbs_out_put(out,
                "<svg class='small' viewBox='0 0 %d %d' "
                "preserveAspectRatio='none' role='img' "
                "aria-label='Requests, last %s: now %s, at most %s'>",
                WIDE, HIGH, span_of(out->pool, plot),
                lbs_human_rate(out->pool, kind->value(plot, plot->count - 1)),
                lbs_human_rate(out->pool, most));
    lbs_out_put(out,
                "<path class='grid' d='M0 %dH%d'/>"
                "<path class='line' d='",
                HIGH - MARGIN, WIDE);
    put_path(out, plot, kind->value, round_up(most), 0);
    lbs_out_raw(out, "'/></svg>");
}
