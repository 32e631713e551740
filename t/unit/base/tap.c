/* SPDX-License-Identifier: Apache-2.0 */
/* The helper that every unit test trusts, tested by itself. */
#include "t/unit/tap.h"

int main(void)
{
    plan(5);
    ok(1, "a true condition");
    is_int(-3, -3, "integers");
    is_str(NULL, NULL, "no string equals no string");
    is_mem("ab\0c", "ab\0d", 3, "blocks up to their length");
    is_near(0.1 + 0.2, 0.3, 1e-9, "floating point within its slack");
    return done_testing();
}
