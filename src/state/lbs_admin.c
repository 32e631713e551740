/* SPDX-License-Identifier: Apache-2.0 */
/* The value in force stands in the member's gauge. The member's seat keeps
 * which fields are overrides, and the value that the file had for each field
 * last time. */
#include "src/state/lbs_admin.h"

#include <apr_strings.h>

#include "src/base/lbs_assert.h"
#include "src/base/lbs_text.h"
#include "src/state/lbs_block_int.h"

_Static_assert(LBS_ADMIN_FIELDS == LBS_SEAT_FIELDS, "a seat has all fields");

#define SHUT (LBS_F_STOPPED | LBS_F_DISABLED | LBS_F_DRAIN)
#define ROLE (LBS_F_STANDBY | LBS_F_SPARE)

static const char *const field_names[LBS_ADMIN_FIELDS] = {
    [LBS_ADMIN_STATE] = "state",
    [LBS_ADMIN_WEIGHT] = "weight",
};

/* One member, as the functions below see it. */
typedef struct subject_t {
    lbs_registry_t *reg;
    apr_uint32_t slot;
    lbs_member_seat_t *seat;
    lbs_gauge_t *gauge;
    const lbs_clock_t *now;
} subject_t;

static subject_t subject_of(lbs_registry_t *reg, apr_uint32_t slot,
                            const lbs_clock_t *now)
{
    subject_t s = {reg, slot, &reg->seats[slot], &reg->gauges[slot], now};

    return s;
}

static void tell(const subject_t *s, lbs_event_kind_t kind, const char *reason)
{
    lbs_registry_tell(s->reg, s->now, LBS_REGISTRY_NONE, s->slot, kind,
                      reason);
}

/* Values of fields ------------------------------------------------------- */

static apr_uint32_t value_of(const subject_t *s, lbs_admin_field_t field)
{
    if (field == LBS_ADMIN_WEIGHT) {
        return lbs_atomic_load32_relaxed(&s->gauge->weight);
    }
    return lbs_atomic_load32_relaxed(&s->gauge->flags) & LBS_ADMIN_FLAGS;
}

/* All flags of the state change in one step: no process sees a member halfway
 * between two states. The flag of a drain that is over goes with the drain,
 * and a new drain begins anew. */
static void set_flags(const subject_t *s, apr_uint32_t flags)
{
    lbs_atomic32_t *at = &s->gauge->flags;
    apr_uint32_t seen = lbs_atomic_load32_relaxed(at);

    while (!lbs_atomic_cas32(
        at, &seen, (seen & ~(LBS_ADMIN_FLAGS | LBS_F_DRAINED)) | flags)) {
    }
}

static void set_drain(const subject_t *s, apr_uint32_t flags,
                      apr_interval_time_t deadline, apr_interval_time_t idle)
{
    apr_uint64_t since = lbs_atomic_load64_relaxed(&s->seat->drain_since);
    apr_uint64_t until =
        deadline > 0 ? (apr_uint64_t)(s->now->mono + deadline) : 0;

    if ((flags & LBS_F_DRAIN) == 0) {
        since = until = 0;
        idle = 0;
    }
    else if (since == 0) {
        since = (apr_uint64_t)s->now->wall;
    }
    lbs_atomic_store64_relaxed(&s->seat->drain_since, since);
    lbs_atomic_store64_relaxed(&s->seat->drain_deadline, until);
    lbs_atomic_store64_relaxed(&s->seat->drain_idle, (apr_uint64_t)idle);
    lbs_atomic_store32_relaxed(&s->seat->drain_told, 0);
}

static void set_value(const subject_t *s, lbs_admin_field_t field,
                      apr_uint32_t value)
{
    if (field == LBS_ADMIN_WEIGHT) {
        lbs_atomic_store32_relaxed(&s->gauge->weight, value);
        return;
    }
    set_drain(s, value, 0, 0);
    set_flags(s, value);
}

static apr_uint32_t file_value(const subject_t *s, lbs_admin_field_t field)
{
    return lbs_atomic_load32_relaxed(&s->seat->file[field]);
}

static void mark(const subject_t *s, lbs_admin_field_t field,
                 apr_uint32_t value)
{
    apr_uint32_t bit = 1u << field;

    if (value == file_value(s, field)) {
        atomic_fetch_and_explicit(&s->seat->overrides, ~bit,
                                  memory_order_relaxed);
    }
    else {
        atomic_fetch_or_explicit(&s->seat->overrides, bit,
                                 memory_order_relaxed);
    }
}

/* Changes ---------------------------------------------------------------- */

/* Enabling undoes what closed the member; its role stays if the file gives it
 * that role. Where nothing is closed it is the role that is in the way. */
