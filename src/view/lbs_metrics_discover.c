/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_metrics_discover.c - metrics of sources that find members. */
#include <string.h>

#include "src/view/lbs_escape.h"
#include "src/view/lbs_metrics_int.h"

typedef struct family_t {
    const char *name, *help;
    apr_int64_t (*value)(const lbs_view_t *view,
                         const lbs_view_source_t *source);
} family_t;

static apr_int64_t read_up(const lbs_view_t *view,
                           const lbs_view_source_t *source)
{
    (void)view;
    return strcmp(source->state, "ok") == 0;
}

static apr_int64_t read_age(const lbs_view_t *view,
                            const lbs_view_source_t *source)
{
    return source->at == 0 ? -1 : view->now - source->at;
}

static apr_int64_t read_members(const lbs_view_t *view,
                                const lbs_view_source_t *source)
{
    (void)view;
    return source->found;
}

static const family_t families[] = {
    {"lbsticky_discover_up",
     "1 while the source of members gives good answers.", read_up},
    {"lbsticky_discover_age_seconds",
     "Time since the last good answer; -1: none yet.", read_age},
    {"lbsticky_discover_members",
     "Members that the source found and that are there.", read_members},
};

static void write_family(lbs_out_t *out, const lbs_view_t *view,
                         const char *const *labels, const family_t *family)
{
    apr_uint32_t i, k;

    lbs_out_put(out, "# HELP %s %s\n# TYPE %s gauge\n", family->name,
                family->help, family->name);
    for (i = 0; i < view->pools_count; i++) {
        for (k = 0; k < view->pools[i].discover_count; k++) {
            const lbs_view_source_t *source = &view->pools[i].discover[k];

            lbs_out_put(
                out, "%s{%s,source=\"%s\"} %lld\n", family->name, labels[i],
                lbs_escape_text(out->pool, LBS_OUT_LABEL, source->source),
                (long long)family->value(view, source));
        }
    }
}

void lbs_metrics_discover(lbs_out_t *out, const lbs_view_t *view,
                          const char *const *labels,
                          lbs_metrics_format_t format)
{
    static const char changes[] = "lbsticky_discover_changes";
    const char *end = format == LBS_METRICS_OPEN ? "" : "_total";
    apr_uint32_t i;
    int kind;

    for (i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        write_family(out, view, labels, &families[i]);
    }
    lbs_out_put(out,
                "# HELP %s%s Members that came and went, by kind.\n"
                "# TYPE %s%s counter\n",
                changes, end, changes, end);
    for (i = 0; i < view->pools_count; i++) {
        const lbs_view_pool_t *p = &view->pools[i];

        for (kind = 0; p->discover_count > 0 && kind < LBS_ROSTER_KINDS;
             kind++) {
            lbs_out_put(out, "%s_total{%s,kind=\"%s\"} %llu\n", changes,
                        labels[i],
                        lbs_roster_kind_name((lbs_roster_kind_t)kind),
                        (unsigned long long)p->discover_kinds[kind]);
        }
    }
}
