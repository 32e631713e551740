/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_collect.c - filling the view.
 *
 * Reads shared memory with relaxed loads while it changes. No number is read
 * twice, so the sums shown are those of the parts shown.
 */
#include "src/httpd/advice/lbs_advice.h"
#include "src/httpd/status/lbs_collect.h"
#include "src/httpd/status/lbs_collect_int.h"

#include <string.h>

#include <apr_strings.h>
#include <http_main.h>

#include "mod_lbsticky.h"
#include "src/base/lbs_text.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/pool/lbs_readers.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/store/lbs_store_call.h"
#include "src/state/lbs_admin.h"
#include "src/state/lbs_ring.h"
#include "src/table/lbs_table.h"

/* Arguments for filling any part. */
typedef struct collect_t {
    apr_pool_t *pool;
    const lbs_runtime_t *rt;
    const server_rec *server; /* that is asked */
    lbs_collect_t more;
    lbs_clock_t now;
} collect_t;

/* Monotonic microseconds of the past or the future as Unix seconds. */
static apr_int64_t unix_of(const collect_t *c, apr_uint64_t mono)
{
    return mono == 0 ? 0
                     : (apr_int64_t)apr_time_sec(
                         c->now.wall + ((apr_time_t)mono - c->now.mono));
}

/* Plots ------------------------------------------------------------------ */

static void fill_plot(const collect_t *c, const lbs_ring_t *ring,
                      lbs_view_span_t span, lbs_view_plot_t *plot)
{
    apr_uint32_t count = span == LBS_VIEW_DAY ? LBS_RING_LONG : LBS_RING_SHORT;
    lbs_ring_sample_t samples[LBS_RING_LONG];
    lbs_view_point_t *points = apr_palloc(c->pool, count * sizeof(*points));
    apr_time_t until = span == LBS_VIEW_DAY
                           ? lbs_ring_day(ring, c->now.mono, samples)
                           : lbs_ring_recent(ring, c->now.mono, samples);
    apr_uint32_t i;

    for (i = 0; i < count; i++) {
        const lbs_ring_sample_t *from = &samples[i];

        points[i].known = from->known;
        points[i].requests = from->requests;
        points[i].errors = from->errors;
        points[i].p50_ms = (double)from->p50_us / 1000;
        points[i].p99_ms = (double)from->p99_us / 1000;
    }
    plot->points = points;
    plot->count = count;
    plot->step = (apr_uint32_t)apr_time_sec(LBS_RING_STEP)
                 * (span == LBS_VIEW_DAY ? LBS_RING_FOLD : 1);
    plot->until = unix_of(c, (apr_uint64_t)until);
}

static void fill_member_plots(const collect_t *c, apr_uint32_t slot,
                              lbs_view_member_t *m)
{
    const lbs_ring_t *ring = lbs_registry_ring(c->rt->registry, slot);
    const char *day_of = c->more.day_of;

    if (!c->more.plots) {
        return;
    }
    fill_plot(c, ring, LBS_VIEW_RECENT, &m->plot[LBS_VIEW_RECENT]);
    if (day_of != NULL
        && (strcmp(day_of, m->id) == 0 || strcmp(day_of, m->route) == 0
            || strcmp(day_of, m->name) == 0)) {
        fill_plot(c, ring, LBS_VIEW_DAY, &m->plot[LBS_VIEW_DAY]);
    }
}

/* Members ---------------------------------------------------------------- */

/* One bucket of an answer's time for each upper end; the number shown is that
 * of the range between two ends. */
static void fill_durations(const collect_t *c, const lbs_latency_total_t *from,
                           lbs_view_histogram_t *to)
{
    double *upper = apr_palloc(c->pool, LBS_LATENCY_BOUNDS * sizeof(*upper));
    apr_uint64_t *counts =
        apr_palloc(c->pool, (LBS_LATENCY_BOUNDS + 1) * sizeof(*counts));
    int i;

    for (i = 0; i <= LBS_LATENCY_BOUNDS; i++) {
        counts[i] = from->le[i] - (i > 0 ? from->le[i - 1] : 0);
        if (i < LBS_LATENCY_BOUNDS) {
            upper[i] = lbs_latency_bound(i) / 1e6;
        }
    }
    to->ranges = LBS_LATENCY_BOUNDS + 1;
    to->upper_s = upper;
    to->counts = counts;
    to->sum_s = (double)from->sum_us / 1e6;
}

