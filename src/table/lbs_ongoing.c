/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_ongoing.c - see lbs_ongoing.h.
 *
 * The owner is written first and taken back last, so a place with an owner may
 * be read at any time. If a place is given back and taken again while it is
 * read, one of its new sessions may be renewed by the old idle time: it ends
 * too late once, and only where pools have different idle times.
 */
#include "src/table/lbs_ongoing.h"

#define STEPS 256 /* renewals in an idle time */
#define LOOKS 64u /* places looked at for a free one */
#define APART 4u  /* places between the threads' beginnings */

apr_uint32_t lbs_ongoing_begin(lbs_ongoing_t *ongoing)
{
    return lbs_atomic_add32_relaxed(&ongoing->next, APART)
           % LBS_ONGOING_PLACES;
}

/* The walk of the process that ticks ends at the highest place used. */
static void raise_top(lbs_ongoing_t *ongoing, apr_uint32_t used)
{
    apr_uint32_t top = lbs_atomic_load32_relaxed(&ongoing->top);

    while (top < used && !lbs_atomic_cas32(&ongoing->top, &top, used)) {
    }
}

apr_status_t lbs_ongoing_enter(lbs_ongoing_t *ongoing, apr_uint32_t owner,
                               apr_uint32_t *hint, apr_time_t now,
                               apr_interval_time_t idle_us,
                               apr_uint32_t *place)
{
    apr_uint32_t i;

    for (i = 0; i < LOOKS; i++) {
        apr_uint32_t at = (*hint + i) % LBS_ONGOING_PLACES;
        lbs_ongoing_place_t *p = &ongoing->place[at];
        apr_uint64_t none = 0;

        if (lbs_atomic_load64_relaxed(&p->owner) == 0
            && lbs_atomic_cas64(&p->owner, &none, owner)) {
            lbs_atomic_store64_relaxed(&p->idle_us, (apr_uint64_t)idle_us);
            lbs_atomic_store64_relaxed(&p->due_us,
                                       (apr_uint64_t)(now + idle_us / STEPS));
            raise_top(ongoing, at + 1);
            *hint = at;
            *place = at;
            return APR_SUCCESS;
        }
    }
    return APR_ENOSPC;
}

void lbs_ongoing_add(lbs_ongoing_t *ongoing, apr_uint32_t place,
                     apr_uint64_t key)
{
    lbs_ongoing_place_t *p = &ongoing->place[place];
    apr_uint32_t i;

    for (i = 0; i < LBS_ONGOING_KEYS && key != 0; i++) {
        apr_uint64_t there = lbs_atomic_load64_relaxed(&p->key[i]);

        if (there == key) {
            return;
        }
        if (there == 0) {
            lbs_atomic_store64_release(&p->key[i], key);
            return;
        }
    }
}

void lbs_ongoing_each(lbs_ongoing_t *ongoing, apr_uint32_t place,
                      lbs_ongoing_fn *fn, void *baton)
{
    lbs_ongoing_place_t *p = &ongoing->place[place];
    apr_int64_t idle = (apr_int64_t)lbs_atomic_load64_relaxed(&p->idle_us);
    apr_uint32_t i;

    for (i = 0; i < LBS_ONGOING_KEYS; i++) {
        apr_uint64_t key = lbs_atomic_load64_acquire(&p->key[i]);

        if (key == 0) {
            return;
        }
        fn(baton, key, idle);
    }
}

/* Names ------------------------------------------------------------------ */

static void read_name(const lbs_ongoing_place_t *p, apr_uint32_t i,
                      apr_uint64_t name[LBS_ONGOING_NAME_WORDS])
{
    apr_uint32_t word;

    for (word = 0; word < LBS_ONGOING_NAME_WORDS; word++) {
        name[word] = lbs_atomic_load64_relaxed(&p->name[i][word]);
    }
}

static int is_same(const apr_uint64_t *a, const apr_uint64_t *b)
{
    return a[0] == b[0] && a[1] == b[1];
}

