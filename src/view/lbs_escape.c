/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_escape.c - making any bytes safe for the place they are put in. */
#include "src/view/lbs_escape.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* @return bytes of the UTF-8 character at text, 0 if there is none. Refuses
 * what RFC 3629 refuses: overlong forms, surrogates, above U+10FFFF. A NUL
 * is no continuation byte, so the end of the string is never passed. */
static apr_size_t utf8_len(const unsigned char *text)
{
    unsigned char low = 0x80, high = 0xbf; /* range of the second byte */
    apr_size_t len, i;

    if (text[0] < 0x80) {
        return 1;
    }
    if (text[0] < 0xc2 || text[0] > 0xf4) {
        return 0;
    }
    len = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    switch (text[0]) {
    case 0xe0:
        low = 0xa0;
        break;
    case 0xed:
        high = 0x9f;
        break;
    case 0xf0:
        low = 0x90;
        break;
    case 0xf4:
        high = 0x8f;
        break;
    default:
        break;
    }
    if (text[1] < low || text[1] > high) {
        return 0;
    }
    for (i = 2; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

static const char *for_html(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

static const char *for_label(char c)
{
    switch (c) {
    case '\\':
        return "\\\\";
    case '"':
        return "\\\"";
    case '\n':
        return "\\n";
    default:
        return NULL;
    }
}

/* One bit for each way of escaping that changes a byte. */
#define ALL_BITS                                                              \
    (1u << LBS_OUT_PLAIN | 1u << LBS_OUT_HTML | 1u << LBS_OUT_LABEL)

static const unsigned char special[256] = {
    [0x00 ... 0x1f] = ALL_BITS,
    ['"'] = 1u << LBS_OUT_HTML | 1u << LBS_OUT_LABEL,
    ['&'] = 1u << LBS_OUT_HTML,
    ['\''] = 1u << LBS_OUT_HTML,
    ['<'] = 1u << LBS_OUT_HTML,
    ['>'] = 1u << LBS_OUT_HTML,
    ['\\'] = 1u << LBS_OUT_LABEL,
    [0x7f ... 0xff] = ALL_BITS,
};

apr_size_t lbs_escape_plain(lbs_out_escape_t how, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while ((special[*at] & (1u << how)) == 0) {
        at++;
    }
    return (apr_size_t)(at - (const unsigned char *)text);
}

apr_size_t lbs_escape_next(lbs_out_escape_t how, const char *text,
                           apr_size_t *taken, char *instead)
{
    const unsigned char *bytes = (const unsigned char *)text;
    apr_size_t len = utf8_len(bytes);
    const char *with = NULL;

    *taken = len > 0 ? len : 1;
    if (len == 0) {
        with = REPLACEMENT;
    }
    else if (how == LBS_OUT_HTML) {
        with = for_html(*text);
    }
    else if (how == LBS_OUT_LABEL) {
        with = for_label(*text);
    }
    /* No document of ours has a use for the other control characters, and
     * XML parsers, terminals and log readers stumble over them. */
    if (with == NULL && (bytes[0] < 0x20 || bytes[0] == 0x7f)) {
        with = " ";
    }
    if (with == NULL) {
        return 0;
    }
    len = strlen(with);
    memcpy(instead, with, len);
    return len;
}

const char *lbs_escape_utf8(apr_pool_t *pool, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    apr_size_t bad = 0, len;
    char *copy, *to;

    if (text == NULL) {
        return "";
    }
    while (*at != '\0') {
        len = utf8_len(at);
        bad += len == 0;
        at += len > 0 ? len : 1;
    }
    if (bad == 0) {
        return text;
    }
    to = copy = apr_palloc(pool, strlen(text) + 2 * bad + 1);
    for (at = (const unsigned char *)text; *at != '\0';) {
        len = utf8_len(at);
        memcpy(to, len > 0 ? (const char *)at : REPLACEMENT,
               len > 0 ? len : sizeof(REPLACEMENT) - 1);
        to += len > 0 ? len : sizeof(REPLACEMENT) - 1;
        at += len > 0 ? len : 1;
    }
    *to = '\0';
    return copy;
}

const char *lbs_escape_text(apr_pool_t *pool, lbs_out_escape_t how,
                            const char *text)
{
    char instead[LBS_ESCAPE_MAX];
    apr_size_t len = 0, taken, size;
    const char *at;
    char *copy;

    if (text == NULL) {
        return "";
    }
    for (at = text; *at != '\0'; at += taken) {
        size = lbs_escape_next(how, at, &taken, instead);
        len += size > 0 ? size : taken;
    }
    copy = apr_palloc(pool, len + 1);
    for (at = text, len = 0; *at != '\0'; at += taken) {
        size = lbs_escape_next(how, at, &taken, instead);
        memcpy(copy + len, size > 0 ? instead : at, size > 0 ? size : taken);
        len += size > 0 ? size : taken;
    }
    copy[len] = '\0';
    return copy;
}

static int is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || (c != '\0' && strchr("-._~", c) != NULL);
}

const char *lbs_escape_url(apr_pool_t *pool, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    const unsigned char *at = (const unsigned char *)text;
    char *copy = apr_palloc(pool, 3 * strlen(text) + 1);
    char *to = copy;

    for (; *at != '\0'; at++) {
        if (is_unreserved(*at)) {
            *to++ = (char)*at;
            continue;
        }
        *to++ = '%';
        *to++ = hex[*at >> 4];
        *to++ = hex[*at & 15];
    }
    *to = '\0';
    return copy;
}
