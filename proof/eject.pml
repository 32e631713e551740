/* SPDX-License-Identifier: Apache-2.0 */
/* eject.pml - the word of a hold, the pool's count, the gauge's flags:
 * src/member/lbs_eject.c.
 *
 * M members of one pool, CAP of which may be out. N processes judge: each finds
 * one member to have failed, or its trial answered or failed. One process ticks
 * all the time: it turns held members over, sets flags that a dead process left
 * and corrects the count. A process that judges may die before any step. A step
 * is one access to shared memory, in the order of the C code.
 *
 *     hold   phase: bits 0-1; bits 2..: how often it turned, which stands for
 *            the time and level in the word
 *
 * Proved: no more members are out than the cap allows; each turn is made by one
 * process, from the word that it saw; once all have ended and two ticks have
 * passed, the count is exact and the flags say what the words say. Nobody waits.
 *
 * Assumed, as lbs_eject.c does: a living process does not sleep between the
 * count and the word from one tick to the next. Left out: levels, streaks,
 * windows, evidence, stalls: they decide whether a turn is tried, not how it is
 * made.
 *
 * BROKEN: the count is raised after the member is held.
 */
#ifndef N
#define N 2
#endif
#ifndef M
#define M 2
#endif
#ifndef CAP
#define CAP 1
#endif
#ifndef TICKS
#define TICKS 2 /* beside the processes, before the last two */
#endif
#ifndef BROKEN
#define BROKEN 0
#endif

#define OPEN 0
#define HELD 1
#define HALF_OPEN 2
#define TRIAL 3
#define PHASE(word) ((word)&3)
#define TURNED(word, phase) ((((word) >> 2) + 1) * 4 + (phase))

#define F_NONE 0
#define F_EJECTED 1
#define F_HALF_OPEN 2
#define FLAG(word)                                                            \
    (PHASE(word) == OPEN -> F_NONE                                            \
                         : (PHASE(word) == TRIAL -> F_HALF_OPEN : F_EJECTED))

byte hold[M];
byte flags[M];
byte ejected;   /* changes: bits 2.., members not open: bits 0-1 */
byte doubt;
byte over;
byte between; /* bit: a living process, between count and word */
byte slow;    /* of these: when the tick found the count wrong */
bool last;    /* the tick's last two rounds */
byte turns[M]; /* reported by the processes; not in the C code */
#define COUNTED(word, n) ((((word) >> 2) + 1) * 4 + (n))
#define SUM(word) ((word)&3)

#define ENTERS between = between | (1 << me)
#define LEAVES between = between & ~(1 << me)

#if M == 2
#define OUT ((PHASE(hold[0]) != OPEN) + (PHASE(hold[1]) != OPEN))
#else
#define OUT                                                                   \
    ((PHASE(hold[0]) != OPEN) + (PHASE(hold[1]) != OPEN)                      \
     + (PHASE(hold[2]) != OPEN))
#endif

#define OR_DIE                                                                \
    if                                                                        \
    :: 1                                                                      \
    :: mortal -> goto end                                                     \
    fi;

inline turned(m, phase)
{
    hold[m] = TURNED(hold[m], phase);
    turns[m]++;
    assert(turns[m] == hold[m] >> 2);
    assert(OUT <= CAP)
}

/* lbs_eject_sync() */
inline sync(m)
{
    f = flags[m];
    do
    :: 1 ->
        w = hold[m];
        if
        :: f == FLAG(w) -> break
        :: else
        fi;
        atomic {
            if
            :: flags[m] == f -> flags[m] = FLAG(w); break
            :: else -> f = flags[m]
            fi
        }
    od
}

inline cap_take()
{
    c = ejected;
    do
    :: SUM(c) >= CAP -> goto capped
    :: else ->
        atomic {
            if
            :: ejected == c ->
                ejected = COUNTED(c, SUM(c) + 1);
                ENTERS;
                break
            :: else -> c = ejected
            fi
        }
    od
}

inline cap_give()
{
    c = ejected;
    do
    :: SUM(c) == 0 -> LEAVES; break
    :: else ->
        atomic {
            if
            :: ejected == c ->
                ejected = COUNTED(c, SUM(c) - 1);
                LEAVES;
                break
            :: else -> c = ejected
            fi
        }
    od
}

