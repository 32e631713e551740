/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that work on one key at once, in every order that matters.
 *
 * The code under test is compiled into this file with a pause before each
 * access to a word. Actors run it as coroutines; a schedule says before which
 * access the next one takes over. All schedules with up to three such places
 * are tried for two actors, random ones for more. In some, an actor never
 * comes back: it was killed. After every single access there must be at most
 * one valid word for the key.
 */
#include "src/base/lbs_atomic.h"

static void pause_here(void);

/* A macro does not expand itself, so the function of that name is called. */
#define lbs_atomic_load64_relaxed(at)                                         \
    (pause_here(), lbs_atomic_load64_relaxed(at))
#define lbs_atomic_load64_acquire(at)                                         \
    (pause_here(), lbs_atomic_load64_acquire(at))
#define lbs_atomic_load64_total(at) (pause_here(), lbs_atomic_load64_total(at))
#define lbs_atomic_cas64(at, seen, next)                                      \
    (pause_here(), lbs_atomic_cas64(at, seen, next))
#define lbs_atomic_cas64_total(at, seen, next)                                \
    (pause_here(), lbs_atomic_cas64_total(at, seen, next))
#include "src/table/lbs_table.c"
#include "src/table/lbs_table_bind.c"
#include "src/table/lbs_sweep.c"
#undef lbs_atomic_load64_relaxed
#undef lbs_atomic_load64_acquire
#undef lbs_atomic_load64_total
#undef lbs_atomic_cas64
#undef lbs_atomic_cas64_total

#include <ucontext.h>

#include "t/unit/table/fixture.h"

#define ACTORS 4
#define STACK 65536
#define SWITCHES 3
#define OWNER 6 /* slot of the sessions that are there at the start */

typedef enum deed_t { CLAIM, BIND, KEEP, FORGET, RENEW, CONVERT } deed_t;

typedef struct actor_t {
    ucontext_t context;
    char stack[STACK];
    deed_t deed;
    int over;
    apr_status_t rv;
    lbs_table_hit_t hit;
} actor_t;

typedef struct switch_t {
    int step;  /* counted over all actors */
    int actor; /* who goes on */
} switch_t;

static actor_t actors[ACTORS];
static int acting; /* how many take part */
static ucontext_t director;
static int running = -1; /* -1: the director */
static switch_t schedule[SWITCHES];
static int switches;
static int next_switch;
static int steps;
static int kill_step; /* -1: nobody dies */
static int twice;     /* accesses after which the key was there twice */

static lbs_table_t *table;
static lbs_table_slots_t *slots;
static apr_uint64_t key;
static apr_uint64_t scene[LBS_PAIR]; /* the words at the start */
static apr_time_t now = START;
static apr_uint64_t usual; /* unit of the expiry clock of OWNER */
static apr_uint64_t finer; /* to which CONVERT changes it */

static int entries(void)
{
    lbs_place_t place = lbs_place_of(table, key);
    int count = 0;
    int i;

    for (i = 0; i < LBS_PAIR; i++) {
        count += lbs_place_holds(
            &place, i, lbs_atomic_load64_relaxed(lbs_place_word(&place, i)));
    }
    return count;
}

static void leave(void)
{
    int self = running;

    running = -1;
    swapcontext(&actors[self].context, &director);
}

static void pause_here(void)
{
    if (running < 0) {
        return;
    }
    twice += entries() > 1;
    if (steps == kill_step) {
        actors[running].over = 1;
        steps++;
        leave(); /* for ever */
    }
    if (next_switch < switches && steps == schedule[next_switch].step) {
        steps++;
        leave();
        return;
    }
    steps++;
}

static void act(void)
{
    actor_t *self = &actors[running];
    apr_uint32_t slot = 1 + (apr_uint32_t)running;

    switch (self->deed) {
    case CLAIM:
        self->rv = lbs_table_claim(table, key, slot, now, IDLE, &self->hit);
        break;
    case BIND:
        self->rv = lbs_table_bind(table, key, slot, now, IDLE, &self->hit);
        break;
    case KEEP:
        self->rv = lbs_table_bind(table, key, OWNER, now, IDLE, &self->hit);
        break;
    case FORGET:
        self->rv = lbs_table_forget(table, key, now, &self->hit);
        break;
    case RENEW:
        self->rv = lbs_table_renew(table, key, now, IDLE, &self->hit);
        break;
    case CONVERT:
        self->rv = lbs_sweep_requantise(table, OWNER, finer, now);
        break;
    }
    self->over = 1;
    leave();
}

static void set_scene(void)
{
    int i;

    lbs_atomic_store64_relaxed(&slots->quantum_us[OWNER], usual);
    for (i = 0; i < LBS_TABLE_SLOTS && i < 8; i++) {
        lbs_atomic_store64_relaxed(&slots->sessions[i], 0);
    }
    lbs_atomic_store64_relaxed(&table->head->live, 0);
    for (i = 0; i < LBS_PAIR; i++) {
        lbs_atomic_store64_relaxed(&table->words[i], scene[i]);
        if ((scene[i] & LBS_WORD_VALID) != 0) {
            lbs_atomic_add64_relaxed(&table->head->live, 1);
            lbs_atomic_add64_relaxed(&slots->sessions[lbs_word_slot(scene[i])],
                                     1);
        }
    }
    for (i = 0; i < acting; i++) {
        actors[i].over = 0;
        actors[i].rv = APR_EGENERAL;
        getcontext(&actors[i].context);
        actors[i].context.uc_stack.ss_sp = actors[i].stack;
        actors[i].context.uc_stack.ss_size = STACK;
        actors[i].context.uc_link = NULL;
        makecontext(&actors[i].context, act, 0);
    }
}