static void fill_counts(const collect_t *c,
                        const lbs_member_record_view_t *from,
                        lbs_view_member_t *m)
{
    m->state = from->state;
    m->since = from->since != 0
                   ? unix_of(c, from->since)
                   : (apr_int64_t)apr_time_sec(
                       lbs_registry_started(c->rt->registry).wall);
    m->weight = from->weight / 100.0;
    m->effective_weight = from->effective_weight / 100.0;
    m->inflight = from->inflight;
    m->limit = from->limit;
    m->requests = from->requests;
    memcpy(m->responses, from->responses, sizeof(m->responses));
    memcpy(m->failures, from->failures_by, sizeof(m->failures));
    m->bytes_in = from->bytes_in;
    m->bytes_out = from->bytes_out;
    m->ewma_ms = from->mean_us / 1000.0;
    m->p50_ms = from->p50_us / 1000.0;
    m->p90_ms = from->p90_us / 1000.0;
    m->p99_ms = from->p99_us / 1000.0;
    m->eject_until = unix_of(c, from->eject_until);
    m->eject_count = from->eject_count;
    m->downtime_s = (double)from->down_us / 1e6;
    m->turns = from->turns;
    m->lately = from->lately;
    fill_durations(c, &from->latency, &m->durations);
}

static void fill_check(const collect_t *c, const lbs_check_view_t *from,
                       lbs_view_check_t *to)
{
    /* A member that has no checks is asked only while it is in doubt. */
    int known = from->known && !(from->in_doubt && from->ok);

    /* Before its first check a member is up. */
    to->ok = !known || from->ok;
    to->connected = !known || from->connected;
    to->last = known ? apr_pstrdup(c->pool, from->text) : "";
    to->at = known ? unix_of(c, from->at) : 0;
}

static void fill_overrides(const collect_t *c, apr_uint32_t slot,
                           lbs_view_member_t *m)
{
    apr_uint32_t bits = lbs_admin_overrides(c->rt->registry, slot);
    const char **names =
        apr_palloc(c->pool, LBS_ADMIN_FIELDS * sizeof(*names));
    int field;

    m->override = names;
    for (field = 0; field < LBS_ADMIN_FIELDS; field++) {
        if ((bits & (1u << field)) != 0) {
            names[m->overrides++] =
                lbs_admin_field_name((lbs_admin_field_t)field);
        }
    }
}

/* Past its deadline a member serves no session any more: sessions still bound
 * to it move with their next request. */
static void fill_drain(const collect_t *c, apr_uint32_t slot,
                       apr_uint32_t flags, lbs_view_member_t *m)
{
    lbs_admin_drain_t drain;

    lbs_admin_drain(c->rt->registry, slot, &drain);
    if (drain.since != 0) {
        m->drain_since = apr_time_sec(drain.since);
        m->drain_deadline = unix_of(c, (apr_uint64_t)drain.deadline);
        m->drain_left = (flags & LBS_F_DRAINED) != 0 ? 0 : m->sessions;
    }
}

static void fill_evidence(const collect_t *c, const lbs_pool_t *pool,
                          const lbs_member_t *from, lbs_view_member_t *m)
{
    const lbs_evidence_t *evidence = &from->record->eject.evidence;
    apr_int64_t window = pool->eject_conf.window_us;
    apr_uint64_t now = (apr_uint64_t)c->now.mono;
    lbs_window_sum_t sum = lbs_evidence_sum(evidence, window, now);

    m->lately_answers = sum.all;
    m->lately_5xx = sum.bad;
    m->blame = lbs_evidence_blame(evidence, window, now) / 1000.0;
}

static void fill_member(const collect_t *c, const lbs_member_t *from,
                        lbs_view_member_t *m)
{
    const lbs_registry_t *registry = c->rt->registry;
    lbs_registry_member_info_t info;
    lbs_member_record_view_t numbers;

    m->name = from->name;
    m->route = from->route;
    m->self = from->own;
    m->id = "";
    if (lbs_registry_member_info(registry, from->slot, &info) == APR_SUCCESS) {
        m->id = apr_psprintf(c->pool, "%016" APR_UINT64_T_HEX_FMT, info.id);
    }
    m->sessions = lbs_table_sessions(c->rt->slots, from->slot);
    lbs_member_record_view(from->record, from->gauge,
                           (apr_uint64_t)c->now.mono, &numbers);
    fill_counts(c, &numbers, m);
    fill_check(c, &numbers.check, &m->check);
    m->ignored = numbers.ignored && numbers.check.connected;
    if (m->state == LBS_STATE_DOWN && !m->ignored) {
        m->effective_weight = 0; /* only requests that find no other member try
                                    it */
    }
    fill_overrides(c, from->slot, m);
    fill_drain(c, from->slot, numbers.flags, m);
    m->used_at = unix_of(c, lbs_atomic_load64_relaxed(&from->gauge->heard_at));
    fill_member_plots(c, from->slot, m);
}

