/* SPDX-License-Identifier: Apache-2.0 */
/* table.pml - inserts, renewals, ends, sweeps of one key: src/table.
 *
 * N processes do one thing each with key K, or with key Y, whose session stands
 * in one of the W words where K may be. One access to shared memory of the C
 * code is one step here, in the order of the C code; the comment before each
 * part names its function. What lies between two accesses is private.
 *
 * A process that dies is one that takes no further step. All prefixes of all
 * schedules are among what spin visits, so it may die before any step, and what
 * is asserted of the others holds beside it. No step has a condition on shared
 * memory, so nobody can wait; that loops end is asked for separately, as the
 * absence of cycles (make proof, "ends").
 *
 * Left out: that tickets and births wrap; the age of a tentative word, which
 * here is any: each look may find it old; seen bits, which only rank victims;
 * victims near by (they are dropped as the sweep drops); chained tables; the
 * unit of the clock (unit.pml).
 *
 *     word   0 free; valid: bit 0; key: bit 1; slot: 2-3; end: 4-5
 *            tentative: 256 + 4 * (a number that no other try has)
 *
 * Proved: K is never in two words; K's word has the slot that was bound last;
 * a session goes only for a reason: its end, forget, eviction from a full
 * table; a look-up that misses a session overlaps its absence; a try of a bind
 * that fails was disturbed by another process, or met a tentative word that did
 * not look old; places taken and words agree when all have ended.
 *
 * BROKEN 1: an insert does not look at the other words (step 2).
 * BROKEN 2: step 3 is a store, not a swap.
 */
#ifndef N
#define N 2
#endif
#ifndef W
#define W 3
#endif
#ifndef CAP
#define CAP 3 /* sessions that the table is for */
#endif
#ifndef DEEDS
#define DEEDS 3 /* 1: binds; 2: and renewals; 3: all */
#endif
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef TRIES
#define TRIES 3
#endif
#define PATIENCE 1
#define ROUNDS 2

#define V(k, s, e) (1 + 2 * (k) + 4 * (s) + 16 * (e))
#define VALID(w) ((w)&1)
#define KEY(w) (((w) >> 1) & 1)
#define SLOT(w) (((w) >> 2) & 3)
#define END(w) (((w) >> 4) & 3)
#define TENTATIVE(n) (256 + 4 * (n))
#define HOLDS(w, k) (VALID(w) && KEY(w) == (k))
#define IS_K(w) ((w) != 0 && KEY(w) == 0)
#define K 0
#define Y 1

#if W == 2
#define COUNT(k) (HOLDS(word[0], k) + HOLDS(word[1], k))
#define VALIDS (VALID(word[0]) + VALID(word[1]))
#else
#define COUNT(k) (HOLDS(word[0], k) + HOLDS(word[1], k) + HOLDS(word[2], k))
#define VALIDS (VALID(word[0]) + VALID(word[1]) + VALID(word[2]))
#endif

short word[W];
short taken; /* head->live */
byte over;   /* processes that have ended */

/* Not in the C code: what must be true. */
bool present[2]; /* the session was bound and nothing has ended it */
byte owner;      /* of K: bound last */
byte lives[2];   /* how often present changed */
byte disturbed;  /* bit: another one wrote since the process's try began */

#define WRITES disturbed = disturbed | (255 & ~(1 << me))

inline hold(k)
{
    assert(COUNT(K) <= 1 && COUNT(Y) <= 1);
    assert(COUNT(k) == present[k]);
}

inline came(k)
{
    if
    :: !present[k] -> present[k] = 1; lives[k]++
    :: else
    fi;
    hold(k)
}

inline went(k)
{
    present[k] = 0;
    lives[k]++;
    hold(k)
}

/* lbs_place_find(), lbs_line_find(): one load after the other. i: which; W:
 * none. There was no moment in which it was missing, if it was there all the
 * time. */
