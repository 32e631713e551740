/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "t/unit/view/sample.h"

static void formats(apr_pool_t *pool)
{
    sample_text_t text;
    lbs_out_t *out = sample_out(pool, LBS_OUT_HTML, &text);
    const char *nothing = apr_pstrdup(pool, NULL); /* gcc knows a NULL */

    lbs_out_put(out, "<a b=\"%s\">%s</a>%d %u%% %lld %llu %.2f %02x|", "\"",
                "<&>'", -5, 7u, -4294967296LL, 18446744073709551615ULL, 1.005,
                10);
    lbs_out_put(out, "%s", nothing);
    is_int(lbs_out_close(out), APR_SUCCESS, "taken");
    is_str(text.text,
           "<a b=\"&quot;\">&lt;&amp;&gt;&#39;</a>-5 7% -4294967296 "
           "18446744073709551615 1.00 0a|",
           "literals stand, strings are escaped, numbers are whole");
}

static void reals(apr_pool_t *pool)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0.0"},
        {1, "1.0"},
        {0.25, "0.25"},
        {87.5, "87.5"},
        {0.001, "0.001"},
        {0.0004, "0.0"},
        {0.9996, "1.0"},
        {-1.5, "-1.5"},
        {1e9, "1000000000.0"},
        {NAN, "0.0"},
        {1e300, "9200000000000000.0"},
        {INFINITY, "9200000000000000.0"},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        sample_text_t text;
        lbs_out_t *out = sample_out(pool, LBS_OUT_PLAIN, &text);

        lbs_out_real(out, rows[i].value, 3);
        (void)lbs_out_close(out);
        is_str(text.text, rows[i].text, "%g", rows[i].value);
    }
}

static void counts(apr_pool_t *pool)
{
    sample_text_t text;
    lbs_out_t *out = sample_out(pool, LBS_OUT_PLAIN, &text);

    lbs_out_count(out, 0);
    lbs_out_put(out, " %d %lld ", -2147483647 - 1, -9223372036854775807LL - 1);
    lbs_out_count(out, APR_UINT64_MAX);
    (void)lbs_out_close(out);
    is_str(text.text,
           "0 -2147483648 -9223372036854775808 "
           "18446744073709551615",
           "the smallest and the largest");
}

static void lengths(apr_pool_t *pool)
{
    apr_size_t room = sizeof(((lbs_out_t *)0)->buf);
    apr_size_t len;
    int good = 1;

    for (len = room - 3; len < room + 3; len++) {
        sample_text_t text;
        lbs_out_t *out = sample_out(pool, LBS_OUT_PLAIN, &text);
        char *data = apr_palloc(pool, len + 1);

        memset(data, 'a', len);
        data[len] = '\0';
        lbs_out_put(out, "%s", data);
        lbs_out_put(out, "%s", "end");
        good &= lbs_out_close(out) == APR_SUCCESS && text.len == len + 3
                && strcmp(text.text + len, "end") == 0;
    }
    ok(good, "nothing is lost where one piece ends and the next begins");
}

static int calls;

static apr_status_t refuse(void *ctx, const char *data, apr_size_t len)
{
    (void)ctx;
    (void)data;
    (void)len;
    calls++;
    return APR_EPIPE;
}

static void failing(apr_pool_t *pool)
{
    lbs_out_t *out = lbs_out_open(pool, LBS_OUT_PLAIN, refuse, NULL);
    int i;

    for (i = 0; i < 100000; i++) {
        lbs_out_raw(out, "0123456789");
    }
    is_int(lbs_out_close(out), APR_EPIPE, "the first failure is kept");
    is_int(calls, 1, "nobody is asked again after it");
}

static void given_up(apr_pool_t *pool)
{
    sample_text_t text;
    lbs_out_t *out = sample_out(pool, LBS_OUT_PLAIN, &text);

    lbs_out_raw(out, "begun");
    lbs_out_fail(out, APR_ENOMEM);
    lbs_out_fail(out, APR_EGENERAL);
    lbs_out_raw(out, " and ended");
    is_int(lbs_out_close(out), APR_ENOMEM, "the writer's own failure, too");
    is_str(text.text, "", "nothing is handed on after it");
}

int main(void)
{
    apr_pool_t *pool = sample_memory();

    formats(pool);
    reals(pool);
    counts(pool);
    lengths(pool);
    failing(pool);
    given_up(pool);
    return done_testing();
}
