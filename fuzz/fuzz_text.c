/* SPDX-License-Identifier: Apache-2.0 */
/* What an administrator may write: numbers and lists, sources, settings of
 * the cookie. What is accepted is within its bounds, and a cookie made of it
 * is one line. */
#include "src/base/lbs_text.h"

#include "fuzz/input.h"
#include "src/affinity/lbs_keys.h"
#include "src/affinity/lbs_setcookie.h"
#include "src/affinity/lbs_source.h"

static void check_numbers(const char *s)
{
    apr_int64_t from, to;
    apr_uint64_t u;
    apr_uint32_t c;

    if (lbs_text_duration(s, &from) == NULL) {
        must(from >= 0 && from <= LBS_TEXT_DURATION_MAX);
    }
    if (lbs_text_durations(s, &from, &to) == NULL) {
        must(from >= 0 && from <= to && to <= LBS_TEXT_DURATION_MAX);
    }
    if (lbs_text_uint(s, 3, 4000000000u, &u) == NULL) {
        must(u >= 3 && u <= 4000000000u && u == strtoull(s, NULL, 10));
    }
    if (lbs_text_size(s, &u) == NULL) {
        must(u <= APR_INT64_MAX);
    }
    if (lbs_text_centi(s, 1, 400, &c) == NULL) {
        must(c >= 1 && c <= 400);
    }
    if (lbs_text_percent(s, &c) == NULL) {
        must(c <= 100);
    }
}

static void check_statuses(const char *s)
{
    lbs_statuses_t set;
    int status, sum = 0;

    if (lbs_text_statuses(s, &set) == NULL) {
        for (status = -100; status < 1000; status++) {
            sum += lbs_statuses_has(&set, status);
        }
        must(sum >= 1 && sum <= 500);
    }
}

static void check_source(apr_pool_t *pool, const char *s)
{
    lbs_source_t list[LBS_SOURCE_MAX], again[LBS_SOURCE_MAX];
    int n = 0, m = 0;

    if (lbs_source_add(pool, s, list, &n) == NULL) {
        must(n == 1);
        must(list[0].v4bits <= LBS_KEY_V4_BITS);
        must(list[0].v6bits <= LBS_KEY_V6_BITS);
        /* Its spelling is the same source, hence not wanted twice. */
        must(lbs_source_add(pool, list[0].spelling, list, &n) != NULL);
        must(lbs_source_add(pool, list[0].spelling, again, &m) == NULL);
        must(strcmp(list[0].spelling, again[0].spelling) == 0);
    }
}

static const char *written(apr_pool_t *pool, const lbs_cookie_conf_t *conf,
                           lbs_slice_t name)
{
    lbs_setcookie_frame_t frame;

    lbs_setcookie_frame(pool, conf, name, 1, &frame);
    return lbs_setcookie_line(pool, &frame, "v");
}

static void check_cookie(apr_pool_t *pool, const char *s)
{
    lbs_cookie_conf_t conf = lbs_cookie_defaults;
    lbs_setcookie_t set;
    lbs_slice_t name;
    const char *line;

    if (lbs_cookie_conf_set(pool, &conf, s) != NULL) {
        return;
    }
    name = lbs_slice_of(conf.name != NULL ? conf.name
                                          : lbs_cookie_name_for(pool, s));
    line = written(pool, &conf, name);
    for (; *line != '\0'; line++) {
        must(*line >= ' ' && *line <= '~');
    }
    line = written(pool, &conf, name);
    must(lbs_setcookie_parse(line, name, 0, &set) == APR_SUCCESS);
    must(!set.deletes && lbs_slice_is(set.value, "v"));
    (void)lbs_cookie_conf_check(&conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = input_pool();
    char *text = input_string(data, size);

    check_numbers(text);
    check_statuses(text);
    check_source(pool, text);
    check_cookie(pool, text);
    free(text);
    return 0;
}
