/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_json.c - the state as JSON.
 *
 * Written as it is read, without a tree of jansson's in between: with
 * it a scrape took ten times as long (bench/bench_status.c). Punctuation and
 * keys stand in the first argument of each call, so the calls read like the
 * document.
 */
#include "src/status/lbs_json.h"

static void text(lbs_out_t *out, const char *key, const char *value)
{
    lbs_out_raw(out, key);
    lbs_out_raw(out, "\"");
    lbs_out_text(out, value);
    lbs_out_raw(out, "\"");
}

static void count(lbs_out_t *out, const char *key, apr_uint64_t value)
{
    lbs_out_raw(out, key);
    lbs_out_count(out, value);
}

/* Seconds; what would be negative never was. */
static void seconds(lbs_out_t *out, const char *key, apr_int64_t value)
{
    count(out, key, value > 0 ? (apr_uint64_t)value : 0);
}

static void real(lbs_out_t *out, const char *key, double value)
{
    lbs_out_raw(out, key);
    lbs_out_real(out, value, 3);
}

static void flag(lbs_out_t *out, const char *key, int value)
{
    lbs_out_raw(out, key);
    lbs_out_raw(out, value ? "true" : "false");
}

static void texts(lbs_out_t *out, const char *key, const char *const *values,
                  apr_uint32_t length)
{
    apr_uint32_t i;

    lbs_out_raw(out, key);
    lbs_out_raw(out, "[");
    for (i = 0; i < length; i++) {
        text(out, i > 0 ? "," : "", values[i]);
    }
    lbs_out_raw(out, "]");
}

static void write_reasons(lbs_out_t *out, const char *key,
                          const lbs_view_pool_t *pool, lbs_decision_t decision)
{
    apr_uint32_t wanted = lbs_decision_reasons(decision);
    const char *before = "{\"";
    int reason;

    lbs_out_raw(out, key);
    for (reason = LBS_REASON_NONE + 1; reason < LBS_REASONS; reason++) {
        if ((wanted & (1u << reason)) != 0) {
            lbs_out_raw(out, before);
            lbs_out_raw(out, lbs_reason_name((lbs_reason_t)reason));
            count(out, "\":", pool->decisions[decision][reason]);
            before = ",\"";
        }
    }
    lbs_out_raw(out, "}");
}

static void write_decisions(lbs_out_t *out, const lbs_view_pool_t *pool)
{
    write_reasons(out, ",\"decisions\":{\"new\":", pool, LBS_DECISION_NEW);
    count(out, ",\"kept\":", lbs_view_pool_decided(pool, LBS_DECISION_KEPT));
    count(out, ",\"local\":", lbs_view_pool_decided(pool, LBS_DECISION_LOCAL));
    write_reasons(out, ",\"moved\":", pool, LBS_DECISION_MOVED);
    write_reasons(out, ",\"refused\":", pool, LBS_DECISION_REFUSED);
    lbs_out_raw(out, "}");
}

static void write_answers(lbs_out_t *out, const lbs_view_member_t *m)
{
    count(out, ",\"responses\":{\"1xx\":", m->responses[0]);
    count(out, ",\"2xx\":", m->responses[1]);
    count(out, ",\"3xx\":", m->responses[2]);
    count(out, ",\"4xx\":", m->responses[3]);
    count(out, ",\"5xx\":", m->responses[4]);
    count(out, "},\"bytes_in\":", m->bytes_in);
    count(out, ",\"bytes_out\":", m->bytes_out);
    real(out, ",\"latency_ms\":{\"ewma\":", m->ewma_ms);
    real(out, ",\"p50\":", m->p50_ms);
    real(out, ",\"p90\":", m->p90_ms);
    real(out, ",\"p99\":", m->p99_ms);
    lbs_out_raw(out, "}");
}

static void write_health(lbs_out_t *out, const lbs_view_member_t *m)
{
    flag(out, ",\"check\":{\"ok\":", m->check.ok);
    text(out, ",\"last\":", m->check.last);
    seconds(out, ",\"at\":", m->check.at);
    seconds(out, "},\"eject\":{\"until\":", m->eject_until);
    count(out, ",\"count\":", m->eject_count);
    seconds(out, "},\"drain\":{\"since\":", m->drain_since);
    seconds(out, ",\"deadline\":", m->drain_deadline);
    count(out, ",\"sessions_left\":", m->drain_left);
    seconds(out, ",\"used_at\":", m->used_at);
    lbs_out_raw(out, "}");
}

