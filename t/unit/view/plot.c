/* SPDX-License-Identifier: Apache-2.0 */
#include "src/view/lbs_plot.h"
#include "t/unit/view/sample.h"

static char *written(apr_pool_t *pool, const lbs_view_plot_t *plot)
{
    sample_text_t text;
    lbs_out_t *out = sample_out(pool, LBS_OUT_HTML, &text);

    lbs_plot_write(out, plot, "p", "web\"1");
    is_int(lbs_out_close(out), APR_SUCCESS, "written");
    return text.text;
}

/* All points of all paths lie in the box that is drawn. */
static int inside(const char *html)
{
    const char *path = html;

    while ((path = strstr(path, "d=\"M")) != NULL) {
        const char *end = strchr(path + 3, '"');
        char *at = (char *)(apr_uintptr_t)(path + 3);

        while (at < end) {
            double x, y;

            at += strspn(at, "M ");
            if (strchr("HVZh", *at) != NULL) {
                at++;
                at += strspn(at, "-0123456789");
                continue;
            }
            x = strtod(at, &at);
            if (*at == 'H') {
                continue;
            }
            y = strtod(at, &at);
            if (!(x >= 0 && x <= 1000 && y >= 0 && y <= 200)) {
                diag("%g %g", x, y);
                return 0;
            }
        }
        path = end;
    }
    return 1;
}

static void drawing(apr_pool_t *pool)
{
    lbs_view_plot_t plot = sample_plot(pool, 3, 5, 60, 20);
    char *html = written(pool, &plot);

    is_int(sample_occurs(html, "<figure"), 3, "three plots");
    is_int(sample_occurs(html, "<tr><td>"), 60, "and a table of the points");
    is_int(sample_occurs(html, "role='img'"), 3, "with a name each");
    ok(strstr(html, "Requests of web&quot;1, last 5 min: now ") != NULL,
       "which says what is to be seen");
    ok(strstr(html, "in the last 5 s") != NULL, "and of what time");
    ok(inside(html), "nothing is drawn outside");
}

/* d="..." of the line of requests. */
static const char *line_of(apr_pool_t *pool, const lbs_view_plot_t *plot)
{
    static const char class[] = "class='line' d='";
    const char *from = strstr(written(pool, plot), class) + strlen(class);

    return apr_pstrndup(pool, from, strcspn(from, "'"));
}

static void gaps(apr_pool_t *pool)
{
    static lbs_view_point_t points[11];
    lbs_view_plot_t plot = {SAMPLE_NOW, 5, 11, points};

    is_str(line_of(pool, &plot), "", "nobody was there");
    points[10].known = 1;
    is_str(line_of(pool, &plot), "M1000 196h-6", "just begun");
    points[0].known = points[1].known = points[2].known = 1;
    is_str(line_of(pool, &plot), "M0 196 100 196 200 196M1000 196h-6",
           "a gap is a gap");
}

static void extremes(apr_pool_t *pool)
{
    static lbs_view_point_t points[3];
    lbs_view_plot_t plot = {SAMPLE_NOW, 5, 3, points};
    char *html = written(pool, &plot);

    ok(inside(html), "nothing happened");
    ok(strstr(html, "plot errors") == NULL, "no alarm where nothing failed");
    points[0].known = 0;
    points[1].known = points[2].known = 1;
    points[1].requests = APR_UINT64_C(18446744073709551615);
    points[1].p50_ms = 1e12;
    points[1].p99_ms = 2e12;
    points[2].errors = 1;
    html = written(pool, &plot);
    ok(strstr(html, "plot errors") != NULL, "but where something did");
    ok(inside(html), "a point without measure");
    ok(strstr(html, "inf") == NULL && strstr(html, "nan") == NULL,
       "is a number");
    plot.count = 1;
    points[0].known = 1;
    ok(inside(written(pool, &plot)), "a single point");
    plot.count = 0;
    ok(strstr(written(pool, &plot), "Nothing was counted yet") != NULL,
       "no point");
}

int main(void)
{
    apr_pool_t *pool = sample_memory();

    drawing(pool);
    gaps(pool);
    extremes(pool);
    return done_testing();
}