/* Pools ------------------------------------------------------------------ */

int lbs_collect_admin(const server_rec *s)
{
    const int *admin = lbs_config_of(s)->set.admin;

    return admin != NULL && *admin;
}

/* Virtual hosts that inherit a pool see the one state of it, each with
 * settings of its own. */
static int uses(const server_rec *s, const lbs_pool_t *pool)
{
    const lbs_pool_t *own = lbs_pools_find(s, pool->name);

    return own != NULL && own->slot == pool->slot;
}

static int has_pools(const server_rec *s)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        if (uses(s, APR_ARRAY_IDX(all, i, lbs_pool_t *))) {
            return 1;
        }
    }
    return 0;
}

/* A server changes the pools it uses. Those of others it changes only from the
 * outside: the main server, or a virtual host kept for administration, without
 * a pool of its own; and only where LBStickyAdmin is on for them too. So the
 * administrator of one site cannot change another. */
static int may_change(const collect_t *c, const lbs_pool_t *pool)
{
    if (!lbs_collect_admin(c->server)) {
        return 0;
    }
    if (uses(c->server, pool)) {
        return 1;
    }
    return *pool->set.admin
           && (c->server == ap_server_conf || !has_pools(c->server));
}

static void fill_decisions(const lbs_pool_record_t *record, lbs_view_pool_t *p)
{
    apr_uint32_t panic = lbs_atomic_load32_relaxed(&record->panic);
    int decision, reason;

    for (decision = 0; decision < LBS_DECISIONS; decision++) {
        for (reason = 0; reason < LBS_REASONS; reason++) {
            apr_uint64_t count = lbs_pool_record_count(
                record, (lbs_decision_t)decision, (lbs_reason_t)reason);

            p->decisions[decision][reason] = count;
        }
    }
    p->retries = lbs_atomic_load64_relaxed(&record->retries);
    p->retries_denied = lbs_atomic_load64_relaxed(&record->retries_denied);
    p->requests = lbs_atomic_load64_relaxed(&record->requests);
    p->panic = panic == LBS_PANIC_IGNORED || panic == LBS_PANIC_DEAD;
    p->dead = panic == LBS_PANIC_DEAD;
}

static void fill_sources(const collect_t *c, const lbs_set_sticky_t *sticky,
                         lbs_view_pool_t *p)
{
    const char **sources =
        apr_palloc(c->pool, LBS_SOURCE_MAX * sizeof(*sources));
    int i;

    for (i = 0; i < sticky->count; i++) {
        sources[i] = sticky->source[i].spelling;
    }
    p->sources = sources;
    p->sources_count = (apr_uint32_t)sticky->count;
}

static void fill_readers(const collect_t *c, const lbs_readers_t *from,
                         lbs_view_pool_t *p)
{
    lbs_view_reader_t *readers =
        apr_pcalloc(c->pool, LBS_FOREIGN_MAX * sizeof(*readers));
    int i;

    for (i = 0; from != NULL && i < from->count; i++) {
        const lbs_reader_use_t *use = from->reader[i].use;

        readers[i].word = from->reader[i].word.spelling;
        if (use != NULL) {
            readers[i].used = lbs_atomic_load64_relaxed(&use->used);
            readers[i].last =
                (apr_int64_t)lbs_atomic_load64_relaxed(&use->last);
        }
    }
    p->readers = readers;
    p->readers_count = from != NULL ? (apr_uint32_t)from->count : 0;
}

