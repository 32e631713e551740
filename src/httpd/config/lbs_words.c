/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_words.c - see lbs_words.h. */
#include "src/httpd/config/lbs_words.h"

#include <ap_expr.h>
#include <apr_strings.h>
#include <stddef.h>
#include <string.h>

#include "src/base/lbs_args.h"
#include "src/httpd/config/lbs_setter.h"
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

static const lbs_arg_t discover_keys[] = {
    {"interval", LBS_ARG_DURATION, offsetof(lbs_set_discover_t, interval),
     SECOND, 0, NULL},
    {"hold", LBS_ARG_DURATION, offsetof(lbs_set_discover_t, hold), SECOND, 0,
     NULL},
    {"leave", LBS_ARG_DURATION, offsetof(lbs_set_discover_t, leave), SECOND, 0,
     NULL},
    {"min", LBS_ARG_UINT, offsetof(lbs_set_discover_t, min), 1, 8000, NULL},
    {"max", LBS_ARG_UINT, offsetof(lbs_set_discover_t, max), 1,
     LBS_ROSTER_SEATS, NULL},
    {"allow", LBS_ARG_TEXT, offsetof(lbs_set_discover_t, allow_text), 0, 0,
     NULL},
    {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
};

/* A source, or NULL and what was wanted. */
static const char *read_source(cmd_parms *cmd, const char *word,
                               lbs_set_discover_t *set)
{
    static const char *const others[] = {"dns", "srv", "admin", "register"};
    apr_size_t n = strcspn(word, ":");
    unsigned i;

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strlen(others[i]) == n
            && ap_cstr_casecmpn(word, others[i], n) == 0) {
            return "file:PATH: this version knows no other source; let a "
                   "program write the file, see docs/guide.md";
        }
    }
    if (n != 4 || ap_cstr_casecmpn(word, "file", 4) != 0 || word[n] == '\0'
        || word[n + 1] == '\0') {
        return cmd->cmd->errmsg;
    }
    set->file = ap_server_root_relative(cmd->pool, word + n + 1);
    set->spelling = apr_pstrdup(cmd->pool, word);
    return set->file != NULL ? NULL : "file:PATH, the name of a file";
}

const char *lbs_words_discover(cmd_parms *cmd, int argc, char *const argv[],
                               lbs_set_discover_t *set)
{
    const char *wanted, *error = NULL;

    set->where = lbs_setter_where(cmd);
    if (argc == 0) {
        return lbs_setter_wants(cmd, "", cmd->cmd->errmsg);
    }
    if (lbs_setter_is_only(argc, argv, "off")) {
        return NULL;
    }
    set->max = 64;
    wanted = read_source(cmd, argv[0], set);
    if (wanted != NULL) {
        return lbs_setter_wants(cmd, argv[0], wanted);
    }
    if (argc > 1 && strchr(argv[1], '=') == NULL) {
        return lbs_setter_wants(cmd, argv[1], "one source only");
    }
    if (argc > 1) {
        error = lbs_setter_read(cmd, discover_keys, argc - 1, argv + 1, set);
    }
    if (error == NULL
        && (wanted = lbs_net_set_read(set->allow_text, &set->allow)) != NULL) {
        error = lbs_setter_wants(
            cmd, apr_pstrcat(cmd->pool, "allow=", set->allow_text, NULL),
            wanted);
    }
    return error;
}
