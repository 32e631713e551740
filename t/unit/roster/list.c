/* SPDX-License-Identifier: Apache-2.0 */
#include "src/roster/lbs_list.h"
#include "t/unit/tap.h"

#include <apr_strings.h>

static apr_pool_t *memory;
static apr_array_header_t *list;
static lbs_list_wrong_t wrong;

static int read_for(const char *text, const char *path)
{
    lbs_list_model_t model = {"http", path};

    return lbs_list_read(text, strlen(text), &model, memory, &list, &wrong);
}

static int reads(const char *text)
{
    return read_for(text, "");
}

static const lbs_list_member_t *at(int i)
{
    return &((const lbs_list_member_t *)(void *)list->elts)[i];
}

static void test_good(void)
{
    ok(reads("# all\n\nhttp://10.0.0.11:8000\r\n"
             "\tHTTP://10.0.0.12:80/ loadfactor=2.5 lbset=3 route=web2 # x\n"
             "http://[FD00::0:12]:8000"),
       "a list");
    is_int(list->nelts, 3, "of three");
    is_str(at(0)->url, "http://10.0.0.11:8000", "a URL");
    is_int(at(0)->weight, 100, "its weight is 1");
    is_str(at(0)->route, "", "it has no route");
    is_str(at(1)->url, "http://10.0.0.12", "as mod_proxy names it");
    is_int(at(1)->weight, 250, "loadfactor=");
    is_int(at(1)->lbset, 3, "lbset=");
    is_str(at(1)->route, "web2", "route=");
    is_str(at(2)->url, "http://[fd00::0:12]:8000", "IPv6");
    ok(reads("") && list->nelts == 0, "an empty one");
    ok(reads("http://10.0.0.1\nhttp://10.0.0.1:80\nhttp://10.0.0.2")
           && list->nelts == 2,
       "a member that is named twice is one");
    ok(reads("http://10.0.0.1 route=a\nhttp://10.0.0.2 route=a\n")
           && list->nelts == 1,
       "and so is a route");
    ok(read_for("http://10.0.0.1:8000/app", "/app") && list->nelts == 1,
       "the model's path");
}

static void test_wrong(void)
{
    static const char *const bad[] = {
        "10.0.0.1:8000",
        "http://",
        "http://name:8000",
        "https://10.0.0.1",
        "http://10.0.0.1:0",
        "http://10.0.0.1:65536",
        "http://10.0.0.1:",
        "http://10.0.0.1/app",
        "http://10.0.0.1?x",
        "http://user@10.0.0.1",
        "http://[::1",
        "http://[10.0.0.1]",
        "http://10.0.0.1 10.0.0.2",
        "http://10.0.0.1 loadfactor=101",
        "http://10.0.0.1 lbset=100",
        "http://10.0.0.1 route=",
        "http://10.0.0.1 route=a;b",
        "http://10.0.0.1 status=+H",
        "<html>",
    };
    unsigned i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char *text =
            apr_pstrcat(memory, "http://10.0.0.9\n", bad[i], "\n", NULL);

        list = NULL;
        ok(!reads(text) && wrong.line == 2 && *wrong.wanted && list == NULL,
           "refused: %s", bad[i]);
    }
}

/* Of all bytes that a broken file may have, none reads beyond it. */
static void test_any(void)
{
    static const char text[] =
        "http://[fd00::1]:80/ route=a\nhttp://1.2.3.4\n";
    const lbs_list_model_t model = {"http", ""};
    int taken = 0;
    unsigned at_byte, byte;

    for (at_byte = 0; at_byte < sizeof(text) - 1; at_byte++) {
        for (byte = 0; byte < 256; byte += 3) {
            apr_size_t n = sizeof(text) - 1 - byte % 5;
            char *copy = apr_pmemdup(memory, text, n);

            if (at_byte < n) {
                copy[at_byte] = (char)byte;
            }
            taken += lbs_list_read(copy, n, &model, memory, &list, &wrong);
        }
    }
    ok(taken > 0, "a file with any byte is taken or refused");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    test_good();
    test_wrong();
    test_any();
    apr_terminate();
    return done_testing();
}
