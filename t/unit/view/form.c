/* SPDX-License-Identifier: Apache-2.0 */
#include "src/view/lbs_form.h"
#include "t/unit/view/sample.h"

static const char *parse(lbs_form_t *form, apr_pool_t *pool, const char *text)
{
    return lbs_form_parse(form, pool, text, strlen(text));
}

static void good(apr_pool_t *pool)
{
    lbs_form_t form;

    ok(parse(&form, pool, "") == NULL && form.count == 0, "an empty form");
    ok(parse(&form, pool, "&a=1&&b=x+y%20z%2B&c&d=&") == NULL
           && form.count == 4,
       "four fields");
    is_str(lbs_form_get(&form, "a"), "1", "a value");
    is_str(lbs_form_get(&form, "b"), "x y z+", "escapes and blanks");
    is_str(lbs_form_get(&form, "c"), "", "a name alone");
    is_str(lbs_form_get(&form, "d"), "", "an empty value");
    ok(lbs_form_get(&form, "e") == NULL, "a field that is not there");
    ok(parse(&form, pool, "%61=%C3%A9%ff=") == NULL, "any bytes but NUL");
    is_str(lbs_form_get(&form, "a"), "\xc3\xa9\xff=", "decoded once");
}

static void bad(apr_pool_t *pool)
{
    static const struct {
        const char *text, *wrong;
    } rows[] = {
        {"a=%", "an escape is broken"},
        {"a=%1", "an escape is broken"},
        {"a=%1&b=2", "an escape is broken"},
        {"a=%g0", "an escape is broken"},
        {"%zz=1", "an escape is broken"},
        {"a=1%00", "an escape is broken"},
        {"=1", "a field has no name"},
        {"a=1&b=2&a=3", "the field a comes twice"},
        {"a=1&%61=1", "the field a comes twice"},
    };
    lbs_form_t form;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        is_str(parse(&form, pool, rows[i].text), rows[i].wrong,
               "%s is refused", rows[i].text);
    }
    is_str(lbs_form_parse(&form, pool, "a=\0b", 4), "an escape is broken",
           "a NUL is refused");
}

static void large(apr_pool_t *pool)
{
    lbs_form_t form;
    char *text = apr_palloc(pool, 2 << 20);
    apr_size_t len = 0;
    int i;

    for (i = 0; i < 10000; i++) {
        len += (apr_size_t)sprintf(text + len, "&f%d=1", i);
        if (i == LBS_FORM_FIELDS - 1) {
            ok(lbs_form_parse(&form, pool, text, len) == NULL,
               "as many fields as there may be");
        }
    }
    is_str(lbs_form_parse(&form, pool, text, 60000),
           "there are too many fields", "10 000 fields are refused");
    memset(text, 'a', 1 << 20);
    is_str(lbs_form_parse(&form, pool, text, 1 << 20), "the form is too long",
           "a form of 1 MB is refused");
    ok(lbs_form_parse(&form, pool, text, LBS_FORM_BYTES) == NULL
           && strlen(form.fields[0].name) == LBS_FORM_BYTES,
       "one field as long as a form may be");
}

int main(void)
{
    apr_pool_t *pool = sample_memory();

    good(pool);
    bad(pool);
    large(pool);
    return done_testing();
}
