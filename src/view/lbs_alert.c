/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_alert.c - what an operator should know first, in sentences. */
#include "src/view/lbs_alert.h"

#include <apr_strings.h>

#include "src/view/lbs_human.h"

#define STALE_S 60   /* the state file is written every 5 s */
#define ONE_BY_ONE 4 /* more members than that become one sentence */
#define BUSY_PERCENT 50
#define LATELY_S 30  /* errors of so long count */
#define ERRORS_MIN 3 /* so many are no accident */
#define ERRORS_PERCENT 10

typedef struct list_t {
    apr_pool_t *memory;
    const lbs_view_t *view;
    lbs_alerts_t found;
    const lbs_view_pool_t *pool; /* that is looked at */
} list_t;

static void add(list_t *list, lbs_alert_level_t level,
                const lbs_view_member_t *member, const char *text)
{
    lbs_alert_t *alert = &list->found.alert[list->found.count];

    if (list->found.count == LBS_ALERTS_MAX) {
        return;
    }
    list->found.count++;
    alert->level = level;
    alert->text = text;
    alert->pool = list->pool;
    alert->member = member;
}

static const char *since(list_t *list, const lbs_view_member_t *member)
{
    return member->since == 0
               ? ""
               : apr_pstrcat(list->memory, " for ",
                             lbs_human_span(list->memory,
                                            list->view->now - member->since),
                             NULL);
}

static void member_out(list_t *list, const lbs_view_member_t *member)
{
    const char *label = lbs_view_member_label(member);

    if (member->state == LBS_STATE_DOWN && !member->check.connected) {
        add(list, LBS_ALERT_BAD, member,
            apr_psprintf(list->memory,
                         "%s is dead%s: it accepts no connections (%s)", label,
                         since(list, member), member->check.last));
        return;
    }
    if (member->state == LBS_STATE_DOWN) {
        add(list, LBS_ALERT_WARN, member,
            apr_psprintf(list->memory, "%s is down%s: its check says %s",
                         label, since(list, member), member->check.last));
        return;
    }
    add(list, LBS_ALERT_WARN, member,
        apr_psprintf(list->memory, "%s is ejected%s: its answers failed",
                     label, since(list, member)));
}

static int is_out(const lbs_view_member_t *member)
{
    return member->state == LBS_STATE_DOWN
           || member->state == LBS_STATE_EJECTED;
}

static void members_out(list_t *list)
{
    const lbs_view_pool_t *pool = list->pool;
    apr_uint32_t down = lbs_view_pool_count(pool, LBS_STATE_DOWN);
    apr_uint32_t ejected = lbs_view_pool_count(pool, LBS_STATE_EJECTED);
    apr_uint32_t i;

    if (down + ejected > ONE_BY_ONE) {
        add(list, LBS_ALERT_WARN, NULL,
            apr_psprintf(list->memory,
                         "%u of %u members are down, %u are ejected", down,
                         pool->members_count, ejected));
        return;
    }
    for (i = 0; i < pool->members_count; i++) {
        if (is_out(&pool->members[i])) {
            member_out(list, &pool->members[i]);
        }
    }
}

static int takes_new(lbs_state_t state)
{
    return state == LBS_STATE_UP || state == LBS_STATE_WARMING
           || state == LBS_STATE_SPARE || state == LBS_STATE_STANDBY;
}

static int is_open(const lbs_view_member_t *member)
{
    return (takes_new(member->state) || member->ignored) && member->weight > 0;
}

apr_uint32_t lbs_alert_open(const lbs_view_pool_t *pool)
{
    apr_uint32_t i, open = 0;

    for (i = 0; i < pool->members_count; i++) {
        open += (apr_uint32_t)is_open(&pool->members[i]);
    }
    return open;
}

static const char *append(apr_pool_t *memory, const char *list,
                          apr_uint32_t count, const char *what)
{
    return count == 0
               ? list
               : apr_pstrcat(memory, list, *list == '\0' ? "" : ", ",
                             lbs_human_count(memory, count), " ", what, NULL);
}

/* "2 disabled, 1 of weight 0": why nobody is left who takes new visitors. */
static const char *closed_by(apr_pool_t *memory, const lbs_view_pool_t *pool)
{
    const char *list = "";
    apr_uint32_t weightless = 0;
    int i;

    for (i = 0; i < LBS_STATES; i++) {
        lbs_state_t state = (lbs_state_t)i;
        apr_uint32_t count = lbs_view_pool_count(pool, state);

        if (takes_new(state)) {
            weightless += count;
        }
        else {
            list = append(memory, list, count, lbs_state_name(state));
        }
    }
    return append(memory, list, weightless, "of weight 0");
}

