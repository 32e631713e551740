/* SPDX-License-Identifier: Apache-2.0 */
/* roster.pml - found members: src/roster/lbs_roster.c,
 * src/httpd/discover/lbs_discover_seat.c, src/httpd/pool/lbs_present.c.
 *
 * One seat and one slot of the registry. At first the seat has member A. The
 * process that ticks removes it, gives the slot back when nobody is in flight,
 * and gives seat and slot to member B, whose address is another one; before
 * and after that it may change a seat that is not in the model, which makes a
 * new turn with the same member. It may die before any step, and then another
 * process ticks. P processes serve; each has T threads that make R requests
 * one after the other, and each request brings the view up to date, pins a
 * turn, counts itself in at the member and sends. A step is one access to
 * memory that others write, in the order of the C code.
 *
 *     word     of the seat: 0 A, 1 vacant, 2 B
 *     version  of the rosters
 *     closed   LBS_F_REMOVED of the slot
 *     id       whose the slot is: A, NOBODY, B
 *     turn     of a process: memory, version, who is there; pins
 *
 * Proved: a pinned turn and the member in it are memory that was not given
 * back; a request is sent to the member whose slot it is counted at, and to no
 * other's address; a request sees each change that was published before it
 * began; when all have ended all changes are published, and no pin is left.
 * Nobody waits but for the lock of the own process, whose holder waits for
 * nobody.
 *
 * Assumed: the sweep that gives a slot back comes as soon as it may, and a
 * seat may be given again at once: the ten seconds in which it rests are not
 * needed. Left out: several seats (a word says all of one), virtual hosts,
 * wishes (wish.pml), what the sources say.
 *
 * BROKEN 1: the version is read after the seats. 2: no second look at the turn
 * in force after the pin. 3: the next process that ticks does not publish.
 * 4: a request does not ask whether the seat has its member. 5: a member is given back with
 * the first turn that had it.
 */
#ifndef P
#define P 1
#endif
#ifndef T
#define T 2
#endif
#ifndef R
#define R 2
#endif
#ifndef H
#define H 3 /* heads of turns in a process */
#endif
#ifndef OTHERS
#define OTHERS 1 /* 1: another seat may change, too */
#endif
#ifndef BROKEN
#define BROKEN 0
#endif

#define A 0
#define NOBODY 1
#define B 2
#define NONE 255 /* the turn of the configuration, with no found member */

byte word;
byte version;
byte id;
bool closed;
byte inflight;

byte published; /* the word at the last change of version; not in the C code */
byte over;

typedef process {
    byte in_force;
    bool lock;
    byte pins[H];
    bool memory[H];
    byte made_of[H]; /* version */
    byte has[H];     /* the word it was made from */
    byte turns[3];   /* found->turns, by member */
}
process at[P];

#define PUBLISH atomic { version++; published = word }

/* Steps that only one process makes are together with the chance to die before
 * them. */
#define OR_DIE(step)                                                          \
    atomic {                                                                  \
        if                                                                    \
        :: step                                                               \
        :: mortal -> goto dead                                                \
        fi                                                                    \
    }

/* begin() of lbs_tick.c, lbs_discover_tick() */
proctype Tick(bool mortal)
{
#if BROKEN != 3
    if
    :: !mortal -> PUBLISH
    :: else
    fi;
#endif
#if OTHERS
    if
    :: mortal -> PUBLISH
    :: 1
    fi;
#endif
    /* lbs_discover_seat_tick() */
    if
    :: word == A ->
        OR_DIE(closed = 1);
        OR_DIE(word = NOBODY);
        OR_DIE(PUBLISH)
    :: else
    fi;
    /* lbs_reclaim_slots(), add() */
    if
    :: word == NOBODY ->
        atomic {
            if
            :: id == A && inflight == 0 -> id = NOBODY
            :: id == A && inflight != 0 -> goto dead /* another slot is given */
            :: else
            fi
        }
        OR_DIE(closed = 0); /* lbs_gauge_init() */
        OR_DIE(id = B);
        OR_DIE(word = B);
        OR_DIE(PUBLISH)
    :: else
    fi;
dead:
    atomic {
        if
        :: mortal -> run Tick(0)
        :: else
        fi;
        over++
    }
}

#define ME at[p]

