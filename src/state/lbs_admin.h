/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_admin.h - an operator's changes, beside the values of the file.
 *
 * Two fields of a member have a value in the configuration and may be changed
 * at run time: its state (stopped, disabled, drain, standby, spare) and its
 * weight. A changed field is an override. It survives reloads and restarts
 * until the configuration's own value for that field changes: then the file
 * wins, and an event says so. A field set back to what the file says is no
 * override any more. A drain's deadline and idle time belong to the state and
 * end with it.
 *
 * Changes come from the admin page and from mod_proxy's balancer-manager, in
 * any process at any time, without locks: of two at once the later wins.
 */
#ifndef LBS_ADMIN_H
#define LBS_ADMIN_H

#include <apr.h>
#include <apr_time.h>

#include "src/state/lbs_registry.h"

#define LBS_ADMIN_WEIGHT_MAX 10000u /* 100.00 */

/* The flags of a gauge that make up the state field. */
#define LBS_ADMIN_FLAGS                                                       \
    (LBS_F_STOPPED | LBS_F_DISABLED | LBS_F_DRAIN | LBS_F_STANDBY             \
     | LBS_F_SPARE)

typedef enum lbs_admin_field_t {
    LBS_ADMIN_STATE,
    LBS_ADMIN_WEIGHT,
    LBS_ADMIN_FIELDS
} lbs_admin_field_t;

typedef enum lbs_admin_action_t {
    LBS_ADMIN_ENABLE,  /* open again; a standby that is open becomes active */
    LBS_ADMIN_DRAIN,   /* no new sessions */
    LBS_ADMIN_DISABLE, /* closed to all visitors */
    LBS_ADMIN_STANDBY, /* only when no other is left */
    LBS_ADMIN_SET_WEIGHT,
    LBS_ADMIN_SET_FLAGS, /* the state is exactly this: from balancer-manager */
    LBS_ADMIN_RESET      /* back to what the file says */
} lbs_admin_action_t;

typedef struct lbs_admin_change_t {
    lbs_admin_action_t action;
    apr_uint32_t weight;          /* SET_WEIGHT: hundredths */
    apr_uint32_t flags;           /* SET_FLAGS: of LBS_ADMIN_FLAGS */
    apr_interval_time_t deadline; /* DRAIN: microseconds from now, 0: none */
    apr_interval_time_t idle;     /* DRAIN: microseconds, 0: none */
    const char *reason;           /* for the event; NULL: none */
} lbs_admin_change_t;

/* A member's values in the configuration. */
typedef struct lbs_admin_values_t {
    apr_uint32_t flags;  /* of LBS_ADMIN_FLAGS */
    apr_uint32_t weight; /* hundredths */
} lbs_admin_values_t;

typedef struct lbs_admin_drain_t {
    apr_time_t since;         /* Unix microseconds; 0: does not drain */
    apr_time_t deadline;      /* monotonic microseconds; 0: none */
    apr_interval_time_t idle; /* sessions idle longer move; 0: none do */
} lbs_admin_drain_t;

/** @return the field's name in JSON: "state", "weight" */
const char *lbs_admin_field_name(lbs_admin_field_t field);

/**
 * Make a change, and tell it in the events. A change to the value in force
 * does nothing and writes no event, so a value may be reported again.
 *
 * Not done here, because they need the pool's settings: after ENABLE the
 * caller begins the slow start, after RESET it lifts an ejection.
 *
 * @param slot    a member
 * @param change  the caller's
 * @return NULL when done; else a sentence why not, and nothing was changed
 */
const char *lbs_admin_apply(lbs_registry_t *reg, apr_uint32_t slot,
                            const lbs_admin_change_t *change,
                            const lbs_clock_t *now);

/**
 * Report the configuration's values of a member: once per member and
 * configuration pass, after lbs_registry_member() and after a state file was
 * read. Where there is no override the value takes effect; an override whose
 * field the configuration changed is dropped and told in the events.
 */
void lbs_admin_reconcile(lbs_registry_t *reg, apr_uint32_t slot,
                         const lbs_admin_values_t *file,
                         const lbs_clock_t *now);

/**
 * Close a draining member to its sessions when its deadline is over, and open
 * it again when the deadline was put off. Write the event "drained" once for
 * each drain: nothing is in flight, and the table knows no session or the
 * deadline is over. One process, at every tick; and the process that made a
 * change.
 *
 * @return 1 when the member is drained since this call; the event is written
 */
int lbs_admin_tick(lbs_registry_t *reg, apr_uint32_t slot,
                   const lbs_clock_t *now);

/** @return the fields an operator changed, one bit each: 1u << field */
apr_uint32_t lbs_admin_overrides(const lbs_registry_t *reg, apr_uint32_t slot);

/** Sessions that are idle for longer move from a member that leaves, as from
 * one that drains. @param idle  microseconds; 0: none do */
void lbs_admin_set_idle(const lbs_registry_t *reg, apr_uint32_t slot,
                        apr_interval_time_t idle);

/** How long the sessions of a draining member may stay. */
void lbs_admin_drain(const lbs_registry_t *reg, apr_uint32_t slot,
                     lbs_admin_drain_t *drain);

#endif
