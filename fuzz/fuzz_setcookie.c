/* SPDX-License-Identifier: Apache-2.0 */
/* A Set-Cookie line and a name, the same bytes as a request target and a host
 * in a jar, as a date, and as a Cache-Control. */
#include "src/affinity/lbs_setcookie.h"

#include "fuzz/input.h"
#include "src/affinity/lbs_cookie.h"
#include "src/affinity/lbs_cookie_date.h"
#include "src/affinity/lbs_jar.h"

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

/* A cookie of a line is shown where its own path and domain are the request's,
 * and one line replaces itself. */
static void check_jar(const input_t *in, const lbs_setcookie_t *set)
{
    lbs_setcookie_t plain = {.value = lbs_slice_of("v")};
    lbs_jar_t jar;

    lbs_jar_open(&jar, in->name, in->text);
    lbs_jar_add(&jar, set);
    lbs_jar_add(&jar, set);
    must(jar.count == 1 && jar.cookie[0].path.p[0] == '/');
    must(lbs_jar_ended(&jar)
         == (unsigned)(set->deletes && jar.cookie[0].covers));
    lbs_jar_add(&jar, &plain);
    must(jar.cookie[jar.count - 1].covers && lbs_jar_replaces(&jar));
    must(lbs_jar_ended(&jar) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = input_pool();
    input_t in = input_open(data, size);
    lbs_slice_t name = lbs_slice_of(in.name);
    lbs_setcookie_t set;
    const char *control;
    apr_time_t when;

    if (lbs_setcookie_parse(in.text, name, NOW, &set) == APR_SUCCESS) {
        must(set.deletes == 0 || set.deletes == 1);
        must(set.value.n > 0 || set.deletes);
        must(input_holds(in.text, set.path)
             && input_holds(in.text, set.domain));
        must(set.path.n == 0 || set.path.p[0] == '/');
        check_sent_back(in.text, name, set.value);
        check_jar(&in, &set);
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