static void nobody_open(list_t *list)
{
    const lbs_view_pool_t *pool = list->pool;
    const char *closed = closed_by(list->memory, pool);
    apr_uint32_t i, serving = 0;

    for (i = 0; i < pool->members_count; i++) {
        serving += (apr_uint32_t)lbs_view_member_serves(&pool->members[i]);
    }
    if (pool->members_count == 0) {
        add(list, LBS_ALERT_BAD, NULL, "it has no members: visitors get 503");
    }
    else if (serving == 0) {
        add(list, LBS_ALERT_BAD, NULL,
            apr_pstrcat(list->memory, "no member can serve (", closed,
                        "): every visitor gets 503", NULL));
    }
    else if (lbs_alert_open(pool) > 0) {
        return;
    }
    else if (lbs_view_pool_count(pool, LBS_STATE_FULL) > 0) {
        add(list, LBS_ALERT_BAD, NULL,
            "every member is full: new visitors wait or get 503");
    }
    else {
        add(list, LBS_ALERT_BAD, NULL,
            apr_pstrcat(list->memory, "no member takes new visitors (", closed,
                        "): they get 503", NULL));
    }
}

/* Members may be up, and most requests fail all the same. */
static void errors_lately(list_t *list)
{
    const lbs_view_plot_t *plot = &list->pool->plot[LBS_VIEW_RECENT];
    double errors = LATELY_S * lbs_view_plot_rate(plot, LATELY_S, 1);
    double requests = LATELY_S * lbs_view_plot_rate(plot, LATELY_S, 0);

    if (errors < ERRORS_MIN || errors * 100 < requests * ERRORS_PERCENT) {
        return;
    }
    add(list, LBS_ALERT_WARN, NULL,
        apr_pstrcat(
            list->memory,
            lbs_human_of(list->memory, (apr_uint64_t)(errors + 0.5), "error",
                         "errors"),
            " with ",
            lbs_human_of(list->memory, (apr_uint64_t)(requests + 0.5),
                         "request", "requests"),
            " in ", lbs_human_span(list->memory, LATELY_S),
            ": answers 5xx, attempts that failed, refusals. The members' "
            "failures and answers tell which",
            NULL));
}

static void look_at_pool(list_t *list)
{
    const lbs_view_pool_t *pool = list->pool;

    if (pool->dead) {
        add(list, LBS_ALERT_BAD, NULL,
            "panic: no member accepts connections (closed members aside). Do "
            "they run?");
    }
    else if (pool->panic) {
        add(list, LBS_ALERT_BAD, NULL,
            "panic: every check fails (closed members aside), so checks are "
            "ignored and members that accept connections get visitors. Is "
            "the check right?");
    }
    nobody_open(list);
    members_out(list);
    errors_lately(list);
    if (pool->queued > 0) {
        add(list, LBS_ALERT_WARN, NULL,
            apr_pstrcat(list->memory,
                        lbs_human_of(list->memory, pool->queued,
                                     "request waits", "requests wait"),
                        " for a member that is full", NULL));
    }
    if (pool->store_down) {
        add(list, LBS_ALERT_WARN, NULL,
            "LBStickyStore does not answer: sessions are known to this "
            "server alone");
    }
    if (pool->busy_key_percent >= BUSY_PERCENT) {
        add(list, LBS_ALERT_WARN, NULL,
            apr_psprintf(list->memory,
                         "one key makes %d %% of the requests: they cannot "
                         "be spread. Is it a proxy or a robot?",
                         pool->busy_key_percent));
    }
}

static void look_at_table(list_t *list)
{
    const lbs_view_table_t *table = &list->view->table;

    /* After the table was made larger, or the flood is over, what was lost
     * long ago is still in the numbers, but no longer news. */
    if (table->evicted_live > 0
        && table->entries > table->capacity - table->capacity / 10) {
        add(list, LBS_ALERT_WARN, NULL,
            apr_pstrcat(
                list->memory, "the session table is full: ",
                lbs_human_of(list->memory, table->evicted_live, "session",
                             "sessions"),
                " that were still alive had to go. Raise LBStickyTable",
                NULL));
    }
    if (table->unsaved_s > STALE_S) {
        add(list, LBS_ALERT_WARN, NULL,
            apr_psprintf(list->memory,
                         "the state file %s does not hold the last %s: a "
                         "crash would lose them. Is the disk full?",
                         table->persist,
                         lbs_human_span(list->memory, table->unsaved_s)));
    }
}

/* Stable: within a level they stay as found, pool by pool. */
static lbs_alerts_t *worst_first(apr_pool_t *pool, const lbs_alerts_t *found)
{
    lbs_alerts_t *sorted = apr_palloc(pool, sizeof(*sorted));
    int level, i;

    sorted->count = 0;
    for (level = LBS_ALERT_BAD; level <= LBS_ALERT_WARN; level++) {
        for (i = 0; i < found->count; i++) {
            if ((int)found->alert[i].level == level) {
                sorted->alert[sorted->count++] = found->alert[i];
            }
        }
    }
    return sorted;
}

const lbs_alerts_t *lbs_alert_list(apr_pool_t *pool, const lbs_view_t *view)
{
    list_t list;
    apr_uint32_t i;

    list.memory = pool;
    list.view = view;
    list.found.count = 0;
    for (i = 0; i < view->pools_count; i++) {
        list.pool = &view->pools[i];
        look_at_pool(&list);
    }
    list.pool = NULL;
    look_at_table(&list);
    return worst_first(pool, &list.found);
}
