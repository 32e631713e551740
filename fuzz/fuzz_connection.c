/* SPDX-License-Identifier: Apache-2.0 */
/* A Connection field: what is left of it is in its plain form, names nothing
 * that is protected, and every other name of the field. */
#include "src/affinity/lbs_connection.h"

#include "fuzz/input.h"

/* As mod_proxy of httpd 2.4 reads the field: commas, semicolons and blanks
 * end a token, a quoted string is a part of one. In the plain form it finds
 * the same tokens. */
static size_t token_of_mod_proxy(const char **at)
{
    const char *p = *at;
    size_t n = 0;

    while (*p != '\0' && strchr(",; \t", *p) != NULL) {
        p++;
    }
    while (p[n] != '\0' && strchr(",; \t", p[n]) == NULL) {
        must(p[n] != '"');
        n++;
    }
    *at = p;
    return n;
}

static void check_plain(const char *clean)
{
    const char *at = clean;
    lbs_slice_t name;

    while (lbs_connection_next(&clean, &name)) {
        size_t n = token_of_mod_proxy(&at);

        must(at == name.p && n == name.n);
        must(!lbs_connection_protects(NULL, name));
        at += n;
    }
    must(token_of_mod_proxy(&at) == 0 && *at == '\0');
}

/* The next name that is not protected. */
static int next_free(const char **at, lbs_slice_t *name)
{
    while (lbs_connection_next(at, name)) {
        if (!lbs_connection_protects(NULL, *name)) {
            return 1;
        }
    }
    return 0;
}

static void check_complete(const char *field, const char *clean)
{
    lbs_slice_t before, after;

    while (next_free(&field, &before)) {
        must(clean != NULL && lbs_connection_next(&clean, &after));
        must(lbs_slice_eq(before, after));
    }
    must(clean == NULL || !lbs_connection_next(&clean, &after));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = input_pool();
    char *field = input_string(data, size);
    const char *clean =
        lbs_connection_clean(pool, field, lbs_connection_protects, NULL);

    check_complete(field, clean);
    if (clean != NULL) {
        check_plain(clean);
        must(*clean != '\0' && strlen(clean) <= 2 * strlen(field));
        must(lbs_connection_clean(pool, clean, lbs_connection_protects, NULL)
             == clean);
    }
    free(field);
    return 0;
}
