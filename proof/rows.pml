/* SPDX-License-Identifier: Apache-2.0 */
/* rows.pml - attempts in flight, and the reaping of a child that died:
 * src/member/lbs_inflight.c.
 *
 * One member. Row 0 is a child's that may die before any of its steps; row 1
 * one's that lives. Each makes an attempt and ends it. REAPERS processes, which
 * may be killed themselves (they take no further step), take back what the dead
 * child had; another child claims the freed row, when SUCCESSOR. A step is one
 * access to shared memory, in the order of the C code.
 *
 *     owner   generation: bits 2.., state: 0 free, 1 live, 2 dead
 *     cell    version: bits 4.., pending: 2-3, count: 0-1
 *     sum     corrections: bits 4.., count: 0-3
 *
 * Proved: the sum is never above the limit and never below 0; one trial at a
 * time; when all have ended the row is free, and the sum is what the living
 * have in flight; nobody waits (all loops end, and no step has a condition but
 * that a reaper begins when the child is dead).
 *
 * Left out: what waits for an answer (it is in the same cell and changes with
 * the same steps, but in no sum); wrapping versions, which lbs_inflight.c
 * accepts after 2^20 attempts within one sleep of a reaper.
 *
 * BROKEN: a correction does not count itself, so that two reapers subtract one
 * excess twice.
 */
#ifndef LIMIT
#define LIMIT 0
#endif
#ifndef TRIAL
#define TRIAL 0
#endif
#ifndef REAPERS
#define REAPERS 2
#endif
#ifndef SUCCESSOR
#define SUCCESSOR 0
#endif
#ifndef BROKEN
#define BROKEN 0
#endif
#define LOOKS 3

#define COUNT 1
#define PENDING 4
#define VERSION 16
#define HOLDS(cell) ((cell) % VERSION != 0)
#define BUSY(cell) (((cell) % VERSION) / PENDING != 0)
#define COUNT_OF(cell) ((cell)&3)
#define STATE(owner) ((owner)&3)
#define FREE 0
#define LIVE 1
#define DEAD 2
#define SUM(word) ((word)&15)
#define CORRECTIONS(word) ((word) >> 4)

byte owner[2] = {5, 5}; /* generation 1, live */
byte cell[2];
byte sum;
byte trial; /* token: 1 + row + 2 * generation */
bool dead;  /* the kernel knows */
byte over;  /* children that have ended or died */
byte reaped, tried;
byte trials, aloft; /* not in the C code: of living children */
#define TOKEN(row, owner) (1 + (row) + 2 * ((owner) >> 2))

inline holds()
{
    assert(SUM(sum) <= 4 && (LIMIT == 0 || SUM(sum) <= LIMIT));
    assert(trials <= 1)
}

/* Before each step of the child that may die. */
#define OR_DIE                                                                \
    if                                                                        \
    :: 1                                                                      \
    :: mortal -> goto killed                                                  \
    fi;

/* lbs_inflight_enter_anyway(), lbs_inflight_leave() */
proctype Child(byte row; bool mortal)
{
    byte seen, token;
    bool try;

    token = TOKEN(row, owner[row]);
    OR_DIE
    cell[row] = cell[row] + PENDING + VERSION; /* mark() */
    /* admit() */
#if TRIAL
    OR_DIE
    atomic {
        if
        :: trial == 0 -> trial = token; try = 1; trials++; holds()
        :: else -> goto refused
        fi
    }
#endif
    /* sum_add() */
#if LIMIT
    OR_DIE
    seen = sum;
    do
    :: SUM(seen) >= LIMIT -> goto at_limit
    :: else ->
        OR_DIE
        atomic {
            if
            :: sum == seen -> sum++; holds(); break
            :: else -> seen = sum
            fi
        }
    od;
    seen = 0;
#else
    OR_DIE
    atomic { sum++; holds() }
#endif
    OR_DIE
    atomic { cell[row] = cell[row] + COUNT - PENDING; aloft++ } /* book() */
    /* lbs_inflight_leave() */
    OR_DIE
    cell[row] = cell[row] + PENDING + VERSION;
#if TRIAL
    OR_DIE
    atomic {
        if
        :: trial == token -> trial = 0
        :: else -> assert(0) /* nobody else may take it back */
        fi;
        try = 0;
        trials--
    }
#endif
    OR_DIE
    atomic { assert(SUM(sum) > 0); sum-- } /* sum_sub() */
    OR_DIE
    atomic { cell[row] = cell[row] - COUNT - PENDING; aloft-- } /* book() */
    goto end;
#if LIMIT
at_limit:
#if TRIAL
    OR_DIE
    atomic { trial = (trial == token -> 0 : trial); trials--; try = 0 }
#endif
#endif
#if LIMIT || TRIAL
refused:
    OR_DIE
    cell[row] = cell[row] - PENDING;
#endif
end:
    atomic {
        seen = 0;
        token = 0;
        over++;
        goto out
    }
killed:
    atomic {
        /* In truth it had no trial and nothing in flight any more. */
        if
        :: try -> trials--
        :: else
        fi;
        aloft = aloft - COUNT_OF(cell[row]);
        seen = 0;
        try = 0;
        token = 0;
        dead = 1;
        over++
    }
out:
    skip
}

