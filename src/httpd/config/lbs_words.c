/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_words.c - see lbs_words.h. */
#include "src/httpd/config/lbs_words.h"

#include <ap_expr.h>
#include <apr_strings.h>

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
