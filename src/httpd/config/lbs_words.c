/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_words.c - see lbs_words.h. */
#include "src/httpd/config/lbs_words.h"

#include <ap_expr.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <stddef.h>
#include <string.h>

#include "src/base/lbs_args.h"
#include "src/httpd/config/lbs_setter.h"
#include "src/base/lbs_text.h"
#include "src/httpd/resolve/lbs_resolve.h"
#include "src/httpd/proxy/lbs_log.h"

static const char *compile_expr(cmd_parms *cmd, const lbs_source_t *source,
                                ap_expr_info_t **expr)
{
    const char *error = NULL;

    *expr = NULL;
    if (source->kind == LBS_SOURCE_EXPR) {
        *expr = ap_expr_parse_cmd(cmd, source->name,
                                  AP_EXPR_FLAG_STRING_RESULT, &error, NULL);
        if (*expr == NULL) {
            return lbs_setter_wants(
                cmd, source->spelling,
                apr_psprintf(cmd->pool,
                             "an httpd string expression such as "
                             "expr=%%{REMOTE_USER} (%s)",
                             error));
        }
    }
    return NULL;
}

const char *lbs_words_sticky(cmd_parms *cmd, int argc, char *const argv[],
                             lbs_set_sticky_t *set)
{
    int i;

    if (argc == 0) {
        return lbs_setter_wants(cmd, "", cmd->cmd->errmsg);
    }
    set->on = !lbs_setter_is_only(argc, argv, "off");
    if (!set->on || lbs_setter_is_only(argc, argv, "none")) {
        return NULL;
    }
    for (i = 0; i < argc; i++) {
        const char *wanted =
            ap_cstr_casecmp(argv[i], "off") == 0
                    || ap_cstr_casecmp(argv[i], "none") == 0
                ? "off and none to stand alone, not among sources"
                : lbs_source_add(cmd->pool, argv[i], set->source, &set->count);

        if (wanted != NULL) {
            return lbs_setter_wants(cmd, argv[i], wanted);
        }
        wanted = compile_expr(cmd, &set->source[i], &set->expr[i]);
        if (wanted != NULL) {
            return wanted;
        }
    }
    return NULL;
}

const char *lbs_words_foreign(cmd_parms *cmd, int argc, char *const argv[],
                              lbs_set_foreign_t *set)
{
    int i;

    if (argc == 0) {
        return lbs_setter_wants(cmd, "", cmd->cmd->errmsg);
    }
    for (i = 0; i < argc && !lbs_setter_is_only(argc, argv, "off"); i++) {
        const char *wanted =
            ap_cstr_casecmp(argv[i], "off") == 0
                ? "off to stand alone, not among readers"
                : lbs_foreign_add(cmd->pool, argv[i], set->word, &set->count);

        if (wanted != NULL) {
            return lbs_setter_wants(cmd, argv[i], wanted);
        }
    }
    return NULL;
}

/* LBStickyDiscover ------------------------------------------------------- */

#define SECOND ((apr_int64_t)1000000)

static const char *const families[] = {"any", "4", "6", "both", NULL};

