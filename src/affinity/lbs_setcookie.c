/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_setcookie.h"

#include <apr_strings.h>

#include "src/affinity/lbs_cookie.h"
#include "src/affinity/lbs_cookie_date.h"

/* The end of a cookie, by its attributes. */
typedef struct lifetime_t {
    int by_max_age; /* 1: over at once, 0: not, -1: not said */
    int by_expires; /* the same */
} lifetime_t;

/* Split the text before the next `;` into name and value, without blanks.
 * Without an equals sign all of it is the name, and the value's p is NULL.
 * Returns what follows the `;`, NULL if there is none. */
static const char *next_part(const char *p, lbs_slice_t *name,
                             lbs_slice_t *value)
{
    const char *end = p + strcspn(p, ";");
    const char *equals = memchr(p, '=', (apr_size_t)(end - p));

    *name = lbs_slice_trim(lbs_slice_span(p, equals != NULL ? equals : end));
    *value = lbs_slice_of(NULL);
    if (equals != NULL) {
        *value = lbs_slice_trim(lbs_slice_span(equals + 1, end));
    }
    return *end == ';' ? end + 1 : NULL;
}

/* Digits, perhaps with a minus before them: is it 0 or less? The number may
 * be of any size. -1 if it is no such number. */
static int is_over_by_max_age(lbs_slice_t text)
{
    int over = 1;
    apr_size_t i = text.n > 0 && text.p[0] == '-' ? 1 : 0;
    int negative = i == 1;

    if (i == text.n) {
        return -1;
    }
    for (; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return -1;
        }
        over = over && text.p[i] == '0';
    }
    return negative || over;
}

/* RFC 6265 5.2.3: without its first dot; an empty one does not count. */
static void read_domain(lbs_slice_t value, lbs_setcookie_t *set)
{
    if (value.n > 0) {
        int dot = value.p[0] == '.';

        set->domain = lbs_slice_span(value.p + dot, value.p + value.n);
    }
}

/* RFC 6265 5.2.4: a path without a slash at its beginning means the default
 * path. */
static void read_path(lbs_slice_t value, lbs_setcookie_t *set)
{
    set->path = value.n > 0 && value.p[0] == '/' ? value : lbs_slice_of(NULL);
}

static void read_attribute(lbs_slice_t name, lbs_slice_t value, apr_time_t now,
                           lifetime_t *life, lbs_setcookie_t *set)
{
    if (lbs_slice_caseeq(name, lbs_slice_of("Max-Age"))) {
        int over = is_over_by_max_age(value);

        life->by_max_age = over != -1 ? over : life->by_max_age;
    }
    else if (lbs_slice_caseeq(name, lbs_slice_of("Expires"))) {
        apr_time_t when;

        if (lbs_cookie_date_parse(value, &when) == APR_SUCCESS) {
            life->by_expires = when <= now;
        }
    }
    else if (lbs_slice_caseeq(name, lbs_slice_of("Path"))) {
        read_path(value, set);
    }
    else if (lbs_slice_caseeq(name, lbs_slice_of("Domain"))) {
        read_domain(value, set);
    }
}

apr_status_t lbs_setcookie_parse(const char *line, lbs_slice_t name,
                                 apr_time_t now, lbs_setcookie_t *set)
{
    lifetime_t life = {-1, -1};
    lbs_slice_t key, text, found;
    const char *p = next_part(line, &key, &found);

    if (found.p == NULL || !lbs_slice_eq(key, name)) {
        return APR_NOTFOUND;
    }
    memset(set, 0, sizeof(*set));
    while (p != NULL) {
        p = next_part(p, &key, &text);
        read_attribute(key, text, now, &life, set);
    }
    set->value = lbs_cookie_unquote(found);
    set->deletes =
        set->value.n == 0
        || (life.by_max_age != -1 ? life.by_max_age : life.by_expires == 1);
    return APR_SUCCESS;
}

void lbs_setcookie_frame(apr_pool_t *pool, const lbs_cookie_conf_t *conf,
                         lbs_slice_t name, int secure,
                         lbs_setcookie_frame_t *frame)
{
    static const char *const samesite[] = {
        [LBS_SAMESITE_LAX] = "; SameSite=Lax",
        [LBS_SAMESITE_STRICT] = "; SameSite=Strict",
        [LBS_SAMESITE_NONE] = "; SameSite=None",
        [LBS_SAMESITE_OFF] = "",
    };
    const char *lifetime = "";

    if (conf->maxage > 0) {
        lifetime =
            apr_psprintf(pool, "; Max-Age=%" APR_INT64_T_FMT, conf->maxage);
    }
    frame->before = lbs_slice_of(
        apr_pstrcat(pool, apr_pstrmemdup(pool, name.p, name.n), "=", NULL));
    frame->behind = lbs_slice_of(
        apr_pstrcat(pool, conf->path != NULL ? "; Path=" : "",
                    conf->path != NULL ? conf->path : "",
                    conf->domain != NULL ? "; Domain=" : "",
                    conf->domain != NULL ? conf->domain : "", lifetime,
                    samesite[conf->samesite], secure ? "; Secure" : "",
                    conf->httponly ? "; HttpOnly" : "",
                    conf->partitioned ? "; Partitioned" : "", NULL));
}

char *lbs_setcookie_line(apr_pool_t *pool, const lbs_setcookie_frame_t *frame,
                         const char *value)
{
    apr_size_t n = strlen(value);
    char *line = apr_palloc(pool, frame->before.n + n + frame->behind.n + 1);

    memcpy(line, frame->before.p, frame->before.n);
    memcpy(line + frame->before.n, value, n);
    memcpy(line + frame->before.n + n, frame->behind.p, frame->behind.n + 1);
    return line;
}

/* The end of a list's element: the next comma not between quotes, or NUL. */
static const char *element_end(const char *p)
{
    int quoted = 0;

    for (; *p != '\0' && (quoted || *p != ','); p++) {
        if (*p == '"') {
            quoted = !quoted;
        }
        else if (quoted && p[0] == '\\' && p[1] != '\0') {
            p++;
        }
    }
    return p;
}

const char *lbs_setcookie_private(apr_pool_t *pool, const char *control)
{
    const char *p = control != NULL ? control : "";
    const char *end;
    /* Of n bytes at most n / 2 + 1 elements, each with two bytes before it. */
    char *out = apr_palloc(pool, sizeof("private") + 2 * strlen(p) + 2);
    char *to = apr_cpystrn(out, "private", sizeof("private"));

    for (;; p = end + 1) {
        lbs_slice_t element;

        end = element_end(p);
        element = lbs_slice_trim(lbs_slice_span(p, end));
        if (lbs_slice_caseeq(element, lbs_slice_of("private"))
            || lbs_slice_caseeq(element, lbs_slice_of("no-store"))) {
            return control;
        }
        if (element.n > 0
            && !lbs_slice_caseeq(element, lbs_slice_of("public"))) {
            to = apr_cpystrn(to, ", ", 3);
            memcpy(to, element.p, element.n);
            to += element.n;
        }
        if (*end == '\0') {
            break;
        }
    }
    *to = '\0';
    return out;
}
