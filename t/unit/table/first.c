/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of first picks: it holds for its window, wraps, and of two
 * parallel requests of a client both get the same member. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/lbs_rand.h"
#include "src/table/lbs_first.h"
#include "t/unit/tap.h"

#define SECOND APR_INT64_C(1000000)
#define WINDOW (10 * SECOND)

static lbs_atomic64_t *words;

static void fresh(void)
{
    size_t bytes = LBS_FIRST_WORDS * sizeof(*words);

    if (words != NULL) {
        munmap(words, bytes);
    }
    words = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static apr_uint32_t found(apr_uint64_t key, apr_int64_t now)
{
    apr_uint32_t slot = LBS_FIRST_NONE;

    (void)lbs_first_find(words, key, now, WINDOW, &slot);
    return slot;
}

static void test_window(void)
{
    apr_int64_t now = 1000 * SECOND;

    fresh();
    is_int(found(7, now), LBS_FIRST_NONE, "nothing at first");
    is_int(lbs_first_claim(words, 7, now, WINDOW, 5, LBS_FIRST_NONE), 5,
           "the first claim holds");
    is_int(found(7, now + WINDOW), 5, "to the end of the window");
    is_int(found(7, now + WINDOW + SECOND), LBS_FIRST_NONE, "not longer");
    is_int(found(APR_UINT64_C(1) << 40 | 7, now), LBS_FIRST_NONE,
           "another client at the same place");
    is_int(lbs_first_claim(words, 7, now, WINDOW, 6, LBS_FIRST_NONE), 5,
           "the second claim learns of the first");
    is_int(lbs_first_claim(words, 7, now, WINDOW, 6, 5), 6,
           "a member that went away is replaced");
    is_int(found(7, now), 6, "and stays replaced");
    is_int(lbs_first_claim(words, 0, 0, WINDOW, 0, LBS_FIRST_NONE), 0,
           "key, time and slot of zero");
    is_int(found(0, 0), 0, "are found");
    is_int(lbs_first_claim(words, 9, now, WINDOW, 8191, LBS_FIRST_NONE), 8191,
           "the last slot");
    is_int(found(9, now), 8191, "is found");
}

/* 19 bits of hundredths of a second wrap after 87 minutes. */
static void test_wrap(void)
{
    apr_int64_t wrap = (APR_INT64_C(1) << 19) * 10000;
    apr_int64_t now;
    int good = 1;

    fresh();
    for (now = wrap - 2 * SECOND; now < wrap + 2 * SECOND; now += SECOND / 2) {
        apr_uint64_t key = (apr_uint64_t)now;

        (void)lbs_first_claim(words, key, now, WINDOW, 3, LBS_FIRST_NONE);
        good = good && found(key, now + WINDOW) == 3
               && found(key, now + WINDOW + SECOND) == LBS_FIRST_NONE;
    }
    ok(good, "the window holds over the wrap of the clock");
}

#define CLIENTS 1000
#define CHILDREN 4

/* Processes claim the same clients at once, each its own slot: whoever wins,
 * all that are told a slot later are told the same one. */
static void test_parallel(void)
{
    static apr_uint32_t *told;
    size_t bytes = sizeof(*told) * CLIENTS * CHILDREN;
    unsigned child, i, split = 0;

    fresh();
    told = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (child = 0; child < CHILDREN; child++) {
        if (fork() == 0) {
            for (i = 0; i < CLIENTS; i++) {
                told[i * CHILDREN + child] =
                    lbs_first_claim(words, lbs_hash_mix(i), SECOND, WINDOW,
                                    child, LBS_FIRST_NONE);
            }
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {
    }
    for (i = 0; i < CLIENTS; i++) {
        const apr_uint32_t *t = &told[i * CHILDREN];

        split += t[0] != t[1] || t[1] != t[2] || t[2] != t[3];
    }
    /* Clients that share a place with another one (1000 in 65536: some 8 of
     * them) may be told apart; nobody else. */
    diag("%u of %d clients were given two members", split, CLIENTS);
    ok(split < CLIENTS / 20, "parallel first requests share a member");
}

int main(void)
{
    test_window();
    test_wrap();
    test_parallel();
    return done_testing();
}
