/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_list.c - see lbs_list.h. */
#include "src/roster/lbs_list.h"

#include <apr_cstr.h>
#include <apr_strings.h>
#include <string.h>

#include "src/base/lbs_slice.h"
#include "src/base/lbs_text.h"

#define BLANK " \t"
#define WEIGHT_MAX 10000u /* 100.00, as mod_proxy has it */

static const char wants_url[] =
    "a URL with an address, such as http://10.0.0.11:8000";

/* URLs ------------------------------------------------------------------- */

/* Ports that mod_proxy leaves out of a worker's name. */
static int is_usual(const char *scheme, apr_uint32_t port)
{
    static const struct {
        const char *scheme;
        apr_uint32_t port;
    } usual[] = {{"http", 80}, {"https", 443}, {"h2c", 80},
                 {"h2", 443},  {"ajp", 8009},  {"ws", 80},
                 {"wss", 443}, {"fcgi", 8000}, {"scgi", 4000}};
    unsigned i;

    for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        if (strcmp(usual[i].scheme, scheme) == 0) {
            return usual[i].port == port;
        }
    }
    return 0;
}

static const char *lower(apr_pool_t *pool, const char *text, apr_size_t n)
{
    char *copy = apr_pstrmemdup(pool, text, n);
    apr_size_t i;

    for (i = 0; i < n; i++) {
        copy[i] = lbs_slice_lower(copy[i]);
    }
    return copy;
}

/* @return behind the address; NULL: there is none */
static const char *read_host(const char *at, apr_pool_t *pool,
                             const char **host, lbs_net_t *net)
{
    apr_size_t n;

    if (*at == '[') {
        n = strcspn(++at, "]");
        if (at[n] != ']' || !lbs_net_read(at, n, net)
            || memchr(at, ':', n) == NULL) {
            return NULL;
        }
        *host = apr_pstrcat(pool, "[", lower(pool, at, n), "]", NULL);
        return at + n + 1;
    }
    n = strcspn(at, ":/");
    if (!lbs_net_read(at, n, net)) {
        return NULL;
    }
    *host = lower(pool, at, n);
    return at + n;
}

const char *lbs_list_url(apr_pool_t *pool, const lbs_list_model_t *model,
                         const char *host, apr_uint32_t port)
{
    if (port == 0 || is_usual(model->scheme, port)) {
        return apr_pstrcat(pool, model->scheme, "://", host, model->path,
                           NULL);
    }
    return apr_psprintf(pool, "%s://%s:%u%s", model->scheme, host, port,
                        model->path);
}

const char *lbs_list_place(apr_pool_t *pool, const char *url,
                           const lbs_net_t *net)
{
    const char *host = strstr(url, "://");

    if (host == NULL) {
        return url;
    }
    host += strlen("://");
    return apr_pstrcat(
        pool, apr_pstrmemdup(pool, url, (apr_size_t)(host - url)),
        lbs_list_host(pool, net), host + strcspn(host, ":/"), NULL);
}

const char *lbs_list_host(apr_pool_t *pool, const lbs_net_t *net)
{
    char text[LBS_NET_TEXT];

    lbs_net_text(net, text);
    return lbs_net_is_v4(net) ? apr_pstrdup(pool, text)
                              : apr_pstrcat(pool, "[", text, "]", NULL);
}

const char *lbs_list_read_url(const char *text, const lbs_list_model_t *model,
                              apr_pool_t *pool, lbs_list_member_t *m)
{
    apr_size_t n = strlen(model->scheme);
    apr_uint64_t port = 0;
    const char *host, *at;

    if (apr_cstr_casecmpn(text, model->scheme, n) != 0
        || strncmp(text + n, "://", 3) != 0) {
        return "the scheme of the pool's first BalancerMember";
    }
    at = read_host(text + n + 3, pool, &host, &m->net);
    if (at == NULL) {
        return "an address, such as http://10.0.0.11:8000: names are not "
               "looked up";
    }
    if (*at == ':') {
        const char *digits = at + 1;

        n = strcspn(digits, "/");
        if (lbs_text_uint(apr_pstrmemdup(pool, digits, n), 1, 65535, &port)
            != NULL) {
            return "a port from 1 to 65535";
        }
        at = digits + n;
    }
    if (strcmp(at, model->path) != 0
        && !(*model->path == '\0' && strcmp(at, "/") == 0)) {
        return "the path of the pool's first BalancerMember";
    }
    m->url = lbs_list_url(pool, model, host, (apr_uint32_t)port);
    return strlen(m->url) <= LBS_LIST_URL_LEN ? NULL : "a shorter URL";
}

