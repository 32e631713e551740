/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_query.c - which part of the page is asked for. */
#include "src/view/lbs_query.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "src/base/lbs_slice.h"
#include "src/base/lbs_text.h"
#include "src/view/lbs_alert.h"
#include "src/view/lbs_escape.h"

#define RATE_S 30 /* as the page shows it */
#define DIGITS "0123456789"

static const char *const sort_names[LBS_SORTS] = {
    "",       "name", "weight", "sessions", "inflight", "requests",
    "errors", "4xx",  "5xx",    "latency",  "downtime"};

/* One member with what it is sorted by. */
typedef struct row_t {
    double number;
    const char *name; /* "": not sorted by it */
    int sign;         /* -1: descending */
    apr_uint32_t place;
    const lbs_view_member_t *member;
} row_t;

const char *lbs_query_sort_name(lbs_query_sort_t sort)
{
    return (unsigned)sort < LBS_SORTS ? sort_names[sort] : "";
}

static const char *filled(const lbs_form_t *form, const char *name)
{
    const char *value = lbs_form_get(form, name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static int is(const lbs_form_t *form, const char *name, const char *value)
{
    const char *have = lbs_form_get(form, name);

    return have != NULL && strcmp(have, value) == 0;
}

static int state_of(const lbs_form_t *form)
{
    int state = 0;

    while (state < LBS_STATES
           && !is(form, "state", lbs_state_name((lbs_state_t)state))) {
        state++;
    }
    return state;
}

static lbs_query_sort_t sort_of(const lbs_form_t *form)
{
    int sort = LBS_SORT_GRAVITY + 1;

    while (sort < LBS_SORTS && !is(form, "sort", sort_names[sort])) {
        sort++;
    }
    return sort < LBS_SORTS ? (lbs_query_sort_t)sort : LBS_SORT_GRAVITY;
}

static apr_uint32_t page_of(const lbs_form_t *form)
{
    const char *value = filled(form, "page");
    apr_uint64_t page;

    if (value == NULL || lbs_text_uint(value, 1, 100000, &page) != NULL) {
        return 1;
    }
    return (apr_uint32_t)page;
}

void lbs_query_read(lbs_query_t *query, const lbs_form_t *form)
{
    const char *find = filled(form, "find");

    query->pool = filled(form, "pool");
    query->vhost = filled(form, "vhost");
    query->member = filled(form, "member");
    query->action = filled(form, "action");
    query->done = filled(form, "done");
    query->find = find != NULL ? find : "";
    query->state = state_of(form);
    query->sort = sort_of(form);
    query->descending = is(form, "order", "down");
    query->page = page_of(form);
    query->span = is(form, "span", "day") ? LBS_VIEW_DAY : LBS_VIEW_RECENT;
    query->all_events = is(form, "events", "all");
}

static void add(apr_pool_t *memory, const char **link, const char *name,
                const char *value)
{
    if (value != NULL && value[0] != '\0') {
        *link = apr_pstrcat(memory, *link, **link == '\0' ? "?" : "&", name,
                            "=", lbs_escape_url(memory, value), NULL);
    }
}

const char *lbs_query_link(apr_pool_t *memory, const lbs_query_t *query)
{
    const char *link = "";

    add(memory, &link, "pool", query->pool);
    add(memory, &link, "vhost", query->vhost);
    add(memory, &link, "member", query->member);
    add(memory, &link, "action", query->action);
    add(memory, &link, "done", query->done);
    add(memory, &link, "find", query->find);
    if (query->state != LBS_STATES) {
        add(memory, &link, "state", lbs_state_name((lbs_state_t)query->state));
    }
    add(memory, &link, "sort", lbs_query_sort_name(query->sort));
    add(memory, &link, "order", query->descending ? "down" : NULL);
    if (query->page > 1) {
        add(memory, &link, "page", apr_psprintf(memory, "%u", query->page));
    }
    add(memory, &link, "span", query->span == LBS_VIEW_DAY ? "day" : NULL);
    add(memory, &link, "events", query->all_events ? "all" : NULL);
    return link;
}

static int contains(const char *text, const char *part)
{
    lbs_slice_t want = lbs_slice_of(part);
    apr_size_t len = strlen(text), at;

    for (at = 0; at + want.n <= len; at++) {
        lbs_slice_t here = {text + at, want.n};

        if (lbs_slice_caseeq(here, want)) {
            return 1;
        }
    }
    return 0;
}

static int is_wanted(const lbs_query_t *query, const lbs_view_member_t *member)
{
    if (query->state != LBS_STATES && query->state != (int)member->state) {
        return 0;
    }
    return query->find[0] == '\0' || contains(member->route, query->find)
           || contains(member->name, query->find)
           || strcmp(member->id, query->find) == 0;
}

/* Members without answers come behind those without errors. */
static double share_of(apr_uint64_t part, apr_uint64_t all)
{
    return all > 0 ? (double)part / (double)all : -1;
}

/* Members that fail come first, by their state or before it tells: their last
 * check was bad, or they answer 5xx. What an operator has closed is no
 * failure. */
static double gravity_of(const lbs_view_member_t *member)
{
    int gravity = lbs_state_gravity(member->state);

    if (lbs_state_fails(member->state) || member->state == LBS_STATE_STOPPED
        || member->state == LBS_STATE_DISABLED) {
        return gravity;
    }
    if (!member->check.ok) {
        return lbs_state_gravity(LBS_STATE_EJECTED) + 0.25;
    }
    return lbs_alert_errs(member) ? lbs_state_gravity(LBS_STATE_EJECTED) + 0.5
                                  : gravity;
}

static double number_of(lbs_query_sort_t sort, const lbs_view_member_t *member)
{
    const lbs_view_plot_t *recent = &member->plot[LBS_VIEW_RECENT];

    switch (sort) {
    case LBS_SORT_GRAVITY:
        return gravity_of(member);
    case LBS_SORT_WEIGHT:
        return member->effective_weight;
    case LBS_SORT_SESSIONS:
        return (double)member->sessions;
    case LBS_SORT_INFLIGHT:
        return (double)member->inflight;
    case LBS_SORT_RATE:
        return lbs_view_plot_rate(recent, RATE_S, 0);
    case LBS_SORT_ERRORS:
        return (double)lbs_view_member_failures(member);
    case LBS_SORT_CLIENT:
        return share_of(member->lately.client_errors, member->lately.all);
    case LBS_SORT_SERVER:
        return share_of(member->lately.server_errors, member->lately.all);
    case LBS_SORT_LATENCY:
        return member->p99_ms;
    case LBS_SORT_DOWNTIME:
        return member->downtime_s;
    default:
        return 0;
    }
}

/* Two runs of digits, without zeros in front: the longer one is larger. */
static int compare_digits(const char **a, const char **b)
{
    apr_size_t len, other;
    int order;

    *a += strspn(*a, "0");
    *b += strspn(*b, "0");
    len = strspn(*a, DIGITS);
    other = strspn(*b, DIGITS);
    order = len != other ? (len > other) - (len < other) : memcmp(*a, *b, len);
    *a += len;
    *b += other;
    return order;
}

/* web2 comes before web10. */
static int compare_names(const char *name, const char *other)
{
    const char *a = name, *b = other;
    int order = 0;

    while (order == 0 && *a != '\0' && *b != '\0') {
        if (strchr(DIGITS, *a) != NULL && strchr(DIGITS, *b) != NULL) {
            order = compare_digits(&a, &b);
        }
        else {
            order = (unsigned char)*a++ - (unsigned char)*b++;
        }
    }
    if (order == 0) {
        order = (unsigned char)*a - (unsigned char)*b;
    }
    return order != 0 ? order : strcmp(name, other); /* web1, web01 */
}

static int compare(const void *one, const void *other)
{
    const row_t *a = one, *b = other;
    int order = (a->number > b->number) - (a->number < b->number);

    if (order == 0) {
        order = compare_names(a->name, b->name);
    }
    if (order != 0) {
        return a->sign * order;
    }
    return (a->place > b->place) - (a->place < b->place);
}

static int is_by_name(lbs_query_sort_t sort)
{
    return sort == LBS_SORT_NAME || sort == LBS_SORT_GRAVITY;
}

lbs_query_rows_t lbs_query_rows(apr_pool_t *memory, const lbs_query_t *query,
                                const lbs_view_pool_t *pool)
{
    row_t *rows =
        apr_palloc(memory, (pool->members_count + 1) * sizeof(*rows));
    lbs_query_rows_t found = {0, NULL};
    apr_uint32_t i;

    for (i = 0; i < pool->members_count; i++) {
        const lbs_view_member_t *member = &pool->members[i];
        row_t *row = &rows[found.count];

        if (!is_wanted(query, member)) {
            continue;
        }
        row->name =
            is_by_name(query->sort) ? lbs_view_member_label(member) : "";
        row->number = number_of(query->sort, member);
        row->sign = query->descending ? -1 : 1;
        row->place = i;
        row->member = member;
        found.count++;
    }
    qsort(rows, found.count, sizeof(*rows), compare);
    found.member =
        apr_palloc(memory, (found.count + 1) * sizeof(*found.member));
    for (i = 0; i < found.count; i++) {
        found.member[i] = rows[i].member;
    }
    return found;
}
