/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_config.h - the module's configuration per server, and the questions
 * the rest of the module asks of it.
 *
 * All of it lives in pconf: it is written while the configuration is read and
 * only read afterwards.
 */
#ifndef LBS_CONFIG_H
#define LBS_CONFIG_H

#include <apr_hash.h>
#include <httpd.h>
#include <http_config.h>

#include "src/affinity/lbs_secret.h"
#include "src/base/lbs_slice.h"
#include "src/httpd/config/lbs_settings.h"

#define LBS_DEFAULT_SESSIONS 250000
#define LBS_DEFAULT_PERSIST "lbsticky.state"

/* Where LBStickySecret takes its secret from. */
typedef enum lbs_secret_source_t {
    LBS_SECRET_RANDOM, /* made at the first start, kept in the state */
    LBS_SECRET_GIVEN   /* file: or exec:, read already */
} lbs_secret_source_t;

/* Settings of the main server alone. */
typedef struct lbs_main_conf_t {
    lbs_secret_source_t secret_source;
    const lbs_secret_t *secret; /* for LBS_SECRET_GIVEN */
    apr_uint32_t sessions;      /* LBStickyTable */
    const char *persist;        /* absolute path; NULL: off */
    int persist_set;
    int persist_volatile; /* a reboot empties the file system it is on */
} lbs_main_conf_t;

typedef struct lbs_server_conf_t {
    lbs_settings_t set;      /* as written for this server */
    apr_hash_t *pools;       /* pool name -> lbs_settings_t, of <Proxy> */
    lbs_main_conf_t *main;   /* shared by all servers of a configuration */
    apr_hash_t *outer_pools; /* the main server's pools, for inherited ones */
} lbs_server_conf_t;

/** The module's configuration of a server. */
lbs_server_conf_t *lbs_config_of(const server_rec *s);

/** httpd's create and merge functions for the module record. */
void *lbs_config_create(apr_pool_t *pool, server_rec *s);
void *lbs_config_merge(apr_pool_t *pool, void *outer, void *inner);

/**
 * The name a pool is known by, as mod_proxy folds it: lower case, without
 * `balancer://` and without a path.
 *
 * @param url  the URL of <Proxy>, ProxyPass or a request
 * @return allocated from pool; NULL if this is no balancer URL
 */
const char *lbs_config_pool_name(apr_pool_t *pool, const char *url);

/** Where the name of a pool stands in such a URL; empty: it is none. */
lbs_slice_t lbs_config_pool_part(const char *url);

/**
 * The virtual host that a <VirtualHost> section of the configuration's tree
 * is.
 *
 * @return NULL: httpd has no virtual host for it
 */
const server_rec *lbs_config_server_at(const server_rec *main_server,
                                       const ap_directive_t *section);

/** ServerName:port, by which a server is identified everywhere. */
const char *lbs_config_vhost(apr_pool_t *pool, const server_rec *s);

/**
 * The <Proxy "balancer://..."> sections that count for a server's pools.
 *
 * @param inherited  1: for the pools it has from the main server
 * @return pool name -> lbs_settings_t; NULL: there are none
 */
apr_hash_t *lbs_config_sections(const server_rec *s, int inherited);

/**
 * The settings in force for a pool: its own <Proxy> section, then the server,
 * then the main server, then the documented defaults.
 *
 * @param out  all pointers set
 * @param s  the server whose requests are meant
 * @param name  from lbs_config_pool_name()
 * @param inherited  1 when the pool was defined in the main server and `s`
 *        is a virtual host
 */
void lbs_config_resolve(lbs_settings_t *out, const server_rec *s,
                        const char *name, int inherited);

extern const command_rec lbs_directives[];

#endif
