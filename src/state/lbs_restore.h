/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_restore.h - reading the bytes of a state file.
 *
 * An image is taken whole or refused whole, with a sentence for the log;
 * nothing in it is believed unchecked. Changes behind it are taken up to the
 * first that is not whole, which is what a crash leaves. Saved state goes to
 * the pool or member with the same identity; identities that are not
 * configured any more are forgotten. A start goes:
 *
 *     lbs_restore_open() is it a state file, and ours? lbs_registry_begin(),
 *     lbs_registry_pool(), lbs_registry_member() ... set quantum_us of the
 *     member's slots lbs_restore_registry() keys, counters, operators' changes
 *     lbs_admin_reconcile() for each member, also if that was done before: the
 *     configuration may have been edited lbs_restore_forgotten() sessions that
 *     an administrator had forgotten lbs_restore_table() each into one
 *     formatted for as many sessions lbs_registry_commit()
 */
#ifndef LBS_RESTORE_H
#define LBS_RESTORE_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "src/state/lbs_registry.h"
#include "src/state/lbs_snapshot.h"
#include "src/table/lbs_forgotten.h"
#include "src/table/lbs_image.h"
#include "src/table/lbs_table.h"

/* A file may claim to have been written this long after now: a clock that
 * was set back. More is refused. */
#define LBS_RESTORE_AHEAD (APR_INT64_C(86400) * 1000000)

/* Bytes that tell whether the rest is worth reading. */
#define LBS_RESTORE_HEAD 96

typedef struct lbs_restore_t lbs_restore_t; /* opaque, private */

/* The head of a file. */
typedef struct lbs_restore_info_t {
    apr_time_t saved;            /* Unix microseconds */
    apr_interval_time_t elapsed; /* since then, never negative */
    apr_uint32_t pools;          /* records in the image */
    apr_uint32_t members;
    apr_uint32_t changes; /* behind the image */
    apr_uint64_t cut;     /* bytes at the end that are none: a crash */
    int tables;           /* the newest first */
    apr_uint32_t sessions[LBS_SNAPSHOT_TABLES]; /* each was formatted for */
} lbs_restore_info_t;

/* Counts of what was restored. */
typedef struct lbs_restore_report_t {
    apr_uint32_t pools;   /* records that found their pool */
    apr_uint32_t members; /* records that found their member */
} lbs_restore_report_t;

/**
 * Could a file be ours, as far as its first bytes tell? Another file may be of
 * any size and is not to be read to its end.
 *
 * @param bytes  have of them: LBS_RESTORE_HEAD, all of a shorter file, or more
 * @param len    of the whole file
 * @return NULL, or why it is refused, as lbs_restore_open() would say it
 */
const char *lbs_restore_head(const unsigned char *bytes, apr_size_t have,
                             apr_uint64_t len);

/**
 * Check whether the bytes of a file can be used at all. Cost: linear in len,
 * whatever the bytes are.
 *
 * @param restore       out: lives as long as pool; written only on success
 * @param bytes         len of them; must outlive the view
 * @param now           both clocks: the file's age counts from here
 * @param fingerprints  of the secrets that are known, 0 for `random`; a file
 *                      of any other secret is refused; NULL: of none
 * @return NULL, or why the file is refused, as a sentence without a dot
 */
const char *lbs_restore_open(lbs_restore_t **restore,
                             const unsigned char *bytes, apr_size_t len,
                             const lbs_clock_t *now,
                             const apr_uint64_t *fingerprints, int count,
                             apr_pool_t *pool);

/** @return 1 when the file would not be refused for its secret; parameters as
 *          for lbs_restore_open() */
int lbs_restore_secret(const lbs_restore_t *restore,
                       const apr_uint64_t *fingerprints, int count);

/** The outline of the configuration that wrote the image, as it was given to
 * lbs_snapshot_encode(). @param len  out: 0: the file has none
 * @return its bytes, in those of the file */
const unsigned char *lbs_restore_outline(const lbs_restore_t *restore,
                                         apr_size_t *len);

/** The file's head. */
void lbs_restore_info(const lbs_restore_t *restore, lbs_restore_info_t *info);

/**
 * Give the registry its keys, and every pool and member that was named by now
 * its counters and overrides. Nobody else uses the registry yet.
 *
 * @param eject  by pool slot, LBS_REGISTRY_POOLS of them: what makes members
 *                of that pool be ejected; NULL where ejection is off: then no
 *                member comes back ejected
 * @param report  out
 */
void lbs_restore_registry(lbs_restore_t *restore, lbs_registry_t *reg,
                          const lbs_eject_conf_t *const *eject,
                          lbs_restore_report_t *report);

/**
 * Restore the list of forgotten sessions into a block that is all zero. After
 * lbs_restore_registry(), which knows the members.
 */
void lbs_restore_forgotten(const lbs_restore_t *restore,
                           lbs_forgotten_t *forgotten);

/**
 * Put the sessions of one saved table into one that was just formatted, for
 * as many sessions, and that nobody else uses. After lbs_restore_registry().
 *
 * @param index   0 to tables - 1
 * @param report  added to
 * @return APR_SUCCESS; APR_EINVAL: no such table, or the table is of another
 *         size
 */
apr_status_t lbs_restore_table(lbs_restore_t *restore, int index,
                               lbs_table_t *table, lbs_image_report_t *report);

#endif
