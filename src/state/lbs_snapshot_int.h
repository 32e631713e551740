/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_snapshot_int.h - the bytes of a state file, drawn.
 *
 * All numbers are little endian.
 *
 *     head        LBS_SNAPSHOT_HEAD_LEN bytes
 *       0         magic        8
 *       8         version      4
 *       12        zero         4
 *       16        length       8   of the whole file
 *       24        saved wall   8   Unix microseconds
 *       32        saved mono   8   microseconds, the clock of the table
 *       40        fingerprint  8   of the secret, 0: the one in this file
 *       48        table key    16
 *       64        secret       32  of LBStickySecret random
 *     sections    in this order
 *       tag 4     length 8     contents
 *       "pool"    count 4, then so many pool records
 *       "memb"    count 4, then so many member records
 *       "forg"    only where an administrator had something forgotten:
 *                 count 4, then so many members: slot 4, until 4 Unix seconds
 *                 count 4, then so many sessions, 8 bytes each, oldest first
 *       "word"    one per table of the chain, the newest first:
 *                 sessions 4, words 8, then for every 64 words 8 bytes that
 *                 say which of them are not zero, and those, 8 bytes each
 *     check       8, over everything before it
 */
#ifndef LBS_SNAPSHOT_INT_H
#define LBS_SNAPSHOT_INT_H

#include "src/base/lbs_hash.h"

/* Not a secret: the check finds damage, mode 0600 keeps forgers out. */
static const lbs_hash_key_t lbs_snapshot_key = {"lbs state file."};

#define LBS_SNAPSHOT_MAGIC "LBSTATE\n"
#define LBS_SNAPSHOT_VERSION 1
#define LBS_SNAPSHOT_HEAD_LEN 96
#define LBS_SNAPSHOT_CHECK_LEN 8

#define LBS_SNAPSHOT_POOLS 0x6c6f6f70u     /* "pool" */
#define LBS_SNAPSHOT_MEMBERS 0x626d656du   /* "memb" */
#define LBS_SNAPSHOT_FORGOTTEN 0x67726f66u /* "forg" */
#define LBS_SNAPSHOT_WORDS 0x64726f77u     /* "word" */

#define LBS_SNAPSHOT_CHUNK 64 /* words under one map */

#endif