proctype Judge(byte me; bool mortal)
{
    byte m, seen, w, c, f;
    bool taken;

    atomic {
        if
        :: m = 0
        :: m = 1
        fi
    }
    OR_DIE
    seen = hold[m];
    if
    :: PHASE(seen) == OPEN -> goto fails
    :: PHASE(seen) == TRIAL -> goto answers
    :: PHASE(seen) == TRIAL || PHASE(seen) == HALF_OPEN -> goto again
    :: else -> goto end
    fi;

fails: /* lbs_eject_failed(), lbs_eject_hold_open() */
#if !BROKEN
    OR_DIE
    cap_take();
#endif
    if
    :: 1
    :: mortal -> LEAVES; goto end
    fi;
    atomic {
        if
        :: hold[m] == seen ->
            turned(m, HELD);
            taken = 1;
#if !BROKEN
            LEAVES
#endif
        :: else
        fi
    }
#if BROKEN
    if
    :: taken -> cap_take(); LEAVES
    :: else -> goto end
    fi;
#endif
    if
    :: !taken ->
        if
        :: 1
        :: mortal -> LEAVES; goto end
        fi;
        cap_give();
        goto end
    :: else
    fi;
    OR_DIE
    sync(m);
    goto end;

again: /* lbs_eject_hold_again() */
    atomic {
        if
        :: hold[m] == seen -> turned(m, HELD)
        :: else -> goto end
        fi
    }
    OR_DIE
    sync(m);
    goto end;

answers: /* lbs_eject_reopen() */
    atomic {
        if
        :: hold[m] == seen -> turned(m, OPEN); ENTERS
        :: else -> goto end
        fi
    }
    if
    :: 1
    :: mortal -> LEAVES; goto end
    fi;
    sync(m);
    if
    :: 1
    :: mortal -> LEAVES; goto end
    fi;
    cap_give();
    goto end;

capped:
end:
    atomic {
        m = 0;
        seen = 0;
        w = 0;
        c = 0;
        f = 0;
        taken = 0;
        over++
    }
}

/* lbs_eject_tick() of each member, lbs_eject_recount() */
proctype Tick()
{
    byte m, seen, w, f, n, round;

    goto next;
tick:
    (slow & between) == 0; /* assumed */
    atomic { n = 0; m = 0; slow = 0 }
    do
    :: m < M ->
        seen = hold[m];
        sync(m);
        atomic {
            if
            :: PHASE(seen) == HELD && hold[m] == seen && !last ->
                turned(m, HALF_OPEN)
            :: PHASE(seen) == HELD && hold[m] == seen && !last ->
                turned(m, TRIAL)
            :: PHASE(seen) == HALF_OPEN && hold[m] == seen && !last ->
                turned(m, TRIAL)
            :: else
            fi
        }
        sync(m);
        w = hold[m]; /* lbs_eject_out() */
        atomic { n = n + (PHASE(w) != OPEN); m++ }
    :: else -> break
    od;
    /* lbs_eject_recount(), twice at least 100 ms apart */
    atomic { seen = ejected; f = 0; w = 0 }
    if
    :: SUM(seen) == n -> skip
    :: SUM(seen) < n || (SUM(seen) != n && doubt == seen) ->
        atomic {
            if
            :: ejected == seen -> ejected = COUNTED(seen, n)
            :: else
            fi
        }
    :: else -> atomic { doubt = seen; slow = between }
    fi;
next:
    if
    :: round < TICKS && !last -> round++; goto tick
    :: over == N && !last -> last = 1; round = 0; goto tick
    :: last && round < 1 -> round++; goto tick
    :: last && round == 1 -> skip
    fi;
    atomic {
        assert(SUM(ejected) == OUT);
        assert(flags[0] == FLAG(hold[0]) && flags[1] == FLAG(hold[1]))
    }
}

init {
    atomic {
        byte n;

        if
        :: skip
        :: hold[0] = TRIAL; turns[0] = 0; flags[0] = F_HALF_OPEN; ejected = 1
        fi;
        run Tick();
        run Judge(0, 1);
        n = 1;
        do
        :: n < N -> run Judge(n, 0); n++
        :: else -> break
        od
    }
}
