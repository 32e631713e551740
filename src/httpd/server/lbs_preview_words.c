/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_preview_words.c - see lbs_preview_words.h. */
#include "src/httpd/server/lbs_preview_words.h"

#include <apr_strings.h>
#include <string.h>

#include "src/httpd/config/lbs_config.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/preview/lbs_relation.h"
#include "src/state/lbs_admin.h"

const char *lbs_preview_no_file(const char *path,
                                const lbs_persist_outcome_t *outcome,
                                apr_pool_t *pool)
{
    char why[128];

    if (outcome->refusal != NULL) {
        return apr_psprintf(pool, "state file %s: %s", path, outcome->refusal);
    }
    if (APR_STATUS_IS_ENOENT(outcome->rv)
        || APR_STATUS_IS_ENOTDIR(outcome->rv)) {
        return apr_psprintf(pool,
                            "there is no state file %s; httpd writes it from "
                            "its first start on; where LBStickyPersist or "
                            "DefaultRuntimeDir is changed, run this with the "
                            "former one",
                            path);
    }
    return apr_psprintf(pool,
                        "state file %s cannot be read: %s; run this as the "
                        "user that starts httpd, root as a rule",
                        path, apr_strerror(outcome->rv, why, sizeof(why)));
}

/* Operators --------------------------------------------------------------- */

static const char *state_of(apr_uint32_t flags)
{
    return (flags & LBS_F_STOPPED) != 0    ? "stopped"
           : (flags & LBS_F_DISABLED) != 0 ? "disabled"
           : (flags & LBS_F_DRAIN) != 0    ? "drain"
           : (flags & LBS_F_STANDBY) != 0  ? "standby"
           : (flags & LBS_F_SPARE) != 0    ? "spare"
                                           : "up";
}

static void say_dropped(lbs_outlook_pool_t *out, const char *member,
                        const lbs_preview_override_t *o, apr_uint32_t dropped,
                        apr_pool_t *pool)
{
    const lbs_gauge_t *gauge =
        &lbs_registry_gauges(lbs_runtime()->registry)[o->slot];
    apr_uint32_t weight = lbs_atomic_load32_relaxed(&gauge->weight);

    if ((dropped & (1u << LBS_ADMIN_STATE)) != 0) {
        lbs_outlook_say(
            out->notes,
            apr_psprintf(pool,
                         "%s: the state %s that an operator set becomes %s: "
                         "the configuration's value was changed",
                         member, state_of(o->flags),
                         state_of(lbs_atomic_load32_relaxed(&gauge->flags))));
    }
    if ((dropped & (1u << LBS_ADMIN_WEIGHT)) != 0) {
        lbs_outlook_say(
            out->notes,
            apr_psprintf(pool,
                         "%s: the weight %u.%02u that an operator set becomes "
                         "%u.%02u: the configuration's value was changed",
                         member, o->weight / 100, o->weight % 100,
                         weight / 100, weight % 100));
    }
}

static lbs_outlook_pool_t *pool_of(const lbs_preview_t *p,
                                   const lbs_outlook_row_t *row)
{
    int i, k;

    for (i = 0; i < p->outlook->pools->nelts; i++) {
        lbs_outlook_pool_t *pool =
            APR_ARRAY_IDX(p->outlook->pools, i, lbs_outlook_pool_t *);

        for (k = 0; k < pool->rows->nelts; k++) {
            if (APR_ARRAY_IDX(pool->rows, k, lbs_outlook_row_t *) == row) {
                return pool;
            }
        }
    }
    return NULL;
}

static void say_overrides(lbs_preview_t *p)
{
    const lbs_registry_t *registry = lbs_runtime()->registry;
    int i;

    for (i = 0; i < p->overrides->nelts; i++) {
        const lbs_preview_override_t *o =
            &APR_ARRAY_IDX(p->overrides, i, lbs_preview_override_t);
        const lbs_outlook_row_t *row = p->seats[o->slot].row;
        lbs_outlook_pool_t *out = row != NULL ? pool_of(p, row) : NULL;
        lbs_registry_member_info_t info;

        if (out == NULL
            || lbs_registry_member_info(registry, o->slot, &info)
                   != APR_SUCCESS) {
            continue;
        }
        if (info.removed) {
            if (!row->was_gone) {
                lbs_outlook_say(
                    out->notes,
                    apr_psprintf(p->pool,
                                 "%s: what an operator set goes with it",
                                 row->member));
            }
            continue;
        }
        say_dropped(out, row->member, o,
                    o->fields & ~lbs_admin_overrides(registry, o->slot),
                    p->pool);
    }
}

/* Names ------------------------------------------------------------------- */

