/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_clear.h - zeroing a structure of some hundred bytes by libc.
 *
 * Compilers inline memset() of a constant size as a loop of words, or as one
 * instruction that the processor runs as such a loop; libc writes 32 bytes at
 * a time.
 */
#ifndef LBS_CLEAR_H
#define LBS_CLEAR_H

#include <apr.h>

/** Zero bytes. @return p */
void *lbs_clear(void *p, apr_size_t bytes);

#endif
