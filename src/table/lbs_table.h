/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_table.h - which member owns which session.
 *
 * One session is one 64-bit word in a shared block, so every change is one
 * compare-and-swap: nothing here locks, waits, logs, allocates (but for
 * views) or reads a clock, and a process killed at any instant leaves nothing
 * to repair. A table is one process's private view of the block; threads may
 * share a view.
 *
 * Keys are 64-bit hashes under a key no client knows (lbs_hash.h). They are
 * not kept whole: an unknown key is taken for a known one 2 times in 10^9.
 *
 * Times are microseconds of one monotonic clock for all processes. "now" may
 * differ between callers as much as a race makes it; it should not be staler
 * than a millisecond, or an insert may lose to others and be repeated.
 *
 * A table holds as many sessions as it was made for, and no more. When it is
 * full a new session takes the place of an expired one, else of one never used
 * again, else of one used again only at once, else of the one idle for
 * longest. Only some of the sessions are looked at, so of each kind it is
 * about the oldest that goes.
 */
#ifndef LBS_TABLE_H
#define LBS_TABLE_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "src/base/lbs_atomic.h"

#define LBS_TABLE_SLOTS 8192 /* member slots are numbers below this */
#define LBS_TABLE_NONE LBS_TABLE_SLOTS /* no slot */
#define LBS_TABLE_ALIGN 64 /* bytes: a block starts on such a boundary */
#define LBS_TABLE_CHAIN 3  /* at most so many older tables */

/* What the table must know of each member slot; the caller's, shared by all
 * processes, zeroed at the start. Two arrays, because the first is read on
 * every hit and the second written on every insert. */
typedef struct lbs_table_slots_t {
    /* Microseconds per unit of the expiry clock of the slot's sessions: ask
     * lbs_table_quantum(). 0: slot unused, its words count as gone. Written
     * by the caller before the first session, later by
     * lbs_sweep_requantise() only, which uses the two top bits: others ask
     * lbs_table_unit(). */
    lbs_atomic64_t quantum_us[LBS_TABLE_SLOTS];
    /* Live and not yet swept sessions; kept by the table. Read it with
     * lbs_table_sessions(). */
    lbs_atomic64_t sessions[LBS_TABLE_SLOTS];
} lbs_table_slots_t;

typedef struct lbs_table_t lbs_table_t; /* opaque, private to a process */

typedef struct lbs_table_hit_t {
    apr_uint32_t slot;     /* member slot */
    int seen;              /* in use for some time, not only at once */
    apr_time_t expires_us; /* within one quantum after the exact time */
} lbs_table_hit_t;

typedef struct lbs_table_stats_t {
    apr_uint32_t sessions;       /* the most that it holds */
    apr_uint64_t bytes;          /* of all blocks of the chain */
    apr_uint64_t entries;        /* sum of the slots' sessions */
    apr_uint64_t evicted_unseen; /* live, but never used a second time */
    apr_uint64_t evicted_seen;   /* live and used */
    apr_uint64_t expired;        /* ended in time */
} lbs_table_stats_t;

/* --- block and view ----------------------------------------------------- */

/**
 * How much memory a table needs: 13.3 bytes per session.
 *
 * @param sessions  most sessions that it holds, at least 1
 * @return bytes; 0 if sessions is 0 or the sum does not fit apr_size_t
 */
apr_size_t lbs_table_bytes(apr_uint32_t sessions);

/** @return how many words a table for so many sessions has */
apr_uint64_t lbs_table_words(apr_uint32_t sessions);

/**
 * Make an empty table of a block. Nobody else may use the block yet.
 *
 * @param block     aligned to LBS_TABLE_ALIGN, the caller's
 * @param len       at least lbs_table_bytes(sessions)
 * @return APR_SUCCESS; APR_EINVAL: unaligned, too short, or no sessions; the
 *         block is untouched
 */
apr_status_t lbs_table_format(void *block, apr_size_t len,
                              apr_uint32_t sessions);

/**
 * Open a view of a formatted block.
 *
 * @param table  out, from pool; written only on APR_SUCCESS
 * @param block  must outlive the view, as must slots
 * @param slots  shared by all tables of a chain
 * @return APR_SUCCESS; APR_EINVAL: unaligned block; APR_EGENERAL: not a
 *         table of this version, damaged, or longer than len: format it
 */
apr_status_t lbs_table_open(lbs_table_t **table, void *block, apr_size_t len,
                            lbs_table_slots_t *slots, apr_pool_t *pool);

/** @return bytes for the marks of a table that can be allocated, a fifth of a
 * byte per session */
apr_size_t lbs_table_marks_bytes(apr_uint32_t sessions);

/**
 * From now on note which words change, for lbs_image.h. Every process that
 * works on the table must do so; those that do not are not noted.
 *
 * @param marks  lbs_table_marks_bytes(), zero at first, shared as the block;
 *               must outlive the view
 */
void lbs_table_mark_changes(lbs_table_t *table, void *marks);

