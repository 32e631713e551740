/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "src/roster/lbs_dns.h"
#include "src/roster/lbs_pace.h"
#include "t/unit/tap.h"

static apr_pool_t *memory;
static lbs_dns_reply_t reply;

/* app.test, as it stands in a message */
#define APP "\3app\4test\0"
#define QUESTION(type) APP "\0" type "\0\1"
#define HEAD(flags, code, answers, more)                                      \
    "\1\2" flags code "\0\1\0" answers "\0\0\0" more
#define TTL(n) "\0\0\0" n
#define POINT "\300\014" /* to the question's name */

static lbs_roster_said_t reads_n(const char *bytes, size_t n,
                                 lbs_dns_type_t type)
{
    unsigned char *exact = malloc(n > 0 ? n : 1);

    memcpy(exact, bytes, n);
    reply = lbs_dns_read(exact, n, type, memory);
    free(exact);
    return reply.said;
}

#define READS(text, type) reads_n(text, sizeof(text) - 1, type)

static const lbs_dns_record_t *at(int i)
{
    return LBS_DNS_AT(reply.records, i, lbs_dns_record_t);
}

static const char *net_at(int i)
{
    static char text[LBS_NET_TEXT];

    lbs_net_text(&at(i)->net, text);
    return text;
}

static const char two[] = HEAD("\201", "\200", "\3", "\0") QUESTION("\1") POINT
    "\0\1\0\1" TTL("\7") "\0\4\12\0\0\1" POINT "\0\1\0\1" TTL(
        "\5") "\0\4\12\0\0\2" POINT "\0\1\0\1" TTL("\5") "\0\4\12\0\0\1";

/* alias.test -> app.test -> an address, the address first */
static const char alias[] = HEAD(
    "\201", "\200", "\3",
    "\0") "\5alias\4test\0\0\34\0\1" APP
          "\0\34\0\1" TTL(
              "\11") "\0\20\375\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
                     "\5OTHER\4test\0\0\34\0\1" TTL(
                         "\1") "\0\20\375\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2" POINT
                               "\0\5\0\1" TTL("\3") "\0\12" APP;

static const char service[] =
    HEAD("\201", "\200", "\2", "\1") QUESTION("\41") POINT
    "\0\41\0\1" TTL("\7") "\0\13\0\1\0\12\037\100\2P1" POINT POINT
                          "\0\41\0\1" TTL("\7") "\0\7\0\0\0\0\0\0\0"
                                                "\2p1" POINT "\0\1\0\1" TTL(
                                                    "\2") "\0\4\12\0\0\3";

static void test_good(void)
{
    is_int(READS(two, LBS_DNS_A), LBS_ROSTER_GOOD, "addresses");
    is_int(reply.records->nelts, 2, "each once");
    is_str(net_at(0), "10.0.0.1", "the first");
    is_str(net_at(1), "10.0.0.2", "the second");
    is_int(reply.ttl, 5, "the least TTL");
    is_int(READS(alias, LBS_DNS_AAAA), LBS_ROSTER_GOOD, "behind an alias");
    is_int(reply.records->nelts, 1, "of the name alone");
    is_str(net_at(0), "fd00::1", "version 6");
    is_int(reply.ttl, 3, "the alias has a TTL, too");
    is_int(READS(service, LBS_DNS_SRV), LBS_ROSTER_GOOD, "a service");
    is_str(at(0)->target, "p1.app.test", "its target");
    ok(at(0)->priority == 1 && at(0)->weight == 10 && at(0)->port == 8000,
       "its numbers");
    is_str(at(1)->target, ".", "one that is not there");
    ok(reply.more->nelts == 1
           && strcmp(LBS_DNS_AT(reply.more, 0, lbs_dns_more_t)->name,
                     "p1.app.test")
                  == 0,
       "an address beside it");
}

