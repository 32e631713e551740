/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_out.c - collecting, formatting and escaping a document. */
#include "src/view/lbs_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/base/lbs_assert.h"
#include "src/view/lbs_escape.h"

static void hand_on(lbs_out_t *out)
{
    if (out->status == APR_SUCCESS && out->used > 0) {
        out->status = out->sink(out->ctx, out->buf, out->used);
    }
    out->used = 0;
}

lbs_out_t *lbs_out_open(apr_pool_t *pool, lbs_out_escape_t escape,
                        lbs_out_sink_t *sink, void *ctx)
{
    lbs_out_t *out = apr_palloc(pool, sizeof(*out));

    out->pool = pool;
    out->sink = sink;
    out->ctx = ctx;
    out->escape = escape;
    out->status = APR_SUCCESS;
    out->used = 0;
    return out;
}

void lbs_out_write(lbs_out_t *out, const char *data, apr_size_t len)
{
    /* Nearly always there is room. */
    if (len < sizeof(out->buf) - out->used) {
        memcpy(out->buf + out->used, data, len);
        out->used += len;
        return;
    }
    while (len > 0) {
        apr_size_t room = sizeof(out->buf) - out->used;
        apr_size_t part = len < room ? len : room;

        memcpy(out->buf + out->used, data, part);
        out->used += part;
        data += part;
        len -= part;
        if (out->used == sizeof(out->buf)) {
            hand_on(out);
        }
    }
}

void lbs_out_raw(lbs_out_t *out, const char *text)
{
    lbs_out_write(out, text, strlen(text));
}

static void put_text(lbs_out_t *out, const char *text)
{
    if (text == NULL) {
        return;
    }
    for (;;) {
        char instead[LBS_ESCAPE_MAX];
        apr_size_t plain = lbs_escape_plain(out->escape, text);
        apr_size_t taken, len;

        lbs_out_write(out, text, plain);
        text += plain;
        if (*text == '\0') {
            return;
        }
        len = lbs_escape_next(out->escape, text, &taken, instead);
        lbs_out_write(out, len > 0 ? instead : text, len > 0 ? len : taken);
        text += taken;
    }
}

void lbs_out_count(lbs_out_t *out, apr_uint64_t count)
{
    char digits[20];
    apr_size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + count % 10);
        count /= 10;
    } while (count > 0);
    lbs_out_write(out, digits + at, sizeof(digits) - at);
}

void lbs_out_real(lbs_out_t *out, double value, int decimals)
{
    apr_uint64_t one = 1, whole, rest;
    char digits[10];
    int i;

    lbs_assert(decimals >= 1 && decimals <= 9);
    for (i = 0; i < decimals; i++) {
        one *= 10;
    }
    if (value < 0) {
        lbs_out_write(out, "-", 1);
        value = -value;
    }
    value = value >= 0 ? value * (double)one + 0.5 : 0;
    whole = value < 9.2e18 ? (apr_uint64_t)value
                           : APR_UINT64_C(9200000000000000000);
    rest = whole % one;
    lbs_out_count(out, whole / one);
    digits[0] = '.';
    for (i = decimals; i > 0; i--) {
        digits[i] = (char)('0' + rest % 10);
        rest /= 10;
    }
    while (decimals > 1 && digits[decimals] == '0') {
        decimals--;
    }
    lbs_out_write(out, digits, (apr_size_t)decimals + 1);
}

/* A whole number without width: most of all there are. */
static void put_plain(lbs_out_t *out, int longs, char kind, va_list *args)
{
    long long value;

    if (kind == 'u') {
        lbs_out_count(out, longs == 2   ? va_arg(*args, unsigned long long)
                           : longs == 1 ? va_arg(*args, unsigned long)
                                        : va_arg(*args, unsigned));
        return;
    }
    value = longs == 2   ? va_arg(*args, long long)
            : longs == 1 ? va_arg(*args, long)
                         : va_arg(*args, int);
    if (value < 0) {
        lbs_out_write(out, "-", 1);
    }
    lbs_out_count(out,
                  value < 0 ? 0 - (apr_uint64_t)value : (apr_uint64_t)value);
}

/* Any other number, spec as in "%.1f". The compiler checked the argument's
 * type against the format at the call. */
static void put_number(lbs_out_t *out, const char *spec, int longs, char kind,
                       va_list *args)
{
    char text[400]; /* the longest double without an exponent has 310 */
    int len;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (kind == 'f') {
        len = snprintf(text, sizeof(text), spec, va_arg(*args, double));
    }
    else if (longs == 2) {
        len = snprintf(text, sizeof(text), spec, va_arg(*args, long long));
    }
    else if (longs == 1) {
        len = snprintf(text, sizeof(text), spec, va_arg(*args, long));
    }
    else {
        len = snprintf(text, sizeof(text), spec, va_arg(*args, int));
    }
#pragma GCC diagnostic pop
    lbs_assert(len >= 0 && (size_t)len < sizeof(text));
    lbs_out_write(out, text, (apr_size_t)len);
}

/* fmt stands behind a '%'. @return the text behind the conversion */
static const char *put_one(lbs_out_t *out, const char *fmt, va_list *args)
{
    char spec[16] = "%";
    size_t len = 1;
    int longs = 0;

    if (*fmt == '%') {
        lbs_out_write(out, "%", 1);
        return fmt + 1;
    }
    while (strchr("0123456789.l", *fmt) != NULL && *fmt != '\0') {
        lbs_assert(len < sizeof(spec) - 2);
        longs += *fmt == 'l';
        spec[len++] = *fmt++;
    }
    spec[len] = *fmt;
    if (*fmt == 's') {
        lbs_assert(len == 1);
        put_text(out, va_arg(*args, const char *));
        return fmt + 1;
    }
    if ((*fmt == 'd' || *fmt == 'u') && len == 1 + (size_t)longs) {
        put_plain(out, longs, *fmt, args);
        return fmt + 1;
    }
    lbs_assert(*fmt == 'd' || *fmt == 'u' || *fmt == 'x' || *fmt == 'f');
    put_number(out, spec, longs, *fmt, args);
    return fmt + 1;
}

void lbs_out_put(lbs_out_t *out, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    while (*fmt != '\0') {
        const char *next = strchr(fmt, '%');

        if (next == NULL) {
            lbs_out_raw(out, fmt);
            break;
        }
        lbs_out_write(out, fmt, (apr_size_t)(next - fmt));
        fmt = put_one(out, next + 1, &args);
    }
    va_end(args);
}

void lbs_out_fail(lbs_out_t *out, apr_status_t why)
{
    if (out->status == APR_SUCCESS) {
        out->status = why;
    }
}

apr_status_t lbs_out_close(lbs_out_t *out)
{
    hand_on(out);
    return out->status;
}
