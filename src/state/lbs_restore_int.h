/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_restore_int.h - a state file that is being read, for its three parts:
 * lbs_restore.c opens it, lbs_restore_change.c reads the changes behind the
 * image, lbs_restore_give.c puts all of it back.
 */
#ifndef LBS_RESTORE_INT_H
#define LBS_RESTORE_INT_H

#include "src/state/lbs_record_int.h"
#include "src/state/lbs_restore.h"

typedef struct lbs_saved_table_t {
    apr_uint32_t sessions;
    apr_uint64_t words;
    lbs_reader_t chunks; /* they were read once and are sound */
} lbs_saved_table_t;

/* One change, or the image as the first of them. Readers of missing sections
 * are empty; all sections that are there were checked once. */
typedef struct lbs_saved_change_t {
    apr_time_t wall;
    apr_time_t mono;
    apr_uint32_t pool_count;
    lbs_reader_t pools;
    apr_uint32_t member_count;
    lbs_reader_t members;
    apr_uint32_t gone_count;
    lbs_reader_t gone;
    lbs_reader_t forgotten; /* with the counts */
    lbs_reader_t changes[LBS_SNAPSHOT_TABLES];
} lbs_saved_change_t;

/* Where the newest record of a member is; at NULL: it has none. */
typedef struct lbs_saved_place_t {
    const unsigned char *at;
    apr_time_t wall; /* when it was taken */
} lbs_saved_place_t;

struct lbs_restore_t {
    const unsigned char *head;
    lbs_clock_t now;
    lbs_restore_info_t info;
    apr_time_t mono; /* of the newest that is read */
    lbs_record_dims_t dims;
    lbs_saved_change_t image;
    lbs_saved_table_t tables[LBS_SNAPSHOT_TABLES];
    lbs_reader_t changes;   /* those that are whole */
    lbs_reader_t forgotten; /* the newest */
    lbs_reader_t outline;   /* of the image's configuration */
    apr_size_t member_len;  /* of a record */
    lbs_saved_place_t member[LBS_REGISTRY_MEMBERS];
    lbs_image_origin_t origin; /* filled by lbs_restore_registry() */
};

/** The next section if it has this tag. @return 0: it has not; r may be
 * anywhere */
int lbs_restore_section(lbs_reader_t *r, apr_uint32_t tag,
                        lbs_reader_t *section);

/** The same for one that may be left out: r stays where it is then. */
int lbs_restore_option(lbs_reader_t *r, apr_uint32_t tag,
                       lbs_reader_t *section);

/** Look through a section. @return 0: that cannot be */
int lbs_restore_check_pools(const lbs_restore_t *restore, lbs_reader_t r,
                            lbs_saved_change_t *change);
int lbs_restore_check_members(const lbs_restore_t *restore, lbs_reader_t r,
                              lbs_saved_change_t *change);
int lbs_restore_check_forgotten(lbs_reader_t r);

/**
 * Read up to LBS_SNAPSHOT_CHUNK words of an image.
 *
 * @param map    out: which of them are not zero
 * @param words  out: the bytes of those
 * @return how many; 0: some are missing, or there are more than that
 */
apr_uint64_t lbs_restore_chunk(lbs_reader_t *r, apr_uint64_t left,
                               apr_uint64_t *map, const unsigned char **words);

/** Read all that is whole behind the image and note it. */
void lbs_restore_read_changes(lbs_restore_t *restore, lbs_reader_t r,
                              apr_uint64_t check);

/** The next one of restore->changes, which are sound. @return 0: the end */
int lbs_restore_next_change(lbs_reader_t *r, lbs_saved_change_t *change);

/**
 * The next changed word.
 *
 * @param index  in: the one after the last; out: its place
 * @return 1; 0: there is no further one; -1: this is none
 */
int lbs_restore_changed_word(lbs_reader_t *r, apr_uint64_t *index,
                             apr_uint64_t *word);

#endif
