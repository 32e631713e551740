/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_preview_count.h - the known sessions, judged one by one. */
#ifndef LBS_PREVIEW_COUNT_H
#define LBS_PREVIEW_COUNT_H

#include <httpd.h>

#include "src/httpd/pool/lbs_pools.h"
#include "src/preview/lbs_outline.h"
#include "src/preview/lbs_outlook.h"
#include "src/state/lbs_restore.h"

/* An operator's changes of a member, before the new configuration was in
 * force. */
typedef struct lbs_preview_override_t {
    apr_uint32_t slot;
    apr_uint32_t fields; /* lbs_admin_overrides() */
    apr_uint32_t flags;
    apr_uint32_t weight; /* hundredths */
} lbs_preview_override_t;

/* A slot that sessions may name. */
typedef struct lbs_preview_seat_t {
    lbs_outlook_row_t *row; /* NULL: the words are not sessions */
    const lbs_pool_t *pool; /* that judges them; NULL: they begin anew */
    int member;             /* of it; LBS_NO_MEMBER */
} lbs_preview_seat_t;

typedef struct lbs_preview_t {
    apr_pool_t *pool;
    server_rec *server;
    lbs_outline_t *before; /* of the state file */
    lbs_outline_t *after;  /* of the new configuration */
    lbs_outlook_t *outlook;
    apr_array_header_t *overrides; /* lbs_preview_override_t */
    lbs_preview_seat_t *seats;     /* LBS_REGISTRY_MEMBERS of them */
    apr_uint64_t live;             /* sessions */
} lbs_preview_t;

/** Read the outline in the file. @return 0: it has none */
int lbs_preview_begin(lbs_preview_t *p, const lbs_restore_t *restore);

/** Remember operators' changes: after the file was read, before
 * lbs_operator_reconcile(). */
void lbs_preview_note_overrides(lbs_preview_t *p);

/** Fill in the outlook's pools and members, and count their sessions. After
 * the reload. Cost: one walk over the table. */
void lbs_preview_count(lbs_preview_t *p);

#endif
