/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_finding_state.c - a state file whose directory is not there. */
#include <apr_file_info.h>
#include <string.h>

#include "src/httpd/advice/lbs_finding_int.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/config/lbs_walk.h"
#include "src/httpd/proxy/lbs_log.h"

static int is_governed(const lbs_findings_t *findings)
{
    lbs_walk_t walk = lbs_walk_all(findings->pool, findings->main_server);

    while (lbs_walk_next(&walk)) {
        if (walk.set.sticky->on) {
            return 1;
        }
    }
    return 0;
}

static int is_directory(apr_pool_t *pool, const char *path)
{
    apr_finfo_t info;
    apr_status_t rv = apr_stat(&info, path, APR_FINFO_TYPE, pool);

    return (rv == APR_SUCCESS || rv == APR_INCOMPLETE)
           && info.filetype == APR_DIR;
}

void lbs_finding_state(lbs_findings_t *findings)
{
    const char *file = lbs_config_of(findings->main_server)->main->persist;
    const char *dir;

    if (file == NULL || !is_governed(findings)) {
        return;
    }
    dir = ap_make_dirstr_parent(findings->pool, file);
    if (!is_directory(findings->pool, dir)) {
        lbs_finding_add(
            findings, findings->main_server, "", "state-directory", 1,
            LBSNO(3312) "LBStickyPersist %s: there is no directory %.*s, so "
                        "a stop or a reboot loses secret, sessions and "
                        "drains; make it: install -d -m 700 %.*s",
            file, (int)strlen(dir) - 1, dir, (int)strlen(dir) - 1, dir);
    }
}
