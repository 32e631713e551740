/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_assert.h - conditions that only a bug of this module can break.
 *
 * Never for input, configuration, the network or the contents of shared
 * memory: those are wrong every day and are answered with a status. Always
 * compiled in; the conditions are cheap or stand outside the request path.
 */
#ifndef LBS_ASSERT_H
#define LBS_ASSERT_H

#include <stdio.h>
#include <stdlib.h>

/** Say on stderr which condition failed and where, then abort. */
_Noreturn static inline void lbs_assert_failed(const char *what,
                                               const char *file, int line)
{
    fprintf(stderr, "mod_lbsticky: bug: %s:%d: %s\n", file, line, what);
    abort();
}

/** Abort the process unless the condition holds. Evaluated exactly once. */
#define lbs_assert(what)                                                      \
    ((what) ? (void)0 : lbs_assert_failed(#what, __FILE__, __LINE__))

#endif
