/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_finding_cookie.c - a cookie that ends before it is sent again, or that
 * another pool replaces. */
#include <string.h>

#include "src/affinity/lbs_cookie_conf.h"
#include "src/base/lbs_text.h"
#include "src/httpd/advice/lbs_finding_int.h"
#include "src/httpd/advice/lbs_lines.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/config/lbs_walk.h"

/* The cookie is sent again when it is older than half of idle=. A cookie that
 * ends before that leaves even the busiest visitor without a member, unless
 * max= does so anyway. */
static int ends_early(const lbs_settings_t *set)
{
    apr_int64_t maxage = apr_time_from_sec(set->cookie->maxage);
    const lbs_set_timeout_t *timeout = set->timeout;

    return lbs_settings_has_source(set->sticky, LBS_SOURCE_COOKIE)
           && maxage != 0 && maxage <= timeout->idle / 2
           && (timeout->max == 0 || timeout->max > maxage);
}

/* A virtual host without such a directive of its own is not warned of what the
 * main server is warned of. */
static int is_told(const lbs_walk_t *walk)
{
    lbs_settings_t outer;

    if (!lbs_walk_is_inherited(walk)) {
        return 0;
    }
    lbs_config_resolve(&outer, walk->owner, walk->name, 0);
    return outer.cookie == walk->set.cookie
           && outer.timeout == walk->set.timeout
           && outer.sticky == walk->set.sticky;
}

static void look_at_maxage(lbs_findings_t *findings, const lbs_walk_t *walk)
{
    char maxage[LBS_TEXT_DURATION_LEN];
    char idle[LBS_TEXT_DURATION_LEN];

    lbs_text_duration_write(maxage,
                            apr_time_from_sec(walk->set.cookie->maxage));
    lbs_text_duration_write(idle, walk->set.timeout->idle);
    lbs_finding_add(
        findings, walk->server, walk->name, "cookie-ends-early", 1,
        LBSNO(3200) "pool %s: LBStickyCookie maxage=%s ends before "
                    "the cookie is sent again, after half of "
                    "LBStickyTimeout idle=%s; visitors lose their "
                    "member though they are busy: write maxage=%s "
                    "or longer, or maxage=session",
        walk->name, maxage, idle, idle);
}

static const char *name_of(apr_pool_t *pool, const lbs_walk_t *walk)
{
    return walk->set.cookie->name != NULL
               ? walk->set.cookie->name
               : lbs_cookie_name_for(pool, walk->name);
}

static int is_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* A browser has one cookie of a name, path and domain. */
static int is_one_cookie(apr_pool_t *pool, const lbs_walk_t *a,
                         const lbs_walk_t *b)
{
    return lbs_settings_has_source(a->set.sticky, LBS_SOURCE_COOKIE)
           && lbs_settings_has_source(b->set.sticky, LBS_SOURCE_COOKIE)
           && strcmp(name_of(pool, a), name_of(pool, b)) == 0
           && is_text(a->set.cookie->path, b->set.cookie->path)
           && is_text(a->set.cookie->domain, b->set.cookie->domain);
}

static int is_sent_to(const lbs_findings_t *findings, const lbs_walk_t *walk)
{
    return lbs_lines_sender(findings->pool, findings->lines, walk->server,
                            walk->name, NULL)
           != NULL;
}

/* The pools of the same server behind this one that write the same cookie. */
static void look_at_names(lbs_findings_t *findings, const lbs_walk_t *walk)
{
    lbs_walk_t other = *walk;

    while (lbs_walk_next(&other) && other.server == walk->server) {
        if (other.set.sticky->on && is_sent_to(findings, &other)
            && is_one_cookie(findings->pool, walk, &other)) {
            lbs_finding_add(
                findings, walk->server, walk->name, "cookie-shared", 1,
                LBSNO(3315) "pools %s and %s have the same cookie %s, so each "
                            "replaces the other's and visitors are new with "
                            "each change: write another name= (or path=) into "
                            "LBStickyCookie of one of the two",
                walk->name, other.name, name_of(findings->pool, walk));
            return;
        }
    }
}

void lbs_finding_cookie(lbs_findings_t *findings)
{
    lbs_walk_t walk = lbs_walk_all(findings->pool, findings->main_server);

    while (lbs_walk_next(&walk)) {
        if (walk.set.sticky->on && ends_early(&walk.set) && !is_told(&walk)) {
            look_at_maxage(findings, &walk);
        }
        if (walk.set.sticky->on && is_sent_to(findings, &walk)) {
            look_at_names(findings, &walk);
        }
    }
}
