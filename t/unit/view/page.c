/* SPDX-License-Identifier: Apache-2.0 */
#include "src/view/lbs_page.h"
#include "t/unit/view/sample.h"

typedef struct written_t {
    char *text;
    int status;
} written_t;

static written_t written(apr_pool_t *pool, const lbs_view_t *view,
                         const char *query, const char *nonce)
{
    lbs_form_t form;
    lbs_page_t page = {view, &form, "lb-status", nonce};
    sample_text_t text;
    lbs_out_t *out = sample_out(pool, LBS_OUT_HTML, &text);
    written_t done;

    if (lbs_form_parse(&form, pool, query, strlen(query)) != NULL) {
        bail_out("%s", query);
    }
    done.status = lbs_page_write(out, &page);
    is_int(lbs_out_close(out), APR_SUCCESS, "?%.60s is written", query);
    done.text = text.text;
    return done;
}

/* Every element is closed in the right order and every attribute is quoted:
 * a small parser of exactly what we write. */
static const char *broken(const char *html)
{
    static const char *const alone[] = {"meta",  "link",  "input", "!DOCTYPE",
                                        "path/", "rect/", "use/",  "circle/"};
    char stack[64][16];
    int depth = 0;
    apr_size_t i;

    while ((html = strchr(html, '<')) != NULL) {
        apr_size_t len = strcspn(html + 1, " >");
        const char *end = html;
        char quote = '\0';
        int single = 0;

        for (; *end != '\0' && (quote != '\0' || *end != '>'); end++) {
            if (quote == '\0' && (*end == '"' || *end == '\'')) {
                quote = *end;
            }
            else if (quote == *end) {
                quote = '\0';
            }
        }
        if (*end == '\0' || len >= 16) {
            return html;
        }
        for (i = 0; i < sizeof(alone) / sizeof(*alone); i++) {
            single |= strncmp(html + 1, alone[i], strlen(alone[i])) == 0;
        }
        if (html[1] == '/') {
            if (depth == 0
                || strncmp(stack[--depth], html + 2, len - 1) != 0) {
                return html;
            }
        }
        else if (!single && end[-1] != '/') {
            if (depth == 64) {
                return html;
            }
            memcpy(stack[depth], html + 1, len);
            stack[depth++][len] = '\0';
        }
        html = end;
    }
    return depth == 0 ? NULL : "at the end";
}

static void well_formed(apr_pool_t *pool, const char *what,
                        const written_t *page)
{
    const char *at = broken(page->text);

    ok(at == NULL, "%s: well formed", what);
    if (at != NULL) {
        diag("%.200s", at);
    }
    ok(strstr(page->text, "style='") == NULL
           && strstr(page->text, "style=\"") == NULL
           && strstr(page->text, " onclick=\"") == NULL
           && strstr(page->text, " onclick='") == NULL
           && strstr(page->text, "javascript:") == NULL,
       "%s: no inline style, no inline script", what);
    ok(strstr(page->text, "http-equiv") == NULL, "%s: no meta refresh", what);
    (void)pool;
}

static void parts(apr_pool_t *pool)
{
    static const struct {
        const char *query;
        int status;
        const char *has, *has_not;
    } rows[] = {
        {"", 200, "<h2 id='pool0-name'>", "id='confirm'"},
        {"pool=app", 200, ">web4</a>", NULL},
        {"pool=app&member=web2", 200, "<h1>web2</h1>", ">web4</a>"},
        {"pool=app&member=web2&action=drain", 200,
         "269 sessions</b> and 6 requests in flight stay", NULL},
        {"pool=app&member=web1&action=disable", 200,
         "No other member can take over: visitors will get 503.", NULL},
        {"pool=app&member=web2&action=drain", 200,
         "<input type='hidden' name='nonce' value='abc'>", NULL},
        {"pool=app&member=web2&action=fly", 400, "no such action", "<form"},
        {"pool=app&member=web2&done=drain", 200,
         "is now <b>drain</b>, weight 1", NULL},
        {"pool=none", 404, "There is no such pool", NULL},
        {"pool=app&member=none", 404, "There is no such member", NULL},
        {"pool=app&find=WEB3", 200, "member-0000000000000abe",
         "member-0000000000000abd"},
        {"pool=app&state=down", 200, "member-0000000000000abe",
         "member-0000000000000abd"},
    };
    lbs_view_t *view = sample_view(pool, 4, 1);
    lbs_view_pool_t *of = apr_pmemdup(pool, view->pools, sizeof(*of));
    apr_size_t i;

    of->may_change = 1;
    view->pools = of;
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        written_t page = written(pool, view, rows[i].query, "abc");

        is_int(page.status, rows[i].status, "?%s", rows[i].query);
        ok(strstr(page.text, rows[i].has) != NULL, "?%s has %s", rows[i].query,
           rows[i].has);
        ok(rows[i].has_not == NULL
               || strstr(page.text, rows[i].has_not) == NULL,
           "?%s has not what it should not", rows[i].query);
        well_formed(pool, rows[i].query, &page);
    }
}

