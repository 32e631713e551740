/* SPDX-License-Identifier: Apache-2.0 */
/* sim_flood.c - what a flood of made-up sessions does to real ones.
 *
 * Users fill 40 % of the table's nominal size. Each makes requests at random
 * intervals (exponential, an eighth of idle on average), about thirty, then a
 * new one takes their place. When all is settled somebody adds 1, 10 or 100
 * requests with keys never seen before for every real one, for as long as one
 * idle time; each made-up key is used once, or twice at once, or
 * once more a fifteenth of idle later. Counted during
 * that time: requests of users who were here less than idle ago and are not
 * known any more. Users who come during the flood are told apart: nothing
 * says yet that they are real, and a large flood costs them their place.
 *
 * Beside it the same requests on a list of least recently used ones that has
 * as many entries as the table has words.
 *
 * Output: TSV, per cent of the requests of known users that lost theirs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>

#include "src/base/lbs_hash.h"
#include "src/base/lbs_rand.h"
#include "src/table/lbs_sweep.h"
#include "src/table/lbs_table.h"

#define SESSIONS 20000
#define USERS (SESSIONS * 2 / 5)
#define IDLE APR_INT64_C(7200000000)
#define PER_IDLE 8 /* requests of a user in an idle time */
#define VISIT 30   /* requests of a visit */
#define SETTLE 5   /* idle times before the flood */

/* --- least recently used ------------------------------------------------ */

#define NOBODY 0xffffffffu

typedef struct lru_entry_t {
    apr_uint64_t key;
    apr_uint32_t newer;
    apr_uint32_t older;
    apr_uint32_t chain; /* next with the same hash */
    apr_time_t used;
} lru_entry_t;

typedef struct lru_t {
    lru_entry_t *entry; /* [0] is the list's head */
    apr_uint32_t *hash;
    apr_uint32_t size;
    apr_uint32_t used;
} lru_t;

static apr_uint32_t *lru_bucket(lru_t *lru, apr_uint64_t key)
{
    return &lru->hash[((key >> 32) * lru->size) >> 32];
}

static void lru_create(lru_t *lru, apr_uint32_t size)
{
    lru->entry = calloc(size + 1, sizeof(*lru->entry));
    lru->hash = malloc(size * sizeof(*lru->hash));
    if (lru->entry == NULL || lru->hash == NULL) {
        fputs("sim_flood: no memory\n", stderr);
        exit(1);
    }
    memset(lru->hash, 0xff, size * sizeof(*lru->hash));
    lru->size = size;
    lru->used = 0;
}

static void lru_unlink(lru_t *lru, apr_uint32_t i)
{
    lru_entry_t *e = &lru->entry[i];

    lru->entry[e->newer].older = e->older;
    lru->entry[e->older].newer = e->newer;
}

static void lru_push(lru_t *lru, apr_uint32_t i)
{
    lru_entry_t *e = &lru->entry[i];

    e->newer = 0;
    e->older = lru->entry[0].older;
    lru->entry[e->older].newer = i;
    lru->entry[0].older = i;
}

/* The place of the longest unused entry, taken out of its chain. */
static apr_uint32_t lru_victim(lru_t *lru)
{
    apr_uint32_t i = lru->entry[0].newer;
    apr_uint32_t *link = lru_bucket(lru, lru->entry[i].key);

    while (*link != i) {
        link = &lru->entry[*link].chain;
    }
    *link = lru->entry[i].chain;
    lru_unlink(lru, i);
    return i;
}

/* Use a key. @return it was known, and used less than idle ago */
static int lru_use(lru_t *lru, apr_uint64_t key, apr_time_t now)
{
    apr_uint32_t *link = lru_bucket(lru, key);
    apr_uint32_t i = *link;
    int known;

    while (i != NOBODY && lru->entry[i].key != key) {
        i = lru->entry[i].chain;
    }
    known = i != NOBODY && now - lru->entry[i].used <= IDLE;
    if (i != NOBODY) {
        lru_unlink(lru, i);
    }
    else {
        i = lru->used < lru->size ? ++lru->used : lru_victim(lru);
        lru->entry[i].key = key;
        lru->entry[i].chain = *link;
        *link = i;
    }
    lru->entry[i].used = now;
    lru_push(lru, i);
    return known;
}

/* --- the table ---------------------------------------------------------- */

typedef struct stage_t {
    lbs_table_slots_t *slots;
    void *block;
    lbs_table_t *table;
    lbs_sweep_t *sweep;
    lru_t lru;
} stage_t;

static void stage_create(stage_t *stage, apr_pool_t *pool)
{
    apr_size_t len = lbs_table_bytes(SESSIONS);

    stage->slots = calloc(1, sizeof(*stage->slots));
    stage->block = aligned_alloc(LBS_TABLE_ALIGN, len);
    if (stage->slots == NULL || stage->block == NULL
        || lbs_table_format(stage->block, len, SESSIONS) != APR_SUCCESS
        || lbs_table_open(&stage->table, stage->block, len, stage->slots, pool)
               != APR_SUCCESS) {
        fputs("sim_flood: no memory\n", stderr);
        exit(1);
    }
    lbs_atomic_store64_release(&stage->slots->quantum_us[1],
                               lbs_table_quantum(IDLE, 0));
    lbs_sweep_create(&stage->sweep, stage->table, pool);
    lru_create(&stage->lru, (apr_uint32_t)(len / 8));
}

