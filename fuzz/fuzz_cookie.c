/* SPDX-License-Identifier: Apache-2.0 */
/* A Cookie header and a name: the iterator stays within it and ends, and
 * strip takes away that name and nothing else. */
#include "src/affinity/lbs_cookie.h"

#include "fuzz/input.h"

/* The next crumb of any name but this one. */
static int next_other(lbs_cookie_iter_t *it, lbs_slice_t but,
                      lbs_slice_t *name, lbs_slice_t *value)
{
    while (lbs_cookie_next(it, name, value)) {
        if (!lbs_slice_eq(*name, but)) {
            return 1;
        }
    }
    return 0;
}

static int count(const char *header, lbs_slice_t wanted)
{
    lbs_cookie_iter_t it;
    lbs_slice_t name, value;
    size_t crumbs = 0;
    int sum = 0;

    lbs_cookie_start(&it, header);
    while (lbs_cookie_next(&it, &name, &value)) {
        must(name.n > 0 && input_holds(header, name));
        must(input_holds(header, value));
        must(++crumbs <= strlen(header));
        sum += lbs_slice_eq(name, wanted);
    }
    return sum;
}

static void compare_others(const char *before, const char *after,
                           lbs_slice_t but)
{
    lbs_cookie_iter_t a, b;
    lbs_slice_t a_name, a_value, b_name, b_value;

    lbs_cookie_start(&a, before);
    lbs_cookie_start(&b, after);
    while (next_other(&a, but, &a_name, &a_value)) {
        must(lbs_cookie_next(&b, &b_name, &b_value));
        must(lbs_slice_eq(a_name, b_name));
        must(lbs_slice_eq(a_value, b_value));
    }
    must(!lbs_cookie_next(&b, &b_name, &b_value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = input_pool();
    input_t in = input_open(data, size);
    lbs_slice_t name = lbs_slice_of(in.name);
    int there = count(in.text, name);
    int found = -1;
    const char *rest = lbs_cookie_strip(pool, in.text, name, &found);

    must(found == there);
    must((rest == in.text) == (found == 0));
    if (rest != NULL) {
        must(found == 0 || strlen(rest) < strlen(in.text));
        must(count(rest, name) == 0);
    }
    compare_others(in.text, rest, name);
    input_close(&in);
    return 0;
}
