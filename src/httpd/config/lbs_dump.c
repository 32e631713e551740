/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_dump.c - see lbs_dump.h.
 *
 * One writer for each directive turns its struct back into words. An
 * administrator compares them with the file, the tests compare them with
 * docs/directives.md.
 */
#include "src/httpd/config/lbs_dump.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <http_config.h>

#include "src/httpd/config/lbs_config.h"
#include "src/httpd/config/lbs_walk.h"

/* Words ------------------------------------------------------------------- */

static const char *duration(apr_pool_t *pool, apr_int64_t usec)
{
    char text[LBS_TEXT_DURATION_LEN];

    lbs_text_duration_write(text, usec);
    return apr_pstrdup(pool, text);
}

/* Of a directive that may be off, which is no time. */
static const char *duration_or_off(apr_pool_t *pool, apr_int64_t usec)
{
    return usec != 0 ? duration(pool, usec) : "off";
}

static const char *on_off(int on)
{
    return on ? "on" : "off";
}

/* ` status=LIST`, or nothing for none. */
static const char *statuses(apr_pool_t *pool, const lbs_statuses_t *set)
{
    const char *text = lbs_statuses_write(pool, set);

    return *text != '\0' ? apr_pstrcat(pool, " status=", text, NULL) : "";
}

/* ` status=LIST`, ` status=auto` or ` status=off`. */
static const char *statuses_auto(apr_pool_t *pool,
                                 const lbs_statuses_auto_t *set)
{
    const char *text =
        set->is_auto ? " status=auto" : statuses(pool, &set->listed);

    return *text != '\0' ? text : " status=off";
}

/* One writer for each directive ------------------------------------------ */

typedef const char *writer_fn(apr_pool_t *pool, const lbs_settings_t *set);

/* One argument as it has to stand in a configuration: an expression may have
 * blanks and quotes. */
static const char *argument(apr_pool_t *pool, const char *text)
{
    char *out, *to;

    if (strpbrk(text, " \t\"'\\") == NULL) {
        return text;
    }
    out = to = apr_palloc(pool, 2 * strlen(text) + 3);
    *to++ = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            *to++ = '\\';
        }
        *to++ = *text;
    }
    *to++ = '"';
    *to = '\0';
    return out;
}

static const char *write_sticky(apr_pool_t *pool, const lbs_settings_t *set)
{
    const char *text = "";
    int i;

    for (i = 0; i < set->sticky->count; i++) {
        text =
            apr_pstrcat(pool, text, i > 0 ? " " : "",
                        argument(pool, set->sticky->source[i].spelling), NULL);
    }
    if (set->sticky->count == 0) {
        text = set->sticky->on ? "none" : "off";
    }
    return text;
}

static const char *write_method(apr_pool_t *pool, const lbs_settings_t *set)
{
    const char *name = lbs_pick_method_name(set->method->method);
    apr_uint32_t bound = set->method->bound_centi;

    return bound == 0 ? name
                      : apr_psprintf(pool, "%s bound=%u.%02u", name,
                                     bound / 100, bound % 100);
}

static const char *write_timeout(apr_pool_t *pool, const lbs_settings_t *set)
{
    return apr_pstrcat(pool, "idle=", duration(pool, set->timeout->idle),
                       " max=", duration_or_off(pool, set->timeout->max),
                       NULL);
}

static const char *write_cookie(apr_pool_t *pool, const lbs_settings_t *set)
{
    static const char *const samesite[] = {
        [LBS_SAMESITE_LAX] = "lax",
        [LBS_SAMESITE_STRICT] = "strict",
        [LBS_SAMESITE_NONE] = "none",
        [LBS_SAMESITE_OFF] = "off",
    };
    static const char *const secure[] = {
        [LBS_SECURE_AUTO] = "auto",
        [LBS_SECURE_ON] = "on",
        [LBS_SECURE_OFF] = "off",
    };
    const lbs_cookie_conf_t *conf = set->cookie;

    return apr_pstrcat(
        pool, conf->name != NULL ? "name=" : "",
        conf->name != NULL ? conf->name : "", conf->name != NULL ? " " : "",
        "path=", conf->path,
        " domain=", conf->domain != NULL ? conf->domain : "off",
        " samesite=", samesite[conf->samesite],
        " secure=", secure[conf->secure], " httponly=", on_off(conf->httponly),
        " partitioned=", on_off(conf->partitioned), " maxage=",
        conf->maxage == 0 ? "session"
                          : duration(pool, apr_time_from_sec(conf->maxage)),
        " nocache=", on_off(conf->nocache), " strip=", on_off(conf->strip),
        " first=", duration_or_off(pool, conf->first), NULL);
}

