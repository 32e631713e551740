/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_question.c - see lbs_question.h. */
#include "src/httpd/status/lbs_question.h"

#include <string.h>

#include <apr_network_io.h>
#include <apr_strings.h>

#include "src/affinity/lbs_keys.h"
#include "src/httpd/decide/lbs_adoption.h"
#include "src/httpd/decide/lbs_lookup.h"

/* Which source ----------------------------------------------------------- */

/* @return 1 when a word of the query string means this source */
static int is_meant(const lbs_source_t *source, const char *word,
                    apr_size_t len)
{
    apr_size_t kind = strcspn(source->spelling, "/=");

    return (strlen(source->spelling) == len
            && strncmp(source->spelling, word, len) == 0)
           || (kind == len && strncmp(source->spelling, word, len) == 0);
}

static int find_source(const lbs_pool_t *pool, const char *word,
                       apr_size_t len)
{
    const lbs_set_sticky_t *sticky = pool->set.sticky;
    int i;

    for (i = 0; i < sticky->count; i++) {
        if (is_meant(&sticky->source[i], word, len)) {
            return i;
        }
    }
    return -1;
}

/* Its value -------------------------------------------------------------- */

/* An address as a request from there would have it. @return NULL, or the
 * reason why it is none */
static const char *read_address(const lbs_ask_t *ask, int index,
                                lbs_slice_t text, lbs_slice_t *value)
{
    const lbs_source_t *source = &ask->pool->set.sticky->source[index];
    unsigned char *key = apr_palloc(ask->r->pool, LBS_KEY_IP_LEN);
    const char *name = apr_pstrmemdup(ask->r->pool, text.p, text.n);
    apr_sockaddr_t *addr;

    /* A name would be looked up: only addresses may come here. */
    if (strspn(name, "0123456789abcdefABCDEF:.") != text.n
        || strpbrk(name, ".:") == NULL
        || apr_sockaddr_info_get(&addr, name, APR_UNSPEC, 0, 0, ask->r->pool)
               != APR_SUCCESS) {
        return apr_psprintf(ask->r->pool, "%.64s is no address", name);
    }
    value->p = (const char *)key;
    value->n = lbs_key_ip(key, addr->ipaddr_ptr, addr->family != APR_INET,
                          source->v4bits, source->v6bits);
    return NULL;
}

void lbs_question_none(lbs_question_t *found)
{
    memset(found, 0, sizeof(*found));
    found->source = "";
    found->index = -1;
    found->why = LBS_REASON_FIRST;
}

static const char *look_up(const lbs_ask_t *ask, int index, lbs_slice_t value,
                           lbs_question_t *found)
{
    const lbs_source_t *source = &ask->pool->set.sticky->source[index];
    const char *wrong = source->kind == LBS_SOURCE_IP
                            ? read_address(ask, index, value, &value)
                            : NULL;

    if (wrong == NULL) {
        lbs_question_none(found);
        found->source = source->spelling;
        found->index = index;
        found->named =
            lbs_lookup_value(ask, index, value, &found->visit, &found->why);
    }
    return wrong;
}

const char *lbs_question_value(const lbs_ask_t *ask, const char *source,
                               const char *value, lbs_question_t *found)
{
    int index = find_source(ask->pool, source, strlen(source));

    return index >= 0 ? look_up(ask, index, lbs_slice_of(value), found)
                      : apr_psprintf(ask->r->pool,
                                     "the pool %.255s has no source %.255s",
                                     ask->pool->name, source);
}

/* A cookie of the former balancer, READER:NAME:VALUE. @return 1 if it is one
 */
static int find_reader(const lbs_pool_t *pool, const char *key,
                       lbs_question_t *found)
{
    const lbs_readers_t *readers = pool->readers;
    int i;

    for (i = 0; readers != NULL && i < readers->count; i++) {
        const lbs_reader_t *reader = &readers->reader[i];
        apr_size_t n = strlen(reader->word.spelling);

        if (strncmp(key, reader->word.spelling, n) == 0 && key[n] == ':') {
            lbs_question_none(found);
            found->source = reader->word.spelling;
            lbs_adoption_look_at(pool, reader, lbs_slice_of(key + n + 1),
                                 &found->visit);
            return 1;
        }
    }
    return 0;
}

const char *lbs_question_key(const lbs_ask_t *ask, const char *key,
                             lbs_question_t *found)
{
    const char *value = NULL;
    const char *colon;
    int index = -1;

    /* The longest source that fits: an expression holds colons. */
    for (colon = strchr(key, ':'); colon != NULL;
         colon = strchr(colon + 1, ':')) {
        int at = find_source(ask->pool, key, (apr_size_t)(colon - key));

        if (at >= 0) {
            index = at;
            value = colon + 1;
        }
    }
    if (index < 0 && find_reader(ask->pool, key, found)) {
        return NULL;
    }
    if (index < 0) {
        return apr_psprintf(ask->r->pool,
                            "key is %.255s, wanted is SOURCE:VALUE with a "
                            "source of the pool %.255s",
                            key, ask->pool->name);
    }
    return look_up(ask, index, lbs_slice_of(value), found);
}
