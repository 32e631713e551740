/* SPDX-License-Identifier: Apache-2.0 */
#include "src/pick/lbs_active.h"

/* What makes a member ordinary, a spare, or a standby. */
#define KIND (LBS_ACTIVE_SPARE | LBS_ACTIVE_STANDBY)
/* A half-open member takes one request: not enough to send a spare home. */
#define SOUND(state)                                                          \
    (((state) & (LBS_ACTIVE_USABLE | LBS_ACTIVE_TRIAL)) == LBS_ACTIVE_USABLE)

static unsigned kind_of(unsigned char state)
{
    return (state & LBS_ACTIVE_SPARE) != 0 ? LBS_ACTIVE_SPARE : state & KIND;
}

/* Add up to quota usable members of one kind. @return the new count */
static apr_uint32_t add_usable(apr_uint16_t *chosen, apr_uint32_t count,
                               const apr_uint16_t *from, apr_uint32_t n,
                               const unsigned char *state, unsigned kind,
                               apr_uint32_t quota)
{
    apr_uint32_t i;

    for (i = 0; i < n && quota > 0; i++) {
        unsigned char is = state[from[i]];

        if (kind_of(is) == kind && (is & LBS_ACTIVE_USABLE) != 0) {
            chosen[count++] = from[i];
            quota--;
        }
    }
    return count;
}

apr_uint32_t lbs_active_choose(apr_uint16_t *chosen,
                               const lbs_active_order_t *order,
                               const unsigned char *state)
{
    apr_uint32_t from;
    apr_uint32_t to;

    for (from = 0; from < order->n; from = to) {
        const apr_uint16_t *run = order->member + from;
        apr_uint32_t unusable = 0;
        apr_uint32_t count;
        apr_uint32_t i;

        to = lbs_active_run(order, from);
        for (i = 0; i < to - from; i++) {
            unusable += kind_of(state[run[i]]) == 0 && !SOUND(state[run[i]]);
        }
        count = add_usable(chosen, 0, run, to - from, state, 0, to - from);
        count = add_usable(chosen, count, run, to - from, state,
                           LBS_ACTIVE_SPARE, unusable);
        if (count == 0) {
            count = add_usable(chosen, 0, run, to - from, state,
                               LBS_ACTIVE_STANDBY, to - from);
        }
        if (count > 0) {
            return count;
        }
    }
    return 0;
}

void lbs_active_homes(unsigned char *home, const lbs_active_order_t *order,
                      const unsigned char *state)
{
    apr_uint32_t found = 0;
    apr_uint32_t from;
    apr_uint32_t to;
    apr_uint32_t i;

    for (i = 0; i < order->n; i++) {
        home[order->member[i]] = 0;
    }
    for (from = 0; from < order->n && found == 0; from = to) {
        to = lbs_active_run(order, from);
        for (i = from; i < to; i++) {
            apr_uint32_t member = order->member[i];

            if ((state[member] & (KIND | LBS_ACTIVE_GONE)) == 0) {
                home[member] = 1;
                found++;
            }
        }
    }
    for (i = 0; i < order->n && found == 0; i++) {
        home[order->member[i]] = 1;
    }
}