static void fill_pool(const collect_t *c, const lbs_pool_t *from,
                      lbs_view_pool_t *p)
{
    lbs_view_member_t *members =
        apr_pcalloc(c->pool, (from->count + 1) * sizeof(*members));
    apr_uint32_t i;

    p->name = from->name;
    p->vhost = from->vhost;
    p->method = lbs_pick_method_name(from->set.method->method);
    p->busy_key_percent = lbs_busy_percent(&c->rt->notes.busy[from->slot],
                                           (apr_uint64_t)c->now.mono);
    p->foreign_tokens = lbs_recent_count(&c->rt->notes.foreign[from->slot],
                                         (apr_uint64_t)c->now.mono);
    p->circles = lbs_recent_count(&c->rt->notes.circles[from->slot],
                                  (apr_uint64_t)c->now.mono);
    p->upgrades_lost = lbs_recent_count(
        &c->rt->notes.upgrades_lost[from->slot], (apr_uint64_t)c->now.mono);
    p->store_down = lbs_store_call_is_down(from->store);
    p->may_change = may_change(c, from);
    p->failover = from->failover;
    fill_sources(c, from->set.sticky, p);
    fill_readers(c, from->readers, p);
    fill_decisions(from->record, p);
    if (c->more.plots) {
        const lbs_ring_t *ring =
            lbs_registry_pool_ring(c->rt->registry, from->slot);

        fill_plot(c, ring, LBS_VIEW_RECENT, &p->plot[LBS_VIEW_RECENT]);
        fill_plot(c, ring, LBS_VIEW_DAY, &p->plot[LBS_VIEW_DAY]);
    }
    for (i = 0; i < from->count; i++) {
        lbs_view_member_t *to = &members[p->members_count];

        if (!lbs_pools_is_there(from, i)) {
            continue;
        }
        fill_member(c, from->member[i], to);
        lbs_collect_found(&c->now, from, from->member[i], to);
        fill_evidence(c, from, from->member[i], to);
        to->check.configured = from->set.check->path != NULL;
        p->queued += lbs_queue_waiting(&from->member[i]->record->queue,
                                       (apr_uint64_t)c->now.mono);
        p->inflight += to->inflight;
        p->sessions += to->sessions;
        p->members_count++;
    }
    p->members = members;
    lbs_collect_discover(c->pool, &c->now, from, p);
}

/* A pool that several virtual hosts inherit stands in the list once for each
 * way they use it; its state is one. */
static int is_known(const apr_array_header_t *all, int number)
{
    const lbs_pool_t *pool = APR_ARRAY_IDX(all, number, lbs_pool_t *);
    int i;

    for (i = 0; i < number; i++) {
        if (APR_ARRAY_IDX(all, i, lbs_pool_t *)->slot == pool->slot) {
            return 1;
        }
    }
    return 0;
}

static void fill_pools(const collect_t *c, lbs_view_t *view)
{
    const apr_array_header_t *all = lbs_pools_all();
    lbs_view_pool_t *pools =
        apr_pcalloc(c->pool, ((apr_size_t)all->nelts + 1) * sizeof(*pools));
    int i;

    for (i = 0; i < all->nelts; i++) {
        if (!is_known(all, i)) {
            fill_pool(c, APR_ARRAY_IDX(all, i, lbs_pool_t *),
                      &pools[view->pools_count++]);
        }
    }
    view->pools = pools;
}

lbs_pool_t *lbs_collect_pool(const lbs_view_pool_t *pool)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        lbs_pool_t *from = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        if (strcmp(from->name, pool->name) == 0
            && strcmp(from->vhost, pool->vhost) == 0) {
            return from;
        }
    }
    return NULL;
}

/* Events ----------------------------------------------------------------- */

static const char *vhost_of(const collect_t *c, const lbs_event_t *event)
{
    lbs_registry_pool_info_t info;

    /* The slot may have got another pool since. */
    if (event->pool[0] == '\0'
        || lbs_registry_pool_info(c->rt->registry, event->pool_slot, &info)
               != APR_SUCCESS
        || strcmp(info.name, event->pool) != 0) {
        return "";
    }
    return info.vhost;
}

static void fill_event(const collect_t *c, const lbs_event_t *from,
                       lbs_view_event_t *e)
{
    e->at = apr_time_sec(from->at);
    e->pool = apr_pstrdup(c->pool, from->pool);
    e->vhost = vhost_of(c, from);
    e->member = apr_pstrdup(c->pool, from->member);
    e->member_id = from->member_id == 0
                       ? ""
                       : apr_psprintf(c->pool, "%016" APR_UINT64_T_HEX_FMT,
                                      from->member_id);
    e->event = lbs_event_name(from->kind);
    e->reason = apr_pstrdup(c->pool, from->reason);
}

