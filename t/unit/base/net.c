/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_net.h"
#include "t/unit/tap.h"

static int has(const char *set, const char *address)
{
    lbs_net_set_t read;
    lbs_net_t net;

    return lbs_net_set_read(set, &read) == NULL
           && lbs_net_read(address, strlen(address), &net)
           && lbs_net_set_has(&read, &net);
}

static void test_read(void)
{
    static const char *const good[] = {
        "10.0.0.1", "::1", "fd00::12",        "::ffff:10.0.0.1",
        "::",       "1::", "1:2:3:4:5:6:7:8", "::8"};
    static const char *const bad[] = {"",
                                      "10.0.0",
                                      "10.0.0.256",
                                      "name",
                                      "[::1]",
                                      "::1%eth0",
                                      "1.2.3.4 ",
                                      "0x7f.1",
                                      "010.0.0.1",
                                      ":1",
                                      "1::2::3",
                                      "1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:8:9",
                                      "12345::",
                                      "::1.2.3",
                                      "1:",
                                      "g::",
                                      "fd00::12::"};
    lbs_net_t net, other;
    unsigned i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        ok(lbs_net_read(good[i], strlen(good[i]), &net), "%s", good[i]);
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ok(!lbs_net_read(bad[i], strlen(bad[i]), &net), "not \"%s\"", bad[i]);
    }
    (void)lbs_net_read("10.0.0.1", 8, &net);
    (void)lbs_net_read("::ffff:10.0.0.1", 15, &other);
    is_int(memcmp(&net, &other, sizeof(net)), 0, "one address, two spellings");
}

static void test_sets(void)
{
    lbs_net_set_t set;

    ok(has("private", "10.200.0.1") && has("private", "172.31.255.255")
           && has("private", "192.168.7.7") && has("private", "100.64.0.1")
           && has("private", "fd00::1"),
       "private ones");
    ok(!has("private", "127.0.0.1") && !has("private", "172.32.0.1")
           && !has("private", "8.8.8.8") && !has("private", "2001:db8::1")
           && !has("private", "100.128.0.1"),
       "and others");
    ok(has("any", "8.8.8.8") && has("ANY", "2001:db8::1"), "any");
    ok(has("10.1.0.0/16,127.0.0.0/8", "127.9.9.9")
           && has("10.1.0.0/16,127.0.0.0/8", "10.1.255.255")
           && !has("10.1.0.0/16,127.0.0.0/8", "10.2.0.0"),
       "ranges");
    ok(has("10.0.0.7", "10.0.0.7") && !has("10.0.0.7", "10.0.0.6")
           && has("0.0.0.0/0", "8.8.8.8") && !has("0.0.0.0/0", "fd00::1")
           && has("::/0", "fd00::1"),
       "one, and all of a family");
    ok(has("2001:db8::/31", "2001:db9::1")
           && !has("2001:db8::/32", "2001:db9::1"),
       "bits within a byte");
    ok(lbs_net_set_read("10.0.0.0/33", &set) != NULL
           && lbs_net_set_read("10.0.0.0/", &set) != NULL
           && lbs_net_set_read("", &set) != NULL
           && lbs_net_set_read("private,", &set) != NULL
           && lbs_net_set_read("10.0.0.0/-1", &set) != NULL
           && lbs_net_set_read("internal", &set) != NULL,
       "what is no set");
}

static void test_never(void)
{
    static const char *const never[] = {
        "0.0.0.0",   "::",      "169.254.169.254", "fe80::1",
        "224.0.0.1", "ff02::1", "255.255.255.255"};
    static const char *const may[] = {"10.0.0.1", "127.0.0.1", "::1",
                                      "fd00::1", "169.253.0.1"};
    lbs_net_t net;
    unsigned i;

    for (i = 0; i < sizeof(never) / sizeof(*never); i++) {
        (void)lbs_net_read(never[i], strlen(never[i]), &net);
        ok(lbs_net_never(&net) != NULL, "never %s", never[i]);
    }
    for (i = 0; i < sizeof(may) / sizeof(*may); i++) {
        (void)lbs_net_read(may[i], strlen(may[i]), &net);
        ok(lbs_net_never(&net) == NULL, "perhaps %s", may[i]);
    }
}

int main(void)
{
    test_read();
    test_sets();
    test_never();
    return done_testing();
}
