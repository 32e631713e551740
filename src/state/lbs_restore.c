/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_restore.c - opening a state file; see lbs_restore_int.h. */
#include "src/state/lbs_restore.h"

#include <string.h>

#include "src/base/lbs_assert.h"
#include "src/state/lbs_restore_int.h"
#include "src/state/lbs_snapshot_int.h"

_Static_assert(LBS_RESTORE_HEAD == LBS_SNAPSHOT_HEAD_LEN,
               "what is read first is the head");

/* Is it ours? ------------------------------------------------------------ */

/* Does the image fit the file? */
static int fits_into(const unsigned char *head, apr_uint64_t len)
{
    apr_uint64_t image = lbs_bytes_get64(head + 16);
    int open = lbs_bytes_get32(head + 8) > 1
               && (lbs_bytes_get32(head + 12) & LBS_SNAPSHOT_OPEN) != 0;

    return image >= LBS_SNAPSHOT_HEAD_LEN + LBS_SNAPSHOT_CHECK_LEN
           && (open ? image <= len : image == len);
}

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
    if (lbs_bytes_get32(bytes + 8) < LBS_SNAPSHOT_OLDEST) {
        return "it was written by a version of this module that is too old";
    }
    if (!fits_into(bytes, len)) {
        return "it is truncated or has something at its end";
    }
    return NULL;
}

/* @param image  out: how much of it the image takes */
static const char *check_bytes(const unsigned char *bytes, apr_size_t len,
                               apr_size_t *image)
{
    const char *refusal = lbs_restore_head(bytes, len, len);
    apr_size_t checked;

    if (refusal != NULL) {
        return refusal;
    }
    *image = (apr_size_t)lbs_bytes_get64(bytes + 16);
    checked = *image - LBS_SNAPSHOT_CHECK_LEN;
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

    if (fingerprints == NULL) {
        return NULL;
    }
    for (i = 0; i < count; i++) {
        if (fingerprints[i] == saved) {
            return NULL;
        }
    }
    return "it belongs to another LBStickySecret";
}

static const char *check_times(const lbs_saved_change_t *image, apr_time_t now)
{
    if (image->wall > APR_INT64_MAX / 2 || image->wall < 0
        || image->mono > APR_INT64_MAX / 2 || image->mono < 0) {
        return "its time cannot be";
    }
    if (image->wall > now + LBS_RESTORE_AHEAD) {
        return "it comes from the future: the clock was set back";
    }
    return NULL;
}

/* Sections --------------------------------------------------------------- */

