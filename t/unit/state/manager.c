/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_manager.h"

#include "t/unit/state/fixture.h"

static apr_uint32_t slots[256];
static lbs_admin_values_t record; /* mod_proxy's */

/* One member; the file, the gauge and mod_proxy's record say up, weight 1. */
static lbs_registry_t *one_member(void)
{
    lbs_registry_t *reg = new_registry();
    static const lbs_admin_values_t file = {0, 100};
    lbs_clock_t now = at(1);

    configure(reg, "1", 1, slots);
    lbs_admin_reconcile(reg, slots['1'], &file, &now);
    record = file;
    lbs_manager_wrote(reg, slots['1'], &record);
    return reg;
}

static void tick(lbs_registry_t *reg)
{
    lbs_admin_values_t want;
    lbs_clock_t now = at(1000);

    if (lbs_manager_follow(reg, slots['1'], &record, &now, &want)) {
        record = want;
        lbs_manager_wrote(reg, slots['1'], &want);
    }
}

/* What the module itself does, in another process. */
static void admin(lbs_registry_t *reg, lbs_admin_action_t action,
                  apr_uint32_t weight)
{
    lbs_admin_change_t change = {.action = action, .weight = weight};
    lbs_clock_t now = at(500);

    (void)lbs_admin_apply(reg, slots['1'], &change, &now);
}

static int agree(lbs_registry_t *reg, apr_uint32_t flags, apr_uint32_t weight)
{
    const lbs_gauge_t *gauge = &lbs_registry_gauges(reg)[slots['1']];

    return record.flags == flags && record.weight == weight
           && lbs_gauge_flags(gauge) == flags && gauge->weight == weight;
}

static apr_uint64_t events(lbs_registry_t *reg)
{
    return lbs_events_count(lbs_registry_events(reg));
}

static void its_changes_are_taken_over(void)
{
    lbs_registry_t *reg = one_member();

    tick(reg);
    ok(agree(reg, 0, 100) && events(reg) == 0, "nobody changed anything");
    record.flags = LBS_F_DRAIN;
    record.weight = 250;
    tick(reg);
    tick(reg);
    ok(agree(reg, LBS_F_DRAIN, 250), "both fields are taken over");
    is_int(lbs_admin_overrides(reg, slots['1']), 3, "as overrides");
    is_int(events(reg), 2, "with an event each");
    tick(reg);
    tick(reg);
    is_int(events(reg), 2, "once");
    record.flags = 0;
    record.weight = 100;
    tick(reg);
    tick(reg);
    ok(agree(reg, 0, 100), "and so is the way back");
}

static void our_changes_are_written_there(void)
{
    lbs_registry_t *reg = one_member();

    admin(reg, LBS_ADMIN_DRAIN, 0);
    admin(reg, LBS_ADMIN_SET_WEIGHT, 300);
    tick(reg);
    ok(agree(reg, LBS_F_DRAIN, 300), "ours is shown at the next tick");
    admin(reg, LBS_ADMIN_ENABLE, 0);
    tick(reg);
    admin(reg, LBS_ADMIN_DISABLE, 0);
    tick(reg);
    ok(agree(reg, LBS_F_DISABLED, 300), "one after the other");
    is_int(events(reg), 4, "none is taken for one made there");
}

static void whoever_wrote_it(void)
{
    lbs_registry_t *reg = one_member();

    admin(reg, LBS_ADMIN_DRAIN, 0);
    record.flags = LBS_F_DRAIN;
    tick(reg);
    is_int(events(reg), 1, "ours, written by who made it, is no news");
    record.flags = 0;
    tick(reg);
    tick(reg);
    ok(agree(reg, 0, 100), "and may be taken back there");
}

/* The trap: a restart copies the configuration over the record while the old
 * process still looks at it, and the operator's drain is gone. */
static void a_moment_is_not_believed(void)
{
    lbs_registry_t *reg = one_member();

    admin(reg, LBS_ADMIN_DRAIN, 0);
    tick(reg);
    record.flags = 0;
    tick(reg);
    record.flags = LBS_F_DRAIN;
    tick(reg);
    record.flags = LBS_F_STOPPED;
    tick(reg);
    record.flags = LBS_F_DRAIN;
    tick(reg);
    record.flags = LBS_F_STOPPED;
    tick(reg);
    ok(lbs_gauge_flags(&lbs_registry_gauges(reg)[slots['1']]) == LBS_F_DRAIN,
       "drained stays drained");
    is_int(events(reg), 1, "and nothing is told");
}

static void both_at_once(void)
{
    lbs_registry_t *reg = one_member();

    admin(reg, LBS_ADMIN_SET_WEIGHT, 300);
    record.flags = LBS_F_DRAIN;
    tick(reg);
    tick(reg);
    tick(reg);
    ok(agree(reg, LBS_F_DRAIN, 300), "changes of two fields do not collide");
    record.weight = 20000;
    tick(reg);
    tick(reg);
    tick(reg);
    ok(agree(reg, LBS_F_DRAIN, 300),
       "the values of a refused change are written back");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    its_changes_are_taken_over();
    our_changes_are_written_there();
    whoever_wrote_it();
    a_moment_is_not_believed();
    both_at_once();
    apr_terminate();
    return done_testing();
}
