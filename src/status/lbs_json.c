/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_json.c - the state as JSON.
 *
 * The document is written in pieces: the tree of one pool's or one member's
 * values is made, written and freed before the next, so a pool of thousands
 * takes no more memory than one of two. Brackets and commas between the
 * pieces are ours, everything inside them is jansson's.
 */
#include "src/status/lbs_json.h"

#include <math.h>

#include <jansson.h>

#include "src/status/lbs_escape.h"

/* The setters below take the reference to value, also when they fail; a
 * value that could not be made is NULL and makes them fail. Keys are
 * literals, hence nocheck. */
typedef struct writer_t {
    lbs_out_t *out;
    int failed; /* out of memory */
} writer_t;

static void put(writer_t *w, json_t *object, const char *key, json_t *value)
{
    w->failed |= json_object_set_new_nocheck(object, key, value) != 0;
}

static void put_text(writer_t *w, json_t *object, const char *key,
                     const char *text)
{
    put(w, object, key,
        json_string_nocheck(lbs_escape_utf8(w->out->pool, text)));
}

static void put_count(writer_t *w, json_t *object, const char *key,
                      apr_uint64_t count)
{
    put(w, object, key, json_integer((json_int_t)count));
}

static void put_time(writer_t *w, json_t *object, const char *key,
                     apr_int64_t at)
{
    put(w, object, key, json_integer((json_int_t)at));
}

static void put_real(writer_t *w, json_t *object, const char *key,
                     double value)
{
    put(w, object, key, json_real(isfinite(value) ? value : 0));
}

static void put_flag(writer_t *w, json_t *object, const char *key, int flag)
{
    put(w, object, key, json_boolean(flag));
}

static void put_texts(writer_t *w, json_t *object, const char *key,
                      const char *const *texts, apr_uint32_t count)
{
    json_t *array = json_array();
    apr_uint32_t i;

    for (i = 0; i < count; i++) {
        const char *text = lbs_escape_utf8(w->out->pool, texts[i]);

        w->failed |= json_array_append_new(array, json_string_nocheck(text));
    }
    put(w, object, key, array);
}

static int sink(const char *data, size_t len, void *ctx)
{
    lbs_out_write(ctx, data, len);
    return 0;
}

/* Write a value and free it. An object can be left open: more members of it
 * follow from the caller, who also writes the brace. */
static void write_value(writer_t *w, json_t *value, int leave_open)
{
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9);

    if (leave_open) {
        lbs_out_raw(w->out, "{");
        flags |= JSON_EMBED;
    }
    w->failed |= json_dump_callback(value, sink, w->out, flags) != 0;
    json_decref(value);
}

static json_t *reasons_object(writer_t *w, const lbs_view_pool_t *pool,
                              lbs_decision_t decision)
{
    json_t *object = json_object();
    apr_uint32_t wanted = lbs_decision_reasons(decision);
    int reason;

    for (reason = LBS_REASON_NONE + 1; reason < LBS_REASONS; reason++) {
        if ((wanted & (1u << reason)) != 0) {
            put_count(w, object, lbs_reason_name((lbs_reason_t)reason),
                      pool->decisions[decision][reason]);
        }
    }
    return object;
}

static json_t *decisions_object(writer_t *w, const lbs_view_pool_t *pool)
{
    json_t *object = json_object();

    put(w, object, "new", reasons_object(w, pool, LBS_DECISION_NEW));
    put_count(w, object, "kept",
              lbs_view_pool_decided(pool, LBS_DECISION_KEPT));
    put_count(w, object, "local",
              lbs_view_pool_decided(pool, LBS_DECISION_LOCAL));
    put(w, object, "moved", reasons_object(w, pool, LBS_DECISION_MOVED));
    put(w, object, "refused", reasons_object(w, pool, LBS_DECISION_REFUSED));
    return object;
}

static json_t *responses_object(writer_t *w, const lbs_view_member_t *member)
{
    static const char *const keys[LBS_RESPONSES] = {"1xx", "2xx", "3xx", "4xx",
                                                    "5xx"};
    json_t *object = json_object();
    int i;

    for (i = 0; i < 5; i++) {
        put_count(w, object, keys[i], member->responses[i]);
    }
    return object;
}

static json_t *latency_object(writer_t *w, const lbs_view_member_t *member)
{
    json_t *object = json_object();

    put_real(w, object, "ewma", member->ewma_ms);
    put_real(w, object, "p50", member->p50_ms);
    put_real(w, object, "p90", member->p90_ms);
    put_real(w, object, "p99", member->p99_ms);
    return object;
}

static json_t *check_object(writer_t *w, const lbs_view_check_t *check)
{
    json_t *object = json_object();

    put_flag(w, object, "ok", check->ok);
    put_text(w, object, "last", check->last);
    put_time(w, object, "at", check->at);
    return object;
}

static json_t *eject_object(writer_t *w, const lbs_view_member_t *member)
{
    json_t *object = json_object();

    put_time(w, object, "until", member->eject_until);
    put_count(w, object, "count", member->eject_count);
    return object;
}

