/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_change.c - a change asked for by a form, checked and in numbers. */
#include "src/view/lbs_change.h"

#include <string.h>

#include <apr_strings.h>

#include "src/base/lbs_text.h"
#include "src/roster/lbs_list.h"

#define ALL ((1u << LBS_CHANGE_ACTIONS) - 1)
#define ADD (1u << LBS_CHANGE_ADD)
#define ENDS (1u << LBS_CHANGE_DRAIN | 1u << LBS_CHANGE_REMOVE)

static const char *const action_names[LBS_CHANGE_ACTIONS] = {
    "enable", "drain",  "disable", "standby", "weight",
    "reset",  "forget", "add",     "remove"};

/* Which actions a field belongs to, one bit each. */
static const struct {
    const char *name;
    unsigned actions;
} known[] = {
    {"pool", ALL},
    {"member", ALL & ~ADD},
    {"vhost", ALL},
    {"action", ALL},
    {"nonce", ALL},
    {"weight", 1u << LBS_CHANGE_WEIGHT | ADD},
    {"deadline", ENDS},
    {"idle", ENDS},
    {"url", ADD},
    {"lbset", ADD},
    {"key", 1u << LBS_CHANGE_FORGET},
    {"cookie", 1u << LBS_CHANGE_FORGET},
};

const char *lbs_change_action_name(lbs_change_action_t action)
{
    return (unsigned)action < LBS_CHANGE_ACTIONS ? action_names[action] : "";
}

lbs_change_action_t lbs_change_action_find(const char *name)
{
    int action = 0;

    while (action < LBS_CHANGE_ACTIONS
           && strcmp(action_names[action], name) != 0) {
        action++;
    }
    return (lbs_change_action_t)action;
}

/* An empty field of another action is no more than a blank in a form that
 * has them all. */
static const char *check_names(apr_pool_t *pool, const lbs_form_t *form,
                               lbs_change_action_t action)
{
    int i;
    apr_size_t k;

    for (i = 0; i < form->count; i++) {
        const lbs_form_field_t *field = &form->fields[i];
        unsigned actions = 0;

        for (k = 0; k < sizeof(known) / sizeof(*known); k++) {
            if (strcmp(known[k].name, field->name) == 0) {
                actions = known[k].actions;
            }
        }
        if (actions == 0) {
            return apr_psprintf(pool, "there is no field %.64s", field->name);
        }
        if ((actions & (1u << action)) == 0 && field->value[0] != '\0') {
            return apr_psprintf(pool, "the field %s does not belong to %s",
                                field->name, action_names[action]);
        }
    }
    return NULL;
}

