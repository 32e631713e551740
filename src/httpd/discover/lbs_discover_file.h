/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_file.h - LBStickyDiscover file:PATH, read. */
#ifndef LBS_DISCOVER_FILE_H
#define LBS_DISCOVER_FILE_H

#include "src/httpd/pool/lbs_pools.h"
#include "src/roster/lbs_list.h"

/* What a file said. */
typedef struct lbs_discover_answer_t {
    lbs_roster_said_t said; /* LBS_ROSTER_GOOD: list */
    apr_array_header_t *list;
    lbs_list_wrong_t wrong; /* LBS_ROSTER_WRONG */
    apr_status_t rv;        /* LBS_ROSTER_UNREADABLE */
} lbs_discover_answer_t;

/** Tells one state of the file from the next. */
apr_uint64_t lbs_discover_file_mark(const char *path, apr_pool_t *memory);

/** Read it. Cost: its size; a pipe or a device is not opened. */
void lbs_discover_file_read(const lbs_pool_t *pool, apr_pool_t *memory,
                            lbs_discover_answer_t *answer);

#endif
