/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_json.c - the state as JSON, made with jansson.
 *
 * A member, an event and the head of a pool are each made and written alone:
 * there is never a tree of the whole state, which may have thousands of
 * members. Only the brackets of the lists stand here as text. All members of a
 * pool have the same keys in the same order, and so have all events: one
 * object is made for them and gets the values of one after the other.
 *
 * When memory runs out the document fails at once, so an object with a part
 * missing is never handed on.
 */
#include "src/view/lbs_json.h"

#include "src/view/lbs_alert.h"
#include "src/view/lbs_escape.h"

/* Frames ----------------------------------------------------------------- */

/* An object that is filled, for the first time or again. Then its values go by
 * place, not by name: every key is put each time, in the same order. */
typedef struct frame_t {
    lbs_out_t *out; /* fails when memory does */
    json_t *object; /* NULL: there was no memory for it */
    void *place;    /* of the next key; NULL: it is not there yet */
} frame_t;

static frame_t open_frame(lbs_out_t *out)
{
    frame_t frame = {out, json_object(), NULL};

    return frame;
}

static void close_frame(frame_t *frame)
{
    json_decref(frame->object);
}

static void rewind_frame(frame_t *frame)
{
    frame->place = json_object_iter(frame->object);
}

static void skip(frame_t *frame)
{
    frame->place = json_object_iter_next(frame->object, frame->place);
}

/* A value there was no memory for is NULL. */
static void put(frame_t *frame, const char *key, json_t *value)
{
    int rv;

    if (frame->place != NULL) {
        rv = json_object_iter_set_new(frame->object, frame->place, value);
        skip(frame);
    }
    else {
        rv = json_object_set_new_nocheck(frame->object, key, value);
    }
    if (rv != 0) {
        lbs_out_fail(frame->out, APR_ENOMEM);
    }
}

/* The object that is a value of another: it belongs to that. */
static frame_t within(frame_t *frame, const char *key)
{
    frame_t inner = {frame->out, json_object_iter_value(frame->place), NULL};

    if (inner.object != NULL) {
        skip(frame);
    }
    else {
        put(frame, key, json_object());
        inner.object = json_object_get(frame->object, key);
    }
    rewind_frame(&inner);
    return inner;
}

/* Values ----------------------------------------------------------------- */

static void put_integer(frame_t *frame, const char *key, json_int_t value)
{
    if (json_integer_set(json_object_iter_value(frame->place), value) == 0) {
        skip(frame);
    }
    else {
        put(frame, key, json_integer(value));
    }
}

static void put_count(frame_t *frame, const char *key, apr_uint64_t value)
{
    put_integer(frame, key,
                value < APR_INT64_MAX ? (json_int_t)value : APR_INT64_MAX);
}

/* Seconds; a negative number means never. */
static void put_seconds(frame_t *frame, const char *key, apr_int64_t value)
{
    put_integer(frame, key, value > 0 ? value : 0);
}

#define MOST 9200000000000000000.0 /* that an integer surely holds */

/* Three decimals; not-a-number becomes 0. */
static void put_real(frame_t *frame, const char *key, double value)
{
    double rounded = value > 0 ? value * 1000 + 0.5 : 0;

    value = (double)(apr_int64_t)(rounded < MOST ? rounded : MOST) / 1000;
    if (json_real_set(json_object_iter_value(frame->place), value) == 0) {
        skip(frame);
    }
    else {
        put(frame, key, json_real(value));
    }
}

static void put_flag(frame_t *frame, const char *key, int value)
{
    put(frame, key, json_boolean(value));
}

/* Not checked by jansson: it is UTF-8 when it gets there. */
static void put_text(frame_t *frame, const char *key, const char *value)
{
    json_t *old = json_object_iter_value(frame->place);

    value = lbs_escape_utf8(frame->out->pool, value);
    if (json_string_set_nocheck(old, value) == 0) {
        skip(frame);
    }
    else {
        put(frame, key, json_string_nocheck(value));
    }
}

static void put_texts(frame_t *frame, const char *key,
                      const char *const *values, apr_uint32_t length)
{
    json_t *array = json_array();
    apr_uint32_t i;

    for (i = 0; i < length; i++) {
        const char *text = lbs_escape_utf8(frame->out->pool, values[i]);

        if (json_array_append_new(array, json_string_nocheck(text)) != 0) {
            lbs_out_fail(frame->out, APR_ENOMEM);
        }
    }
    put(frame, key, array);
}