static const char *filled(const lbs_form_t *form, const char *name)
{
    const char *value = lbs_form_get(form, name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *check_weight(apr_pool_t *pool, const lbs_form_t *form,
                                lbs_change_t *out)
{
    const char *value = filled(form, "weight");

    if (value == NULL) {
        return "the field weight is missing";
    }
    if (lbs_text_centi(value, 0, 10000, &out->weight_centi) == NULL) {
        return NULL;
    }
    return apr_psprintf(pool,
                        "weight is %.64s, wanted is a number from 0 to 100 "
                        "with at most two decimals",
                        value);
}

static const char *check_duration(apr_pool_t *pool, const lbs_form_t *form,
                                  const char *name, apr_interval_time_t *out)
{
    const char *value = filled(form, name);
    const char *wrong;

    if (value == NULL) {
        return NULL;
    }
    wrong = lbs_text_duration(value, out);
    return wrong == NULL ? NULL
                         : apr_psprintf(pool, "%s is %.64s, wanted is %s",
                                        name, value, wrong);
}

static const char *check_new(apr_pool_t *pool, const lbs_form_t *form,
                             lbs_change_t *out)
{
    const char *lbset = filled(form, "lbset");
    apr_uint64_t number = 0;

    out->url = filled(form, "url");
    if (out->url == NULL) {
        return "the field url is missing";
    }
    if (strlen(out->url) > LBS_LIST_URL_LEN) {
        return "url is too long, wanted are at most 639 bytes";
    }
    if (lbset != NULL
        && lbs_text_uint(lbset, 0, LBS_LIST_LBSET_MAX, &number) != NULL) {
        return apr_psprintf(
            pool, "lbset is %.64s, wanted is a number from 0 to 99", lbset);
    }
    out->lbset = (apr_uint32_t)number;
    if (filled(form, "weight") == NULL) {
        out->weight_centi = LBS_CHANGE_UNSAID;
        return NULL;
    }
    return check_weight(pool, form, out);
}

static const char *check_values(apr_pool_t *pool, const lbs_form_t *form,
                                lbs_change_t *out)
{
    const char *wrong = NULL;

    if (out->action == LBS_CHANGE_WEIGHT) {
        return check_weight(pool, form, out);
    }
    if (out->action == LBS_CHANGE_ADD) {
        return check_new(pool, form, out);
    }
    if ((1u << out->action & ENDS) != 0) {
        wrong = check_duration(pool, form, "deadline", &out->deadline);
        if (wrong == NULL) {
            wrong = check_duration(pool, form, "idle", &out->idle);
        }
        return wrong;
    }
    if (out->key != NULL && out->cookie != NULL) {
        return "there is a key and a cookie, wanted is one of them";
    }
    /* A page's form has both fields always; in a script's form an empty field
     * is a variable that was not set, so all sessions were not meant. */
    if (out->key == NULL && out->cookie == NULL && out->nonce == NULL
        && (lbs_form_get(form, "key") != NULL
            || lbs_form_get(form, "cookie") != NULL)) {
        return "the field key or cookie is empty: leave it out to forget all";
    }
    return NULL;
}

const char *lbs_change_check(apr_pool_t *pool, const lbs_form_t *form,
                             lbs_change_t *out)
{
    const char *action = filled(form, "action");
    const char *wrong;

    if (action == NULL) {
        return "the field action is missing";
    }
    out->action = lbs_change_action_find(action);
    if (out->action == LBS_CHANGE_ACTIONS) {
        return apr_psprintf(pool,
                            "action is %.64s, wanted is enable, drain, "
                            "disable, standby, weight, reset, forget, add or "
                            "remove",
                            action);
    }
    wrong = check_names(pool, form, out->action);
    if (wrong != NULL) {
        return wrong;
    }
    out->pool = filled(form, "pool");
    out->member = filled(form, "member");
    if (out->pool == NULL
        || (out->member == NULL && out->action != LBS_CHANGE_ADD)) {
        return apr_psprintf(pool, "the field %s is missing",
                            out->pool == NULL ? "pool" : "member");
    }
    out->vhost = filled(form, "vhost");
    out->nonce = filled(form, "nonce");
    out->key = filled(form, "key");
    out->cookie = filled(form, "cookie");
    out->url = NULL;
    out->weight_centi = 0;
    out->lbset = 0;
    out->deadline = out->idle = -1;
    return check_values(pool, form, out);
}

/* The virtual hosts that have a pool of that name. */
static const char *name_vhosts(apr_pool_t *memory, const lbs_view_t *view,
                               const char *name, int *count)
{
    const char *list = NULL;
    apr_uint32_t i;

    *count = 0;
    for (i = 0; i < view->pools_count; i++) {
        if (strcmp(view->pools[i].name, name) == 0) {
            list = list == NULL ? view->pools[i].vhost
                                : apr_pstrcat(memory, list, ", ",
                                              view->pools[i].vhost, NULL);
            ++*count;
        }
    }
    return list;
}

int lbs_change_find(apr_pool_t *memory, const lbs_change_t *form,
                    const lbs_view_t *view, const lbs_view_pool_t **pool,
                    const lbs_view_member_t **member, const char **wrong)
{
    const lbs_view_pool_t *in =
        lbs_view_pool_find(view, form->pool, form->vhost);
    const lbs_view_member_t *found;
    int count;
    const char *vhosts = name_vhosts(memory, view, form->pool, &count);

    if (in == NULL) {
        *wrong = apr_psprintf(memory, "there is no pool %.255s%s%.255s",
                              form->pool, form->vhost != NULL ? " in " : "",
                              form->vhost != NULL ? form->vhost : "");
        return 404;
    }
    if (form->vhost == NULL && count > 1) {
        *wrong = apr_psprintf(memory,
                              "several virtual hosts have a pool %.255s: "
                              "say vhost, one of %s",
                              form->pool, vhosts);
        return 400;
    }
    found = form->action != LBS_CHANGE_ADD
                ? lbs_view_member_find(in, form->member)
                : NULL;
    if (found == NULL && form->action != LBS_CHANGE_ADD) {
        *wrong = apr_psprintf(memory, "the pool %.255s has no member %.255s",
                              form->pool, form->member);
        return 404;
    }
    if (!in->may_change) {
        *wrong = apr_psprintf(memory,
                              "the pool %.255s of %.255s may not be changed "
                              "from here",
                              in->name, in->vhost);
        return 403;
    }
    *pool = in;
    *member = found;
    return 200;
}
