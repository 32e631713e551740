/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_marker.c - see lbs_marker.h. */
#include "src/httpd/pool/lbs_marker.h"

#include <apr_strings.h>

#include "src/httpd/shared/lbs_runtime.h"

void lbs_marker_sign(const lbs_pool_t *pool, const lbs_member_t *m,
                     lbs_hop_about_t about, unsigned hops,
                     char out[LBS_HOP_LEN + 1])
{
    lbs_hash_key_t key;

    about.pool = pool->token_pool;
    about.member = m->token_id;
    lbs_secret_key(&key, lbs_runtime()->secret, 0, LBS_MARKER_PURPOSE);
    lbs_hop_write(out, &key, &about, hops,
                  (apr_uint32_t)apr_time_sec(apr_time_now()));
}

void lbs_marker_line(const lbs_pool_t *pool, const lbs_member_t *m,
                     lbs_hop_about_t about, char *line)
{
    char marker[LBS_HOP_LEN + 1];

    line[0] = '\0';
    if (!pool->set.local->self) {
        return;
    }
    lbs_marker_sign(pool, m, about, 1, marker);
    apr_snprintf(line, LBS_MARKER_LINE, "%s: %s", LBS_MARKER_HEADER, marker);
}