/* Act the schedule out. @return the number of steps it took */
static int play(void)
{
    int turn = 0;

    set_scene();
    steps = 0;
    next_switch = 0;
    for (;;) {
        int tries;

        for (tries = 0; actors[turn].over && tries < acting; tries++) {
            turn = (turn + 1) % acting;
        }
        if (actors[turn].over) {
            return steps;
        }
        running = turn;
        swapcontext(&director, &actors[turn].context);
        if (!actors[turn].over) {
            turn = schedule[next_switch++].actor;
        }
    }
}

/* Did every claim but one lose, and was told who won? */
static int one_winner(void)
{
    lbs_table_hit_t hit;
    int won = 0;
    int i;

    if (lbs_table_find(table, key, now, &hit) != APR_SUCCESS) {
        return 0;
    }
    for (i = 0; i < acting; i++) {
        won += actors[i].rv == APR_SUCCESS;
        if (actors[i].rv == APR_EEXIST && actors[i].hit.slot != hit.slot) {
            return 0;
        }
    }
    return won == 1;
}

/* Used or not, the session bound half its idle time ago ends when it should.
 */
static int ends_in_time(void)
{
    apr_time_t early = now + IDLE / 2;
    lbs_table_hit_t hit;

    return lbs_table_find(table, key, now, &hit) == APR_SUCCESS
           && hit.expires_us >= early
           && hit.expires_us
                  <= now + IDLE
                         + 2 * (apr_time_t)(usual > finer ? usual : finer);
}

/* What must be true when all have acted and nobody was killed. */
static int consistent(void)
{
    apr_uint64_t sum = 0;
    int claims = 0;
    int forgets = 0;
    int i;

    for (i = 0; i < acting; i++) {
        if (actors[i].deed == CONVERT && !ends_in_time()) {
            return 0;
        }
        claims += actors[i].deed == CLAIM;
        forgets += actors[i].deed == FORGET;
        if (actors[i].rv == APR_EAGAIN || actors[i].rv == APR_EGENERAL) {
            return 0;
        }
    }
    for (i = 0; i < 8; i++) {
        sum += lbs_atomic_load64_relaxed(&slots->sessions[i]);
    }
    return sum == lbs_table_count(table) && (forgets != 0 || entries() == 1)
           && (claims != acting || one_winner());
}

static void cast_actors(int count, deed_t first, deed_t others)
{
    int i;

    acting = count;
    for (i = 0; i < count; i++) {
        actors[i].deed = i == 0 ? first : others;
    }
}

/* Two actors, every schedule with SWITCHES switches. */
static void every_schedule(const char *what)
{
    int wrong = 0;
    int played = 0;
    int end;
    int a;
    int b;
    int c;

    twice = 0;
    switches = 0;
    end = play();
    for (a = 0; a < end; a++) {
        for (b = a + 1; b < end; b++) {
            for (c = b + 1; c <= end; c++) {
                schedule[0] = (switch_t){a, 1};
                schedule[1] = (switch_t){b, 0};
                schedule[2] = (switch_t){c, 1};
                switches = SWITCHES;
                play();
                wrong += !consistent();
                played++;
            }
        }
    }
    ok(twice == 0 && wrong == 0, "%s: %d schedules", what, played);
    if (twice != 0 || wrong != 0) {
        diag("twice %d, inconsistent %d", twice, wrong);
    }
}

/* One of two actors dies before some access, after some switches. The other
 * must get through, whatever it finds. At most about limit plays. */
static void every_death(int limit, const char *what)
{
    int stuck = 0;
    int played = 0;
    int stride = 1;
    int end;
    int a;
    int b;

    twice = 0;
    switches = 0;
    end = play();
    while (end / stride * (end / stride) * (end / stride) / 6 > limit) {
        stride++;
    }
    switches = 2;
    for (a = 0; a < end; a += stride) {
        for (b = a + 1; b < end; b += stride) {
            schedule[0] = (switch_t){a, 1};
            schedule[1] = (switch_t){b, 0};
            for (kill_step = a; kill_step < end; kill_step += stride) {
                const actor_t *alive;

                play();
                alive = &actors[actors[0].rv == APR_EGENERAL];
                stuck += alive->rv != APR_SUCCESS && alive->rv != APR_EEXIST;
                played++;
            }
        }
    }
    kill_step = -1;
    ok(twice == 0 && stuck == 0, "%s: %d deaths, the other goes on", what,
       played);
    if (twice != 0 || stuck != 0) {
        diag("twice %d, stuck %d", twice, stuck);
    }
}

