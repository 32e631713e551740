/* SPDX-License-Identifier: Apache-2.0 */
/* The ring's layout:
 *
 *     byte 0      next      number of the next event
 *     byte 64     record of number 0, 256, 512 ...
 *     byte 64+r   record of number 1, 257 ...
 *
 * A record is its check and the event as 64-bit words, each read and written
 * whole. No order between the words is needed: any mixture fails the check.
 */
#include "src/state/lbs_events.h"

#include <string.h>

#include "src/base/lbs_atomic.h"
#include "src/base/lbs_hash.h"

#define EVENT_WORDS (sizeof(lbs_event_t) / 8)
_Static_assert(sizeof(lbs_event_t) % 8 == 0, "an event is whole words");

typedef struct record_t {
    lbs_atomic64_t check;
    lbs_atomic64_t words[EVENT_WORDS];
} record_t;

struct lbs_events_t {
    lbs_atomic64_t next;
    char pad[56];
    record_t records[LBS_EVENTS_KEPT];
};

_Static_assert(sizeof(lbs_events_t) == 64 + LBS_EVENTS_KEPT * sizeof(record_t),
               "no padding");

/* Not a secret: the check finds mixtures, not forgers. */
static const lbs_hash_key_t check_key = {"lbs event check"};

static const char *const names[LBS_EVENT_KINDS] = {
    [LBS_EVENT_NONE] = "",
    [LBS_EVENT_UP] = "up",
    [LBS_EVENT_DOWN] = "down",
    [LBS_EVENT_EJECTED] = "ejected",
    [LBS_EVENT_HALF_OPEN] = "half-open",
    [LBS_EVENT_DRAIN] = "drain",
    [LBS_EVENT_DRAINED] = "drained",
    [LBS_EVENT_DISABLE] = "disable",
    [LBS_EVENT_ENABLE] = "enable",
    [LBS_EVENT_STANDBY] = "standby",
    [LBS_EVENT_WEIGHT] = "weight",
    [LBS_EVENT_RESET] = "reset",
    [LBS_EVENT_OVERRIDE_DROPPED] = "override-dropped",
    [LBS_EVENT_ADDED] = "added",
    [LBS_EVENT_REMOVED] = "removed",
    [LBS_EVENT_PANIC] = "panic",
    [LBS_EVENT_PANIC_OVER] = "panic-over",
    [LBS_EVENT_STORE_DOWN] = "store-down",
    [LBS_EVENT_STORE_UP] = "store-up",
    [LBS_EVENT_STATE_FILE] = "state-file",
    [LBS_EVENT_LEAVING] = "leaving",
    [LBS_EVENT_BACK] = "back",
    [LBS_EVENT_SOURCE_STALE] = "source-stale",
    [LBS_EVENT_SOURCE_OK] = "source-ok",
    [LBS_EVENT_REFUSED_ADDRESS] = "refused-address",
};

/* A record that was never written is all zero and must not look right. */
static apr_uint64_t check_of(const apr_uint64_t *words, apr_uint64_t number)
{
    return lbs_hash_two(&check_key, words, sizeof(lbs_event_t), &number,
                        sizeof(number))
           | 1;
}

static void end_text(char *field, apr_size_t room)
{
    field[room - 1] = '\0';
}

const char *lbs_event_name(apr_uint32_t kind)
{
    return kind < LBS_EVENT_KINDS ? names[kind] : "";
}

apr_size_t lbs_events_bytes(void)
{
    return (sizeof(lbs_events_t) + 63) / 64 * 64;
}

void lbs_events_text(char *field, apr_size_t room, const char *text)
{
    apr_size_t len = text != NULL ? strlen(text) : 0;

    if (len >= room) {
        len = room - 1;
    }
    if (len > 0) {
        memcpy(field, text, len);
    }
    memset(field + len, 0, room - len);
}

void lbs_events_add(lbs_events_t *ring, const lbs_event_t *event)
{
    apr_uint64_t number = lbs_atomic_add64_relaxed(&ring->next, 1);
    record_t *record = &ring->records[number % LBS_EVENTS_KEPT];
    apr_uint64_t words[EVENT_WORDS];
    apr_size_t i;

    memcpy(words, event, sizeof(words));
    for (i = 0; i < EVENT_WORDS; i++) {
        lbs_atomic_store64_relaxed(&record->words[i], words[i]);
    }
    lbs_atomic_store64_release(&record->check, check_of(words, number));
}

apr_uint64_t lbs_events_count(const lbs_events_t *ring)
{
    return lbs_atomic_load64_acquire(&ring->next);
}

apr_status_t lbs_events_get(const lbs_events_t *ring, apr_uint64_t number,
                            lbs_event_t *event)
{
    const record_t *record = &ring->records[number % LBS_EVENTS_KEPT];
    apr_uint64_t check = lbs_atomic_load64_acquire(&record->check);
    apr_uint64_t words[EVENT_WORDS];
    apr_size_t i;

    for (i = 0; i < EVENT_WORDS; i++) {
        words[i] = lbs_atomic_load64_relaxed(&record->words[i]);
    }
    if (check != check_of(words, number)) {
        return APR_NOTFOUND;
    }
    memcpy(event, words, sizeof(words));
    end_text(event->pool, sizeof(event->pool));
    end_text(event->member, sizeof(event->member));
    end_text(event->reason, sizeof(event->reason));
    return APR_SUCCESS;
}
