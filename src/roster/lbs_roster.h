/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_roster.h - who the found members of a pool are, and where they sit.
 *
 * One per pool, in shared memory that outlives reloads: children of an older
 * configuration learn of newcomers, too. A member that a source found has a
 * seat; its state is in the registry under its slot. A seat's word says whose
 * it is now, and changes with each member that gets it, so that another member
 * in the same slot is seen as another one:
 *
 *     turn 32 | net 1 | by 7 | lbset 8 | slot 16, plus 1; slot 0: vacant
 *
 * The address of a member that is known by a name stands beside it, in one of
 * two places, which `net` tells: a reader never sees half of an address.
 *
 * A pool may have several sources. A member that one of them named is there
 * until none of them names it.
 *
 * One process writes, the one that ticks; before it, and while no child runs
 * yet, the parent. All others read.
 */
#ifndef LBS_ROSTER_H
#define LBS_ROSTER_H

#include <apr.h>
#include <apr_time.h>

#include "src/base/lbs_atomic.h"
#include "src/base/lbs_net.h"
#include "src/roster/lbs_bars.h"

#define LBS_ROSTER_SEATS 256 /* found members of a pool */
#define LBS_ROSTER_SOURCES 4 /* of a pool */
#define LBS_ROSTER_NONE (-1)

/* A seat stands empty so long before another member gets it: a request that
 * still has its number in hand is over by then. */
#define LBS_ROSTER_REST apr_time_from_sec(10)

/* The sources there are. State files have these numbers. */
typedef enum lbs_roster_by_t {
    LBS_ROSTER_BY_FILE,
    LBS_ROSTER_BY_DNS,
    LBS_ROSTER_BY_SRV,
    LBS_ROSTER_BY_ADMIN,
    LBS_ROSTER_BY_REGISTER,
    LBS_ROSTER_BYS
} lbs_roster_by_t;

/* What became of a source's latest answer. */
typedef enum lbs_roster_said_t {
    LBS_ROSTER_NOTHING, /* it was not asked yet */
    LBS_ROSTER_GOOD,    /* its members are those of the pool */
    LBS_ROSTER_UNREADABLE,
    LBS_ROSTER_EMPTY,
    LBS_ROSTER_WRONG, /* a line names no member */
    LBS_ROSTER_TOO_LARGE,
    LBS_ROSTER_UNRENEWED, /* of most members the lease ends: nobody leaves */
    LBS_ROSTER_TOO_FEW,   /* fewer than min=: nobody leaves */
    LBS_ROSTER_NO_NAME,   /* DNS: NXDOMAIN */
    LBS_ROSTER_NO_DATA,   /* DNS: the name has no address */
    LBS_ROSTER_FAILS,     /* DNS: SERVFAIL and the like */
    LBS_ROSTER_REFUSES,   /* DNS: REFUSED */
    LBS_ROSTER_LATE,      /* DNS: no answer in time */
    LBS_ROSTER_CUT,       /* DNS: an answer that was cut short */
    LBS_ROSTER_GARBLED,   /* DNS: an answer that is none */
    LBS_ROSTER_SILENT,    /* DNS: no name server can be asked */
    LBS_ROSTER_SAIDS
} lbs_roster_said_t;

/* Changes, counted. */
typedef enum lbs_roster_kind_t {
    LBS_ROSTER_ADDED,
    LBS_ROSTER_LEFT,
    LBS_ROSTER_BACK,
    LBS_ROSTER_REMOVED,
    LBS_ROSTER_REFUSED,
    LBS_ROSTER_KINDS
} lbs_roster_kind_t;

typedef struct lbs_roster_seat_t {
    lbs_atomic64_t word;
    lbs_atomic64_t net[2][2]; /* all zero: the member's URL has its address */
    lbs_atomic32_t named;     /* a bit for each source of the pool that names
                             the member, or did not miss it long enough */
    lbs_atomic32_t missed[LBS_ROSTER_SOURCES]; /* good answers of each that did
                                                  not name it */
    lbs_atomic64_t missed_at[LBS_ROSTER_SOURCES]; /* monotonic: since when;
                                                     0: it is named */
    lbs_atomic64_t vacant_at; /* monotonic: since when the seat is vacant */
    lbs_atomic64_t leaves_at; /* monotonic: the end of its leaving; 0: it does
                                 not leave */
    lbs_atomic64_t joins_at;  /* monotonic: when it is open to newcomers, which
                                 LBS_F_WAITING keeps away until then */
    lbs_atomic64_t left_at;   /* Unix microseconds: when it began */
    lbs_atomic64_t lease_us;  /* that it has with each registration; 0: none */
    lbs_atomic64_t lease_end; /* monotonic */
} lbs_roster_seat_t;

