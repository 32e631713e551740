/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_snapshot.h"

#include <string.h>

#include "src/base/lbs_assert.h"
#include "src/state/lbs_record_int.h"
#include "src/state/lbs_snapshot_int.h"
#include "src/table/lbs_image.h"

/* No record is longer; the codec counts exactly, this only bounds it. */
#define RECORD_MOST (sizeof(lbs_saved_pool_t) + sizeof(lbs_saved_member_t))

/* So many words are read between two looks whether to give up. */
#define GIVE_UP_EVERY 65536

apr_uint64_t lbs_snapshot_fingerprint(const lbs_hash_key_t *master)
{
    return lbs_hash_bytes(master, "state file", 10) | 1;
}

static apr_size_t words_room(const lbs_table_t *table)
{
    apr_uint64_t words = lbs_image_words(table);

    return (apr_size_t)(LBS_SNAPSHOT_SECTION_HEAD + 12 + words * 8
                        + (words / LBS_SNAPSHOT_CHUNK + 1) * 8);
}

apr_size_t lbs_snapshot_room(const lbs_snapshot_t *from)
{
    apr_size_t room = LBS_SNAPSHOT_HEAD_LEN
                      + 3 * (LBS_SNAPSHOT_SECTION_HEAD + 4)
                      + 4 * LBS_RECORD_DIMS + LBS_REGISTRY_POOLS * RECORD_MOST
                      + LBS_REGISTRY_MEMBERS * RECORD_MOST
                      + LBS_SNAPSHOT_FORGOTTEN_MOST + LBS_SNAPSHOT_SECTION_HEAD
                      + from->outline_len + LBS_SNAPSHOT_CHECK_LEN;
    int i;

    for (i = 0; i < from->count; i++) {
        room += words_room(from->tables[i]);
    }
    return room;
}

/* Sections --------------------------------------------------------------- */

apr_size_t lbs_snapshot_begin_section(lbs_writer_t *w, apr_uint32_t tag)
{
    lbs_writer_add32(w, tag);
    lbs_writer_add64(w, 0);
    return w->len;
}

void lbs_snapshot_end_section(lbs_writer_t *w, apr_size_t start, int wanted)
{
    if (!wanted) {
        w->len = start - LBS_SNAPSHOT_SECTION_HEAD;
    }
    else if (w->len <= w->room) {
        lbs_bytes_put64(w->bytes + start - 8, w->len - start);
    }
}

void lbs_snapshot_put_count(lbs_writer_t *w, apr_size_t at, apr_uint32_t count)
{
    if (w->len <= w->room) {
        lbs_bytes_put32(w->bytes + at, count);
    }
}

static void put_dims(lbs_writer_t *w)
{
    apr_size_t start = lbs_snapshot_begin_section(w, LBS_SNAPSHOT_DIMS);

    lbs_writer_add32(w, lbs_record_dims.decisions);
    lbs_writer_add32(w, lbs_record_dims.reasons);
    lbs_writer_add32(w, lbs_record_dims.fields);
    lbs_writer_add32(w, lbs_record_dims.counts);
    lbs_writer_add32(w, lbs_record_dims.bounds);
    lbs_writer_add32(w, lbs_record_dims.readers);
    lbs_snapshot_end_section(w, start, 1);
}

/* Take back the record that begins at `at` unless it is chosen. @return 1: it
 * stays */
static apr_uint32_t keep_record(lbs_writer_t *w, apr_size_t at,
                                apr_uint32_t slot,
                                const lbs_snapshot_choice_t *choice)
{
    if (choice == NULL || w->len > w->room
        || choice->wants(choice->baton, slot, w->bytes + at, w->len - at)) {
        return 1;
    }
    w->len = at;
    return 0;
}

static void end_records(lbs_writer_t *w, apr_size_t start, apr_uint32_t count,
                        const lbs_snapshot_choice_t *choice)
{
    lbs_snapshot_put_count(w, start, count);
    lbs_snapshot_end_section(w, start, choice == NULL || count != 0);
}

void lbs_snapshot_put_pools(lbs_writer_t *w, const lbs_registry_t *reg,
                            const lbs_snapshot_choice_t *choice)
{
    lbs_codec_t codec = {w, NULL, &lbs_record_dims};
    apr_size_t start = lbs_snapshot_begin_section(w, LBS_SNAPSHOT_POOLS);
    apr_uint32_t slot = LBS_REGISTRY_NONE;
    apr_uint32_t count = 0;
    lbs_saved_pool_t record;

    lbs_writer_add32(w, 0);
    while ((slot = lbs_registry_next_pool(reg, slot)) != LBS_REGISTRY_NONE) {
        apr_size_t at = w->len;

        lbs_record_take_pool(&record, reg, slot);
        if (lbs_record_pool_is_sound(&record)) {
            lbs_record_code_pool(&codec, &record);
            count += keep_record(w, at, slot, choice);
        }
    }
    end_records(w, start, count, choice);
}

