/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_registry.h"

#include <sys/wait.h>
#include <unistd.h>

#include "src/base/lbs_rand.h"
#include "src/state/lbs_reclaim.h"
#include "t/unit/state/fixture.h"

/* The event written last but `back`. */
static void event_is(const lbs_registry_t *reg, int back, const char *kind,
                     const char *member)
{
    lbs_events_t *events = lbs_registry_events(reg);
    lbs_event_t event;

    memset(&event, 0, sizeof(event));
    (void)lbs_events_get(
        events, lbs_events_count(events) - 1 - (apr_uint64_t)back, &event);
    is_str(lbs_event_name(event.kind), kind, "event %s of %s", kind, member);
    is_str(event.member, member, "its member");
}

/* Names longer than their field are refused; none is cut, so none of these
 * can become equal. */
static void long_names(void)
{
    lbs_registry_t *reg = new_registry();
    static const apr_size_t lengths[] = {255, 256, 1024};
    apr_uint32_t pool = pool_of(reg, "v", "p"), slot = 77, other;
    char a[1100], b[1100];
    int i, created = 7;
    lbs_registry_member_info_t info;

    for (i = 0; i < 3; i++) {
        int fits = lengths[i] <= LBS_REGISTRY_URL_LEN;

        memset(a, 'x', lengths[i]);
        a[lengths[i]] = '\0';
        memcpy(b, a, sizeof(b));
        b[lengths[i] - 1] = 'y';
        slot = 77;
        is_int(lbs_registry_member(reg, pool, NULL, a, &slot, &created),
               fits ? APR_SUCCESS : APR_ENAMETOOLONG, "a URL of %d bytes",
               (int)lengths[i]);
        if (!fits) {
            ok(slot == 77 && created == 1, "nothing changed");
            continue;
        }
        other = member_of(reg, pool, NULL, b);
        ok(slot != other, "one that differs in the last byte is another");
        (void)lbs_registry_member_info(reg, slot, &info);
        is_str(info.url, a, "the whole name is kept");
    }
    memset(a, 'x', sizeof(a));
    a[LBS_REGISTRY_ROUTE_LEN + 1] = '\0';
    is_int(lbs_registry_member(reg, pool, a, "u", &slot, NULL),
           APR_ENAMETOOLONG, "a route too long");
    is_int(lbs_registry_pool(reg, "v", a, &slot, NULL), APR_ENAMETOOLONG,
           "a pool's name too long");
    a[LBS_REGISTRY_ROUTE_LEN] = '\0';
    is_int(lbs_registry_member(reg, pool, a, "u", &slot, NULL), APR_SUCCESS,
           "a route that just fits");
    memset(a, 'x', sizeof(a));
    a[LBS_REGISTRY_VHOST_LEN + 1] = '\0';
    is_int(lbs_registry_pool(reg, a, "p", &slot, NULL), APR_ENAMETOOLONG,
           "a server name too long");
}

static void bad_names(void)
{
    lbs_registry_t *reg = new_registry();
    apr_uint32_t slot = 5, pool;

    is_int(lbs_registry_pool(reg, "v", "", &slot, NULL), APR_EINVAL,
           "a pool has a name");
    pool = pool_of(reg, "", "p");
    is_int(lbs_registry_member(reg, pool, "r", "", &slot, NULL), APR_EINVAL,
           "a member has a URL");
    is_int(lbs_registry_member(reg, pool + 1, "r", "u", &slot, NULL),
           APR_EINVAL, "a member has a pool");
    is_int(lbs_registry_member(reg, LBS_REGISTRY_NONE, "r", "u", &slot, NULL),
           APR_EINVAL, "that exists");
    is_int(slot, 5, "nothing was written");
}

static void two_of_one_name_in_a_pass(void)
{
    lbs_registry_t *reg = new_registry();
    apr_uint32_t pool, slot = 5;

    lbs_registry_begin(reg);
    pool = pool_of(reg, "v", "p");
    (void)member_of(reg, pool, "r", "http://a/");
    (void)member_of(reg, pool, NULL, "http://a/x");
    is_int(lbs_registry_pool(reg, "V", "p", &slot, NULL), APR_EEXIST,
           "the pool a second time");
    is_int(lbs_registry_member(reg, pool, "r", "http://b/", &slot, NULL),
           APR_EEXIST, "the route a second time");
    is_int(lbs_registry_member(reg, pool, NULL, "http://a/x", &slot, NULL),
           APR_EEXIST, "the URL a second time");
    is_int(slot, 5, "no slot is given");
    (void)member_of(reg, pool, NULL, "http://a/y");
    (void)member_of(reg, pool, NULL, "http://a/X");
    is_int(count_members(reg, pool), 4, "paths and letter case are distinct");
}