static void alerts(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 4, 1);
    written_t page = written(pool, view, "", NULL);
    lbs_view_pool_t *one;
    lbs_view_member_t *members;

    ok(strstr(page.text, "<title>(2) Load balancer on www1</title>") != NULL,
       "the title counts the alerts");
    ok(strstr(page.text, "web3 is down for 1 h 6 min: its check says HTTP "
                         "400, want 200-399")
           != NULL,
       "the member that is down, since when and why");
    view = sample_view(pool, 2, 0);
    page = written(pool, view, "", NULL);
    ok(strstr(page.text, "All is well: 2 members in 1 pool, nothing to do.")
           != NULL,
       "or that all is well");
    one = apr_pmemdup(pool, view->pools, sizeof(*one));
    members = apr_pmemdup(pool, one->members, 2 * sizeof(*members));
    members[1].state = LBS_STATE_DISABLED;
    one->members = members;
    view->pools = one;
    page = written(pool, view, "", NULL);
    ok(strstr(page.text, "All is well: 2 members in 1 pool, 1 without new "
                         "visitors.")
           != NULL,
       "but for one that is not to be forgotten");
}

static void not_allowed(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 2, 0);
    written_t page = written(pool, view, "pool=app", "abc");

    ok(strstr(page.text, "action=drain") == NULL,
       "no action is offered for a pool of others");
    page = written(pool, view, "pool=app&member=web1&action=drain", "abc");
    is_int(page.status, 403, "nor asked");
    ok(strstr(page.text, "<form") == NULL, "there is no form");
    ok(strstr(page.text, "on the page of www.example.com:80 with") != NULL,
       "but the place where it can be done");
    page = written(pool, view, "pool=app&member=web1&action=drain", NULL);
    is_int(page.status, 403, "nor where LBStickyAdmin is off");
}

/* Where the buttons are off the page says which line switches them on. */
static void hints(apr_pool_t *pool)
{
    static const char line[] = "<code>LBStickyAdmin on</code>";
    static const char *const queries[] = {"", "pool=app",
                                          "pool=app&member=web1",
                                          "pool=app&member=web1&action=drain"};
    lbs_view_t *view = sample_view(pool, 2, 0);
    lbs_view_pool_t *of = apr_pmemdup(pool, view->pools, sizeof(*of));
    apr_size_t i;

    for (i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
        written_t page = written(pool, view, queries[i], NULL);

        is_int(sample_occurs(page.text, line), 1, "?%s: the line, once",
               queries[i]);
        ok(strstr(page.text, "<code>Require</code>") != NULL,
           "?%s: and who may", queries[i]);
    }
    of->may_change = 1;
    view->pools = of;
    for (i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
        written_t page = written(pool, view, queries[i], "abc");

        ok(strstr(page.text, line) == NULL, "?%s: no hint where it is on",
           queries[i]);
    }
}

