/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_foreign.c - see lbs_foreign.h. */
#include "src/foreign/lbs_foreign_int.h"

#include <apr_hash.h>
#include <apr_strings.h>

#include "src/affinity/lbs_cookie.h"

#define WANT_READER                                                           \
    "READER:NAME with haproxy, nginx, traefik, bigip, mod_proxy or "          \
    "jvmroute, and the cookie's name, such as haproxy:SRV"
#define WANT_NAME                                                             \
    "a cookie's NAME of 1 to 255 characters out of A-Z a-z 0-9 "              \
    "! # $ % & ' * + - . ^ _ ` | ~ behind the reader"
#define WANT_ONCE "each reader and name only once"
#define WANT_FEWER "at most 8 readers"

static const lbs_foreign_reader_t *const readers[] = {
    &lbs_foreign_haproxy, &lbs_foreign_nginx,     &lbs_foreign_traefik,
    &lbs_foreign_bigip,   &lbs_foreign_mod_proxy, &lbs_foreign_jvmroute,
};
#define READERS (sizeof(readers) / sizeof(readers[0]))

/* Words ------------------------------------------------------------------ */

static const lbs_foreign_reader_t *find_reader(lbs_slice_t word)
{
    apr_size_t i;

    for (i = 0; i < READERS; i++) {
        if (lbs_slice_caseeq(word, lbs_slice_of(readers[i]->word))) {
            return readers[i];
        }
    }
    return NULL;
}

static const char *lower(apr_pool_t *pool, const char *name)
{
    char *copy = apr_pstrdup(pool, name);
    char *at;

    for (at = copy; *at != '\0'; at++) {
        *at = lbs_slice_lower(*at);
    }
    return copy;
}

const char *lbs_foreign_add(apr_pool_t *pool, const char *arg,
                            lbs_foreign_t *list, int *count)
{
    const char *colon = strchr(arg, ':');
    const lbs_foreign_reader_t *reader =
        colon != NULL ? find_reader(lbs_slice_span(arg, colon)) : NULL;
    lbs_slice_t name = lbs_slice_of(colon != NULL ? colon + 1 : NULL);
    int i;

    if (reader == NULL) {
        return WANT_READER;
    }
    if (name.n > LBS_FOREIGN_NAME_MAX || !lbs_cookie_is_name(name)) {
        return WANT_NAME;
    }
    for (i = 0; i < *count; i++) {
        if (list[i].reader == reader && lbs_slice_is(name, list[i].name)) {
            return WANT_ONCE;
        }
    }
    if (*count >= LBS_FOREIGN_MAX) {
        return WANT_FEWER;
    }
    list[*count].reader = reader;
    list[*count].name = apr_pstrdup(pool, name.p);
    list[*count].lower_name = lower(pool, name.p);
    list[*count].spelling = apr_pstrcat(pool, reader->word, ":", name.p, NULL);
    (*count)++;
    return NULL;
}

/* Values ----------------------------------------------------------------- */

struct lbs_foreign_index_t {
    apr_pool_t *pool;
    apr_hash_t *numbers; /* value -> number, in an int */
    apr_size_t longest;  /* bytes of the longest value */
};

typedef struct adding_t {
    lbs_foreign_index_t *index;
    int number;
    int added;
} adding_t;

lbs_foreign_index_t *lbs_foreign_index_make(apr_pool_t *pool)
{
    lbs_foreign_index_t *index = apr_pcalloc(pool, sizeof(*index));

    index->pool = pool;
    index->numbers = apr_hash_make(pool);
    return index;
}

static void take(void *baton, const char *value)
{
    adding_t *adding = baton;
    lbs_foreign_index_t *index = adding->index;
    apr_size_t n = strlen(value);

    if (apr_hash_get(index->numbers, value, (apr_ssize_t)n) == NULL) {
        apr_hash_set(
            index->numbers, value, (apr_ssize_t)n,
            apr_pmemdup(index->pool, &adding->number, sizeof(adding->number)));
        adding->added++;
        index->longest = index->longest > n ? index->longest : n;
    }
}

int lbs_foreign_index_add(lbs_foreign_index_t *index,
                          const lbs_foreign_reader_t *reader,
                          const lbs_foreign_member_t *member, int number)
{
    adding_t adding = {index, number, 0};
    const lbs_foreign_sink_t sink = {index->pool, take, &adding};

    reader->say(member, &sink);
    return adding.added;
}

int lbs_foreign_find(const lbs_foreign_index_t *index,
                     const lbs_foreign_reader_t *reader, lbs_slice_t value)
{
    lbs_slice_t part = {NULL, 0};

    /* What is longer than every value is not hashed, so that a cookie full of
     * separators costs no more than its length. */
    while (reader->next(value, &part)) {
        const int *number =
            part.n <= index->longest
                ? apr_hash_get(index->numbers, part.p, (apr_ssize_t)part.n)
                : NULL;

        if (number != NULL) {
            return *number;
        }
    }
    return -1;
}
