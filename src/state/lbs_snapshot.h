/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_snapshot.h - writing the bytes of a state file: an image of everything.
 * lbs_journal.h writes later changes behind it.
 *
 * Everything is saved under identities; slots are numbers that mean something
 * inside one file only. Others go on working meanwhile: every number and
 * every session that is written was right at some moment of the writing.
 * Reading is in lbs_restore.h.
 *
 * Pure: bytes in memory; the caller writes the file.
 */
#ifndef LBS_SNAPSHOT_H
#define LBS_SNAPSHOT_H

#include <apr.h>
#include <apr_errno.h>

#include "src/state/lbs_registry.h"
#include "src/table/lbs_forgotten.h"
#include "src/table/lbs_table.h"

#define LBS_SNAPSHOT_TABLES (1 + LBS_TABLE_CHAIN) /* at most */

/* The state to be saved; the caller's. */
typedef struct lbs_snapshot_t {
    const lbs_registry_t *reg;
    /* The chain, each table by itself, the newest first. */
    const lbs_table_t *tables[LBS_SNAPSHOT_TABLES];
    int count;                        /* of tables */
    const lbs_forgotten_t *forgotten; /* NULL: nothing */
    /* Says of which secret it is: lbs_snapshot_fingerprint(), 0: `random`,
     * the one in the registry. */
    apr_uint64_t fingerprint;
    /* Of the configuration, see lbs_outline.h; 0 bytes: nothing is said. */
    const unsigned char *outline;
    apr_size_t outline_len;
    int open;                      /* changes will be written behind it */
    const lbs_atomic32_t *give_up; /* not 0: stop soon; NULL: never */
} lbs_snapshot_t;

/** @return a number that tells secrets apart and tells nothing about them;
 *          never 0 */
apr_uint64_t lbs_snapshot_fingerprint(const lbs_hash_key_t *master);

/** @return bytes that are enough for this snapshot, however it changes
 *          meanwhile. Memory that is not needed is not touched. */
apr_size_t lbs_snapshot_room(const lbs_snapshot_t *from);

/**
 * Write a snapshot. The marks of what has changed are taken away: a journal
 * begins behind it.
 *
 * Locking: none; one caller per registry. Cost: one pass over the tables.
 *
 * @param bytes  out, room bytes of the caller's
 * @param len    out: how many were written; written only on APR_SUCCESS
 * @return APR_SUCCESS; APR_ENOSPC: room was less than lbs_snapshot_room()
 *         says; APR_EINTR: it was given up. Then the buffer is of no use
 */
apr_status_t lbs_snapshot_encode(const lbs_snapshot_t *from,
                                 const lbs_clock_t *now, unsigned char *bytes,
                                 apr_size_t room, apr_size_t *len);

/**
 * Make the checks fit the bytes before them, of an image and of changes behind
 * it; for tools that make or change files. Bytes too few to hold one stay as
 * they are.
 */
void lbs_snapshot_seal(unsigned char *bytes, apr_size_t len);

#endif
