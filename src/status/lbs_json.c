/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_json.c - the state as JSON, made with jansson.
 *
 * A member, an event and the head of a pool are each made and written alone:
 * there is never a tree of the whole state, which may have thousands of
 * members. Only the brackets of the lists stand here as text.
 *
 * A value there is no memory for is NULL, and so becomes every object that was
 * to have it: none is ever written with a part missing, and whether memory
 * sufficed is asked once, when the outermost is written.
 */
#include "src/status/lbs_json.h"

#include "src/status/lbs_escape.h"

/* Values ----------------------------------------------------------------- */

/* NULL for a value, or no memory for its place, makes NULL of the object. */
static void put(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new_nocheck(*object, key, value) != 0) {
        json_decref(*object);
        *object = NULL;
    }
}

static void append(json_t **array, json_t *value)
{
    if (json_array_append_new(*array, value) != 0) {
        json_decref(*array);
        *array = NULL;
    }
}

/* Not checked by jansson: it is UTF-8 when it gets there. */
static json_t *text(apr_pool_t *pool, const char *value)
{
    return json_string_nocheck(lbs_escape_utf8(pool, value));
}

static json_t *texts(apr_pool_t *pool, const char *const *values,
                     apr_uint32_t length)
{
    json_t *array = json_array();
    apr_uint32_t i;

    for (i = 0; i < length; i++) {
        append(&array, text(pool, values[i]));
    }
    return array;
}

static json_t *count(apr_uint64_t value)
{
    return json_integer(value < APR_INT64_MAX ? (json_int_t)value
                                              : APR_INT64_MAX);
}

/* Seconds; what would be negative never was. */
static json_t *seconds(apr_int64_t value)
{
    return json_integer(value > 0 ? value : 0);
}

#define MOST 9200000000000000000.0 /* that an integer surely holds */

/* Three decimals; what is no number is 0. */
static json_t *real(double value)
{
    double rounded = value > 0 ? value * 1000 + 0.5 : 0;

    return json_real((double)(apr_int64_t)(rounded < MOST ? rounded : MOST)
                     / 1000);
}

/* A member --------------------------------------------------------------- */

static json_t *responses(const lbs_view_member_t *m)
{
    json_t *object = json_object();

    put(&object, "1xx", count(m->responses[0]));
    put(&object, "2xx", count(m->responses[1]));
    put(&object, "3xx", count(m->responses[2]));
    put(&object, "4xx", count(m->responses[3]));
    put(&object, "5xx", count(m->responses[4]));
    return object;
}

static json_t *latency(const lbs_view_member_t *m)
{
    json_t *object = json_object();

    put(&object, "ewma", real(m->ewma_ms));
    put(&object, "p50", real(m->p50_ms));
    put(&object, "p90", real(m->p90_ms));
    put(&object, "p99", real(m->p99_ms));
    return object;
}

static json_t *check(apr_pool_t *pool, const lbs_view_check_t *check)
{
    json_t *object = json_object();

    put(&object, "ok", json_boolean(check->ok));
    put(&object, "last", text(pool, check->last));
    put(&object, "at", seconds(check->at));
    return object;
}

static json_t *eject(const lbs_view_member_t *m)
{
    json_t *object = json_object();

    put(&object, "until", seconds(m->eject_until));
    put(&object, "count", count(m->eject_count));
    return object;
}

static json_t *drain(const lbs_view_member_t *m)
{
    json_t *object = json_object();

    put(&object, "since", seconds(m->drain_since));
    put(&object, "deadline", seconds(m->drain_deadline));
    put(&object, "sessions_left", count(m->drain_left));
    put(&object, "used_at", seconds(m->used_at));
    return object;
}

static json_t *member(apr_pool_t *pool, const lbs_view_member_t *m)
{
    json_t *object = json_object();

    put(&object, "id", text(pool, m->id));
    put(&object, "name", text(pool, m->name));
    put(&object, "route", text(pool, m->route));
    put(&object, "self", json_boolean(m->self));
    put(&object, "state", text(pool, lbs_state_name(m->state)));
    put(&object, "weight", real(m->weight));
    put(&object, "effective_weight", real(m->effective_weight));
    put(&object, "sessions", count(m->sessions));
    put(&object, "inflight", count(m->inflight));
    put(&object, "requests", count(m->requests));
    put(&object, "failures", count(lbs_view_member_failures(m)));
    put(&object, "since", seconds(m->since));
    put(&object, "responses", responses(m));
    put(&object, "bytes_in", count(m->bytes_in));
    put(&object, "bytes_out", count(m->bytes_out));
    put(&object, "latency_ms", latency(m));
    put(&object, "check", check(pool, &m->check));
    put(&object, "eject", eject(m));
    put(&object, "drain", drain(m));
    put(&object, "override", texts(pool, m->override, m->overrides));
    return object;
}

/* A pool without its members --------------------------------------------- */

static json_t *reasons(const lbs_view_pool_t *p, lbs_decision_t decision)
{
    apr_uint32_t wanted = lbs_decision_reasons(decision);
    json_t *object = json_object();
    int reason;

    for (reason = LBS_REASON_NONE + 1; reason < LBS_REASONS; reason++) {
        if ((wanted & (1u << reason)) != 0) {
            put(&object, lbs_reason_name((lbs_reason_t)reason),
                count(p->decisions[decision][reason]));
        }
    }
    return object;
}

