/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_alert.c - alerts: problems that an operator should see first. */
#include "src/view/lbs_alert.h"

#include <apr_strings.h>

#include "src/member/lbs_hint.h"
#include "src/view/lbs_human.h"

#define STALE_S 60   /* the state file is written every 5 s */
#define ONE_BY_ONE 4 /* more members than that become one sentence */
#define BUSY_PERCENT 50
#define LATELY_S 30  /* errors of so long count */
#define ERRORS_MIN 3 /* so many are no accident */
#define ERRORS_PERCENT 10
#define BLAME_MIN 0.2      /* share of 5xx above the others' */
#define REFUSED_MIN 30     /* answers, of five minutes */
#define REFUSED_PERCENT 90 /* of them 4xx */
#define FIRST_MIN 200      /* decisions, none for a visitor who came before */
#define CIRCLES_MIN 3      /* of one visitor, or of three */
#define FOREIGN_MIN 3      /* tokens of another secret in a minute */
#define AHEAD_MIN_S 30     /* clocks are never quite the same */

static const char *const codes[] = {
    [LBS_ALERT_NO_MEMBER] = "no-member",
    [LBS_ALERT_PANIC] = "panic",
    [LBS_ALERT_MEMBER_DEAD] = "member-dead",
    [LBS_ALERT_MEMBER_OUT] = "member-out",
    [LBS_ALERT_MEMBER_ERRORS] = "member-errors",
    [LBS_ALERT_ERRORS] = "errors",
    [LBS_ALERT_REFUSED] = "refused",
    [LBS_ALERT_CIRCLE] = "redirect-circle",
    [LBS_ALERT_UPGRADE] = "websocket",
    [LBS_ALERT_QUEUE] = "queue",
    [LBS_ALERT_SECRETS] = "secrets-differ",
    [LBS_ALERT_CLOCKS] = "clocks-apart",
    [LBS_ALERT_STORE_DOWN] = "store-down",
    [LBS_ALERT_TABLE_FULL] = "table-full",
    [LBS_ALERT_STATE_OLD] = "state-old",
    [LBS_ALERT_STATE_VOLATILE] = "state-volatile",
    [LBS_ALERT_BUSY_KEY] = "busy-key",
    [LBS_ALERT_NO_KEYS] = "no-keys",
    [LBS_ALERT_CONFIGURATION] = "configuration",
};

typedef struct list_t {
    apr_pool_t *memory;
    const lbs_view_t *view;
    lbs_alerts_t found;
    lbs_alert_code_t code[LBS_ALERTS_MAX]; /* of each that was found */
    const lbs_view_pool_t *pool;           /* that is looked at */
} list_t;

const char *lbs_alert_level_name(lbs_alert_level_t level)
{
    static const char *const names[] = {"act", "attention", "note"};

    return level < LBS_ALERT_LEVELS ? names[level] : "";
}