void lbs_snapshot_put_members(lbs_writer_t *w, const lbs_registry_t *reg,
                              const lbs_clock_t *now,
                              const lbs_snapshot_choice_t *choice)
{
    lbs_codec_t codec = {w, NULL, &lbs_record_dims};
    apr_size_t start = lbs_snapshot_begin_section(w, LBS_SNAPSHOT_MEMBERS);
    apr_uint32_t slot = LBS_REGISTRY_NONE;
    apr_uint32_t count = 0;
    lbs_saved_member_t record;

    lbs_writer_add32(w, 0);
    while ((slot = lbs_registry_next_member(reg, LBS_REGISTRY_NONE, slot))
           != LBS_REGISTRY_NONE) {
        apr_size_t at = w->len;

        lbs_record_take_member(&record, reg, slot, now);
        /* A slot that was just freed is left out: no session names it. */
        if (lbs_record_member_is_sound(&record)) {
            lbs_record_code_member(&codec, &record);
            count += keep_record(w, at, slot, choice);
        }
    }
    end_records(w, start, count, choice);
}

static apr_uint32_t put_forgotten_members(lbs_writer_t *w,
                                          const lbs_forgotten_t *forgotten)
{
    apr_uint32_t slot, until;
    apr_uint32_t count = 0;

    for (slot = 0; slot < LBS_TABLE_SLOTS; slot++) {
        until = lbs_atomic_load32_relaxed(&forgotten->until[slot]);
        if (until != 0) {
            lbs_writer_add32(w, slot);
            lbs_writer_add32(w, until);
            count++;
        }
    }
    return count;
}

static apr_uint32_t put_forgotten_sessions(lbs_writer_t *w,
                                           const lbs_forgotten_t *forgotten)
{
    apr_uint64_t hash;
    apr_uint32_t at;
    apr_uint32_t count = 0;

    for (at = 0; at < LBS_FORGOTTEN_SESSIONS; at++) {
        hash = lbs_forgotten_session(forgotten, at);
        if (hash != 0) {
            lbs_writer_add64(w, hash);
            count++;
        }
    }
    return count;
}

void lbs_snapshot_put_forgotten(lbs_writer_t *w,
                                const lbs_forgotten_t *forgotten)
{
    apr_size_t start, middle;

    if (forgotten == NULL || lbs_forgotten_count(forgotten) == 0) {
        return;
    }
    start = lbs_snapshot_begin_section(w, LBS_SNAPSHOT_FORGOTTEN);
    lbs_writer_add32(w, 0);
    lbs_snapshot_put_count(w, start, put_forgotten_members(w, forgotten));
    middle = w->len;
    lbs_writer_add32(w, 0);
    lbs_snapshot_put_count(w, middle, put_forgotten_sessions(w, forgotten));
    lbs_snapshot_end_section(w, start, 1);
}

static void put_outline(lbs_writer_t *w, const lbs_snapshot_t *from)
{
    apr_size_t start;
    unsigned char *to;

    if (from->outline_len == 0) {
        return;
    }
    start = lbs_snapshot_begin_section(w, LBS_SNAPSHOT_OUTLINE);
    to = lbs_writer_take(w, from->outline_len);
    if (to != NULL) {
        memcpy(to, from->outline, from->outline_len);
    }
    lbs_snapshot_end_section(w, start, 1);
}

static void put_chunk(lbs_writer_t *w, const apr_uint64_t *words,
                      apr_uint64_t count)
{
    apr_uint64_t map = 0;
    apr_uint64_t i;

    for (i = 0; i < count; i++) {
        map |= (apr_uint64_t)(words[i] != 0) << i;
    }
    lbs_writer_add64(w, map);
    for (i = 0; i < count; i++) {
        if (words[i] != 0) {
            lbs_writer_add64(w, words[i]);
        }
    }
}

/* @return 0: the caller wants no more of it */
static int put_table(lbs_writer_t *w, const lbs_table_t *table,
                     const lbs_atomic32_t *give_up)
{
    apr_size_t start = lbs_snapshot_begin_section(w, LBS_SNAPSHOT_WORDS);
    apr_uint64_t all = lbs_image_words(table);
    apr_uint64_t chunk[LBS_SNAPSHOT_CHUNK];
    apr_uint64_t at;
    lbs_table_stats_t stats;

    lbs_table_stats(table, &stats);
    lbs_image_begin(table);
    lbs_writer_add32(w, stats.sessions);
    lbs_writer_add64(w, all);
    for (at = 0; at < all; at += LBS_SNAPSHOT_CHUNK) {
        apr_uint64_t count =
            all - at < LBS_SNAPSHOT_CHUNK ? all - at : LBS_SNAPSHOT_CHUNK;

        if (at % GIVE_UP_EVERY == 0 && give_up != NULL
            && lbs_atomic_load32_relaxed(give_up) != 0) {
            return 0;
        }
        (void)lbs_image_export(table, at, chunk, count); /* is within */
        put_chunk(w, chunk, count);
    }
    lbs_snapshot_end_section(w, start, 1);
    return 1;
}