/* What becomes of visitors, by what the other members are. */
static void says_what_happens(apr_pool_t *pool)
{
    static const struct {
        lbs_state_t state; /* of the other member; LBS_STATES: there is none */
        int failover, checked, weight;
        const char *drain, *drain_not, *disable;
    } rows[] = {
        {LBS_STATE_UP, 1, 1, 1, "<b>will move</b> to 1 other member.", "503",
         "sessions will move</b> to 1 other member,"},
        {LBS_STATE_STANDBY, 1, 1, 1, "<b>will move</b> to 1 other member.",
         "503", "sessions will move</b>"},
        {LBS_STATES, 1, 1, 1, "new visitors will get 503.</p>", "will move",
         "No other member can take over: visitors will get 503.</p>"},
        {LBS_STATE_DISABLED, 1, 1, 1, "new visitors will get 503.</p>",
         "will move", "</b> cannot move."},
        {LBS_STATE_DOWN, 1, 1, 1, "those that are left then <b>will get 503",
         "will move", "visitors will get 503.</p>"},
        {LBS_STATE_DOWN, 1, 0, 1, "ejected or not reached: 1; they are tried",
         "will move", "ejected or not reached: 1; they are tried"},
        {LBS_STATE_EJECTED, 1, 1, 1, "ejected or not reached: 1; they are",
         "will move", "ejected or not reached: 1; they are tried"},
        {LBS_STATE_FULL, 1, 1, 1, "that are full: 1; a visitor may get a",
         "will move", "that are full: 1; a visitor may get a place"},
        {LBS_STATE_UP, 1, 1, 0, "new visitors will get 503.</p>", "will move",
         "</b> cannot move."},
        {LBS_STATE_UP, 0, 1, 1, "</b>, because LBStickyFailover is off.",
         "will move", "because LBStickyFailover is off: these visitors get"},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        lbs_view_t *view =
            sample_view(pool, rows[i].state == LBS_STATES ? 1 : 2, 0);
        lbs_view_pool_t *of = apr_pmemdup(pool, view->pools, sizeof(*of));
        lbs_view_member_t *members = apr_pmemdup(
            pool, of->members, of->members_count * sizeof(*members));
        written_t drain, disable;

        if (rows[i].state != LBS_STATES) {
            members[1].state = rows[i].state;
            members[1].check.configured = rows[i].checked;
            members[1].weight = rows[i].weight;
        }
        of->members = members;
        of->failover = rows[i].failover;
        of->may_change = 1;
        view->pools = of;
        view->events_count = 0;
        drain =
            written(pool, view, "pool=app&member=web1&action=drain", "abc");
        disable =
            written(pool, view, "pool=app&member=web1&action=disable", "abc");
        ok(strstr(drain.text, rows[i].drain) != NULL, "drain %zu: %s", i,
           rows[i].drain);
        ok(strstr(strstr(drain.text, "<main"), rows[i].drain_not) == NULL,
           "drain %zu: not %s", i, rows[i].drain_not);
        ok(strstr(disable.text, rows[i].disable) != NULL, "disable %zu: %s", i,
           rows[i].disable);
        well_formed(pool, "a question", &drain);
    }
}

static void says_what_else(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 1, 0);
    lbs_view_pool_t *of = apr_pmemdup(pool, view->pools, sizeof(*of));
    lbs_view_member_t *member =
        apr_pmemdup(pool, of->members, sizeof(*member));
    written_t page;

    of->members = member;
    of->may_change = 1;
    view->pools = of;
    page = written(pool, view, "pool=app&member=web1&action=weight", "abc");
    ok(strstr(page.text, "with a weight of 0 new visitors will get 503")
           != NULL,
       "the weight of the only member");
    member->state = LBS_STATE_DISABLED;
    page = written(pool, view, "pool=app&member=web1&action=enable", "abc");
    ok(strstr(page.text, "as checks fail") == NULL, "enabled, and well");
    member->check = (lbs_view_check_t){1, 0, 1, "HTTP 500", SAMPLE_NOW};
    page = written(pool, view, "pool=app&member=web1&action=enable", "abc");
    ok(strstr(page.text,
              "bad (HTTP 500): as long as checks fail it gets nobody")
           != NULL,
       "enabled, but its check fails");
    member->state = LBS_STATE_DOWN;
    page = written(pool, view, "pool=app&member=web1&action=drain", "abc");
    ok(strstr(page.text, "It is down now") != NULL
           && strstr(page.text, "stay until") == NULL,
       "no session stays with a member that is down");
}

