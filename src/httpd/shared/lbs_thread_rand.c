/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_thread_rand.c - see lbs_thread_rand.h. */
#include "src/httpd/shared/lbs_thread_rand.h"

#include <apr_general.h>

lbs_rand_t *lbs_thread_rand(void)
{
    static __thread lbs_rand_t rand;
    static __thread int seeded;

    if (!seeded) {
        (void)apr_generate_random_bytes((unsigned char *)&rand.state,
                                        sizeof(rand.state));
        seeded = 1;
    }
    return &rand;
}
