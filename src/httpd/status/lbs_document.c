/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_document.c - see lbs_document.h. */
#include "src/httpd/status/lbs_document.h"

#include <ap_expr.h>
#include <apr_fnmatch.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>
#include <string.h>
#include <strings.h>

typedef struct question_t {
    request_rec *r;
    const char *handler;
    int by_section; /* <Location> decides; else ask httpd */
    int by_pattern; /* out: the section is a LocationMatch */
} question_t;

/* To httpd every SetHandler is an expression; one that cannot be evaluated is
 * reported when the handler is chosen. */
static int sets_handler(request_rec *r, const core_dir_config *core,
                        const char *wanted)
{
    const char *handler = core->handler;
    const char *error = NULL;

    if (core->expr_handler != NULL) {
        handler = ap_expr_str_exec(r, core->expr_handler, &error);
    }
    return handler != NULL && error == NULL
           && strcasecmp(handler, wanted) == 0;
}

int lbs_document_is_ours(request_rec *r, const char *handler)
{
    return sets_handler(r, ap_get_core_module_config(r->per_dir_config),
                        handler);
}

/* As httpd's own walk over <Location> sections has it. */
static int matches(const core_dir_config *section, const char *path)
{
    apr_size_t len = strlen(section->d);

    if (section->r != NULL) {
        return ap_regexec(section->r, path, 0, NULL, 0) == 0;
    }
    if (section->d_is_fnmatch) {
        return apr_fnmatch(section->d, path, APR_FNM_PATHNAME) == 0;
    }
    return strncmp(section->d, path, len) == 0
           && (len == 0 || section->d[len - 1] == '/' || path[len] == '/'
               || path[len] == '\0');
}

static int is_ours_by_section(question_t *q, const char *path)
{
    const core_server_config *conf =
        ap_get_core_module_config(q->r->server->module_config);
    const apr_array_header_t *sections = conf->sec_url;
    const core_dir_config *last = NULL;
    int i;

    for (i = 0; i < sections->nelts; i++) {
        const core_dir_config *section = ap_get_core_module_config(
            APR_ARRAY_IDX(sections, i, ap_conf_vector_t *));

        if ((section->handler != NULL || section->expr_handler != NULL)
            && matches(section, path)) {
            last = section;
        }
    }
    q->by_pattern = last != NULL && last->r != NULL;
    return last != NULL && sets_handler(q->r, last, q->handler);
}

static int is_ours(question_t *q, const char *path)
{
    request_rec *other;
    int ours;

    if (q->by_section) {
        return is_ours_by_section(q, path);
    }
    other = ap_sub_req_lookup_uri(ap_os_escape_path(q->r->pool, path, 1), q->r,
                                  NULL);
    ours = lbs_document_is_ours(other, q->handler);
    ap_destroy_sub_req(other);
    return ours;
}

/* "/a/" of "/a/b" and of "/a/b/"; NULL of "/". */
static const char *parent_of(apr_pool_t *pool, const char *path)
{
    apr_size_t n = strlen(path);

    if (n < 2) {
        return NULL;
    }
    for (n--; n > 0 && path[n - 1] != '/'; n--) {
    }
    return apr_pstrmemdup(pool, path, n);
}

/* mod_dir may have made /index.html of what the client asked for. */
static int is_index(const request_rec *r)
{
    const char *asked = r->parsed_uri.path;

    return asked != NULL && *asked != '\0' && asked[strlen(asked) - 1] == '/';
}

const char *lbs_document_name(request_rec *r, const char *handler,
                              int (*is_known)(const char *name))
{
    question_t q = {r, handler, 1, 0};
    const char *slash = strrchr(r->uri, '/');
    const char *name = slash != NULL ? slash + 1 : "";
    const char *folder, *above;
    int by_pattern;

    if (slash == NULL || strstr(r->uri, "//") != NULL) {
        return NULL;
    }
    q.by_section = is_ours_by_section(&q, r->uri);
    by_pattern = q.by_pattern;
    folder = apr_pstrmemdup(r->pool, r->uri, (apr_size_t)(name - r->uri));
    if (!is_ours(&q, folder)) {
        /* The path is the location itself. */
        return is_known(name) && (by_pattern || strcmp(name, "admin") != 0)
                   ? name
                   : "";
    }
    above = parent_of(r->pool, folder);
    if (above != NULL && is_ours(&q, above)) {
        return NULL;
    }
    return !is_known(name) && is_index(r) ? "" : name;
}
