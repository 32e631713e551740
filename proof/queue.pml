/* SPDX-License-Identifier: Apache-2.0 */
/* queue.pml - requests that wait for a full member: src/member/lbs_queue.c.
 *
 * N processes queue up, ask for their turn and leave; the ring has P places, so
 * that places are used again. Process 0 may die before any step; another one
 * then drops what it held (lbs_queue_abandon), and may drop the place of process
 * 1 at any time, as when its deadline is over (lbs_queue_tick). A step is one
 * access to shared memory, in the order of the C code.
 *
 *     place   ticket: bits 4.., child: 2-3, state: 0-1
 *
 * Proved: two processes never have one ticket; a place that is waited in is
 * not taken; never do more wait than may; a turn is given only when fewer wait
 * before it than there is room for; when all have ended, the queue is empty,
 * whoever died where. All loops end, and no step has a condition.
 *
 * Left out: that tickets and deadlines wrap.
 *
 * BROKEN: a place is taken without a look whether the tail still stands there.
 */
#ifndef N
#define N 3
#endif
#ifndef P
#define P 2
#endif
#ifndef MOST
#define MOST 2
#endif
#ifndef ASKS
#define ASKS 1
#endif
#ifndef MORTAL
#define MORTAL 1 /* process 0 may die */
#endif
#ifndef DROP
#define DROP 1 /* process 1 may lose its place */
#endif
#ifndef BROKEN
#define BROKEN 0
#endif

#define NEVER 0
#define WAITING 1
#define GONE 2
#define STATE(w) ((w)&3)
#define CHILD(w) (((w) >> 2) & 3)
#define TICKET(w) ((w) >> 4)
#define WORD(ticket, child) (16 * (ticket) + 4 * (child) + WAITING)
#define WAITS(w, ticket) (STATE(w) == WAITING && TICKET(w) == (ticket))

byte place[P];
byte head, tail;
bool dead, dropped; /* process 0 has died; process 1's time is over */
byte over;

/* Not in the C code. */
byte waiting; /* bit: waits, and neither died nor lost its place */
byte has[N];  /* its ticket */
#if N == 2
#define WAIT (((waiting)&1) + ((waiting >> 1) & 1))
#else
#define WAIT (((waiting)&1) + ((waiting >> 1) & 1) + ((waiting >> 2) & 1))
#endif
#define BEFORE(p, t) (p < N && ((waiting >> (p)) & 1) && has[p] < (t))

/* mark_gone() of a word that was read. done: 1, or it had changed */
inline mark_gone(at)
{
    atomic {
        done = (place[at] == w);
        if
        :: done ->
            place[at] = w - WAITING + GONE;
            waiting = waiting & ~(1 << CHILD(w))
        :: else
        fi
    }
}

/* advance(); h: the head */
inline advance()
{
    h = head;
    step = 0;
    do
    :: step < P ->
        step++;
        if
        :: h == tail -> break
        :: else
        fi;
        w = place[h % P];
        if
        :: WAITS(w, h) -> break
        :: else
        fi;
        atomic {
            if
            :: head == h -> head = h + 1; h++
            :: else -> h = head
            fi
        }
    :: else -> break
    od;
    atomic { step = 0; w = 0 }
}

/* count() of the tickets from h to before to */
inline count(to)
{
    atomic {
        n = 0;
        at = h;
        if
        :: to - at > P && to > at -> at = to - P
        :: else
        fi
    }
    do
    :: at != to ->
        atomic {
            w = place[at % P];
            n = n + WAITS(w, at);
            at++
        }
    :: else -> break
    od;
    atomic { w = 0; at = 0 }
}

#define OR_DIE                                                                \
    if                                                                        \
    :: 1                                                                      \
    :: MORTAL && me == 0 -> goto killed                                                 \
    fi;

proctype Request(byte me)
{
    byte w, h, step, n, at, t, seen, mine, ask;
    bool done;

join: /* lbs_queue_join() */
    advance();
    OR_DIE
    t = tail;
    seen = place[t % P];
    mine = WORD(t, me);
    /* h may be behind, or ahead of t by now; unsigned */
    if
    :: (t - h) < 0 || (t - h) >= P -> goto none
    :: else
    fi;
    count(t);
    if
    :: n >= MOST -> goto none
    :: else
    fi;
    OR_DIE
    /* take() */
    done = 0;
    if
    :: STATE(seen) == NEVER || TICKET(seen) != t ->
#if !BROKEN
        if
        :: tail != t -> goto join
        :: else
        fi;
#endif
        atomic {
            if
            :: place[t % P] == seen ->
                assert(STATE(seen) != WAITING
                       || !((waiting >> CHILD(seen)) & 1));
                place[t % P] = mine;
                done = 1;
                has[me] = t;
                waiting = waiting | (1 << me);
                assert(WAIT <= MOST);
                assert(N < 2 || !(waiting & 1) || !(waiting & 2)
                       || has[0] != has[1]);
                assert(N < 3 || !(waiting & 4)
                       || ((!(waiting & 1) || has[2] != has[0])
                           && (!(waiting & 2) || has[2] != has[1])))
            :: else
            fi
        }
    :: else
    fi;
    OR_DIE
    atomic {
        if
        :: tail == t -> tail = t + 1
        :: else
        fi
    }
    if
    :: !done -> goto join
    :: else
    fi;

turn: /* lbs_queue_turn(): there is room for one */
    OR_DIE
    w = place[t % P];
    if
    :: !WAITS(w, t) ->
        assert(me != 2 && (me == 0 || dropped)); /* not lost */
        goto leave
    :: else -> w = 0
    fi;
    advance();
    if
    :: h < t ->
        count(t);
        if
        :: n >= 1 -> goto later
        :: else
        fi
    :: else
    fi;
    assert(!BEFORE(0, t) && !BEFORE(1, t) && !BEFORE(2, t));
    goto leave;
later:
    if
    :: ask < ASKS -> ask++; goto turn
    :: else
    fi;

leave: /* lbs_queue_leave() */
    OR_DIE
    w = place[t % P];
    if
    :: WAITS(w, t) -> mark_gone(t % P)
    :: else
    fi;
    OR_DIE
    advance();
none:
    atomic { over++; goto out }
killed:
    atomic { dead = 1; over++; waiting = waiting & ~1 }
out:
    atomic { w = 0; h = 0; n = 0; at = 0; t = 0; seen = 0; mine = 0; ask = 0 }
}

/* lbs_queue_abandon(), lbs_queue_tick() */
proctype Tick()
{
    byte w, h, step, i;
    bool done;

    if
    :: atomic { DROP -> dropped = 1 }
       i = 0;
       do
       :: i < P ->
           w = place[i];
           if
           :: STATE(w) == WAITING && CHILD(w) == 1 -> mark_gone(i)
           :: else
           fi;
           i++
       :: else -> break
       od;
       advance()
    :: skip
    fi;
    over == N;
    if
    :: dead ->
        i = 0;
        do
        :: i < P ->
            w = place[i];
            if
            :: STATE(w) == WAITING && CHILD(w) == 0 -> mark_gone(i)
            :: else
            fi;
            i++
        :: else -> break
        od
    :: else
    fi;
    advance();
    assert(head == tail && WAIT == 0)
}

init {
    atomic {
        byte p;

        run Tick();
        p = 0;
        do
        :: p < N -> run Request(p); p++
        :: else -> break
        od
    }
}
