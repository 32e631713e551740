/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_require.c - see lbs_require.h. */
#include "src/httpd/config/lbs_require.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_config.h>
#include <string.h>
#include <sys/stat.h>

#include "src/httpd/proxy/lbs_log.h"

/* A module that is needed, and by which scheme; NULL: always. */
static const struct {
    const char *scheme;
    const char *file;    /* source name: how httpd names a module */
    const char *load;    /* what follows LoadModule */
    const char *or_file; /* does as well; NULL: nothing else does */
} needed[] = {
    {NULL, "mod_proxy.c", "proxy_module modules/mod_proxy.so", NULL},
    {NULL, "mod_slotmem_shm.c",
     "slotmem_shm_module modules/mod_slotmem_shm.so", NULL},
    {NULL, "mod_proxy_balancer.c",
     "proxy_balancer_module modules/mod_proxy_balancer.so", NULL},
    {NULL, "mod_lbmethod_byrequests.c",
     "lbmethod_byrequests_module modules/mod_lbmethod_byrequests.so", NULL},
    {NULL, "mod_watchdog.c", "watchdog_module modules/mod_watchdog.so", NULL},
    {"http", "mod_proxy_http.c", "proxy_http_module modules/mod_proxy_http.so",
     NULL},
    {"https", "mod_proxy_http.c",
     "proxy_http_module modules/mod_proxy_http.so", NULL},
    {"https", "mod_ssl.c", "ssl_module modules/mod_ssl.so", NULL},
    {"h2", "mod_proxy_http2.c",
     "proxy_http2_module modules/mod_proxy_http2.so", NULL},
    {"h2", "mod_ssl.c", "ssl_module modules/mod_ssl.so", NULL},
    {"h2c", "mod_proxy_http2.c",
     "proxy_http2_module modules/mod_proxy_http2.so", NULL},
    {"ajp", "mod_proxy_ajp.c", "proxy_ajp_module modules/mod_proxy_ajp.so",
     NULL},
    {"fcgi", "mod_proxy_fcgi.c", "proxy_fcgi_module modules/mod_proxy_fcgi.so",
     NULL},
    {"scgi", "mod_proxy_scgi.c", "proxy_scgi_module modules/mod_proxy_scgi.so",
     NULL},
    {"uwsgi", "mod_proxy_uwsgi.c",
     "proxy_uwsgi_module modules/mod_proxy_uwsgi.so", NULL},
    /* mod_proxy_http forwards the upgrade since 2.4.47. */
    {"ws", "mod_proxy_http.c", "proxy_http_module modules/mod_proxy_http.so",
     "mod_proxy_wstunnel.c"},
    {"wss", "mod_proxy_http.c", "proxy_http_module modules/mod_proxy_http.so",
     "mod_proxy_wstunnel.c"},
    {"wss", "mod_ssl.c", "ssl_module modules/mod_ssl.so", NULL},
};
/* Where Debian has the command that loads modules. */
#define A2ENMOD "/usr/sbin/a2enmod"

#define NEEDED (sizeof(needed) / sizeof(needed[0]))

/* The configuration's tree, read without any module's help. */
typedef struct use_t {
    int sticky;
    unsigned char scheme[NEEDED]; /* 1: a member has needed[i].scheme */
} use_t;

static int used;

/* BalancerMember [balancer] URL ...; unix:/path|http://host has its scheme
 * behind the bar. */
static void note_member(use_t *use, const char *args)
{
    const char *colon = args;
    const char *from;
    apr_size_t len;
    unsigned i;

    while ((colon = strstr(colon, "://")) != NULL) {
        for (from = colon; from > args && apr_isalnum(from[-1]); from--) {
        }
        len = (apr_size_t)(colon - from);
        for (i = 0; i < NEEDED; i++) {
            if (needed[i].scheme != NULL && strlen(needed[i].scheme) == len
                && ap_cstr_casecmpn(needed[i].scheme, from, len) == 0) {
                use->scheme[i] = 1;
            }
        }
        colon += 3;
    }
}

static void walk(use_t *use, const ap_directive_t *node)
{
    for (; node != NULL; node = node->next) {
        if (ap_cstr_casecmp(node->directive, "LBSticky") == 0) {
            use->sticky |= ap_cstr_casecmp(node->args, "off") != 0;
        }
        else if (ap_cstr_casecmp(node->directive, "BalancerMember") == 0) {
            note_member(use, node->args);
        }
        walk(use, node->first_child);
    }
}

int lbs_require_is_used(void)
{
    return used;
}

static int complain(unsigned i)
{
    const char *scheme = needed[i].scheme;

    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                 LBSNO(1300) "LBSticky needs %.*s%s%s%s; add this line: "
                             "LoadModule %s",
                 (int)strcspn(needed[i].file, "."), needed[i].file,
                 scheme != NULL ? " for " : "", scheme != NULL ? scheme : "",
                 scheme != NULL ? ":// members" : "", needed[i].load);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int is_loaded(unsigned i)
{
    return ap_find_linked_module(needed[i].file) != NULL
           || (needed[i].or_file != NULL
               && ap_find_linked_module(needed[i].or_file) != NULL);
}

static int is_missing(const use_t *use, unsigned i)
{
    return (needed[i].scheme == NULL || use->scheme[i]) && !is_loaded(i);
}

/* Debian's way, where a path of modules/ leads nowhere. All in one line: it
 * can be typed as it stands. */
static void advise_a2enmod(apr_pool_t *ptemp, const use_t *use)
{
    const char *names = "";
    struct stat found;
    unsigned i;

    if (stat(A2ENMOD, &found) != 0) {
        return;
    }
    for (i = 0; i < NEEDED; i++) {
        const char *name = needed[i].load;
        apr_size_t n = strcspn(name, " ") - strlen("_module");

        if (is_missing(use, i)) {
            names = apr_pstrcat(ptemp, names, " ",
                                apr_pstrmemdup(ptemp, name, n), NULL);
        }
    }
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                 LBSNO(1301) "on Debian, all of them: a2enmod%s", names);
}

int lbs_require_modules(apr_pool_t *ptemp)
{
    use_t use = {0, {0}};
    int status = OK;
    unsigned i;

    walk(&use, ap_conftree);
    used = use.sticky;
    for (i = 0; used && i < NEEDED; i++) {
        if (is_missing(&use, i)) {
            status = complain(i);
        }
    }
    if (status != OK) {
        advise_a2enmod(ptemp, &use);
    }
    return status;
}
