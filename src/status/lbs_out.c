/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_out.c - collecting, formatting and escaping a document. */
#include "src/status/lbs_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/base/lbs_assert.h"
#include "src/status/lbs_escape.h"

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

void lbs_out_text(lbs_out_t *out, const char *text)
{
    const char *from = text;

    if (text == NULL) {
        return;
    }
    while (*text != '\0') {
        char instead[LBS_ESCAPE_MAX];
        apr_size_t taken;
        apr_size_t len = lbs_escape_next(out->escape, text, &taken, instead);

        if (len > 0) {
            lbs_out_write(out, from, (apr_size_t)(text - from));
            lbs_out_write(out, instead, len);
            from = text + taken;
        }
        text += taken;
    }
    lbs_out_write(out, from, (apr_size_t)(text - from));
}

/* One conversion of a number, spec as in "%.1f". The compiler checked the
 * argument's type against the format at the call. */
static void put_number(lbs_out_t *out, const char *spec, int longs, char kind,
                       va_list *args)
{
    char text[400]; /* the longest double without an exponent has 310 */
    int len;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (kind == 'f' || kind == 'g') {
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

/* fmt stands behind a '%'. @return what stands behind the conversion */
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
        lbs_out_text(out, va_arg(*args, const char *));
        return fmt + 1;
    }
    lbs_assert(*fmt == 'd' || *fmt == 'u' || *fmt == 'x' || *fmt == 'f'
               || *fmt == 'g');
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

apr_status_t lbs_out_close(lbs_out_t *out)
{
    hand_on(out);
    return out->status;
}