/* The whole -------------------------------------------------------------- */

static void put_head(unsigned char *head, const lbs_snapshot_t *from,
                     const lbs_clock_t *now, apr_size_t len)
{
    memset(head, 0, LBS_SNAPSHOT_HEAD_LEN);
    memcpy(head, LBS_SNAPSHOT_MAGIC, 8);
    lbs_bytes_put32(head + 8, LBS_SNAPSHOT_VERSION);
    lbs_bytes_put32(head + 12, from->open ? LBS_SNAPSHOT_OPEN : 0);
    lbs_bytes_put64(head + 16, len);
    lbs_bytes_put64(head + 24, (apr_uint64_t)now->wall);
    lbs_bytes_put64(head + 32, (apr_uint64_t)now->mono);
    lbs_bytes_put64(head + 40, from->fingerprint);
    memcpy(head + 48, lbs_registry_table_key(from->reg)->bytes,
           LBS_HASH_KEY_LEN);
    memcpy(head + 64, lbs_registry_secret(from->reg), LBS_REGISTRY_SECRET_LEN);
}

static apr_uint64_t seal_part(unsigned char *bytes, apr_size_t len)
{
    apr_uint64_t check = lbs_hash_bytes(&lbs_snapshot_key, bytes, len);

    lbs_bytes_put64(bytes + len, check);
    return check;
}

/* Changes behind an image, as far as their lengths lead. */
static void seal_changes(unsigned char *bytes, apr_size_t len,
                         apr_uint64_t check)
{
    while (len >= LBS_SNAPSHOT_MORE_HEAD + 8 + LBS_SNAPSHOT_CHECK_LEN) {
        apr_uint64_t contents = lbs_bytes_get64(bytes + 4);
        apr_size_t part;

        if (contents < 8
            || contents
                   > len - LBS_SNAPSHOT_MORE_HEAD - LBS_SNAPSHOT_CHECK_LEN) {
            return;
        }
        part = LBS_SNAPSHOT_MORE_HEAD + (apr_size_t)contents;
        lbs_bytes_put64(bytes + LBS_SNAPSHOT_MORE_HEAD, check);
        check = seal_part(bytes, part);
        bytes += part + LBS_SNAPSHOT_CHECK_LEN;
        len -= part + LBS_SNAPSHOT_CHECK_LEN;
    }
}

void lbs_snapshot_seal(unsigned char *bytes, apr_size_t len)
{
    apr_uint64_t image = len;

    if (len >= LBS_SNAPSHOT_HEAD_LEN
        && (lbs_bytes_get32(bytes + 12) & LBS_SNAPSHOT_OPEN) != 0
        && lbs_bytes_get64(bytes + 16) < len) {
        image = lbs_bytes_get64(bytes + 16);
    }
    if (image >= LBS_SNAPSHOT_CHECK_LEN) {
        apr_uint64_t check =
            seal_part(bytes, (apr_size_t)image - LBS_SNAPSHOT_CHECK_LEN);

        seal_changes(bytes + image, len - (apr_size_t)image, check);
    }
}

apr_status_t lbs_snapshot_encode(const lbs_snapshot_t *from,
                                 const lbs_clock_t *now, unsigned char *bytes,
                                 apr_size_t room, apr_size_t *len)
{
    lbs_writer_t w = {bytes, room, 0};
    unsigned char *head = lbs_writer_take(&w, LBS_SNAPSHOT_HEAD_LEN);
    int i;

    lbs_assert(from->count >= 0 && from->count <= LBS_SNAPSHOT_TABLES);
    put_dims(&w);
    lbs_snapshot_put_pools(&w, from->reg, NULL);
    lbs_snapshot_put_members(&w, from->reg, now, NULL);
    lbs_snapshot_put_forgotten(&w, from->forgotten);
    put_outline(&w, from);
    for (i = 0; i < from->count; i++) {
        if (!put_table(&w, from->tables[i], from->give_up)) {
            return APR_EINTR;
        }
    }
    if (lbs_writer_take(&w, LBS_SNAPSHOT_CHECK_LEN) == NULL) {
        return APR_ENOSPC;
    }
    put_head(head, from, now, w.len);
    lbs_snapshot_seal(bytes, w.len);
    *len = w.len;
    return APR_SUCCESS;
}