static json_t *drain_object(writer_t *w, const lbs_view_member_t *member)
{
    json_t *object = json_object();

    put_time(w, object, "since", member->drain_since);
    put_time(w, object, "deadline", member->drain_deadline);
    put_count(w, object, "sessions_left", member->drain_left);
    return object;
}

static json_t *member_object(writer_t *w, const lbs_view_member_t *member)
{
    json_t *object = json_object();

    put_text(w, object, "id", member->id);
    put_text(w, object, "name", member->name);
    put_text(w, object, "route", member->route);
    put_flag(w, object, "self", member->self);
    put_text(w, object, "state", lbs_state_name(member->state));
    put_real(w, object, "weight", member->weight);
    put_real(w, object, "effective_weight", member->effective_weight);
    put_count(w, object, "sessions", member->sessions);
    put_count(w, object, "inflight", member->inflight);
    put_count(w, object, "requests", member->requests);
    put_count(w, object, "failures", lbs_view_member_failures(member));
    put_time(w, object, "since", member->since);
    put(w, object, "responses", responses_object(w, member));
    put_count(w, object, "bytes_in", member->bytes_in);
    put_count(w, object, "bytes_out", member->bytes_out);
    put(w, object, "latency_ms", latency_object(w, member));
    put(w, object, "check", check_object(w, &member->check));
    put(w, object, "eject", eject_object(w, member));
    put(w, object, "drain", drain_object(w, member));
    put_texts(w, object, "override", member->override, member->overrides);
    return object;
}

static json_t *table_object(writer_t *w, const lbs_view_table_t *table)
{
    json_t *object = json_object();

    put_count(w, object, "capacity", table->capacity);
    put_count(w, object, "entries", table->entries);
    put_count(w, object, "bytes", table->bytes);
    put_count(w, object, "evicted_live", table->evicted_live);
    put_count(w, object, "expired", table->expired);
    put_text(w, object, "persist", table->persist);
    put_time(w, object, "age_s", table->age_s > 0 ? table->age_s : 0);
    return object;
}

static json_t *event_object(writer_t *w, const lbs_view_event_t *event)
{
    json_t *object = json_object();

    put_time(w, object, "at", event->at);
    put_text(w, object, "pool", event->pool);
    put_text(w, object, "vhost", event->vhost);
    put_text(w, object, "member", event->member);
    put_text(w, object, "id", event->member_id);
    put_text(w, object, "event", event->event);
    put_text(w, object, "reason", event->reason);
    return object;
}

static void write_pool(writer_t *w, const lbs_view_pool_t *pool)
{
    json_t *object = json_object();
    apr_uint32_t i;

    put_text(w, object, "name", pool->name);
    put_text(w, object, "vhost", pool->vhost);
    put_texts(w, object, "sources", pool->sources, pool->sources_count);
    put_text(w, object, "method", pool->method);
    put_count(w, object, "requests", pool->requests);
    put_count(w, object, "inflight", pool->inflight);
    put_count(w, object, "sessions", pool->sessions);
    put_count(w, object, "queued", pool->queued);
    put_count(w, object, "retries", pool->retries);
    put_count(w, object, "retries_denied", pool->retries_denied);
    put_flag(w, object, "panic", pool->panic);
    put(w, object, "decisions", decisions_object(w, pool));
    write_value(w, object, 1);
    lbs_out_raw(w->out, ",\"members\":[");
    for (i = 0; i < pool->members_count; i++) {
        lbs_out_raw(w->out, i > 0 ? ",\n" : "\n");
        write_value(w, member_object(w, &pool->members[i]), 0);
    }
    lbs_out_raw(w->out, "]}");
}

static void write_head(writer_t *w, const lbs_view_t *view)
{
    json_t *object = json_object();

    put_text(w, object, "version", view->version);
    put_text(w, object, "server", view->server);
    put_time(w, object, "started", view->started);
    put_count(w, object, "generation", view->generation);
    put_time(w, object, "now", view->now);
    put(w, object, "table", table_object(w, &view->table));
    write_value(w, object, 1);
}

apr_status_t lbs_json_write(lbs_out_t *out, const lbs_view_t *view)
{
    writer_t w = {out, 0};
    apr_uint32_t i;

    write_head(&w, view);
    lbs_out_raw(out, ",\"pools\":[");
    for (i = 0; i < view->pools_count; i++) {
        lbs_out_raw(out, i > 0 ? ",\n" : "\n");
        write_pool(&w, &view->pools[i]);
    }
    lbs_out_raw(out, "],\n\"events\":[");
    for (i = 0; i < view->events_count; i++) {
        lbs_out_raw(out, i > 0 ? ",\n" : "\n");
        write_value(&w, event_object(&w, &view->events[i]), 0);
    }
    lbs_out_raw(out, "]}\n");
    return w.failed ? APR_ENOMEM : out->status;
}

apr_status_t lbs_json_write_member(lbs_out_t *out,
                                   const lbs_view_member_t *member)
{
    writer_t w = {out, 0};

    write_value(&w, member_object(&w, member), 0);
    lbs_out_raw(out, "\n");
    return w.failed ? APR_ENOMEM : out->status;
}
