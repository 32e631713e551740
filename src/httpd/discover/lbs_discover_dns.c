/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_dns.c - see lbs_discover_dns.h. */
#include "src/httpd/discover/lbs_discover_dns.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "src/httpd/resolve/lbs_resolve.h"
#include "src/roster/lbs_pace.h"

#define ROUND_MOST apr_time_from_sec(10)
#define NAMES_MOST 512 /* of a round */

typedef struct round_t round_t;

/* A name whose addresses are wanted, or the services behind one. */
typedef struct lookup_t {
    round_t *round;
    const char *name;
    const proxy_worker *model;
    apr_uint32_t port;
    const lbs_dns_record_t *service; /* whose target it is; NULL: of none */
    lbs_roster_said_t said;          /* LBS_ROSTER_NOTHING: not yet */
    apr_array_header_t *nets;        /* lbs_net_t */
} lookup_t;

struct round_t {
    const lbs_set_discover_t *set;
    apr_pool_t *memory;
    lbs_resolve_t *resolver;
    apr_time_t begun_at;
    apr_array_header_t *lookups; /* lookup_t * */
    int pending;
    apr_uint32_t ttl;
    apr_uint32_t priority_most; /* of services */
    apr_uint32_t weight_most;
};

/* Of the process that ticks, per source. */
typedef struct watch_t {
    round_t *round; /* NULL: none is under way */
    apr_time_t next_at;
    unsigned fails; /* in a row */
} watch_t;

static watch_t (*watches)[LBS_ROSTER_SOURCES]; /* by slot of the pool */
static apr_pool_t *memory_of_all;

/* Rounds ----------------------------------------------------------------- */

static void end_round(watch_t *watch)
{
    if (watch->round != NULL) {
        if (watch->round->resolver != NULL) {
            lbs_resolve_close(watch->round->resolver);
        }
        apr_pool_destroy(watch->round->memory);
        watch->round = NULL;
    }
}

void lbs_discover_dns_begin(apr_pool_t *memory)
{
    apr_size_t bytes = sizeof(*watches) * LBS_REGISTRY_POOLS;
    int i, k;

    memory_of_all = memory;
    if (watches == NULL) {
        watches = apr_pcalloc(memory, bytes);
    }
    for (i = 0; i < LBS_REGISTRY_POOLS; i++) {
        for (k = 0; k < LBS_ROSTER_SOURCES; k++) {
            end_round(&watches[i][k]);
        }
    }
    memset(watches, 0, bytes);
}

static lookup_t *add_lookup(round_t *round, const char *name,
                            const proxy_worker *model, apr_uint32_t port)
{
    lookup_t *lookup = apr_pcalloc(round->memory, sizeof(*lookup));

    lookup->round = round;
    lookup->name = apr_pstrdup(round->memory, name);
    lookup->model = model;
    lookup->port = port;
    lookup->nets = apr_array_make(round->memory, 8, sizeof(lbs_net_t));
    APR_ARRAY_PUSH(round->lookups, lookup_t *) = lookup;
    return lookup;
}

static void take_ttl(round_t *round, apr_uint32_t ttl)
{
    round->ttl = ttl < round->ttl ? ttl : round->ttl;
}

static void ask(lookup_t *lookup, lbs_dns_type_t type, lbs_resolve_fn *then)
{
    lookup->round->pending++;
    lbs_resolve_ask(lookup->round->resolver, lookup->name, type, then, lookup);
}

/* Addresses -------------------------------------------------------------- */

static void add_nets(lookup_t *lookup, const lbs_dns_reply_t *reply)
{
    int i;

    for (i = 0; i < reply->records->nelts; i++) {
        *(lbs_net_t *)apr_array_push(lookup->nets) =
            LBS_DNS_AT(reply->records, i, lbs_dns_record_t)->net;
    }
    lookup->said = LBS_ROSTER_GOOD;
    take_ttl(lookup->round, reply->ttl);
}

