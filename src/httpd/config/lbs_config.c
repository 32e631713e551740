/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_config.c - see lbs_config.h. */
#include "src/httpd/config/lbs_config.h"

#include <apr_strings.h>
#include <string.h>

#include "src/httpd/proxy/lbs_log.h"

extern module AP_MODULE_DECLARE_DATA lbsticky_module;

#define BALANCER_SCHEME "balancer://"
#define BALANCER_SCHEME_LEN (sizeof(BALANCER_SCHEME) - 1)

lbs_server_conf_t *lbs_config_of(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &lbsticky_module);
}

void *lbs_config_create(apr_pool_t *pool, server_rec *s)
{
    lbs_server_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)s;
    conf->pools = apr_hash_make(pool);
    conf->main = apr_pcalloc(pool, sizeof(*conf->main));
    conf->main->sessions = LBS_DEFAULT_SESSIONS;
    return conf;
}

void *lbs_config_merge(apr_pool_t *pool, void *outer, void *inner)
{
    const lbs_server_conf_t *base = outer;
    const lbs_server_conf_t *own = inner;
    lbs_server_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    lbs_settings_merge(&conf->set, &own->set, &base->set);
    conf->pools = own->pools;
    conf->outer_pools = base->pools;
    conf->main = base->main;
    return conf;
}

lbs_slice_t lbs_config_pool_part(const char *url)
{
    lbs_slice_t part = {NULL, 0};

    /* mod_proxy writes it so into what it has canonicalised. */
    if (strncmp(url, BALANCER_SCHEME, BALANCER_SCHEME_LEN) == 0
        || ap_cstr_casecmpn(url, BALANCER_SCHEME, BALANCER_SCHEME_LEN) == 0) {
        part.p = url + BALANCER_SCHEME_LEN;
        part.n = 0;
        while (part.p[part.n] != '/' && part.p[part.n] != '\0') {
            part.n++;
        }
    }
    return part;
}

const char *lbs_config_pool_name(apr_pool_t *pool, const char *url)
{
    lbs_slice_t part = lbs_config_pool_part(url);
    char *name;

    if (part.n == 0) {
        return NULL;
    }
    name = apr_pstrmemdup(pool, part.p, part.n);
    ap_str_tolower(name);
    return name;
}

const char *lbs_config_vhost(apr_pool_t *pool, const server_rec *s)
{
    apr_port_t port = s->port;

    if (port == 0 && s->addrs != NULL) {
        port = s->addrs->host_port;
    }
    if (port == 0) {
        port =
            s->server_scheme != NULL && strcmp(s->server_scheme, "https") == 0
                ? 443
                : 80;
    }
    return apr_psprintf(pool, "%s:%u", s->server_hostname, port);
}

const server_rec *lbs_config_server_at(const server_rec *main_server,
                                       const ap_directive_t *section)
{
    const server_rec *s;

    for (s = main_server->next; s != NULL; s = s->next) {
        if ((int)s->defn_line_number == section->line_num
            && s->defn_name != NULL
            && strcmp(s->defn_name, section->filename) == 0) {
            break;
        }
    }
    return s;
}

apr_hash_t *lbs_config_sections(const server_rec *s, int inherited)
{
    const lbs_server_conf_t *conf = lbs_config_of(s);

    /* A virtual host without any directive of ours has none of its own:
     * httpd gives it the main server's configuration, unmerged. */
    if (s->is_virtual && conf->outer_pools == NULL) {
        return inherited ? conf->pools : NULL;
    }
    return inherited ? conf->outer_pools : conf->pools;
}

void lbs_config_resolve(lbs_settings_t *out, const server_rec *s,
                        const char *name, int inherited)
{
    const lbs_server_conf_t *conf = lbs_config_of(s);
    /* httpd merges only where a virtual host has a directive of ours; the
     * others share the main server's record. */
    int is_shared = s->is_virtual && conf->outer_pools == NULL;
    apr_hash_t *pools = conf->pools;
    const lbs_settings_t *own = NULL;
    lbs_settings_t server;

    if (is_shared != inherited) {
        pools = inherited ? conf->outer_pools : NULL;
    }
    if (pools != NULL) {
        own = apr_hash_get(pools, name, APR_HASH_KEY_STRING);
    }
    lbs_settings_merge(&server, &conf->set, lbs_settings_defaults());
    if (own != NULL) {
        lbs_settings_merge(out, own, &server);
    }
    else {
        *out = server;
    }
}