static void numbers(apr_pool_t *pool)
{
    static const char *const rows[] = {
        "<td class='number' data-label='4xx'>1.5\xc2\xa0%</td>"
        "<td class='number' data-label='5xx'>0.5\xc2\xa0%</td>",
        "<td class='number last' data-label='Downtime'>3 min 12 s <span "
        "class='note'>2 turns</span></td>",
        "<dt>2xx</dt><dd>",
        "<dt>To members</dt><dd>",
        "<dt>From members</dt><dd>",
        "<span id='zone'>UTC+00:00 (UTC)</span>",
        "<li><time datetime='2023-11-14T22:13:10Z'>22:13:10</time> <span "
        "class='who'>app / web3</span> <b class='event bad'>down</b> <span "
        "class='why'>HTTP 400, want 200-399</span></li>",
        "times of the server, UTC+00:00 (UTC)",
    };
    lbs_view_t *view = sample_view(pool, 4, 1);
    written_t page = written(pool, view, "", NULL);
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        ok(strstr(page.text, rows[i]) != NULL, "%s", rows[i]);
    }
    page = written(pool, view, "pool=app&member=web1", NULL);
    ok(strstr(page.text, "<dt>Downtime</dt><dd>3 min 12 s</dd>") != NULL,
       "a member's downtime");
    ok(strstr(page.text, "<dt>5xx, last 5 min</dt><dd>0.5") != NULL,
       "and its share of errors");
}

static void nasty(apr_pool_t *pool)
{
    lbs_view_t *view = sample_nasty_view(pool);
    lbs_view_pool_t *of = apr_pmemdup(pool, view->pools, sizeof(*of));
    written_t page;

    of->may_change = 1;
    view->pools = of;
    ((lbs_view_member_t *)of->members)[1].route = "x' onclick='alert(1)";
    page = written(pool, view, "", "abc");
    well_formed(pool, "bad names", &page);
    ok(strstr(page.text, "x&#39; onclick=&#39;alert(1)") != NULL
           && strstr(page.text, "' onclick='") == NULL,
       "nor through a quote of the other kind");
    is_int(sample_occurs(page.text, "<script"), 1,
           "there is our script and no other");
    ok(strstr(page.text, "\"><script>") == NULL, "no name gets out");
    ok(strstr(page.text, "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;")
           != NULL,
       "they are shown as they are");
    page = written(pool, view,
                   "find=%22%3E%3Cscript%3E&sort=%22%3E%3Cscript%3E&pool=%22",
                   "abc");
    well_formed(pool, "a bad query", &page);
    is_int(sample_occurs(page.text, "<script"), 1, "nor does a query");
}

static void thousand(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 1000, 1);
    written_t page = written(pool, view, "pool=app", NULL);

    is_int(sample_occurs(page.text, "<tr id='member-"), 50, "50 of 1000");
    ok(strstr(page.text, "'member-0000000000000abe' class='is-down'") < strstr(
           page.text, "'member-0000000000000abf' class='is-ejected'")
           && strstr(page.text, "class='is-ejected'")
                  < strstr(page.text, "class='is-up'"),
       "those that fail are the first of them");
    ok(strlen(page.text) < 200000, "the page stays small: %zu bytes",
       strlen(page.text));
    page = written(pool, view, "pool=app&page=20&sort=sessions", NULL);
    is_int(sample_occurs(page.text, "<tr id='member-"), 50, "the last 50");
    page = written(pool, view, "pool=app&page=99", NULL);
    is_int(sample_occurs(page.text, "<tr id='member-"), 50,
           "no page behind the last one");
    well_formed(pool, "1000 members", &page);
}

static void nothing(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 0, 0);
    written_t page = written(pool, view, "", NULL);

    well_formed(pool, "a pool without members", &page);
    ok(strstr(page.text, "it has no members: visitors get 503") != NULL,
       "a pool without members is an alarm");
    view->pools_count = 0;
    view->events_count = 0;
    page = written(pool, view, "", NULL);
    well_formed(pool, "no pools", &page);
    ok(strstr(page.text, "No pool is governed") != NULL, "it says so");
}

int main(void)
{
    apr_pool_t *pool = sample_memory();

    setenv("TZ", "UTC", 1);
    parts(pool);
    alerts(pool);
    not_allowed(pool);
    hints(pool);
    says_what_happens(pool);
    says_what_else(pool);
    numbers(pool);
    nasty(pool);
    thousand(pool);
    nothing(pool);
    return done_testing();
}