int lbs_restore_section(lbs_reader_t *r, apr_uint32_t tag,
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

int lbs_restore_option(lbs_reader_t *r, apr_uint32_t tag,
                       lbs_reader_t *section)
{
    lbs_reader_t ahead = *r;

    if (!lbs_restore_section(&ahead, tag, section)) {
        return 0;
    }
    *r = ahead;
    return 1;
}

static int check_dims(lbs_restore_t *restore, lbs_reader_t r)
{
    apr_uint32_t dims[LBS_RECORD_DIMS];
    int i;

    for (i = 0; i < LBS_RECORD_DIMS; i++) {
        dims[i] =
            i < LBS_RECORD_DIMS_LEAST || r.left > 0 ? lbs_reader_get32(&r) : 0;
        if (dims[i] > LBS_RECORD_DIM_MOST) {
            return 0;
        }
    }
    restore->dims = (lbs_record_dims_t){.decisions = dims[0],
                                        .reasons = dims[1],
                                        .fields = dims[2],
                                        .counts = dims[3],
                                        .bounds = dims[4],
                                        .readers = dims[5]};
    return !r.short_of && r.left == 0;
}

int lbs_restore_check_pools(const lbs_restore_t *restore, lbs_reader_t r,
                            lbs_saved_change_t *change)
{
    lbs_codec_t codec = {NULL, &r, &restore->dims};
    apr_uint32_t count = lbs_reader_get32(&r);
    lbs_saved_pool_t record;
    apr_uint32_t i;

    change->pools = r;
    change->pool_count = count;
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
int lbs_restore_check_members(const lbs_restore_t *restore, lbs_reader_t r,
                              lbs_saved_change_t *change)
{
    lbs_codec_t codec = {NULL, &r, &restore->dims};
    apr_uint32_t count = lbs_reader_get32(&r);
    unsigned char seen[LBS_REGISTRY_MEMBERS] = {0};
    lbs_saved_member_t record;
    apr_uint32_t i;

    change->members = r;
    change->member_count = count;
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

/* The section holds all of its records and nothing else. */
int lbs_restore_check_forgotten(lbs_reader_t r)
{
    apr_uint32_t members = lbs_reader_get32(&r);
    apr_uint32_t sessions, i;

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

apr_uint64_t lbs_restore_chunk(lbs_reader_t *r, apr_uint64_t left,
                               apr_uint64_t *map, const unsigned char **words)
{
    apr_uint64_t count = left < LBS_SNAPSHOT_CHUNK ? left : LBS_SNAPSHOT_CHUNK;

    *map = lbs_reader_get64(r);
    *words = lbs_reader_take(r, (apr_size_t)__builtin_popcountll(*map) * 8);
    return *words == NULL || r->short_of
                   || (count < LBS_SNAPSHOT_CHUNK && *map >> count != 0)
               ? 0
               : count;
}

/* Bounded by the section: every chunk takes eight bytes of it at least. */
static int check_table(lbs_saved_table_t *table, lbs_reader_t r)
{
    const unsigned char *words;
    apr_uint64_t left, count, map;

    table->sessions = lbs_reader_get32(&r);
    table->words = lbs_reader_get64(&r);
    table->chunks = r;
    for (left = table->words; left > 0; left -= count) {
        count = lbs_restore_chunk(&r, left, &map, &words);
        if (count == 0) {
            return 0;
        }
    }
    return !r.short_of && r.left == 0 && table->words != 0
           && table->sessions != 0
           && table->words == lbs_table_words(table->sessions);
}

static int check_tables(lbs_restore_t *restore, lbs_reader_t *r)
{
    lbs_reader_t section;
    int i;

    for (i = 0; r->left > 0; i++) {
        if (i == LBS_SNAPSHOT_TABLES
            || !lbs_restore_section(r, LBS_SNAPSHOT_WORDS, &section)
            || !check_table(&restore->tables[i], section)) {
            return 0;
        }
        restore->info.sessions[i] = restore->tables[i].sessions;
    }
    restore->info.tables = i;
    return !r->short_of;
}

static int check_sections(lbs_restore_t *restore, apr_size_t image)
{
    lbs_reader_t r = {restore->head + LBS_SNAPSHOT_HEAD_LEN,
                      image - LBS_SNAPSHOT_HEAD_LEN - LBS_SNAPSHOT_CHECK_LEN,
                      0};
    lbs_saved_change_t *all = &restore->image;
    lbs_reader_t section;

    restore->dims = lbs_record_dims_v1;
    if (lbs_bytes_get32(restore->head + 8) > 1
        && (!lbs_restore_section(&r, LBS_SNAPSHOT_DIMS, &section)
            || !check_dims(restore, section))) {
        return 0;
    }
    if (!lbs_restore_section(&r, LBS_SNAPSHOT_POOLS, &section)
        || !lbs_restore_check_pools(restore, section, all)
        || !lbs_restore_section(&r, LBS_SNAPSHOT_MEMBERS, &section)
        || !lbs_restore_check_members(restore, section, all)) {
        return 0;
    }
    if (lbs_restore_option(&r, LBS_SNAPSHOT_FORGOTTEN, &section)) {
        all->forgotten = section;
        if (!lbs_restore_check_forgotten(section)) {
            return 0;
        }
    }
    (void)lbs_restore_option(&r, LBS_SNAPSHOT_OUTLINE, &restore->outline);
    return check_tables(restore, &r);
}

/* Everything after the head and the check of the image. */
static const char *read_all(lbs_restore_t *view, apr_size_t image,
                            apr_size_t len)
{
    const char *why;

    view->image.wall = (apr_time_t)lbs_bytes_get64(view->head + 24);
    view->image.mono = (apr_time_t)lbs_bytes_get64(view->head + 32);
    why = check_times(&view->image, view->now.wall);
    if (why != NULL) {
        return why;
    }
    if (!check_sections(view, image)) {
        return "it is damaged: what it says cannot be";
    }
    view->info.pools = view->image.pool_count;
    view->info.members = view->image.member_count;
    lbs_restore_read_changes(
        view, (lbs_reader_t){view->head + image, len - image, 0},
        lbs_bytes_get64(view->head + image - LBS_SNAPSHOT_CHECK_LEN));
    return NULL;
}

const char *lbs_restore_open(lbs_restore_t **restore,
                             const unsigned char *bytes, apr_size_t len,
                             const lbs_clock_t *now,
                             const apr_uint64_t *fingerprints, int count,
                             apr_pool_t *pool)
{
    lbs_restore_t *view;
    apr_size_t image;
    const char *why = check_bytes(bytes, len, &image);

    if (why == NULL) {
        why = check_secret(bytes, fingerprints, count);
    }
    if (why != NULL) {
        return why;
    }
    view = apr_pcalloc(pool, sizeof(*view));
    view->head = bytes;
    view->now = *now;
    why = read_all(view, image, len);
    if (why == NULL) {
        *restore = view;
    }
    return why;
}

int lbs_restore_secret(const lbs_restore_t *restore,
                       const apr_uint64_t *fingerprints, int count)
{
    return check_secret(restore->head, fingerprints, count) == NULL;
}

const unsigned char *lbs_restore_outline(const lbs_restore_t *restore,
                                         apr_size_t *len)
{
    *len = restore->outline.left;
    return restore->outline.at;
}

void lbs_restore_info(const lbs_restore_t *restore, lbs_restore_info_t *info)
{
    *info = restore->info;
}
