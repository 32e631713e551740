/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_section.h - the configuration per directory that holds for the requests
 * of a pool: what is written in its <Proxy> section, and what mod_proxy's
 * handlers get of it.
 *
 * mod_proxy merges the sections that match into the server's configuration
 * anew for each request. For a pool whose section depends on nothing but the
 * pool's name that is done once.
 */
#ifndef LBS_SECTION_H
#define LBS_SECTION_H

#include <httpd.h>

#include <http_config.h>

typedef struct lbs_section_t lbs_section_t;

/** Called once per configuration, in pre_config, when all modules are there.
 */
void lbs_section_import(apr_pool_t *pconf);

/**
 * Merge the sections of a pool for a server.
 *
 * @param url        balancer://name of the pool
 * @param keep_host  see lbs_section_prepare()
 * @return NULL where no section matches the pool, or where the path may
 * matter: there is a <ProxyMatch>, a pattern, or a section of a part of the
 * pool
 */
lbs_section_t *lbs_section_make(apr_pool_t *p, const server_rec *s,
                                const char *url, int keep_host);

/**
 * Give a request that ProxyPass sends to the pool the merged configuration,
 * as mod_proxy's own map_to_storage would.
 *
 * @param section  of the request's server, or NULL
 * @return OK; DECLINED: mod_proxy has to
 */
int lbs_section_map(request_rec *r, const lbs_section_t *section);

/**
 * Give a request the configuration that mod_proxy's handlers need: the
 * visitor's Host reaches the member unless ProxyPreserveHost was written, and
 * ProxyPassReverse is left to lbs_worker_map_back(). The caller puts back
 * r->per_dir_config.
 *
 * Cost: none where lbs_section_map() gave the configuration and no other
 * section was merged into it; else a copy of mod_proxy's section and of the
 * vector of sections.
 *
 * @param section  of the request's pool, or NULL
 * @return 1 when Host is kept for this module's sake
 */
int lbs_section_prepare(request_rec *r, const lbs_section_t *section,
                        int keep_host);

#endif
