/* SPDX-License-Identifier: Apache-2.0 */
#include "src/member/lbs_state.h"
#include "t/unit/tap.h"

static const struct {
    apr_uint32_t flags;
    const char *name;
} by_flag[] = {
    {LBS_F_STOPPED, "stopped"},
    {LBS_F_REMOVED, "stopped"},
    {LBS_F_DISABLED, "disabled"},
    {LBS_F_JOINING, "joining"},
    {LBS_F_WAITING, "joining"},
    {LBS_F_LEAVING, "leaving"},
    {LBS_F_DRAIN, "drain"},
    {LBS_F_DRAINED, "drain"},
    {LBS_F_DOWN, "down"},
    {LBS_F_EJECTED, "ejected"},
    {LBS_F_HALF_OPEN, "ejected"},
    {LBS_F_STANDBY, "standby"},
    {LBS_F_SPARE, "spare"},
    {LBS_F_PANIC, "up"},
    {0, "up"},
};

/* The list of the documentation, once more. */
static const char *const order[] = {"stopped", "disabled", "joining", "drain",
                                    "leaving", "down",     "ejected", "full",
                                    "warming", "standby",  "spare",   "up"};

static const char *name_of(apr_uint32_t flags, apr_uint32_t inflight,
                           apr_uint32_t ramp)
{
    return lbs_state_name(lbs_state_of(flags, inflight, 8, ramp));
}

static int rank(const char *name)
{
    int i = 0;

    while (strcmp(order[i], name) != 0) {
        i++;
    }
    return i;
}

static void one_reason_each(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(by_flag) / sizeof(by_flag[0]); i++) {
        is_str(name_of(by_flag[i].flags, 0, 1000), by_flag[i].name,
               "flags 0x%x", by_flag[i].flags);
    }
    is_str(name_of(0, 8, 1000), "full", "at its limit");
    is_str(name_of(0, 7, 1000), "up", "one below");
    is_str(name_of(0, 0, 999), "warming", "not yet warm");
    is_str(lbs_state_name(lbs_state_of(0, 9, 0, 1000)), "up", "no limit");
    is_str(lbs_state_name(LBS_STATES), "", "no such state");
}

/* Any two reasons together: the one that stands first in the list. */
static void first_that_holds(void)
{
    const int n = sizeof(by_flag) / sizeof(by_flag[0]);
    int wrong = 0;
    int i, j;

    for (i = 0; i < n; i++) {
        for (j = 0; j < n; j++) {
            int a = rank(by_flag[i].name);
            int b = rank(by_flag[j].name);
            int full = rank("full");
            int least = a < b ? a : b;

            wrong +=
                rank(name_of(by_flag[i].flags | by_flag[j].flags, 0, 1000))
                != least;
            wrong += rank(name_of(by_flag[i].flags | by_flag[j].flags, 8, 5))
                     != (least < full ? least : full);
        }
    }
    is_int(wrong, 0, "of any two reasons the first in the list is the state");
}

static const char *name_now(const lbs_gauge_t *g)
{
    return name_of(lbs_gauge_flags(g), lbs_gauge_inflight(g), 1000);
}

static void panic_hides_down(void)
{
    lbs_gauge_t g;

    lbs_gauge_init(&g);
    is_str(name_now(&g), "up", "a new gauge is up");
    ok(lbs_gauge_set(&g, LBS_F_DOWN), "down");
    ok(!lbs_gauge_set(&g, LBS_F_DOWN), "told once");
    is_str(name_now(&g), "down", "is down");
    lbs_gauge_set(&g, LBS_F_PANIC);
    is_str(name_now(&g), "up", "but not under panic");
    lbs_gauge_set(&g, LBS_F_DISABLED);
    is_str(name_now(&g), "disabled",
           "which no administrator's word gives way to");
    lbs_gauge_clear(&g, LBS_F_PANIC);
    ok(lbs_gauge_clear(&g, LBS_F_DOWN), "up");
    ok(!lbs_gauge_clear(&g, LBS_F_DOWN), "told once");
}

static void closed_and_open(void)
{
    lbs_gauge_t g;

    lbs_gauge_init(&g);
    ok(lbs_gauge_open_new(&g) && lbs_gauge_open_kept(&g), "up: open");
    lbs_gauge_set(&g, LBS_F_DRAIN);
    ok(!lbs_gauge_open_new(&g) && lbs_gauge_open_kept(&g),
       "drain: open to sessions only");
    lbs_gauge_set(&g, LBS_F_DRAINED);
    ok(!lbs_gauge_open_kept(&g), "drained: closed");
    lbs_gauge_init(&g);
    g.weight = 0;
    ok(!lbs_gauge_open_new(&g) && lbs_gauge_open_kept(&g),
       "weight 0: open to sessions only");
    lbs_gauge_init(&g);
    lbs_gauge_set(&g, LBS_F_HALF_OPEN);
    ok(lbs_gauge_open_new(&g), "half-open: open to one");
    g.trial = 5;
    ok(!lbs_gauge_open_new(&g) && !lbs_gauge_open_kept(&g),
       "half-open and tried: closed");
    lbs_gauge_init(&g);
    g.limit = 2;
    g.inflight = 2;
    ok(!lbs_gauge_open_new(&g), "full: closed to new ones");
}

static void returns(void)
{
    ok(lbs_state_returns(LBS_F_DOWN, 0), "recovered: warms up");
    ok(lbs_state_returns(LBS_F_HALF_OPEN, 0), "readmitted: warms up");
    ok(lbs_state_returns(LBS_F_DISABLED | LBS_F_STANDBY, LBS_F_STANDBY),
       "enabled: warms up");
    ok(!lbs_state_returns(LBS_F_DISABLED | LBS_F_DOWN, LBS_F_DOWN),
       "enabled, but down: not yet");
    ok(!lbs_state_returns(LBS_F_EJECTED, LBS_F_HALF_OPEN),
       "half-open: not yet");
    ok(!lbs_state_returns(0, LBS_F_SPARE), "was open before: nothing");
}

static void gravity(void)
{
    int seen[LBS_STATES] = {0};
    int state, all = 0, fails = 0;

    for (state = 0; state < LBS_STATES; state++) {
        int place = lbs_state_gravity((lbs_state_t)state);

        ok(place >= 0 && place < LBS_STATES, "%s has a place",
           lbs_state_name((lbs_state_t)state));
        all += seen[place < LBS_STATES ? place : 0]++ == 0;
        fails += lbs_state_fails((lbs_state_t)state);
    }
    is_int(all, LBS_STATES, "of its own");
    is_int(fails, 2, "two states are a member's own fault");
    is_int(lbs_state_gravity(LBS_STATE_DOWN), 0, "down is gravest");
    is_int(lbs_state_gravity(LBS_STATE_EJECTED), 1, "then ejected");
    ok(lbs_state_gravity(LBS_STATE_FULL)
               < lbs_state_gravity(LBS_STATE_DISABLED)
           && lbs_state_gravity(LBS_STATE_DISABLED)
                  < lbs_state_gravity(LBS_STATE_UP),
       "what was not wanted comes before what an operator did, and that "
       "before "
       "what is well");
}

int main(void)
{
    one_reason_each();
    first_that_holds();
    panic_hides_down();
    closed_and_open();
    returns();
    gravity();
    return done_testing();
}
