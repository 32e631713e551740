/* SPDX-License-Identifier: Apache-2.0 */
#include "src/pick/lbs_stand_in.h"

#include "src/base/lbs_hash.h"
#include "t/unit/tap.h"

#define MEMBERS 4
#define SESSIONS 100000

static const apr_uint64_t id[MEMBERS] = {11, 22, 33, 44};

/* @param weight  0: closed. @return -1: all are */
static int choose(apr_uint64_t session, const apr_uint32_t *weight)
{
    apr_uint64_t highest = 0;
    int best = -1;
    int i;

    for (i = 0; i < MEMBERS; i++) {
        apr_uint64_t score =
            weight[i] != 0 ? lbs_stand_in_score(session, id[i], weight[i]) : 0;

        if (weight[i] != 0 && (best < 0 || score > highest)) {
            highest = score;
            best = i;
        }
    }
    return best;
}

static void shares_follow_weights(void)
{
    static const apr_uint32_t weight[MEMBERS] = {100, 100, 300, 1000};
    double count[MEMBERS] = {0};
    apr_uint64_t n;
    int i;

    for (n = 0; n < SESSIONS; n++) {
        count[choose(lbs_hash_mix(n), weight)]++;
    }
    for (i = 0; i < MEMBERS; i++) {
        is_near(count[i] / SESSIONS, weight[i] / 1500.0, 0.01,
                "a share by weight %u", (unsigned)weight[i]);
    }
}

static void one_member_less(void)
{
    static const apr_uint32_t all[MEMBERS] = {100, 100, 100, 100};
    static const apr_uint32_t less[MEMBERS] = {100, 0, 100, 100};
    int others = 0, moved = 0;
    apr_uint64_t n;

    for (n = 0; n < SESSIONS; n++) {
        int at = choose(lbs_hash_mix(n), all);
        int then = choose(lbs_hash_mix(n), less);

        others += at != 1;
        moved += at != 1 && then != at;
    }
    ok(others > 0, "sessions of other members");
    is_int(moved, 0, "stay where they are when one member goes");
}

static void the_same_on_every_machine(void)
{
    is_int(lbs_stand_in_score(1, 2, 100), lbs_stand_in_score(1, 2, 100),
           "a score");
    ok(lbs_stand_in_score(7, 2, 10000) >= lbs_stand_in_score(7, 2, 1),
       "more weight, a higher score");
}

int main(void)
{
    shares_follow_weights();
    one_member_less();
    the_same_on_every_machine();
    return done_testing();
}
