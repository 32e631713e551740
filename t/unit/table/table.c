/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups, expiry, eviction and chains of the session table, single-threaded,
 * against what an obvious list of sessions would say. */
#include "t/unit/table/fixture.h"

static void test_block(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    apr_size_t len = lbs_table_bytes(1000);
    char *block = shared(len + LBS_TABLE_ALIGN);
    lbs_table_t *table = NULL;

    is_int(lbs_table_bytes(0), 0, "no size for no sessions");
    is_near((double)lbs_table_bytes(1000000) / 1e6, 13.33, 0.02,
            "13.3 bytes per session");
    ok(sizeof(apr_size_t) < 8
           ? lbs_table_bytes(4294967295u) == 0
           : lbs_table_bytes(4294967295u) > APR_UINT64_C(57000000000),
       "the largest number of sessions does not overflow");
    is_int(lbs_table_format(block, len - 1, 1000), APR_EINVAL,
           "a short block is refused");
    is_int(lbs_table_format(block + 8, len, 1000), APR_EINVAL,
           "an unaligned block is refused");
    is_int(lbs_table_open(&table, block, len, slots, pool), APR_EGENERAL,
           "a block of zeroes is no table");
    is_int(lbs_table_format(block, len, 1000), APR_SUCCESS, "format");
    is_int(lbs_table_open(&table, block + 8, len, slots, pool), APR_EINVAL,
           "an unaligned view is refused");
    is_int(lbs_table_open(&table, block, len - 1, slots, pool), APR_EGENERAL,
           "a table longer than its block is refused");
    ok(table == NULL, "a refused open leaves its result alone");
    is_int(lbs_table_open(&table, block, len, slots, pool), APR_SUCCESS,
           "open");
}

static void test_damaged_head(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    apr_size_t len = lbs_table_bytes(1000);
    unsigned char *block = shared(len);
    int opened = 0;
    size_t bit;

    for (bit = 0; bit < 8 * offsetof(lbs_table_head_t, pad1); bit++) {
        lbs_table_t *table;

        lbs_table_format(block, len, 1000);
        block[bit / 8] ^= (unsigned char)(1u << bit % 8);
        opened +=
            lbs_table_open(&table, block, len, slots, pool) == APR_SUCCESS;
    }
    is_int(opened, 0, "a head with any one bit wrong is refused");
}

static void test_life_of_a_session(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(1000, slots);
    lbs_table_hit_t hit = {77, 77, 77};
    apr_time_t now = START;
    apr_uint64_t key = key_of(1);

    is_int(lbs_table_find(table, key, now, &hit), APR_NOTFOUND, "unknown");
    is_int(lbs_table_renew(table, key, now, IDLE, &hit), APR_NOTFOUND,
           "an unknown one is not renewed");
    is_int(hit.slot, 77, "a miss leaves its result alone");
    is_int(lbs_table_bind(table, key, 9, now, IDLE, &hit), APR_EINVAL,
           "an unused slot is refused");
    is_int(lbs_table_bind(table, key, LBS_TABLE_SLOTS, now, IDLE, &hit),
           APR_EINVAL, "no slot at all is refused");
    is_int(lbs_table_bind(table, key, 2, now, IDLE, &hit), APR_SUCCESS,
           "bind");
    is_int(hit.slot, LBS_TABLE_NONE, "nobody had it before");
    is_int(lbs_table_find(table, key, now, &hit), APR_SUCCESS, "find");
    is_int(hit.slot, 2, "its slot");
    is_int(hit.seen, 0, "not seen again yet");
    is_near((double)hit.expires_us, (double)(now + IDLE), IDLE / 256.0,
            "its end, within 1/256");
    ok(hit.expires_us >= now + IDLE, "never too early");
    is_int(lbs_table_sessions(slots, 2), 1, "counted");

    is_int(lbs_table_bind(table, key, 3, now, IDLE, &hit), APR_SUCCESS,
           "bind to another");
    is_int(hit.slot, 2, "who had it before");
    is_int(lbs_table_sessions(slots, 2), 0, "taken from the one");
    is_int(lbs_table_sessions(slots, 3), 1, "given to the other");

    is_int(lbs_table_claim(table, key, 1, now, IDLE, &hit), APR_EEXIST,
           "no claim to a session that is bound");
    is_int(hit.slot, 3, "the owner");

    is_int(lbs_table_forget(table, key, now, &hit), APR_SUCCESS, "forget");
    is_int(hit.slot, 3, "who had it");
    is_int(lbs_table_forget(table, key, now, &hit), APR_NOTFOUND,
           "forgotten already");
    is_int(lbs_table_claim(table, key, 1, now, IDLE, &hit), APR_SUCCESS,
           "a claim to a free session");
    is_int(lbs_table_count(table), 1, "one word");
    is_sound(table, now, "at the end of a life");
}

