/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_thread_rand.h - chance for picks; the pure rooms get it as an argument.
 */
#ifndef LBS_THREAD_RAND_H
#define LBS_THREAD_RAND_H

#include "src/base/lbs_rand.h"

/** Random numbers of this thread, seeded by the system at its first call: good
 * for picks, not for secrets. */
lbs_rand_t *lbs_thread_rand(void);

#endif
