/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_page_action.c - actions of an administrator: offers each, says what it
 * will do, and what it did.
 *
 * An action is a link to a page that says what will happen and has the one
 * form that does it. The result is read from the state and the events, never
 * from the link: a link can claim anything.
 */
#include "src/view/lbs_page_int.h"

#include <string.h>

#include <apr_strings.h>

#include "src/view/lbs_change.h"
#include "src/view/lbs_human.h"

/* The question, around the member's name, and the button that agrees. */
static const struct {
    const char *before, *after, *answer;
} questions[LBS_CHANGE_ACTIONS] = {
    {"Enable", "", "Yes, enable"},
    {"Drain", "", "Yes, drain"},
    {"Disable", "", "Yes, disable"},
    {"Put", " on standby", "Yes, on standby"},
    {"Change the weight of", "", "Set the weight"},
    {"Reset", "", "Yes, reset"},
    {"Forget sessions of", "", "Yes, forget"},
};

static void put_action(const lbs_part_t *part, const lbs_view_pool_t *pool,
                       const lbs_view_member_t *member,
                       lbs_change_action_t action)
{
    static const char *const titles[LBS_CHANGE_ACTIONS] = {
        "Enable", "Drain", "Disable",        "Standby",
        "Weight", "Reset", "Forget sessions"};

    lbs_out_put(
        part->out,
        "<a class='button' data-dialog href='%s'>%s<span "
        "class='hidden'> %s</span></a> ",
        lbs_page_link_to(part, pool, member, lbs_change_action_name(action)),
        titles[action], lbs_view_member_label(member));
}

static int is_off(const lbs_view_member_t *member)
{
    return member->state == LBS_STATE_DRAIN
           || member->state == LBS_STATE_DISABLED
           || member->state == LBS_STATE_STANDBY
           || member->state == LBS_STATE_STOPPED;
}

void lbs_page_actions(const lbs_part_t *part, const lbs_view_pool_t *pool,
                      const lbs_view_member_t *member, int all)
{
    if (is_off(member)) {
        put_action(part, pool, member, LBS_CHANGE_ENABLE);
    }
    if (!is_off(member)) {
        put_action(part, pool, member, LBS_CHANGE_DRAIN);
    }
    if (!all) {
        return;
    }
    if (member->state != LBS_STATE_DISABLED) {
        put_action(part, pool, member, LBS_CHANGE_DISABLE);
    }
    if (member->state != LBS_STATE_STANDBY) {
        put_action(part, pool, member, LBS_CHANGE_STANDBY);
    }
    put_action(part, pool, member, LBS_CHANGE_WEIGHT);
    put_action(part, pool, member, LBS_CHANGE_RESET);
    put_action(part, pool, member, LBS_CHANGE_FORGET);
}

void lbs_page_hint(const lbs_part_t *part, const lbs_view_pool_t *pool)
{
    if (part->page->nonce == NULL) {
        lbs_out_raw(part->out,
                    "<p class='note hint'>Buttons that drain, disable or "
                    "weigh members are off. The line <code>LBStickyAdmin "
                    "on</code> in this virtual host or in the main server "
                    "switches them on, for everybody whom "
                    "<code>Require</code> lets see this page.</p>");
    }
    else if (!pool->may_change) {
        lbs_out_put(part->out,
                    "<p class='note hint'>Members of this pool are changed on "
                    "the page of %s with <code>LBStickyAdmin on</code> "
                    "there; with that line in the main server, too, also on "
                    "the main server's page.</p>",
                    pool->vhost);
    }
}

/* The other members, by what they can do for visitors of this one now. */
typedef struct others_t {
    apr_uint32_t open;     /* take them */
    apr_uint32_t full;     /* do when a place becomes free */
    apr_uint32_t doubtful; /* are tried when no other is left */
} others_t;

/* A member without checks is down because of a connection that failed: that
 * may be over. */
static int is_doubtful(const lbs_view_member_t *member)
{
    return member->state == LBS_STATE_EJECTED
           || (member->state == LBS_STATE_DOWN && !member->check.configured);
}

static others_t count_others(const lbs_part_t *part)
{
    others_t others = {0, 0, 0};
    apr_uint32_t i;

    for (i = 0; i < part->pool->members_count; i++) {
        const lbs_view_member_t *other = &part->pool->members[i];

        if (other == part->member || other->state == LBS_STATE_DRAIN
            || !(other->weight > 0)) {
            continue;
        }
        if (other->state == LBS_STATE_FULL) {
            others.full++;
        }
        else if (lbs_view_member_serves(other)) {
            others.open++;
        }
        else {
            others.doubtful += (apr_uint32_t)is_doubtful(other);
        }
    }
    return others;
}

static const char *others_of(const lbs_part_t *part)
{
    return lbs_human_of(part->out->pool, count_others(part).open,
                        "other member", "other members");
}