/**
 * Let a miss in one table be looked up in an older one, which may have
 * another size. Until move_after a session found there stays there, so that
 * processes which know the older table only keep seeing it; later it moves
 * over when it is used. Costs nothing where there is no older table.
 *
 * @param older       same slots; may itself be chained
 * @param move_after  microseconds on the table's clock
 * @return APR_SUCCESS; APR_EINVAL: other slots, a table already in the
 *         chain, table already chained, or more than LBS_TABLE_CHAIN
 */
apr_status_t lbs_table_chain(lbs_table_t *table, lbs_table_t *older,
                             apr_time_t move_after);

/** Figures of the whole chain. Cost: one pass over the slots. */
void lbs_table_stats(const lbs_table_t *table, lbs_table_stats_t *stats);

/** Count the words of this table, without the chain. Cost: a full walk. */
apr_uint64_t lbs_table_count(const lbs_table_t *table);

/**
 * The unit for a slot's expiry clock: fine enough that a session ends less
 * than 1/256 of idle late, coarse enough that the longest life takes half of
 * what the clock can tell: an end that is past can be told for as long again.
 *
 * @param idle_us     idle time of the sessions
 * @param longest_us  longest life a bind may ask for; 0: idle_us
 * @return a power of two (the table rounds other values down to one)
 */
apr_uint64_t lbs_table_quantum(apr_interval_time_t idle_us,
                               apr_interval_time_t longest_us);

/** @return microseconds: the unit of a slot's expiry clock; 0: unused
 * @param slot  below LBS_TABLE_SLOTS */
apr_interval_time_t lbs_table_unit(const lbs_table_slots_t *slots,
                                   apr_uint32_t slot);

/**
 * Sessions bound to a slot. Exact but for processes that died in mid-change;
 * the sweep corrects what they left.
 *
 * @param slot  below LBS_TABLE_SLOTS
 */
apr_uint64_t lbs_table_sessions(const lbs_table_slots_t *slots,
                                apr_uint32_t slot);

/* --- sessions ----------------------------------------------------------- */

/**
 * Find the owner of a session. Changes nothing. Cost: two cache lines.
 *
 * @param hit  out: written on APR_SUCCESS and APR_TIMEUP
 * @return APR_SUCCESS; APR_NOTFOUND: never seen, forgotten, or its slot is
 *         unused now; APR_TIMEUP: seen, but its time is over
 */
apr_status_t lbs_table_find(const lbs_table_t *table, apr_uint64_t key,
                            apr_time_t now, lbs_table_hit_t *hit);

/**
 * Find the owner of a session and start its idle time anew. Writes shared
 * memory only if the expiry changes by a quantum, at the second use, and at
 * one that shows that the session is in use for some time. Cost: two cache
 * lines.
 *
 * @param idle_us  the session ends this long after now
 * @param hit      out: as it is now; written on APR_SUCCESS and APR_TIMEUP
 * @return APR_SUCCESS; APR_NOTFOUND: as for find; APR_TIMEUP: seen, expired,
 *         and now gone
 */
apr_status_t lbs_table_renew(lbs_table_t *table, apr_uint64_t key,
                             apr_time_t now, apr_interval_time_t idle_us,
                             lbs_table_hit_t *hit);

/**
 * Bind a session to a slot, whichever slot had it before. Of two processes
 * that bind one key at the same time the last wins, and there is one entry.
 * For a session that the slot has already this is a renewal and costs no more.
 *
 * @param slot     in use; others are refused
 * @param idle_us  as given to renew
 * @param old  out, NULL allowed: the owner before, slot LBS_TABLE_NONE if
 * none; written on APR_SUCCESS
 * @return APR_SUCCESS; APR_EINVAL: slot unused; APR_EAGAIN: others changed the
 * same words all the time, nothing is remembered, go on without
 */
apr_status_t lbs_table_bind(lbs_table_t *table, apr_uint64_t key,
                            apr_uint32_t slot, apr_time_t now,
                            apr_interval_time_t idle_us, lbs_table_hit_t *old);

/**
 * Bind a session to a slot unless it has an owner: the first wins.
 *
 * @param hit  out: the owner; written on APR_EEXIST only
 * @return APR_SUCCESS: bound; APR_EEXIST: not bound, hit has it; APR_EINVAL,
 *         APR_EAGAIN: as for bind
 */
apr_status_t lbs_table_claim(lbs_table_t *table, apr_uint64_t key,
                             apr_uint32_t slot, apr_time_t now,
                             apr_interval_time_t idle_us,
                             lbs_table_hit_t *hit);

/**
 * Forget a session, in the whole chain.
 *
 * @param hit  out, NULL allowed: the owner before; written on APR_SUCCESS
 * @return APR_SUCCESS; APR_NOTFOUND: it had no owner, or had expired
 */
apr_status_t lbs_table_forget(lbs_table_t *table, apr_uint64_t key,
                              apr_time_t now, lbs_table_hit_t *hit);

#endif
