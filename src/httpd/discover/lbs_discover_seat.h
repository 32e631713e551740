/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_seat.h - one found member: it comes, leaves, is removed. */
#ifndef LBS_DISCOVER_SEAT_H
#define LBS_DISCOVER_SEAT_H

#include "src/httpd/discover/lbs_discover_from.h"

/* What became of a member that a source names. */
typedef enum lbs_discover_came_t {
    LBS_DISCOVER_THERE, /* it has a seat, from before or now */
    LBS_DISCOVER_CONFIGURED,
    LBS_DISCOVER_NO_ROOM,
    LBS_DISCOVER_UNKNOWN, /* its address is not known yet */
    LBS_DISCOVER_BARRED,  /* an operator has removed it */
    LBS_DISCOVER_REFUSED  /* its address */
} lbs_discover_came_t;

/** @return why a member must not be asked for its address; NULL: it may */
const char *lbs_discover_seat_refusal(const lbs_pool_t *pool,
                                      const lbs_list_member_t *m,
                                      apr_pool_t *memory);

/**
 * A source names a member.
 *
 * @param tells  1: it is news, write events; 0: at a start
 */
lbs_discover_came_t lbs_discover_seat_come(const lbs_discover_from_t *from,
                                           const lbs_list_member_t *m,
                                           apr_pool_t *memory, int tells);

/** Its values are those of the list. */
void lbs_discover_seat_value(const lbs_pool_t *pool,
                             const lbs_list_member_t *m);

/** The identity by which the registry knows a member.
 * @return 0: its pool is not known there */
apr_uint64_t lbs_discover_seat_id(const lbs_pool_t *pool,
                                  const lbs_list_member_t *m);

/** @return the seat of a member; LBS_ROSTER_NONE: it has none */
int lbs_discover_seat_of(const lbs_pool_t *pool, const lbs_list_member_t *m);

typedef struct lbs_discover_leave_t {
    apr_time_t end;           /* monotonic: of its sessions */
    apr_interval_time_t idle; /* sessions idle for longer move; 0: none do */
    const char *reason;       /* for the event and the log */
    int is_told;              /* 1: it began before, no event */
} lbs_discover_leave_t;

/** No source names the member of a seat: it leaves, or leaves by another
 * time. */
void lbs_discover_seat_leave(const lbs_pool_t *pool, int seat,
                             const lbs_discover_leave_t *leave);

/** A good answer does not name the member of a seat. */
void lbs_discover_seat_miss(const lbs_discover_from_t *from, int seat,
                            apr_time_t now);

/** At every tick: remove a member that has left. */
void lbs_discover_seat_tick(const lbs_pool_t *pool, int seat, apr_time_t now);

/** Remove the member of a seat at once. */
void lbs_discover_seat_take_out(const lbs_pool_t *pool, int seat,
                                apr_time_t now);

/** The pool may have fewer places than before: those that came first stay.
 * In a configuration pass. */
void lbs_discover_seat_fit(const lbs_pool_t *pool);

/** Another process ticks: tell all of what the one before may not have told,
 * because it died between a seat and that. */
void lbs_discover_seat_tell_all(void);

/** Name the member of a seat in a configuration pass. */
void lbs_discover_seat_keep(const lbs_pool_t *pool, int seat);

#endif
