/* SPDX-License-Identifier: Apache-2.0 */
/* sim_events.h - what happens next in a simulation of members: a heap. */
#ifndef LBS_SIM_EVENTS_H
#define LBS_SIM_EVENTS_H

#include <stdlib.h>

#include <apr.h>

typedef enum event_kind_t { ARRIVE, DONE, SPEED, TICKED } event_kind_t;

typedef struct event_t {
    apr_int64_t at;
    apr_int64_t began; /* DONE: when the request arrived */
    event_kind_t kind;
    apr_uint32_t member;
} event_t;

typedef struct events_t {
    event_t *heap;
    size_t count;
    size_t room;
} events_t;

static inline void schedule(events_t *events, event_t event)
{
    size_t at = events->count++;

    if (events->count > events->room) {
        events->room = events->room * 2 + 1024;
        events->heap = realloc(events->heap, events->room * sizeof(event_t));
    }
    while (at > 0 && events->heap[(at - 1) / 2].at > event.at) {
        events->heap[at] = events->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    events->heap[at] = event;
}

static inline event_t next_event(events_t *events)
{
    event_t first = events->heap[0];
    event_t last = events->heap[--events->count];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < events->count
            && events->heap[child + 1].at < events->heap[child].at) {
            child++;
        }
        if (child >= events->count || events->heap[child].at >= last.at) {
            break;
        }
        events->heap[at] = events->heap[child];
        at = child;
    }
    events->heap[at] = last;
    return first;
}

#endif