static void test_expiry_to_the_unit(void)
{
    lbs_table_slots_t *slots = make_slots(4);
    lbs_table_t *table = make_table(1000, slots);
    lbs_table_stats_t stats;
    lbs_table_hit_t hit;
    apr_time_t now = START + 12345;

    lbs_table_bind(table, key_of(1), 1, now, IDLE, NULL);
    is_int(lbs_table_find(table, key_of(1), now + IDLE, &hit), APR_SUCCESS,
           "alive for all of its idle time");
    is_int(lbs_table_find(table, key_of(1), hit.expires_us - 1, &hit),
           APR_SUCCESS, "alive one microsecond before its end");
    is_int(lbs_table_find(table, key_of(1), hit.expires_us, &hit), APR_TIMEUP,
           "over at its end");
    is_int(lbs_table_count(table), 1, "a look leaves it there");
    is_int(
        lbs_table_renew(table, key_of(1), now + IDLE + IDLE / 256, IDLE, &hit),
        APR_TIMEUP, "too late to renew after 1/256 more");
    is_int(lbs_table_renew(table, key_of(1), now, IDLE, &hit), APR_NOTFOUND,
           "and gone with that");
    is_int(lbs_table_sessions(slots, 1), 0, "and uncounted");

    lbs_table_bind(table, key_of(2), 1, now, IDLE, NULL);
    lbs_table_renew(table, key_of(2), now + IDLE / 2, IDLE, &hit);
    is_int(lbs_table_find(table, key_of(2), now + IDLE + IDLE / 3, &hit),
           APR_SUCCESS, "renewed at half time it lives half as long again");
    is_int(lbs_table_bind(table, key_of(2), 2, now + 2 * IDLE, IDLE, &hit),
           APR_SUCCESS, "an expired one can be bound anew");
    is_int(hit.slot, LBS_TABLE_NONE, "and has no owner to tell of");
    lbs_table_bind(table, key_of(3), 1, now + 2 * IDLE, -5, NULL);
    is_int(lbs_table_find(table, key_of(3), now + 3 * IDLE, &hit), APR_TIMEUP,
           "a negative idle time is none");
    lbs_table_stats(table, &stats);
    is_int(stats.expired, 2, "expired ones are counted");
    is_sound(table, now, "after expiry");
}

/* A session bound so close to a wrap must live on and end on the other side.
 */
static void crosses(apr_time_t wrap, const char *what)
{
    lbs_table_slots_t *slots = make_slots(2);
    lbs_table_t *table = make_table(64, slots);
    apr_time_t now = wrap - IDLE / 2;
    lbs_table_hit_t hit;

    lbs_table_bind(table, key_of(1), 1, now, IDLE, NULL);
    ok(lbs_table_find(table, key_of(1), wrap - 1, &hit) == APR_SUCCESS
           && lbs_table_find(table, key_of(1), wrap, &hit) == APR_SUCCESS
           && lbs_table_find(table, key_of(1), now + IDLE, &hit)
                  == APR_SUCCESS,
       "%s: lives across", what);
    is_int(lbs_table_find(table, key_of(1), now + IDLE + IDLE / 200, &hit),
           APR_TIMEUP, "%s: ends in time", what);
    is_int(lbs_table_find(table, key_of(1), now + 15 * IDLE, &hit), APR_TIMEUP,
           "%s: is still over 15 idle times later", what);
    is_int(lbs_table_find(table, key_of(1), now - SECOND, &hit), APR_SUCCESS,
           "%s: a clock a second back does not end it", what);
}

