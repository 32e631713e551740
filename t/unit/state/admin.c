/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_admin.h"

#include "src/base/lbs_rand.h"
#include "src/base/lbs_text.h"
#include "t/unit/state/fixture.h"

#define STATE (1u << LBS_ADMIN_STATE)
#define WEIGHT (1u << LBS_ADMIN_WEIGHT)

static apr_uint32_t slots[256];

/* Two members, the configuration says: up and weight 1. */
static lbs_registry_t *two_members(void)
{
    lbs_registry_t *reg = new_registry();
    static const lbs_admin_values_t file = {0, 100};
    lbs_clock_t now = at(1);

    configure(reg, "12", 1, slots);
    lbs_admin_reconcile(reg, slots['1'], &file, &now);
    lbs_admin_reconcile(reg, slots['2'], &file, &now);
    return reg;
}

static void file_says(lbs_registry_t *reg, apr_uint32_t flags,
                      apr_uint32_t weight)
{
    lbs_admin_values_t file = {flags, weight};
    lbs_clock_t now = at(5000);

    lbs_admin_reconcile(reg, slots['1'], &file, &now);
}

static const char *apply(lbs_registry_t *reg, lbs_admin_change_t change)
{
    lbs_clock_t now = at(1000);

    return lbs_admin_apply(reg, slots['1'], &change, &now);
}

static const char *act(lbs_registry_t *reg, lbs_admin_action_t action)
{
    lbs_admin_change_t change = {.action = action, .reason = "test"};

    return apply(reg, change);
}

static const char *weigh(lbs_registry_t *reg, apr_uint32_t weight)
{
    lbs_admin_change_t change = {.action = LBS_ADMIN_SET_WEIGHT,
                                 .weight = weight};

    return apply(reg, change);
}

static apr_uint32_t flags(lbs_registry_t *reg)
{
    return lbs_gauge_flags(&lbs_registry_gauges(reg)[slots['1']]);
}

static apr_uint32_t weight(lbs_registry_t *reg)
{
    return lbs_registry_gauges(reg)[slots['1']].weight;
}

static apr_uint32_t overrides(lbs_registry_t *reg)
{
    return lbs_admin_overrides(reg, slots['1']);
}

static apr_uint64_t events(lbs_registry_t *reg)
{
    return lbs_events_count(lbs_registry_events(reg));
}

static const char *last_event(lbs_registry_t *reg)
{
    lbs_event_t event;

    return lbs_events_get(lbs_registry_events(reg), events(reg) - 1, &event)
                   == APR_SUCCESS
               ? lbs_event_name(event.kind)
               : "lost";
}

static void words(void)
{
    is_str(lbs_admin_field_name(LBS_ADMIN_STATE), "state", "a field");
    is_str(lbs_admin_field_name(LBS_ADMIN_WEIGHT), "weight", "the other one");
}

static void each_action(void)
{
    lbs_registry_t *reg = two_members();

    ok(act(reg, LBS_ADMIN_DISABLE) == NULL, "disable");
    is_int(flags(reg), LBS_F_DISABLED, "disabled");
    is_int(overrides(reg), STATE, "the state is an override");
    is_str(last_event(reg), "disable", "an event says so");
    (void)act(reg, LBS_ADMIN_DRAIN);
    is_int(flags(reg), LBS_F_DRAIN, "drain instead");
    is_str(last_event(reg), "drain", "an event says so");
    (void)act(reg, LBS_ADMIN_STANDBY);
    is_int(flags(reg), LBS_F_STANDBY, "standby instead");
    is_str(last_event(reg), "standby", "an event says so");
    (void)act(reg, LBS_ADMIN_ENABLE);
    is_int(flags(reg), 0, "enable");
    is_str(last_event(reg), "enable", "an event says so");
    is_int(overrides(reg), 0, "it is what the file says: no override");
    ok(weigh(reg, 250) == NULL && weight(reg) == 250, "weight 2.50");
    is_int(overrides(reg), WEIGHT, "the weight is an override");
    is_str(last_event(reg), "weight", "an event says so");
    (void)act(reg, LBS_ADMIN_DISABLE);
    (void)act(reg, LBS_ADMIN_RESET);
    ok(flags(reg) == 0 && weight(reg) == 100 && overrides(reg) == 0,
       "reset goes back to the file in both");
    is_str(last_event(reg), "reset", "an event says so");
    is_int(lbs_gauge_flags(&lbs_registry_gauges(reg)[slots['2']]), 0,
           "the other member is untouched");
}

