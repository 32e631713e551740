/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_section.c - see lbs_section.h. */
#include "src/httpd/proxy/lbs_section.h"

#include <apr_strings.h>
#include <http_core.h>
#include <mod_proxy.h>
#include <string.h>

#define PROXY "proxy:"
#define PROXY_LEN (sizeof(PROXY) - 1)

typedef struct ap_conf_vector_t vector_t;

struct lbs_section_t {
    const char *url; /* balancer://name/ */
    apr_size_t url_len;
    const vector_t *from; /* the server's, into which was merged */
    vector_t *merged;
    vector_t *prepared; /* what lbs_section_prepare() makes of it */
    int kept;           /* and what it returns */
};

static module *proxy;
static apr_size_t vector_length; /* pointers of a vector that are used */
static proxy_dir_conf *nothing;  /* a section in which nothing is written */
static int is_known; /* mod_proxy's structures are those of our headers */

static apr_size_t count_vector(void)
{
    const module *m;
    int last = 0;

    for (m = ap_top_module; m != NULL; m = m->next) {
        last = m->module_index > last ? m->module_index : last;
    }
    return (apr_size_t)last + 1;
}

void lbs_section_import(apr_pool_t *pconf)
{
    proxy = ap_find_linked_module("mod_proxy.c");
    is_known = proxy->version == MODULE_MAGIC_NUMBER_MAJOR
               && proxy->minor_version == MODULE_MAGIC_NUMBER_MINOR;
    vector_length = count_vector();
    nothing = proxy->create_dir_config(pconf, NULL);
}

/* What differs for mod_proxy's handlers --------------------------------- */

/* mod_proxy's configuration, as it holds for a request, with what differs for
 * this module. A mod_proxy that is not of the headers this module was built
 * with makes the copy itself: its structure may have grown. */
static vector_t *change(apr_pool_t *p, const vector_t *from, int keep)
{
    const proxy_dir_conf *conf = ap_get_module_config(from, proxy);
    vector_t *vector = apr_pmemdup(p, from, vector_length * sizeof(void *));
    proxy_dir_conf *own =
        is_known
            ? apr_pmemdup(p, conf, sizeof(*conf))
            : proxy->merge_dir_config(p, (void *)(apr_uintptr_t)conf, nothing);

    own->preserve_host |= keep ? 1u : 0;
    own->preserve_host_set |= keep ? 1u : 0;
    own->raliases = nothing->raliases;
    ap_set_module_config(vector, proxy, own);
    return vector;
}

/* @return `from` where nothing differs */
static vector_t *prepare(apr_pool_t *p, vector_t *from, int keep_host,
                         int *kept)
{
    const proxy_dir_conf *conf = ap_get_module_config(from, proxy);

    *kept = keep_host && !conf->preserve_host_set;
    return *kept || conf->raliases->nelts != 0 ? change(p, from, *kept) : from;
}

int lbs_section_prepare(request_rec *r, const lbs_section_t *section,
                        int keep_host)
{
    int kept;

    if (section != NULL && r->per_dir_config == section->merged) {
        r->per_dir_config = section->prepared;
        return section->kept;
    }
    r->per_dir_config = prepare(r->pool, r->per_dir_config, keep_host, &kept);
    return kept;
}

/* Merged once ----------------------------------------------------------- */

/* Does a section match all URLs that begin with url, or none of them?
 * @param all  out: which */
static int is_plain(const proxy_dir_conf *conf, const char *url, int *all)
{
    apr_size_t length;

    if (conf->r != NULL || conf->p_is_fnmatch) {
        return 0;
    }
    length = strlen(conf->p);
    *all = strncmp(url, conf->p, length) == 0;
    return *all || strncmp(conf->p, url, strlen(url)) != 0;
}

/* As mod_proxy does for a request. @return NULL: not possible, or nothing */
static vector_t *merge(apr_pool_t *p, const server_rec *s, const char *url)
{
    const proxy_server_conf *conf =
        ap_get_module_config(s->module_config, proxy);
    vector_t *vector = s->lookup_defaults;
    int i, all = 0;

    for (i = 0; i < conf->sec_proxy->nelts; i++) {
        vector_t *section = APR_ARRAY_IDX(conf->sec_proxy, i, vector_t *);

        if (!is_plain(ap_get_module_config(section, proxy), url, &all)) {
            return NULL;
        }
        if (all) {
            vector = ap_merge_per_dir_configs(p, vector, section);
        }
    }
    return vector == s->lookup_defaults ? NULL : vector;
}

lbs_section_t *lbs_section_make(apr_pool_t *p, const server_rec *s,
                                const char *url, int keep_host)
{
    const char *all = apr_pstrcat(p, url, "/", NULL);
    vector_t *merged = merge(p, s, all);
    lbs_section_t *section;

    if (merged == NULL) {
        return NULL;
    }
    section = apr_palloc(p, sizeof(*section));
    *section = (lbs_section_t){
        .url = all,
        .url_len = strlen(all),
        .from = s->lookup_defaults,
        .merged = merged,
    };
    section->prepared = prepare(p, merged, keep_host, &section->kept);
    return section;
}

int lbs_section_map(request_rec *r, const lbs_section_t *section)
{
    if (section == NULL || r->per_dir_config != section->from
        || strncmp(r->filename + PROXY_LEN, section->url, section->url_len)
               != 0) {
        return DECLINED;
    }
    r->per_dir_config = section->merged;
    return OK;
}