/* A member --------------------------------------------------------------- */

static void put_responses(frame_t *frame, const lbs_view_member_t *m)
{
    frame_t in = within(frame, "responses");

    put_count(&in, "1xx", m->responses[0]);
    put_count(&in, "2xx", m->responses[1]);
    put_count(&in, "3xx", m->responses[2]);
    put_count(&in, "4xx", m->responses[3]);
    put_count(&in, "5xx", m->responses[4]);
}

static void put_latency(frame_t *frame, const lbs_view_member_t *m)
{
    frame_t in = within(frame, "latency_ms");

    put_real(&in, "ewma", m->ewma_ms);
    put_real(&in, "p50", m->p50_ms);
    put_real(&in, "p90", m->p90_ms);
    put_real(&in, "p99", m->p99_ms);
}

static void put_check(frame_t *frame, const lbs_view_check_t *check)
{
    frame_t in = within(frame, "check");

    put_flag(&in, "ok", check->ok);
    put_text(&in, "last", check->last);
    put_seconds(&in, "at", check->at);
}

static void put_eject(frame_t *frame, const lbs_view_member_t *m)
{
    frame_t in = within(frame, "eject");

    put_seconds(&in, "until", m->eject_until);
    put_count(&in, "count", m->eject_count);
}

/* Whole seconds, the last one begun: a short failure is not none. */
static void put_downtime(frame_t *frame, const lbs_view_member_t *m)
{
    put_seconds(frame, "downtime_s", (apr_int64_t)(m->downtime_s + 0.999999));
    put_count(frame, "turns", m->turns);
}

static void put_drain(frame_t *frame, const lbs_view_member_t *m)
{
    frame_t in = within(frame, "drain");

    put_seconds(&in, "since", m->drain_since);
    put_seconds(&in, "deadline", m->drain_deadline);
    put_count(&in, "sessions_left", m->drain_left);
    put_seconds(&in, "used_at", m->used_at);
}

static void put_leaving(frame_t *frame, const lbs_view_member_t *m)
{
    frame_t in = within(frame, "leaving");

    put_seconds(&in, "since", m->leaving_since);
    put_seconds(&in, "deadline", m->leaving_deadline);
}

static void fill_member(frame_t *frame, const lbs_view_member_t *m)
{
    rewind_frame(frame);
    put_text(frame, "id", m->id);
    put_text(frame, "name", m->name);
    put_text(frame, "route", m->route);
    put_flag(frame, "self", m->self);
    put_text(frame, "state", lbs_state_name(m->state));
    put_real(frame, "weight", m->weight);
    put_real(frame, "effective_weight", m->effective_weight);
    put_count(frame, "sessions", m->sessions);
    put_count(frame, "inflight", m->inflight);
    put_count(frame, "limit", m->limit);
    put_count(frame, "requests", m->requests);
    put_count(frame, "failures", lbs_view_member_failures(m));
    put_seconds(frame, "since", m->since);
    put_responses(frame, m);
    put_count(frame, "bytes_in", m->bytes_in);
    put_count(frame, "bytes_out", m->bytes_out);
    put_latency(frame, m);
    put_check(frame, &m->check);
    put_eject(frame, m);
    put_downtime(frame, m);
    put_drain(frame, m);
    put_texts(frame, "override", m->override, m->overrides);
    put_text(frame, "found", m->found != NULL ? m->found : "");
    put_leaving(frame, m);
    put_seconds(frame, "lease_s", m->lease_s);
}

/* A pool without its members --------------------------------------------- */

static void put_reasons(frame_t *frame, const char *key,
                        const lbs_view_pool_t *p, lbs_decision_t decision)
{
    apr_uint32_t wanted = lbs_decision_reasons(decision);
    frame_t in = within(frame, key);
    int reason;

    for (reason = LBS_REASON_NONE + 1; reason < LBS_REASONS; reason++) {
        if ((wanted & (1u << reason)) != 0) {
            put_count(&in, lbs_reason_name((lbs_reason_t)reason),
                      p->decisions[decision][reason]);
        }
    }
}

