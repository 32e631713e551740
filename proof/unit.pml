/* SPDX-License-Identifier: Apache-2.0 */
/* unit.pml - the unit of a slot's expiry clock changes: src/table.
 *
 * One word, one slot. One process changes the unit from 0 to 1
 * (lbs_sweep_requantise); meanwhile B others bind, R others renew or look up,
 * and one sweeps. A step is one access to shared memory. A process that dies
 * takes no further step.
 *
 *     word   0 free; valid: bit 0; turn: bit 1; in truth its end is in this
 *            unit: bit 2 (not in the C code); bit 3 differs for each writer,
 *            as the end does
 *     slot   quantum: unit, turn, hold
 *
 * Proved, in each state: the end of a word whose turn is its slot's is in the
 * slot's unit. So nobody takes the end of a session in a unit that it is not in,
 * whoever dies where; and a word of another turn is only ever taken for live, or
 * converted in its own unit. When all have ended no word has another turn.
 *
 * Left out: that a second change may begin before a process has ended that read
 * the slot's quantum before the first; lbs_sweep.h says what follows.
 *
 * BROKEN: words have no turn, and a bind beside the conversion writes the old
 * unit, as it was before words had one.
 */
#ifndef B
#define B 1
#endif
#ifndef R
#define R 1
#endif
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef ROUNDS
#define ROUNDS 2 /* of a renewal */
#endif

#define VALID(w) ((w)&1)
#define TURN(w) (((w) >> 1) & 1)
#define UNIT(w) (((w) >> 2) & 1)
#if BROKEN
#define WORD(turn, unit, who) (1 + 4 * (unit) + 8 * (who))
#else
#define WORD(turn, unit, who) (1 + 2 * (turn) + 4 * (unit) + 8 * (who))
#endif

/* quantum: unit: bit 0, turn: bit 1, hold: bit 2 */
#define Q_UNIT(q) ((q)&1)
#define Q_TURN(q) (((q) >> 1) & 1)
#define Q_HOLD(q) (((q) >> 2) & 1)

byte word;
byte quantum;
byte over;
#define ALL (B + R + 2)

/* What lbs_word_left() says of a word and a quantum that were read. */
#if BROKEN
#define STRAY(w, q) Q_HOLD(q)
#else
#define STRAY(w, q) (TURN(w) != Q_TURN(q))
#endif
#define KNOWN(w, q) (!VALID(w) || STRAY(w, q) || UNIT(w) == Q_UNIT(q))

inline right()
{
    assert(KNOWN(word, quantum))
}

inline end()
{
    atomic {
        w = 0;
        q = 0;
        next = 0;
        over++;
        assert(over < ALL || !VALID(word) || !STRAY(word, quantum))
    }
}

/* lbs_sweep_requantise(), convert() */
proctype Change()
{
    byte w, q, next;

    q = quantum;
#if BROKEN
    atomic { quantum = Q_UNIT(q) + 4 }
#else
    atomic { quantum = 1 + 2 * (1 - Q_TURN(q)) + 4; right() }
#endif
    w = word;
    do
#if BROKEN
    :: VALID(w) ->
#else
    :: VALID(w) && TURN(w) == Q_TURN(q) ->
#endif
        assert(UNIT(w) == 0);
        if
        :: next = WORD(1 - Q_TURN(q), 1, 0) /* keeps its end */
        :: next = 0                         /* it is over */
        fi;
        atomic {
            if
            :: word == w -> word = next; right(); break
            :: else -> w = word
            fi
        }
    :: else -> break
    od;
    atomic {
#if BROKEN
        quantum = 1;
#else
        quantum = quantum & 3;
#endif
        right()
    }
    end()
}

/* bind_key(), take_over() or step 3 of insert(), confirm() */
proctype Bind(byte me)
{
    byte w, q, next, now;

    q = quantum;
    w = word; /* table.pml has how a free word is found */
    atomic {
        next = WORD(Q_TURN(q), Q_UNIT(q), me);
        if
        :: word == w -> word = next
        :: else -> goto done /* another try reads nothing else */
        fi;
        right()
    }
    now = quantum;
    if
    :: now != q ->
        w = WORD(Q_TURN(now), Q_UNIT(now), me);
        atomic {
            if
            :: word == next -> word = w; right()
            :: else
            fi
        }
    :: else
    fi;
    now = 0;
done:
    end()
}

/* lbs_table_find(), touch() */
proctype Renew(byte me)
{
    byte w, q, next, round;

    do
    :: round < ROUNDS ->
        round++;
        w = word;
        q = quantum;
        if
        :: !VALID(w) -> break
        :: VALID(w) && !STRAY(w, q) ->
            assert(UNIT(w) == Q_UNIT(q)); /* find: live, or over */
            if
            :: next = 0 /* over */
            :: next = WORD(Q_TURN(q), Q_UNIT(q), me)
            fi
        :: VALID(w) && STRAY(w, q) && !Q_HOLD(q) ->
            next = WORD(Q_TURN(q), Q_UNIT(q), me)
        :: VALID(w) && STRAY(w, q) && Q_HOLD(q) -> break
        fi;
        atomic {
            if
            :: word == w -> word = next; right(); break
            :: else
            fi
        }
    :: else -> break
    od;
    round = 0;
    end()
}

/* visit(), settle_stray(). A pass at any time, and one after all others have
 * ended. */
proctype Sweep()
{
    byte w, q, next, pass;

again:
    if
    :: pass == 0 -> pass = 1
    :: over == ALL - 1 -> pass = 2
    fi;
    w = word;
    do
    :: !VALID(w) -> break
    :: VALID(w) ->
        q = quantum;
        if
        :: STRAY(w, q) && Q_HOLD(q) -> break
        :: STRAY(w, q) && !Q_HOLD(q) -> next = WORD(Q_TURN(q), Q_UNIT(q), 0)
        :: !STRAY(w, q) ->
            assert(UNIT(w) == Q_UNIT(q));
            if
            :: next = 0
            :: break /* live */
            fi
        fi;
        atomic {
            if
            :: word == w -> word = next; right(); w = next
            :: else -> w = word
            fi
        }
    od;
    atomic {
        w = 0;
        q = 0;
        next = 0;
        if
        :: pass == 1 -> goto again
        :: else -> pass = 0
        fi
    }
    end()
}

init {
    atomic {
        byte n;

        if
        :: word = WORD(0, 0, 0)
        :: word = 0
        fi;
        run Change();
        run Sweep();
        do
        :: n < B -> run Bind(1 + n); n++
        :: else -> break
        od;
        do
        :: n < B + R -> run Renew(1 + n); n++
        :: else -> break
        od
    }
}
