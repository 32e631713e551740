/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_shm.c - see lbs_shm.h. */
#include "src/httpd/shared/lbs_shm.h"

#include <apr_shm.h>
#include <stdint.h>

#define PAGE 4096u

apr_status_t lbs_shm_create(void **base, apr_size_t bytes, apr_pool_t *pool)
{
    apr_shm_t *shm;
    apr_status_t rv;
    uintptr_t start;

    if (bytes > APR_SIZE_MAX - PAGE) {
        return APR_ENOMEM;
    }
    /* APR keeps its own head in front, so what it returns is not aligned. */
    rv = apr_shm_create(&shm, bytes + PAGE, NULL, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    start = (uintptr_t)apr_shm_baseaddr_get(shm);
    *base = (void *)((start + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    return APR_SUCCESS;
}
