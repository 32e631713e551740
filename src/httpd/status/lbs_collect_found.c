/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_collect_found.c - what the view says of LBStickyDiscover. */
#include <apr_strings.h>

#include "src/httpd/status/lbs_collect_int.h"

static apr_int64_t unix_of(const lbs_clock_t *now, apr_uint64_t mono)
{
    return mono == 0 ? 0
                     : (apr_int64_t)apr_time_sec(now->wall + (apr_time_t)mono
                                                 - now->mono);
}

void lbs_collect_found(const lbs_clock_t *now, const lbs_pool_t *pool,
                       const lbs_member_t *from, lbs_view_member_t *m)
{
    const lbs_roster_seat_t *seat;
    apr_time_t lease;

    m->index = (apr_uint32_t)from->index;
    m->found = from->found;
    if (*from->found == '\0') {
        return;
    }
    seat = &pool->roster->seat[from->index - pool->configured];
    lease =
        (apr_time_t)lbs_atomic_load64_relaxed(&seat->lease_end) - now->mono;
    m->lease_s = lease > 0 ? (apr_int64_t)apr_time_sec(lease) : 0;
    if (lbs_atomic_load64_relaxed(&seat->leaves_at) != 0) {
        m->drain_left = m->sessions;
        m->leaving_since = (apr_int64_t)apr_time_sec(
            lbs_atomic_load64_relaxed(&seat->left_at));
        m->leaving_deadline =
            unix_of(now, lbs_atomic_load64_relaxed(&seat->leaves_at));
    }
}

static void collect_source(apr_pool_t *memory, const lbs_clock_t *now,
                           const lbs_pool_t *from, int number,
                           lbs_view_source_t *to)
{
    const lbs_roster_source_t *source = &from->roster->source[number];
    apr_uint32_t said = lbs_atomic_load32_relaxed(&source->said);
    apr_time_t next = (apr_time_t)lbs_atomic_load64_relaxed(&source->next_at);

    to->source = from->set.discover->finder[number].spelling;
    to->state = said == LBS_ROSTER_GOOD      ? "ok"
                : said == LBS_ROSTER_NOTHING ? "never"
                                             : "stale";
    to->reason = lbs_roster_why(said);
    if (said == LBS_ROSTER_WRONG) {
        to->reason = apr_psprintf(memory, "line %u names no member",
                                  lbs_atomic_load32_relaxed(&source->line));
    }
    to->found = (apr_uint32_t)lbs_roster_named(from->roster, number);
    to->ignored = lbs_atomic_load32_relaxed(&source->ignored);
    to->at = unix_of(now, lbs_atomic_load64_relaxed(&source->good_at));
    to->next_s =
        next > now->mono ? (apr_int64_t)apr_time_sec(next - now->mono) : 0;
}

void lbs_collect_discover(apr_pool_t *memory, const lbs_clock_t *now,
                          const lbs_pool_t *from, lbs_view_pool_t *to)
{
    int count = from->set.discover->count;
    lbs_view_source_t *sources;
    int i;

    if (from->roster == NULL) {
        return;
    }
    sources = apr_pcalloc(memory, sizeof(*sources) * (apr_size_t)count);
    for (i = 0; i < count; i++) {
        collect_source(memory, now, from, i, &sources[i]);
    }
    to->discover = sources;
    to->discover_count = (apr_uint32_t)count;
    for (i = 0; i < LBS_ROSTER_KINDS; i++) {
        to->discover_kinds[i] =
            lbs_atomic_load64_relaxed(&from->roster->kinds[i]);
    }
}
