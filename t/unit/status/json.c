/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "src/status/lbs_json.h"
#include "t/unit/status/sample.h"

static char *written(apr_pool_t *pool, const lbs_view_t *view)
{
    sample_text_t text;
    lbs_out_t *out = sample_out(pool, LBS_OUT_JSON, &text);

    lbs_json_write(out, view);
    is_int(lbs_out_close(out), APR_SUCCESS, "taken");
    return text.text;
}

/* The documented schema with a value of the right type in every place. */
static const char schema[] =
    "{'version':'','server':'','started':0,'generation':0,'now':0,"
    "'table':{'capacity':0,'entries':0,'bytes':0,'evicted_live':0,"
    "'expired':0,'persist':'','age_s':0},"
    "'pools':[{'name':'','vhost':'','sources':[''],'method':'',"
    "'requests':0,'inflight':0,'sessions':0,'queued':0,'retries':0,"
    "'retries_denied':0,'panic':false,"
    "'decisions':{'new':{'first':0,'unknown':0,'expired':0,'forged':0},"
    "'kept':0,'local':0,'moved':{'down':0,'ejected':0,'disabled':0,"
    "'removed':0,'drained':0,'full':0,'failback':0},"
    "'refused':{'down':0,'full':0}},"
    "'members':[{'id':'','name':'','route':'','self':false,'state':'',"
    "'weight':0.5,'effective_weight':0.5,'sessions':0,'inflight':0,"
    "'requests':0,'failures':0,'since':0,'responses':{'1xx':0,'2xx':0,"
    "'3xx':0,'4xx':0,'5xx':0},'bytes_in':0,'bytes_out':0,"
    "'latency_ms':{'ewma':0.5,'p50':0.5,'p90':0.5,'p99':0.5},"
    "'check':{'ok':true,'last':'','at':0},'eject':{'until':0,'count':0},"
    "'drain':{'since':0,'deadline':0,'sessions_left':0,'used_at':0},"
    "'override':['']}]}],"
    "'events':[{'at':0,'pool':'','member':'','event':'','reason':''}]}";

static const char *kind(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "integer";
    case JSON_REAL:
        return "real";
    default:
        return json_is_boolean(value) ? "boolean" : "null";
    }
}

/* Every key of want is in have, with a value of that type. */
static void compare(const char *path, json_t *want, json_t *have)
{
    const char *key;
    json_t *value;

    if (!ok(have != NULL, "%s is there", path)) {
        return;
    }
    is_str(kind(have), kind(want), "type of %s", path);
    if (json_is_array(want)) {
        compare(path, json_array_get(want, 0), json_array_get(have, 0));
    }
    json_object_foreach(want, key, value)
    {
        char longer[200];

        snprintf(longer, sizeof(longer), "%s.%s", path, key);
        compare(longer, value, json_object_get(have, key));
    }
}

static json_t *member_of(json_t *state, size_t number)
{
    return json_array_get(
        json_object_get(json_array_get(json_object_get(state, "pools"), 0),
                        "members"),
        number);
}

static void keys(apr_pool_t *pool)
{
    char *text = apr_pstrdup(pool, schema), *at;
    json_t *want, *have;

    for (at = text; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    want = json_loads(text, 0, NULL);
    have = json_loads(written(pool, sample_view(pool, 4, 1)),
                      JSON_REJECT_DUPLICATES, NULL);
    if (want == NULL || have == NULL) {
        bail_out("no JSON");
    }
    /* The first member has no override, the second has. */
    json_array_remove(
        json_object_get(json_array_get(json_object_get(have, "pools"), 0),
                        "members"),
        0);
    compare("", want, have);
    json_decref(want);
    json_decref(have);
}

static void names(apr_pool_t *pool)
{
    char *text = written(pool, sample_nasty_view(pool));
    json_t *state = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *route;

    if (state == NULL) {
        bail_out("no JSON");
    }
    route = json_string_value(json_object_get(member_of(state, 0), "route"));
    ok(strncmp(route, "\"><script>alert(1)</script>\n\\&'\xc3\xa9\xef\xbf\xbd",
               35)
           == 0,
       "a name comes out as it went in, but for what is no UTF-8");
    is_int(strlen(route), 257, "and whole");
    json_decref(state);
}

static void numbers(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 1, 0);
    lbs_view_member_t *member =
        apr_pmemdup(pool, view->pools[0].members, sizeof(lbs_view_member_t));
    lbs_view_pool_t *of = apr_pmemdup(pool, view->pools, sizeof(*of));
    char *text;

    of->members = member;
    view->pools = of;
    member->requests = APR_UINT64_C(4294967296);
    member->inflight = APR_UINT64_C(2147483648);
    member->weight = 0.1;
    member->p99_ms = 0.0 / (member->p50_ms - member->p50_ms);
    view->table.age_s = -1;
    text = written(pool, view);
    ok(strstr(text, "\"requests\":4294967296,") != NULL, "2^32");
    ok(strstr(text, "\"inflight\":2147483648,") != NULL, "2^31");
    ok(strstr(text, "\"weight\":0.1,") != NULL, "no digits in vain");
    ok(strstr(text, "\"p99\":0.0}") != NULL, "no number is 0, not broken");
    ok(strstr(text, "\"age_s\":0}") != NULL, "no negative age");
    ok(strstr(text, ":-") == NULL, "nothing is negative");
}

static void sizes(apr_pool_t *pool)
{
    json_t *state =
        json_loads(written(pool, sample_view(pool, 1000, 1)), 0, NULL);
    lbs_view_t *view = sample_view(pool, 0, 0);

    ok(json_is_object(member_of(state, 999)), "1000 members");
    json_decref(state);
    view->events_count = 0;
    state = json_loads(written(pool, view), 0, NULL);
    ok(json_is_object(state), "a pool without members, no events");
    json_decref(state);
    view->pools_count = 0;
    state = json_loads(written(pool, view), 0, NULL);
    ok(json_is_object(state), "no pools");
    json_decref(state);
}

static void one_member(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 2, 0);
    sample_text_t text;
    lbs_out_t *out = sample_out(pool, LBS_OUT_JSON, &text);
    json_t *alone, *state = json_loads(written(pool, view), 0, NULL);

    lbs_json_write_member(out, &view->pools[0].members[1]);
    (void)lbs_out_close(out);
    alone = json_loads(text.text, 0, NULL);
    ok(json_equal(alone, member_of(state, 1)),
       "a member alone is as in the state");
    json_decref(alone);
    json_decref(state);
}

int main(void)
{
    apr_pool_t *pool = sample_memory();

    keys(pool);
    names(pool);
    numbers(pool);
    sizes(pool);
    one_member(pool);
    return done_testing();
}