/* The second answer, or the only one. */
static void hear_last(void *baton, const lbs_dns_reply_t *reply)
{
    lookup_t *lookup = baton;

    lookup->round->pending--;
    if (reply->said == LBS_ROSTER_GOOD) {
        add_nets(lookup, reply);
    }
    else if (lookup->nets->nelts == 0 || reply->said != LBS_ROSTER_NO_DATA) {
        lookup->said = reply->said;
    }
}

/* The answer about version 4, where version 6 may be wanted, too. */
static void hear_first(void *baton, const lbs_dns_reply_t *reply)
{
    lookup_t *lookup = baton;
    apr_uint32_t family = lookup->round->set->family;

    if (reply->said == LBS_ROSTER_GOOD) {
        add_nets(lookup, reply);
        if (family == LBS_DISCOVER_BOTH) {
            ask(lookup, LBS_DNS_AAAA, hear_last);
        }
    }
    else if (reply->said == LBS_ROSTER_NO_DATA) {
        ask(lookup, LBS_DNS_AAAA, hear_last);
    }
    else {
        lookup->said = reply->said;
    }
    lookup->round->pending--;
}

static void ask_addresses(lookup_t *lookup)
{
    switch (lookup->round->set->family) {
    case LBS_DISCOVER_V4:
        ask(lookup, LBS_DNS_A, hear_last);
        break;
    case LBS_DISCOVER_V6:
        ask(lookup, LBS_DNS_AAAA, hear_last);
        break;
    default:
        ask(lookup, LBS_DNS_A, hear_first);
    }
}

/* Services --------------------------------------------------------------- */

/* The server may have added the addresses of a target to its answer. */
static void take_added(lookup_t *lookup, const lbs_dns_reply_t *reply)
{
    apr_uint32_t family = lookup->round->set->family;
    int wanted = family == LBS_DISCOVER_V6 ? LBS_DNS_AAAA : LBS_DNS_A;
    int i;

    for (i = 0; family != LBS_DISCOVER_BOTH && i < reply->more->nelts; i++) {
        const lbs_dns_more_t *more =
            LBS_DNS_AT(reply->more, i, lbs_dns_more_t);

        if ((int)more->type == wanted
            && strcmp(more->name, lookup->name) == 0) {
            *(lbs_net_t *)apr_array_push(lookup->nets) = more->net;
            lookup->said = LBS_ROSTER_GOOD;
            take_ttl(lookup->round, more->ttl);
        }
    }
}

static void hear_services(void *baton, const lbs_dns_reply_t *reply)
{
    lookup_t *services = baton;
    round_t *round = services->round;
    int i;

    services->said = reply->said;
    for (i = 0; reply->said == LBS_ROSTER_GOOD && i < reply->records->nelts
                && round->lookups->nelts < NAMES_MOST;
         i++) {
        const lbs_dns_record_t *r =
            LBS_DNS_AT(reply->records, i, lbs_dns_record_t);
        lookup_t *lookup;

        if (strcmp(r->target, ".") == 0 || r->port == 0) {
            continue;
        }
        lookup = add_lookup(round, r->target, services->model, r->port);
        lookup->service = r;
        if (r->priority > round->priority_most) {
            round->priority_most = r->priority;
        }
        if (r->weight > round->weight_most) {
            round->weight_most = r->weight;
        }
        take_added(lookup, reply);
        if (lookup->said == LBS_ROSTER_NOTHING) {
            ask_addresses(lookup);
        }
    }
    if (reply->said == LBS_ROSTER_GOOD) {
        take_ttl(round, reply->ttl);
        if (round->lookups->nelts == 1) {
            services->said = LBS_ROSTER_NO_DATA;
        }
    }
    round->pending--;
}

/* A round ---------------------------------------------------------------- */

/* NAME:PORT */
static void ask_written(round_t *round, const lbs_pool_t *pool,
                        const char *what)
{
    const char *colon = strchr(what, ':');

    ask_addresses(add_lookup(
        round, apr_pstrmemdup(round->memory, what, (apr_size_t)(colon - what)),
        pool->model, (apr_uint32_t)atoi(colon + 1)));
}

