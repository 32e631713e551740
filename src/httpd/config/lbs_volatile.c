/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_volatile.c - see lbs_volatile.h. */
#include "src/httpd/config/lbs_volatile.h"

#include <apr.h>
#include <httpd.h>

#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>

int lbs_volatile_is(apr_pool_t *ptemp, const char *path)
{
    struct statfs found;

    return path != NULL
           && statfs(ap_make_dirstr_parent(ptemp, path), &found) == 0
           && (found.f_type == TMPFS_MAGIC || found.f_type == RAMFS_MAGIC);
}
#else
int lbs_volatile_is(apr_pool_t *ptemp, const char *path)
{
    (void)ptemp;
    (void)path;
    return 0;
}
#endif
