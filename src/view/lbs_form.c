/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_form.c - fields of a form or a query string. */
#include "src/view/lbs_form.h"

#include <string.h>

#include <apr_strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* @return a decoded copy of [from, to); NULL for a broken escape or a NUL,
 * which would hide the rest of the value from everything behind this. */
static const char *decode(apr_pool_t *pool, const char *from, const char *to)
{
    char *copy = apr_palloc(pool, (apr_size_t)(to - from) + 1);
    char *at = copy;

    for (; from < to; from++) {
        char c = *from;

        if (c == '+') {
            c = ' ';
        }
        else if (c == '%') {
            int high = to - from > 2 ? hex_digit(from[1]) : -1;
            int low = to - from > 2 ? hex_digit(from[2]) : -1;

            if (high < 0 || low < 0) {
                return NULL;
            }
            c = (char)(high * 16 + low);
            from += 2;
        }
        if (c == '\0') {
            return NULL;
        }
        *at++ = c;
    }
    *at = '\0';
    return copy;
}

/* One field, without the separators. */
static const char *add_field(lbs_form_t *form, apr_pool_t *pool,
                             const char *from, const char *to)
{
    const char *equals = memchr(from, '=', (apr_size_t)(to - from));
    const char *name = decode(pool, from, equals != NULL ? equals : to);
    const char *value = equals == NULL ? "" : decode(pool, equals + 1, to);

    if (name == NULL || value == NULL) {
        return "an escape is broken";
    }
    if (name[0] == '\0') {
        return "a field has no name";
    }
    if (lbs_form_get(form, name) != NULL) {
        return apr_pstrcat(pool, "the field ", name, " comes twice", NULL);
    }
    if (form->count == LBS_FORM_FIELDS) {
        return "there are too many fields";
    }
    form->fields[form->count].name = name;
    form->fields[form->count++].value = value;
    return NULL;
}

const char *lbs_form_parse(lbs_form_t *form, apr_pool_t *pool,
                           const char *data, apr_size_t len)
{
    const char *end = data + len;
    const char *wrong = NULL;

    form->count = 0;
    if (len > LBS_FORM_BYTES) {
        return "the form is too long";
    }
    while (data < end && wrong == NULL) {
        const char *stop = memchr(data, '&', (apr_size_t)(end - data));

        stop = stop != NULL ? stop : end;
        if (stop > data) {
            wrong = add_field(form, pool, data, stop);
        }
        data = stop + 1;
    }
    return wrong;
}

const char *lbs_form_get(const lbs_form_t *form, const char *name)
{
    int i;

    for (i = 0; i < form->count; i++) {
        if (strcmp(form->fields[i].name, name) == 0) {
            return form->fields[i].value;
        }
    }
    return NULL;
}
