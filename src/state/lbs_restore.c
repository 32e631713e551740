/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_restore.h"

#include <string.h>

#include "src/base/lbs_assert.h"
#include "src/state/lbs_record_int.h"
#include "src/state/lbs_snapshot_int.h"

_Static_assert(LBS_RESTORE_HEAD == LBS_SNAPSHOT_HEAD_LEN,
               "what is read first is the head");

/* Half of what the expiry clock of a word can tell apart, in its units. */
#define UNITS_SURE 0x2000u

typedef struct saved_table_t {
    apr_uint32_t sessions;
    apr_uint64_t words;
    lbs_reader_t chunks;
} saved_table_t;

struct lbs_restore_t {
    const unsigned char *head;
    lbs_clock_t now;
    lbs_restore_info_t info;
    apr_time_t saved_mono;
    lbs_reader_t pools; /* the records; they were read once and are sound */
    lbs_reader_t members;
    lbs_reader_t forgotten; /* with the counts; empty where there is none */
    saved_table_t tables[LBS_SNAPSHOT_TABLES];
    lbs_image_origin_t origin; /* filled by lbs_restore_registry() */
};

/* Is it ours? ------------------------------------------------------------ */

const char *lbs_restore_head(const unsigned char *bytes, apr_size_t have,
                             apr_uint64_t len)
{
    if (have < 8 || memcmp(bytes, LBS_SNAPSHOT_MAGIC, 8) != 0) {
        return "it is not a state file of this module";
    }
    if (have < LBS_RESTORE_HEAD
        || len < LBS_SNAPSHOT_HEAD_LEN + LBS_SNAPSHOT_CHECK_LEN) {
        return "it is truncated";
    }
    if (lbs_bytes_get32(bytes + 8) > LBS_SNAPSHOT_VERSION) {
        return "it was written by a later version of this module";
    }
    if (lbs_bytes_get32(bytes + 8) != LBS_SNAPSHOT_VERSION) {
        return "it was written by a version of this module that is too old";
    }
    if (lbs_bytes_get64(bytes + 16) != len) {
        return "it is truncated or has something at its end";
    }
    return NULL;
}

static const char *check_bytes(const unsigned char *bytes, apr_size_t len)
{
    const char *refusal = lbs_restore_head(bytes, len, len);
    apr_size_t checked;

    if (refusal != NULL) {
        return refusal;
    }
    checked = len - LBS_SNAPSHOT_CHECK_LEN;
    if (lbs_bytes_get64(bytes + checked)
        != lbs_hash_bytes(&lbs_snapshot_key, bytes, checked)) {
        return "it is damaged: its check does not fit";
    }
    return NULL;
}

static const char *check_secret(const unsigned char *bytes,
                                const apr_uint64_t *fingerprints, int count)
{
    apr_uint64_t saved = lbs_bytes_get64(bytes + 40);
    int i;

    for (i = 0; i < count; i++) {
        if (fingerprints[i] == saved) {
            return NULL;
        }
    }
    return "it belongs to another LBStickySecret";
}

static const char *read_times(lbs_restore_t *restore)
{
    apr_uint64_t wall = lbs_bytes_get64(restore->head + 24);
    apr_uint64_t mono = lbs_bytes_get64(restore->head + 32);
    apr_time_t now = restore->now.wall;

    if (wall > APR_INT64_MAX / 2 || mono > APR_INT64_MAX / 2) {
        return "its time cannot be";
    }
    if ((apr_time_t)wall > now + LBS_RESTORE_AHEAD) {
        return "it comes from the future: the clock was set back";
    }
    restore->info.saved = (apr_time_t)wall;
    restore->info.elapsed =
        now > (apr_time_t)wall ? now - (apr_time_t)wall : 0;
    restore->saved_mono = (apr_time_t)mono;
    return NULL;
}

/* Sections --------------------------------------------------------------- */

/* @return 1 when the next section has this tag; *section is its contents */
static int next_section(lbs_reader_t *r, apr_uint32_t tag,
                        lbs_reader_t *section)
{
    apr_uint32_t found = lbs_reader_get32(r);
    apr_uint64_t len = lbs_reader_get64(r);

    memset(section, 0, sizeof(*section));
    if (r->short_of || found != tag || len > r->left) {
        return 0;
    }
    section->left = (apr_size_t)len;
    section->at = lbs_reader_take(r, (apr_size_t)len);
    return 1;
}

static int check_pools(lbs_restore_t *restore, lbs_reader_t r)
{
    lbs_codec_t codec = {NULL, &r};
    apr_uint32_t count = lbs_reader_get32(&r);
    lbs_saved_pool_t record;
    apr_uint32_t i;

    restore->pools = r;
    restore->info.pools = count;
    if (count > LBS_REGISTRY_POOLS) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        lbs_record_code_pool(&codec, &record);
        if (r.short_of || !lbs_record_pool_is_sound(&record)) {
            return 0;
        }
    }
    return !r.short_of && r.left == 0;
}