static void enable_and_roles(void)
{
    lbs_registry_t *reg = two_members();

    (void)act(reg, LBS_ADMIN_STANDBY);
    (void)act(reg, LBS_ADMIN_DISABLE);
    (void)act(reg, LBS_ADMIN_ENABLE);
    is_int(flags(reg), 0, "an operator's standby is up after enable");

    file_says(reg, LBS_F_STANDBY, 100);
    is_int(flags(reg), LBS_F_STANDBY, "the file makes it a standby");
    (void)act(reg, LBS_ADMIN_DISABLE);
    (void)act(reg, LBS_ADMIN_ENABLE);
    is_int(flags(reg), LBS_F_STANDBY, "the file's role is given back");
    (void)act(reg, LBS_ADMIN_ENABLE);
    is_int(flags(reg), 0, "enabling an open standby makes it active");
    (void)act(reg, LBS_ADMIN_ENABLE);
    is_int(flags(reg), 0, "enabling an active one changes nothing");
    (void)act(reg, LBS_ADMIN_DRAIN);
    (void)act(reg, LBS_ADMIN_ENABLE);
    is_int(flags(reg), 0, "and it is active again after a drain");
}

static void health_is_not_administration(void)
{
    lbs_registry_t *reg = two_members();
    lbs_gauge_t *gauge = &lbs_registry_gauges(reg)[slots['1']];

    (void)lbs_gauge_set(gauge, LBS_F_DOWN | LBS_F_EJECTED);
    (void)act(reg, LBS_ADMIN_DRAIN);
    is_int(flags(reg), LBS_F_DOWN | LBS_F_EJECTED | LBS_F_DRAIN,
           "a drain leaves down and ejected alone");
    (void)act(reg, LBS_ADMIN_ENABLE);
    is_int(flags(reg), LBS_F_DOWN | LBS_F_EJECTED, "and so does enable");
}

static void refused_changes_change_nothing(void)
{
    lbs_registry_t *reg = two_members();
    static const lbs_admin_change_t bad[] = {
        {.action = LBS_ADMIN_SET_WEIGHT, .weight = 10001},
        {.action = LBS_ADMIN_SET_WEIGHT, .weight = APR_UINT32_MAX},
        {.action = LBS_ADMIN_SET_FLAGS, .flags = LBS_F_DOWN},
        {.action = LBS_ADMIN_SET_FLAGS, .flags = LBS_F_REMOVED},
        {.action = LBS_ADMIN_DRAIN, .deadline = -1},
        {.action = LBS_ADMIN_DRAIN, .idle = -1},
        {.action = LBS_ADMIN_DRAIN, .deadline = LBS_TEXT_DURATION_MAX + 1},
        {.action = LBS_ADMIN_DISABLE, .deadline = 1},
        {.action = LBS_ADMIN_ENABLE, .idle = 1},
        {.action = (lbs_admin_action_t)99},
    };
    lbs_admin_change_t good = {.action = LBS_ADMIN_DISABLE};
    lbs_clock_t now = at(1);
    size_t i;
    int done = 0;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        done += apply(reg, bad[i]) == NULL;
    }
    is_int(done, 0, "each bad change is refused with a reason");
    ok(flags(reg) == 0 && weight(reg) == 100 && overrides(reg) == 0
           && events(reg) == 0,
       "nothing has changed");
    ok(lbs_admin_apply(reg, 4711, &good, &now) != NULL, "nobody's slot");
    ok(lbs_admin_apply(reg, APR_UINT32_MAX, &good, &now) != NULL, "no slot");
    configure(reg, "2", 2, slots);
    ok(apply(reg, good) != NULL, "a removed member takes no orders");
}

/* The trap: counters and weights lost by a reload, or kept although the file
 * was edited. */
static void an_override_lives_until_the_file_changes(void)
{
    lbs_registry_t *reg = two_members();
    int i;

    (void)act(reg, LBS_ADMIN_DRAIN);
    (void)weigh(reg, 500);
    for (i = 0; i < 20; i++) {
        file_says(reg, 0, 100);
    }
    ok(flags(reg) == LBS_F_DRAIN && weight(reg) == 500,
       "twenty reloads of the same file: drained stays drained");
    file_says(reg, 0, 200);
    is_int(weight(reg), 200, "the file's weight changed: the file wins");
    is_int(flags(reg), LBS_F_DRAIN, "its state did not: the drain stays");
    is_int(overrides(reg), STATE, "one override is left");
    is_str(last_event(reg), "override-dropped", "an event says so");
    file_says(reg, LBS_F_DISABLED, 200);
    is_int(flags(reg), LBS_F_DISABLED, "now the state, too");
    is_int(overrides(reg), 0, "none is left");
    file_says(reg, 0, 300);
    ok(flags(reg) == 0 && weight(reg) == 300, "without one the file rules");
    is_str(last_event(reg), "override-dropped", "which needs no event");
}

