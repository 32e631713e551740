/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_directives.c - one row and one setter for each directive.
 *
 * A setter fills a fresh struct from the documented defaults and the
 * arguments, and hangs it where the directive stands: <Proxy> or server.
 * What a directive means is documented in docs/directives.md.
 */
#include <apr_file_info.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <stddef.h>
#include <string.h>

#include "src/base/lbs_args.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/config/lbs_secret_read.h"
#include "src/httpd/config/lbs_setter.h"
#include "src/httpd/config/lbs_words.h"
#include "src/table/lbs_first.h"

#define SECOND ((apr_int64_t)1000000)
#define MS ((apr_int64_t)1000)

#define NEW(cmd, type, defaults)                                              \
    ((type *)apr_pmemdup((cmd)->pool, (defaults), sizeof(type)))

/* Directives that are on or off. */
static const char *set_switch(cmd_parms *cmd, void *dir, int argc,
                              char *const argv[])
{
    int *set;
    const char *error = lbs_setter_switch(cmd, argc, argv, &set);

    (void)dir;
    return lbs_setter_hang(cmd, error, set);
}

/* Affinity --------------------------------------------------------------- */

static const char *set_sticky(cmd_parms *cmd, void *dir, int argc,
                              char *const argv[])
{
    lbs_set_sticky_t *set = apr_pcalloc(cmd->pool, sizeof(*set));

    (void)dir;
    return lbs_setter_hang(cmd, lbs_words_sticky(cmd, argc, argv, set), set);
}

static const char *set_foreign(cmd_parms *cmd, void *dir, int argc,
                               char *const argv[])
{
    lbs_set_foreign_t *set = apr_pcalloc(cmd->pool, sizeof(*set));

    (void)dir;
    return lbs_setter_hang(cmd, lbs_words_foreign(cmd, argc, argv, set), set);
}

static const char *set_registers(cmd_parms *cmd, void *dir, int argc,
                                 char *const argv[])
{
    lbs_set_register_t *set =
        NEW(cmd, lbs_set_register_t, lbs_settings_defaults()->registers);
    const char *error = lbs_setter_is_only(argc, argv, "off")
                            ? NULL
                            : lbs_words_register(cmd, argc, argv, set);

    (void)dir;
    return lbs_setter_hang(cmd, error, set);
}

static const char *set_discover(cmd_parms *cmd, void *dir, int argc,
                                char *const argv[])
{
    lbs_set_discover_t *set =
        NEW(cmd, lbs_set_discover_t, lbs_settings_defaults()->discover);

    (void)dir;
    return lbs_setter_hang(cmd, lbs_words_discover(cmd, argc, argv, set), set);
}