static void a_reversed_list_keeps_the_counters(void)
{
    lbs_registry_t *reg = new_registry();
    apr_uint32_t before[256], after[256];
    const char *name;
    int right = 0, i;

    configure(reg, "12345", 1, before);
    for (name = "12345"; *name != '\0'; name++) {
        lbs_registry_gauges(reg)[before[(unsigned char)*name]].ewma =
            (apr_uint32_t)*name;
    }
    configure(reg, "54321", 2, after);
    for (name = "12345"; *name != '\0'; name++) {
        apr_uint32_t slot = after[(unsigned char)*name];

        right += lbs_registry_gauges(reg)[slot].ewma == (apr_uint32_t)*name;
    }
    is_int(right, 5, "every member finds its own");
    for (i = 0; i < 10; i++) {
        configure(reg, "35214", 3 + i, after);
    }
    is_int(count_members(reg, LBS_REGISTRY_NONE), 5,
           "members are counted once after ten reloads");
    is_int(lbs_registry_generation(reg), 12, "and the reloads too");
    is_int(lbs_events_count(lbs_registry_events(reg)), 0,
           "nobody came and nobody went");
}

static void added_and_removed(void)
{
    lbs_registry_t *reg = new_registry();
    apr_uint32_t slots[256], again[256], slot = 0;
    int created = 7;
    lbs_clock_t clock = at(50);
    lbs_registry_member_info_t info;

    configure(reg, "123", 10, slots);
    is_int(lbs_events_count(lbs_registry_events(reg)), 0,
           "the first start tells nothing");
    configure(reg, "143", 20, slots);
    is_int(lbs_events_count(lbs_registry_events(reg)), 2, "a reload does");
    event_is(reg, 1, "removed", "2");
    event_is(reg, 0, "added", "4");
    ok(removed(reg, slots['2']), "the removed one is closed");
    ok(!removed(reg, slots['4']), "the new one is not");
    (void)lbs_registry_member_info(reg, slots['2'], &info);
    ok(info.removed, "and says so");

    lbs_registry_gauges(reg)[slots['2']].ewma = 42;
    lbs_registry_begin(reg);
    is_int(lbs_registry_member(reg, pool_of(reg, "www", "app"), "2",
                               "http://w2", &slot, &created),
           APR_SUCCESS, "it comes back");
    ok(slot == slots['2'] && created == 1, "to its slot, as one that came");
    is_int(lbs_registry_gauges(reg)[slot].ewma, 42, "with its state");
    lbs_registry_commit(reg, &clock);
    ok(!removed(reg, slot), "and is open again");
    event_is(reg, 2, "added", "2");
    configure(reg, "2", 60, again);
    is_int(again['2'], slots['2'], "there it stays");
}

static void a_renamed_route_is_a_new_member(void)
{
    lbs_registry_t *reg = new_registry();
    apr_uint32_t pool, old, new;
    lbs_registry_member_info_t info;
    lbs_clock_t clock = at(1);

    lbs_registry_begin(reg);
    pool = pool_of(reg, "www", "app");
    old = member_of(reg, pool, "a", "http://w");
    lbs_registry_commit(reg, &clock);
    lbs_registry_begin(reg);
    pool = pool_of(reg, "www", "app");
    new = member_of(reg, pool, "b", "http://w");
    lbs_registry_commit(reg, &clock);
    ok(old != new &&removed(reg, old), "a renamed route is a new member");

    lbs_registry_begin(reg);
    pool = pool_of(reg, "www", "app");
    is_int(member_of(reg, pool, "b", "http://elsewhere"), new,
           "the same route at another URL is the same member");
    (void)lbs_registry_member_info(reg, new, &info);
    is_str(info.url, "http://elsewhere", "with its new URL");
}

/* A start that failed half way leaves what it added; the next one is not
 * taken for its repetition. */