static void test_clock_wrap(void)
{
    apr_time_t quantum = (apr_time_t)lbs_table_quantum(IDLE, 0);

    crosses(APR_INT64_C(2147483648) * 1000, "2^31 ms");
    crosses(APR_INT64_C(4294967296) * 1000, "2^32 ms");
    crosses(APR_INT64_C(4294967296), "2^32 us");
    crosses(quantum << 15, "the expiry clock's own wrap, twice");
    crosses(quantum << 14, "the expiry clock's own wrap");
    crosses(quantum << 13, "the expiry clock's sign");
}

static void test_backwards_clock(void)
{
    lbs_table_slots_t *slots = make_slots(2);
    lbs_table_t *table = make_table(64, slots);
    lbs_table_hit_t hit;

    lbs_table_bind(table, key_of(1), 1, START, IDLE, NULL);
    is_int(lbs_table_renew(table, key_of(1), START - SECOND, IDLE, &hit),
           APR_SUCCESS, "a second back: renewed");
    is_int(lbs_table_renew(table, key_of(1), 0, IDLE, &hit), APR_SUCCESS,
           "back to zero: renewed");
    is_int(lbs_table_bind(table, key_of(2), 1, 0, IDLE, &hit), APR_SUCCESS,
           "bound at zero");
    is_int(lbs_table_find(table, key_of(2), 0, &hit), APR_SUCCESS,
           "and found there");
}

static void test_promotion(void)
{
    lbs_table_slots_t *slots = make_slots(2);
    lbs_table_t *table = make_table(20000, slots);
    lbs_rand_t rand = {7};
    lbs_table_hit_t hit;
    int early = 0;
    int late = 0;
    int paused = 0;
    int rebound = 0;
    int twice = 0;
    apr_uint64_t n;

    for (n = 0; n < 2000; n++) {
        apr_time_t bound = START + lbs_rand_below(&rand, (apr_uint32_t)IDLE);
        apr_time_t end = bound;
        int hits = 0;

        /* A hit every hundredth of idle, like a reader who clicks on. */
        lbs_table_bind(table, key_of(n), 1, bound, IDLE, NULL);
        do {
            end += IDLE / 100;
            hits++;
            lbs_table_renew(table, key_of(n), end, IDLE, &hit);
        } while (!hit.seen && end < bound + IDLE);
        early += hits < 2;
        late += end - bound > IDLE / 20 + IDLE / 50;
        /* One hit after a pause of a twentieth. */
        lbs_table_bind(table, key_of(n + 2000), 1, bound, IDLE, NULL);
        lbs_table_renew(table, key_of(n + 2000),
                        bound + IDLE / 20 + IDLE / 256, IDLE, &hit);
        paused += hit.seen;
        /* The same by binding it once more where it is. */
        lbs_table_bind(table, key_of(n + 4000), 1, bound, IDLE, NULL);
        lbs_table_bind(table, key_of(n + 4000), 1,
                       bound + IDLE / 20 + IDLE / 256, IDLE, NULL);
        lbs_table_find(table, key_of(n + 4000), bound, &hit);
        rebound += hit.seen;
        /* Two hits at once. */
        lbs_table_bind(table, key_of(n + 6000), 1, bound, IDLE, NULL);
        lbs_table_renew(table, key_of(n + 6000), bound, IDLE, &hit);
        lbs_table_renew(table, key_of(n + 6000), bound, IDLE, &hit);
        twice += hit.seen;
    }
    is_int(early, 0, "no second hit soon after makes a session a lasting one");
    is_int(late, 0, "further ones do within idle/20");
    is_int(paused, 2000, "so does one after a pause of idle/20");
    is_int(rebound, 2000, "and binding it again is a use like a hit");
    is_int(twice, 0, "however many at once do not");
}