static const char *sessions_of(const lbs_part_t *part)
{
    return lbs_human_of(part->out->pool, part->member->sessions, "session",
                        "sessions");
}

/* @param who  that need another member */
static void say_nobody(const lbs_part_t *part, const char *who)
{
    lbs_out_t *out = part->out;
    others_t others = count_others(part);

    if (others.open > 0) {
        return;
    }
    lbs_out_put(out,
                "<p class='bad'>No other member can take over: %s will get "
                "503.",
                who);
    if (others.full > 0) {
        lbs_out_put(out,
                    " Other members that are full: %u; a visitor may get a "
                    "place that becomes free there.",
                    others.full);
    }
    if (others.doubtful > 0) {
        lbs_out_put(out,
                    " Other members that are ejected or not reached: %u; they "
                    "are tried before.",
                    others.doubtful);
    }
    lbs_out_raw(out, "</p>");
}

static void say_move(const lbs_part_t *part)
{
    lbs_out_t *out = part->out;

    if (!part->pool->failover) {
        lbs_out_put(out,
                    "<p><b>%s</b> cannot move, because LBStickyFailover is "
                    "off: these visitors get 503 until it is enabled.</p>",
                    sessions_of(part));
        say_nobody(part, "new visitors");
        return;
    }
    if (count_others(part).open == 0) {
        lbs_out_put(out, "<p><b>%s</b> cannot move.</p>", sessions_of(part));
        say_nobody(part, "visitors");
        return;
    }
    lbs_out_put(out,
                "<p><b>%s will move</b> to %s, each with its next request. "
                "Where the application keeps sessions in its own memory these "
                "visitors have to log in again.</p>",
                sessions_of(part), others_of(part));
}

/* The sessions that a deadline or an idle time ends at this member. */
static void say_deadline(const lbs_part_t *part)
{
    lbs_out_t *out = part->out;
    int failover = part->pool->failover;

    if (failover && count_others(part).open > 0) {
        lbs_out_put(out,
                    "<p>With a deadline, those that are left then <b>will "
                    "move</b> to %s. With an idle time, sessions idle for "
                    "longer than that move at once.</p>",
                    others_of(part));
        return;
    }
    lbs_out_put(out,
                "<p>With a deadline, those that are left then <b>will get "
                "503</b>%s. With an idle time, sessions idle for longer than "
                "that get it at once.</p>",
                failover ? ", unless another member is there by then"
                         : ", because LBStickyFailover is off");
}

static void say_drain(const lbs_part_t *part)
{
    const lbs_view_member_t *m = part->member;
    lbs_out_t *out = part->out;

    if (!lbs_view_member_serves(m)) {
        lbs_out_put(out,
                    "<p>It takes no new visitors when it is back. It is %s "
                    "now: <b>%s</b> do not stay for a drain.</p>",
                    lbs_state_name(m->state), sessions_of(part));
        say_move(part);
        return;
    }
    lbs_out_put(out,
                "<p>It takes no new visitors. <b>%s</b> and %s stay until "
                "they end by themselves.</p>",
                sessions_of(part),
                lbs_human_of(out->pool, m->inflight, "request in flight",
                             "requests in flight"));
    say_deadline(part);
    say_nobody(part, "new visitors");
}

/* The effect of the action, in words. */
static void say_before(const lbs_part_t *part, lbs_change_action_t action)
{
    lbs_out_t *out = part->out;
    const char *sessions = sessions_of(part);

    switch (action) {
    case LBS_CHANGE_ENABLE:
        lbs_out_raw(out, "<p>It takes new visitors again, few at first: see "
                         "LBStickySlowStart. Nobody moves.</p>");
        if (!part->member->check.ok) {
            lbs_out_put(out,
                        "<p class='bad'>Its last check was bad (%s): as long "
                        "as checks fail it gets nobody.</p>",
                        part->member->check.last);
        }
        break;
    case LBS_CHANGE_DRAIN:
        say_drain(part);
        break;
    case LBS_CHANGE_DISABLE:
        say_move(part);
        break;
    case LBS_CHANGE_STANDBY:
        lbs_out_put(out,
                    "<p>It takes new visitors only when no other member can. "
                    "<b>%s</b> stay.</p>",
                    sessions);
        break;
    case LBS_CHANGE_WEIGHT:
        lbs_out_put(out,
                    "<p>Its share of new visitors follows its weight, now %s. "
                    "0 means no new visitors. <b>%s</b> stay.</p>",
                    lbs_human_weight(out->pool, part->member->weight),
                    sessions);
        say_nobody(part, "with a weight of 0 new visitors");
        break;
    case LBS_CHANGE_RESET:
        lbs_out_put(out,
                    "<p>All that was changed by hand goes back to what the "
                    "configuration says, and an ejection is lifted. <b>%s</b> "
                    "stay.</p>",
                    sessions);
        break;
    default:
        lbs_out_put(out,
                    "<p><b>%s</b> will be forgotten: these visitors are "
                    "treated as new with their next request and may come to "
                    "any member. With a key or a cookie, only that one.</p>",
                    sessions);
        break;
    }
}