static void ask_all(round_t *round, const lbs_discover_from_t *from)
{
    const lbs_set_finder_t *finder = lbs_discover_finder(from);
    const lbs_pool_t *pool = from->pool;
    int i;

    if (finder->by == LBS_ROSTER_BY_SRV) {
        ask(add_lookup(round, finder->what, pool->model, 0), LBS_DNS_SRV,
            hear_services);
    }
    else if (*finder->what != '\0') {
        ask_written(round, pool, finder->what);
    }
    for (i = 0; finder->by == LBS_ROSTER_BY_DNS && *finder->what == '\0'
                && i < pool->names->nelts;
         i++) {
        const proxy_worker *model =
            APR_ARRAY_IDX(pool->names, i, const proxy_worker *);
        lbs_worker_place_t place = lbs_worker_place(model);

        ask_addresses(add_lookup(round, place.host, model, place.port));
    }
}

static round_t *begin_round(const lbs_discover_from_t *from, unsigned fails,
                            apr_time_t now)
{
    apr_pool_t *memory;
    round_t *round;

    apr_pool_create(&memory, memory_of_all);
    round = apr_pcalloc(memory, sizeof(*round));
    round->set = from->pool->set.discover;
    round->memory = memory;
    round->begun_at = now;
    round->ttl = 0x7fffffff;
    round->lookups = apr_array_make(memory, 8, sizeof(lookup_t *));
    round->resolver = lbs_resolve_open(round->set->resolver, fails, memory);
    if (round->resolver != NULL) {
        ask_all(round, from);
    }
    return round;
}

/* Answers ---------------------------------------------------------------- */

/* @param i  of a lookup that a service asked for */
static const lbs_dns_record_t *service_at(const round_t *round, int i)
{
    return APR_ARRAY_IDX(round->lookups, i, const lookup_t *)->service;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(lbs_net_t));
}

/* A priority as it is; where one is too large for lbset=, how many there are
 * below it. */
static apr_uint32_t lbset_of(const round_t *round, apr_uint32_t priority)
{
    apr_uint32_t lesser = 0;
    int i, k;

    if (round->priority_most <= LBS_LIST_LBSET_MAX) {
        return priority;
    }
    for (i = 1; i < round->lookups->nelts; i++) {
        apr_uint32_t other = service_at(round, i)->priority;
        int is_first = other < priority;

        for (k = 1; k < i; k++) {
            is_first &= service_at(round, k)->priority != other;
        }
        lesser += (apr_uint32_t)is_first;
    }
    return lesser < LBS_LIST_LBSET_MAX ? lesser : LBS_LIST_LBSET_MAX;
}

/* The members of a name: each address is one, in an order of their own. */
static void list_addresses(const lookup_t *lookup, apr_array_header_t *list)
{
    const lbs_list_model_t model = lbs_discover_model(lookup->model);
    int i;

    qsort(lookup->nets->elts, (size_t)lookup->nets->nelts, sizeof(lbs_net_t),
          by_bytes);
    for (i = 0; i < lookup->nets->nelts; i++) {
        lbs_list_member_t *m = apr_array_push(list);

        *m = (lbs_list_member_t){
            .route = "",
            .weight = lbs_worker_weight(lookup->model),
            .lbset = (apr_uint32_t)lbs_worker_lbset(lookup->model),
            .net = ((const lbs_net_t *)(const void *)lookup->nets->elts)[i]};
        m->url =
            lbs_list_url(list->pool, &model,
                         lbs_list_host(list->pool, &m->net), lookup->port);
    }
}

