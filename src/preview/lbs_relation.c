/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_relation.c - see lbs_relation.h. */
#include "src/preview/lbs_relation.h"

#include <apr_strings.h>
#include <string.h>

#define OURS "cookie" /* the source that is the module's own */

/* The secret that signs cookies now; older ones are replaced as their
 * visitors come. */
static int signature_holds(const lbs_outline_t *before,
                           const lbs_outline_t *after)
{
    return before->secrets->nelts == 0
           || lbs_outline_verifies(
               after, LBS_OUTLINE_AT(before->secrets, 0, apr_uint64_t));
}

/* @return why the sessions of this source are not found again; NULL: they
 *         are */
static const char *why_lost(const lbs_outline_t *before,
                            const lbs_outline_pool_t *was,
                            const lbs_outline_t *after,
                            const lbs_outline_pool_t *is, int by_token,
                            const char *source)
{
    int ours = strcmp(source, OURS) == 0;

    if (by_token && !ours) {
        return "pool";
    }
    if (!lbs_outline_has_source(is, source)) {
        return "source";
    }
    if (ours && strcmp(was->cookie, is->cookie) != 0) {
        return "cookie";
    }
    return ours && !signature_holds(before, after) ? "secret" : NULL;
}

static const char *note_of(const lbs_outline_pool_t *is, const char *source,
                           const char *why, apr_pool_t *pool)
{
    const char *cause =
        apr_psprintf(pool, "LBSticky names %s no more", source);

    if (strcmp(why, "cookie") == 0) {
        cause =
            apr_psprintf(pool, "the module's cookie is %s now", is->cookie);
    }
    else if (strcmp(why, "secret") == 0) {
        cause = "no secret is left that cookies are signed with now";
    }
    else if (strcmp(why, "pool") == 0) {
        cause = apr_psprintf(pool,
                             "the pool's ServerName:port is another, which "
                             "ends what %s tells",
                             source);
    }
    return apr_psprintf(pool,
                        "%s: visitors known by %s alone begin anew, how many "
                        "is not known",
                        cause, strcmp(why, "source") == 0 ? "that" : source);
}

lbs_relation_t lbs_relation_find(const lbs_outline_t *before,
                                 const lbs_outline_pool_t *was,
                                 const lbs_outline_t *after,
                                 const lbs_outline_pool_t *is, int by_token,
                                 apr_pool_t *pool)
{
    lbs_relation_t relation = {
        .lost = NULL, .notes = apr_array_make(pool, 1, sizeof(const char *))};
    const char *why = NULL;
    int kept = was->sources->nelts == 0; /* it was not written down */
    int i;

    if (is == NULL) {
        relation.lost = "pool";
        return relation;
    }
    for (i = 0; i < was->sources->nelts; i++) {
        const char *source = LBS_OUTLINE_AT(was->sources, i, const char *);
        const char *lost = why_lost(before, was, after, is, by_token, source);

        if (lost == NULL) {
            kept = 1;
            continue;
        }
        /* What befell the module's own cookie says more. */
        if (why == NULL || strcmp(why, "source") == 0
            || strcmp(why, "pool") == 0) {
            why = lost;
        }
        APR_ARRAY_PUSH(relation.notes, const char *) =
            note_of(is, source, lost, pool);
    }
    if (!kept) {
        relation.lost = why;
        apr_array_clear(relation.notes);
    }
    return relation;
}

static int uses_cookie(const lbs_outline_t *outline)
{
    int i;

    for (i = 0; i < outline->pools->nelts; i++) {
        if (lbs_outline_has_source(
                &LBS_OUTLINE_AT(outline->pools, i, lbs_outline_pool_t),
                OURS)) {
            return 1;
        }
    }
    return 0;
}

apr_array_header_t *lbs_relation_secrets(const lbs_outline_t *before,
                                         const lbs_outline_t *after,
                                         apr_pool_t *pool)
{
    apr_array_header_t *notes = apr_array_make(pool, 1, sizeof(const char *));
    int count = before->secrets->nelts;
    int i;

    for (i = 0; i < count && uses_cookie(before); i++) {
        if (lbs_outline_verifies(
                after, LBS_OUTLINE_AT(before->secrets, i, apr_uint64_t))) {
            continue;
        }
        APR_ARRAY_PUSH(notes, const char *) =
            i == 0 ? "LBStickySecret: the secret that signs cookies now "
                     "verifies no more; put the new one before it instead, "
                     "and take it out when LBStickyTimeout idle= has gone by"
                   : apr_psprintf(pool,
                                  "LBStickySecret: secret %d of %d verifies "
                                  "no more; visitors whose cookie it signed "
                                  "begin anew, how many is not known",
                                  i + 1, count);
    }
    return notes;
}
