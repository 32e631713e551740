/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_restore_change.c - the changes behind the image of a state file; see
 * lbs_restore_int.h. */
#include <string.h>

#include "src/state/lbs_restore_int.h"
#include "src/state/lbs_snapshot_int.h"

/* The number of a word takes five bytes: there are less than 2^34 words. */
#define NUMBER_BITS 35

/* @return 1; 0: there is none */
static int get_number(lbs_reader_t *r, apr_uint64_t *value)
{
    unsigned int shift;

    *value = 0;
    for (shift = 0; shift < NUMBER_BITS; shift += 7) {
        const unsigned char *from = lbs_reader_take(r, 1);

        if (from == NULL) {
            return 0;
        }
        *value |= (apr_uint64_t)(*from & 0x7f) << shift;
        if ((*from & 0x80) == 0) {
            return 1;
        }
    }
    return 0;
}

int lbs_restore_changed_word(lbs_reader_t *r, apr_uint64_t *index,
                             apr_uint64_t *word)
{
    apr_uint64_t number;

    if (r->left == 0) {
        return 0;
    }
    if (!get_number(r, &number)) {
        return -1;
    }
    *index += number >> 1;
    *word = (number & 1) != 0 ? lbs_reader_get64(r) : 0;
    return r->short_of ? -1 : 1;
}

/* Reading one ------------------------------------------------------------ */

/* Its parts, without looking into them. @return 0: it has others */
static int read_parts(lbs_reader_t r, lbs_saved_change_t *change)
{
    lbs_reader_t section;
    apr_uint32_t table;

    memset(change, 0, sizeof(*change));
    (void)lbs_reader_get64(&r); /* the check before */
    change->wall = (apr_time_t)lbs_reader_get64(&r);
    change->mono = (apr_time_t)lbs_reader_get64(&r);
    if (lbs_restore_option(&r, LBS_SNAPSHOT_POOLS, &section)) {
        change->pool_count = lbs_reader_get32(&section);
        change->pools = section;
    }
    if (lbs_restore_option(&r, LBS_SNAPSHOT_MEMBERS, &section)) {
        change->member_count = lbs_reader_get32(&section);
        change->members = section;
    }
    if (lbs_restore_option(&r, LBS_SNAPSHOT_GONE, &section)) {
        change->gone_count = lbs_reader_get32(&section);
        change->gone = section;
    }
    if (lbs_restore_option(&r, LBS_SNAPSHOT_FORGOTTEN, &section)) {
        change->forgotten = section;
    }
    while (lbs_restore_option(&r, LBS_SNAPSHOT_CHANGES, &section)) {
        table = lbs_reader_get32(&section);
        if (section.short_of || table >= LBS_SNAPSHOT_TABLES) {
            return 0;
        }
        change->changes[table] = section;
    }
    return r.left == 0 && !r.short_of;
}

/* The next change's contents. @return 0: there is none that is whole */
static int read_frame(lbs_reader_t *r, lbs_reader_t *contents)
{
    if (!lbs_restore_section(r, LBS_SNAPSHOT_MORE, contents)) {
        return 0;
    }
    return lbs_reader_take(r, LBS_SNAPSHOT_CHECK_LEN) != NULL
           && contents->left >= 24;
}

int lbs_restore_next_change(lbs_reader_t *r, lbs_saved_change_t *change)
{
    lbs_reader_t contents;

    return r->left > 0 && read_frame(r, &contents)
           && read_parts(contents, change);
}

/* Is it sound? ----------------------------------------------------------- */

static int check_gone(lbs_reader_t r, apr_uint32_t count)
{
    apr_uint32_t i;

    if (r.left != (apr_size_t)count * 4) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        if (lbs_reader_get32(&r) >= LBS_REGISTRY_MEMBERS) {
            return 0;
        }
    }
    return 1;
}

static int check_words(lbs_reader_t r, apr_uint64_t words)
{
    apr_uint64_t index = 0;
    apr_uint64_t word;
    int more;

    while ((more = lbs_restore_changed_word(&r, &index, &word)) > 0) {
        if (index++ >= words) {
            return 0;
        }
    }
    return more == 0;
}

/* A section's reader stands behind its count, which the check reads, too. */
static lbs_reader_t with_count(lbs_reader_t section)
{
    section.at -= 4;
    section.left += 4;
    return section;
}

static int is_sound(const lbs_restore_t *restore,
                    const lbs_saved_change_t *change)
{
    lbs_saved_change_t unused;
    int i;

    if (change->wall < 0 || change->wall > APR_INT64_MAX / 2
        || change->mono < 0 || change->mono > APR_INT64_MAX / 2) {
        return 0;
    }
    if ((change->pools.at != NULL
         && !lbs_restore_check_pools(restore, with_count(change->pools),
                                     &unused))
        || (change->members.at != NULL
            && !lbs_restore_check_members(restore, with_count(change->members),
                                          &unused))
        || (change->gone.at != NULL
            && !check_gone(change->gone, change->gone_count))
        || (change->forgotten.at != NULL
            && !lbs_restore_check_forgotten(change->forgotten))) {
        return 0;
    }
    for (i = 0; i < LBS_SNAPSHOT_TABLES; i++) {
        if (!check_words(change->changes[i], restore->tables[i].words)) {
            return 0;
        }
    }
    return 1;
}

/* Reading all ------------------------------------------------------------ */

static void note_members(lbs_restore_t *restore,
                         const lbs_saved_change_t *change)
{
    lbs_reader_t r = change->members;
    lbs_codec_t codec = {NULL, &r, &restore->dims};
    lbs_saved_member_t record;
    apr_uint32_t i;

    for (i = 0; i < change->member_count; i++) {
        const unsigned char *at = r.at;

        lbs_record_code_member(&codec, &record);
        restore->member[record.slot] =
            (lbs_saved_place_t){.at = at, .wall = change->wall};
        restore->member_len = (apr_size_t)(r.at - at);
    }
    r = change->gone;
    for (i = 0; i < change->gone_count; i++) {
        restore->member[lbs_reader_get32(&r)].at = NULL;
    }
}

static void note(lbs_restore_t *restore, const lbs_saved_change_t *change)
{
    apr_time_t now = restore->now.wall;

    note_members(restore, change);
    if (change->forgotten.at != NULL) {
        restore->forgotten = change->forgotten;
    }
    restore->mono = change->mono;
    restore->info.saved = change->wall;
    restore->info.elapsed = now > change->wall ? now - change->wall : 0;
}

void lbs_restore_read_changes(lbs_restore_t *restore, lbs_reader_t r,
                              apr_uint64_t check)
{
    lbs_saved_change_t change;
    lbs_reader_t contents;
    const unsigned char *begin = r.at;
    apr_size_t whole = 0;
    apr_size_t all = r.left;

    note(restore, &restore->image);
    while (r.left > 0) {
        const unsigned char *at = r.at;

        if (!read_frame(&r, &contents)
            || lbs_bytes_get64(contents.at) != check) {
            break;
        }
        check =
            lbs_hash_bytes(&lbs_snapshot_key, at,
                           (apr_size_t)(r.at - at) - LBS_SNAPSHOT_CHECK_LEN);
        if (lbs_bytes_get64(r.at - LBS_SNAPSHOT_CHECK_LEN) != check
            || !read_parts(contents, &change) || !is_sound(restore, &change)) {
            break;
        }
        note(restore, &change);
        restore->info.changes++;
        whole = (apr_size_t)(r.at - begin);
    }
    restore->changes = (lbs_reader_t){begin, whole, 0};
    restore->info.cut = all - whole;
}