inline unmake(t)
{
    atomic {
        if
        :: ME.has[t] != NOBODY ->
            assert(ME.turns[ME.has[t]] > 0);
#if BROKEN == 5
            ME.turns[ME.has[t]] = 0
#else
            ME.turns[ME.has[t]]--
#endif
        :: else
        fi;
        ME.memory[t] = 0;
        ME.has[t] = NOBODY
    }
}

inline make(t)
{
#if BROKEN == 1
    atomic { ME.memory[t] = 1; w = word }
    v = version;
#else
    atomic { ME.memory[t] = 1; v = version; ME.made_of[t] = v }
    w = word;
#endif
    atomic {
        ME.made_of[t] = v;
        ME.has[t] = w;
        if
        :: w != NOBODY -> ME.turns[w]++
        :: else
        fi
    }
}

#define BEHIND(t) (version != (t == NONE -> 0 : ME.made_of[t]))
#define UNUSED(t) (t != ME.in_force && ME.memory[t] && ME.pins[t] == 0)

inline change()
{
    atomic { !ME.lock -> ME.lock = 1; i = 0 }
    if
    :: BEHIND(ME.in_force) ->
        atomic {
            do
            :: i < H && ME.memory[i] -> i++
            :: else -> break
            od;
            assert(i < H) /* or H is too small for the model */
        }
        make(i);
        atomic { ME.in_force = i; v = 0; w = 0; i = 0 }
    :: else
    fi;
    /* reclaim() */
    do
    :: atomic { i < H && UNUSED(i) -> skip }
        unmake(i)
    :: atomic { i < H && !UNUSED(i) -> i++ }
    :: atomic { i == H -> ME.lock = 0; i = 0; break }
    od
}

inline pin_in_force()
{
    do
    :: 1 ->
        t = ME.in_force;
        atomic {
            if
            :: t == NONE -> break
            :: else -> ME.pins[t]++
            fi
        }
        atomic {
            if
#if BROKEN == 2
            :: 1 -> break
#else
            :: t == ME.in_force -> break
            :: else
#endif
            fi
        }
        ME.pins[t]--
    od
}

proctype Serve(byte p)
{
    byte t, v, w, i, need, round;

    do
    :: round < R ->
        /* pin() */
        atomic { round++; need = published }
#if BROKEN == 6
        t = ME.in_force;
        if
        :: BEHIND(t) -> change()
        :: else
        fi;
        pin_in_force();
#else
        pin_in_force();
        if
        :: BEHIND(t) ->
            if
            :: t != NONE -> ME.pins[t]--
            :: else
            fi;
            t = 0;
            change();
            pin_in_force()
        :: else
        fi;
#endif
        atomic {
            if
            :: t == NONE -> assert(need == A); goto next
            :: else
            fi;
            assert(ME.memory[t]);
            w = ME.has[t];
            assert(w >= need);
            need = 0;
            if
            :: w == NOBODY -> goto unpin
            :: else
            fi;
            assert(ME.turns[w] > 0);
            /* lbs_admit(): lbs_inflight_enter(), is it the member still? */
            inflight++
        }
        atomic {
            if
            :: closed -> goto leave
            :: else
            fi
        }
#if BROKEN != 4
        atomic {
            if
            :: word != w -> goto leave
            :: else
            fi
        }
#endif
        /* sent, and answered */
        assert(id == w);
        assert(id == w && ME.memory[t] && ME.has[t] == w && ME.turns[w] > 0);
leave:
        inflight--;
unpin:
        ME.pins[t]--;
next:
        atomic { t = 0; w = 0; need = 0 }
    :: else -> break
    od;
    atomic { round = 0; over++ }
}

#define ALL (2 + P * T)

proctype Look()
{
    byte p, t;

    atomic {
        over == ALL;
        assert(published == word);
        assert(inflight == 0);
        p = 0;
        do
        :: p < P ->
            t = 0;
            do
            :: t < H -> assert(at[p].pins[t] == 0); t++
            :: else -> break
            od;
            p++
        :: else -> break
        od
    }
}

init {
    atomic {
        byte n, k;

        do
        :: n < P ->
            /* A was there when the children began: one turn has it */
            at[n].in_force = NONE;
            k = 0;
            do
            :: k < H -> at[n].has[k] = NOBODY; k++
            :: else -> break
            od;
            n++
        :: else -> break
        od;
        version = 1;
        run Tick(1);
        run Look();
        n = 0;
        do
        :: n < P * T -> run Serve(n / T); n++
        :: else -> break
        od
    }
}