static void what_balancer_manager_reports(void)
{
    lbs_registry_t *reg = two_members();
    lbs_admin_change_t change = {.action = LBS_ADMIN_SET_FLAGS,
                                 .flags = LBS_F_DRAIN};

    (void)apply(reg, change);
    is_int(flags(reg), LBS_F_DRAIN, "its drain is a drain");
    is_str(last_event(reg), "drain", "told as one");
    (void)apply(reg, change);
    (void)weigh(reg, 100);
    is_int(events(reg), 1, "the same value reported again tells nothing");
    change.flags = LBS_F_STOPPED | LBS_F_SPARE;
    (void)apply(reg, change);
    is_int(flags(reg), LBS_F_STOPPED | LBS_F_SPARE, "stopped and spare");
    is_str(last_event(reg), "disable", "told as the stronger one");
    change.flags = 0;
    (void)apply(reg, change);
    is_str(last_event(reg), "enable", "all flags gone");
    is_int(overrides(reg), 0, "as in the file: no override");
}

static void a_drain_has_a_deadline(void)
{
    lbs_registry_t *reg = two_members();
    lbs_gauge_t *gauge = &lbs_registry_gauges(reg)[slots['1']];
    lbs_admin_change_t change = {
        .action = LBS_ADMIN_DRAIN, .deadline = 5000000, .idle = 300000};
    lbs_admin_drain_t drain;

    lbs_admin_drain(reg, slots['1'], &drain);
    ok(drain.since == 0 && drain.deadline == 0, "nobody drains");
    (void)apply(reg, change);
    lbs_admin_drain(reg, slots['1'], &drain);
    is_int(drain.since, at(1000).wall, "since when, on the wall");
    is_int(drain.deadline, 5001000, "until when, monotonic");
    is_int(drain.idle, 300000, "and a session that moves before");
    (void)lbs_gauge_set(gauge, LBS_F_DRAINED);
    change.deadline = 9000000;
    (void)apply(reg, change);
    is_int(flags(reg), LBS_F_DRAIN, "a later deadline opens it again");
    lbs_admin_drain(reg, slots['1'], &drain);
    is_int(drain.deadline, 9001000, "until then");
    (void)lbs_gauge_set(gauge, LBS_F_DRAINED);
    (void)act(reg, LBS_ADMIN_ENABLE);
    is_int(flags(reg), 0, "enable ends a drain that is over");
    lbs_admin_drain(reg, slots['1'], &drain);
    ok(drain.since == 0 && drain.deadline == 0 && drain.idle == 0,
       "and its deadline");
    file_says(reg, LBS_F_DRAIN, 100);
    lbs_admin_drain(reg, slots['1'], &drain);
    ok(drain.since == at(5000).wall && drain.deadline == 0,
       "a drain of the file has a beginning and no end");
}

/* What there is of member 1: sessions in the table, requests in flight. */
static void has(lbs_registry_t *reg, apr_uint64_t sessions,
                apr_uint64_t inflight)
{
    lbs_atomic_store64_relaxed(&lbs_registry_slots(reg)->sessions[slots['1']],
                               sessions);
    lbs_atomic_store64_relaxed(&lbs_registry_gauges(reg)[slots['1']].inflight,
                               inflight);
}

static void the_deadline_passes(void)
{
    lbs_registry_t *reg = two_members();
    lbs_admin_change_t change = {.action = LBS_ADMIN_DRAIN, .deadline = 5000};
    lbs_clock_t now = at(5999);

    is_int(lbs_admin_tick(reg, slots['1'], &now), 0, "nobody drains");
    has(reg, 3, 0);
    (void)apply(reg, change);
    is_int(lbs_admin_tick(reg, slots['1'], &now), 0, "there is time left");
    is_int(flags(reg), LBS_F_DRAIN, "sessions stay");
    now = at(6000);
    is_int(lbs_admin_tick(reg, slots['1'], &now), 1, "the deadline is over");
    is_int(flags(reg), LBS_F_DRAIN | LBS_F_DRAINED, "they move");
    is_str(last_event(reg), "drained", "an event says so");
    is_int(lbs_admin_tick(reg, slots['1'], &now), 0, "once");
    (void)lbs_gauge_set(&lbs_registry_gauges(reg)[slots['2']], LBS_F_DRAINED);
    (void)lbs_admin_tick(reg, slots['2'], &now);
    is_int(lbs_gauge_flags(&lbs_registry_gauges(reg)[slots['2']]), 0,
           "a tick that raced an enable is undone by the next");
    (void)act(reg, LBS_ADMIN_DRAIN);
    (void)lbs_admin_tick(reg, slots['1'], &now);
    is_int(flags(reg), LBS_F_DRAIN, "a drain without a deadline never ends");
}

