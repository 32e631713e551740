/* SPDX-License-Identifier: Apache-2.0 */
/* asks.c - a module that asks mod_lbsticky, as mod_lbsticky.h says, when a
 * request is over. What it was told stands in notes of the request: `asked` by
 * this header; `older` and `newer` by a header of fewer and of more fields.
 */
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <stddef.h>
#include <string.h>

#include "mod_lbsticky.h"

/* A header with one field more. */
typedef struct newer_t {
    lbsticky_answer_t known;
    const char *unknown;
} newer_t;

/* Behind what a caller of fewer fields has, nothing must be written. */
#define OLDER offsetof(lbsticky_answer_t, decision)
#define UNTOUCHED 0x5a

static const char *text_of(request_rec *r, const lbsticky_answer_t *a)
{
    return apr_psprintf(r->pool, "%s|%s|%s|%s|%s|%d", a->pool, a->member,
                        a->decision, a->reason, a->source, a->attempts);
}

static const char *older_of(request_rec *r, const lbsticky_answer_t *a)
{
    const unsigned char *bytes = (const unsigned char *)a;
    size_t i;

    for (i = OLDER; i < sizeof(*a); i++) {
        if (bytes[i] != UNTOUCHED) {
            return "written behind the caller's";
        }
    }
    return apr_psprintf(r->pool, "%s|%s", a->pool, a->member);
}

static int over(request_rec *r)
{
    APR_OPTIONAL_FN_TYPE(lbsticky_answer) *ask =
        APR_RETRIEVE_OPTIONAL_FN(lbsticky_answer);
    lbsticky_answer_t answer;
    newer_t newer;

    memset(&newer, UNTOUCHED, sizeof(newer));
    if (ask == NULL || ask(r, &newer.known, sizeof(newer)) != OK) {
        apr_table_setn(r->notes, "asked", "declined");
        return DECLINED;
    }
    apr_table_setn(r->notes, "newer",
                   newer.unknown == NULL ? text_of(r, &newer.known)
                                         : "not zero behind the module's");
    memset(&answer, UNTOUCHED, sizeof(answer));
    if (ask(r, &answer, OLDER) == OK) {
        apr_table_setn(r->notes, "older", older_of(r, &answer));
    }
    if (ask(r, &answer, sizeof(answer)) == OK) {
        apr_table_setn(r->notes, "asked", text_of(r, &answer));
    }
    return DECLINED;
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_log_transaction(over, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

#pragma GCC visibility push(default)
module AP_MODULE_DECLARE_DATA asks_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks,
#ifdef AP_MODULE_FLAG_NONE
    AP_MODULE_FLAG_NONE,
#endif
};
#pragma GCC visibility pop
