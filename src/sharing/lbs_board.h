/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_board.h - the members that servers move sessions away from.
 *
 * Servers that share a store also share, for each pool, one value there: the
 * board. A server notes on it the members that it cannot use, and those that a
 * session left a moment ago. All others then know of which sessions their own
 * word may be old: those of these members. A store has no more than "write"
 * and "read", so a server writes its own notes together with those of others
 * that it has heard lately. Two that write at once lose notes of one of them;
 * notes are repeated every second and count for two.
 *
 * Clocks of servers differ. So a note carries no time but a stamp that is
 * another one with each writing, and counts from when a reader first saw it.
 *
 * Pure: encodes, decodes and compares, does no I/O.
 */
#ifndef LBS_BOARD_H
#define LBS_BOARD_H

#include <apr_time.h>

#include "src/sharing/lbs_store_record.h"

#define LBS_BOARD_NOTES 32u /* of all servers */
#define LBS_BOARD_OWN 16u   /* of one; with more it notes LBS_BOARD_ANY */
#define LBS_BOARD_ANY 0u    /* no identity of a member: every member */
#define LBS_BOARD_LEN (16u + 16u * LBS_BOARD_NOTES + 16u) /* bytes */
#define LBS_BOARD_EVERY APR_USEC_PER_SEC     /* notes are written again */
#define LBS_BOARD_LASTS apr_time_from_sec(2) /* a note that is not */

typedef struct lbs_board_note_t {
    apr_uint64_t member_id; /* as in lbs_store_record.h; LBS_BOARD_ANY */
    apr_uint64_t stamp;     /* of this writing: turn 32 | server 32 */
} lbs_board_note_t;

typedef struct lbs_board_t {
    apr_uint32_t count;
    lbs_board_note_t note[LBS_BOARD_NOTES];
} lbs_board_t;

#define LBS_BOARD_SERVERS 32u /* that are told apart */

/* A server's view of one board. One process's, zero at first. A server's turns
 * are remembered also when its notes are gone: a copy of them that a third
 * server writes later is not news. */
typedef struct lbs_board_view_t {
    lbs_board_t heard; /* notes of the latest turn of each other server */
    struct {
        apr_uint64_t stamp; /* the latest; 0: no server */
        apr_time_t at;      /* when it was news */
    } server[LBS_BOARD_SERVERS];
} lbs_board_view_t;

/** Write a board. @param value  out: LBS_BOARD_LEN bytes */
void lbs_board_encode(const lbs_store_record_secret_t *secret,
                      const char *name, const lbs_board_t *board,
                      unsigned char value[LBS_BOARD_LEN]);

/**
 * Read a board.
 *
 * @param value  what the store gave, any len bytes
 * @param board  out: written only on APR_SUCCESS
 * @return APR_SUCCESS; APR_EINVAL: no board of this version; APR_EGENERAL: not
 *         made with this secret, or for another name
 */
apr_status_t lbs_board_decode(const lbs_store_record_secret_t *secret,
                              const char *name, const void *value,
                              apr_size_t len, lbs_board_t *board);

/** Called with each member that another server noted anew. */
typedef void lbs_board_fn(void *baton, apr_uint64_t member_id);

/**
 * Take in what stands on the board.
 *
 * @param server  of the caller: its own notes are passed over
 * @param now     monotonic microseconds of the caller
 */
void lbs_board_hear(lbs_board_view_t *view, apr_uint32_t server,
                    const lbs_board_t *board, apr_time_t now, lbs_board_fn *fn,
                    void *baton);

/**
 * What to write: own notes, and what was heard lately of others.
 *
 * @param turn   higher than at the last writing, modulo 2^32
 * @param own    identities of members, at most LBS_BOARD_OWN are taken
 * @param board  out
 */
void lbs_board_compose(const lbs_board_view_t *view, apr_uint32_t server,
                       apr_uint32_t turn, const apr_uint64_t *own,
                       apr_uint32_t count, apr_time_t now, lbs_board_t *board);

/**
 * May another server have moved a session since it was used here? For sessions
 * of a member that others noted.
 *
 * @param used     when it was used last, no earlier than it was and no more
 *                 than a unit later
 * @param left_at  when this server last heard that sessions leave the member;
 *                 0: never
 * @return 1: ask the store; 0: the own word is the newest
 */
static inline int lbs_board_is_old(apr_time_t used, apr_time_t left_at,
                                   apr_interval_time_t unit)
{
    return left_at != 0 && used < left_at + 2 * unit;
}

#endif
