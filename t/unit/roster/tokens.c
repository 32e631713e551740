/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "src/roster/lbs_tokens.h"
#include "t/unit/tap.h"

static lbs_tokens_t tokens;

static const char *read_text(const char *text)
{
    static char copy[20000];

    strncpy(copy, text, sizeof(copy) - 1);
    return lbs_tokens_read(copy, &tokens);
}

int main(void)
{
    ok(read_text("# all\n0123456789abcdef\r\n\n"
                 "fedcba9876543210 pool=app # one\n")
               == NULL
           && tokens.count == 2,
       "two");
    ok(lbs_tokens_has(&tokens, "0123456789abcdef", "app")
           && lbs_tokens_has(&tokens, "0123456789abcdef", "shop"),
       "of all pools");
    ok(lbs_tokens_has(&tokens, "fedcba9876543210", "app")
           && !lbs_tokens_has(&tokens, "fedcba9876543210", "shop"),
       "of one");
    ok(!lbs_tokens_has(&tokens, "0123456789abcde", "app")
           && !lbs_tokens_has(&tokens, "0123456789abcdef0", "app")
           && !lbs_tokens_has(&tokens, "", "app")
           && !lbs_tokens_has(&tokens, "0123456789abcdeF", "app"),
       "another is none");
    ok(read_text("0123456789abcde\n") != NULL, "too short");
    ok(read_text("# none\n") != NULL, "none");
    ok(read_text("0123456789abcdef app\n") != NULL, "no key");
    ok(read_text("0123456789abcdef pool=a x\n") != NULL, "too much");
    return done_testing();
}
