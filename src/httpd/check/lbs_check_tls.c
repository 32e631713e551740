/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check_tls.c - see lbs_check_tls.h. */
#include "src/httpd/check/lbs_check_tls.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <http_config.h>
#include <stddef.h>

#include "src/httpd/config/lbs_config.h"

#define FILE_MAX (4 * 1024 * 1024) /* bytes: several times all public CAs */

/* The first word behind each directive, NULL when it was not written. */
typedef struct words_t {
    const char *engine;
    const char *verify;
    const char *ca_file;
    const char *ca_path;
    const char *crl_file;
    const char *crl_check;
    const char *proof;
    const char *peer_name;
    const char *peer_cn;
    const char *peer_expire;
    const char *keep_host;
} words_t;

static const struct {
    const char *directive;
    apr_size_t at;
} fields[] = {
    {"SSLEngine", offsetof(words_t, engine)},
    {"SSLProxyVerify", offsetof(words_t, verify)},
    {"SSLProxyCACertificateFile", offsetof(words_t, ca_file)},
    {"SSLProxyCACertificatePath", offsetof(words_t, ca_path)},
    {"SSLProxyCARevocationFile", offsetof(words_t, crl_file)},
    {"SSLProxyCARevocationCheck", offsetof(words_t, crl_check)},
    {"SSLProxyMachineCertificateFile", offsetof(words_t, proof)},
    {"SSLProxyCheckPeerName", offsetof(words_t, peer_name)},
    {"SSLProxyCheckPeerCN", offsetof(words_t, peer_cn)},
    {"SSLProxyCheckPeerExpire", offsetof(words_t, peer_expire)},
    {"ProxyPreserveHost", offsetof(words_t, keep_host)},
};

/* The configuration's tree ----------------------------------------------- */

static void overlay(apr_pool_t *pool, words_t *words,
                    const ap_directive_t *first)
{
    const ap_directive_t *d;
    unsigned i;

    for (d = first; d != NULL; d = d->next) {
        for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
            if (ap_cstr_casecmp(d->directive, fields[i].directive) == 0) {
                const char *args = d->args;

                *(const char **)(void *)((char *)words + fields[i].at) =
                    ap_getword_conf(pool, &args);
            }
        }
    }
}

/* <Proxy "balancer://app"> or <Proxy *>, without its bracket. */
static int is_section_of(apr_pool_t *pool, const ap_directive_t *d,
                         const char *name)
{
    const char *args, *end, *theirs;

    if (ap_cstr_casecmp(d->directive, "<Proxy") != 0) {
        return 0;
    }
    end = strrchr(d->args, '>');
    args = end != NULL
               ? apr_pstrmemdup(pool, d->args, (apr_size_t)(end - d->args))
               : d->args;
    args = ap_getword_conf(pool, &args);
    theirs = lbs_config_pool_name(pool, args);
    return strcmp(args, "*") == 0
           || (theirs != NULL && strcmp(theirs, name) == 0);
}

static void overlay_sections(apr_pool_t *pool, words_t *words,
                             const ap_directive_t *first, const char *name)
{
    const ap_directive_t *d;

    for (d = first; d != NULL; d = d->next) {
        if (is_section_of(pool, d, name)) {
            overlay(pool, words, d->first_child);
        }
    }
}

/* What stands inside the <VirtualHost> of a server; NULL for the main one. */
static const ap_directive_t *find_host(const server_rec *s)
{
    const ap_directive_t *d;

    for (d = ap_conftree; d != NULL; d = d->next) {
        if (ap_cstr_casecmp(d->directive, "<VirtualHost") == 0
            && s->defn_name != NULL && strcmp(d->filename, s->defn_name) == 0
            && d->line_num == (int)s->defn_line_number) {
            return d->first_child;
        }
    }
    return NULL;
}

/* Values ----------------------------------------------------------------- */

static lbs_slice_t read_file(apr_pool_t *pool, const char *path)
{
    lbs_slice_t bytes = {NULL, 0};
    apr_file_t *file;
    apr_finfo_t info;
    char *text;

    path = path != NULL ? ap_server_root_relative(pool, path) : NULL;
    if (path == NULL
        || apr_file_open(&file, path, APR_READ | APR_BINARY, 0, pool)
               != APR_SUCCESS) {
        return bytes;
    }
    if (apr_file_info_get(&info, APR_FINFO_SIZE, file) == APR_SUCCESS
        && info.size <= FILE_MAX) {
        text = apr_pcalloc(pool, (apr_size_t)info.size + 1);
        if (apr_file_read_full(file, text, (apr_size_t)info.size, NULL)
            == APR_SUCCESS) {
            bytes.p = text;
            bytes.n = (apr_size_t)info.size;
        }
    }
    (void)apr_file_close(file); /* only read */
    return bytes;
}

static int is_word(const char *word, const char *wanted)
{
    return word != NULL && ap_cstr_casecmp(word, wanted) == 0;
}

const lbs_check_tls_t *lbs_check_tls_read(apr_pool_t *pconf,
                                          const server_rec *s,
                                          const char *name)
{
    lbs_check_tls_t *tls = apr_pcalloc(pconf, sizeof(*tls));
    const ap_directive_t *host = find_host(s);
    words_t words = {.engine = NULL};

    overlay(pconf, &words, ap_conftree);
    overlay(pconf, &words, host);
    overlay_sections(pconf, &words, ap_conftree, name);
    overlay_sections(pconf, &words, host, name);
    tls->engine = is_word(words.engine, "on");
    tls->verify =
        is_word(words.verify, "require") || is_word(words.verify, "optional");
    /* On unless switched off, even where nothing is verified. */
    tls->check_name =
        !is_word(words.peer_name, "off")
        && (!is_word(words.peer_cn, "off") || is_word(words.peer_name, "on"));
    tls->check_expiry = !is_word(words.peer_expire, "off");
    tls->keep_host =
        words.keep_host == NULL ? -1 : is_word(words.keep_host, "on");
    tls->ca = read_file(pconf, words.ca_file);
    tls->proof = read_file(pconf, words.proof);
    if (words.crl_file != NULL && words.crl_check != NULL
        && !is_word(words.crl_check, "none")) {
        tls->crl_file = ap_server_root_relative(pconf, words.crl_file);
    }
    if (words.ca_path != NULL) {
        tls->ca_path = ap_server_root_relative(pconf, words.ca_path);
    }
    return tls;
}