static void put_input(const lbs_part_t *part, const char *name,
                      const char *label, const char *hint, const char *value)
{
    lbs_out_put(part->out,
                "<p class='field'><label for='field-%s'>%s</label>"
                "<input id='field-%s' name='%s' value='%s' "
                "autocomplete='off' spellcheck='false' "
                "aria-describedby='hint-%s'><span class='note' "
                "id='hint-%s'>%s</span></p>",
                name, label, name, name, value, name, name, hint);
}

static void put_inputs(const lbs_part_t *part, lbs_change_action_t action)
{
    apr_pool_t *memory = part->out->pool;

    if (action == LBS_CHANGE_DRAIN) {
        put_input(part, "deadline", "Deadline",
                  "from now, such as 10min or 2h; empty: none", "");
        put_input(part, "idle", "Idle for",
                  "such as 5min; empty: nobody moves at once", "");
    }
    if (action == LBS_CHANGE_WEIGHT) {
        put_input(part, "weight", "Weight", "0 to 100, two decimals",
                  lbs_human_weight(memory, part->member->weight));
    }
    if (action == LBS_CHANGE_FORGET) {
        put_input(part, "key", "Key",
                  "SOURCE:VALUE, such as session=sid:abc; empty: all", "");
        put_input(part, "cookie", "Cookie", "the bare token; empty: all", "");
    }
}

static void put_form(const lbs_part_t *part, lbs_change_action_t action)
{
    lbs_out_t *out = part->out;

    lbs_out_put(out,
                "<form method='post' action='%s/admin' class='confirm'>"
                "<input type='hidden' name='pool' value='%s'>"
                "<input type='hidden' name='vhost' value='%s'>"
                "<input type='hidden' name='member' value='%s'>"
                "<input type='hidden' name='action' value='%s'>"
                "<input type='hidden' name='nonce' value='%s'>",
                part->page->here, part->pool->name, part->pool->vhost,
                part->member->id, lbs_change_action_name(action),
                part->page->nonce);
    put_inputs(part, action);
    lbs_out_put(out,
                "<p class='actions'><button class='do'>%s</button> "
                "<a class='button' data-close href='%s'>Cancel</a></p>"
                "</form>",
                questions[action].answer,
                lbs_page_link_to(part, part->pool, part->member, NULL));
}

int lbs_page_confirm(const lbs_part_t *part)
{
    lbs_out_t *out = part->out;
    lbs_change_action_t action = lbs_change_action_find(part->query.action);

    lbs_out_raw(out, "<section class='card' id='confirm'>");
    if (action == LBS_CHANGE_ACTIONS) {
        lbs_out_raw(out, "<h1>There is no such action</h1></section>\n");
        return 400;
    }
    if (part->page->nonce == NULL || !part->pool->may_change) {
        lbs_out_raw(out, "<h1>Not allowed from here</h1>");
        lbs_page_hint(part, part->pool);
        lbs_out_raw(out, "</section>\n");
        return 403;
    }
    lbs_out_put(out,
                "<h1 id='question'>%s %s%s?</h1><p class='note'>%s in "
                "%s, %s</p>",
                questions[action].before, lbs_view_member_label(part->member),
                questions[action].after, part->member->name, part->pool->name,
                part->pool->vhost);
    say_before(part, action);
    put_form(part, action);
    lbs_out_raw(out, "</section>\n");
    return 200;
}

static const lbs_view_event_t *newest_event(const lbs_part_t *part)
{
    apr_uint32_t i;

    for (i = 0; i < part->view->events_count; i++) {
        const lbs_view_event_t *event = &part->view->events[i];

        if (strcmp(event->member_id, part->member->id) == 0) {
            return event;
        }
    }
    return NULL;
}

void lbs_page_done(const lbs_part_t *part)
{
    lbs_out_t *out = part->out;
    const lbs_view_event_t *event;

    if (part->query.done == NULL) {
        return;
    }
    event = newest_event(part);
    lbs_out_put(out,
                "<p class='done' id='done' role='status'><b>%s</b> is "
                "now <b>%s</b>, weight %s, with %s and %s.",
                lbs_view_member_label(part->member),
                lbs_state_name(part->member->state),
                lbs_human_weight(out->pool, part->member->weight),
                sessions_of(part),
                lbs_human_of(out->pool, part->member->inflight,
                             "request in flight", "requests in flight"));
    if (event != NULL) {
        lbs_out_put(out, " Last event: %s, ", event->event);
        lbs_page_time(part, event->at);
        lbs_out_put(out, " %s", event->reason);
    }
    lbs_out_raw(out, "</p>\n");
}