/* Two members cannot have had one slot: then its words would be of both. */
static int check_members(lbs_restore_t *restore, lbs_reader_t r)
{
    lbs_codec_t codec = {NULL, &r};
    apr_uint32_t count = lbs_reader_get32(&r);
    unsigned char seen[LBS_REGISTRY_MEMBERS] = {0};
    lbs_saved_member_t record;
    apr_uint32_t i;

    restore->members = r;
    restore->info.members = count;
    if (count > LBS_REGISTRY_MEMBERS) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        lbs_record_code_member(&codec, &record);
        if (r.short_of || !lbs_record_member_is_sound(&record)
            || seen[record.slot]++ != 0) {
            return 0;
        }
    }
    return !r.short_of && r.left == 0;
}

/* What there is of it lies in the section whole, and nothing else does. */
static int check_forgotten(lbs_restore_t *restore, lbs_reader_t r)
{
    apr_uint32_t members, sessions, i;

    restore->forgotten = r;
    members = lbs_reader_get32(&r);
    if (members > LBS_REGISTRY_MEMBERS) {
        return 0;
    }
    for (i = 0; i < members; i++) {
        if (lbs_reader_get32(&r) >= LBS_REGISTRY_MEMBERS) {
            return 0;
        }
        (void)lbs_reader_get32(&r); /* any second will do */
    }
    sessions = lbs_reader_get32(&r);
    return sessions <= LBS_FORGOTTEN_SESSIONS && !r.short_of
           && r.left == (apr_size_t)sessions * 8;
}

/* Read up to 64 words. @return how many; 0: they are not all there, or more
 * than that */
static apr_uint64_t read_chunk(lbs_reader_t *r, apr_uint64_t left,
                               apr_uint64_t *words)
{
    apr_uint64_t count = left < LBS_SNAPSHOT_CHUNK ? left : LBS_SNAPSHOT_CHUNK;
    apr_uint64_t map = lbs_reader_get64(r);
    apr_uint64_t i;

    for (i = 0; i < LBS_SNAPSHOT_CHUNK; i++) {
        words[i] = (map >> i & 1) != 0 ? lbs_reader_get64(r) : 0;
    }
    return r->short_of || (count < LBS_SNAPSHOT_CHUNK && map >> count != 0)
               ? 0
               : count;
}

/* Have tables for so many sessions so many words? The head of a table is
 * smaller than this. */
static int fit_together(apr_uint32_t sessions, apr_uint64_t words)
{
    apr_uint64_t all = lbs_table_bytes(sessions) / 8;

    return words != 0 && words <= all && all - words < 512;
}

/* Bounded by the section: every chunk takes eight bytes of it at least. */
static int check_table(saved_table_t *table, lbs_reader_t r)
{
    apr_uint64_t chunk[LBS_SNAPSHOT_CHUNK];
    apr_uint64_t left, count;

    table->sessions = lbs_reader_get32(&r);
    table->words = lbs_reader_get64(&r);
    table->chunks = r;
    for (left = table->words; left > 0; left -= count) {
        count = read_chunk(&r, left, chunk);
        if (count == 0) {
            return 0;
        }
    }
    return !r.short_of && r.left == 0
           && fit_together(table->sessions, table->words);
}

static int check_sections(lbs_restore_t *restore, apr_size_t len)
{
    lbs_reader_t r = {restore->head + LBS_SNAPSHOT_HEAD_LEN,
                      len - LBS_SNAPSHOT_HEAD_LEN - LBS_SNAPSHOT_CHECK_LEN, 0};
    lbs_reader_t section, ahead;
    int i;

    if (!next_section(&r, LBS_SNAPSHOT_POOLS, &section)
        || !check_pools(restore, section)
        || !next_section(&r, LBS_SNAPSHOT_MEMBERS, &section)
        || !check_members(restore, section)) {
        return 0;
    }
    ahead = r;
    if (next_section(&ahead, LBS_SNAPSHOT_FORGOTTEN, &section)) {
        r = ahead;
        if (!check_forgotten(restore, section)) {
            return 0;
        }
    }
    for (i = 0; r.left > 0; i++) {
        if (i == LBS_SNAPSHOT_TABLES
            || !next_section(&r, LBS_SNAPSHOT_WORDS, &section)
            || !check_table(&restore->tables[i], section)) {
            return 0;
        }
        restore->info.sessions[i] = restore->tables[i].sessions;
    }
    restore->info.tables = i;
    return !r.short_of;
}

const char *lbs_restore_open(lbs_restore_t **restore,
                             const unsigned char *bytes, apr_size_t len,
                             const lbs_clock_t *now,
                             const apr_uint64_t *fingerprints, int count,
                             apr_pool_t *pool)
{
    lbs_restore_t *view;
    const char *why = check_bytes(bytes, len);

    if (why == NULL) {
        why = check_secret(bytes, fingerprints, count);
    }
    if (why != NULL) {
        return why;
    }
    view = apr_pcalloc(pool, sizeof(*view));
    view->head = bytes;
    view->now = *now;
    why = read_times(view);
    if (why == NULL && !check_sections(view, len)) {
        why = "it is damaged: what it says cannot be";
    }
    if (why == NULL) {
        *restore = view;
    }
    return why;
}