typedef struct lbs_roster_source_t {
    lbs_atomic64_t id;      /* of its spelling; 0: there is none */
    lbs_atomic64_t good_at; /* monotonic: the last good answer; 0: none */
    lbs_atomic64_t next_at; /* monotonic: when it is asked at the latest */
    lbs_atomic64_t told_at; /* monotonic: when what it ignores was told */
    lbs_atomic32_t said;    /* lbs_roster_said_t */
    lbs_atomic32_t line;    /* of LBS_ROSTER_WRONG */
    lbs_atomic32_t ignored; /* members of the last good answer */
} lbs_roster_source_t;

/* All bytes zero: nobody is there. */
typedef struct lbs_roster_t {
    lbs_roster_seat_t seat[LBS_ROSTER_SEATS];
    lbs_roster_source_t source[LBS_ROSTER_SOURCES];
    lbs_atomic64_t kinds[LBS_ROSTER_KINDS];
    lbs_atomic32_t turns; /* seats given so far */
    lbs_bars_t bars;
} lbs_roster_t;

/* A seat that is taken. */
typedef struct lbs_roster_place_t {
    apr_uint32_t slot;
    apr_uint32_t lbset;
    lbs_roster_by_t by; /* the source that found it */
    lbs_net_t net;      /* all zero: in its URL */
    apr_uint32_t turn;  /* tells members of one seat apart */
} lbs_roster_place_t;

/** @return 1 when the seat is taken. @param place  out, then */
int lbs_roster_at(const lbs_roster_t *roster, int seat,
                  lbs_roster_place_t *place);

/** @return 1 when the seat does not have the member any more that it had in
 * that turn. A request that is counted in at an open member, and asks this
 * then, has its own: the slot is not given away while it is there. */
int lbs_roster_is_past(const lbs_roster_seat_t *seat, apr_uint32_t turn);

/** @return the seat of a slot; LBS_ROSTER_NONE: it has none */
int lbs_roster_find(const lbs_roster_t *roster, apr_uint32_t slot);

/** @return how many seats have members that a source of the pool names */
int lbs_roster_named(const lbs_roster_t *roster, int source);

/** @return 1 when lbs_roster_take() would find a seat */
int lbs_roster_has_room(const lbs_roster_t *roster, int seats, apr_time_t now);

/**
 * Give a seat to a member that has none. No source names it yet.
 *
 * @param seats  how many there may be
 * @param as     its slot, its lbset below 256, and who found it
 * @return the seat; LBS_ROSTER_NONE: none is free, or has rested long enough
 */
int lbs_roster_take(lbs_roster_t *roster, int seats,
                    const lbs_roster_place_t *as, apr_time_t now);

/** The member has another lbset, finder or address. With another address it
 * is past to requests that have it in hand. @param as  the turn and the slot
 * do not matter */
void lbs_roster_move(lbs_roster_t *roster, int seat,
                     const lbs_roster_place_t *as);

/** A source of the pool names the member. */
void lbs_roster_name(lbs_roster_t *roster, int seat, int source);

/** @return 1 when a source of the pool names the member */
int lbs_roster_names(const lbs_roster_t *roster, int seat, int source);

/** A source of the pool names the member no more, at once.
 * @return 1: no source of the pool names it */
int lbs_roster_unname(lbs_roster_t *roster, int seat, int source);

/**
 * A good answer of a source of the pool does not name the member. It counts no
 * more for the source when `answers` of them missed it, for `hold` at least.
 *
 * @return 1: no source of the pool names the member
 */
int lbs_roster_miss(lbs_roster_t *roster, int seat, int source,
                    apr_uint32_t answers, apr_time_t hold, apr_time_t now);

/**
 * The configuration has these sources now, perhaps in another order. What is
 * known of a source that it had before stays; members that only others named
 * are named by none.
 *
 * @param ids  n of them, see lbs_roster_source_t
 */
void lbs_roster_sources(lbs_roster_t *roster, const apr_uint64_t *ids, int n);

/** @return the seat of the member that came last, where more members are
 * there than there may be; LBS_ROSTER_NONE: they are not */
int lbs_roster_surplus(const lbs_roster_t *roster, int seats);

/**
 * Members sit on the first seats, which are enough for all of them. Only where
 * no process uses their numbers yet.
 *
 * @return 1: one was moved
 */
int lbs_roster_close_up(lbs_roster_t *roster, int seats);

void lbs_roster_vacate(lbs_roster_t *roster, int seat, apr_time_t now);

/** @return why the latest answer changes nothing, as words for people; "" when
 * it was good */
const char *lbs_roster_why(apr_uint32_t said);

/** @return its name: file, dns, srv, admin, register */
const char *lbs_roster_by_name(lbs_roster_by_t by);

/** @return its name in metrics: added, left, back, removed, refused */
const char *lbs_roster_kind_name(lbs_roster_kind_t kind);

#endif
