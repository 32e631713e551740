/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_lines.c - see lbs_lines.h. */
#include "src/httpd/advice/lbs_lines.h"

#include <apr_strings.h>
#include <string.h>

#include "src/httpd/config/lbs_config.h"

/* Settings that a line inherits from the sections around it. */
typedef struct place_t {
    apr_pool_t *ptemp;
    server_rec *main_server;
    apr_array_header_t *lines;
} place_t;

static const char *args_of(apr_pool_t *ptemp, const ap_directive_t *node)
{
    apr_size_t n = node->args != NULL ? strlen(node->args) : 0;

    if (node->directive[0] == '<' && n != 0 && node->args[n - 1] == '>') {
        n--;
    }
    return apr_pstrmemdup(ptemp, n != 0 ? node->args : "", n);
}

static int is_named(const ap_directive_t *node, const char *name)
{
    return ap_cstr_casecmp(node->directive, name) == 0;
}

static void walk(const place_t *place, const ap_directive_t *node,
                 const lbs_line_t *outer)
{
    for (; node != NULL; node = node->next) {
        lbs_line_t line = *outer;
        lbs_line_t inner;

        line.file = node->filename;
        line.number = node->line_num;
        line.directive = node->directive;
        line.args = args_of(place->ptemp, node);
        inner = line;
        if (is_named(node, "<VirtualHost")) {
            inner.server = lbs_config_server_at(place->main_server, node);
        }
        else if (is_named(node, "<Location")) {
            inner.location = lbs_line_word(place->ptemp, &line, 0);
        }
        else if (is_named(node, "<LocationMatch")) {
            inner.location = LBS_LINE_PATTERN;
        }
        else if (is_named(node, "<Proxy")) {
            inner.pool = line.pool = lbs_config_pool_name(
                place->ptemp, lbs_line_word(place->ptemp, &line, 0));
        }
        if (inner.server == NULL) {
            continue; /* of a virtual host that httpd does not have */
        }
        APR_ARRAY_PUSH(place->lines, lbs_line_t) = line;
        walk(place, node->first_child, &inner);
    }
}

apr_array_header_t *lbs_lines_read(apr_pool_t *ptemp, server_rec *main_server)
{
    place_t place = {ptemp, main_server,
                     apr_array_make(ptemp, 64, sizeof(lbs_line_t))};
    lbs_line_t outer = {.server = main_server};

    walk(&place, ap_conftree, &outer);
    return place.lines;
}

int lbs_line_is(const lbs_line_t *line, const char *directive)
{
    return ap_cstr_casecmp(line->directive, directive) == 0;
}

int lbs_line_counts_for(const lbs_line_t *line, const server_rec *s,
                        const server_rec *main_server)
{
    return line->server == s || line->server == main_server;
}

const char *lbs_line_word(apr_pool_t *ptemp, const lbs_line_t *line, int n)
{
    const char *args = line->args;
    const char *word;

    do {
        word = ap_getword_conf(ptemp, &args);
    } while (*word != '\0' && n-- > 0);
    return *word != '\0' || n < 0 ? word : NULL;
}

const char *lbs_line_place(apr_pool_t *ptemp, const lbs_line_t *line)
{
    return apr_psprintf(ptemp, "%s:%d", line->file, line->number);
}

static int is_pass(const lbs_line_t *line)
{
    return lbs_line_is(line, "ProxyPass")
           || lbs_line_is(line, "ProxyPassMatch");
}

const char *lbs_line_path(apr_pool_t *ptemp, const lbs_line_t *line)
{
    return line->location != NULL ? line->location
                                  : lbs_line_word(ptemp, line, 0);
}

/* The flags of a RewriteRule are its third word: [P], [P,L], [L,P,QSA]. */
static int is_proxied(const char *flags)
{
    const char *at = flags;

    while (at != NULL && (at = strpbrk(at, "Pp")) != NULL) {
        if ((at == flags || strchr("[, ", at[-1]) != NULL)
            && (strchr(",] ", at[1]) != NULL
                || ap_cstr_casecmpn(at, "proxy", 5) == 0)) {
            return 1;
        }
        at++;
    }
    return 0;
}

const char *lbs_line_target(apr_pool_t *ptemp, const lbs_line_t *line)
{
    const char *word = NULL;

    if (is_pass(line)) {
        return lbs_line_word(ptemp, line, line->location != NULL ? 0 : 1);
    }
    if (lbs_line_is(line, "RewriteRule")) {
        return is_proxied(lbs_line_word(ptemp, line, 2))
                   ? lbs_line_word(ptemp, line, 1)
                   : NULL;
    }
    if (lbs_line_is(line, "SetHandler")) {
        word = lbs_line_word(ptemp, line, 0);
        word = word != NULL && ap_cstr_casecmpn(word, "proxy:", 6) == 0
                   ? word + 6
                   : NULL;
    }
    return word;
}

int lbs_line_says(apr_pool_t *ptemp, const lbs_line_t *line, const char *word)
{
    const char *first = lbs_line_word(ptemp, line, 0);

    return first != NULL && ap_cstr_casecmp(first, word) == 0;
}

/* balancer://app$1, balancer://%1/x, balancer://${env}/, ${map:key}/$1. A host
 * of another scheme is no pool. */
int lbs_line_is_computed(const char *target)
{
    const char *at = ap_strstr_c(target, "://");
    apr_size_t scheme = at != NULL ? (apr_size_t)(at - target) : 0;

    if (at != NULL && memchr(target, '$', scheme) == NULL
        && memchr(target, '%', scheme) == NULL) {
        if (ap_cstr_casecmpn(target, "balancer://", 11) != 0) {
            return 0;
        }
        target = at + 3;
    }
    target += strcspn(target, "/$%");
    return *target == '$' || *target == '%';
}

int lbs_line_sends(apr_pool_t *ptemp, const lbs_line_t *line, const char *name)
{
    const char *target = lbs_line_target(ptemp, line);
    const char *pool =
        target != NULL ? lbs_config_pool_name(ptemp, target) : NULL;

    return pool != NULL && strcmp(pool, name) == 0;
}

const lbs_line_t *lbs_lines_sender(apr_pool_t *ptemp,
                                   const apr_array_header_t *lines,
                                   const server_rec *s, const char *name,
                                   const char *path)
{
    int i;

    for (i = 0; i < lines->nelts; i++) {
        const lbs_line_t *line = &APR_ARRAY_IDX(lines, i, lbs_line_t);
        const char *of;

        if (line->server == s && lbs_line_sends(ptemp, line, name)
            && (path == NULL
                || ((of = lbs_line_path(ptemp, line)) != NULL
                    && strcmp(of, path) == 0))) {
            return line;
        }
    }
    return NULL;
}
