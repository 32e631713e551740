/* SPDX-License-Identifier: Apache-2.0 */
/* A URL and a name: keys lie within it, behind `NAME=`, at a place where one
 * may stand. */
#include "src/affinity/lbs_keys.h"

#include "fuzz/input.h"

#define PATH_ENDS ";/?#"

/* Is the value preceded by `NAME=`, and that by one of these or nothing? */
static int stands_behind(const char *text, lbs_slice_t value, const char *name,
                         char before)
{
    size_t n = strlen(name);
    const char *from = value.p - n - 1;

    return from >= text && strncmp(from, name, n) == 0 && from[n] == '='
           && (from == text ? before == '&' : from[-1] == before);
}

static void check_route(lbs_slice_t value)
{
    lbs_slice_t route = {NULL, 0};
    size_t before = value.n;

    while (lbs_key_route_next(value, &route) == APR_SUCCESS) {
        must(route.n > 0 && route.n < before && route.p[-1] == '.');
        must(route.p > value.p && route.p + route.n == value.p + value.n);
        before = route.n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = input_open(data, size);
    lbs_slice_t name = lbs_slice_of(in.name);
    lbs_slice_t value;

    if (lbs_key_query(in.text, name, &value) == APR_SUCCESS) {
        must(value.n > 0 && input_holds(in.text, value));
        must(stands_behind(in.text, value, in.name, '&'));
        must(memchr(value.p, '&', value.n) == NULL);
    }
    /* No LBSticky path= has a name with a byte that ends a path's value or
     * the path itself: lbs_source_add() refuses it. */
    if (strpbrk(in.name, PATH_ENDS) == NULL
        && lbs_key_path(in.text, name, &value) == APR_SUCCESS) {
        must(value.n > 0 && input_holds(in.text, value));
        must(stands_behind(in.text, value, in.name, ';'));
        must(memchr(value.p, ';', value.n) == NULL);
        must(memchr(value.p, '/', value.n) == NULL);
        must(strcspn(in.text, "?#") >= (size_t)(value.p - in.text) + value.n);
    }
    check_route(lbs_slice_of(in.text));
    input_close(&in);
    return 0;
}