static void stage_destroy(stage_t *stage)
{
    free(stage->slots);
    free(stage->block);
    free(stage->lru.entry);
    free(stage->lru.hash);
}

static int table_use(stage_t *stage, apr_uint64_t key, apr_time_t now)
{
    lbs_table_hit_t hit;
    int known =
        lbs_table_renew(stage->table, key, now, IDLE, &hit) == APR_SUCCESS;

    if (!known) {
        (void)lbs_table_bind(stage->table, key, 1, now, IDLE,
                             NULL); /* a refusal is a loss next time */
    }
    return known;
}

/* --- users and the flood ------------------------------------------------ */

typedef struct user_t {
    apr_uint64_t key; /* 0: has not come yet */
    apr_time_t last;
    int newcomer; /* came during the flood */
} user_t;

typedef struct loss_t {
    double asked[2]; /* of those here before the flood, of newcomers */
    double table[2];
    double lru[2];
} loss_t;

static double percent(const double *lost, const double *asked, int all)
{
    double a = asked[0] + (all ? asked[1] : 0);

    return a == 0 ? 0 : 100 * (lost[0] + (all ? lost[1] : 0)) / a;
}

static void one_request(stage_t *stage, user_t *user, lbs_rand_t *rand,
                        apr_time_t now, loss_t *loss)
{
    int here = user->key != 0;
    int in_time = here && now - user->last <= IDLE;
    int in_table;
    int in_lru;

    if (!here) {
        user->key = lbs_rand_next(rand);
        user->newcomer = loss != NULL;
    }
    in_table = table_use(stage, user->key, now);
    in_lru = lru_use(&stage->lru, user->key, now);
    if (loss != NULL && in_time) {
        loss->asked[user->newcomer]++;
        loss->table[user->newcomer] += !in_table;
        loss->lru[user->newcomer] += !in_lru;
    }
    user->last = now;
    if (lbs_rand_below(rand, VISIT) == 0) {
        user->key = 0;
    }
}

/* Made-up keys that come back, in the order in which they do. */
#define RETURN (IDLE / 15)
#define RETURNING (1u << 22)

static struct {
    apr_uint64_t key;
    apr_time_t at;
} * returning; /* a ring */
static apr_uint64_t first_back, last_back;

static void come_back(stage_t *stage, apr_time_t now)
{
    while (first_back < last_back
           && returning[first_back % RETURNING].at <= now) {
        apr_uint64_t key = returning[first_back++ % RETURNING].key;

        (void)table_use(stage, key, now);
        (void)lru_use(&stage->lru, key, now);
    }
}

static void will_come_back(apr_uint64_t key, apr_time_t now)
{
    if (last_back - first_back < RETURNING) {
        returning[last_back % RETURNING].key = key;
        returning[last_back++ % RETURNING].at = now + RETURN;
    }
}

static void flood(stage_t *stage, lbs_rand_t *rand, apr_time_t now, int count,
                  int touches)
{
    int i;
    int touch;

    if (touches < 0) {
        come_back(stage, now);
    }

    for (i = 0; i < count; i++) {
        apr_uint64_t key = lbs_rand_next(rand);

        for (touch = 0; touch < abs(touches); touch++) {
            (void)table_use(stage, key, now); /* nobody misses them */
            (void)lru_use(&stage->lru, key, now);
        }
        if (touches < 0) {
            will_come_back(key, now);
        }
    }
}

/* @param touches  of each made-up key, at once; -1: one, and it comes back */
static void simulate(int per_request, int touches, apr_pool_t *pool)
{
    user_t *user = calloc(USERS, sizeof(*user));
    apr_uint64_t requests = (apr_uint64_t)USERS * PER_IDLE;
    loss_t loss = {{0, 0}, {0, 0}, {0, 0}};
    const char *how = touches == 1   ? "1_touch"
                      : touches == 2 ? "2_touch"
                                     : "return";
    lbs_rand_t rand = {1};
    stage_t stage;
    apr_uint64_t n;

    stage_create(&stage, pool);
    first_back = last_back = 0;
    for (n = 0; user != NULL && n < requests * (SETTLE + 1); n++) {
        apr_time_t now =
            IDLE + (apr_time_t)(n * (apr_uint64_t)IDLE / requests);
        int flooded = n >= requests * SETTLE;

        one_request(&stage, &user[lbs_rand_below(&rand, USERS)], &rand, now,
                    flooded ? &loss : NULL);
        if (flooded) {
            flood(&stage, &rand, now, per_request, touches);
        }
        (void)lbs_sweep_run(stage.sweep, 1, now, NULL, NULL, NULL);
    }
    printf("table_lost_to_%d_per_request_%s\t%.1f\t%%\n", per_request, how,
           percent(loss.table, loss.asked, 1));
    printf("table_lost_to_%d_per_request_%s_before\t%.1f\t%%\n", per_request,
           how, percent(loss.table, loss.asked, 0));
    printf("lru_lost_to_%d_per_request_%s\t%.1f\t%%\n", per_request, how,
           percent(loss.lru, loss.asked, 1));
    stage_destroy(&stage);
    free(user);
}

int main(void)
{
    static const int floods[] = {0, 1, 10, 100};
    apr_pool_t *pool;
    size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    returning = calloc(RETURNING, sizeof(*returning));
    if (returning == NULL) {
        return 1;
    }
    for (i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
        simulate(floods[i], 1, pool);
        simulate(floods[i], 2, pool);
        if (floods[i] > 0) {
            simulate(floods[i], -1, pool);
        }
    }
    apr_terminate();
    return 0;
}