/* Hot sessions must not make their cache line travel between processors. */
static void test_quiet_renew(void)
{
    lbs_table_slots_t *slots = make_slots(2);
    lbs_table_t *table = make_table(64, slots);
    apr_time_t quantum = (apr_time_t)lbs_table_quantum(IDLE, 0);
    apr_time_t now = START - (START + IDLE) % quantum;
    lbs_place_t place = lbs_place_of(table, key_of(1));
    lbs_table_hit_t hit;
    apr_uint64_t before;
    apr_uint64_t after;

    lbs_table_bind(table, key_of(1), 1, now, IDLE, NULL);
    lbs_table_renew(table, key_of(1), now, IDLE, &hit); /* the second use */
    lbs_place_find(&place, &before);
    lbs_table_renew(table, key_of(1), now + quantum - 1, IDLE, &hit);
    lbs_place_find(&place, &after);
    ok(before == after, "a hit within the quantum writes nothing");
    lbs_table_bind(table, key_of(1), 1, now + quantum - 1, IDLE, &hit);
    lbs_place_find(&place, &after);
    ok(before == after, "nor does a bind to its own member");
    lbs_table_renew(table, key_of(1), now + quantum, IDLE, &hit);
    lbs_place_find(&place, &after);
    ok(before != after, "a later one does");
}

/* The slow obvious twin: a list of who is bound to what until when. */
#define TWIN 600
typedef struct twin_t {
    apr_uint32_t slot; /* LBS_TABLE_NONE: not bound */
    apr_time_t ends;   /* at the earliest; at the latest 1/256 later */
} twin_t;

/* 1: yes, 0: no, -1: within the last unit, either answer is right */
static int twin_lives(const twin_t *twin, apr_time_t now)
{
    if (twin->slot == LBS_TABLE_NONE || now > twin->ends + IDLE / 256) {
        return 0;
    }
    return now <= twin->ends ? 1 : -1;
}

static int twin_agrees(const twin_t *twin, apr_time_t now, apr_status_t rv,
                       const lbs_table_hit_t *hit)
{
    int lives = twin_lives(twin, now);

    return rv == APR_SUCCESS ? lives != 0 && hit->slot == twin->slot
                             : lives != 1;
}

/* One random operation on the table and on its twin. @return they agree */
static int step(lbs_table_t *table, twin_t *twins, lbs_rand_t *rand,
                apr_time_t now)
{
    apr_uint32_t n = lbs_rand_below(rand, TWIN);
    apr_uint32_t slot = 1 + lbs_rand_below(rand, 7);
    twin_t *twin = &twins[n];
    int lives = twin_lives(twin, now);
    lbs_table_hit_t hit = {LBS_TABLE_NONE, 0, 0};
    apr_status_t rv;

    switch (lbs_rand_below(rand, 6)) {
    case 0:
        rv = lbs_table_find(table, key_of(n), now, &hit);
        return twin_agrees(twin, now, rv, &hit);
    case 1:
    case 2:
        rv = lbs_table_renew(table, key_of(n), now, IDLE, &hit);
        lives = twin_agrees(twin, now, rv, &hit);
        twin->ends = now + IDLE;
        twin->slot = rv == APR_SUCCESS ? twin->slot : LBS_TABLE_NONE;
        return lives;
    case 3:
        rv = lbs_table_bind(table, key_of(n), slot, now, IDLE, &hit);
        lives = twin_agrees(
            twin, now, hit.slot == LBS_TABLE_NONE ? APR_NOTFOUND : rv, &hit);
        break;
    case 4:
        rv = lbs_table_claim(table, key_of(n), slot, now, IDLE, &hit);
        if (rv == APR_EEXIST) {
            return twin_agrees(twin, now, APR_SUCCESS, &hit);
        }
        lives = rv == APR_SUCCESS && lives != 1;
        break;
    default:
        rv = lbs_table_forget(table, key_of(n), now, &hit);
        lives = twin_agrees(twin, now, rv, &hit);
        twin->slot = LBS_TABLE_NONE;
        return lives;
    }
    twin->slot = slot;
    twin->ends = now + IDLE;
    return lives;
}

