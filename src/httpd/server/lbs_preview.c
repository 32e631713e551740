/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_preview.c - see lbs_preview.h. */
#include "src/httpd/server/lbs_preview.h"

#include <apr_strings.h>
#include <http_config.h>
#include <stdlib.h>
#include <string.h>

#include "src/httpd/config/lbs_config.h"
#include "src/httpd/health/lbs_operator.h"
#include "src/httpd/pool/lbs_common.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/discover/lbs_discover.h"
#include "src/httpd/pool/lbs_pools_build.h"
#include "src/httpd/pool/lbs_present.h"
#include "src/httpd/server/lbs_persist_outline.h"
#include "src/httpd/server/lbs_persist_read.h"
#include "src/httpd/server/lbs_preview_count.h"
#include "src/httpd/server/lbs_preview_words.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/preview/lbs_outlook.h"
#include "src/state/lbs_admin.h"

/* The reload -------------------------------------------------------------- */

/* The pools and members of the configuration that wrote the file. */
static void name_former(const lbs_outline_t *before)
{
    lbs_runtime_t *rt = lbs_runtime();
    lbs_clock_t now = lbs_clock_both();
    apr_uint32_t pool_slot, slot;
    int i, k;

    lbs_registry_begin(rt->registry);
    for (i = 0; i < before->pools->nelts; i++) {
        const lbs_outline_pool_t *pool =
            &APR_ARRAY_IDX(before->pools, i, lbs_outline_pool_t);

        if (lbs_registry_pool(rt->registry, pool->vhost, pool->name,
                              &pool_slot, NULL)
            != APR_SUCCESS) {
            continue;
        }
        for (k = 0; k < pool->members->nelts; k++) {
            const lbs_outline_member_t *m =
                &APR_ARRAY_IDX(pool->members, k, lbs_outline_member_t);

            if (lbs_registry_member(rt->registry, pool_slot, m->route, m->url,
                                    &slot, NULL)
                == APR_SUCCESS) {
                lbs_atomic_store64_relaxed(&rt->slots->quantum_us[slot],
                                           m->quantum_us);
            }
        }
    }
    lbs_registry_commit(rt->registry, &now);
}

/* Deadlines that are over by now. */
static void tick_drains(void)
{
    const apr_array_header_t *all = lbs_pools_all();
    lbs_clock_t now = lbs_clock_both();
    apr_size_t m;
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);

        for (m = 0; m < pool->count; m++) {
            (void)lbs_admin_tick(lbs_runtime()->registry,
                                 pool->member[m]->slot, &now);
        }
    }
}

/* As a reload of the server whose state file this is. @return 0: there is no
 * memory, which was logged */
static int reload(lbs_preview_t *p, lbs_restore_t *restore, apr_pool_t *pconf,
                  server_rec *s)
{
    lbs_persist_outcome_t outcome = {0};

    name_former(p->before);
    if (lbs_pools_build_all(pconf, pconf, s) != APR_SUCCESS) {
        return 0;
    }
    lbs_common_settle(pconf);
    lbs_discover_begin();
    lbs_discover_recall(p->before, pconf);
    if (lbs_persist_restore(s, restore, &outcome, pconf) != APR_SUCCESS) {
        return 0;
    }
    lbs_runtime_take_secret(s);
    lbs_pools_take_key();
    lbs_preview_note_overrides(p);
    lbs_operator_reconcile();
    (void)lbs_present_hold(); /* to the end of this process */
    tick_drains();
    p->after = lbs_persist_outline(pconf);
    return 1;
}

/* Printing ---------------------------------------------------------------- */

static const char *foresee(apr_pool_t *pconf, server_rec *s)
{
    lbs_preview_t preview = {.pool = pconf, .server = s};
    const char *path = lbs_config_of(s)->main->persist;
    lbs_persist_outcome_t outcome;
    lbs_restore_info_t info;
    lbs_restore_t *restore;

    if (path == NULL) {
        return lbs_outlook_text_unknown(
            "LBStickyPersist is off, so that there is no state file; run "
            "this with a configuration that names the running server's",
            pconf);
    }
    if (lbs_runtime_start(pconf, s) != APR_SUCCESS) {
        return lbs_outlook_text_unknown("there is no memory for it", pconf);
    }
    if (!lbs_persist_look(s, &restore, &outcome, pconf)) {
        return lbs_outlook_text_unknown(
            lbs_preview_no_file(path, &outcome, pconf), pconf);
    }
    if (!lbs_preview_begin(&preview, restore)) {
        return lbs_outlook_text_unknown(
            apr_psprintf(pconf,
                         "state file %s does not tell what the running "
                         "configuration is like: a version of this module "
                         "wrote it that did not know of previews; start or "
                         "reload httpd with this one",
                         path),
            pconf);
    }
    if (!reload(&preview, restore, pconf, s)) {
        return lbs_outlook_text_unknown("there is no memory for it", pconf);
    }
    lbs_restore_info(restore, &info);
    preview.outlook->path = path;
    preview.outlook->age = info.elapsed;
    lbs_preview_count(&preview);
    lbs_preview_words(&preview, restore);
    return lbs_outlook_text(preview.outlook, pconf);
}

void lbs_preview_print(apr_pool_t *pconf, server_rec *main_server)
{
    apr_file_t *out;

    if (ap_exists_config_define("LBSTICKY_PREVIEW")
        && apr_file_open_stdout(&out, pconf) == APR_SUCCESS) {
        (void)apr_file_puts(foresee(pconf, main_server), out);
    }
}