static void list_target(const lookup_t *lookup, const round_t *round,
                        apr_array_header_t *list)
{
    const lbs_list_model_t model = lbs_discover_model(lookup->model);
    lbs_list_member_t *m = apr_array_push(list);
    int n = lookup->said == LBS_ROSTER_GOOD ? lookup->nets->nelts : 0;

    qsort(lookup->nets->elts, (size_t)n, sizeof(lbs_net_t), by_bytes);
    *m = (lbs_list_member_t){
        .route = "",
        .weight = lbs_pace_weight(lookup->service->weight, round->weight_most),
        .lbset = lbset_of(round, lookup->service->priority),
        .by_name = 1,
        .nets_count = n,
        .nets = apr_pmemdup(list->pool, lookup->nets->elts,
                            sizeof(lbs_net_t) * (apr_size_t)n)};
    if (n > 0) {
        m->net = m->nets[0];
    }
    m->url = lbs_list_url(list->pool, &model, lookup->name, lookup->port);
}

static lookup_t *lookup_at(const round_t *round, int i)
{
    return APR_ARRAY_IDX(round->lookups, i, lookup_t *);
}

/* All names of a source that has several have to be known. */
static lbs_roster_said_t list_names(const round_t *round,
                                    apr_array_header_t *list)
{
    lbs_roster_said_t said = LBS_ROSTER_GOOD;
    int i;

    for (i = 0; i < round->lookups->nelts; i++) {
        const lookup_t *lookup = lookup_at(round, i);

        if (lookup->said == LBS_ROSTER_GOOD) {
            list_addresses(lookup, list);
        }
        else if (said == LBS_ROSTER_GOOD) {
            said = lookup->said == LBS_ROSTER_NOTHING ? LBS_ROSTER_LATE
                                                      : lookup->said;
        }
    }
    return said;
}

/* A target whose address cannot be had now is named all the same. Where none
 * can, the reason of the first is that of all. */
static lbs_roster_said_t list_services(const round_t *round,
                                       apr_array_header_t *list)
{
    lbs_roster_said_t said = lookup_at(round, 0)->said;
    int i, known = 0;

    if (said != LBS_ROSTER_GOOD) {
        return said == LBS_ROSTER_NOTHING ? LBS_ROSTER_LATE : said;
    }
    for (i = 1; i < round->lookups->nelts; i++) {
        list_target(lookup_at(round, i), round, list);
        known += lookup_at(round, i)->said == LBS_ROSTER_GOOD;
    }
    if (known > 0) {
        return LBS_ROSTER_GOOD;
    }
    said = lookup_at(round, 1)->said;
    return said == LBS_ROSTER_NOTHING ? LBS_ROSTER_LATE : said;
}

static void make_answer(const lbs_discover_from_t *from, const round_t *round,
                        apr_pool_t *memory, lbs_discover_answer_t *answer)
{
    *answer = (lbs_discover_answer_t){.said = LBS_ROSTER_SILENT};
    answer->list = apr_array_make(memory, 8, sizeof(lbs_list_member_t));
    if (round->resolver != NULL) {
        answer->said = lbs_discover_finder(from)->by == LBS_ROSTER_BY_SRV
                           ? list_services(round, answer->list)
                           : list_names(round, answer->list);
    }
}

int lbs_discover_dns_poll(const lbs_discover_from_t *from, apr_time_t now,
                          apr_pool_t *memory, lbs_discover_answer_t *answer)
{
    watch_t *watch = &watches[from->pool->slot][from->source];
    apr_time_t interval = from->pool->set.discover->interval;
    round_t *round = watch->round;

    if (round == NULL) {
        if (now < watch->next_at) {
            return 0;
        }
        round = watch->round = begin_round(from, watch->fails, now);
    }
    if (round->pending > 0) {
        lbs_resolve_step(round->resolver);
    }
    if (round->pending > 0 && now - round->begun_at < ROUND_MOST) {
        return 0;
    }
    make_answer(from, round, memory, answer);
    watch->fails = answer->said == LBS_ROSTER_GOOD ? 0 : watch->fails + 1;
    watch->next_at =
        now
        + (watch->fails == 0 ? lbs_pace_good(round->ttl, interval)
                             : lbs_pace_bad(watch->fails, interval));
    answer->next_at = watch->next_at;
    end_round(watch);
    return 1;
}
