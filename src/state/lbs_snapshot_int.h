/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_snapshot_int.h - the bytes of a state file, drawn.
 *
 * All numbers are little endian.
 *
 *     head        LBS_SNAPSHOT_HEAD_LEN bytes
 *       0         magic        8
 *       8         version      4
 *       12        flags        4   1: changes may follow the image
 *       16        length       8   of the image: all up to its check
 *       24        saved wall   8   Unix microseconds
 *       32        saved mono   8   microseconds, the clock of the table
 *       40        fingerprint  8   of the secret, 0: the one in this file
 *       48        table key    16
 *       64        secret       32  of LBStickySecret random
 *     sections    in this order
 *       tag 4     length 8     contents
 *       "dims"    lbs_record_dims_t: how much is in a record
 *       "pool"    count 4, then so many pool records
 *       "memb"    count 4, then so many member records
 *       "forg"    only where an administrator had something forgotten:
 *                 count 4, then so many members: slot 4, until 4 Unix seconds
 *                 count 4, then so many sessions, 8 bytes each, oldest first
 *       "conf"    only where there is one: the outline of the configuration
 *       "word"    one per table of the chain, the newest first:
 *                 sessions 4, words 8, then for every 64 words 8 bytes that
 *                 say which of them are not zero, and those, 8 bytes each
 *     check       8, over everything before it
 *
 * and then, where the flag is set, what has changed, any number of times:
 *
 *     tag "more" 4, length 8 of what is between here and the check
 *       before    8   the check of what stands before: no other may follow it
 *       wall      8   as in the head: of the records below
 *       mono      8
 *       sections  any of these, in this order
 *         "pool"    as above, those that changed
 *         "memb"    as above, those that changed
 *         "gone"    count 4, then so many slots, 4 bytes each, which are no
 *                   member's any more
 *         "forg"    as above, all of it
 *         "chng"    of one table: its number 4, then for each changed word, in
 *                   ascending order, how many words were passed over, times
 *                   two, plus one where the word is not zero, in 7 bits a
 *                   byte, the low ones first, all but the last with the top
 *                   bit set; and the word, 8, if it is not zero
 *     check       8, over everything from "more" on
 *
 * A change that is not whole, or does not follow from what stands before it,
 * is the end: a crash while writing leaves such a change.
 *
 * Version 1 had no flags, no "dims" (they were lbs_record_dims_v1), and
 * nothing behind the image. It is read.
 */
#ifndef LBS_SNAPSHOT_INT_H
#define LBS_SNAPSHOT_INT_H

#include "src/base/lbs_hash.h"
#include "src/state/lbs_bytes_int.h"
#include "src/state/lbs_registry.h"
#include "src/table/lbs_forgotten.h"

/* Not a secret: the check finds damage, mode 0600 keeps forgers out. */
static const lbs_hash_key_t lbs_snapshot_key = {"lbs state file."};

#define LBS_SNAPSHOT_MAGIC "LBSTATE\n"
#define LBS_SNAPSHOT_VERSION 2
#define LBS_SNAPSHOT_OLDEST 1 /* that is read */
#define LBS_SNAPSHOT_OPEN 1u  /* flag: changes may follow */
#define LBS_SNAPSHOT_HEAD_LEN 96
#define LBS_SNAPSHOT_CHECK_LEN 8

#define LBS_SNAPSHOT_DIMS 0x736d6964u      /* "dims" */
#define LBS_SNAPSHOT_POOLS 0x6c6f6f70u     /* "pool" */
#define LBS_SNAPSHOT_MEMBERS 0x626d656du   /* "memb" */
#define LBS_SNAPSHOT_FORGOTTEN 0x67726f66u /* "forg" */
#define LBS_SNAPSHOT_OUTLINE 0x666e6f63u   /* "conf" */
#define LBS_SNAPSHOT_WORDS 0x64726f77u     /* "word" */

#define LBS_SNAPSHOT_MORE 0x65726f6du    /* "more" */
#define LBS_SNAPSHOT_GONE 0x656e6f67u    /* "gone" */
#define LBS_SNAPSHOT_CHANGES 0x676e6863u /* "chng" */

#define LBS_SNAPSHOT_CHUNK 64 /* words under one map */

/* Around the contents of a change. */
#define LBS_SNAPSHOT_MORE_HEAD 12
#define LBS_SNAPSHOT_SECTION_HEAD 12

/* Most that "forg" takes. */
#define LBS_SNAPSHOT_FORGOTTEN_MOST                                           \
    (LBS_SNAPSHOT_SECTION_HEAD + 8                                            \
     + 8 * (LBS_TABLE_SLOTS + LBS_FORGOTTEN_SESSIONS))

/** Begin a section. @return where its contents begin, for the end */
apr_size_t lbs_snapshot_begin_section(lbs_writer_t *w, apr_uint32_t tag);

/** End it: its length is known. @param wanted  0: take it back, head and all
 */
void lbs_snapshot_end_section(lbs_writer_t *w, apr_size_t start, int wanted);

/** Write a count that is known only now, where it belongs. */
void lbs_snapshot_put_count(lbs_writer_t *w, apr_size_t at,
                            apr_uint32_t count);

/* Which records are written. NULL: all. */
typedef struct lbs_snapshot_choice_t {
    /** @return 1: the record of this slot, so many bytes, is to stay */
    int (*wants)(void *baton, apr_uint32_t slot, const unsigned char *bytes,
                 apr_size_t len);
    void *baton;
} lbs_snapshot_choice_t;

/** Write the section of pools; with a choice of which none stays, no section.
 */
void lbs_snapshot_put_pools(lbs_writer_t *w, const lbs_registry_t *reg,
                            const lbs_snapshot_choice_t *choice);

/** The same of members, those included that were removed: sessions may name
 * them, and they may come back. */
void lbs_snapshot_put_members(lbs_writer_t *w, const lbs_registry_t *reg,
                              const lbs_clock_t *now,
                              const lbs_snapshot_choice_t *choice);

/** Write the section of forgotten sessions; none, if nothing was forgotten. */
void lbs_snapshot_put_forgotten(lbs_writer_t *w,
                                const lbs_forgotten_t *forgotten);

#endif
