/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_outline.c - see lbs_outline.h.
 *
 *     K secret        fingerprint, hexadecimal
 *     V, v vhost      a pool begins, v: one that is removed
 *     N name          of that pool, as all up to the next V or v
 *     C name          of the module's cookie
 *     S spelling      of a source
 *     R, r route      a member begins, r: one that is removed
 *     U url           of that member
 *     Q microseconds  of its clock, hexadecimal
 *     F number        it was found: by its source, times 256, plus lbset;
 *                     hexadecimal, as all below
 *     B bits          of the kinds of sources that name it
 *     L microseconds  until it has left
 *     T microseconds  of its lease
 *     X id            of a member of the pool that an operator has removed
 *     A address       of one whose URL has a name
 */
#include "src/preview/lbs_outline.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

/* More than any configuration has: LBS_REGISTRY_POOLS, LBS_REGISTRY_MEMBERS,
 * LBS_SECRET_MAX. */
#define POOLS_MOST 1024
#define MEMBERS_MOST 8192
#define SECRETS_MOST 64
#define BARRED_MOST 1024
#define SOURCES_MOST 64 /* of all virtual hosts that share the pool */

lbs_outline_t *lbs_outline_create(apr_pool_t *pool)
{
    lbs_outline_t *outline = apr_palloc(pool, sizeof(*outline));

    outline->secrets = apr_array_make(pool, 2, sizeof(apr_uint64_t));
    outline->pools = apr_array_make(pool, 8, sizeof(lbs_outline_pool_t));
    return outline;
}

lbs_outline_pool_t *lbs_outline_add_pool(lbs_outline_t *outline,
                                         const char *vhost, const char *name)
{
    lbs_outline_pool_t *pool = apr_array_push(outline->pools);

    *pool = (lbs_outline_pool_t){
        .vhost = vhost,
        .name = name,
        .cookie = "",
        .sources =
            apr_array_make(outline->pools->pool, 2, sizeof(const char *)),
        .members = apr_array_make(outline->pools->pool, 4,
                                  sizeof(lbs_outline_member_t)),
        .barred =
            apr_array_make(outline->pools->pool, 1, sizeof(apr_uint64_t)),
    };
    return pool;
}

int lbs_outline_has_source(const lbs_outline_pool_t *pool,
                           const char *spelling)
{
    int i;

    for (i = 0; i < pool->sources->nelts; i++) {
        if (strcmp(LBS_OUTLINE_AT(pool->sources, i, const char *), spelling)
            == 0) {
            return 1;
        }
    }
    return 0;
}

void lbs_outline_add_source(lbs_outline_pool_t *pool, const char *spelling)
{
    if (pool->sources->nelts < SOURCES_MOST
        && !lbs_outline_has_source(pool, spelling)) {
        APR_ARRAY_PUSH(pool->sources, const char *) = spelling;
    }
}

int lbs_outline_verifies(const lbs_outline_t *outline, apr_uint64_t secret)
{
    int i;

    for (i = 0; i < outline->secrets->nelts; i++) {
        if (LBS_OUTLINE_AT(outline->secrets, i, apr_uint64_t) == secret) {
            return 1;
        }
    }
    return 0;
}

/* Writing ----------------------------------------------------------------- */

typedef struct out_t {
    unsigned char *bytes; /* NULL: only counted */
    apr_size_t len;
} out_t;

static void put(out_t *out, char letter, const char *text)
{
    apr_size_t n = strlen(text) + 1;

    if (out->bytes != NULL) {
        out->bytes[out->len] = (unsigned char)letter;
        memcpy(out->bytes + out->len + 1, text, n);
    }
    out->len += 1 + n;
}

static void put_number(out_t *out, char letter, apr_uint64_t number)
{
    char text[24];

    apr_snprintf(text, sizeof(text), "%" APR_UINT64_T_HEX_FMT, number);
    put(out, letter, text);
}

static void put_some(out_t *out, char letter, apr_uint64_t number)
{
    if (number != 0) {
        put_number(out, letter, number);
    }
}

static void put_pool(out_t *out, const lbs_outline_pool_t *pool)
{
    int i;

    put(out, pool->removed ? 'v' : 'V', pool->vhost);
    put(out, 'N', pool->name);
    put(out, 'C', pool->cookie);
    for (i = 0; i < pool->sources->nelts; i++) {
        put(out, 'S', LBS_OUTLINE_AT(pool->sources, i, const char *));
    }
    for (i = 0; i < pool->members->nelts; i++) {
        const lbs_outline_member_t *m =
            &LBS_OUTLINE_AT(pool->members, i, lbs_outline_member_t);

        put(out, m->removed ? 'r' : 'R', m->route);
        put(out, 'U', m->url);
        put_number(out, 'Q', m->quantum_us);
        if (m->found) {
            put_number(out, 'F', m->found_by << 8 | m->lbset);
            put(out, 'A', m->address);
            put_number(out, 'B', m->named_by);
            put_some(out, 'L', m->leave_us);
            put_some(out, 'T', m->lease_us);
        }
    }
    for (i = 0; i < pool->barred->nelts; i++) {
        put_number(out, 'X', LBS_OUTLINE_AT(pool->barred, i, apr_uint64_t));
    }
}