void lbs_restore_info(const lbs_restore_t *restore, lbs_restore_info_t *info)
{
    *info = restore->info;
}

/* Giving it back --------------------------------------------------------- */

static void give_pools(const lbs_restore_t *restore, lbs_registry_t *reg,
                       lbs_restore_report_t *report)
{
    lbs_reader_t r = restore->pools;
    lbs_codec_t codec = {NULL, &r};
    lbs_saved_pool_t record;
    apr_uint32_t i, slot;

    for (i = 0; i < restore->info.pools; i++) {
        lbs_record_code_pool(&codec, &record);
        slot = lbs_registry_find_pool(reg, record.id);
        if (slot != LBS_REGISTRY_NONE) {
            lbs_record_give_pool(&record, reg, slot);
            report->pools++;
        }
    }
}

/* The expiry clock of a slot's words wraps. After so long a time it cannot
 * tell an old end from one to come, and all sessions are over: a session's
 * end is at most this far ahead when it is used, and a sweep has removed what
 * was over for as long. */
static int all_over(const lbs_saved_member_t *record,
                    apr_interval_time_t elapsed)
{
    return record->quantum_us != 0
           && (apr_uint64_t)elapsed / record->quantum_us >= UNITS_SURE;
}

static void give_members(lbs_restore_t *restore, lbs_registry_t *reg,
                         const lbs_eject_conf_t *const *eject,
                         lbs_restore_report_t *report)
{
    apr_interval_time_t elapsed = restore->info.elapsed;
    lbs_reader_t r = restore->members;
    lbs_codec_t codec = {NULL, &r};
    lbs_registry_member_info_t member;
    lbs_saved_member_t record;
    apr_uint32_t i, slot;

    for (i = 0; i < restore->info.members; i++) {
        lbs_record_code_member(&codec, &record);
        restore->origin.quantum_us[record.slot] = record.quantum_us;
        slot = lbs_registry_find_member(reg, record.id);
        if (lbs_registry_member_info(reg, slot, &member) != APR_SUCCESS) {
            continue;
        }
        lbs_record_give_member(&record, reg, slot, &restore->now, elapsed,
                               eject[member.pool_slot]);
        if (!all_over(&record, elapsed)) {
            restore->origin.slot[record.slot] = (apr_uint16_t)slot;
        }
        report->members++;
    }
}

void lbs_restore_registry(lbs_restore_t *restore, lbs_registry_t *reg,
                          const lbs_eject_conf_t *const *eject,
                          lbs_restore_report_t *report)
{
    lbs_hash_key_t key;
    apr_uint32_t i;

    memset(report, 0, sizeof(*report));
    memcpy(key.bytes, restore->head + 48, LBS_HASH_KEY_LEN);
    lbs_registry_set_keys(reg, &key, restore->head + 64);
    for (i = 0; i < LBS_REGISTRY_MEMBERS; i++) {
        restore->origin.slot[i] = LBS_TABLE_NONE;
    }
    restore->origin.now = restore->saved_mono + restore->info.elapsed;
    give_pools(restore, reg, report);
    give_members(restore, reg, eject, report);
}

void lbs_restore_forgotten(const lbs_restore_t *restore,
                           lbs_forgotten_t *forgotten)
{
    lbs_reader_t r = restore->forgotten;
    apr_uint32_t count, slot, until;

    for (count = lbs_reader_get32(&r); count > 0; count--) {
        slot = lbs_reader_get32(&r);
        until = lbs_reader_get32(&r);
        lbs_forgotten_add_member(forgotten, restore->origin.slot[slot], until);
    }
    for (count = lbs_reader_get32(&r); count > 0; count--) {
        lbs_forgotten_add_session(forgotten, lbs_reader_get64(&r));
    }
}

apr_status_t lbs_restore_table(lbs_restore_t *restore, int index,
                               lbs_table_t *table, lbs_image_report_t *report)
{
    apr_uint64_t chunk[LBS_SNAPSHOT_CHUNK];
    const saved_table_t *saved;
    apr_uint64_t at, count;
    lbs_reader_t r;

    if (index < 0 || index >= restore->info.tables
        || restore->tables[index].words != lbs_image_words(table)) {
        return APR_EINVAL;
    }
    saved = &restore->tables[index];
    r = saved->chunks;
    for (at = 0; at < saved->words; at += count) {
        count = read_chunk(&r, saved->words - at, chunk);
        if (count == 0
            || lbs_image_import(table, at, chunk, count, &restore->origin,
                                restore->now.mono, report)
                   != APR_SUCCESS) {
            return APR_EINVAL;
        }
    }
    return APR_SUCCESS;
}
