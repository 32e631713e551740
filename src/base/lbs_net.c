/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_net.c - see lbs_net.h. */
#include "src/base/lbs_net.h"

#include <apr_cstr.h>
#include <apr_strings.h>
#include <string.h>

#define TEXT_MOST 63 /* bytes of an address with its prefix */
#define MAPPED 96    /* bits before an address of version 4 */

static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                         0, 0, 0, 0, 0xff, 0xff};

/* A range is written as its first bytes and how many bits of them count. */
typedef struct known_t {
    unsigned char byte[16];
    int bits;
    const char *what;
} known_t;

#define V4(a, b, c, d)                                                        \
    {                                                                         \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d                  \
    }

static const known_t nevers[] = {
    {V4(0, 0, 0, 0), MAPPED + 8, "no address of a server"},
    {{0}, 128, "no address of a server"},
    {V4(169, 254, 0, 0), MAPPED + 16, "link-local"},
    {{0xfe, 0x80}, 10, "link-local"},
    {V4(224, 0, 0, 0), MAPPED + 4, "multicast"},
    {{0xff}, 8, "multicast"},
    {V4(255, 255, 255, 255), 128, "broadcast"},
};

static const known_t privates[] = {
    {V4(10, 0, 0, 0), MAPPED + 8, ""},
    {V4(172, 16, 0, 0), MAPPED + 12, ""},
    {V4(192, 168, 0, 0), MAPPED + 16, ""},
    {V4(100, 64, 0, 0), MAPPED + 10, ""},
    {{0xfc}, 7, ""},
};

static int is_within(const lbs_net_t *net, const unsigned char *first,
                     int bits)
{
    int whole = bits / 8;
    unsigned mask = 0xff00u >> (bits % 8) & 0xffu;

    return memcmp(net->byte, first, (size_t)whole) == 0
           && (mask == 0 || ((net->byte[whole] ^ first[whole]) & mask) == 0);
}

static const known_t *find(const lbs_net_t *net, const known_t *known,
                           size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (is_within(net, known[i].byte, known[i].bits)) {
            return &known[i];
        }
    }
    return NULL;
}

/* Digits of a part. @return behind them; NULL: there are none, or too many */
static const char *read_part(const char *at, const char *end, unsigned base,
                             unsigned most, unsigned *part)
{
    const char *from = at;
    unsigned value = 0;

    for (; at < end; at++) {
        unsigned digit = (unsigned char)*at - (unsigned)'0';

        if (digit > 9) {
            digit = ((unsigned char)*at | 0x20u) - (unsigned)'a' + 10;
            if (digit < 10 || digit >= base) {
                break;
            }
        }
        value = value * base + digit;
        if (value > most || at - from >= 4) {
            return NULL;
        }
    }
    /* 010 is 8 to some, 10 to others. */
    if (at == from || (base == 10 && at - from > 1 && *from == '0')) {
        return NULL;
    }
    *part = value;
    return at;
}

static int read_v4(const char *at, const char *end, unsigned char *byte)
{
    unsigned part, i;

    for (i = 0; i < 4; i++) {
        if (i > 0 && (at == end || *at++ != '.')) {
            return 0;
        }
        at = read_part(at, end, 10, 255, &part);
        if (at == NULL) {
            return 0;
        }
        byte[i] = (unsigned char)part;
    }
    return at == end;
}

/* Parts from `at` to the end or to "::". @return behind them; NULL: none */
static const char *read_parts(const char *at, const char *end,
                              unsigned char *byte, int *n)
{
    unsigned part;

    while (at < end) {
        const char *next = read_part(at, end, 16, 0xffff, &part);

        if (next != NULL && next < end && *next == '.') {
            if (*n > 6 || !read_v4(at, end, byte + (apr_size_t)*n * 2)) {
                return NULL;
            }
            *n += 2;
            return end;
        }
        if (next == NULL || *n == 8) {
            return NULL;
        }
        byte[*n * 2] = (unsigned char)(part >> 8);
        byte[*n * 2 + 1] = (unsigned char)part;
        (*n)++;
        if (next == end) {
            return end;
        }
        if (*next != ':' || next + 1 == end) {
            return NULL;
        }
        if (next[1] == ':') {
            return next;
        }
        at = next + 1;
    }
    return at;
}

static int read_v6(const char *at, const char *end, unsigned char *byte)
{
    unsigned char tail[16] = {0};
    int head = 0, rest = 0;

    memset(byte, 0, 16);
    if (end - at < 2 || at[0] != ':' || at[1] != ':') {
        at = read_parts(at, end, byte, &head);
        if (at == NULL || at == end) {
            return at != NULL && head == 8;
        }
    }
    at = read_parts(at + 2, end, tail, &rest);
    if (at != end || head + rest > 7) {
        return 0;
    }
    memcpy(byte + 16 - rest * 2, tail, (size_t)rest * 2);
    return 1;
}

