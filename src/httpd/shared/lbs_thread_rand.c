/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_thread_rand.c - see lbs_thread_rand.h. */
#include "src/httpd/shared/lbs_thread_rand.h"

#include <apr_general.h>

lbs_rand_t *lbs_thread_rand(void)
{
    /* One object, whose place is looked up once. */
    static __thread struct {
        lbs_rand_t rand;
        int seeded;
    } thread;

    if (!thread.seeded) {
        (void)apr_generate_random_bytes((unsigned char *)&thread.rand.state,
                                        sizeof(thread.rand.state));
        thread.seeded = 1;
    }
    return &thread.rand;
}
