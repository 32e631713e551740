/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_control.h"

#include <apr_strings.h>

#include "src/base/lbs_text.h"

static const char prefix[] = "lbsticky-";

enum { RELEASE = 1, MOVE = 2, HOLD = 4 };

int lbs_control_is_field(const char *name)
{
    const char *p;

    for (p = prefix; *p != '\0'; p++, name++) {
        char c = lbs_slice_lower(*name);

        if ((c == '_' ? '-' : c) != *p) {
            return 0;
        }
    }
    return 1;
}

/* A character of a token (RFC 9110, 5.6.2). */
static int is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z')
           || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static int parse_release(lbs_control_t *control, lbs_slice_t value)
{
    control->releases = lbs_slice_is(value, "1");
    return control->releases;
}

/* A route is what the configuration says, so nearly any text. */
static int parse_move(lbs_control_t *control, lbs_slice_t value)
{
    apr_size_t i;

    for (i = 0; i < value.n; i++) {
        if (value.p[i] <= ' ' || value.p[i] == 0x7f) {
            return 0;
        }
    }
    control->moves = value.n > 0;
    control->route = lbs_slice_caseeq(value, lbs_slice_of("any"))
                         ? lbs_slice_of("")
                         : value;
    return control->moves;
}

static int parse_hold(lbs_control_t *control, lbs_slice_t value)
{
    char text[LBS_CONTROL_VALUE_MAX + 1];

    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    control->holds = memchr(value.p, '\0', value.n) == NULL
                     && lbs_text_duration(text, &control->hold) == NULL;
    return control->holds;
}

/* Nothing is known of a field that is there twice. */
static void forget(lbs_control_t *control, unsigned field)
{
    control->releases &= field != RELEASE;
    control->moves &= field != MOVE;
    control->holds &= field != HOLD;
}

static const struct {
    const char *name;
    unsigned field;
    int (*parse)(lbs_control_t *control, lbs_slice_t value);
} fields[] = {
    {"LBSticky-Release", RELEASE, parse_release},
    {"LBSticky-Move", MOVE, parse_move},
    {"LBSticky-Hold", HOLD, parse_hold},
};

/* @return 1: the field counts */
static int take(lbs_control_t *control, const char *name, const char *text)
{
    lbs_slice_t value = {text, 0};
    apr_size_t i;

    while (value.n <= LBS_CONTROL_VALUE_MAX && text[value.n] != '\0') {
        value.n++;
    }
    for (i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        if (!lbs_slice_caseeq(lbs_slice_of(name),
                              lbs_slice_of(fields[i].name))) {
            continue;
        }
        if ((control->seen & fields[i].field) != 0) {
            forget(control, fields[i].field);
            return 0;
        }
        control->seen |= fields[i].field;
        return value.n <= LBS_CONTROL_VALUE_MAX
               && fields[i].parse(control, lbs_slice_trim(value));
    }
    return 0;
}

void lbs_control_add(lbs_control_t *control, const char *name,
                     const char *value)
{
    if (!take(control, name, value) && control->wrong == NULL) {
        control->wrong = name;
    }
}

static int is_token(const char *text)
{
    apr_size_t i;

    for (i = 0; is_token_char(text[i]); i++) {
    }
    return i > 0 && text[i] == '\0';
}

/* Between quotes (RFC 9110, 5.6.4), without what no field may hold. */
static const char *quote(apr_pool_t *pool, const char *text)
{
    char *quoted = apr_palloc(pool, 2 * strlen(text) + 3);
    char *to = quoted;

    *to++ = '"';
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            continue;
        }
        if (*text == '"' || *text == '\\') {
            *to++ = '\\';
        }
        *to++ = *text;
    }
    *to++ = '"';
    *to = '\0';
    return quoted;
}

const char *lbs_control_moved(apr_pool_t *pool, const char *from,
                              const char *reason)
{
    return apr_pstrcat(pool,
                       "from=", is_token(from) ? from : quote(pool, from),
                       "; reason=", reason, NULL);
}
