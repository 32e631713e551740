/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_roster.c - see lbs_roster.h. */
#include "src/roster/lbs_roster.h"

#define SLOT_MASK 0xffffu
#define LBSET_SHIFT 16
#define LBSET_MASK 0xffu
#define TURN_SHIFT 32

static const char *const whys[LBS_ROSTER_SAIDS] = {
    [LBS_ROSTER_NOTHING] = "it was not read yet",
    [LBS_ROSTER_GOOD] = "",
    [LBS_ROSTER_UNREADABLE] = "it cannot be read",
    [LBS_ROSTER_EMPTY] = "it names no member",
    [LBS_ROSTER_WRONG] = "a line names no member",
    [LBS_ROSTER_TOO_LARGE] = "it is too large",
    [LBS_ROSTER_TOO_FEW] = "it names fewer members than min=",
};

static const char *const kind_names[LBS_ROSTER_KINDS] = {
    "added", "left", "back", "removed", "refused"};

int lbs_roster_at(const lbs_roster_t *roster, int seat,
                  lbs_roster_place_t *place)
{
    apr_uint64_t word = lbs_atomic_load64_acquire(&roster->seat[seat].word);

    if ((word & SLOT_MASK) == 0) {
        return 0;
    }
    *place = (lbs_roster_place_t){
        .slot = (apr_uint32_t)(word & SLOT_MASK) - 1,
        .lbset = (apr_uint32_t)(word >> LBSET_SHIFT) & LBSET_MASK,
        .turn = (apr_uint32_t)(word >> TURN_SHIFT),
    };
    return 1;
}

int lbs_roster_find(const lbs_roster_t *roster, apr_uint32_t slot)
{
    lbs_roster_place_t place;
    int i;

    for (i = 0; i < LBS_ROSTER_SEATS; i++) {
        if (lbs_roster_at(roster, i, &place) && place.slot == slot) {
            return i;
        }
    }
    return LBS_ROSTER_NONE;
}

int lbs_roster_count(const lbs_roster_t *roster)
{
    lbs_roster_place_t place;
    int i, count = 0;

    for (i = 0; i < LBS_ROSTER_SEATS; i++) {
        count += lbs_roster_at(roster, i, &place);
    }
    return count;
}

static void write_seat(lbs_roster_t *roster, int seat, apr_uint32_t slot,
                       apr_uint32_t lbset)
{
    apr_uint64_t turn = lbs_atomic_add32_relaxed(&roster->turns, 1) + 1;

    lbs_atomic_store64_release(
        &roster->seat[seat].word,
        turn << TURN_SHIFT | (apr_uint64_t)(lbset & LBSET_MASK) << LBSET_SHIFT
            | (slot + 1));
}

static int find_free(const lbs_roster_t *roster, int seats, apr_time_t now)
{
    lbs_roster_place_t place;
    int i;

    for (i = 0; i < seats && i < LBS_ROSTER_SEATS; i++) {
        apr_time_t since =
            (apr_time_t)lbs_atomic_load64_relaxed(&roster->seat[i].missed_at);

        if (!lbs_roster_at(roster, i, &place)
            && (since == 0 || now - since >= LBS_ROSTER_REST)) {
            return i;
        }
    }
    return LBS_ROSTER_NONE;
}

int lbs_roster_has_room(const lbs_roster_t *roster, int seats, apr_time_t now)
{
    return find_free(roster, seats, now) != LBS_ROSTER_NONE;
}

int lbs_roster_take(lbs_roster_t *roster, int seats, apr_uint32_t slot,
                    apr_uint32_t lbset, apr_time_t now)
{
    int free = find_free(roster, seats, now);
    lbs_roster_seat_t *seat;

    if (free == LBS_ROSTER_NONE) {
        return LBS_ROSTER_NONE;
    }
    seat = &roster->seat[free];
    lbs_atomic_store64_relaxed(&seat->missed_at, 0);
    lbs_atomic_store64_relaxed(&seat->missed, 0);
    lbs_atomic_store64_relaxed(&seat->leaves_at, 0);
    lbs_atomic_store64_relaxed(&seat->left_at, 0);
    write_seat(roster, free, slot, lbset);
    return free;
}

void lbs_roster_move(lbs_roster_t *roster, int seat, apr_uint32_t lbset)
{
    lbs_roster_place_t place;

    if (lbs_roster_at(roster, seat, &place)) {
        write_seat(roster, seat, place.slot, lbset);
    }
}

void lbs_roster_vacate(lbs_roster_t *roster, int seat, apr_time_t now)
{
    lbs_atomic_store64_relaxed(&roster->seat[seat].missed_at,
                               (apr_uint64_t)now);
    lbs_atomic_store64_release(&roster->seat[seat].word, 0);
}

const char *lbs_roster_why(apr_uint32_t said)
{
    return said < LBS_ROSTER_SAIDS ? whys[said] : "";
}

const char *lbs_roster_kind_name(lbs_roster_kind_t kind)
{
    return (unsigned)kind < LBS_ROSTER_KINDS ? kind_names[kind] : "";
}
