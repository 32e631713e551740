/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_journal.c - see lbs_journal.h. */
#include "src/state/lbs_journal.h"

#include <string.h>

#include "src/base/lbs_assert.h"
#include "src/state/lbs_snapshot_int.h"
#include "src/table/lbs_image.h"

/* The most that 64 changed words take: five bytes give the place of each. */
#define GROUP_MOST (64 * (5 + 8))

/* Room for the part that may follow a group of words. */
#define TAIL_MOST                                                             \
    (LBS_SNAPSHOT_TABLES * LBS_SNAPSHOT_SECTION_HEAD + LBS_SNAPSHOT_CHECK_LEN)

struct lbs_journal_t {
    apr_uint64_t before; /* check of what is written */
    /* Hashes of the records last written; 0: none is. */
    apr_uint64_t pool[LBS_REGISTRY_POOLS];
    apr_uint64_t member[LBS_REGISTRY_MEMBERS];
    apr_uint64_t forgotten; /* count of orders, plus 1 */
    /* Where the marks are taken next. */
    int table;
    apr_uint64_t from;
};

void lbs_journal_create(lbs_journal_t **journal, apr_pool_t *pool)
{
    *journal = apr_pcalloc(pool, sizeof(**journal));
}

void lbs_journal_begin(lbs_journal_t *journal, const unsigned char *image,
                       apr_size_t len)
{
    memset(journal, 0, sizeof(*journal));
    lbs_assert(len >= LBS_SNAPSHOT_CHECK_LEN);
    journal->before = lbs_bytes_get64(image + len - LBS_SNAPSHOT_CHECK_LEN);
}

/* @return 1, and take its hash down, if the record is not as last written */
static int has_changed(apr_uint64_t *last, const unsigned char *bytes,
                       apr_size_t len)
{
    apr_uint64_t hash = lbs_hash_bytes(&lbs_snapshot_key, bytes, len) | 1;
    int changed = *last != hash;

    *last = hash;
    return changed;
}

typedef struct changed_t {
    lbs_journal_t *journal;
    unsigned char *there; /* out: 1 for each slot that is a member's */
} changed_t;

static int wants_pool(void *baton, apr_uint32_t slot,
                      const unsigned char *bytes, apr_size_t len)
{
    changed_t *changed = baton;

    return has_changed(&changed->journal->pool[slot], bytes, len);
}

static int wants_member(void *baton, apr_uint32_t slot,
                        const unsigned char *bytes, apr_size_t len)
{
    changed_t *changed = baton;

    changed->there[slot] = 1;
    return has_changed(&changed->journal->member[slot], bytes, len);
}

static void put_gone(lbs_journal_t *journal, lbs_writer_t *w,
                     const unsigned char *there)
{
    apr_size_t start = lbs_snapshot_begin_section(w, LBS_SNAPSHOT_GONE);
    apr_uint32_t count = 0;
    apr_uint32_t slot;

    lbs_writer_add32(w, 0);
    for (slot = 0; slot < LBS_REGISTRY_MEMBERS; slot++) {
        if (journal->member[slot] != 0 && !there[slot]) {
            journal->member[slot] = 0;
            lbs_writer_add32(w, slot);
            count++;
        }
    }
    lbs_snapshot_put_count(w, start, count);
    lbs_snapshot_end_section(w, start, count != 0);
}

static void put_registry(lbs_journal_t *journal, lbs_writer_t *w,
                         const lbs_snapshot_t *from, const lbs_clock_t *now)
{
    unsigned char there[LBS_REGISTRY_MEMBERS] = {0};
    changed_t changed = {journal, there};
    lbs_snapshot_choice_t pools = {wants_pool, &changed};
    lbs_snapshot_choice_t members = {wants_member, &changed};
    apr_uint64_t orders =
        from->forgotten != NULL ? lbs_forgotten_count(from->forgotten) : 0;

    lbs_snapshot_put_pools(w, from->reg, &pools);
    lbs_snapshot_put_members(w, from->reg, now, &members);
    put_gone(journal, w, there);
    if (orders != 0 && journal->forgotten != orders + 1) {
        lbs_snapshot_put_forgotten(w, from->forgotten);
    }
    journal->forgotten = orders + 1;
}

static void put_number(lbs_writer_t *w, apr_uint64_t value)
{
    unsigned char *to;

    do {
        to = lbs_writer_take(w, 1);
        if (to != NULL) {
            *to = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        }
        value >>= 7;
    } while (value != 0);
}

/* @param next  in: the word after the last one written; out: the same */
static void put_changes(lbs_writer_t *w, const lbs_table_t *table,
                        apr_uint64_t first, apr_uint64_t map,
                        apr_uint64_t *next)
{
    for (; map != 0; map &= map - 1) {
        apr_uint64_t index = first + (apr_uint64_t)__builtin_ctzll(map);
        apr_uint64_t word = lbs_image_word(table, index);

        put_number(w, (index - *next) << 1 | (word != 0));
        if (word != 0) {
            lbs_writer_add64(w, word);
        }
        *next = index + 1;
    }
}

/* @return 0: there is no room for more */
static int put_table(lbs_journal_t *journal, lbs_writer_t *w,
                     const lbs_table_t *table)
{
    apr_size_t start = lbs_snapshot_begin_section(w, LBS_SNAPSHOT_CHANGES);
    apr_uint64_t next = 0;
    apr_uint64_t first, map;
    apr_size_t empty;
    int room = 1;

    lbs_writer_add32(w, (apr_uint32_t)journal->table);
    empty = w->len;
    while (room
           && (map = lbs_image_changed(table, journal->from, &first)) != 0) {
        put_changes(w, table, first, map, &next);
        journal->from = first + 64;
        room = w->room - w->len >= GROUP_MOST + TAIL_MOST;
    }
    lbs_snapshot_end_section(w, start, w->len != empty);
    return room;
}

/* @return 0: there is more, which goes into another change */
static int put_tables(lbs_journal_t *journal, lbs_writer_t *w,
                      const lbs_snapshot_t *from)
{
    for (; journal->table < from->count; journal->table++) {
        if (!put_table(journal, w, from->tables[journal->table])) {
            return 0;
        }
        journal->from = 0;
    }
    journal->table = 0;
    return 1;
}

static void put_head(lbs_journal_t *journal, lbs_writer_t *w,
                     const lbs_clock_t *now)
{
    lbs_writer_add32(w, LBS_SNAPSHOT_MORE);
    lbs_writer_add64(w, 0);
    lbs_writer_add64(w, journal->before);
    lbs_writer_add64(w, (apr_uint64_t)now->wall);
    lbs_writer_add64(w, (apr_uint64_t)now->mono);
}

apr_status_t lbs_journal_encode(lbs_journal_t *journal,
                                const lbs_snapshot_t *from,
                                const lbs_clock_t *now, unsigned char *bytes,
                                apr_size_t room, apr_size_t *len)
{
    lbs_writer_t w = {bytes, room, 0};
    apr_size_t empty;
    int whole;

    put_head(journal, &w, now);
    empty = w.len;
    put_registry(journal, &w, from, now);
    whole = put_tables(journal, &w, from);
    if (w.len == empty) {
        *len = 0;
        return APR_SUCCESS;
    }
    lbs_bytes_put64(bytes + 4, w.len - LBS_SNAPSHOT_MORE_HEAD);
    journal->before = lbs_hash_bytes(&lbs_snapshot_key, bytes, w.len);
    lbs_writer_add64(&w, journal->before);
    lbs_assert(w.len <= w.room);
    *len = w.len;
    return whole ? APR_SUCCESS : APR_INCOMPLETE;
}
