/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_plain.h"

#include <string.h>

#include "t/unit/tap.h"

static int url(const char *text)
{
    return lbs_plain_url(text) == strlen(text);
}

static int none(const char *text)
{
    return lbs_plain_url(text) == 0;
}

/* As mod_proxy says it: letters, digits, and these. */
static int stands_for_itself(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || (c != 0 && strchr("~$-_.+!*'(),;:@&=/", c) != NULL);
}

int main(void)
{
    int c, wrong = 0;

    for (c = 0; c < 256; c++) {
        const char text[2] = {(char)c, '\0'};

        wrong += lbs_plain_span(text) != (apr_size_t)stands_for_itself(c);
    }
    is_int(wrong, 0, "every byte is as mod_proxy has it");
    ok(lbs_plain_span("/a/b.c%20d") == 6, "a span ends at a percent sign");
    ok(lbs_plain_span("/a?b") == 2, "and at a question mark");
    ok(url("http://h"), "a host");
    ok(url("http://app-1.example.com:8080"), "with a port");
    ok(url("https://10.0.0.1/app/v1"), "with a path");
    ok(url("http://h:443") && url("https://h:80"), "the other scheme's port");
    ok(none("http://h:80") && none("https://h:443/x"),
       "the scheme's own port");
    ok(none("http://h:0080") && none("http://h:0"), "a port with zeros");
    ok(none("http://h:") && none("http://h:8o"), "no port");
    ok(none("http://h:99999") && none("http://h:4294967376"),
       "a port that is too large");
    ok(none("http://Host") && none("HTTP://h"), "upper case");
    ok(none("http://[::1]:80/") && none("http://u:p@h/"),
       "an address, a user");
    ok(none("http://h/a b") && none("http://h/%41"), "a path that is encoded");
    ok(none("http://") && none("http:///x") && none(""), "no host");
    ok(none("ajp://h") && none("h2c://h") && none("unix:/s|http://h/"),
       "other schemes");
    return done_testing();
}