static apr_uint32_t enabled(const subject_t *s, apr_uint32_t flags)
{
    return (flags & SHUT) != 0 ? flags & file_value(s, LBS_ADMIN_STATE) & ROLE
                               : 0;
}

static apr_uint32_t flags_after(const subject_t *s,
                                const lbs_admin_change_t *change)
{
    apr_uint32_t flags = value_of(s, LBS_ADMIN_STATE);

    switch (change->action) {
    case LBS_ADMIN_ENABLE:
        return enabled(s, flags);
    case LBS_ADMIN_DRAIN:
        return (flags & ROLE) | LBS_F_DRAIN;
    case LBS_ADMIN_DISABLE:
        return (flags & ROLE) | LBS_F_DISABLED;
    case LBS_ADMIN_STANDBY:
        return LBS_F_STANDBY;
    default:
        return change->flags;
    }
}

static lbs_event_kind_t event_of(apr_uint32_t flags)
{
    if ((flags & (LBS_F_STOPPED | LBS_F_DISABLED)) != 0) {
        return LBS_EVENT_DISABLE;
    }
    if ((flags & LBS_F_DRAIN) != 0) {
        return LBS_EVENT_DRAIN;
    }
    return (flags & ROLE) != 0 ? LBS_EVENT_STANDBY : LBS_EVENT_ENABLE;
}

static void change_state(const subject_t *s, const lbs_admin_change_t *change)
{
    apr_uint32_t before = value_of(s, LBS_ADMIN_STATE);
    apr_uint32_t after = flags_after(s, change);
    /* A drain that is asked for again may have another deadline. */
    int again = change->action == LBS_ADMIN_DRAIN;

    if (before == after && !again) {
        return;
    }
    set_drain(s, after, change->deadline, change->idle);
    set_flags(s, after);
    mark(s, LBS_ADMIN_STATE, after);
    tell(s,
         change->action == LBS_ADMIN_ENABLE ? LBS_EVENT_ENABLE
                                            : event_of(after),
         change->reason);
}

static void change_weight(const subject_t *s, const lbs_admin_change_t *change)
{
    if (value_of(s, LBS_ADMIN_WEIGHT) == change->weight) {
        return;
    }
    set_value(s, LBS_ADMIN_WEIGHT, change->weight);
    mark(s, LBS_ADMIN_WEIGHT, change->weight);
    tell(s, LBS_EVENT_WEIGHT, change->reason);
}

static void reset(const subject_t *s, const lbs_admin_change_t *change)
{
    int field;

    for (field = 0; field < LBS_ADMIN_FIELDS; field++) {
        apr_uint32_t value = file_value(s, (lbs_admin_field_t)field);

        if (value_of(s, (lbs_admin_field_t)field) != value
            || field == LBS_ADMIN_STATE) {
            set_value(s, (lbs_admin_field_t)field, value);
        }
    }
    lbs_atomic_store32_relaxed(&s->seat->overrides, 0);
    tell(s, LBS_EVENT_RESET, change->reason);
}

static const char *refused(const lbs_registry_t *reg, apr_uint32_t slot,
                           const lbs_admin_change_t *change)
{
    lbs_registry_member_info_t info;

    if (lbs_registry_member_info(reg, slot, &info) != APR_SUCCESS) {
        return "there is no such member";
    }
    if (info.removed) {
        return "the member is no longer in the configuration";
    }
    if ((unsigned int)change->action > LBS_ADMIN_RESET) {
        return "there is no such action";
    }
    if (change->action == LBS_ADMIN_SET_WEIGHT
        && change->weight > LBS_ADMIN_WEIGHT_MAX) {
        return "a weight is a number from 0 to 100";
    }
    if (change->action == LBS_ADMIN_SET_FLAGS
        && (change->flags & ~LBS_ADMIN_FLAGS) != 0) {
        return "only an administrator's flags can be set";
    }
    if (change->deadline < 0 || change->deadline > LBS_TEXT_DURATION_MAX
        || change->idle < 0 || change->idle > LBS_TEXT_DURATION_MAX) {
        return "a duration is not negative and at most ten years";
    }
    if (change->action != LBS_ADMIN_DRAIN
        && (change->deadline != 0 || change->idle != 0)) {
        return "only a drain has a deadline or an idle time";
    }
    return NULL;
}

const char *lbs_admin_apply(lbs_registry_t *reg, apr_uint32_t slot,
                            const lbs_admin_change_t *change,
                            const lbs_clock_t *now)
{
    const char *why = refused(reg, slot, change);
    subject_t s;

    if (why != NULL) {
        return why;
    }
    s = subject_of(reg, slot, now);
    if (change->action == LBS_ADMIN_RESET) {
        reset(&s, change);
    }
    else if (change->action == LBS_ADMIN_SET_WEIGHT) {
        change_weight(&s, change);
    }
    else {
        change_state(&s, change);
    }
    return NULL;
}