static void fill_events(const collect_t *c, lbs_view_t *view)
{
    const lbs_events_t *ring = lbs_registry_events(c->rt->registry);
    apr_uint64_t number = lbs_events_count(ring);
    apr_uint64_t oldest =
        number > LBS_EVENTS_KEPT ? number - LBS_EVENTS_KEPT : 0;
    lbs_view_event_t *events =
        apr_palloc(c->pool, LBS_EVENTS_KEPT * sizeof(*events));
    lbs_event_t event;

    while (number > oldest) {
        if (lbs_events_get(ring, --number, &event) == APR_SUCCESS) {
            fill_event(c, &event, &events[view->events_count++]);
        }
    }
    view->events = events;
}

/* The whole -------------------------------------------------------------- */

/* When the last request to any pool was, Unix seconds. */
static apr_int64_t last_request(const collect_t *c)
{
    const apr_array_header_t *all = lbs_pools_all();
    apr_uint64_t last = 0;
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);
        apr_uint64_t at =
            lbs_atomic_load64_relaxed(&pool->record->last_request);

        last = at > last ? at : last;
    }
    return unix_of(c, last);
}

/* The parent writes the file only when something happened, so its age alone
 * is no cause for alarm. */
static void fill_persist(const collect_t *c, lbs_view_table_t *table)
{
    const char *path = lbs_config_of(ap_server_conf)->main->persist;
    apr_int64_t saved = (apr_int64_t)apr_time_sec(
        lbs_atomic_load64_relaxed(c->rt->notes.saved_at));
    apr_int64_t last = last_request(c);

    table->persist = path != NULL ? path : "off";
    table->is_volatile = lbs_config_of(ap_server_conf)->main->persist_volatile;
    table->age_s =
        saved == 0 ? -1 : (apr_int64_t)apr_time_sec(c->now.wall) - saved;
    if (path != NULL && last > 0) {
        apr_int64_t from = saved != 0
                               ? saved
                               : (apr_int64_t)apr_time_sec(
                                   lbs_registry_started(c->rt->registry).wall);

        table->unsaved_s = last > from ? last - from : 0;
    }
}

static void fill_table(const collect_t *c, lbs_view_table_t *table)
{
    lbs_table_stats_t stats;

    lbs_table_stats(c->rt->table, &stats);
    table->capacity = stats.sessions;
    table->entries = stats.entries;
    table->bytes = stats.bytes;
    table->evicted_live = stats.evicted_unseen + stats.evicted_seen;
    table->expired = stats.expired;
    fill_persist(c, table);
}

static void fill_findings(const collect_t *c, lbs_view_t *view)
{
    const apr_array_header_t *found = lbs_advice_findings()->found;
    lbs_view_finding_t *findings = apr_pcalloc(
        c->pool, ((apr_size_t)found->nelts + 1) * sizeof(*findings));
    int i;

    for (i = 0; i < found->nelts; i++) {
        const lbs_finding_t *from = &APR_ARRAY_IDX(found, i, lbs_finding_t);

        findings[i].code = from->code;
        findings[i].pool = from->pool;
        findings[i].text = from->text;
        findings[i].certain = from->certain;
    }
    view->findings = findings;
    view->findings_count = (apr_uint32_t)found->nelts;
}

const lbs_view_t *lbs_collect_view(apr_pool_t *pool, const server_rec *s,
                                   const lbs_collect_t *more)
{
    collect_t c = {pool, lbs_runtime(), s, {0, NULL}, lbs_clock_both()};
    lbs_view_t *view = apr_pcalloc(pool, sizeof(*view));

    if (more != NULL) {
        c.more = *more;
    }
    view->version = LBSTICKY_VERSION;
    view->server = ap_server_conf->server_hostname;
    view->started = apr_time_sec(lbs_registry_started(c.rt->registry).wall);
    view->now = apr_time_sec(c.now.wall);
    view->generation = lbs_registry_generation(c.rt->registry);
    view->ahead_s =
        lbs_recent_most(c.rt->notes.ahead, (apr_uint64_t)c.now.mono);
    fill_table(&c, &view->table);
    fill_findings(&c, view);
    fill_pools(&c, view);
    fill_events(&c, view);
    return view;
}
