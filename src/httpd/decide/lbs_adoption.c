/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_adoption.c - see lbs_adoption.h. */
#include "src/httpd/decide/lbs_adoption.h"

#include "src/httpd/decide/lbs_extract.h"

/* The walk of one reader through the values of a request. */
typedef struct look_t {
    const lbs_pool_t *pool;
    const lbs_reader_t *reader;
    lbs_visit_t *visit;
} look_t;

int lbs_adoption_is_open(const lbs_pool_t *pool, int member)
{
    const lbs_gauge_t *g = pool->member[member]->gauge;

    return lbs_gauge_open_new(g)
           && (lbs_gauge_flags(g) & (LBS_F_STANDBY | LBS_F_SPARE)) == 0
           && lbs_plan_wants(pool->plan, (apr_uint32_t)member);
}

void lbs_adoption_look_at(const lbs_pool_t *pool, const lbs_reader_t *reader,
                          lbs_slice_t value, lbs_visit_t *visit)
{
    int member = lbs_foreign_find(reader->index, reader->word.reader, value);

    if (member >= 0 && (apr_size_t)member < pool->count) {
        visit->named.reader = reader;
        visit->named.member = member;
    }
}

/* For lbs_extract_cookies(). */
static int look_at(void *baton, lbs_slice_t value)
{
    look_t *look = baton;

    lbs_adoption_look_at(look->pool, look->reader, value, look->visit);
    if (look->visit->named.reader == NULL) {
        return 0;
    }
    if (lbs_adoption_is_open(look->pool, look->visit->named.member)) {
        return 1;
    }
    look->visit->named.reader = NULL;
    return 0;
}

/* Servlets write ;jsessionid= for the cookie JSESSIONID. */
static int look_into(const lbs_ask_t *ask, const lbs_reader_t *reader,
                     lbs_visit_t *visit)
{
    look_t look = {ask->pool, reader, visit};
    const lbs_foreign_t *word = &reader->word;

    return lbs_extract_cookies(ask->r, lbs_slice_of(word->name), look_at,
                               &look)
           || ((word->reader->uses & LBS_FOREIGN_PATH) != 0
               && (lbs_extract_path(ask->r, word->name, look_at, &look)
                   || lbs_extract_path(ask->r, word->lower_name, look_at,
                                       &look)));
}

void lbs_adoption_look(const lbs_ask_t *ask, lbs_visit_t *visit)
{
    const lbs_readers_t *readers = ask->pool->readers;
    int i;

    if (readers == NULL || visit->forgotten) {
        return;
    }
    for (i = 0; i < readers->count; i++) {
        if (look_into(ask, &readers->reader[i], visit)) {
            return;
        }
    }
}