static const lbs_arg_t discover_keys[] = {
    {"interval", LBS_ARG_DURATION, offsetof(lbs_set_discover_t, interval),
     SECOND, 0, NULL},
    {"hold", LBS_ARG_DURATION, offsetof(lbs_set_discover_t, hold), SECOND, 0,
     NULL},
    {"leave", LBS_ARG_DURATION, offsetof(lbs_set_discover_t, leave), SECOND, 0,
     NULL},
    {"join", LBS_ARG_DURATION_AUTO, offsetof(lbs_set_discover_t, join), 0, 0,
     NULL},
    {"min", LBS_ARG_UINT, offsetof(lbs_set_discover_t, min), 1, 8000, NULL},
    {"max", LBS_ARG_UINT, offsetof(lbs_set_discover_t, max), 1,
     LBS_ROSTER_SEATS, NULL},
    {"family", LBS_ARG_WORD, offsetof(lbs_set_discover_t, family), 0, 0,
     families},
    {"resolver", LBS_ARG_TEXT, offsetof(lbs_set_discover_t, resolver), 0, 0,
     NULL},
    {"allow", LBS_ARG_TEXT, offsetof(lbs_set_discover_t, allow_text), 0, 0,
     NULL},
    {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
};

static const char *read_file_finder(cmd_parms *cmd, const char *what,
                                    lbs_set_finder_t *finder)
{
    if (*what == '\0') {
        return cmd->cmd->errmsg;
    }
    finder->what = ap_server_root_relative(cmd->pool, what);
    return finder->what != NULL ? NULL : "file:PATH, the name of a file";
}

static const char *read_bare_finder(cmd_parms *cmd, const char *what,
                                    lbs_set_finder_t *finder)
{
    (void)cmd;
    finder->what = "";
    return *what == '\0' ? NULL : "nothing behind it";
}

/* Nothing, or NAME:PORT */
static const char *read_dns_finder(cmd_parms *cmd, const char *what,
                                   lbs_set_finder_t *finder)
{
    apr_size_t n = strcspn(what, ":");
    const char *missing = lbs_resolve_missing();
    apr_uint64_t port;

    (void)cmd;
    if (missing != NULL) {
        return missing;
    }
    finder->what = what;
    if (*what == '\0' && strchr(finder->spelling, ':') == NULL) {
        return NULL;
    }
    return lbs_dns_is_name(what, n) && what[n] == ':'
                   && lbs_text_uint(what + n + 1, 1, 65535, &port) == NULL
               ? NULL
               : "dns, or dns:NAME:PORT such as dns:app.internal:8000";
}

static const char *read_srv_finder(cmd_parms *cmd, const char *what,
                                   lbs_set_finder_t *finder)
{
    const char *missing = lbs_resolve_missing();

    (void)cmd;
    finder->what = what;
    if (missing != NULL) {
        return missing;
    }
    return lbs_dns_is_name(what, strlen(what)) && *what == '_'
               ? NULL
               : "srv:_SERVICE._PROTO.NAME such as "
                 "srv:_http._tcp.app.internal";
}

/* How the text behind the name of a source is read. */
static const struct {
    lbs_roster_by_t by;
    const char *(*read)(cmd_parms *cmd, const char *what,
                        lbs_set_finder_t *finder);
} finders[] = {
    {LBS_ROSTER_BY_FILE, read_file_finder},
    {LBS_ROSTER_BY_DNS, read_dns_finder},
    {LBS_ROSTER_BY_SRV, read_srv_finder},
    {LBS_ROSTER_BY_ADMIN, read_bare_finder},
    {LBS_ROSTER_BY_REGISTER, read_bare_finder},
};

static int has_finder(const lbs_set_discover_t *set, const char *word)
{
    int i;

    for (i = 0; i < set->count; i++) {
        if (strcmp(set->finder[i].spelling, word) == 0) {
            return 1;
        }
    }
    return 0;
}

/* @return NULL; or what was wanted */
static const char *read_finder(cmd_parms *cmd, const char *word,
                               lbs_set_discover_t *set)
{
    apr_size_t n = strcspn(word, ":");
    unsigned i;

    if (set->count == LBS_ROSTER_SOURCES) {
        return "at most four sources";
    }
    if (has_finder(set, word)) {
        return "each source once";
    }
    for (i = 0; i < sizeof(finders) / sizeof(finders[0]); i++) {
        const char *name = lbs_roster_by_name(finders[i].by);
        lbs_set_finder_t *finder = &set->finder[set->count];
        const char *wanted;

        if (strlen(name) == n && ap_cstr_casecmpn(word, name, n) == 0) {
            finder->by = finders[i].by;
            finder->spelling = apr_pstrdup(cmd->pool, word);
            wanted = finders[i].read(
                cmd, apr_pstrdup(cmd->pool, word + n + (word[n] == ':')),
                finder);
            set->count += wanted == NULL;
            return wanted;
        }
    }
    return cmd->cmd->errmsg;
}

const char *lbs_words_discover(cmd_parms *cmd, int argc, char *const argv[],
                               lbs_set_discover_t *set)
{
    const char *wanted, *error = NULL;
    int n = 0;

    set->where = lbs_setter_where(cmd);
    if (argc == 0) {
        return lbs_setter_wants(cmd, "", cmd->cmd->errmsg);
    }
    if (lbs_setter_is_only(argc, argv, "off")) {
        return NULL;
    }
    set->max = 64;
    do {
        wanted = read_finder(cmd, argv[n], set);
        if (wanted != NULL) {
            return lbs_setter_wants(cmd, argv[n], wanted);
        }
        n++;
    } while (n < argc
             && (strchr(argv[n], '=') == NULL
                 || strcspn(argv[n], ":") < strcspn(argv[n], "=")));
    if (argc > n) {
        error = lbs_setter_read(cmd, discover_keys, argc - n, argv + n, set);
    }
    if (error == NULL
        && (wanted = lbs_net_set_read(set->allow_text, &set->allow)) != NULL) {
        error = lbs_setter_wants(
            cmd, apr_pstrcat(cmd->pool, "allow=", set->allow_text, NULL),
            wanted);
    }
    if (error == NULL && set->resolver != NULL
        && (wanted = lbs_resolve_check_servers(set->resolver)) != NULL) {
        error = lbs_setter_wants(
            cmd, apr_pstrcat(cmd->pool, "resolver=", set->resolver, NULL),
            wanted);
    }
    return error;
}

/* LBStickyRegister ------------------------------------------------------- */

static const char *const froms[] = {"self", "any", NULL};

static const lbs_arg_t register_keys[] = {
    {"lease", LBS_ARG_DURATION, offsetof(lbs_set_register_t, lease), SECOND, 0,
     NULL},
    {"from", LBS_ARG_WORD, offsetof(lbs_set_register_t, from_any), 0, 0,
     froms},
    {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
};

#define TOKEN_BYTES 16384

const char *lbs_words_register(cmd_parms *cmd, int argc, char *const argv[],
                               lbs_set_register_t *set)
{
    char *text = apr_pcalloc(cmd->pool, TOKEN_BYTES + 1);
    const char *path = NULL, *wanted = "a file that can be read";
    apr_size_t len = 0;
    apr_file_t *file;
    apr_status_t rv = APR_EBADPATH;

    if (argc == 0 || strncmp(argv[0], "file:", 5) != 0 || !argv[0][5]) {
        return lbs_setter_wants(cmd, argc > 0 ? argv[0] : "",
                                cmd->cmd->errmsg);
    }
    path = ap_server_root_relative(cmd->temp_pool, argv[0] + 5);
    if (path != NULL) {
        rv = apr_file_open(&file, path, APR_READ, APR_OS_DEFAULT,
                           cmd->temp_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_file_read_full(file, text, TOKEN_BYTES, &len);
        (void)apr_file_close(file);
    }
    if (rv == APR_SUCCESS || rv == APR_EOF) {
        wanted = len < TOKEN_BYTES ? lbs_tokens_read(text, &set->tokens)
                                   : "a file of less than 16 KB";
    }
    if (wanted != NULL) {
        return lbs_setter_wants(cmd, argv[0], wanted);
    }
    set->file = argv[0];
    return argc > 1
               ? lbs_setter_read(cmd, register_keys, argc - 1, argv + 1, set)
               : NULL;
}
