/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "src/view/lbs_json.h"
#include "t/unit/view/sample.h"

static char *written(apr_pool_t *pool, const lbs_view_t *view)
{
    sample_text_t text;
    lbs_out_t *out = sample_out(pool, LBS_OUT_PLAIN, &text);

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
    "'retries_denied':0,'panic':false,'store_down':false,"
    "'decisions':{'new':{'first':0,'unknown':0,'expired':0,'forged':0,"
    "'adopted':0,'released':0},"
    "'kept':0,'local':0,'moved':{'down':0,'ejected':0,'disabled':0,"
    "'removed':0,'drained':0,'full':0,'failback':0,'asked':0},"
    "'refused':{'down':0,'full':0},'none':0},"
    "'foreign':[{'reader':'','used':0,'last':0}],"
    "'members':[{'id':'','name':'','route':'','self':false,'state':'',"
    "'weight':0.5,'effective_weight':0.5,'sessions':0,'inflight':0,'limit':0,"
    "'requests':0,'failures':0,'since':0,'responses':{'1xx':0,'2xx':0,"
    "'3xx':0,'4xx':0,'5xx':0},'bytes_in':0,'bytes_out':0,"
    "'latency_ms':{'ewma':0.5,'p50':0.5,'p90':0.5,'p99':0.5},"
    "'check':{'ok':true,'last':'','at':0},'eject':{'until':0,'count':0},"
    "'downtime_s':0,'turns':0,"
    "'drain':{'since':0,'deadline':0,'sessions_left':0,'used_at':0},"
    "'override':['']}]}],"
    "'alerts':[{'severity':'','code':'','pool':'','vhost':'',"
    "'member':'','text':''}],"
    "'events':[{'at':0,'pool':'','member':'','event':'','reason':''}]}";

/* The same with double quotes, which C would have escaped. */
static char *in_json(apr_pool_t *pool, const char *text)
{
    char *copy = apr_pstrdup(pool, text), *at;

    for (at = copy; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    return copy;
}

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
    json_t *want = json_loads(in_json(pool, schema), 0, NULL);
    json_t *have = json_loads(written(pool, sample_view(pool, 4, 1)),
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
    member->bytes_in = APR_UINT64_C(9007199254740993);
    member->bytes_out = APR_UINT64_MAX;
    member->weight = 0.1;
    member->effective_weight = 1.0 / 3;
    member->ewma_ms = 1234567890.1234;
    member->p99_ms = 0.0 / (member->p50_ms - member->p50_ms);
    view->table.age_s = -1;
    text = written(pool, view);
    ok(strstr(text, "\"requests\":4294967296,") != NULL, "2^32");
    ok(strstr(text, "\"inflight\":2147483648,") != NULL, "2^31");
    ok(strstr(text, "\"bytes_in\":9007199254740993,") != NULL, "2^53 + 1");
    ok(strstr(text, "\"bytes_out\":9223372036854775807,") != NULL,
       "the largest there is");
    ok(strstr(text, "\"weight\":0.1,") != NULL, "no digits in vain");
    ok(strstr(text, "\"effective_weight\":0.333,") != NULL, "three of them");
    ok(strstr(text, "\"ewma\":1234567890.123,") != NULL,
       "also of a large one");
    ok(strstr(text, "\"p99\":0.0}") != NULL, "no number is 0, not broken");
    ok(strstr(text, "\"age_s\":0}") != NULL, "no negative age");
    ok(strstr(text, ":-") == NULL, "nothing is negative");
}

#define LONG 5000

/* Like nasty, with a member in between that is written in parts. */
static lbs_view_t *long_view(apr_pool_t *pool)
{
    lbs_view_t *view = sample_nasty_view(pool);
    lbs_view_pool_t *of = apr_pmemdup(pool, view->pools, sizeof(*of));
    lbs_view_member_t *members = apr_pcalloc(pool, 3 * sizeof(*members));
    char *name = apr_palloc(pool, LONG + 1);

    memset(name, 'y', LONG);
    name[LONG] = '\0';
    members[0] = of->members[0];
    members[1] = members[2] = of->members[1];
    members[1].name = name;
    of->members = members;
    of->members_count = 3;
    view->pools = of;
    return view;
}

static void long_one(apr_pool_t *pool)
{
    const lbs_view_t *view = long_view(pool);
    json_t *state = json_loads(written(pool, view), 0, NULL);
    apr_uint32_t i;

    if (state == NULL) {
        bail_out("no JSON");
    }
    for (i = 0; i < 3; i++) {
        is_str(json_string_value(json_object_get(member_of(state, i), "id")),
               view->pools[0].members[i].id, "member %u", i);
    }
    is_int(json_string_length(json_object_get(member_of(state, 1), "name")),
           LONG, "the long one is whole");
    is_str(json_string_value(json_object_get(member_of(state, 2), "name")),
           view->pools[0].members[2].name, "the next is short again");
    json_decref(state);
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

/* In the state all members share one object; alone each has its own. */
static void one_member(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 4, 1);
    json_t *alone, *state = json_loads(written(pool, view), 0, NULL);
    sample_text_t text;
    apr_uint32_t i;

    for (i = 0; i < 4; i++) {
        lbs_out_t *out = sample_out(pool, LBS_OUT_PLAIN, &text);

        lbs_json_write_member(out, &view->pools[0].members[i]);
        is_int(lbs_out_close(out), APR_SUCCESS, "taken");
        alone = json_loads(text.text, 0, NULL);
        ok(json_equal(alone, member_of(state, i)),
           "member %u alone is as in the state", i);
        json_decref(alone);
    }
    json_decref(state);
}

/* What is written for one member and one event. */
static const char whole[] =
    "{'version':'1.0','server':'www1','started':1699900000,"
    "'generation':3,'now':1700000000,'table':{'capacity':250000,"
    "'entries':3120,'bytes':3407872,'evicted_live':0,'expired':777,"
    "'persist':'/run/apache2/lbsticky.state','age_s':4},'pools':[\n"
    "{'name':'app','vhost':'www.example.com:80','sources':['cookie',"
    "'session=sessionid'],'method':'least-load','requests':184467,"
    "'inflight':14,'sessions':3120,'queued':0,'retries':17,"
    "'retries_denied':0,'panic':false,'store_down':false,"
    "'decisions':{'new':{'first':3000,"
    "'unknown':0,'expired':120,'forged':1,'adopted':0,'released':0},'kept':"
    "181000,'local':"
    "0,"
    "'moved':{'down':340,'ejected':0,'disabled':0,'removed':0,"
    "'drained':0,'full':0,'failback':0,'asked':0},'refused':{'down':0,'full':"
    "6},"
    "'none':0},'foreign':[{'reader':'haproxy:SRV','used':1200,"
    "'last':1699999000},{'reader':'bigip:BIGipServerapp','used':0,"
    "'last':0}],'discover':[],'members':[\n"
    "{'id':'0000000000000abc','name':'http://10.0.0.1:8000',"
    "'route':'web1','self':false,'state':'up','weight':1.0,"
    "'effective_weight':1.0,'sessions':364,'inflight':3,'limit':0,"
    "'requests':102643,'failures':4,'since':1699996000,"
    "'responses':{'1xx':0,'2xx':102343,'3xx':200,'4xx':100,'5xx':0},"
    "'bytes_in':71850100,'bytes_out':2360789000,'latency_ms':{'ewma':9.5,"
    "'p50':8.1,'p90':19.0,'p99':87.5},'check':{'ok':true,"
    "'last':'HTTP 200','at':1699999998},'eject':{'until':0,'count':0},"
    "'downtime_s':193,'turns':2,"
    "'drain':{'since':0,'deadline':0,'sessions_left':0,'used_at':0},"
    "'override':[],'found':'','leaving':{'since':0,'deadline':0},'lease_s':0}]"
    "}],\n"
    "'alerts':[],\n"
    "'events':[\n"
    "{'at':1699999990,'pool':'app','vhost':'www.example.com:80',"
    "'member':'web3','id':'0000000000000abe','event':'down',"
    "'reason':'HTTP 400, want 200-399'}]}\n";

static void bytes(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 1, 0);

    view->events_count = 1;
    is_str(written(pool, view), in_json(pool, whole),
           "every byte, the keys in their order");
}

/* Memory for so many allocations more; blocks that are held. */
static int left, held;

static void *some_memory(size_t size)
{
    if (left == 0) {
        return NULL;
    }
    left--;
    held++;
    return malloc(size);
}

static void give_back(void *block)
{
    held -= block != NULL;
    free(block);
}

/* Write with memory for so many allocations. */
static apr_status_t write_with(apr_pool_t *pool, int allocations,
                               const lbs_view_t *view, char **document)
{
    sample_text_t text;
    lbs_out_t *out = sample_out(pool, LBS_OUT_PLAIN, &text);
    apr_status_t rv;

    left = allocations;
    lbs_json_write(out, view);
    rv = lbs_out_close(out);
    *document = text.text;
    return rv;
}

static void no_memory(apr_pool_t *pool)
{
    const lbs_view_t *view = long_view(pool);
    const char *good = written(pool, view);
    apr_status_t rv = APR_ENOMEM;
    json_malloc_t take;
    json_free_t give;
    char *document = NULL;
    int n;

    json_get_alloc_funcs(&take, &give);
    json_set_alloc_funcs(some_memory, give_back);
    for (n = 0; rv == APR_ENOMEM && held == 0 && n < 100000; n++) {
        rv = write_with(pool, n, view, &document);
    }
    json_set_alloc_funcs(take, give);
    is_int(held, 0, "whichever allocation fails, no block is lost");
    is_int(rv, APR_SUCCESS, "and the document fails, until there is enough");
    ok(n > 100, "after %d allocations", n);
    is_str(document, good, "when it is whole");
}

int main(void)
{
    apr_pool_t *pool = sample_memory();

    keys(pool);
    names(pool);
    numbers(pool);
    long_one(pool);
    sizes(pool);
    one_member(pool);
    bytes(pool);
    no_memory(pool);
    return done_testing();
}