static void test_random(lbs_table_t *table, int steps, const char *what)
{
    twin_t twins[TWIN];
    lbs_sweep_t *sweep;
    lbs_rand_t rand = {42};
    apr_time_t now = START;
    int wrong = 0;
    int i;

    for (i = 0; i < TWIN; i++) {
        twins[i].slot = LBS_TABLE_NONE;
        twins[i].ends = 0;
    }
    lbs_sweep_create(&sweep, table, pool);
    for (i = 0; i < steps; i++) {
        now += lbs_rand_below(&rand, IDLE / 400);
        wrong += !step(table, twins, &rand, now);
        if (i % 64 == 0) {
            lbs_sweep_run(sweep, 10, now, NULL, NULL, NULL);
        }
    }
    is_int(wrong, 0, "%s: %d random steps agree with the slow twin", what,
           steps);
    is_sound(table, now, what);
    while (lbs_sweep_run(sweep, 0, now + 2 * IDLE, NULL, NULL, NULL)
           == APR_INCOMPLETE) {
    }
    lbs_sweep_run(sweep, 0, now + 2 * IDLE, NULL, NULL, NULL);
    is_int(lbs_table_count(table), 0, "%s: all expire in the end", what);
    is_sound(table, now, what);
}

/* Sizes at which full tables of others broke. */
static void test_full(apr_uint32_t sessions)
{
    lbs_table_slots_t *slots = make_slots(3);
    lbs_table_t *table = make_table(sessions, slots);
    apr_uint64_t words = lbs_table_bytes(sessions) / 8;
    lbs_table_stats_t stats;
    lbs_table_hit_t hit;
    apr_uint64_t n;
    int failed = 0;
    int lost = 0;

    /* Everybody is busy: seen, and renewed just now. */
    for (n = 0; n < 8 * words; n++) {
        failed += lbs_table_bind(table, key_of(n), 1, START, IDLE, NULL)
                  != APR_SUCCESS;
        failed +=
            lbs_table_renew(table, key_of(n), START + IDLE / 2, IDLE, &hit)
            != APR_SUCCESS;
        lost += lbs_table_find(table, key_of(n), START + IDLE / 2, &hit)
                != APR_SUCCESS;
    }
    is_int(failed, 0, "size %u full of busy ones: every insert succeeds",
           (unsigned)sessions);
    is_int(lost, 0, "size %u: and is there", (unsigned)sessions);
    lbs_table_stats(table, &stats);
    is_int(stats.entries + stats.evicted_seen + stats.evicted_unseen,
           8 * words, "size %u: each is there or counted as evicted",
           (unsigned)sessions);
    is_int(stats.entries, lbs_table_count(table),
           "size %u: the count equals a walk", (unsigned)sessions);
    is_int(stats.entries, sessions, "size %u: so many fit, and no more",
           (unsigned)sessions);
    is_sound(table, START, "when full");
}

