/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_lease.h"

#define PID_OF(word) ((apr_uint32_t)((word) >> 32))
#define SAID_MS_OF(word) ((apr_uint32_t)(word))

/* Wraps every 49 days; a holder that seldom renews counts as silent. */
static int is_silent(apr_uint64_t word, apr_uint32_t now_ms)
{
    apr_uint32_t age = now_ms - SAID_MS_OF(word);

    return age > LBS_LEASE_US / 1000 && age < 0x80000000u;
}

int lbs_lease_hold(lbs_lease_t *lease, apr_uint32_t pid, apr_time_t now)
{
    apr_uint32_t now_ms = (apr_uint32_t)(now / 1000);
    apr_uint64_t seen = lbs_atomic_load64_acquire(&lease->word);

    if (seen != 0 && PID_OF(seen) != pid && !is_silent(seen, now_ms)) {
        return 0;
    }
    return lbs_atomic_cas64(&lease->word, &seen,
                            ((apr_uint64_t)pid << 32) | now_ms);
}

void lbs_lease_drop(lbs_lease_t *lease, apr_uint32_t pid)
{
    apr_uint64_t seen = lbs_atomic_load64_acquire(&lease->word);

    if (PID_OF(seen) == pid) {
        (void)lbs_atomic_cas64(&lease->word, &seen, 0); /* or taken by now */
    }
}
