/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_roster.c - see lbs_roster.h. */
#include "src/roster/lbs_roster.h"

#include <string.h>

#define SLOT_MASK 0xffffu
#define LBSET_SHIFT 16
#define LBSET_MASK 0xffu
#define BY_SHIFT 24
#define BY_MASK 0x7fu
#define NET_SHIFT 31
#define TURN_SHIFT 32

static const char *const whys[LBS_ROSTER_SAIDS] = {
    [LBS_ROSTER_NOTHING] = "it was not read yet",
    [LBS_ROSTER_GOOD] = "",
    [LBS_ROSTER_UNREADABLE] = "it cannot be read",
    [LBS_ROSTER_EMPTY] = "it names no member",
    [LBS_ROSTER_WRONG] = "a line names no member",
    [LBS_ROSTER_TOO_LARGE] = "it is too large",
    [LBS_ROSTER_UNRENEWED] = "most members do not renew their leases",
    [LBS_ROSTER_TOO_FEW] = "it names fewer members than min=",
    [LBS_ROSTER_NO_NAME] = "the name does not exist (NXDOMAIN)",
    [LBS_ROSTER_NO_DATA] = "the name has no address",
    [LBS_ROSTER_FAILS] = "the name server fails (SERVFAIL)",
    [LBS_ROSTER_REFUSES] = "the name server refuses (REFUSED)",
    [LBS_ROSTER_LATE] = "the name server did not answer in time",
    [LBS_ROSTER_CUT] = "the answer is cut short",
    [LBS_ROSTER_GARBLED] = "the answer is garbled",
    [LBS_ROSTER_SILENT] = "no name server can be reached",
};

static const char *const kind_names[LBS_ROSTER_KINDS] = {
    "added", "left", "back", "removed", "refused"};

static const char *const by_names[LBS_ROSTER_BYS] = {"file", "dns", "srv",
                                                     "admin", "register"};

/* While it is read the seat may be given another address, which is in the
 * other place, and a third one, in this place: the word tells. */
static apr_uint64_t read_seat(const lbs_roster_seat_t *seat, lbs_net_t *net)
{
    apr_uint64_t word = lbs_atomic_load64_acquire(&seat->word), before, half;
    int i;

    do {
        before = word;
        for (i = 0; i < 2; i++) {
            half = lbs_atomic_load64_acquire(
                &seat->net[word >> NET_SHIFT & 1][i]);
            memcpy(net->byte + 8 * i, &half, 8);
        }
        word = lbs_atomic_load64_acquire(&seat->word);
    } while (word != before);
    return word;
}

int lbs_roster_at(const lbs_roster_t *roster, int seat,
                  lbs_roster_place_t *place)
{
    lbs_net_t net;
    apr_uint64_t word;

    if ((lbs_atomic_load64_acquire(&roster->seat[seat].word) & SLOT_MASK)
        == 0) {
        return 0;
    }
    word = read_seat(&roster->seat[seat], &net);
    if ((word & SLOT_MASK) == 0) {
        return 0;
    }
    *place = (lbs_roster_place_t){
        .slot = (apr_uint32_t)(word & SLOT_MASK) - 1,
        .lbset = (apr_uint32_t)(word >> LBSET_SHIFT) & LBSET_MASK,
        .by = (lbs_roster_by_t)(word >> BY_SHIFT & BY_MASK),
        .net = net,
        .turn = (apr_uint32_t)(word >> TURN_SHIFT),
    };
    return 1;
}

