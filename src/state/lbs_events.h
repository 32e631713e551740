/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_events.h - the last 256 things that happened to members and pools.
 *
 * A ring in shared memory. Any number of processes add to it at once, none
 * waits, and there is no lock that a dying process could keep: adding takes a
 * number and fills the place of that number. Every record carries a check over
 * its number and contents, and a reader takes a record only if the check fits,
 * so it never sees a torn one. A writer killed in the middle costs its record;
 * a writer stopped for 256 others' records may cost one more.
 */
#ifndef LBS_EVENTS_H
#define LBS_EVENTS_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_time.h>

#define LBS_EVENTS_KEPT 256
#define LBS_EVENTS_NO_SLOT APR_UINT32_MAX

typedef enum lbs_event_kind_t {
    LBS_EVENT_NONE,
    LBS_EVENT_UP,
    LBS_EVENT_DOWN,
    LBS_EVENT_EJECTED,
    LBS_EVENT_HALF_OPEN,
    LBS_EVENT_DRAIN,
    LBS_EVENT_DRAINED,
    LBS_EVENT_DISABLE,
    LBS_EVENT_ENABLE,
    LBS_EVENT_STANDBY,
    LBS_EVENT_WEIGHT,
    LBS_EVENT_RESET,
    LBS_EVENT_OVERRIDE_DROPPED,
    LBS_EVENT_ADDED,
    LBS_EVENT_REMOVED,
    LBS_EVENT_PANIC,
    LBS_EVENT_PANIC_OVER,
    LBS_EVENT_STORE_DOWN,
    LBS_EVENT_STORE_UP,
    LBS_EVENT_STATE_FILE,
    LBS_EVENT_LEAVING,
    LBS_EVENT_BACK,
    LBS_EVENT_SOURCE_STALE,
    LBS_EVENT_SOURCE_OK,
    LBS_EVENT_REFUSED_ADDRESS,
    LBS_EVENT_KINDS
} lbs_event_kind_t;

/* Texts are NUL-terminated and cut where they do not fit: the event is for
 * people; slots and the id tell which events belong together. */
typedef struct lbs_event_t {
    apr_time_t at;          /* Unix time, microseconds */
    apr_uint64_t member_id; /* 0 when it is about no member */
    apr_uint32_t pool_slot; /* LBS_EVENTS_NO_SLOT: about no pool */
    apr_uint32_t member_slot;
    apr_uint32_t kind; /* lbs_event_kind_t */
    char pool[100];
    char member[288]; /* route, else URL */
    char reason[96];  /* may hold text that a member sent: escape it */
} lbs_event_t;

typedef struct lbs_events_t lbs_events_t; /* opaque, in shared memory */

/** @return the event's name as the page and JSON write it, "" for none */
const char *lbs_event_name(apr_uint32_t kind);

/** @return bytes of shared memory that one ring needs, a multiple of 64 */
apr_size_t lbs_events_bytes(void);

/**
 * Record an event.
 *
 * Locking: none; any process, any thread, at any time.
 *
 * @param ring   all zero bytes when new
 * @param event  the caller's, copied
 */
void lbs_events_add(lbs_events_t *ring, const lbs_event_t *event);

/**
 * Copy a text into a field of an event, cut and terminated.
 *
 * @param room  size of the field, more than 0
 * @param text  NULL counts as ""
 */
void lbs_events_text(char *field, apr_size_t room, const char *text);

/**
 * How many events there ever were: they are numbered 0 to this minus one, and
 * at most the last LBS_EVENTS_KEPT can still be read.
 */
apr_uint64_t lbs_events_count(const lbs_events_t *ring);

/**
 * Read one event.
 *
 * Locking: none. A record that is being written is not waited for.
 *
 * @param number  0 to lbs_events_count() - 1
 * @param event   out: a copy; written only on APR_SUCCESS
 * @return APR_SUCCESS; APR_NOTFOUND: not written yet, overwritten since, or
 *         its writer died: go on with the next one
 */
apr_status_t lbs_events_get(const lbs_events_t *ring, apr_uint64_t number,
                            lbs_event_t *event);

#endif