static json_t *decisions(const lbs_view_pool_t *p)
{
    json_t *object = json_object();

    put(&object, "new", reasons(p, LBS_DECISION_NEW));
    put(&object, "kept", count(lbs_view_pool_decided(p, LBS_DECISION_KEPT)));
    put(&object, "local", count(lbs_view_pool_decided(p, LBS_DECISION_LOCAL)));
    put(&object, "moved", reasons(p, LBS_DECISION_MOVED));
    put(&object, "refused", reasons(p, LBS_DECISION_REFUSED));
    put(&object, "none", count(lbs_view_pool_decided(p, LBS_DECISION_NONE)));
    return object;
}

static json_t *pool_head(apr_pool_t *pool, const lbs_view_pool_t *p)
{
    json_t *object = json_object();

    put(&object, "name", text(pool, p->name));
    put(&object, "vhost", text(pool, p->vhost));
    put(&object, "sources", texts(pool, p->sources, p->sources_count));
    put(&object, "method", text(pool, p->method));
    put(&object, "requests", count(p->requests));
    put(&object, "inflight", count(p->inflight));
    put(&object, "sessions", count(p->sessions));
    put(&object, "queued", count(p->queued));
    put(&object, "retries", count(p->retries));
    put(&object, "retries_denied", count(p->retries_denied));
    put(&object, "panic", json_boolean(p->panic));
    put(&object, "store_down", json_boolean(p->store_down));
    put(&object, "decisions", decisions(p));
    return object;
}

/* The rest of the state -------------------------------------------------- */

static json_t *table(apr_pool_t *pool, const lbs_view_table_t *table)
{
    json_t *object = json_object();

    put(&object, "capacity", count(table->capacity));
    put(&object, "entries", count(table->entries));
    put(&object, "bytes", count(table->bytes));
    put(&object, "evicted_live", count(table->evicted_live));
    put(&object, "expired", count(table->expired));
    put(&object, "persist", text(pool, table->persist));
    put(&object, "age_s", seconds(table->age_s));
    return object;
}

static json_t *state_head(apr_pool_t *pool, const lbs_view_t *view)
{
    json_t *object = json_object();

    put(&object, "version", text(pool, view->version));
    put(&object, "server", text(pool, view->server));
    put(&object, "started", seconds(view->started));
    put(&object, "generation", count(view->generation));
    put(&object, "now", seconds(view->now));
    put(&object, "table", table(pool, &view->table));
    return object;
}

static json_t *event(apr_pool_t *pool, const lbs_view_event_t *e)
{
    json_t *object = json_object();

    put(&object, "at", seconds(e->at));
    put(&object, "pool", text(pool, e->pool));
    put(&object, "vhost", text(pool, e->vhost));
    put(&object, "member", text(pool, e->member));
    put(&object, "id", text(pool, e->member_id));
    put(&object, "event", text(pool, e->event));
    put(&object, "reason", text(pool, e->reason));
    return object;
}

/* Writing ---------------------------------------------------------------- */

static int take(const char *data, size_t len, void *out)
{
    lbs_out_write(out, data, len);
    return 0;
}

void lbs_json_dump(lbs_out_t *out, json_t *value, size_t flags)
{
    /* 15 digits are what a double surely holds: 0.1 stays 0.1. */
    if (json_dump_callback(value, take, out, flags | JSON_REAL_PRECISION(15))
        != 0) {
        lbs_out_fail(out, APR_ENOMEM);
    }
    json_decref(value);
}

/* The inside of an object that goes on after it. */
static void write_head(lbs_out_t *out, json_t *object)
{
    lbs_out_raw(out, "{");
    lbs_json_dump(out, object, JSON_COMPACT | JSON_EMBED);
}

static void write_item(lbs_out_t *out, int first, json_t *object)
{
    lbs_out_raw(out, first ? "\n" : ",\n");
    lbs_json_dump(out, object, JSON_COMPACT);
}

static void write_pool(lbs_out_t *out, const lbs_view_pool_t *p)
{
    apr_uint32_t i;

    write_head(out, pool_head(out->pool, p));
    lbs_out_raw(out, ",\"members\":[");
    for (i = 0; i < p->members_count; i++) {
        write_item(out, i == 0, member(out->pool, &p->members[i]));
    }
    lbs_out_raw(out, "]}");
}

void lbs_json_write(lbs_out_t *out, const lbs_view_t *view)
{
    apr_uint32_t i;

    write_head(out, state_head(out->pool, view));
    lbs_out_raw(out, ",\"pools\":[");
    for (i = 0; i < view->pools_count; i++) {
        lbs_out_raw(out, i == 0 ? "\n" : ",\n");
        write_pool(out, &view->pools[i]);
    }
    lbs_out_raw(out, "],\n\"events\":[");
    for (i = view->events_count; i > 0; i--) {
        write_item(out, i == view->events_count,
                   event(out->pool, &view->events[i - 1]));
    }
    lbs_out_raw(out, "]}\n");
}

void lbs_json_write_member(lbs_out_t *out, const lbs_view_member_t *m)
{
    lbs_json_dump(out, member(out->pool, m), JSON_COMPACT);
    lbs_out_raw(out, "\n");
}
