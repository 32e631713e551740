/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_housekeeping.c - see lbs_housekeeping.h. */
#include "src/httpd/server/lbs_housekeeping.h"

#include <errno.h>
#include <signal.h>

#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/shared/lbs_children.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_reclaim.h"
#include "src/table/lbs_image.h"
#include "src/table/lbs_sweep.h"

#define WORDS_PER_BUCKET 8
#define TICKS_PER_SECOND 10

/* A pass over the table takes a quarter of the shortest idle time, so that
 * counts of sessions are about right, within these bounds. */
#define PASS_MIN apr_time_from_sec(1)
#define PASS_MAX apr_time_from_sec(60)

/* A little less than the time between two ticks. */
#define RENEW_EVERY apr_time_from_msec(80)

#define REAP_EVERY apr_time_from_sec(1)

/* Of the process that ticks. */
static struct {
    lbs_sweep_t *sweep;
    apr_time_t pass_began;
    apr_time_t reaped_at;
    apr_uint64_t buckets;                     /* of the whole chain */
    apr_uint32_t words[LBS_REGISTRY_MEMBERS]; /* found in this pass */
} keeping;

void lbs_housekeeping_start(apr_pool_t *pool)
{
    lbs_runtime_t *rt = lbs_runtime();
    int i;

    memset(&keeping, 0, sizeof(keeping));
    lbs_sweep_create(&keeping.sweep, rt->table, pool);
    for (i = 0; i < rt->table_count; i++) {
        keeping.buckets += lbs_image_words(rt->tables[i]) / WORDS_PER_BUCKET;
    }
}

/* The sweep -------------------------------------------------------------- */

static apr_interval_time_t pass_time(void)
{
    const apr_array_header_t *all = lbs_pools_all();
    apr_interval_time_t pass = PASS_MAX;
    int i;

    for (i = 0; i < all->nelts; i++) {
        apr_interval_time_t idle =
            APR_ARRAY_IDX(all, i, lbs_pool_t *)->set.timeout->idle;

        pass = idle / 4 < pass ? idle / 4 : pass;
    }
    return pass < PASS_MIN ? PASS_MIN : pass;
}

/* Keeps every live session, and counts it for its member. */
static int count_word(void *data, const lbs_table_hit_t *hit)
{
    (void)data;
    keeping.words[hit->slot]++;
    return 0;
}

static void sweep(apr_time_t now)
{
    apr_uint64_t ticks =
        (apr_uint64_t)(pass_time() * TICKS_PER_SECOND / APR_USEC_PER_SEC);

    if (keeping.pass_began == 0) {
        keeping.pass_began = now;
    }
    if (lbs_sweep_run(keeping.sweep, keeping.buckets / ticks + 1, now,
                      count_word, NULL, NULL)
        == APR_SUCCESS) {
        (void)lbs_reclaim_slots(lbs_runtime()->registry, keeping.pass_began,
                                keeping.words, now);
        memset(keeping.words, 0, sizeof(keeping.words));
        keeping.pass_began = 0;
    }
}

/* Dead children
 * ----------------------------------------------------------------
 */

/* httpd's parent takes a dead child back as soon as it knows; what it missed,
 * or could not finish, is found here. */
static void reap(void)
{
    lbs_runtime_t *rt = lbs_runtime();
    apr_uint32_t i;

    for (i = 0; i < rt->rows.rows; i++) {
        apr_uint32_t pid = lbs_inflight_pid(&rt->rows, i);

        if (pid != 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH) {
            lbs_children_gone(pid);
        }
    }
    lbs_children_finish();
}

/* Requests in flight
 * ------------------------------------------------------------------------ */

/* Forgotten ones stay forgotten: this binds nothing. */
static void renew(void *baton, apr_uint64_t key, apr_interval_time_t idle)
{
    lbs_table_hit_t hit;

    (void)lbs_table_renew(lbs_runtime()->table, key, *(apr_time_t *)baton,
                          idle, &hit);
}

void lbs_housekeeping_renew(apr_time_t now)
{
    lbs_ongoing_t *ongoing = lbs_runtime()->notes.ongoing;

    if (lbs_ongoing_turn(ongoing, now, RENEW_EVERY)) {
        lbs_ongoing_renew(ongoing, now, renew, &now);
    }
}

void lbs_housekeeping_tick(apr_time_t now)
{
    sweep(now);
    if (now - keeping.reaped_at >= REAP_EVERY) {
        keeping.reaped_at = now;
        reap();
    }
}