/* A member that is gone, and one at its URL that is new: it was renamed. */
static void say_renamed(lbs_preview_t *p, lbs_outlook_pool_t *out,
                        const lbs_registry_member_info_t *gone,
                        const lbs_registry_member_info_t *is)
{
    if (*gone->route != '\0') {
        lbs_outlook_say(
            out->notes,
            apr_psprintf(p->pool,
                         "%s: %s is at its URL, %s; with route=%s it would "
                         "have its sessions",
                         gone->route,
                         *is->route != '\0' ? is->route : "one without route=",
                         is->url, gone->route));
        return;
    }
    lbs_outlook_say(
        out->notes,
        apr_psprintf(p->pool,
                     "%s: without route=%s it would have its sessions",
                     gone->url, is->route));
}

static void look_for_renamed(lbs_preview_t *p, apr_uint32_t slot,
                             const lbs_registry_member_info_t *gone)
{
    const lbs_registry_t *registry = lbs_runtime()->registry;
    lbs_registry_member_info_t info;
    apr_uint32_t other = LBS_REGISTRY_NONE;

    while ((other = lbs_registry_next_member(registry, gone->pool_slot, other))
           != LBS_REGISTRY_NONE) {
        const lbs_outlook_row_t *row = p->seats[other].row;

        if (row != NULL && row->is_new
            && lbs_registry_member_info(registry, other, &info) == APR_SUCCESS
            && !info.removed && strcmp(info.url, gone->url) == 0) {
            say_renamed(p, pool_of(p, p->seats[slot].row), gone, &info);
            return;
        }
    }
}

static void say_names(lbs_preview_t *p)
{
    const lbs_registry_t *registry = lbs_runtime()->registry;
    lbs_registry_member_info_t info;
    apr_uint32_t slot = LBS_REGISTRY_NONE;

    while ((slot = lbs_registry_next_member(registry, LBS_REGISTRY_NONE, slot))
           != LBS_REGISTRY_NONE) {
        const lbs_outlook_row_t *row = p->seats[slot].row;

        if (row != NULL && row->moved[LBS_REASON_REMOVED] != 0
            && lbs_registry_member_info(registry, slot, &info)
                   == APR_SUCCESS) {
            look_for_renamed(p, slot, &info);
        }
    }
}

/* All of it --------------------------------------------------------------- */

static void say_general(lbs_preview_t *p, const lbs_restore_t *restore)
{
    apr_array_header_t *notes = p->outlook->notes;
    apr_array_header_t *secrets =
        lbs_relation_secrets(p->before, p->after, p->pool);
    apr_uint32_t room = lbs_config_of(p->server)->main->sessions;
    int i;

    for (i = 0; i < secrets->nelts; i++) {
        lbs_outlook_say(notes, APR_ARRAY_IDX(secrets, i, const char *));
    }
    if (!lbs_persist_takes(p->server, restore)) {
        lbs_outlook_say(notes,
                        "a stop and a start instead of a reload would refuse "
                        "the state file, which belongs to another "
                        "LBStickySecret: every session would begin anew");
    }
    if (p->live > room) {
        lbs_outlook_say(
            notes,
            apr_psprintf(p->pool,
                         "LBStickyTable sessions=%u holds fewer than the "
                         "%" APR_UINT64_T_FMT " there are: as they are used "
                         "after the reload, those idle longest are forgotten",
                         room, p->live));
    }
}

/* What holds for any of the pools. */
typedef struct traits_t {
    int cookie;
    int max;
    int away;
    int store;
} traits_t;

static traits_t find_traits(void)
{
    const apr_array_header_t *all = lbs_pools_all();
    traits_t t = {0, 0, 0, 0};
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_settings_t *set =
            &APR_ARRAY_IDX(all, i, const lbs_pool_t *)->set;

        t.cookie |= lbs_settings_has_source(set->sticky, LBS_SOURCE_COOKIE);
        t.max |= set->timeout->max != 0;
        t.away |= set->failback->mode != LBS_FAILBACK_STAY;
        t.store |= set->store->provider != NULL;
    }
    return t;
}

static void say_unknown(lbs_preview_t *p)
{
    apr_array_header_t *list = p->outlook->unknown;
    traits_t t = find_traits();

    lbs_outlook_say(list, "sessions that began, ended or moved since the file "
                          "was written");
    if (t.cookie) {
        lbs_outlook_say(list,
                        "visitors of whom their cookie alone tells, because "
                        "another server or a table that was full knew them");
    }
    if (t.store) {
        lbs_outlook_say(list, "sessions that only LBStickyStore has");
    }
    if (t.max) {
        lbs_outlook_say(list, "which sessions LBStickyTimeout max= ends "
                              "meanwhile");
    }
    if (t.away) {
        lbs_outlook_say(list, "which sessions are away from home: with "
                              "LBStickyFailback such a session counts at both "
                              "members, and may go home");
    }
    lbs_outlook_say(list, "which members go down, come back or are full by "
                          "then");
    lbs_outlook_say(list, "which requests ProxyPass, RewriteRule, ServerAlias "
                          "and the order of virtual hosts send to a pool");
}

void lbs_preview_words(lbs_preview_t *p, const lbs_restore_t *restore)
{
    say_overrides(p);
    say_names(p);
    say_general(p, restore);
    say_unknown(p);
}