int lbs_roster_is_past(const lbs_roster_seat_t *seat, apr_uint32_t turn)
{
    apr_uint64_t word = lbs_atomic_load64_acquire(&seat->word);

    return (word & SLOT_MASK) == 0
           || (apr_uint32_t)(word >> TURN_SHIFT) != turn;
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

int lbs_roster_named(const lbs_roster_t *roster, int source)
{
    lbs_roster_place_t place;
    int i, count = 0;

    for (i = 0; i < LBS_ROSTER_SEATS; i++) {
        count += lbs_roster_at(roster, i, &place)
                 && lbs_roster_names(roster, i, source);
    }
    return count;
}

static apr_uint32_t next_turn(lbs_roster_t *roster)
{
    return lbs_atomic_add32_relaxed(&roster->turns, 1) + 1;
}

static void write_seat(lbs_roster_t *roster, int seat,
                       const lbs_roster_place_t *as)
{
    lbs_roster_seat_t *at = &roster->seat[seat];
    apr_uint64_t net = ~lbs_atomic_load64_relaxed(&at->word) >> NET_SHIFT & 1;
    apr_uint64_t half;
    int i;

    for (i = 0; i < 2; i++) {
        memcpy(&half, as->net.byte + 8 * i, 8);
        lbs_atomic_store64_release(&at->net[net][i], half);
    }

    lbs_atomic_store64_release(
        &at->word, (apr_uint64_t)as->turn << TURN_SHIFT | net << NET_SHIFT
                       | (apr_uint64_t)as->by << BY_SHIFT
                       | (apr_uint64_t)(as->lbset & LBSET_MASK) << LBSET_SHIFT
                       | (as->slot + 1));
}

static int find_free(const lbs_roster_t *roster, int seats, apr_time_t now)
{
    lbs_roster_place_t place;
    int i;

    for (i = 0; i < seats && i < LBS_ROSTER_SEATS; i++) {
        apr_time_t since =
            (apr_time_t)lbs_atomic_load64_relaxed(&roster->seat[i].vacant_at);

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

/* No source names it, and none has missed it. */
static void forget(lbs_roster_seat_t *seat)
{
    int i;

    lbs_atomic_store32_relaxed(&seat->named, 0);
    for (i = 0; i < LBS_ROSTER_SOURCES; i++) {
        lbs_atomic_store32_relaxed(&seat->missed[i], 0);
        lbs_atomic_store64_relaxed(&seat->missed_at[i], 0);
    }
}

int lbs_roster_take(lbs_roster_t *roster, int seats,
                    const lbs_roster_place_t *as, apr_time_t now)
{
    int free = find_free(roster, seats, now);
    lbs_roster_place_t place = *as;
    lbs_roster_seat_t *seat;

    if (free == LBS_ROSTER_NONE) {
        return LBS_ROSTER_NONE;
    }
    seat = &roster->seat[free];
    forget(seat);
    lbs_atomic_store64_relaxed(&seat->leaves_at, 0);
    lbs_atomic_store64_relaxed(&seat->left_at, 0);
    lbs_atomic_store64_relaxed(&seat->lease_us, 0);
    lbs_atomic_store64_relaxed(&seat->lease_end, 0);
    place.turn = next_turn(roster);
    write_seat(roster, free, &place);
    return free;
}

void lbs_roster_move(lbs_roster_t *roster, int seat,
                     const lbs_roster_place_t *as)
{
    lbs_roster_place_t place;

    if (lbs_roster_at(roster, seat, &place)) {
        apr_uint32_t slot = place.slot, turn = place.turn;

        if (memcmp(&place.net, &as->net, sizeof(place.net)) != 0) {
            turn = next_turn(roster);
        }
        place = *as;
        place.slot = slot;
        place.turn = turn;
        write_seat(roster, seat, &place);
    }
}

/* Naming ----------------------------------------------------------------- */

void lbs_roster_name(lbs_roster_t *roster, int seat, int source)
{
    lbs_roster_seat_t *at = &roster->seat[seat];

    lbs_atomic_store64_relaxed(&at->missed_at[source], 0);
    lbs_atomic_store32_relaxed(&at->missed[source], 0);
    lbs_atomic_store32_relaxed(
        &at->named, lbs_atomic_load32_relaxed(&at->named) | 1u << source);
}

int lbs_roster_names(const lbs_roster_t *roster, int seat, int source)
{
    return (lbs_atomic_load32_relaxed(&roster->seat[seat].named) >> source & 1)
           != 0;
}

int lbs_roster_unname(lbs_roster_t *roster, int seat, int source)
{
    lbs_roster_seat_t *at = &roster->seat[seat];
    apr_uint32_t named =
        lbs_atomic_load32_relaxed(&at->named) & ~(1u << source);

    lbs_atomic_store32_relaxed(&at->named, named);
    return named == 0;
}

int lbs_roster_miss(lbs_roster_t *roster, int seat, int source,
                    apr_uint32_t answers, apr_time_t hold, apr_time_t now)
{
    lbs_roster_seat_t *at = &roster->seat[seat];
    apr_uint32_t named = lbs_atomic_load32_relaxed(&at->named);
    apr_uint64_t since = lbs_atomic_load64_relaxed(&at->missed_at[source]);

    if (since == 0) {
        since = (apr_uint64_t)now;
        lbs_atomic_store64_relaxed(&at->missed_at[source], since);
    }
    if (lbs_atomic_add32_relaxed(&at->missed[source], 1) + 1 >= answers
        && now - (apr_time_t)since >= hold) {
        named &= ~(1u << source);
        lbs_atomic_store32_relaxed(&at->named, named);
    }
    return named == 0;
}

static int place_of(const apr_uint64_t *ids, int n, apr_uint64_t id)
{
    int i;

    for (i = 0; id != 0 && i < n; i++) {
        if (ids[i] == id) {
            return i;
        }
    }
    return LBS_ROSTER_NONE;
}

/* @param to  where each source is now */
static void reorder_seat(lbs_roster_seat_t *seat, const int *to)
{
    apr_uint32_t was = lbs_atomic_load32_relaxed(&seat->named);
    apr_uint32_t named = 0;
    int i;

    for (i = 0; i < LBS_ROSTER_SOURCES; i++) {
        if (to[i] != LBS_ROSTER_NONE && (was >> i & 1) != 0) {
            named |= 1u << to[i];
        }
    }
    forget(seat); /* it is missed anew, a hold from now at the earliest */
    lbs_atomic_store32_relaxed(&seat->named, named);
}

void lbs_roster_sources(lbs_roster_t *roster, const apr_uint64_t *ids, int n)
{
    lbs_roster_source_t was[LBS_ROSTER_SOURCES];
    int to[LBS_ROSTER_SOURCES];
    int i, same = 1;

    for (i = 0; i < LBS_ROSTER_SOURCES; i++) {
        apr_uint64_t id = lbs_atomic_load64_relaxed(&roster->source[i].id);

        to[i] = place_of(ids, n, id);
        same &= id == (i < n ? ids[i] : 0);
    }
    if (same) {
        return;
    }
    memcpy(was, roster->source, sizeof(was));
    memset(roster->source, 0, sizeof(was));
    for (i = 0; i < LBS_ROSTER_SOURCES; i++) {
        if (to[i] != LBS_ROSTER_NONE) {
            memcpy(&roster->source[to[i]], &was[i], sizeof(was[i]));
        }
    }
    for (i = 0; i < n; i++) {
        lbs_atomic_store64_relaxed(&roster->source[i].id, ids[i]);
    }
    for (i = 0; i < LBS_ROSTER_SEATS; i++) {
        reorder_seat(&roster->seat[i], to);
    }
}

/* Ends ------------------------------------------------------------------- */

int lbs_roster_surplus(const lbs_roster_t *roster, int seats)
{
    int i, count = 0, last = LBS_ROSTER_NONE;
    lbs_roster_place_t place;
    apr_uint32_t turn = 0;

    for (i = 0; i < LBS_ROSTER_SEATS; i++) {
        if (!lbs_roster_at(roster, i, &place)) {
            continue;
        }
        count++;
        if (last == LBS_ROSTER_NONE || place.turn > turn) {
            last = i;
            turn = place.turn;
        }
    }
    return count > seats ? last : LBS_ROSTER_NONE;
}

static void move_to(lbs_roster_t *roster, int from, int to)
{
    lbs_roster_seat_t *seat = &roster->seat[to];
    lbs_roster_place_t place;

    if (lbs_roster_at(roster, from, &place)) {
        memcpy(seat, &roster->seat[from], sizeof(*seat));
        place.turn = next_turn(roster); /* an index is of a turn */
        write_seat(roster, to, &place);
        lbs_atomic_store64_release(&roster->seat[from].word, 0);
    }
}

int lbs_roster_close_up(lbs_roster_t *roster, int seats)
{
    lbs_roster_place_t place;
    int from, to = 0, moved = 0;

    for (from = seats; from < LBS_ROSTER_SEATS; from++) {
        if (!lbs_roster_at(roster, from, &place)) {
            continue;
        }
        while (to < seats && lbs_roster_at(roster, to, &place)) {
            to++;
        }
        if (to < seats) {
            move_to(roster, from, to);
            moved = 1;
        }
    }
    return moved;
}

void lbs_roster_vacate(lbs_roster_t *roster, int seat, apr_time_t now)
{
    lbs_atomic_store64_relaxed(&roster->seat[seat].vacant_at,
                               (apr_uint64_t)now);
    lbs_atomic_store64_release(&roster->seat[seat].word, 0);
}

const char *lbs_roster_why(apr_uint32_t said)
{
    return said < LBS_ROSTER_SAIDS ? whys[said] : "";
}

const char *lbs_roster_by_name(lbs_roster_by_t by)
{
    return (unsigned)by < LBS_ROSTER_BYS ? by_names[by] : "";
}

const char *lbs_roster_kind_name(lbs_roster_kind_t kind)
{
    return (unsigned)kind < LBS_ROSTER_KINDS ? kind_names[kind] : "";
}