int lbs_net_read(const char *text, apr_size_t n, lbs_net_t *net)
{
    lbs_net_t read;

    if (n == 0 || n > TEXT_MOST) {
        return 0;
    }
    if (read_v4(text, text + n, read.byte + sizeof(mapped))) {
        memcpy(read.byte, mapped, sizeof(mapped));
    }
    else if (!read_v6(text, text + n, read.byte)) {
        return 0;
    }
    *net = read;
    return 1;
}

/* Sets ------------------------------------------------------------------- */

static int read_bits(const char *text, apr_size_t n, int most)
{
    int bits = 0;
    apr_size_t i;

    if (n == 0 || n > 3) {
        return -1;
    }
    for (i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        bits = bits * 10 + (text[i] - '0');
    }
    return bits <= most ? bits : -1;
}

static int read_range(const char *text, apr_size_t n, lbs_net_range_t *range)
{
    const char *slash = memchr(text, '/', n);
    apr_size_t len = slash != NULL ? (apr_size_t)(slash - text) : n;
    int before = 0;

    if (!lbs_net_read(text, len, &range->first)) {
        return 0;
    }
    if (memchr(text, ':', len) == NULL) {
        before = MAPPED;
    }
    range->bits = slash == NULL
                      ? 128 - before
                      : read_bits(slash + 1, n - len - 1, 128 - before);
    range->bits += range->bits >= 0 ? before : 0;
    return range->bits >= 0;
}

static int is_word(const char *text, apr_size_t n, const char *word)
{
    return strlen(word) == n && apr_cstr_casecmpn(text, word, n) == 0;
}

const char *lbs_net_set_read(const char *text, lbs_net_set_t *set)
{
    lbs_net_set_t read = {0};

    for (;;) {
        apr_size_t n = strcspn(text, ",");

        if (is_word(text, n, "private")) {
            read.private_ones = 1;
        }
        else if (is_word(text, n, "any")) {
            read.all = 1;
        }
        else if (read.count == LBS_NET_RANGES) {
            return "at most 16 ranges";
        }
        else if (!read_range(text, n, &read.range[read.count++])) {
            return "private, any, or ranges of addresses such as "
                   "10.1.0.0/16,127.0.0.0/8";
        }
        if (text[n] == '\0') {
            *set = read;
            return NULL;
        }
        text += n + 1;
    }
}

int lbs_net_set_has(const lbs_net_set_t *set, const lbs_net_t *net)
{
    int i;

    if (set->all
        || (set->private_ones
            && find(net, privates, sizeof(privates) / sizeof(*privates))
                   != NULL)) {
        return 1;
    }
    for (i = 0; i < set->count; i++) {
        if (is_within(net, set->range[i].first.byte, set->range[i].bits)) {
            return 1;
        }
    }
    return 0;
}

const char *lbs_net_never(const lbs_net_t *net)
{
    const known_t *known = find(net, nevers, sizeof(nevers) / sizeof(*nevers));

    return known != NULL ? known->what : NULL;
}

/* Writing ---------------------------------------------------------------- */

int lbs_net_is_v4(const lbs_net_t *net)
{
    return memcmp(net->byte, mapped, sizeof(mapped)) == 0;
}

static unsigned group(const lbs_net_t *net, int i)
{
    return (unsigned)net->byte[2 * i] << 8 | net->byte[2 * i + 1];
}

/* The first of the longest runs of zeros, of two groups at least.
 * @return its groups; 0: there is none */
static int longest_run(const lbs_net_t *net, int *first)
{
    int i, n, most = 1;

    for (i = 0; i < 8; i += n + 1) {
        for (n = 0; i + n < 8 && group(net, i + n) == 0; n++) {
        }
        if (n > most) {
            most = n;
            *first = i;
        }
    }
    return most > 1 ? most : 0;
}

void lbs_net_text(const lbs_net_t *net, char text[LBS_NET_TEXT])
{
    int first = 8, run, i, n = 0;

    if (lbs_net_is_v4(net)) {
        (void)apr_snprintf(text, LBS_NET_TEXT, "%u.%u.%u.%u", net->byte[12],
                           net->byte[13], net->byte[14], net->byte[15]);
        return;
    }
    run = longest_run(net, &first);
    for (i = 0; i < 8; i++) {
        if (run > 0 && i == first) {
            n += apr_snprintf(text + n, (apr_size_t)(LBS_NET_TEXT - n), "::");
            i += run - 1;
        }
        else {
            n += apr_snprintf(text + n, (apr_size_t)(LBS_NET_TEXT - n),
                              i > 0 && text[n - 1] != ':' ? ":%x" : "%x",
                              group(net, i));
        }
    }
}
