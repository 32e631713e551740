/* SPDX-License-Identifier: Apache-2.0 */
#include "src/pick/lbs_alias.h"

static apr_uint64_t entry_of(apr_uint16_t self, apr_uint16_t other,
                             apr_uint64_t rest, apr_uint64_t total)
{
    double share = (double)rest / (double)total * 0x1p32;
    apr_uint64_t fixed =
        share < 0xffffffffp0 ? (apr_uint64_t)share : 0xffffffffu;

    return fixed << 32 | (apr_uint64_t)other << 16 | self;
}

void lbs_alias_build(apr_uint64_t *entry, const apr_uint16_t *item,
                     const apr_uint32_t *weight, apr_uint32_t n,
                     apr_uint64_t *rest, apr_uint16_t *work)
{
    apr_uint64_t total = 0;
    apr_uint32_t small = 0; /* work[0..small): less than an entry is left */
    apr_uint32_t large = n; /* work[large..n): an entry or more is left */
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        total += weight[i];
    }
    /* In units of 1/total of an entry, so that nothing is rounded before the
     * share is written down. */
    for (i = 0; i < n; i++) {
        rest[i] = (apr_uint64_t)weight[i] * n;
        if (rest[i] < total) {
            work[small++] = (apr_uint16_t)i;
        }
        else {
            work[--large] = (apr_uint16_t)i;
        }
    }
    while (small > 0 && large < n) {
        apr_uint16_t poor = work[--small];
        apr_uint16_t rich = work[large];

        entry[poor] = entry_of(item[poor], item[rich], rest[poor], total);
        rest[rich] -= total - rest[poor];
        if (rest[rich] < total) {
            large++;
            work[small++] = rich;
        }
    }
    /* The sums are exact: an item that is left owns exactly one whole
     * entry. */
    for (i = 0; i < small; i++) {
        entry[work[i]] = entry_of(item[work[i]], item[work[i]], 1, 1);
    }
    for (i = large; i < n; i++) {
        entry[work[i]] = entry_of(item[work[i]], item[work[i]], 1, 1);
    }
}