static void write_member(lbs_out_t *out, const lbs_view_member_t *m)
{
    text(out, "{\"id\":", m->id);
    text(out, ",\"name\":", m->name);
    text(out, ",\"route\":", m->route);
    flag(out, ",\"self\":", m->self);
    text(out, ",\"state\":", lbs_state_name(m->state));
    real(out, ",\"weight\":", m->weight);
    real(out, ",\"effective_weight\":", m->effective_weight);
    count(out, ",\"sessions\":", m->sessions);
    count(out, ",\"inflight\":", m->inflight);
    count(out, ",\"requests\":", m->requests);
    count(out, ",\"failures\":", lbs_view_member_failures(m));
    seconds(out, ",\"since\":", m->since);
    write_answers(out, m);
    write_health(out, m);
    texts(out, ",\"override\":", m->override, m->overrides);
    lbs_out_raw(out, "}");
}

static void write_table(lbs_out_t *out, const lbs_view_table_t *table)
{
    count(out, ",\"table\":{\"capacity\":", table->capacity);
    count(out, ",\"entries\":", table->entries);
    count(out, ",\"bytes\":", table->bytes);
    count(out, ",\"evicted_live\":", table->evicted_live);
    count(out, ",\"expired\":", table->expired);
    text(out, ",\"persist\":", table->persist);
    seconds(out, ",\"age_s\":", table->age_s);
    lbs_out_raw(out, "}");
}

static void write_event(lbs_out_t *out, const lbs_view_event_t *event)
{
    seconds(out, "{\"at\":", event->at);
    text(out, ",\"pool\":", event->pool);
    text(out, ",\"vhost\":", event->vhost);
    text(out, ",\"member\":", event->member);
    text(out, ",\"id\":", event->member_id);
    text(out, ",\"event\":", event->event);
    text(out, ",\"reason\":", event->reason);
    lbs_out_raw(out, "}");
}

static void write_pool(lbs_out_t *out, const lbs_view_pool_t *pool)
{
    apr_uint32_t i;

    text(out, "{\"name\":", pool->name);
    text(out, ",\"vhost\":", pool->vhost);
    texts(out, ",\"sources\":", pool->sources, pool->sources_count);
    text(out, ",\"method\":", pool->method);
    count(out, ",\"requests\":", pool->requests);
    count(out, ",\"inflight\":", pool->inflight);
    count(out, ",\"sessions\":", pool->sessions);
    count(out, ",\"queued\":", pool->queued);
    count(out, ",\"retries\":", pool->retries);
    count(out, ",\"retries_denied\":", pool->retries_denied);
    flag(out, ",\"panic\":", pool->panic);
    write_decisions(out, pool);
    lbs_out_raw(out, ",\"members\":[");
    for (i = 0; i < pool->members_count; i++) {
        lbs_out_raw(out, i > 0 ? ",\n" : "\n");
        write_member(out, &pool->members[i]);
    }
    lbs_out_raw(out, "]}");
}

void lbs_json_write(lbs_out_t *out, const lbs_view_t *view)
{
    apr_uint32_t i;

    text(out, "{\"version\":", view->version);
    text(out, ",\"server\":", view->server);
    seconds(out, ",\"started\":", view->started);
    count(out, ",\"generation\":", view->generation);
    seconds(out, ",\"now\":", view->now);
    write_table(out, &view->table);
    lbs_out_raw(out, ",\"pools\":[");
    for (i = 0; i < view->pools_count; i++) {
        lbs_out_raw(out, i > 0 ? ",\n" : "\n");
        write_pool(out, &view->pools[i]);
    }
    lbs_out_raw(out, "],\n\"events\":[");
    for (i = view->events_count; i > 0; i--) {
        lbs_out_raw(out, i < view->events_count ? ",\n" : "\n");
        write_event(out, &view->events[i - 1]);
    }
    lbs_out_raw(out, "]}\n");
}

void lbs_json_write_member(lbs_out_t *out, const lbs_view_member_t *member)
{
    write_member(out, member);
    lbs_out_raw(out, "\n");
}