static const char *set_method(cmd_parms *cmd, void *dir, int argc,
                              char *const argv[])
{
    static const lbs_arg_t keys[] = {
        {"bound", LBS_ARG_CENTI, offsetof(lbs_set_method_t, bound_centi), 105,
         400, NULL},
        {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
    };
    lbs_set_method_t *set = apr_pcalloc(cmd->pool, sizeof(*set));
    const char *error = NULL;

    (void)dir;
    if (argc == 0 || lbs_pick_method_parse(argv[0], &set->method) != NULL) {
        return lbs_setter_wants(cmd, argc == 0 ? "" : argv[0],
                                cmd->cmd->errmsg);
    }
    if (argc > 1) {
        if (set->method != LBS_PICK_HASH) {
            return lbs_setter_wants(cmd, argv[1],
                                    "nothing behind this method: only "
                                    "hash takes bound=");
        }
        error = lbs_setter_read(cmd, keys, argc - 1, argv + 1, set);
    }
    return lbs_setter_hang(cmd, error, set);
}

static const char *set_timeout(cmd_parms *cmd, void *dir, int argc,
                               char *const argv[])
{
    static const lbs_arg_t keys[] = {
        {"idle", LBS_ARG_DURATION, offsetof(lbs_set_timeout_t, idle), SECOND,
         0, NULL},
        {"max", LBS_ARG_DURATION_OFF, offsetof(lbs_set_timeout_t, max), SECOND,
         0, NULL},
        {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
    };
    lbs_set_timeout_t *set =
        NEW(cmd, lbs_set_timeout_t, lbs_settings_defaults()->timeout);
    const char *error = lbs_setter_read(cmd, keys, argc, argv, set);

    (void)dir;
    return lbs_setter_hang(cmd, error, set);
}

/* Does a word before argv[i] have the same key? */
static int is_repeated(char *const argv[], int i)
{
    apr_size_t n = strcspn(argv[i], "=");
    int j;

    for (j = 0; j < i; j++) {
        if (strcspn(argv[j], "=") == n
            && ap_cstr_casecmpn(argv[j], argv[i], n) == 0) {
            return 1;
        }
    }
    return 0;
}

static const char *set_cookie_word(cmd_parms *cmd, lbs_cookie_conf_t *set,
                                   char *const argv[], int i)
{
    const char *wanted = lbs_cookie_conf_set(cmd->pool, set, argv[i]);

    if (wanted == NULL && is_repeated(argv, i)) {
        wanted = "each key only once";
    }
    if (wanted == NULL && set->first > LBS_FIRST_WINDOW_MAX) {
        wanted = "first= of at most 40min";
    }
    return wanted == NULL ? NULL : lbs_setter_wants(cmd, argv[i], wanted);
}

static const char *set_cookie(cmd_parms *cmd, void *dir, int argc,
                              char *const argv[])
{
    lbs_cookie_conf_t *set = NEW(cmd, lbs_cookie_conf_t, &lbs_cookie_defaults);
    const char *error = NULL;
    const char *wanted;
    int i;

    (void)dir;
    if (argc == 0) {
        return lbs_setter_wants(cmd, "", cmd->cmd->errmsg);
    }
    for (i = 0; i < argc && error == NULL; i++) {
        error = set_cookie_word(cmd, set, argv, i);
    }
    if (error == NULL && (wanted = lbs_cookie_conf_check(set)) != NULL) {
        error = lbs_setter_wants(cmd, cmd->directive->args, wanted);
    }
    return lbs_setter_hang(cmd, error, set);
}

/* Surviving -------------------------------------------------------------- */

static const char *set_failback(cmd_parms *cmd, void *dir, int argc,
                                char *const argv[])
{
    static const lbs_arg_t keys[] = {
        {"idle", LBS_ARG_DURATION, offsetof(lbs_set_failback_t, idle), 0, 0,
         NULL},
        {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
    };
    lbs_set_failback_t *set = apr_pcalloc(cmd->pool, sizeof(*set));
    const char *error = NULL;

    (void)dir;
    if (lbs_setter_is_only(argc, argv, "return")) {
        set->mode = LBS_FAILBACK_RETURN;
    }
    else if (!lbs_setter_is_only(argc, argv, "stay")) {
        if (argc != 1 || strchr(argv[0], '=') == NULL) {
            return lbs_setter_wants(cmd, cmd->directive->args,
                                    cmd->cmd->errmsg);
        }
        error = lbs_setter_read(cmd, keys, argc, argv, set);
        /* How long a session was idle is known within about a second; a time
         * of 0 would mean the same as `return`. */
        set->mode = set->idle != 0 ? LBS_FAILBACK_IDLE : LBS_FAILBACK_RETURN;
    }
    return lbs_setter_hang(cmd, error, set);
}

static const char *set_retry(cmd_parms *cmd, void *dir, int argc,
                             char *const argv[])
{
    static const char *const causes[] = {"connect", "reset", "timeout", NULL};
    static const lbs_arg_t keys[] = {
        {"tries", LBS_ARG_UINT, offsetof(lbs_set_retry_t, tries), 0, 100,
         NULL},
        {"on", LBS_ARG_WORDS, offsetof(lbs_set_retry_t, causes), 0, 0, causes},
        {"status", LBS_ARG_STATUSES, offsetof(lbs_set_retry_t, status), 0, 0,
         NULL},
        {"budget", LBS_ARG_PERCENT, offsetof(lbs_set_retry_t, budget), 0, 0,
         NULL},
        {"body", LBS_ARG_SIZE, offsetof(lbs_set_retry_t, body), 0, 0, NULL},
        {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
    };
    lbs_set_retry_t *set =
        NEW(cmd, lbs_set_retry_t, lbs_settings_defaults()->retry);
    const char *error = NULL;

    (void)dir;
    if (lbs_setter_is_only(argc, argv, "off")) {
        set->on = 0;
    }
    else {
        error = lbs_setter_read(cmd, keys, argc, argv, set);
    }
    return lbs_setter_hang(cmd, error, set);
}

static const char *set_eject(cmd_parms *cmd, void *dir, int argc,
                             char *const argv[])
{
    static const lbs_arg_t keys[] = {
        {"failures", LBS_ARG_UINT, offsetof(lbs_set_eject_t, failures), 1,
         1000, NULL},
        {"window", LBS_ARG_DURATION, offsetof(lbs_set_eject_t, window), SECOND,
         0, NULL},
        {"hold", LBS_ARG_RANGE, offsetof(lbs_set_eject_t, hold), MS, 0, NULL},
        {"cap", LBS_ARG_PERCENT, offsetof(lbs_set_eject_t, cap), 0, 0, NULL},
        {"stall", LBS_ARG_DURATION_AUTO, offsetof(lbs_set_eject_t, stall),
         100 * MS, 0, NULL},
        {"status", LBS_ARG_STATUSES_AUTO, offsetof(lbs_set_eject_t, status), 0,
         0, NULL},
        {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
    };
    lbs_set_eject_t *set =
        NEW(cmd, lbs_set_eject_t, lbs_settings_defaults()->eject);
    const char *error = NULL;

    (void)dir;
    if (lbs_setter_is_only(argc, argv, "off")) {
        set->on = 0;
    }
    else {
        error = lbs_setter_read(cmd, keys, argc, argv, set);
    }
    return lbs_setter_hang(cmd, error, set);
}

/* Bytes that may stand in a request line or in Host. */
static int is_visible(const char *text)
{
    for (; *text != '\0'; text++) {
        if (!apr_isgraph(*text)) {
            return 0;
        }
    }
    return 1;
}

static const char *check_check(cmd_parms *cmd, lbs_set_check_t *set)
{
    const char *wanted = lbs_text_statuses(set->expect_text, &set->expect);

    if (wanted != NULL) {
        return lbs_setter_wants(cmd, set->expect_text, wanted);
    }
    if (set->path == NULL) {
        return lbs_setter_wants(cmd, cmd->directive->args,
                                "path=/PATH among them");
    }
    if (set->path[0] != '/' || !is_visible(set->path)
        || strchr(set->path, '#') != NULL) {
        return lbs_setter_wants(
            cmd, set->path,
            "path=/PATH as it is to stand in the request, without "
            "blanks and #");
    }
    if (set->host != NULL && !is_visible(set->host)) {
        return lbs_setter_wants(cmd, set->host, "host=NAME or host=NAME:PORT");
    }
    if (set->proto != NULL && ap_cstr_casecmp(set->proto, "http") != 0
        && ap_cstr_casecmp(set->proto, "https") != 0) {
        return lbs_setter_wants(cmd, set->proto, "proto=http or proto=https");
    }
    return NULL;
}

static const char *set_check(cmd_parms *cmd, void *dir, int argc,
                             char *const argv[])
{
    static const lbs_arg_t keys[] = {
        {"path", LBS_ARG_TEXT, offsetof(lbs_set_check_t, path), 0, 0, NULL},
        {"interval", LBS_ARG_DURATION, offsetof(lbs_set_check_t, interval),
         100 * MS, 0, NULL},
        {"timeout", LBS_ARG_DURATION, offsetof(lbs_set_check_t, timeout),
         10 * MS, 0, NULL},
        {"rise", LBS_ARG_UINT, offsetof(lbs_set_check_t, rise), 1, 100, NULL},
        {"fall", LBS_ARG_UINT, offsetof(lbs_set_check_t, fall), 1, 100, NULL},
        {"expect", LBS_ARG_TEXT, offsetof(lbs_set_check_t, expect_text), 0, 0,
         NULL},
        {"host", LBS_ARG_TEXT, offsetof(lbs_set_check_t, host), 0, 0, NULL},
        {"proto", LBS_ARG_TEXT, offsetof(lbs_set_check_t, proto), 0, 0, NULL},
        {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
    };
    lbs_set_check_t *set =
        NEW(cmd, lbs_set_check_t, lbs_settings_defaults()->check);
    const char *error = NULL;

    (void)dir;
    if (!lbs_setter_is_only(argc, argv, "off")) {
        error = lbs_setter_read(cmd, keys, argc, argv, set);
        if (error == NULL) {
            error = check_check(cmd, set);
        }
    }
    return lbs_setter_hang(cmd, error, set);
}

static const char *set_slowstart(cmd_parms *cmd, void *dir, int argc,
                                 char *const argv[])
{
    apr_int64_t *set = apr_pcalloc(cmd->pool, sizeof(*set));

    (void)dir;
    if (!lbs_setter_is_only(argc, argv, "off")
        && (argc != 1 || lbs_text_duration(argv[0], set) != NULL)) {
        return lbs_setter_wants(cmd, cmd->directive->args, cmd->cmd->errmsg);
    }
    return lbs_setter_hang(cmd, NULL, set);
}

static const char *set_limit(cmd_parms *cmd, void *dir, int argc,
                             char *const argv[])
{
    static const lbs_arg_t keys[] = {
        {"inflight", LBS_ARG_UINT_AUTO, offsetof(lbs_set_limit_t, inflight), 1,
         1000000, NULL},
        {"queue", LBS_ARG_UINT, offsetof(lbs_set_limit_t, queue), 0, 256,
         NULL},
        {"wait", LBS_ARG_DURATION, offsetof(lbs_set_limit_t, wait), 0, 0,
         NULL},
        {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
    };
    lbs_set_limit_t *set =
        NEW(cmd, lbs_set_limit_t, lbs_settings_defaults()->limit);
    const char *error = NULL;

    (void)dir;
    if (!lbs_setter_is_only(argc, argv, "off")) {
        error = lbs_setter_read(cmd, keys, argc, argv, set);
        if (error == NULL && set->inflight == 0) {
            error =
                lbs_setter_wants(cmd, cmd->directive->args,
                                 "inflight=N among them, or inflight=auto");
        }
    }
    return lbs_setter_hang(cmd, error, set);
}

/* Serving and forwarding -------------------------------------------------- */

static const char *set_forward(cmd_parms *cmd, void *dir, int argc,
                               char *const argv[])
{
    static const lbs_arg_t keys[] = {
        {"host", LBS_ARG_SWITCH, offsetof(lbs_set_forward_t, host), 0, 0,
         NULL},
        {"proto", LBS_ARG_SWITCH, offsetof(lbs_set_forward_t, proto), 0, 0,
         NULL},
        {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
    };
    lbs_set_forward_t *set =
        NEW(cmd, lbs_set_forward_t, lbs_settings_defaults()->forward);
    const char *error = lbs_setter_read(cmd, keys, argc, argv, set);

    (void)dir;
    return lbs_setter_hang(cmd, error, set);
}

static const char *set_local(cmd_parms *cmd, void *dir, int argc,
                             char *const argv[])
{
    lbs_set_local_t *set = apr_pcalloc(cmd->pool, sizeof(*set));
    const char *error =
        argc == 0 ? lbs_setter_wants(cmd, "", cmd->cmd->errmsg) : NULL;
    int i;

    (void)dir;
    set->where = lbs_setter_where(cmd);
    for (i = 0; i < argc && !lbs_setter_is_only(argc, argv, "off"); i++) {
        int *what = ap_cstr_casecmp(argv[i], "files") == 0  ? &set->files
                    : ap_cstr_casecmp(argv[i], "self") == 0 ? &set->self
                                                            : NULL;

        if (what == NULL || *what) {
            error = lbs_setter_wants(cmd, argv[i], cmd->cmd->errmsg);
            break;
        }
        *what = 1;
    }
    return lbs_setter_hang(cmd, error, set);
}

static const char *set_store(cmd_parms *cmd, void *dir, int argc,
                             char *const argv[])
{
    static const lbs_arg_t keys[] = {
        {"timeout", LBS_ARG_DURATION, offsetof(lbs_set_store_t, timeout), MS,
         0, NULL},
        {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
    };
    lbs_set_store_t *set =
        NEW(cmd, lbs_set_store_t, lbs_settings_defaults()->store);
    const char *error = NULL;
    const char *colon;

    (void)dir;
    set->where = lbs_setter_where(cmd);
    if (argc == 0 || *argv[0] == '\0' || *argv[0] == ':') {
        error =
            lbs_setter_wants(cmd, argc == 0 ? "" : argv[0], cmd->cmd->errmsg);
    }
    else if (strstr(argv[0], "://") != NULL) {
        error = lbs_setter_wants(cmd, argv[0],
                                 "PROVIDER:HOST:PORT without slashes, such as "
                                 "redis:10.0.0.5:6379");
    }
    else if (!lbs_setter_is_only(argc, argv, "off")) {
        colon = strchr(argv[0], ':');
        set->provider = colon == NULL
                            ? apr_pstrdup(cmd->pool, argv[0])
                            : apr_pstrndup(cmd->pool, argv[0],
                                           (apr_size_t)(colon - argv[0]));
        set->args = colon == NULL ? NULL : apr_pstrdup(cmd->pool, colon + 1);
        error = argc > 1 ? lbs_setter_read(cmd, keys, argc - 1, argv + 1, set)
                         : NULL;
    }
    return lbs_setter_hang(cmd, error, set);
}

/* The whole server ------------------------------------------------------- */

static const char *set_secret(cmd_parms *cmd, void *dir, const char *arg)
{
    lbs_main_conf_t *conf = lbs_config_of(cmd->server)->main;
    const char *error = lbs_setter_main_only(cmd);

    (void)dir;
    if (error != NULL) {
        return error;
    }
    if (ap_cstr_casecmp(arg, "random") == 0) {
        conf->secret_source = LBS_SECRET_RANDOM;
        conf->secret = NULL;
        return NULL;
    }
    error = lbs_secret_read(cmd->pool, cmd->temp_pool, arg, &conf->secret);
    if (error != NULL) {
        return lbs_setter_wants(cmd, arg, error);
    }
    conf->secret_source = LBS_SECRET_GIVEN;
    return NULL;
}

static const char *set_table(cmd_parms *cmd, void *dir, int argc,
                             char *const argv[])
{
    static const lbs_arg_t keys[] = {
        {"sessions", LBS_ARG_UINT, offsetof(lbs_main_conf_t, sessions), 1,
         APR_INT64_C(4000000000), NULL},
        {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
    };
    const char *error = lbs_setter_main_only(cmd);

    (void)dir;
    if (error != NULL) {
        return error;
    }
    return lbs_setter_read(cmd, keys, argc, argv,
                           lbs_config_of(cmd->server)->main);
}

/* Writing replaces the file of that name, so it must not be a directory or a
 * device. */
static int is_no_file(const char *path, apr_pool_t *pool)
{
    apr_finfo_t info;

    return apr_stat(&info, path, APR_FINFO_TYPE, pool) == APR_SUCCESS
           && info.filetype != APR_REG;
}

static const char *set_persist(cmd_parms *cmd, void *dir, const char *arg)
{
    lbs_main_conf_t *conf = lbs_config_of(cmd->server)->main;
    const char *error = lbs_setter_main_only(cmd);

    (void)dir;
    if (error != NULL) {
        return error;
    }
    conf->persist_set = 1;
    conf->persist = NULL;
    if (ap_cstr_casecmp(arg, "off") == 0) {
        return NULL;
    }
    conf->persist = ap_runtime_dir_relative(cmd->pool, arg);
    if (conf->persist == NULL || *arg == '\0') {
        return lbs_setter_wants(cmd, arg,
                                "a file name, below DefaultRuntimeDir unless "
                                "it starts with /, or off");
    }
    if (is_no_file(conf->persist, cmd->temp_pool)) {
        return lbs_setter_wants(cmd, arg,
                                "a file name, or off: what has that name is "
                                "no file");
    }
    return NULL;
}

/* In <Proxy> too (P), in servers (V), in the main server (S). */
#define P (RSRC_CONF | PROXY_CONF)
#define V RSRC_CONF
#define S RSRC_CONF

/* Where lbs_setter_hang() puts the setter's struct. */
#define FIELD(name) ((void *)offsetof(lbs_settings_t, name))

const command_rec lbs_directives[] = {
    AP_INIT_TAKE_ARGV("LBSticky", set_sticky, FIELD(sticky), P,
                      "off, none, or sources such as cookie session=NAME ip"),
    AP_INIT_TAKE_ARGV("LBStickyMethod", set_method, FIELD(method), P,
                      "least-load, least-busy, least-sessions, round-robin, "
                      "or hash with an optional bound=1.05 to bound=4"),
    AP_INIT_TAKE_ARGV("LBStickyTimeout", set_timeout, FIELD(timeout), P,
                      "idle=DURATION [max=DURATION|off]"),
    AP_INIT_TAKE_ARGV("LBStickyCookie", set_cookie, FIELD(cookie), P,
                      "key=value words such as name=SRV secure=on"),
    AP_INIT_TAKE_ARGV("LBStickyFailover", set_switch, FIELD(failover), P,
                      "on or off"),
    AP_INIT_TAKE_ARGV("LBStickyFailback", set_failback, FIELD(failback), P,
                      "stay, return, or idle=DURATION"),
    AP_INIT_TAKE_ARGV("LBStickyRetry", set_retry, FIELD(retry), P,
                      "off, or tries=N on=LIST status=LIST budget=PERCENT "
                      "body=BYTES"),
    AP_INIT_TAKE_ARGV("LBStickyEject", set_eject, FIELD(eject), P,
                      "off, or failures=N window=DURATION hold=MIN-MAX "
                      "cap=PERCENT stall=DURATION|auto|off status=LIST"),
    AP_INIT_TAKE_ARGV("LBStickyCheck", set_check, FIELD(check), P,
                      "off, or path=/PATH with interval= timeout= rise= fall= "
                      "expect= host= proto="),
    AP_INIT_TAKE_ARGV("LBStickyPanic", set_switch, FIELD(panic), P,
                      "on or off"),
    AP_INIT_TAKE_ARGV("LBStickySlowStart", set_slowstart, FIELD(slowstart), P,
                      "a duration such as 10s, or off"),
    AP_INIT_TAKE_ARGV("LBStickyLimit", set_limit, FIELD(limit), P,
                      "off, or inflight=N|auto [queue=N] [wait=DURATION]"),
    AP_INIT_TAKE_ARGV("LBStickyForward", set_forward, FIELD(forward), P,
                      "[host=on|off] [proto=on|off]"),
    AP_INIT_TAKE_ARGV("LBStickyLocal", set_local, FIELD(local), V,
                      "off, or files or self or both of them, each once"),
    AP_INIT_TAKE_ARGV("LBStickyForeign", set_foreign, FIELD(foreign), P,
                      "off, or READER:NAME words such as haproxy:SRV"),
    AP_INIT_TAKE_ARGV("LBStickyControl", set_switch, FIELD(control), P,
                      "on or off"),
    AP_INIT_TAKE_ARGV("LBStickyStore", set_store, FIELD(store), P,
                      "off, or PROVIDER[:ARGS] [timeout=DURATION] such as "
                      "redis:10.0.0.5:6379"),
    AP_INIT_TAKE_ARGV(
        "LBStickyDiscover", set_discover, FIELD(discover), P,
        "off, or up to four sources such as file:PATH, and "
        "interval= hold= leave= join= min= max= family= resolver= allow="),
    AP_INIT_TAKE1("LBStickySecret", set_secret, NULL, S,
                  "random, file:PATH or exec:COMMAND"),
    AP_INIT_TAKE_ARGV("LBStickyTable", set_table, NULL, S, "sessions=N"),
    AP_INIT_TAKE1("LBStickyPersist", set_persist, NULL, S,
                  "a file name, or off"),
    AP_INIT_TAKE_ARGV("LBStickyAdmin", set_switch, FIELD(admin), V,
                      "on or off"),
    AP_INIT_TAKE_ARGV("LBStickyRegister", set_registers, FIELD(registers), V,
                      "off, or file:PATH and lease= from="),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL},
};