static void nobody_is_left(void)
{
    lbs_registry_t *reg = two_members();
    lbs_admin_change_t change = {.action = LBS_ADMIN_DRAIN, .deadline = 5000};
    lbs_clock_t now = at(2000);

    has(reg, 1, 1);
    (void)act(reg, LBS_ADMIN_DRAIN);
    is_int(lbs_admin_tick(reg, slots['1'], &now), 0,
           "one session, one request");
    has(reg, 0, 1);
    is_int(lbs_admin_tick(reg, slots['1'], &now), 0, "a request is left");
    has(reg, 1, 0);
    is_int(lbs_admin_tick(reg, slots['1'], &now), 0, "a session is left");
    is_str(last_event(reg), "drain", "nothing is told yet");
    has(reg, 0, 0);
    is_int(lbs_admin_tick(reg, slots['1'], &now), 1, "nobody");
    is_str(last_event(reg), "drained", "an event says so");
    is_int(flags(reg), LBS_F_DRAIN,
           "and a visitor who comes all the same is served");
    is_int(lbs_admin_tick(reg, slots['1'], &now), 0, "told once");
    has(reg, 1, 0);
    (void)lbs_admin_tick(reg, slots['1'], &now);
    has(reg, 0, 0);
    is_int(lbs_admin_tick(reg, slots['1'], &now), 0,
           "not for each visitor who came");
    (void)act(reg, LBS_ADMIN_DRAIN);
    is_int(lbs_admin_tick(reg, slots['1'], &now), 1, "but for each drain");
    (void)act(reg, LBS_ADMIN_ENABLE);
    is_int(lbs_admin_tick(reg, slots['1'], &now), 0,
           "enabled: nothing to tell");

    has(reg, 2, 1);
    (void)apply(reg, change);
    now = at(6000);
    is_int(lbs_admin_tick(reg, slots['1'], &now), 0,
           "the deadline is over, but a request is left");
    is_int(flags(reg), LBS_F_DRAIN | LBS_F_DRAINED, "sessions move already");
    has(reg, 2, 0);
    is_int(lbs_admin_tick(reg, slots['1'], &now), 1,
           "it ends: sessions that do not show themselves do not count");
    is_int(lbs_admin_tick(reg, slots['1'], &now), 0, "told once");
}

/* Random changes and edits against what a person would work out. */
typedef struct twin_t {
    apr_uint32_t value[2], file[2];
    int overridden[2];
} twin_t;

static void twin_sets(twin_t *twin, int field, apr_uint32_t value)
{
    if (twin->value[field] != value) {
        twin->value[field] = value;
        twin->overridden[field] = value != twin->file[field];
    }
}

static void twin_edits(twin_t *twin, int field, apr_uint32_t value)
{
    if (!twin->overridden[field] || twin->file[field] != value) {
        twin->value[field] = value;
        twin->overridden[field] = 0;
    }
    twin->file[field] = value;
}

static void against_a_twin(void)
{
    static const apr_uint32_t states[] = {0, LBS_F_DRAIN, LBS_F_DISABLED,
                                          LBS_F_STANDBY};
    lbs_registry_t *reg = two_members();
    twin_t twin = {{0, 100}, {0, 100}, {0, 0}};
    lbs_rand_t rand = {7};
    int i, bad = 0;

    for (i = 0; i < 20000; i++) {
        apr_uint32_t state = states[lbs_rand_below(&rand, 4)];
        apr_uint32_t heavy = 100 * (1 + lbs_rand_below(&rand, 3));
        lbs_admin_change_t change = {.action = LBS_ADMIN_SET_FLAGS,
                                     .flags = state};

        switch (lbs_rand_below(&rand, 4)) {
        case 0:
            (void)apply(reg, change);
            twin_sets(&twin, 0, state);
            break;
        case 1:
            (void)weigh(reg, heavy);
            twin_sets(&twin, 1, heavy);
            break;
        case 2:
            file_says(reg, state, heavy);
            twin_edits(&twin, 0, state);
            twin_edits(&twin, 1, heavy);
            break;
        default:
            if (lbs_rand_below(&rand, 10) == 0) {
                (void)act(reg, LBS_ADMIN_RESET);
                memcpy(twin.value, twin.file, sizeof(twin.value));
                memset(twin.overridden, 0, sizeof(twin.overridden));
            }
        }
        bad += flags(reg) != twin.value[0] || weight(reg) != twin.value[1]
               || overrides(reg)
                      != ((twin.overridden[0] ? STATE : 0)
                          | (twin.overridden[1] ? WEIGHT : 0));
    }
    is_int(bad, 0, "20000 random changes and edits end as they should");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    words();
    each_action();
    enable_and_roles();
    health_is_not_administration();
    refused_changes_change_nothing();
    an_override_lives_until_the_file_changes();
    what_balancer_manager_reports();
    a_drain_has_a_deadline();
    the_deadline_passes();
    nobody_is_left();
    against_a_twin();
    apr_terminate();
    return done_testing();
}