void lbs_ongoing_add_name(lbs_ongoing_t *ongoing, apr_uint32_t place,
                          apr_uint32_t pool,
                          const apr_uint64_t name[LBS_ONGOING_NAME_WORDS],
                          apr_time_t now)
{
    lbs_ongoing_place_t *p = &ongoing->place[place];
    apr_uint32_t count = (apr_uint32_t)lbs_atomic_load64_relaxed(&p->named);
    apr_uint64_t there[LBS_ONGOING_NAME_WORDS];
    apr_uint32_t i;

    for (i = 0; i < count; i++) {
        read_name(p, i, there);
        if (is_same(there, name)) {
            return;
        }
    }
    if (count == LBS_ONGOING_NAMES) {
        return;
    }
    for (i = 0; i < LBS_ONGOING_NAME_WORDS; i++) {
        lbs_atomic_store64_relaxed(&p->name[count][i], name[i]);
    }
    lbs_atomic_store64_relaxed(&p->told_us, (apr_uint64_t)now);
    lbs_atomic_store64_release(&p->named,
                               (apr_uint64_t)pool << 32 | (count + 1));
}

/* A place that is given back meanwhile gives a name too many: the store is
 * told of a session that has just ended its request. */
static void each_name_of(const lbs_ongoing_place_t *p, apr_uint64_t named,
                         lbs_ongoing_name_fn *fn, void *baton)
{
    apr_uint64_t name[LBS_ONGOING_NAME_WORDS];
    apr_uint32_t i;

    for (i = 0; i < (apr_uint32_t)named && i < LBS_ONGOING_NAMES; i++) {
        read_name(p, i, name);
        fn(baton, (apr_uint32_t)(named >> 32), name);
    }
}

void lbs_ongoing_each_name(lbs_ongoing_t *ongoing, apr_time_t now,
                           lbs_ongoing_name_fn *fn, void *baton)
{
    apr_uint32_t top = lbs_atomic_load32_relaxed(&ongoing->top);
    apr_uint32_t i;

    for (i = 0; i < top && i < LBS_ONGOING_PLACES; i++) {
        lbs_ongoing_place_t *p = &ongoing->place[i];
        apr_uint64_t named = lbs_atomic_load64_acquire(&p->named);

        if (named != 0
            && lbs_atomic_load64_relaxed(&p->told_us)
                       + lbs_atomic_load64_relaxed(&p->idle_us) / 2
                   <= (apr_uint64_t)now) {
            lbs_atomic_store64_relaxed(&p->told_us, (apr_uint64_t)now);
            each_name_of(p, named, fn, baton);
        }
    }
}

static void clear(lbs_ongoing_place_t *p)
{
    apr_uint32_t i;

    if (lbs_atomic_load64_relaxed(&p->named) != 0) {
        lbs_atomic_store64_relaxed(&p->named, 0);
    }

    for (i = 0; i < LBS_ONGOING_KEYS; i++) {
        if (lbs_atomic_load64_relaxed(&p->key[i]) != 0) {
            lbs_atomic_store64_relaxed(&p->key[i], 0);
        }
    }
}

void lbs_ongoing_leave(lbs_ongoing_t *ongoing, apr_uint32_t place)
{
    clear(&ongoing->place[place]);
    lbs_atomic_store64_release(&ongoing->place[place].owner, 0);
}

int lbs_ongoing_turn(lbs_ongoing_t *ongoing, apr_time_t now,
                     apr_interval_time_t every)
{
    apr_uint64_t last = lbs_atomic_load64_relaxed(&ongoing->turn);

    return (apr_uint64_t)now >= last + (apr_uint64_t)every
           && lbs_atomic_cas64(&ongoing->turn, &last, (apr_uint64_t)now);
}

void lbs_ongoing_renew(lbs_ongoing_t *ongoing, apr_time_t now,
                       lbs_ongoing_fn *fn, void *baton)
{
    apr_uint32_t top = lbs_atomic_load32_relaxed(&ongoing->top);
    apr_uint32_t i;

    for (i = 0; i < top && i < LBS_ONGOING_PLACES; i++) {
        lbs_ongoing_place_t *p = &ongoing->place[i];

        if (lbs_atomic_load64_acquire(&p->owner) != 0
            && lbs_atomic_load64_relaxed(&p->due_us) <= (apr_uint64_t)now) {
            lbs_atomic_store64_relaxed(
                &p->due_us,
                (apr_uint64_t)now
                    + lbs_atomic_load64_relaxed(&p->idle_us) / STEPS);
            lbs_ongoing_each(ongoing, i, fn, baton);
        }
    }
}

void lbs_ongoing_abandon(lbs_ongoing_t *ongoing, apr_uint32_t owner)
{
    apr_uint32_t top = lbs_atomic_load32_relaxed(&ongoing->top);
    apr_uint32_t i;

    for (i = 0; i < top && i < LBS_ONGOING_PLACES; i++) {
        if (lbs_atomic_load64_relaxed(&ongoing->place[i].owner) == owner) {
            lbs_ongoing_leave(ongoing, i);
        }
    }
}
