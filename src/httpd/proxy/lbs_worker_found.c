/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_worker_found.c - see lbs_worker_found.h. */
#include "src/httpd/proxy/lbs_worker_found.h"

#include <apr_strings.h>
#include <dlfcn.h>
#include <string.h>

#include "src/httpd/proxy/lbs_worker.h" /* name_ex of an older httpd */

static struct {
    char *(*define)(apr_pool_t *p, proxy_worker **worker,
                    proxy_balancer *balancer, proxy_server_conf *conf,
                    const char *url, int do_malloc);
    apr_status_t (*initialize)(proxy_worker *worker, server_rec *s,
                               apr_pool_t *p);
} mod_proxy;

const char *lbs_worker_found_import(void)
{
    static const struct {
        const char *name;
        void *function; /* where the address goes */
    } imports[] = {
        {"ap_proxy_define_worker", &mod_proxy.define},
        {"ap_proxy_initialize_worker", &mod_proxy.initialize},
    };
    unsigned i;

    for (i = 0; i < sizeof(imports) / sizeof(imports[0]); i++) {
        void *found = dlsym(RTLD_DEFAULT, imports[i].name);

        if (found == NULL) {
            return imports[i].name;
        }
        memcpy(imports[i].function, &found, sizeof(found));
    }
    return NULL;
}

/* What is the worker's own, of what mod_proxy made from its URL. All else is
 * the model's, in whatever version of mod_proxy. */
static void take_own(proxy_worker_shared *to, const proxy_worker_shared *own)
{
    memcpy(to->name, own->name, sizeof(to->name));
    memcpy(to->name_ex, own->name_ex, sizeof(to->name_ex));
    memcpy(to->scheme, own->scheme, sizeof(to->scheme));
    memcpy(to->hostname, own->hostname, sizeof(to->hostname));
    memcpy(to->hostname_ex, own->hostname_ex, sizeof(to->hostname_ex));
    memcpy(to->uds_path, own->uds_path, sizeof(to->uds_path));
    to->port = own->port;
    to->hash = own->hash;
    to->index = own->index;
    to->was_malloced = own->was_malloced;
    to->is_name_matchable = own->is_name_matchable;
    to->lbfactor = own->lbfactor;
}

/* What counts and remembers begins anew. */
static void begin(proxy_worker_shared *s)
{
    s->status = PROXY_WORKER_IGNORE_ERRORS;
    s->retries = 0;
    s->lbstatus = 0;
    s->updated = 0;
    s->error_time = 0;
    s->elected = 0;
    s->busy = 0;
    s->transferred = 0;
    s->read = 0;
    s->context = NULL;
    s->pcount = 0;
    s->fcount = 0;
    s->method = NONE;
    s->redirect[0] = '\0';
}

proxy_worker *lbs_worker_found_make(const lbs_worker_found_t *found,
                                    apr_pool_t *memory, const char **wrong)
{
    proxy_worker *worker = NULL;
    proxy_worker_shared own;

    *wrong = mod_proxy.define(memory, &worker, NULL, NULL, found->url, 0);
    if (*wrong != NULL) {
        return NULL;
    }
    if (strlen(found->route) >= sizeof(worker->s->route)) {
        *wrong = "its route is too long";
        return NULL;
    }
    own = *worker->s;
    *worker->s = *found->model->s;
    take_own(worker->s, &own);
    begin(worker->s);
    (void)apr_cpystrn(worker->s->route, found->route,
                      sizeof(worker->s->route));
    worker->s->lbset = found->lbset;
    worker->section_config = found->model->section_config;
    return worker;
}

const char *lbs_worker_found_ready(proxy_worker *worker,
                                   const server_rec *server,
                                   apr_pool_t *memory)
{
    /* mod_proxy does not change the server. */
    server_rec *s = (server_rec *)(apr_uintptr_t)server;

    return mod_proxy.initialize(worker, s, memory) == APR_SUCCESS
               ? NULL
               : "mod_proxy cannot make connections to it";
}
