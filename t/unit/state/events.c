/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_events.h"
#include "t/unit/tap.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static lbs_events_t *shared_ring(void)
{
    void *block = mmap(NULL, lbs_events_bytes(), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (block == MAP_FAILED) {
        bail_out("no memory");
    }
    return block;
}

/* Every field says the same number, so a mixture of two shows. */
static void fill(lbs_event_t *event, apr_uint32_t n)
{
    memset(event, 0, sizeof(*event));
    event->at = n;
    event->member_id = n;
    event->pool_slot = n;
    event->member_slot = n;
    event->kind = 1 + n % (LBS_EVENT_KINDS - 1);
    snprintf(event->pool, sizeof(event->pool), "pool%u", n);
    snprintf(event->member, sizeof(event->member), "member%u", n);
    memset(event->reason, (int)('a' + n % 26), sizeof(event->reason) - 1);
}

static int whole(const lbs_event_t *event)
{
    lbs_event_t want;

    fill(&want, event->pool_slot);
    return memcmp(&want, event, sizeof(want)) == 0;
}

static void names(void)
{
    static const char *const want[] = {"",
                                       "up",
                                       "down",
                                       "ejected",
                                       "half-open",
                                       "drain",
                                       "drained",
                                       "disable",
                                       "enable",
                                       "standby",
                                       "weight",
                                       "reset",
                                       "override-dropped",
                                       "added",
                                       "removed",
                                       "panic",
                                       "panic-over",
                                       "store-down",
                                       "store-up",
                                       "state-file",
                                       "leaving",
                                       "back",
                                       "source-stale",
                                       "source-ok",
                                       "refused-address"};
    apr_uint32_t i;

    is_int(LBS_EVENT_KINDS, sizeof(want) / sizeof(want[0]), "all have names");
    for (i = 0; i < LBS_EVENT_KINDS; i++) {
        is_str(lbs_event_name(i), want[i], "kind %u", i);
    }
    is_str(lbs_event_name(LBS_EVENT_KINDS), "", "no such kind");
    is_str(lbs_event_name(APR_UINT32_MAX), "", "by far");
}

static void texts(void)
{
    char field[4];

    lbs_events_text(field, sizeof(field), "abc");
    is_str(field, "abc", "a text that just fits");
    lbs_events_text(field, sizeof(field), "abcd");
    is_str(field, "abc", "one too long is cut");
    lbs_events_text(field, sizeof(field), NULL);
    is_mem(field, "\0\0\0\0", 4, "none leaves nothing of the last one");
}

static void keeps_the_last(void)
{
    lbs_events_t *ring = shared_ring();
    lbs_event_t event;
    apr_uint32_t i, right = 0;

    is_int(lbs_events_count(ring), 0, "a new ring is empty");
    is_int(lbs_events_get(ring, 0, &event), APR_NOTFOUND, "nothing is in it");
    for (i = 0; i < 1000; i++) {
        fill(&event, i);
        lbs_events_add(ring, &event);
    }
    is_int(lbs_events_count(ring), 1000, "all are counted");
    for (i = 0; i < 1000; i++) {
        apr_status_t rv = lbs_events_get(ring, i, &event);

        right += i < 1000 - LBS_EVENTS_KEPT
                     ? rv == APR_NOTFOUND
                     : rv == APR_SUCCESS && whole(&event) && event.at == i;
    }
    is_int(right, 1000, "the last 256 are there, the older ones are not");
    is_int(lbs_events_get(ring, 1000, &event), APR_NOTFOUND, "nor the next");
    munmap(ring, lbs_events_bytes());
}

static void damaged_memory_is_not_an_event(void)
{
    lbs_events_t *ring = shared_ring();
    lbs_event_t event;
    apr_size_t i;
    int taken = 0;

    fill(&event, 7);
    lbs_events_add(ring, &event);
    for (i = 64; i < 64 + 8 + sizeof(event); i++) {
        ((unsigned char *)ring)[i] ^= 0x40;
        taken += lbs_events_get(ring, 0, &event) == APR_SUCCESS;
        ((unsigned char *)ring)[i] ^= 0x40;
    }
    is_int(taken, 0, "no byte of a record can change unseen");
    is_int(lbs_events_get(ring, 0, &event), APR_SUCCESS, "unchanged it reads");
    munmap(ring, lbs_events_bytes());
}

static void write_for_ever(lbs_events_t *ring, apr_uint32_t from)
{
    lbs_event_t event;
    apr_uint32_t i;

    for (i = 0; i < 200000; i++) {
        fill(&event, from + i);
        lbs_events_add(ring, &event);
    }
    _exit(0);
}

/* Writers are killed at any instruction, others go on; whoever reads finds
 * whole records only, and no more than one is missing per dead writer. */
static void writers_killed_in_the_middle(void)
{
    lbs_events_t *ring = shared_ring();
    lbs_event_t event;
    int round, torn = 0, missing = 0, killed = 0, status;
    apr_uint64_t i, count;

    for (round = 0; round < 40; round++) {
        pid_t a = fork(), b;

        if (a == 0) {
            write_for_ever(ring, (apr_uint32_t)round * 1000000);
        }
        b = fork();
        if (b == 0) {
            write_for_ever(ring, (apr_uint32_t)round * 1000000 + 500000);
        }
        usleep((useconds_t)(500 + round * 37));
        for (i = 0; i < LBS_EVENTS_KEPT; i++) {
            torn += lbs_events_get(ring, i, &event) == APR_SUCCESS
                    && !whole(&event);
        }
        kill(a, SIGKILL);
        kill(b, SIGKILL);
        waitpid(a, &status, 0);
        killed += WIFSIGNALED(status);
        waitpid(b, &status, 0);
        killed += WIFSIGNALED(status);
        count = lbs_events_count(ring);
        for (i = count < LBS_EVENTS_KEPT ? 0 : count - LBS_EVENTS_KEPT;
             i < count; i++) {
            if (lbs_events_get(ring, i, &event) != APR_SUCCESS) {
                missing++;
            }
            else {
                torn += !whole(&event);
            }
        }
    }
    ok(killed > 60, "%d writers were killed while they wrote", killed);
    is_int(torn, 0, "no torn record");
    ok(missing <= 2 * killed, "%d of %d records missing", missing,
       40 * LBS_EVENTS_KEPT);
    fill(&event, 42);
    lbs_events_add(ring, &event);
    is_int(lbs_events_get(ring, lbs_events_count(ring) - 1, &event),
           APR_SUCCESS, "the next event is there at once");
    munmap(ring, lbs_events_bytes());
}

int main(void)
{
    names();
    texts();
    keeps_the_last();
    damaged_memory_is_not_an_event();
    writers_killed_in_the_middle();
    return done_testing();
}
