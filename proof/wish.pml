/* SPDX-License-Identifier: Apache-2.0 */
/* wish.pml - a place of the ring of wishes: src/roster/lbs_wish.c.
 *
 * One place. N requests each put a wish, look for the answer, and at some
 * time wait no longer: they withdraw, and look once more. One process takes
 * wishes, does what they want, and answers. Each may die before any step; then
 * another process takes over. A step of a place may be found old at any time
 * in a search with AGES, as if its process had slept for seconds; in the others
 * only that of a process that died.
 *
 *     word   step: bits 0-2; turn: bits 3..
 *     wish, answer: the turn they were written for, which stands for contents
 *            and seal; a wish of two words, written one after the other
 *
 * Proved: a wish is done once at most, and only as it was written; a request
 * that is told that it was done, or that it was not and will not be, is told
 * the truth, and each gets its own answer. Nobody waits: all loops end.
 *
 * Left out: more places (each is its own), the order in which wishes are taken,
 * turns that wrap.
 *
 * BROKEN 1: there is no seal. 2: a wish is withdrawn whatever its step is.
 */
#ifndef N
#define N 2
#endif
#ifndef AGES
#define AGES 0
#endif
#ifndef LOOKS
#define LOOKS 1 /* before a request waits no longer */
#endif
#ifndef BROKEN
#define BROKEN 0
#endif

#define FREE 0
#define WRITTEN 1
#define ASKED 2
#define TAKEN 3
#define ANSWERED 4
#define STEP(w) ((w)&7)
#define TURN(w) ((w) >> 3)
#define WORD(step, turn) ((step) + 8 * (turn))
#define NOTHING 255

byte word;
byte turns = 1;
byte wish[2];
byte seal;
byte answer;
byte answer_seal;
bool orphan; /* whose step the place is at is dead: it will be old */
byte over;
byte done[N + 1];  /* how often, by turn; not in the C code */
bool refused[N + 1]; /* told that it will not be done */

#define OR_DIE                                                                \
    if                                                                        \
    :: 1                                                                      \
    :: mortal -> goto dead                                                    \
    fi;

/* lbs_wishes_ask() */
proctype Ask(bool mortal)
{
    byte turn, seen, got, looks;

    atomic { turn = turns; turns++ }
    /* lbs_wish_put(), claim() */
    seen = word;
    atomic {
        if
        :: word == seen && (STEP(seen) == FREE || AGES || orphan) ->
            word = WORD(WRITTEN, turn);
            orphan = 0
        :: else -> goto end /* all places are taken */
        fi
    }
    OR_DIE
    wish[0] = turn;
    OR_DIE
    wish[1] = turn;
    seal = turn;
    OR_DIE
    atomic {
        if
        :: word == WORD(WRITTEN, turn) -> word = WORD(ASKED, turn)
        :: else -> goto end /* another one has the place: "taken" */
        fi
    }
look: /* lbs_wish_look() */
    OR_DIE
    seen = word;
    if
    :: TURN(seen) != turn || STEP(seen) == FREE -> goto end /* not known */
    :: else
    fi;
    if
    :: STEP(seen) == ANSWERED ->
        got = answer;
        if
        :: answer_seal == turn || BROKEN == 1 -> 1
        :: else -> got = NOTHING
        fi;
        atomic {
            if
            :: word == seen && got != NOTHING ->
                word = WORD(FREE, turn);
                assert(got == turn);
                assert(done[turn] == 1)
            :: word == seen && got == NOTHING -> word = WORD(FREE, turn)
            :: else
            fi
        }
        goto end
    :: else
    fi;
    if
    :: looks < LOOKS -> looks++; goto look
    :: looks == LOOKS ->
        /* lbs_wish_withdraw() */
        atomic {
            looks++;
            if
#if BROKEN == 2
            :: 1 ->
#else
            :: word == WORD(ASKED, turn) ->
#endif
                word = WORD(FREE, turn);
                refused[turn] = 1;
                assert(done[turn] == 0);
                goto end
            :: else
            fi
        }
        goto look
    :: else -> goto end /* not known */
    fi;
dead:
    atomic {
        if
        :: TURN(word) == turn && STEP(word) != FREE -> orphan = 1
        :: else
        fi
    }
end:
    atomic { turn = 0; seen = 0; got = 0; looks = 0; over++ }
}

/* lbs_wish_take(), lbs_wish_answer(), as often as there may be wishes */
proctype Take(bool mortal)
{
    byte seen, turn, a, b, s, round;

    do
    :: round <= N ->
        round++;
        seen = word;
        if
        :: STEP(seen) == ASKED ->
            turn = TURN(seen);
            atomic {
                if
                :: word == seen -> word = WORD(TAKEN, turn)
                :: else -> goto next
                fi
            }
            OR_DIE
            a = wish[0];
            b = wish[1];
            s = seal;
            if
            :: BROKEN != 1 && (a != turn || b != turn || s != turn) ->
                atomic {
                    if
                    :: word == WORD(TAKEN, turn) -> word = WORD(FREE, turn)
                    :: else
                    fi
                }
                goto next
            :: else
            fi;
            atomic {
                assert(a == turn && b == turn);
                assert(!refused[turn]);
                done[turn]++;
                assert(done[turn] == 1)
            }
            OR_DIE
            if
            :: word != WORD(TAKEN, turn) -> goto next
            :: else
            fi;
            answer = turn;
            OR_DIE
            answer_seal = turn;
            atomic {
                if
                :: word == WORD(TAKEN, turn) -> word = WORD(ANSWERED, turn)
                :: else
                fi
            }
        :: else
        fi;
next:
        atomic { a = 0; b = 0; s = 0; turn = 0; seen = 0 }
    :: else -> break
    od;
    goto end;
dead:
    atomic {
        if
        :: TURN(word) == turn && STEP(word) != FREE -> orphan = 1
        :: else
        fi;
        run Take(0)
    }
end:
    atomic { a = 0; b = 0; s = 0; turn = 0; seen = 0; round = 0; over++ }
}

init {
    atomic {
        byte n;

        run Take(1);
        do
        :: n < N -> run Ask(n == 0); n++
        :: else -> break
        od
    }
}
