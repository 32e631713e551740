/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_restore_give.c - puts the contents of a state file back into shared
 * memory; see lbs_restore_int.h. */
#include <string.h>

#include "src/state/lbs_restore_int.h"
#include "src/state/lbs_snapshot_int.h"

/* Half of what the expiry clock of a word can tell apart, in its units, less
 * what may be over and not yet swept. */
#define UNITS_SURE 0x1f00u

/* @param found  by slot of the registry: 1 when it was given something */
static void give_pools(const lbs_restore_t *restore,
                       const lbs_saved_change_t *change, lbs_registry_t *reg,
                       unsigned char *found)
{
    lbs_reader_t r = change->pools;
    lbs_codec_t codec = {NULL, &r, &restore->dims};
    lbs_saved_pool_t record;
    apr_uint32_t i, slot;

    for (i = 0; i < change->pool_count; i++) {
        lbs_record_code_pool(&codec, &record);
        slot = lbs_registry_find_pool(reg, record.id);
        if (slot != LBS_REGISTRY_NONE) {
            lbs_record_give_pool(&record, reg, slot);
            found[slot] = 1;
        }
    }
}

/* The newest record of each comes last. @return how many were found */
static apr_uint32_t give_all_pools(const lbs_restore_t *restore,
                                   lbs_registry_t *reg)
{
    unsigned char found[LBS_REGISTRY_POOLS] = {0};
    lbs_reader_t r = restore->changes;
    lbs_saved_change_t change;
    apr_uint32_t count = 0;
    apr_uint32_t i;

    give_pools(restore, &restore->image, reg, found);
    while (lbs_restore_next_change(&r, &change)) {
        give_pools(restore, &change, reg, found);
    }
    for (i = 0; i < LBS_REGISTRY_POOLS; i++) {
        count += found[i];
    }
    return count;
}

/* The expiry clock of a slot's words wraps. After so long a time it cannot
 * tell an old end from one to come, and all sessions are over: a session's
 * end is hardly ever further ahead when it is used. */
static int all_over(const lbs_saved_member_t *record,
                    apr_interval_time_t elapsed)
{
    return record->quantum_us != 0
           && (apr_uint64_t)elapsed / record->quantum_us >= UNITS_SURE;
}

static void give_member(lbs_restore_t *restore, lbs_registry_t *reg,
                        const lbs_eject_conf_t *const *eject,
                        const lbs_saved_place_t *place,
                        lbs_restore_report_t *report)
{
    lbs_reader_t r = {place->at, restore->member_len, 0};
    lbs_codec_t codec = {NULL, &r, &restore->dims};
    apr_time_t now = restore->now.wall;
    lbs_registry_member_info_t member;
    lbs_saved_member_t record;
    apr_uint32_t slot;

    lbs_record_code_member(&codec, &record);
    restore->origin.quantum_us[record.slot] = record.quantum_us;
    slot = lbs_registry_find_member(reg, record.id);
    if (lbs_registry_member_info(reg, slot, &member) != APR_SUCCESS) {
        return;
    }
    lbs_record_give_member(&record, reg, slot, &restore->now,
                           now > place->wall ? now - place->wall : 0,
                           eject[member.pool_slot]);
    if (!all_over(&record, restore->info.elapsed)) {
        restore->origin.slot[record.slot] = (apr_uint16_t)slot;
    }
    report->members++;
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
    restore->origin.now = restore->mono + restore->info.elapsed;
    report->pools = give_all_pools(restore, reg);
    for (i = 0; i < LBS_REGISTRY_MEMBERS; i++) {
        restore->origin.slot[i] = LBS_TABLE_NONE;
        restore->origin.quantum_us[i] = 0;
        if (restore->member[i].at != NULL) {
            give_member(restore, reg, eject, &restore->member[i], report);
        }
    }
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

/* The image's words of one table. @return 0: they do not fit */
static int import_image(const lbs_saved_table_t *saved, lbs_table_t *table)
{
    apr_uint64_t chunk[LBS_SNAPSHOT_CHUNK];
    lbs_reader_t r = saved->chunks;
    const unsigned char *words;
    apr_uint64_t at, count, map, i;

    for (at = 0; at < saved->words; at += count) {
        count = lbs_restore_chunk(&r, saved->words - at, &map, &words);
        for (i = 0; i < count; i++) {
            int there = (int)(map >> i & 1);

            chunk[i] = there ? lbs_bytes_get64(words) : 0;
            words += 8 * there;
        }
        if (count == 0
            || lbs_image_import(table, at, chunk, count) != APR_SUCCESS) {
            return 0;
        }
    }
    return 1;
}

static void import_changes(const lbs_restore_t *restore, int index,
                           lbs_table_t *table)
{
    lbs_reader_t r = restore->changes;
    lbs_saved_change_t change;
    apr_uint64_t at, word;

    while (lbs_restore_next_change(&r, &change)) {
        at = 0;
        while (lbs_restore_changed_word(&change.changes[index], &at, &word)
               > 0) {
            (void)lbs_image_import(table, at, &word, 1); /* is within */
            at++;
        }
    }
}

apr_status_t lbs_restore_table(lbs_restore_t *restore, int index,
                               lbs_table_t *table, lbs_image_report_t *report)
{
    if (index < 0 || index >= restore->info.tables
        || restore->tables[index].words != lbs_image_words(table)
        || !import_image(&restore->tables[index], table)) {
        return APR_EINVAL;
    }
    import_changes(restore, index, table);
    lbs_image_adopt(table, &restore->origin, restore->now.mono, report);
    return APR_SUCCESS;
}