/* Lines ------------------------------------------------------------------ */

static int is_route(const char *text)
{
    apr_size_t n = strlen(text);

    return n > 0 && n < 96
           && strspn(text, "abcdefghijklmnopqrstuvwxyz"
                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")
                  == n;
}

static const char *read_key(const char *word, lbs_list_member_t *m)
{
    apr_uint64_t number;

    if (strncmp(word, "loadfactor=", 11) == 0) {
        return lbs_text_centi(word + 11, 0, WEIGHT_MAX, &m->weight) == NULL
                   ? NULL
                   : "loadfactor= from 0 to 100";
    }
    if (strncmp(word, "lbset=", 6) == 0) {
        if (lbs_text_uint(word + 6, 0, LBS_LIST_LBSET_MAX, &number) != NULL) {
            return "lbset= from 0 to 99";
        }
        m->lbset = (apr_uint32_t)number;
        return NULL;
    }
    if (strncmp(word, "route=", 6) == 0) {
        m->route = word + 6;
        return is_route(m->route) ? NULL
                                  : "route= of letters, digits and -_.~";
    }
    return "loadfactor=, lbset= or route= behind the URL";
}

/* @return NULL; or what was wanted. An empty line leaves url NULL. */
static const char *read_line(char *line, const lbs_list_model_t *model,
                             apr_pool_t *pool, lbs_list_member_t *m)
{
    const char *wanted = NULL;
    char *state = NULL;
    char *word;

    *m = (lbs_list_member_t){.route = "", .weight = 100};
    line[strcspn(line, "#\r")] = '\0';
    for (word = apr_strtok(line, BLANK, &state);
         word != NULL && wanted == NULL;
         word = apr_strtok(NULL, BLANK, &state)) {
        wanted = m->url == NULL ? lbs_list_read_url(word, model, pool, m)
                                : read_key(word, m);
    }
    return wanted;
}

static int is_known(const apr_array_header_t *list, const lbs_list_member_t *m)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        const lbs_list_member_t *other =
            &((const lbs_list_member_t *)(const void *)list->elts)[i];

        if (strcmp(other->url, m->url) == 0
            || (*m->route && strcmp(other->route, m->route) == 0)) {
            return 1;
        }
    }
    return 0;
}

static int refuse(lbs_list_wrong_t *wrong, apr_uint32_t line,
                  const char *wanted)
{
    *wrong = (lbs_list_wrong_t){.line = line, .wanted = wanted};
    return 0;
}

int lbs_list_read(const char *text, apr_size_t n,
                  const lbs_list_model_t *model, apr_pool_t *pool,
                  apr_array_header_t **list, lbs_list_wrong_t *wrong)
{
    const char *end = text + n;
    apr_uint32_t line = 0;
    apr_array_header_t *read =
        apr_array_make(pool, 16, sizeof(lbs_list_member_t));

    while (text < end) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        apr_size_t len = (apr_size_t)((nl != NULL ? nl : end) - text);
        const char *wanted;
        lbs_list_member_t m;

        line++;
        if (memchr(text, '\0', len) != NULL) {
            return refuse(wrong, line, wants_url);
        }
        wanted = read_line(apr_pstrmemdup(pool, text, len), model, pool, &m);
        if (wanted != NULL) {
            return refuse(wrong, line, wanted);
        }
        if (m.url != NULL && !is_known(read, &m)) {
            if (read->nelts == LBS_LIST_MEMBERS) {
                return refuse(wrong, line, "at most 4096 members");
            }
            *(lbs_list_member_t *)apr_array_push(read) = m;
        }
        text += len + (nl != NULL);
    }
    *list = read;
    return 1;
}