/* Any order, or each after the one before it, which is how a cleared word
 * could come back under its owner's hands. */
static void random_schedules(int rounds, int in_turn, const char *what)
{
    lbs_rand_t rand = {11};
    int wrong = 0;
    int i;
    int k;

    twice = 0;
    for (i = 0; i < rounds; i++) {
        int step = 0;

        for (k = 0; k < SWITCHES; k++) {
            step += 1 + (int)lbs_rand_below(&rand, 100);
            schedule[k].step = step;
            schedule[k].actor =
                in_turn ? (k + 1) % acting
                        : (int)lbs_rand_below(&rand, (apr_uint32_t)acting);
        }
        switches = SWITCHES;
        play();
        wrong += !consistent();
    }
    ok(twice == 0 && wrong == 0, "%s: %d random schedules", what, rounds);
    if (twice != 0 || wrong != 0) {
        diag("twice %d, inconsistent %d", twice, wrong);
    }
}

static apr_uint64_t live_word(apr_uint64_t tag, apr_time_t bound)
{
    int shift = lbs_quantum_shift(lbs_table_quantum(IDLE, 0));

    return tag << 32
           | lbs_word_load(OWNER, lbs_expiry_at(bound, IDLE, shift), 3)
           | LBS_WORD_VALID;
}

static void clear_scene(void)
{
    memset(scene, 0, sizeof(scene));
}

/* Others hold all words but count of them. */
static void fill_scene(int free)
{
    int i;

    for (i = 0; i < LBS_PAIR; i++) {
        scene[i] = i < free ? 0 : live_word(1000 + (apr_uint64_t)i, now);
    }
}

/* A word in the i-th place of the key: what an insert left there. */
static void leave_tentative(int i, apr_time_t when)
{
    lbs_place_t place = lbs_place_of(table, key);

    scene[lbs_place_word(&place, i) - table->words] =
        lbs_word_tentative(lbs_place_want(&place, i), when, 7);
}

int main(void)
{
#ifdef __SANITIZE_THREAD__
    puts("1..0 # SKIP the thread sanitizer cannot follow coroutines");
    return 0;
#endif
    kill_step = -1;
    fixture_start();
    slots = make_slots(8);
    usual = lbs_table_quantum(IDLE, 0);
    finer = lbs_table_quantum(IDLE / 16, 0);
    table = make_table(9, slots); /* two buckets */
    key = key_of(3);

    clear_scene();
    cast_actors(2, CLAIM, CLAIM);
    every_schedule("two claims of one key");
    every_death(100000, "two claims of one key");
    cast_actors(2, BIND, BIND);
    every_schedule("two binds of one key");
    cast_actors(2, BIND, FORGET);
    every_schedule("a bind and a forget");

    fill_scene(0);
    cast_actors(1, CLAIM, CLAIM);
    switches = 0;
    ok(play() <= 6 * LBS_PAIR,
       "an insert into a full table makes six accesses a word, no more");
    cast_actors(2, CLAIM, CLAIM);
    every_schedule("two claims in a full table");
    every_death(60000, "two claims in a full table");

    clear_scene();
    leave_tentative(0, now);
    cast_actors(2, CLAIM, CLAIM);
    every_death(60000, "beside what one killed this instant left");
    clear_scene();
    leave_tentative(9, now - SECOND);
    every_schedule("beside what one killed a second ago left");

    clear_scene();
    {
        lbs_place_t place = lbs_place_of(table, key);

        scene[lbs_place_word(&place, 2) - table->words] =
            (live_word(key >> 32, now - 2 * IDLE) | lbs_place_want(&place, 2));
    }
    cast_actors(2, CLAIM, RENEW);
    every_schedule("a claim and a renew of an expired session");

    clear_scene();
    {
        lbs_place_t place = lbs_place_of(table, key);

        scene[lbs_place_word(&place, 2) - table->words] =
            (live_word(key >> 32, now - IDLE / 2) | lbs_place_want(&place, 2));
    }
    cast_actors(2, RENEW, CONVERT);
    every_schedule("a renew while the clock of the slot is changed");
    cast_actors(2, KEEP, CONVERT);
    every_schedule("a bind to its owner while the clock is changed");
    clear_scene();
    every_schedule("a new session while the clock is changed");
    usual = lbs_table_quantum(IDLE / 16, 0);
    finer = lbs_table_quantum(IDLE, 0);
    every_schedule("a new session while the clock is made coarser");
    usual = lbs_table_quantum(IDLE, 0);
    finer = lbs_table_quantum(IDLE / 16, 0);

    clear_scene();
    cast_actors(3, CLAIM, CLAIM);
    random_schedules(60000, 0, "three claims");
    fill_scene(1);
    random_schedules(60000, 0, "three claims, one free word");
    fill_scene(0);
    scene[5] = live_word(1005, now - IDLE / 2); /* so the second to come */
    scene[2] = live_word(1002, now - IDLE / 4); /* takes a lower word */
    random_schedules(60000, 1, "three claims, one clearing another");
    clear_scene();
    cast_actors(4, BIND, CLAIM);
    random_schedules(60000, 0, "a bind and three claims");
    return done_testing();
}