static const char *write_failover(apr_pool_t *pool, const lbs_settings_t *set)
{
    (void)pool;
    return on_off(*set->failover);
}

static const char *write_failback(apr_pool_t *pool, const lbs_settings_t *set)
{
    switch (set->failback->mode) {
    case LBS_FAILBACK_RETURN:
        return "return";
    case LBS_FAILBACK_IDLE:
        return apr_pstrcat(pool, "idle=", duration(pool, set->failback->idle),
                           NULL);
    default:
        return "stay";
    }
}

static const char *write_retry(apr_pool_t *pool, const lbs_settings_t *set)
{
    const lbs_set_retry_t *retry = set->retry;
    const char *causes;

    if (!retry->on) {
        return "off";
    }
    causes =
        apr_pstrcat(pool, retry->causes & LBS_RETRY_CONNECT ? ",connect" : "",
                    retry->causes & LBS_RETRY_RESET ? ",reset" : "",
                    retry->causes & LBS_RETRY_TIMEOUT ? ",timeout" : "", NULL);
    return apr_psprintf(
        pool, "tries=%u on=%s%s budget=%u body=%" APR_UINT64_T_FMT "%s",
        retry->tries, causes + 1, statuses(pool, &retry->status),
        retry->budget,
        retry->body % 1024 == 0 ? retry->body / 1024 : retry->body,
        retry->body != 0 && retry->body % 1024 == 0 ? "k" : "");
}

static const char *write_eject(apr_pool_t *pool, const lbs_settings_t *set)
{
    const lbs_set_eject_t *eject = set->eject;

    if (!eject->on) {
        return "off";
    }
    return apr_psprintf(
        pool, "failures=%u window=%s hold=%s-%s cap=%u stall=%s%s",
        eject->failures, duration(pool, eject->window),
        duration(pool, eject->hold[0]), duration(pool, eject->hold[1]),
        eject->cap,
        eject->stall == LBS_STALL_AUTO ? "auto"
                                       : duration_or_off(pool, eject->stall),
        statuses_auto(pool, &eject->status));
}

static const char *write_check(apr_pool_t *pool, const lbs_settings_t *set)
{
    const lbs_set_check_t *check = set->check;

    if (check->path == NULL) {
        return "off";
    }
    return apr_psprintf(
        pool,
        "path=%s interval=%s timeout=%s rise=%u fall=%u expect=%s%s%s%s%s",
        check->path, duration(pool, check->interval),
        duration(pool, check->timeout), check->rise, check->fall,
        lbs_statuses_write(pool, &check->expect),
        check->host != NULL ? " host=" : "",
        check->host != NULL ? check->host : "",
        check->proto != NULL ? " proto=" : "",
        check->proto != NULL ? check->proto : "");
}

static const char *write_panic(apr_pool_t *pool, const lbs_settings_t *set)
{
    (void)pool;
    return on_off(*set->panic);
}

static const char *write_slowstart(apr_pool_t *pool, const lbs_settings_t *set)
{
    return duration_or_off(pool, *set->slowstart);
}

static const char *write_limit(apr_pool_t *pool, const lbs_settings_t *set)
{
    const lbs_set_limit_t *limit = set->limit;

    const char *inflight = limit->inflight == LBS_SET_LIMIT_AUTO
                               ? "auto"
                               : apr_psprintf(pool, "%u", limit->inflight);

    return limit->inflight == 0
               ? "off"
               : apr_psprintf(pool, "inflight=%s queue=%u wait=%s", inflight,
                              limit->queue, duration(pool, limit->wait));
}

static const char *write_local(apr_pool_t *pool, const lbs_settings_t *set)
{
    const lbs_set_local_t *local = set->local;

    (void)pool;
    if (local->files) {
        return local->self ? "files self" : "files";
    }
    return local->self ? "self" : "off";
}

static const char *write_forward(apr_pool_t *pool, const lbs_settings_t *set)
{
    return apr_pstrcat(pool, "host=", on_off(set->forward->host),
                       " proto=", on_off(set->forward->proto), NULL);
}

static const char *write_foreign(apr_pool_t *pool, const lbs_settings_t *set)
{
    const char *text = set->foreign->count == 0 ? "off" : "";
    int i;

    for (i = 0; i < set->foreign->count; i++) {
        text =
            apr_pstrcat(pool, text, i > 0 ? " " : "",
                        argument(pool, set->foreign->word[i].spelling), NULL);
    }
    return text;
}

static const char *write_control(apr_pool_t *pool, const lbs_settings_t *set)
{
    (void)pool;
    return on_off(*set->control);
}