static void put_all(out_t *out, const lbs_outline_t *outline)
{
    int i;

    for (i = 0; i < outline->secrets->nelts; i++) {
        put_number(out, 'K',
                   LBS_OUTLINE_AT(outline->secrets, i, apr_uint64_t));
    }
    for (i = 0; i < outline->pools->nelts; i++) {
        put_pool(out, &LBS_OUTLINE_AT(outline->pools, i, lbs_outline_pool_t));
    }
}

const unsigned char *lbs_outline_encode(const lbs_outline_t *outline,
                                        apr_size_t *len, apr_pool_t *pool)
{
    out_t out = {NULL, 0};

    put_all(&out, outline);
    *len = out.len;
    out.bytes = apr_palloc(pool, out.len + 1);
    out.len = 0;
    put_all(&out, outline);
    return out.bytes;
}

/* Reading ----------------------------------------------------------------- */

typedef struct in_t {
    lbs_outline_t *outline;
    lbs_outline_pool_t *pool;     /* the one that began last; NULL: none yet */
    lbs_outline_member_t *member; /* the same */
    int members;                  /* of all pools */
} in_t;

static apr_uint64_t number_of(const char *text)
{
    return (apr_uint64_t)strtoull(text, NULL, 16);
}

static int begin_pool(in_t *in, const char *vhost, int removed)
{
    if (in->outline->pools->nelts == POOLS_MOST) {
        return 0;
    }
    in->pool = lbs_outline_add_pool(in->outline, vhost, "");
    in->pool->removed = removed;
    in->member = NULL;
    return 1;
}

static int begin_member(in_t *in, const char *route, int removed)
{
    if (in->pool == NULL || in->members++ == MEMBERS_MOST) {
        return 0;
    }
    in->member = apr_array_push(in->pool->members);
    *in->member = (lbs_outline_member_t){
        .route = route, .url = "", .address = "", .removed = removed};
    return 1;
}

static int read_of_pool(in_t *in, char letter, const char *text)
{
    if (in->pool == NULL) {
        return 0;
    }
    if (letter == 'N') {
        in->pool->name = text;
    }
    else if (letter == 'C') {
        in->pool->cookie = text;
    }
    else if (letter == 'X') {
        if (in->pool->barred->nelts == BARRED_MOST) {
            return 0;
        }
        APR_ARRAY_PUSH(in->pool->barred, apr_uint64_t) = number_of(text);
    }
    else {
        lbs_outline_add_source(in->pool, text);
    }
    return 1;
}

static int read_of_member(in_t *in, char letter, const char *text)
{
    if (in->member == NULL) {
        return 0;
    }
    switch (letter) {
    case 'U':
        in->member->url = text;
        break;
    case 'A':
        in->member->address = text;
        break;
    case 'F':
        in->member->found = 1;
        in->member->lbset = (apr_uint32_t)(number_of(text) & 0xff);
        in->member->found_by = (apr_uint32_t)(number_of(text) >> 8 & 0xff);
        break;
    case 'B':
        in->member->named_by = (apr_uint32_t)number_of(text);
        break;
    case 'L':
        in->member->leave_us = number_of(text);
        break;
    case 'T':
        in->member->lease_us = number_of(text);
        break;
    default:
        in->member->quantum_us = number_of(text);
    }
    return 1;
}

static int read_secret(in_t *in, const char *text)
{
    if (in->outline->secrets->nelts == SECRETS_MOST) {
        return 0;
    }
    APR_ARRAY_PUSH(in->outline->secrets, apr_uint64_t) = number_of(text);
    return 1;
}

/* @return 0: it cannot stand here */
static int read_entry(in_t *in, char letter, const char *text)
{
    switch (letter) {
    case 'K':
        return read_secret(in, text);
    case 'V':
    case 'v':
        return begin_pool(in, text, letter == 'v');
    case 'N':
    case 'C':
    case 'S':
    case 'X':
        return read_of_pool(in, letter, text);
    case 'R':
    case 'r':
        return begin_member(in, text, letter == 'r');
    case 'U':
    case 'Q':
    case 'F':
    case 'A':
    case 'B':
    case 'L':
    case 'T':
        return read_of_member(in, letter, text);
    default:
        return 1;
    }
}

lbs_outline_t *lbs_outline_decode(const unsigned char *bytes, apr_size_t len,
                                  apr_pool_t *pool)
{
    in_t in = {.outline = lbs_outline_create(pool)};

    while (len > 0) {
        const unsigned char *end = memchr(bytes, '\0', len);

        if (end == NULL || end == bytes
            || !read_entry(&in, (char)*bytes, (const char *)bytes + 1)) {
            return NULL;
        }
        len -= (apr_size_t)(end - bytes) + 1;
        bytes = end + 1;
    }
    return in.outline;
}