static void test_bad(void)
{
    size_t i, wrong = 0;

    is_int(READS(HEAD("\201", "\203", "\0", "\0") QUESTION("\1"), LBS_DNS_A),
           LBS_ROSTER_NO_NAME, "NXDOMAIN");
    is_int(READS(HEAD("\201", "\202", "\0", "\0") QUESTION("\1"), LBS_DNS_A),
           LBS_ROSTER_FAILS, "SERVFAIL");
    is_int(READS(HEAD("\201", "\205", "\0", "\0") QUESTION("\1"), LBS_DNS_A),
           LBS_ROSTER_REFUSES, "REFUSED");
    is_int(READS(HEAD("\203", "\200", "\0", "\0") QUESTION("\1"), LBS_DNS_A),
           LBS_ROSTER_CUT, "cut short");
    is_int(READS(HEAD("\201", "\200", "\0", "\0") QUESTION("\1"), LBS_DNS_A),
           LBS_ROSTER_NO_DATA, "no data");
    is_int(READS(HEAD("\1", "\200", "\0", "\0") QUESTION("\1"), LBS_DNS_A),
           LBS_ROSTER_GARBLED, "a question");
    for (i = 0; i < sizeof(two) - 1; i++) {
        wrong += reads_n(two, i, LBS_DNS_A) != LBS_ROSTER_GARBLED;
    }
    is_int((long)wrong, 0, "an answer that ends anywhere");
    is_int(
        READS(HEAD("\201", "\200", "\1", "\0") "\300\014\0\1\0\1", LBS_DNS_A),
        LBS_ROSTER_GARBLED, "a name that points to itself");
    is_int(READS(two, LBS_DNS_AAAA), LBS_ROSTER_NO_DATA, "of another type");
}

static void test_names(void)
{
    ok(lbs_dns_is_name("app.internal", 12) && lbs_dns_is_name("a.", 2)
           && lbs_dns_is_name("_http._tcp.x", 12),
       "names");
    ok(!lbs_dns_is_name("", 0) && !lbs_dns_is_name(".", 1)
           && !lbs_dns_is_name("a..b", 4) && !lbs_dns_is_name("a b", 3),
       "and none");
}

static void test_hosts(void)
{
    static const char text[] = "# all\n10.0.0.1 a app.test # app\n"
                               "fd00::1 app.test\n10.0.0.2\tAPP.test\r\n"
                               "10.0.0.3 #app.test\nwrong app.test\n";

    ok(lbs_dns_hosts(text, "app.test.", LBS_DNS_A, memory, &reply)
           && reply.records->nelts == 2,
       "a hosts file");
    is_str(net_at(1), "10.0.0.2", "each line");
    ok(lbs_dns_hosts(text, "app.test", LBS_DNS_AAAA, memory, &reply)
           && reply.records->nelts == 1,
       "by version");
    ok(!lbs_dns_hosts(text, "test", LBS_DNS_A, memory, &reply), "not there");
}

static void test_pace(void)
{
    apr_time_t most = apr_time_from_sec(5);

    is_int(lbs_pace_good(0, most), APR_USEC_PER_SEC, "no TTL: a second");
    is_int(lbs_pace_good(3, most), 3 * APR_USEC_PER_SEC, "its TTL");
    is_int(lbs_pace_good(600, most), most, "interval= at most");
    ok(lbs_pace_bad(1, most) == APR_USEC_PER_SEC
           && lbs_pace_bad(3, most) == 4 * APR_USEC_PER_SEC
           && lbs_pace_bad(4, most) == most && lbs_pace_bad(99, most) == most,
       "1, 2, 4 seconds, and interval=");
    ok(lbs_pace_weight(0, 0) == 100 && lbs_pace_weight(0, 9) == 1
           && lbs_pace_weight(9, 10) == 900
           && lbs_pace_weight(65535, 65535) == 10000
           && lbs_pace_weight(1, 65535) == 1,
       "weights");
}

int main(void)
{
    (void)apr_initialize();
    apr_pool_create(&memory, NULL);
    test_good();
    test_bad();
    test_names();
    test_hosts();
    test_pace();
    return done_testing();
}