static void a_pass_that_is_never_committed(void)
{
    lbs_registry_t *reg = new_registry();
    apr_uint32_t slots[256], pool;

    configure(reg, "12", 10, slots);
    lbs_registry_begin(reg);
    pool = pool_of(reg, "www", "app");
    (void)member_of(reg, pool, "1", "http://w1");
    (void)member_of(reg, pool, "3", "http://w3");
    is_int(lbs_registry_generation(reg), 1, "it is no reload");
    ok(!removed(reg, slots['2']), "it removes nobody");
    configure(reg, "12", 20, slots);
    ok(!removed(reg, slots['1']) && !removed(reg, slots['2']),
       "the next pass names all it has");
    event_is(reg, 0, "removed", "3");
}

/* balancer-manager adds a member while the server runs. */
static void a_member_is_named_outside_of_a_pass(void)
{
    lbs_registry_t *reg = new_registry();
    apr_uint32_t slots[256], pool, slot;

    configure(reg, "12", 10, slots);
    pool = lbs_registry_find_pool(reg, lbs_identity_pool("www", "app"));
    slot = member_of(reg, pool, "3", "http://w3");
    is_int(member_of(reg, pool, "3", "http://w3"), slot,
           "it may be named again, by every process");
    ok(!removed(reg, slot), "and is open");
    configure(reg, "12", 20, slots);
    ok(removed(reg, slot), "a reload of a file without it removes it");
    is_int(member_of(reg, pool, "3", "http://w3"), slot, "it comes back");
    ok(!removed(reg, slot), "and is open at once");
}

static void full(void)
{
    lbs_registry_t *reg = new_registry();
    apr_uint32_t pool = pool_of(reg, "v", "p"), slot = 0, i;
    char name[16];
    int bad = 0;

    for (i = 0; i < LBS_REGISTRY_MEMBERS; i++) {
        snprintf(name, sizeof(name), "m%u", i);
        bad += lbs_registry_member(reg, pool, name, "u", &slot, NULL)
                   != APR_SUCCESS
               || slot != i;
    }
    is_int(bad, 0, "8192 members");
    is_int(lbs_registry_member(reg, pool, "more", "u", &slot, NULL),
           APR_ENOSPC, "not one more");
    is_int(lbs_registry_member(reg, pool, "m8191", "u", &slot, NULL),
           APR_SUCCESS, "the known ones are found");
    for (i = 1; i < LBS_REGISTRY_POOLS; i++) {
        snprintf(name, sizeof(name), "p%u", i);
        bad += lbs_registry_pool(reg, "v", name, &slot, NULL) != APR_SUCCESS;
    }
    is_int(bad, 0, "512 pools");
    is_int(lbs_registry_pool(reg, "v", "more", &slot, NULL), APR_ENOSPC,
           "not one more");
}

/* Random passes, reclaims and markers against a list of what should be. */
#define PEOPLE 40

typedef struct person_t {
    apr_uint32_t slot, marker;
    int known, here;
} person_t;

static void pass(lbs_registry_t *reg, lbs_rand_t *rand, person_t *people,
                 apr_time_t now, int *bad)
{
    lbs_clock_t clock = at(now);
    apr_uint32_t pools[2], order[PEOPLE], i;
    int created = 0;

    lbs_registry_begin(reg);
    pools[0] = pool_of(reg, "a", "p");
    pools[1] = pool_of(reg, "b", "p");
    for (i = 0; i < PEOPLE; i++) {
        apr_uint32_t j = lbs_rand_below(rand, i + 1);

        order[i] = order[j];
        order[j] = i;
        people[i].here = 0;
    }
    for (i = 0; i < PEOPLE; i++) {
        person_t *p = &people[order[i]];
        apr_uint32_t slot = 0;
        char url[16];

        if (lbs_rand_below(rand, 4) == 0) {
            continue;
        }
        snprintf(url, sizeof(url), "u%u", order[i] / 2);
        (void)lbs_registry_member(reg, pools[order[i] % 2], NULL, url, &slot,
                                  &created);
        *bad += p->known && (slot != p->slot);
        *bad += !p->known && !created;
        *bad += !p->known && lbs_registry_gauges(reg)[slot].ewma != 0;
        p->slot = slot;
        p->known = p->here = 1;
        p->marker = (apr_uint32_t)lbs_rand_next(rand) | 1;
        lbs_registry_gauges(reg)[slot].ewma = p->marker;
    }
    lbs_registry_commit(reg, &clock);
}

