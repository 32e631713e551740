/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_identity.h"

#include <string.h>

#include "src/base/lbs_assert.h"
#include "src/base/lbs_hash.h"
#include "src/base/lbs_slice.h"
#include "src/state/lbs_bytes_int.h"

/* Public and fixed for ever: ids are the same on every server. */
static const lbs_hash_key_t id_key = {"lbs identity 1."};

/* 0 means none. */
static apr_uint64_t not_zero(apr_uint64_t id)
{
    return id != 0 ? id : 1;
}

static int given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

apr_uint64_t lbs_identity_pool(const char *vhost, const char *pool)
{
    char folded[LBS_IDENTITY_VHOST_LEN];
    apr_size_t len = strlen(vhost);
    apr_size_t i;

    lbs_assert(len <= sizeof(folded));
    for (i = 0; i < len; i++) {
        folded[i] = lbs_slice_lower(vhost[i]);
    }
    return not_zero(lbs_hash_two(&id_key, folded, len, pool, strlen(pool)));
}

apr_uint64_t lbs_identity_member(apr_uint64_t pool_id, const char *route,
                                 const char *url)
{
    unsigned char where[9];
    const char *text = given(route) ? route : url;

    /* A route that reads like another member's URL is not that member. */
    lbs_bytes_put64(where, pool_id);
    where[8] = given(route) ? 'r' : 'u';
    return not_zero(
        lbs_hash_two(&id_key, where, sizeof(where), text, strlen(text)));
}

apr_uint64_t lbs_identity_reader(const char *spelling)
{
    return not_zero(lbs_hash_bytes(&id_key, spelling, strlen(spelling)));
}