/* The file --------------------------------------------------------------- */

static void reconcile(const subject_t *s, lbs_admin_field_t field,
                      apr_uint32_t value)
{
    apr_uint32_t bit = 1u << field;
    apr_uint32_t before = file_value(s, field);
    char reason[64];

    lbs_atomic_store32_relaxed(&s->seat->file[field], value);
    if ((lbs_atomic_load32_relaxed(&s->seat->overrides) & bit) == 0) {
        if (value_of(s, field) != value) {
            set_value(s, field, value);
        }
        return;
    }
    if (before == value) {
        return;
    }
    atomic_fetch_and_explicit(&s->seat->overrides, ~bit, memory_order_relaxed);
    set_value(s, field, value);
    apr_snprintf(reason, sizeof(reason), "the configuration's %s was changed",
                 field_names[field]);
    tell(s, LBS_EVENT_OVERRIDE_DROPPED, reason);
}

void lbs_admin_reconcile(lbs_registry_t *reg, apr_uint32_t slot,
                         const lbs_admin_values_t *file,
                         const lbs_clock_t *now)
{
    subject_t s;

    lbs_assert(slot < LBS_REGISTRY_MEMBERS);
    s = subject_of(reg, slot, now);
    reconcile(&s, LBS_ADMIN_STATE, file->flags & LBS_ADMIN_FLAGS);
    reconcile(&s, LBS_ADMIN_WEIGHT, file->weight);
}

/* Drains ----------------------------------------------------------------- */

/* @return 1 when the deadline of a drain is over, and its sessions move */
static int keep_deadline(const subject_t *s, apr_uint32_t flags)
{
    lbs_admin_drain_t drain;

    lbs_admin_drain(s->reg, s->slot, &drain);
    if ((flags & LBS_F_DRAIN) == 0 || drain.deadline == 0
        || drain.deadline > s->now->mono) {
        (void)lbs_gauge_clear(s->gauge, LBS_F_DRAINED);
        return 0;
    }
    (void)lbs_gauge_set(s->gauge, LBS_F_DRAINED);
    return 1;
}

/* A request that begins a session binds it before it ends: looking at the
 * requests in flight first never misses both. */
static int is_empty(const subject_t *s, int is_over)
{
    return lbs_gauge_inflight(s->gauge) == 0
           && (is_over || lbs_table_sessions(s->reg->slots, s->slot) == 0);
}

int lbs_admin_tick(lbs_registry_t *reg, apr_uint32_t slot,
                   const lbs_clock_t *now)
{
    subject_t s = subject_of(reg, slot, now);
    apr_uint32_t flags = lbs_atomic_load32_relaxed(&s.gauge->flags);
    apr_uint32_t untold = 0;
    int is_over;

    if ((flags & (LBS_F_DRAIN | LBS_F_DRAINED)) == 0) {
        return 0;
    }
    is_over = keep_deadline(&s, flags);
    if ((flags & LBS_F_DRAIN) == 0 || !is_empty(&s, is_over)
        || !lbs_atomic_cas32(&s.seat->drain_told, &untold, 1)) {
        return 0;
    }
    tell(&s, LBS_EVENT_DRAINED,
         is_over ? "the deadline is over, and no request is left"
                 : "no known session and no request is left");
    return 1;
}

/* Looking at it ---------------------------------------------------------- */

const char *lbs_admin_field_name(lbs_admin_field_t field)
{
    lbs_assert((unsigned int)field < LBS_ADMIN_FIELDS);
    return field_names[field];
}

apr_uint32_t lbs_admin_overrides(const lbs_registry_t *reg, apr_uint32_t slot)
{
    lbs_assert(slot < LBS_REGISTRY_MEMBERS);
    return lbs_atomic_load32_relaxed(&reg->seats[slot].overrides)
           & ((1u << LBS_ADMIN_FIELDS) - 1);
}

void lbs_admin_set_idle(const lbs_registry_t *reg, apr_uint32_t slot,
                        apr_interval_time_t idle)
{
    lbs_assert(slot < LBS_REGISTRY_MEMBERS);
    lbs_atomic_store64_relaxed(&reg->seats[slot].drain_idle,
                               (apr_uint64_t)idle);
}

void lbs_admin_drain(const lbs_registry_t *reg, apr_uint32_t slot,
                     lbs_admin_drain_t *drain)
{
    const lbs_member_seat_t *seat = &reg->seats[slot];

    lbs_assert(slot < LBS_REGISTRY_MEMBERS);
    drain->since = (apr_time_t)lbs_atomic_load64_relaxed(&seat->drain_since);
    drain->deadline =
        (apr_time_t)lbs_atomic_load64_relaxed(&seat->drain_deadline);
    drain->idle =
        (apr_interval_time_t)lbs_atomic_load64_relaxed(&seat->drain_idle);
}
