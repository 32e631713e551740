/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_verified.c - see lbs_verified.h. */
#include "src/httpd/decide/lbs_verified.h"

#include <http_config.h>
#include <string.h>

#include "src/httpd/shared/lbs_runtime.h"

extern module AP_MODULE_DECLARE_DATA lbsticky_module;

/* Of a connection. A process has one set of secrets as long as it lives: a
 * reload starts others. */
typedef struct verified_t {
    char text[LBS_TOKEN_LEN];
    apr_uint64_t pool;
    lbs_token_t token;
} verified_t;

static void keep(conn_rec *c, verified_t *verified, apr_uint64_t pool,
                 const char *text, const lbs_token_t *token)
{
    if (c->master != NULL) {
        return;
    }
    if (verified == NULL) {
        verified = apr_palloc(c->pool, sizeof(*verified));
        ap_set_module_config(c->conn_config, &lbsticky_module, verified);
    }
    memcpy(verified->text, text, LBS_TOKEN_LEN);
    verified->pool = pool;
    verified->token = *token;
}

apr_status_t lbs_verified_token(conn_rec *c, apr_uint64_t pool,
                                lbs_slice_t value, lbs_token_t *token)
{
    verified_t *verified =
        c->master == NULL
            ? ap_get_module_config(c->conn_config, &lbsticky_module)
            : NULL;
    apr_status_t rv;

    if (verified != NULL && verified->pool == pool && value.n == LBS_TOKEN_LEN
        && memcmp(verified->text, value.p, LBS_TOKEN_LEN) == 0) {
        *token = verified->token;
        return APR_SUCCESS;
    }
    rv =
        lbs_token_verify(token, value.p, value.n, lbs_runtime()->secret, pool);
    if (rv == APR_SUCCESS) {
        keep(c, verified, pool, value.p, token);
    }
    return rv;
}
