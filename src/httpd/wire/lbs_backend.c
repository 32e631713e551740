/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_backend.c - see lbs_backend.h. */
#include "src/httpd/wire/lbs_backend_int.h"

/* httpd takes no more interim answers than that. */
#define MOST_INTERIM 10

__thread lbs_backend_t *lbs_backend_current;

lbs_backend_t *lbs_backend_begin(lbs_backend_t *backend)
{
    lbs_backend_t *before = lbs_backend_current;

    lbs_backend_current = backend;
    return before;
}

void lbs_backend_end(lbs_backend_t *before)
{
    lbs_backend_current = before;
}

void lbs_backend_answered(lbs_backend_t *backend)
{
    backend->received = 1;
}

void lbs_backend_interim(lbs_backend_t *backend)
{
    backend->received = 0;
    backend->headed = 0;
    backend->connected = 1;
    backend->interim++;
    if (backend->interim >= MOST_INTERIM) {
        backend->over_limit = 1;
    }
}