inline find(k)
{
    atomic { i = 0; was = present[k]; life = lives[k] }
    do
    :: i < W ->
        atomic {
            w = word[i];
            if
            :: HOLDS(w, k) -> break
            :: else -> i++
            fi
        }
    :: else ->
        w = 0;
        assert(!was || life != lives[k]);
        break
    od
}

/* lbs_table_drop_word(). done: 1, or the word had changed */
inline drop(at, k)
{
    atomic {
        done = (word[at] == w);
        if
        :: done -> word[at] = 0; WRITES; went(k)
        :: else
        fi
    }
    if
    :: done -> taken--
    :: else
    fi
}

proctype P(byte me)
{
    short w, mine, seen;
    byte i, j, at, try, rank, best, life;
    byte now, slot, key;
    bool was, done, placed, claim, alone, young;

    atomic {
        slot = 1 + me % 3;
        if
        :: now = 0
#if DEEDS > 1
        :: now = 1 /* sessions that end at 1 are over */
#endif
        fi;
        if
        :: claim = 1; goto bind
        :: claim = 0; goto bind
#if DEEDS > 1
        :: key = K; goto renew
#endif
#if DEEDS > 2
        :: key = Y; goto renew
        :: goto forget
        :: goto sweep
#endif
        fi
    }

bind: /* bind_in() */
    if
    :: try == TRIES -> goto end /* APR_EAGAIN */
    :: else -> disturbed = disturbed & ~(1 << me)
    fi;
    find(K);
    if
    :: i == W -> goto insert
    :: else
    fi;
    /* take_over() */
    if
    :: END(w) > now && claim -> assert(SLOT(w) != 0); goto end
    :: END(w) > now && w == V(K, slot, now + 1) -> goto end
    :: else
    fi;
    atomic {
        if
        :: word[i] == w ->
            word[i] = V(K, slot, now + 1);
            WRITES;
            owner = slot;
            hold(K);
            goto end
        :: else -> assert(disturbed & (1 << me)); try++; goto bind
        fi
    }

insert: /* take_place() */
    atomic { placed = (taken < CAP); taken++ }
    if
    :: !placed -> taken--
    :: else
    fi;
    /* choose(): free_word() */
    atomic { i = 0; at = W }
    do
    :: i < W ->
        atomic {
            if
            :: word[i] == 0 && at == W -> at = i
            :: else
            fi;
            i++
        }
    :: else -> break
    od;
    if
    :: placed && at < W -> seen = 0; goto displace
    :: else
    fi;
    /* choose_victim(): j: the free word, at: the victim */
    atomic { j = at; at = W; best = 4; i = 0 }
    do
    :: i < W ->
        atomic {
            w = word[i];
            if
            :: HOLDS(w, K) -> goto lost
            :: w == 0 -> rank = 0
            :: w != 0 && !VALID(w) -> rank = 0 /* it looks old */
            :: w != 0 && !VALID(w) -> rank = 4 /* it does not */
            :: VALID(w) && !HOLDS(w, K) && END(w) <= now -> rank = 1
            :: VALID(w) && !HOLDS(w, K) && END(w) > now -> rank = 2
            fi;
            if
            :: rank < best && (placed || VALID(w)) ->
                at = i;
                best = rank;
                seen = w
            :: else
            fi;
            i++
        }
    :: else -> break
    od;
    if
    :: (placed || j == W || best < 2) && at == W ->
        /* others insert into all of them */
        goto withdrawn
    :: !(placed || j == W || best < 2) && at == W ->
        atomic { taken++; placed = 1; at = j; seen = 0 }
    :: else
    fi;

displace: /* step 1: displace() */
    atomic {
        mine = TENTATIVE(me * 16 + try);
        w = 0;
        if
        :: word[at] == seen ->
            assert(!HOLDS(seen, K));
            word[at] = mine;
            WRITES;
            if
            :: VALID(seen) ->
                /* over, or the table was full: a reason */
                assert(END(seen) <= now || !placed || j == W);
                went(Y)
            :: else
            fi
        :: else -> goto lost
        fi
    }
    if
    :: VALID(seen) && placed -> taken--
    :: else
    fi;
    if
    :: VALID(seen) -> placed = 1
    :: else
    fi;
    /* step 2: alone() */
    atomic { i = 0; alone = 1; young = 0 }
    do
    :: alone && i < W ->
        atomic {
            w = (i == at -> 0 : word[i]);
#if BROKEN == 1
            w = 0;
#endif
        }
        /* yields() */
        do
        :: !IS_K(w) -> break
        :: IS_K(w) && VALID(w) -> alone = 0; break
        :: IS_K(w) && !VALID(w) && i < at && try < PATIENCE ->
            atomic { alone = 0; young = 1 } /* it does not look old */
            break
        :: IS_K(w) && !VALID(w) ->
            atomic {
                if
                :: word[i] == w -> word[i] = 0; WRITES; w = 0; hold(K); break
                :: else -> w = word[i]
                fi
            }
        od;
        i++
    :: else -> break
    od;
    w = 0;
    if
    :: !alone ->
        atomic {
            if
            :: word[at] == mine -> word[at] = 0; WRITES
            :: else
            fi;
            if
            :: young -> goto withdrawn
            :: else -> goto lost
            fi
        }
    :: else
    fi;
    /* step 3 */
    atomic {
        if
#if BROKEN == 2
        :: 1 ->
#else
        :: word[at] == mine ->
#endif
            word[at] = V(K, slot, now + 1);
            owner = slot;
            WRITES;
            came(K);
            goto end
        :: else -> goto lost
        fi
    }

lost: /* no_insert() */
    assert(disturbed & (1 << me));
withdrawn:
    if
    :: placed -> taken--
    :: else
    fi;
    atomic { w = 0; mine = 0; seen = 0; try++; goto bind }

renew: /* renew_in() */
    if
    :: try == ROUNDS -> goto end /* others just renewed it */
    :: else
    fi;
    find(key);
    if
    :: i == W -> goto end
    :: i < W && END(w) <= now ->
        drop(i, key);
        if
        :: done -> goto end
        :: else -> try++; goto renew
        fi
    :: else
    fi;
    assert(key == Y || SLOT(w) != 0);
    atomic {
        if
        :: word[i] == w ->
            assert(key == Y || SLOT(w) == owner);
            word[i] = V(key, SLOT(w), now + 1);
            WRITES;
            hold(key);
            goto end
        :: else -> try++; goto renew
        fi
    }

forget: /* forget_in() */
    if
    :: try == ROUNDS * W -> goto end
    :: else
    fi;
    find(K);
    if
    :: i == W -> goto end
    :: else
    fi;
    drop(i, K);
    if
    :: done -> goto end
    :: else -> try++; goto forget
    fi;

sweep: /* visit() for each word */
    at = 0;
    do
    :: at < W ->
        w = word[at];
        do
        :: VALID(w) && END(w) <= now ->
            key = KEY(w);
            drop(at, key);
            if
            :: done -> break
            :: else -> w = word[at]
            fi
        :: w != 0 && !VALID(w) -> /* it looks old */
            atomic {
                if
                :: word[at] == w -> word[at] = 0; WRITES; hold(K)
                :: else
                fi
            }
            break
        :: w != 0 && !VALID(w) -> break
        :: w == 0 || (VALID(w) && END(w) > now) -> break
        od;
        at++
    :: else -> break
    od;

end:
    atomic {
        over++;
        assert(over < N || taken == VALIDS);
        assert(over < N || COUNT(K) == 0 || owner != 0)
    }
}

init {
    atomic {
        byte n;

        if
        :: word[W - 1] = V(Y, 1, 1); present[Y] = 1; taken = 1
        :: word[0] = V(Y, 1, 2); present[Y] = 1; taken = 1
#if DEEDS > 2
        :: word[1] = V(K, 3, 1); present[K] = 1; owner = 3; taken = 1
        :: word[1] = TENTATIVE(200) /* of a process that died */
#endif
        fi;
        n = 0;
        do
        :: n < N -> run P(n); n++
        :: else -> break
        od
    }
}