static void test_victims(void)
{
    lbs_table_slots_t *slots = make_slots(3);
    lbs_table_t *table = make_table(9, slots); /* two buckets, 16 words */
    apr_time_t now = START;
    lbs_table_stats_t stats;
    lbs_table_hit_t hit;
    apr_uint64_t n;

    for (n = 0; n < 9; n++) {
        lbs_table_bind(table, key_of(n), 1, now, n == 5 ? IDLE / 4 : IDLE,
                       NULL);
    }
    lbs_table_renew(table, key_of(4), now, IDLE, &hit); /* again at once */
    now += IDLE / 8; /* all but 3, 4, 5 and 7 are used again */
    for (n = 0; n < 9; n++) {
        if (n != 3 && n != 4 && n != 5 && n != 7) {
            lbs_table_renew(table, key_of(n), now + (apr_time_t)n * SECOND,
                            IDLE, &hit);
        }
    }
    now += IDLE / 2;
    is_int(lbs_table_count(table), 9, "a full table");
    lbs_table_bind(table, key_of(100), 1, now, IDLE, NULL);
    is_int(lbs_table_find(table, key_of(5), now, &hit), APR_NOTFOUND,
           "the expired one goes first");
    lbs_table_renew(table, key_of(100), now + IDLE / 4, IDLE, &hit);
    lbs_table_bind(table, key_of(101), 1, now + IDLE / 4, IDLE, NULL);
    lbs_table_renew(table, key_of(101), now + IDLE / 3, IDLE, &hit);
    lbs_table_bind(table, key_of(102), 1, now + IDLE / 3, IDLE, NULL);
    lbs_table_renew(table, key_of(102), now + IDLE / 2 - 1, IDLE, &hit);
    ok(lbs_table_find(table, key_of(3), now, &hit) == APR_NOTFOUND
           && lbs_table_find(table, key_of(7), now, &hit) == APR_NOTFOUND,
       "then those never used again");
    is_int(lbs_table_find(table, key_of(4), now, &hit), APR_SUCCESS,
           "not the one that was at once");
    lbs_table_bind(table, key_of(103), 1, now + IDLE / 3, IDLE, NULL);
    is_int(lbs_table_find(table, key_of(4), now, &hit), APR_NOTFOUND,
           "which goes before those used for some time");
    lbs_table_renew(table, key_of(103), now + IDLE / 2 - 1, IDLE, &hit);
    lbs_table_bind(table, key_of(104), 1, now + IDLE / 3, IDLE, NULL);
    is_int(lbs_table_find(table, key_of(0), now, &hit), APR_NOTFOUND,
           "then the one idle for longest");
    is_int(lbs_table_find(table, key_of(1), now, &hit), APR_SUCCESS,
           "and not the next");
    lbs_table_stats(table, &stats);
    is_int(stats.expired, 1, "one expired");
    is_int(stats.evicted_unseen, 2, "two evicted unseen");
    is_int(stats.evicted_seen, 2, "two evicted seen");
}

static void test_unused_slot(void)
{
    lbs_table_slots_t *slots = make_slots(3);
    lbs_table_t *table = make_table(100, slots);
    lbs_table_hit_t hit;

    lbs_table_bind(table, key_of(1), 2, START, IDLE, NULL);
    lbs_sweep_requantise(table, 2, 0, START);
    is_int(lbs_table_find(table, key_of(1), START, &hit), APR_NOTFOUND,
           "sessions of a slot taken out of use count as gone");
    is_int(lbs_table_renew(table, key_of(1), START, IDLE, &hit), APR_NOTFOUND,
           "for renew too");
    is_int(lbs_table_bind(table, key_of(1), 1, START, IDLE, &hit), APR_SUCCESS,
           "and can be bound anew");
    is_int(hit.slot, LBS_TABLE_NONE, "from nobody");
    is_sound(table, START, "after that");
}

static void test_chain_rules(void)
{
    lbs_table_slots_t *slots = make_slots(3);
    lbs_table_t *views[6];
    int i;

    for (i = 0; i < 6; i++) {
        views[i] = make_table(100, slots);
    }
    is_int(lbs_table_chain(views[0], make_table(9, make_slots(1)), 0),
           APR_EINVAL, "no chain over other slots");
    is_int(lbs_table_chain(views[0], views[0], 0), APR_EINVAL,
           "no chain to itself");
    for (i = 0; i < LBS_TABLE_CHAIN; i++) {
        is_int(lbs_table_chain(views[i + 1], views[i], 0), APR_SUCCESS,
               "older table %d", i + 1);
    }
    is_int(lbs_table_chain(views[4], views[3], 0), APR_EINVAL,
           "too long a chain is refused");
    is_int(lbs_table_chain(views[3], views[5], 0), APR_EINVAL,
           "as is a second one");
}

