/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_page_parts.c - links, and what is written alike everywhere on the page.
 */
#include "src/view/lbs_page_int.h"

#include <string.h>

#include <apr_strings.h>

#include "src/view/lbs_human.h"

const char *lbs_page_link(const lbs_part_t *part, const lbs_query_t *query)
{
    const char *here = part->page->here;
    const char *link = lbs_query_link(part->out->pool, query);

    return apr_pstrcat(part->out->pool, strcmp(here, ".") == 0 ? "./" : here,
                       link, NULL);
}

const char *lbs_page_link_to(const lbs_part_t *part,
                             const lbs_view_pool_t *pool,
                             const lbs_view_member_t *member,
                             const char *action)
{
    static const lbs_form_t nothing;
    lbs_query_t query;

    lbs_query_read(&query, &nothing);
    query.pool = pool->name;
    query.vhost = pool->vhost;
    query.member = member != NULL ? member->id : NULL;
    query.action = action;
    query.span = part->query.span;
    return lbs_page_link(part, &query);
}

void lbs_page_state(const lbs_part_t *part, lbs_state_t state)
{
    const char *name = lbs_state_name(state);

    /* The sign tells states apart where colours do not. */
    lbs_out_put(part->out,
                "<span class='state %s'><svg class='sign' "
                "aria-hidden='true'><use href='#sign-%s'/></svg>%s</span>",
                name, name, name);
}

void lbs_page_fact(const lbs_part_t *part, const char *css, const char *name,
                   const char *value)
{
    lbs_out_put(part->out, "<div class='fact %s'><dt>%s</dt><dd>%s</dd></div>",
                css, name, value);
}

void lbs_page_time(const lbs_part_t *part, apr_int64_t at)
{
    apr_pool_t *memory = part->out->pool;
    const char *text = lbs_human_time(memory, at, part->view->now);

    if (at == 0) {
        lbs_out_put(part->out, "%s", text);
        return;
    }
    lbs_out_put(part->out, "<time datetime='%s'>%s</time>",
                lbs_human_iso(memory, at), text);
}