static void put_decisions(frame_t *frame, const lbs_view_pool_t *p)
{
    frame_t in = within(frame, "decisions");

    put_reasons(&in, "new", p, LBS_DECISION_NEW);
    put_count(&in, "kept", lbs_view_pool_decided(p, LBS_DECISION_KEPT));
    put_count(&in, "local", lbs_view_pool_decided(p, LBS_DECISION_LOCAL));
    put_reasons(&in, "moved", p, LBS_DECISION_MOVED);
    put_reasons(&in, "refused", p, LBS_DECISION_REFUSED);
    put_count(&in, "none", lbs_view_pool_decided(p, LBS_DECISION_NONE));
}

static void put_readers(frame_t *frame, const lbs_view_pool_t *p)
{
    json_t *array = json_array();
    apr_uint32_t i;

    for (i = 0; i < p->readers_count; i++) {
        const lbs_view_reader_t *reader = &p->readers[i];
        json_t *object = json_object();
        frame_t in = {frame->out, object, NULL};

        put_text(&in, "reader", reader->word);
        put_count(&in, "used", reader->used);
        put_seconds(&in, "last", reader->last);
        if (json_array_append_new(array, object) != 0) {
            lbs_out_fail(frame->out, APR_ENOMEM);
        }
    }
    put(frame, "foreign", array);
}

static void put_discover(frame_t *frame, const lbs_view_pool_t *p)
{
    json_t *array = json_array();
    apr_uint32_t i;

    for (i = 0; i < p->discover_count; i++) {
        const lbs_view_source_t *source = &p->discover[i];
        json_t *object = json_object();
        frame_t in = {frame->out, object, NULL};

        put_text(&in, "source", source->source);
        put_text(&in, "state", source->state);
        put_text(&in, "reason", source->reason);
        put_count(&in, "found", source->found);
        put_count(&in, "ignored", source->ignored);
        put_seconds(&in, "at", source->at);
        put_seconds(&in, "next_s", source->next_s);
        if (json_array_append_new(array, object) != 0) {
            lbs_out_fail(frame->out, APR_ENOMEM);
        }
    }
    put(frame, "discover", array);
}

static void fill_pool_head(frame_t *frame, const lbs_view_pool_t *p)
{
    rewind_frame(frame);
    put_text(frame, "name", p->name);
    put_text(frame, "vhost", p->vhost);
    put_texts(frame, "sources", p->sources, p->sources_count);
    put_text(frame, "method", p->method);
    put_count(frame, "requests", p->requests);
    put_count(frame, "inflight", p->inflight);
    put_count(frame, "sessions", p->sessions);
    put_count(frame, "queued", p->queued);
    put_count(frame, "retries", p->retries);
    put_count(frame, "retries_denied", p->retries_denied);
    put_flag(frame, "panic", p->panic);
    put_flag(frame, "store_down", p->store_down);
    put_decisions(frame, p);
    put_readers(frame, p);
    put_discover(frame, p);
}

/* The rest of the state -------------------------------------------------- */

static void put_table(frame_t *frame, const lbs_view_table_t *table)
{
    frame_t in = within(frame, "table");

    put_count(&in, "capacity", table->capacity);
    put_count(&in, "entries", table->entries);
    put_count(&in, "bytes", table->bytes);
    put_count(&in, "evicted_live", table->evicted_live);
    put_count(&in, "expired", table->expired);
    put_text(&in, "persist", table->persist);
    put_seconds(&in, "age_s", table->age_s);
}

static void fill_state_head(frame_t *frame, const lbs_view_t *view)
{
    rewind_frame(frame);
    put_text(frame, "version", view->version);
    put_text(frame, "server", view->server);
    put_seconds(frame, "started", view->started);
    put_count(frame, "generation", view->generation);
    put_seconds(frame, "now", view->now);
    put_table(frame, &view->table);
}

static void fill_event(frame_t *frame, const lbs_view_event_t *e)
{
    rewind_frame(frame);
    put_seconds(frame, "at", e->at);
    put_text(frame, "pool", e->pool);
    put_text(frame, "vhost", e->vhost);
    put_text(frame, "member", e->member);
    put_text(frame, "id", e->member_id);
    put_text(frame, "event", e->event);
    put_text(frame, "reason", e->reason);
}

/* Writing ---------------------------------------------------------------- */