/* total(): count and print. */
inline total(n, p)
{
    atomic { i = 0; n = 0; p = 0; busy = 0 }
    do
    :: i < 2 && !busy ->
        state = STATE(owner[i]); /* row_counts() */
        if
        :: state == DEAD
        :: else ->
            atomic {
                state = cell[i];
                busy = BUSY(state);
                n = n + COUNT_OF(state);
                p = p + (i == 0 -> state : state * 256)
            }
        fi;
        i++
    :: else -> break
    od
}

/* lbs_inflight_condemn(), lbs_inflight_reap() */
proctype Reaper()
{
    byte mine, at, seen, now, n, again, i, state, look;
    int p, q;
    bool busy, done;

    /* The parent buries a child; or none has died. */
    if
    :: dead -> skip
    :: over >= 2 && !dead -> goto out
    fi;
    atomic {
        if
        :: STATE(owner[0]) == LIVE && (owner[0] >> 2) == 1 ->
            owner[0] = owner[0] + DEAD - LIVE
        :: else
        fi;
        mine = owner[0]
    }
    if
    :: STATE(mine) != DEAD -> goto free /* reaped, or claimed anew */
    :: else
    fi;
    /* clear_cell() */
    at = cell[0];
    if
    :: !HOLDS(at) -> goto clear
    :: else
    fi;
    atomic {
        if
        :: owner[0] != mine -> goto free
        :: else
        fi
    }
    trial = (trial == TOKEN(0, mine) -> 0 : trial); /* trial_release() */
    /* reconcile() */
    do
    :: look < LOOKS ->
        look++;
        total(n, p);
        if
        :: busy -> goto next
        :: else
        fi;
        seen = sum;
        total(again, q);
        if
        :: busy || p != q -> goto next
        :: else
        fi;
        if
        :: SUM(seen) == n -> done = 1; break
        :: else -> again = SUM(seen) - n
        fi;
        /* correct(): again is the excess */
        now = seen;
        do
        :: CORRECTIONS(now) == CORRECTIONS(seen) ->
            atomic {
                if
                :: sum == now ->
                    assert(SUM(now) >= again);
                    sum = sum - again;
#if !BROKEN
                    sum = sum + 16;
#endif
                    holds();
                    done = 1;
                    break
                :: else -> now = sum
                fi
            }
        :: else -> break
        od;
        if
        :: done -> break
        :: else
        fi;
next:
        skip
    :: else -> break
    od;
    if
    :: !done -> goto out /* APR_EAGAIN: the next tick repeats it */
    :: else
    fi;
    atomic {
        if
        :: cell[0] == at -> cell[0] = (at / VERSION) * VERSION + VERSION
        :: else
        fi
    }
clear:
    atomic {
        if
        :: owner[0] == mine -> owner[0] = (mine >> 2) << 2
        :: else
        fi
    }
free:
    reaped = 1;
out:
    atomic { tried++; at = 0; seen = 0; now = 0; n = 0; again = 0; look = 0 }
}

#if SUCCESSOR
/* lbs_inflight_claim() */
proctype Successor()
{
    byte was;

    was = owner[0];
    if
    :: STATE(was) == FREE ->
        atomic {
            if
            :: owner[0] == was -> owner[0] = was + 4 + LIVE
            :: else -> goto none
            fi
        }
        run Child(0, 0)
    :: else ->
none:
        atomic { over++ }
    fi
}
#endif

proctype Judge()
{
    over == 2 + SUCCESSOR && (!dead || tried == REAPERS) -> atomic {
        assert(trials == 0 && aloft == 0);
        if
        :: !dead || reaped ->
            assert(SUM(sum) == 0 && trial == 0);
            assert(!HOLDS(cell[0]) && !HOLDS(cell[1]));
            assert(!dead || SUCCESSOR || STATE(owner[0]) == FREE)
        :: else
        fi
    }
}

init {
    atomic {
        byte n;

        run Child(0, 1);
        run Child(1, 0);
        do
        :: n < REAPERS -> run Reaper(); n++
        :: else -> break
        od;
#if SUCCESSOR
        run Successor();
#endif
        run Judge()
    }
}