static void test_chain_moves(void)
{
    lbs_table_slots_t *slots = make_slots(3);
    lbs_table_t *older = make_table(300, slots);
    lbs_table_t *table = make_table(1000, slots);
    apr_time_t move = START + 10 * SECOND;
    lbs_table_hit_t hit;
    apr_uint64_t n;
    int lost = 0;

    for (n = 0; n < 200; n++) {
        lbs_table_bind(older, key_of(n), 1, START, IDLE, NULL);
    }
    is_int(lbs_table_chain(table, older, move), APR_SUCCESS, "chain");
    for (n = 0; n < 200; n++) {
        lost += lbs_table_find(table, key_of(n), START, &hit) != APR_SUCCESS;
        lost += lbs_table_renew(table, key_of(n), move - 1, IDLE, &hit)
                != APR_SUCCESS;
    }
    is_int(lost, 0, "a miss looks into the older table");
    is_int(lbs_table_count(older), 200,
           "where sessions stay while its processes may still run");
    lbs_table_bind(table, key_of(0), 2, move - 1, IDLE, &hit);
    is_int(hit.slot, 1, "a bind finds the owner there");
    is_int(lbs_table_count(older), 200, "and changes it there");
    lbs_table_bind(table, key_of(500), 2, move - 1, IDLE, NULL);
    is_int(lbs_table_count(table), 1, "a new one goes into the new table");

    for (n = 0; n < 100; n++) {
        lost +=
            lbs_table_renew(table, key_of(n), move, IDLE, &hit) != APR_SUCCESS;
        lost += hit.slot != (n == 0 ? 2 : 1);
    }
    is_int(lost, 0, "later a hit");
    is_int(lbs_table_count(older), 100, "takes it from the old table");
    is_int(lbs_table_count(table), 101, "to the new one");
    is_int(lbs_table_claim(table, key_of(150), 2, move, IDLE, &hit),
           APR_EEXIST, "a claim moves an owned session over");
    is_int(lbs_table_count(table), 102, "as well");
    is_int(lbs_table_forget(table, key_of(151), move, &hit), APR_SUCCESS,
           "a session of the older table can be forgotten");
    is_int(lbs_table_find(table, key_of(151), move, &hit), APR_NOTFOUND,
           "for good");
    is_int(lbs_table_sessions(slots, 1) + lbs_table_sessions(slots, 2), 200,
           "moving does not count twice");
    is_sound(table, move, "in the chain");
}

/* Lives from a second to ten years, told apart by parts of a second: what the
 * clock tells of an end holds for as long a time behind it. */
static void test_quantum(void)
{
    apr_interval_time_t life;
    int wrong = 0, coarse = 0;

    for (life = SECOND; life < 315360000 * SECOND; life += life / 3) {
        apr_uint64_t most =
            lbs_table_quantum(life < SECOND ? life : SECOND, life);

        wrong += (apr_uint64_t)life / most + 2 > LBS_EXPIRY_AHEAD;
        coarse += most > 4096 && (apr_uint64_t)life / most < 0x0fff;
    }
    ok(wrong == 0, "no life is longer than half of what the clock tells");
    ok(coarse == 0, "and none is told coarser than need be");
}

int main(void)
{
    static lbs_table_slots_t *slots;
    lbs_table_t *table;

    fixture_start();
    test_block();
    test_damaged_head();
    test_life_of_a_session();
    test_expiry_to_the_unit();
    test_clock_wrap();
    test_backwards_clock();
    test_promotion();
    test_quiet_renew();
    test_quantum();
    slots = make_slots(8);
    test_random(make_table(5000, slots), 200000, "one table");
    slots = make_slots(8);
    table = make_table(5000, slots);
    lbs_table_chain(table, make_table(3000, slots), START + 5000 * SECOND);
    test_random(table, 200000, "a chain");
    test_full(1);
    test_full(2);
    test_full(255);
    test_full(256);
    test_victims();
    test_unused_slot();
    test_chain_rules();
    test_chain_moves();
    return done_testing();
}
