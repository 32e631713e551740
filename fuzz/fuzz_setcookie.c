/* SPDX-License-Identifier: Apache-2.0 */
/* A Set-Cookie line and a name, the same bytes as a date, and as a
 * Cache-Control. */
#include "src/affinity/lbs_setcookie.h"

#include "fuzz/input.h"
#include "src/affinity/lbs_cookie.h"
#include "src/affinity/lbs_cookie_date.h"

#define NOW apr_time_from_sec(1700000000)

/* A line that sets a cookie begins with what the browser sends back. */
static void check_sent_back(const char *line, lbs_slice_t name,
                            lbs_slice_t value)
{
    lbs_cookie_iter_t it;
    lbs_slice_t back_name, back_value;

    must(input_holds(line, value));
    must(memchr(value.n > 0 ? value.p : ";", ';', value.n) == NULL);
    if (value.n == 0 || !lbs_cookie_is_name(name)
        || memchr(value.p, ',', value.n) != NULL) {
        return;
    }
    lbs_cookie_start(&it, line);
    must(lbs_cookie_next(&it, &back_name, &back_value));
    must(lbs_slice_eq(back_name, name) && lbs_slice_eq(back_value, value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = input_pool();
    input_t in = input_open(data, size);
    lbs_slice_t name = lbs_slice_of(in.name);
    lbs_slice_t value;
    const char *control;
    apr_time_t when;
    int deletes = -1;

    if (lbs_setcookie_parse(in.text, name, NOW, &value, &deletes)
        == APR_SUCCESS) {
        must(deletes == 0 || deletes == 1);
        must(value.n > 0 || deletes);
        check_sent_back(in.text, name, value);
    }
    if (lbs_cookie_date_parse(lbs_slice_of(in.text), &when) == APR_SUCCESS) {
        must(when >= apr_time_from_sec(APR_INT64_C(-11644473600)));
        must(when < apr_time_from_sec(APR_INT64_C(253402300800)));
    }
    control = lbs_setcookie_private(pool, in.text);
    must(lbs_setcookie_private(pool, control) == control);
    must(strlen(control) < 2 * strlen(in.text) + 10);
    input_close(&in);
    return 0;
}