static void add(list_t *list, lbs_alert_level_t level, lbs_alert_code_t code,
                const lbs_view_member_t *member, const char *text)
{
    lbs_alert_t *alert = &list->found.alert[list->found.count];

    if (list->found.count == LBS_ALERTS_MAX) {
        return;
    }
    list->code[list->found.count++] = code;
    alert->level = level;
    alert->code = codes[code];
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

    if (member->state == LBS_STATE_DOWN && *member->check.last == '\0') {
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_MEMBER_OUT, member,
            apr_psprintf(list->memory,
                         "%s was down when httpd ended, and has not been "
                         "asked since",
                         label));
        return;
    }
    if (member->state == LBS_STATE_DOWN && !member->check.connected) {
        add(list, LBS_ALERT_ACT, LBS_ALERT_MEMBER_DEAD, member,
            apr_psprintf(list->memory,
                         "%s is dead%s: it accepts no connections (%s)%s",
                         label, since(list, member), member->check.last,
                         lbs_hint_of_check(member->check.last)));
        return;
    }
    if (member->state == LBS_STATE_DOWN) {
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_MEMBER_OUT, member,
            apr_psprintf(list->memory, "%s is down%s: its check says %s%s",
                         label, since(list, member), member->check.last,
                         lbs_hint_of_check(member->check.last)));
        return;
    }
    add(list, LBS_ALERT_ATTENTION, LBS_ALERT_MEMBER_OUT, member,
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
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_MEMBER_OUT, NULL,
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

/* "2 disabled, 1 of weight 0": why no member is left that takes new
 * visitors. */
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
        add(list, LBS_ALERT_ACT, LBS_ALERT_NO_MEMBER, NULL,
            "it has no members: visitors get 503");
    }
    else if (serving == 0) {
        add(list, LBS_ALERT_ACT, LBS_ALERT_NO_MEMBER, NULL,
            apr_pstrcat(list->memory, "no member can serve (", closed,
                        "): every visitor gets 503", NULL));
    }
    else if (lbs_alert_open(pool) > 0) {
        return;
    }
    else if (lbs_view_pool_count(pool, LBS_STATE_FULL) > 0) {
        add(list, LBS_ALERT_ACT, LBS_ALERT_NO_MEMBER, NULL,
            "every member is full: new visitors wait or get 503");
    }
    else {
        add(list, LBS_ALERT_ACT, LBS_ALERT_NO_MEMBER, NULL,
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
    add(list, LBS_ALERT_ATTENTION, LBS_ALERT_ERRORS, NULL,
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

/* Tokens of this pool's kind that no secret of this server signed. A client
 * can make such a token up, but not for other clients. */
static void foreign_tokens(list_t *list)
{
    if (list->pool->foreign_tokens >= FOREIGN_MIN) {
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_SECRETS, NULL,
            apr_psprintf(list->memory,
                         "%u requests of the last minute showed a cookie that "
                         "was signed with another secret: another server of "
                         "this site has another LBStickySecret or "
                         "ServerName, or somebody makes cookies up",
                         list->pool->foreign_tokens));
    }
}

int lbs_alert_errs(const lbs_view_member_t *member)
{
    return member->blame >= BLAME_MIN && member->lately_5xx >= ERRORS_MIN
           && !is_out(member);
}

static void member_errors(list_t *list)
{
    apr_uint32_t i;

    for (i = 0; i < list->pool->members_count; i++) {
        const lbs_view_member_t *m = &list->pool->members[i];

        if (!lbs_alert_errs(m)) {
            continue;
        }
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_MEMBER_ERRORS, m,
            apr_psprintf(list->memory,
                         "%s answers 5xx more often than the others: %u of "
                         "its last %u answers",
                         lbs_view_member_label(m), m->lately_5xx,
                         m->lately_answers));
    }
}

/* A site that refuses nearly everything: most often it does not know its name,
 * or is asked for other paths than its own. */
static void refused_lately(list_t *list)
{
    const lbs_view_pool_t *pool = list->pool;
    apr_uint64_t all = 0, refused = 0;
    apr_uint32_t i;

    for (i = 0; i < pool->members_count; i++) {
        all += pool->members[i].lately.all;
        refused += pool->members[i].lately.client_errors;
    }
    if (all < REFUSED_MIN || refused * 100 < all * REFUSED_PERCENT) {
        return;
    }
    add(list, LBS_ALERT_ATTENTION, LBS_ALERT_REFUSED, NULL,
        apr_pstrcat(
            list->memory, lbs_human_count(list->memory, refused), " of ",
            lbs_human_count(list->memory, all),
            " answers of the last five minutes are 4xx. 400 or 421: the "
            "members do not know the name they are asked for (Django: "
            "ALLOWED_HOSTS; or LBStickyForward host=off). 404: is the path "
            "of ProxyPass right, has a BalancerMember a slash at its end?",
            NULL));
}

/* Nobody has ever come back with a key. */
static void no_keys(list_t *list)
{
    const lbs_view_pool_t *pool = list->pool;
    apr_uint64_t first = pool->decisions[LBS_DECISION_NEW][LBS_REASON_FIRST];
    const char *sources = "";
    apr_uint32_t i;

    if (pool->sources_count == 0 || first < FIRST_MIN
        || first
               != pool->requests
                      - lbs_view_pool_decided(pool, LBS_DECISION_REFUSED)) {
        return;
    }
    for (i = 0; i < pool->sources_count; i++) {
        sources =
            apr_pstrcat(list->memory, sources, " ", pool->sources[i], NULL);
    }
    add(list, LBS_ALERT_NOTE, LBS_ALERT_NO_KEYS, NULL,
        apr_pstrcat(list->memory, "none of ",
                    lbs_human_count(list->memory, first),
                    " requests had a key, so nobody stays with a member: is "
                    "the name in LBSticky",
                    sources,
                    " right, do these clients send cookies back? For others: "
                    "docs/guide.md, 14",
                    NULL));
}

/* Answers by which a client can get no further, however often it asks. */
static void hopeless_answers(list_t *list)
{
    if (list->pool->circles >= CIRCLES_MIN) {
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_CIRCLE, NULL,
            "visitors are redirected in a circle: to the https URL that they "
            "asked for. Does the site believe X-Forwarded-Proto (Django: "
            "SECURE_PROXY_SSL_HEADER)? Where another proxy ends https: "
            "RemoteIPTrustedProxy names it. LBS3502 in the log has the URL");
    }
    if (list->pool->upgrades_lost > 0) {
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_UPGRADE, NULL,
            "clients asked for a WebSocket and got none: write "
            "upgrade=websocket behind each BalancerMember. LBS3501 in the "
            "log has the URL");
    }
}

