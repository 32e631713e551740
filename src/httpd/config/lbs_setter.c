/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_setter.c - see lbs_setter.h. */
#include "src/httpd/config/lbs_setter.h"

#include <apr_strings.h>
#include <string.h>

#include "src/httpd/config/lbs_config.h"

#define NAME(cmd) ((cmd)->cmd->name)

const char *lbs_setter_wants(cmd_parms *cmd, const char *value,
                             const char *wanted)
{
    if (*value == '\0') {
        return apr_psprintf(cmd->pool, "%s: nothing given, wanted %s",
                            NAME(cmd), wanted);
    }
    return apr_psprintf(cmd->pool, "%s: \"%s\": wanted %s", NAME(cmd), value,
                        wanted);
}

const char *lbs_setter_where(const cmd_parms *cmd)
{
    return apr_psprintf(cmd->pool, "line %d of %s", cmd->directive->line_num,
                        cmd->directive->filename);
}

int lbs_setter_is_only(int argc, char *const argv[], const char *word)
{
    return argc == 1 && ap_cstr_casecmp(argv[0], word) == 0;
}

const char *lbs_setter_read(cmd_parms *cmd, const lbs_arg_t *table, int argc,
                            char *const argv[], void *into)
{
    if (argc == 0) {
        return lbs_setter_wants(cmd, "", cmd->cmd->errmsg);
    }
    return lbs_args_read(cmd->pool, NAME(cmd), table, argc,
                         (const char *const *)argv, into);
}

/* The settings of the <Proxy> section or server that is being read. */
static const char *find_target(cmd_parms *cmd, lbs_settings_t **target)
{
    lbs_server_conf_t *conf = lbs_config_of(cmd->server);
    const char *name;

    if (cmd->path == NULL) {
        *target = &conf->set;
        return NULL;
    }
    name = lbs_config_pool_name(cmd->pool, cmd->path);
    if (name == NULL
        || ap_cstr_casecmp(cmd->directive->parent->directive, "<Proxy") != 0) {
        return apr_psprintf(cmd->pool,
                            "%s: wanted in <Proxy \"balancer://name\"> or "
                            "outside of <Proxy>, not in %s %s",
                            NAME(cmd), cmd->directive->parent->directive,
                            cmd->directive->parent->args);
    }
    *target = apr_hash_get(conf->pools, name, APR_HASH_KEY_STRING);
    if (*target == NULL) {
        *target = apr_pcalloc(cmd->pool, sizeof(**target));
        apr_hash_set(conf->pools, name, APR_HASH_KEY_STRING, *target);
    }
    return NULL;
}

const char *lbs_setter_hang(cmd_parms *cmd, const char *error,
                            const void *value)
{
    lbs_settings_t *target = NULL;

    if (error == NULL) {
        error = find_target(cmd, &target);
    }
    if (error == NULL) {
        memcpy((char *)target + (apr_size_t)cmd->info, &value, sizeof(value));
    }
    return error;
}

const char *lbs_setter_main_only(cmd_parms *cmd)
{
    if (cmd->server->is_virtual) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\": wanted outside of <VirtualHost>, it "
                            "holds for the whole httpd",
                            NAME(cmd), cmd->directive->args);
    }
    return NULL;
}

const char *lbs_setter_switch(cmd_parms *cmd, int argc, char *const argv[],
                              int **set)
{
    const char *wanted = "on or off";

    *set = apr_palloc(cmd->pool, sizeof(**set));
    if (argc == 1) {
        wanted = lbs_text_switch(argv[0], *set);
    }
    return wanted == NULL
               ? NULL
               : lbs_setter_wants(cmd, cmd->directive->args, wanted);
}
