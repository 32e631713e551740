/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_journal.h - writes changes behind the image of a state file.
 *
 *     lbs_snapshot_encode()   the image, open for changes
 *     lbs_journal_begin()     they follow that one
 *     lbs_journal_encode()    every few seconds: a change, to be appended
 *
 * A change that could not be written whole ends the journal: another image is
 * needed. For pools and members the journal remembers the last record written;
 * for the tables it reads the marks (lbs_image.h). So there is one journal per
 * registry.
 *
 * Pure: bytes in memory; the caller writes the file. Reading is in
 * lbs_restore.h.
 */
#ifndef LBS_JOURNAL_H
#define LBS_JOURNAL_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>

#include "src/state/lbs_snapshot.h"

/* Bytes of one change are enough with this much room. More changes make
 * several of them. Memory that is not needed is not touched. */
#define LBS_JOURNAL_ROOM ((apr_size_t)8 << 20)

typedef struct lbs_journal_t lbs_journal_t; /* opaque, of one thread */

/** @param journal  out: from pool, 70 KB */
void lbs_journal_create(lbs_journal_t **journal, apr_pool_t *pool);

/** The journal follows an image that is whole. @param image  its bytes */
void lbs_journal_begin(lbs_journal_t *journal, const unsigned char *image,
                       apr_size_t len);

/**
 * Write what has changed since the image and the changes before.
 *
 * Locking: none; others go on working. Cost: one bit per word of the tables,
 * a cache line per word that changed, and a record per member.
 *
 * @param from   as for the image
 * @param bytes  out: room bytes of the caller's, at least LBS_JOURNAL_ROOM
 * @param len    out: how many were written; 0: nothing has changed
 * @return APR_SUCCESS: that is all; APR_INCOMPLETE: append this and call again
 */
apr_status_t lbs_journal_encode(lbs_journal_t *journal,
                                const lbs_snapshot_t *from,
                                const lbs_clock_t *now, unsigned char *bytes,
                                apr_size_t room, apr_size_t *len);

#endif