static void against_a_list(void)
{
    lbs_registry_t *reg = new_registry();
    static person_t people[PEOPLE];
    static apr_uint32_t words[LBS_REGISTRY_MEMBERS];
    lbs_rand_t rand = {20240229};
    int round, bad = 0, known = 0, reused = 0;
    apr_uint32_t i;

    for (round = 1; round < 400; round++) {
        apr_time_t now = round * 10;
        apr_uint32_t want = 0;

        pass(reg, &rand, people, now, &bad);
        for (i = 0; i < PEOPLE; i++) {
            person_t *p = &people[i];

            if (!p->known) {
                continue;
            }
            bad += lbs_registry_gauges(reg)[p->slot].ewma != p->marker;
            bad += removed(reg, p->slot) == p->here;
            words[p->slot] = lbs_rand_below(&rand, 2);
            if (!p->here && words[p->slot] == 0 && round % 3 == 0) {
                p->known = 0;
                want++;
            }
        }
        if (round % 3 == 0) {
            apr_uint32_t freed = lbs_reclaim_slots(reg, now, words, now + 1);

            freed += lbs_reclaim_slots(reg, now + 2, words, now + 3);
            bad += freed != want;
            reused += (int)want;
        }
    }
    for (i = 0; i < PEOPLE; i++) {
        known += people[i].known;
    }
    is_int(bad, 0, "random passes agree with the list");
    is_int(count_members(reg, LBS_REGISTRY_NONE), known, "to the last one");
    ok(reused > 300, "%d slots were freed on the way", reused);
}

/* What one process writes another one reads, also one that opened the block
 * before or died since. */
static void other_processes_see_it(void)
{
    void *block = new_block();
    lbs_registry_t *reg;
    apr_uint32_t slots[256];
    int status = -1;
    pid_t child;

    (void)lbs_registry_format(block, block_size(), ROWS, &seed);
    reg = open_block(block);
    child = fork();
    if (child == 0) {
        configure(reg, "12", 1, slots);
        lbs_pool_record_decided(lbs_registry_pool_record(reg, 0),
                                LBS_DECISION_MOVED, LBS_REASON_EJECTED, 1234);
        _exit(0);
    }
    waitpid(child, &status, 0);
    is_int(status, 0, "another process configures two members");
    is_int(count_members(reg, LBS_REGISTRY_NONE), 2, "they are here");
    is_int(
        lbs_pool_record_count(lbs_registry_pool_record(open_block(block), 0),
                              LBS_DECISION_MOVED, LBS_REASON_EJECTED),
        1, "so is what it counted, in a view opened later");
}

static void a_member_is_removed_outside_of_a_pass(void)
{
    lbs_registry_t *reg = new_registry();
    apr_uint32_t pool = pool_of(reg, "v", "p");
    apr_uint32_t slot = 77, again = 78;
    lbs_gauge_t *gauge;
    int created = 7;

    (void)lbs_registry_member(reg, pool, NULL, "http://a", &slot, &created);
    gauge = &lbs_registry_gauges(reg)[slot];
    ok(created && lbs_registry_is_live(reg, slot), "a member came");
    is_int(lbs_registry_remove(reg, slot), 1, "it is removed");
    ok(!lbs_registry_is_live(reg, slot) && !lbs_gauge_open_kept(gauge),
       "and closed to all");
    is_int(lbs_registry_remove(reg, slot), 0, "once");
    is_int(lbs_registry_remove(reg, LBS_REGISTRY_NONE), 0, "nobody is not");
    (void)lbs_registry_member(reg, pool, NULL, "http://a", &again, &created);
    ok(again == slot && created && lbs_gauge_open_new(gauge),
       "it comes back to its slot");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    long_names();
    bad_names();
    two_of_one_name_in_a_pass();
    a_reversed_list_keeps_the_counters();
    added_and_removed();
    a_renamed_route_is_a_new_member();
    a_pass_that_is_never_committed();
    a_member_is_named_outside_of_a_pass();
    a_member_is_removed_outside_of_a_pass();
    full();
    against_a_list();
    other_processes_see_it();
    apr_terminate();
    return done_testing();
}