static int take(const char *data, size_t len, void *out)
{
    lbs_out_write(out, data, len);
    return 0;
}

static void dump(lbs_out_t *out, const json_t *value, size_t flags)
{
    char text[4096]; /* most members have less than 1000 */
    size_t len;

    /* A double surely holds 15 digits: 0.1 stays 0.1. */
    flags |= JSON_REAL_PRECISION(15);
    len = json_dumpb(value, text, sizeof(text), flags);
    if (len > 0 && len <= sizeof(text)) {
        lbs_out_write(out, text, len);
    }
    else if (len == 0 || json_dump_callback(value, take, out, flags) != 0) {
        lbs_out_fail(out, APR_ENOMEM);
    }
}

void lbs_json_dump(lbs_out_t *out, json_t *value, size_t flags)
{
    dump(out, value, flags);
    json_decref(value);
}

/* The inside of an object that goes on after it. */
static void write_head(frame_t *frame)
{
    lbs_out_raw(frame->out, "{");
    dump(frame->out, frame->object, JSON_COMPACT | JSON_EMBED);
}

static void write_item(frame_t *frame, int first)
{
    lbs_out_raw(frame->out, first ? "\n" : ",\n");
    dump(frame->out, frame->object, JSON_COMPACT);
}

static void write_members(lbs_out_t *out, const lbs_view_pool_t *p)
{
    frame_t frame = open_frame(out);
    apr_uint32_t i;

    for (i = 0; i < p->members_count; i++) {
        fill_member(&frame, &p->members[i]);
        write_item(&frame, i == 0);
    }
    close_frame(&frame);
}

static void write_pool(lbs_out_t *out, const lbs_view_pool_t *p)
{
    frame_t frame = open_frame(out);

    fill_pool_head(&frame, p);
    write_head(&frame);
    close_frame(&frame);
    lbs_out_raw(out, ",\"members\":[");
    write_members(out, p);
    lbs_out_raw(out, "]}");
}

static void write_events(lbs_out_t *out, const lbs_view_t *view)
{
    frame_t frame = open_frame(out);
    apr_uint32_t i;

    for (i = view->events_count; i > 0; i--) {
        fill_event(&frame, &view->events[i - 1]);
        write_item(&frame, i == view->events_count);
    }
    close_frame(&frame);
}

static void fill_alert(frame_t *frame, const lbs_alert_t *alert)
{
    rewind_frame(frame);
    put_text(frame, "severity", lbs_alert_level_name(alert->level));
    put_text(frame, "code", alert->code);
    put_text(frame, "pool", alert->pool != NULL ? alert->pool->name : "");
    put_text(frame, "vhost", alert->pool != NULL ? alert->pool->vhost : "");
    put_text(frame, "member",
             alert->member != NULL ? lbs_view_member_label(alert->member)
                                   : "");
    put_text(frame, "text", alert->text);
}

static void write_alerts(lbs_out_t *out, const lbs_view_t *view)
{
    const lbs_alerts_t *alerts = lbs_alert_list(out->pool, view);
    frame_t frame = open_frame(out);
    int i;

    for (i = 0; i < alerts->count; i++) {
        fill_alert(&frame, &alerts->alert[i]);
        write_item(&frame, i == 0);
    }
    close_frame(&frame);
}

void lbs_json_write(lbs_out_t *out, const lbs_view_t *view)
{
    frame_t frame = open_frame(out);
    apr_uint32_t i;

    fill_state_head(&frame, view);
    write_head(&frame);
    close_frame(&frame);
    lbs_out_raw(out, ",\"pools\":[");
    for (i = 0; i < view->pools_count; i++) {
        lbs_out_raw(out, i == 0 ? "\n" : ",\n");
        write_pool(out, &view->pools[i]);
    }
    lbs_out_raw(out, "],\n\"alerts\":[");
    write_alerts(out, view);
    lbs_out_raw(out, "],\n\"events\":[");
    write_events(out, view);
    lbs_out_raw(out, "]}\n");
}

void lbs_json_write_member(lbs_out_t *out, const lbs_view_member_t *m)
{
    frame_t frame = open_frame(out);

    fill_member(&frame, m);
    dump(out, frame.object, JSON_COMPACT);
    lbs_out_raw(out, "\n");
    close_frame(&frame);
}
