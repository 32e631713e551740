/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_clear.h"

#include <string.h>

void *lbs_clear(void *p, apr_size_t bytes)
{
    return memset(p, 0, bytes);
}