static void look_at_pool(list_t *list)
{
    const lbs_view_pool_t *pool = list->pool;

    if (pool->dead) {
        add(list, LBS_ALERT_ACT, LBS_ALERT_PANIC, NULL,
            "panic: no member accepts connections (closed members aside). Do "
            "they run?");
    }
    else if (pool->panic) {
        add(list, LBS_ALERT_ACT, LBS_ALERT_PANIC, NULL,
            "panic: every check fails (closed members aside), so checks are "
            "ignored and members that accept connections get visitors. Is "
            "the check right?");
    }
    nobody_open(list);
    members_out(list);
    member_errors(list);
    errors_lately(list);
    refused_lately(list);
    hopeless_answers(list);
    no_keys(list);
    foreign_tokens(list);
    if (pool->queued > 0) {
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_QUEUE, NULL,
            apr_pstrcat(list->memory,
                        lbs_human_of(list->memory, pool->queued,
                                     "request waits", "requests wait"),
                        " for a member that is full", NULL));
    }
    if (pool->store_down) {
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_STORE_DOWN, NULL,
            "LBStickyStore does not answer: sessions are known to this "
            "server alone");
    }
    if (pool->busy_key_percent >= BUSY_PERCENT) {
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_BUSY_KEY, NULL,
            apr_psprintf(list->memory,
                         "one key makes %d %% of the requests: they cannot "
                         "be spread. Is it a proxy or a robot?",
                         pool->busy_key_percent));
    }
}

static void look_at_table(list_t *list)
{
    const lbs_view_table_t *table = &list->view->table;

    /* After the table was made larger, or the flood is over, old losses are
     * still in the numbers, but no longer news. */
    if (table->evicted_live > 0
        && table->entries > table->capacity - table->capacity / 10) {
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_TABLE_FULL, NULL,
            apr_pstrcat(
                list->memory, "the session table is full: ",
                lbs_human_of(list->memory, table->evicted_live, "session",
                             "sessions"),
                " that were still alive had to go. Raise LBStickyTable",
                NULL));
    }
    if (table->unsaved_s > STALE_S) {
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_STATE_OLD, NULL,
            apr_psprintf(list->memory,
                         "the state file %s does not hold the last %s: a "
                         "crash would lose them. Is the disk full?",
                         table->persist,
                         lbs_human_span(list->memory, table->unsaved_s)));
    }
}

static void look_at_servers(list_t *list)
{
    if (list->view->ahead_s >= AHEAD_MIN_S) {
        add(list, LBS_ALERT_ATTENTION, LBS_ALERT_CLOCKS, NULL,
            apr_psprintf(list->memory,
                         "another server of this site is ahead of this "
                         "server's clock by %s: sessions end at different "
                         "times. Do both run NTP?",
                         lbs_human_span(list->memory, list->view->ahead_s)));
    }
    if (list->view->table.is_volatile) {
        add(list, LBS_ALERT_NOTE, LBS_ALERT_STATE_VOLATILE, NULL,
            apr_psprintf(list->memory,
                         "the state file %s lies on a file system that a "
                         "reboot empties: secret, sessions and drains are "
                         "gone then. Write LBStickyPersist with a path "
                         "below /var/lib",
                         list->view->table.persist));
    }
}

static void look_at_configuration(list_t *list)
{
    apr_uint32_t i;

    for (i = 0; i < list->view->findings_count; i++) {
        const lbs_view_finding_t *finding = &list->view->findings[i];

        list->pool = *finding->pool != '\0'
                         ? lbs_view_pool_find(list->view, finding->pool, NULL)
                         : NULL;
        add(list, finding->certain ? LBS_ALERT_ATTENTION : LBS_ALERT_NOTE,
            LBS_ALERT_CONFIGURATION, NULL, finding->text);
    }
    list->pool = NULL;
}

/* Stable: those of one level and code stay as found, pool by pool. */
static lbs_alerts_t *worst_first(const list_t *list)
{
    lbs_alerts_t *sorted = apr_palloc(list->memory, sizeof(*sorted));
    int level, code, i;

    sorted->count = 0;
    for (level = 0; level < LBS_ALERT_LEVELS; level++) {
        for (code = 0; code <= LBS_ALERT_CONFIGURATION; code++) {
            for (i = 0; i < list->found.count; i++) {
                if ((int)list->found.alert[i].level == level
                    && (int)list->code[i] == code) {
                    sorted->alert[sorted->count++] = list->found.alert[i];
                }
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
    look_at_servers(&list);
    look_at_configuration(&list);
    return worst_first(&list);
}