static const char *write_store(apr_pool_t *pool, const lbs_settings_t *set)
{
    const lbs_set_store_t *store = set->store;

    if (store->provider == NULL) {
        return "off";
    }
    return apr_pstrcat(pool, store->provider, store->args != NULL ? ":" : "",
                       store->args != NULL ? store->args : "",
                       " timeout=", duration(pool, store->timeout), NULL);
}

static const char *write_discover(apr_pool_t *pool, const lbs_settings_t *set)
{
    const lbs_set_discover_t *discover = set->discover;

    static const char *const families[] = {"any", "4", "6", "both"};
    const char *finders = "";
    int i;

    if (discover->count == 0) {
        return "off";
    }
    for (i = 0; i < discover->count; i++) {
        finders =
            apr_pstrcat(pool, finders, i > 0 ? " " : "",
                        argument(pool, discover->finder[i].spelling), NULL);
    }
    return apr_psprintf(
        pool,
        "%s interval=%s hold=%s leave=%s join=%s min=%u max=%u family=%s "
        "allow=%s%s%s",
        finders, duration(pool, discover->interval),
        duration(pool, discover->hold), duration(pool, discover->leave),
        discover->join < 0 ? "auto" : duration(pool, discover->join),
        discover->min, discover->max, families[discover->family],
        discover->allow_text, discover->resolver != NULL ? " resolver=" : "",
        discover->resolver != NULL ? discover->resolver : "");
}

static const char *write_admin(apr_pool_t *pool, const lbs_settings_t *set)
{
    (void)pool;
    return on_off(*set->admin);
}

static const char *write_register(apr_pool_t *pool, const lbs_settings_t *set)
{
    const lbs_set_register_t *registers = set->registers;

    return registers->file == NULL
               ? "off"
               : apr_psprintf(pool, "%s lease=%s from=%s",
                              argument(pool, registers->file),
                              duration(pool, registers->lease),
                              registers->from_any ? "any" : "self");
}

static const struct {
    const char *directive;
    writer_fn *write;
} writers[] = {
    {"LBSticky", write_sticky},
    {"LBStickyMethod", write_method},
    {"LBStickyTimeout", write_timeout},
    {"LBStickyCookie", write_cookie},
    {"LBStickyFailover", write_failover},
    {"LBStickyFailback", write_failback},
    {"LBStickyRetry", write_retry},
    {"LBStickyEject", write_eject},
    {"LBStickyCheck", write_check},
    {"LBStickyPanic", write_panic},
    {"LBStickySlowStart", write_slowstart},
    {"LBStickyLimit", write_limit},
    {"LBStickyLocal", write_local},
    {"LBStickyForward", write_forward},
    {"LBStickyForeign", write_foreign},
    {"LBStickyControl", write_control},
    {"LBStickyStore", write_store},
    {"LBStickyDiscover", write_discover},
    {"LBStickyAdmin", write_admin},
    {"LBStickyRegister", write_register},
};
#define WRITERS (sizeof(writers) / sizeof(writers[0]))

/* The whole -------------------------------------------------------------- */

static void dump_main(apr_file_t *out, const lbs_main_conf_t *conf)
{
    /* A secret is never printed. */
    apr_file_printf(out, "LBStickySecret %s\n",
                    conf->secret_source == LBS_SECRET_RANDOM
                        ? "random"
                        : "(from a file or command)");
    apr_file_printf(out, "LBStickyTable sessions=%u\n", conf->sessions);
    apr_file_printf(out, "LBStickyPersist %s\n",
                    conf->persist != NULL ? conf->persist : "off");
}

static void dump_pool(apr_file_t *out, apr_pool_t *pool,
                      const lbs_walk_t *walk)
{
    apr_size_t i;

    apr_file_printf(out, "# pool %s of %s\n", walk->name,
                    lbs_config_vhost(pool, walk->server));
    for (i = 0; i < WRITERS; i++) {
        apr_file_printf(out, "%s %s\n", writers[i].directive,
                        writers[i].write(pool, &walk->set));
    }
}

void lbs_dump_config(apr_pool_t *pool, server_rec *main_server)
{
    lbs_walk_t walk = lbs_walk_all(pool, main_server);
    apr_file_t *out;

    if (!ap_exists_config_define("DUMP_LBSTICKY")
        || apr_file_open_stdout(&out, pool) != APR_SUCCESS) {
        return;
    }
    dump_main(out, lbs_config_of(main_server)->main);
    while (lbs_walk_next(&walk)) {
        if (walk.set.sticky->on && lbs_worker_count(walk.balancer) > 0) {
            dump_pool(out, pool, &walk);
        }
    }
}
