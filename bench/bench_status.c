/* SPDX-License-Identifier: Apache-2.0 */
/* bench_status.c - what one poll of the page, JSON or metrics costs.
 *
 * Writing the document from a view, with 4 to 1000 members; microseconds of
 * CPU, the median of several rounds. What a request costs besides, and
 * collecting the view, is in bench_request. Prints TSV.
 */
#include <time.h>

#include "src/view/lbs_json.h"
#include "src/view/lbs_metrics.h"
#include "src/view/lbs_page.h"
#include "t/unit/view/sample.h"

#define ROUNDS 15
#define ROUND_US 10000.0 /* each round takes at least that long */

typedef void write_t(lbs_out_t *out, const lbs_view_t *view);

static void write_metrics(lbs_out_t *out, const lbs_view_t *view)
{
    lbs_metrics_write(out, view, (lbs_metrics_ask_t){LBS_METRICS_TEXT, 0});
}

static void write_page(lbs_out_t *out, const lbs_view_t *view)
{
    static const lbs_form_t nothing;
    lbs_page_t page = {view, &nothing, "lb-status", NULL};

    (void)lbs_page_write(out, &page);
}

static apr_status_t discard(void *ctx, const char *data, apr_size_t len)
{
    (void)data;
    *(apr_size_t *)ctx += len;
    return APR_SUCCESS;
}

static double cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median_us(apr_pool_t *pool, const lbs_view_t *view,
                        write_t *write, lbs_out_escape_t escape,
                        apr_size_t *bytes)
{
    double rounds[ROUNDS];
    int round;

    for (round = 0; round < ROUNDS; round++) {
        double start = cpu_us(), now = start;
        int polls = 0;

        for (; now - start < ROUND_US; now = cpu_us(), polls++) {
            lbs_out_t *out;

            *bytes = 0;
            apr_pool_clear(pool);
            out = lbs_out_open(pool, escape, discard, bytes);
            write(out, view);
            (void)lbs_out_close(out);
        }
        rounds[round] = (now - start) / polls;
    }
    qsort(rounds, ROUNDS, sizeof(*rounds), compare);
    return rounds[ROUNDS / 2];
}

int main(void)
{
    static const struct {
        const char *name;
        write_t *write;
        lbs_out_escape_t escape;
    } documents[] = {
        {"json", lbs_json_write, LBS_OUT_PLAIN},
        {"metrics", write_metrics, LBS_OUT_LABEL},
        {"page", write_page, LBS_OUT_HTML},
    };
    apr_pool_t *views = sample_memory(), *pool;
    static const apr_uint32_t counts[] = {4, 100, 1000};
    apr_size_t d, c, bytes;

    apr_pool_create(&pool, views);
    puts("document\tmembers\tcpu_us\tus_per_member\tbytes");
    for (d = 0; d < sizeof(documents) / sizeof(*documents); d++) {
        for (c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
            double us =
                median_us(pool, sample_view(views, counts[c], 1),
                          documents[d].write, documents[d].escape, &bytes);

            printf("%s\t%u\t%.0f\t%.2f\t%zu\n", documents[d].name, counts[c],
                   us, us / counts[c], bytes);
        }
    }
    return 0;
}
