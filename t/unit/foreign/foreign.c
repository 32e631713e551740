/* SPDX-License-Identifier: Apache-2.0 */
/* Cookies as each product writes them: from its documentation, or computed
 * with other programs (md5sum, sha256sum, Go's hash/fnv). */
#include "src/foreign/lbs_foreign.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <time.h>

#include "t/unit/tap.h"

#define MEMBERS 8

static apr_pool_t *pool;

static lbs_foreign_address_t addresses[MEMBERS][2];

static lbs_foreign_member_t member(int i, const char *route, const char *url,
                                   const char *host, apr_port_t port)
{
    static const char *const schemes[] = {"http", "https", "h2c", "h2", "ws"};
    lbs_foreign_member_t m = {
        .route = route,
        .url = url,
        .scheme = "http",
        .host = host,
        .port = port,
        .address = addresses[i],
    };
    size_t k, n = strcspn(url, ":");

    for (k = 0; k < sizeof(schemes) / sizeof(schemes[0]); k++) {
        if (strlen(schemes[k]) == n && strncmp(schemes[k], url, n) == 0) {
            m.scheme = schemes[k];
        }
    }
    addresses[i][0].is_v6 = strchr(host, ':') != NULL;
    m.addresses = inet_pton(addresses[i][0].is_v6 ? AF_INET6 : AF_INET, host,
                            addresses[i][0].bytes)
                  == 1;
    return m;
}

/* The word as a directive has it; dies of one that is wrong. */
static lbs_foreign_t word_of(const char *spelling)
{
    lbs_foreign_t list[LBS_FOREIGN_MAX];
    int count = 0;
    const char *wanted = lbs_foreign_add(pool, spelling, list, &count);

    if (wanted != NULL) {
        bail_out("%s: wanted %s", spelling, wanted);
    }
    return list[0];
}

static lbs_foreign_index_t *index_of(const lbs_foreign_t *word,
                                     const lbs_foreign_member_t *m, int n)
{
    lbs_foreign_index_t *index = lbs_foreign_index_make(pool);
    int i;

    for (i = 0; i < n; i++) {
        (void)lbs_foreign_index_add(index, word->reader, &m[i], i);
    }
    return index;
}

typedef struct golden_t {
    const char *cookie;
    int number; /* of the member; -1: none */
} golden_t;

static void check(const char *spelling, const lbs_foreign_member_t *m, int n,
                  const golden_t *golden)
{
    lbs_foreign_t word = word_of(spelling);
    lbs_foreign_index_t *index = index_of(&word, m, n);

    for (; golden->cookie != NULL; golden++) {
        is_int(
            lbs_foreign_find(index, word.reader, lbs_slice_of(golden->cookie)),
            golden->number, "%s: %.60s", spelling, golden->cookie);
    }
}

/* doc/configuration.txt of HAProxy and what HAProxy 2.6 was seen to send. */
static void haproxy(void)
{
    const lbs_foreign_member_t m[] = {
        member(0, "web1", "http://10.0.0.11:8000", "10.0.0.11", 8000),
        member(1, "web2", "http://10.0.0.12:8000", "10.0.0.12", 8000),
        member(2, "a|b~c", "http://10.0.0.13:8000", "10.0.0.13", 8000),
        member(3, "", "http://10.0.0.14:8000", "10.0.0.14", 8000),
    };
    static const golden_t golden[] = {
        {"web1", 0},
        {"web2", 1},
        {"web2|Z0yl8", 1},
        {"web1|Z0yl8|Z0yk4", 0},
        {"web1~0123456789abcdef", 0},
        {"web2~a|b~c", 1},
        {"a|b~c", 2},
        {"a|b~c|Z0yl8", 2},
        {"a|b~c~0123", 2},
        {"web", -1},
        {"web11", -1},
        {"|web1", -1},
        {"~", -1},
        {"WEB1", -1},
        {" web1", -1},
        {"", -1},
        {NULL, 0},
    };

    check("haproxy:SRV", m, 4, golden);
}

/* MD5 of what nginx prints of a server, by md5sum. */
static void nginx(void)
{
    lbs_foreign_member_t m[] = {
        member(0, "", "http://10.0.0.11:8000", "10.0.0.11", 8000),
        member(1, "b", "http://10.0.0.12:80", "10.0.0.12", 80),
        member(2, "", "http://[2001:db8::1]:8000", "2001:db8::1", 8000),
        member(3, "", "http://app/", "app", 80),
        member(4, "", "http://[::1]:8000", "::1", 8000),
        member(5, "", "http://unknown:80", "unknown", 80),
        member(6, "", "http://[::ffff:a00:1]", "::ffff:10.0.0.1", 80),
        member(7, "", "http://six", "2001:db8:0:1:0:0:2:0", 80),
    };
    static const golden_t golden[] = {
        {"69f2c294c70c3520dd1204c138edbce5", 0}, /* 10.0.0.11:8000 */
        {"54c588da1d5fda87a685dc3ba4d2768c", 1}, /* 10.0.0.12:80 */
        {"b", 1},                                /* route=b */
        {"ef38625b646c94d9d18f689a1718dee5", 2}, /* [2001:db8::1]:8000 */
        {"939db79304b0f599c2c20969650359ab", 3}, /* unix:/run/app.sock */
        {"42cb6b9d20b69c4a8277838add95924f", 4}, /* [::1]:8000 */
        {"0e3de2726fd2ff7417c8e25e6e2c90fa", 6}, /* [::ffff:10.0.0.1]:80 */
        {"cbebce8b3cd5bd055cf9349a6ea18c47", 7}, /* [2001:db8:0:1::2:0]:80 */
        {"69F2C294C70C3520DD1204C138EDBCE5", -1},
        {"69f2c294c70c3520dd1204c138edbce", -1},
        {"69f2c294c70c3520dd1204c138edbce5 ", -1},
        {"", -1},
        {NULL, 0},
    };

    m[3].socket = "/run/app.sock";
    check("nginx:srv_id", m, 8, golden);
}

/* Traefik: pkg/server/service/loadbalancer/sticky.go; sha256sum, and Go's
 * hash/fnv as New64(). */
static void traefik(void)
{
    const lbs_foreign_member_t m[] = {
        member(0, "", "http://10.0.0.11:8000", "10.0.0.11", 8000),
        member(1, "", "http://10.0.0.12", "10.0.0.12", 80),
        member(2, "", "https://web3/app", "web3", 443),
        member(3, "", "h2c://[2001:db8::1]:80", "2001:db8::1", 80),
    };
    static const golden_t golden[] = {
        {"a99af6cfe1c9b746", 0}, /* http://10.0.0.11:8000 */
        {"806ea13adcb3c24e", 0},
        {"c14b5c3b03ab3da0", 0},
        {"http://10.0.0.11:8000", 0},
        {"ce55cbcb1a053c67", 0}, /* http://10.0.0.11:8000/ */
        {"efbe450505732aa5", 0},
        {"cf2b2073873de289", 0},
        {"e8d81fe7301448af", 1}, /* http://10.0.0.12 */
        {"9d311747ce61a932", 1}, /* http://10.0.0.12:80/ */
        {"868c7ce6183acad4", 1},
        {"992fbaac855a8746", 2}, /* https://web3:443/app */
        {"d50f08e4b39c7197", 2}, /* https://web3/app/ */
        {"2147a4ddd2610cad", 3}, /* h2c://[2001:db8::1] */
        {"2800f19306adf7c", 3},  /* 15 digits */
        {"02800f19306adf7c", 3},
        {"95647e10126632df", 3}, /* of these 15, and of the 16 */
        {"16cd6d0af5b8bd41", 3},
        {"A99AF6CFE1C9B746", -1},
        {"a99af6cfe1c9b7461", -1},
        {"http://10.0.0.11:8001", -1},
        {"http://10.0.0.11:80", -1},
        {"", -1},
        {NULL, 0},
    };

    check("traefik:_lb", m, 4, golden);
}

/* F5's article K6917 has these four. */
static void bigip(void)
{
    const lbs_foreign_member_t m[] = {
        member(0, "", "http://10.1.1.100:8080", "10.1.1.100", 8080),
        member(1, "", "http://192.0.2.1", "192.0.2.1", 80),
        member(2, "", "http://[2001:112::30]", "2001:112::30", 80),
        member(3, "", "http://10.10.13.123:443", "10.10.13.123", 443),
    };
    static const golden_t golden[] = {
        {"1677787402.36895.0000", 0},
        {"vi20010112000000000000000000000030.20480", 2},
        {"rd5o00000000000000000000ffffc0000201o80", 1},
        {"rd3o20010112000000000000000000000030o80", 2},
        {"rd65534o00000000000000000000ffff0a010164o8080", 0},
        {"2064452106.47873.0000", 3},
        {"1677787402.36895.0001", -1},
        {"1677787402.36895", -1},
        {"01677787402.36895.0000", -1},
        {"1677787402.20480.0000", -1}, /* another port */
        {"99999999999999999999.36895.0000", -1},
        {"rdo00000000000000000000ffffc0000201o80", -1},
        {"rd5", -1},
        {"rd", -1},
        {"o00000000000000000000ffffc0000201o80x", -1},
        {"!tbZdhhwVWQzKJm5S2RrY1pWg0Q==", -1}, /* encrypted */
        {"", -1},
        {NULL, 0},
    };

    check("bigip:BIGipServerapp", m, 4, golden);
}

/* httpd's manual, mod_proxy_balancer; Tomcat's jvmRoute. */
static void routes(void)
{
    const lbs_foreign_member_t m[] = {
        member(0, "web1", "http://10.0.0.11:8000", "10.0.0.11", 8000),
        member(1, "b1.example.org", "http://b1:80", "b1", 80),
        member(2, "org", "http://b2:80", "b2", 80),
        member(3, "", "http://b3:80", "b3", 80),
    };
    static const golden_t golden[] = {
        {".web1", 0},
        {"0123456789ABCDEF.web1", 0},
        {"a.b.c.b1.example.org", 1},
        {"a.b.example.org", 2},
        {"web1", -1},
        {"a.web1.", -1},
        {"a.web2", -1},
        {"a.", -1},
        {".", -1},
        {"", -1},
        {NULL, 0},
    };

    check("mod_proxy:ROUTEID", m, 4, golden);
    check("jvmroute:JSESSIONID", m, 4, golden);
}

/* Of two members that a product could not tell apart. */
static void the_first_of_two(void)
{
    const lbs_foreign_member_t m[] = {
        member(0, "", "http://10.0.0.11:8000/a", "10.0.0.11", 8000),
        member(1, "", "http://10.0.0.11:8000/b", "10.0.0.11", 8000),
    };
    static const golden_t golden[] = {{"69f2c294c70c3520dd1204c138edbce5", 0},
                                      {NULL, 0}};

    check("nginx:srv_id", m, 2, golden);
}

/* A host name stands for several servers. */
static void several_addresses(void)
{
    lbs_foreign_member_t m[] = {
        member(0, "", "http://10.0.0.11:8000", "10.0.0.11", 8000)};
    static const golden_t golden[] = {
        {"184549386.16415.0000", 0}, /* 10.0.0.11:8000 */
        {"vi20010db8000000000000000000000001.16415", 0},
        {NULL, 0},
    };

    addresses[0][1].is_v6 = 1;
    (void)inet_pton(AF_INET6, "2001:db8::1", addresses[0][1].bytes);
    m[0].addresses = 2;
    check("bigip:x", m, 1, golden);
}

/* Words ------------------------------------------------------------------ */

static void words(void)
{
    static const struct {
        const char *arg;
        const char *wanted; /* begins so; NULL: taken */
    } table[] = {
        {"haproxy:SRV", NULL},
        {"HAProxy:srv", NULL},
        {"jvmroute:JSESSIONID", NULL},
        {"haproxy:SRV", "each reader and name only once"},
        {"haproxy", "READER:NAME"},
        {"haproxy:", "a cookie's NAME"},
        {":SRV", "READER:NAME"},
        {"", "READER:NAME"},
        {"envoy:SRV", "READER:NAME"},
        {"haproxy:a b", "a cookie's NAME"},
        {"haproxy:a;b", "a cookie's NAME"},
        {"haproxy:a:b", "a cookie's NAME"},
        {"nginx:1", NULL},
        {"nginx:2", NULL},
        {"nginx:3", NULL},
        {"nginx:4", NULL},
        {"nginx:5", NULL},
        {"nginx:6", "at most 8"},
    };
    lbs_foreign_t list[LBS_FOREIGN_MAX];
    char *longest = apr_psprintf(pool, "nginx:%0256d", 1);
    int count = 0;
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *wanted = lbs_foreign_add(pool, table[i].arg, list, &count);

        ok(table[i].wanted == NULL ? wanted == NULL
                                   : wanted != NULL
                                         && strncmp(wanted, table[i].wanted,
                                                    strlen(table[i].wanted))
                                                == 0,
           "'%s'", table[i].arg);
    }
    is_int(count, LBS_FOREIGN_MAX, "as many as there can be");
    is_str(list[1].spelling, "haproxy:srv", "the reader in lower case");
    is_str(list[2].lower_name, "jsessionid", "as in a URL");
    count = 0;
    ok(lbs_foreign_add(pool, longest, list, &count) != NULL,
       "256 bytes are too many");
}

/* Hostile values: no more than their length. */
static void long_values(void)
{
    static const char *const spellings[] = {"haproxy:a",   "nginx:a",
                                            "traefik:a",   "bigip:a",
                                            "mod_proxy:a", "jvmroute:a"};
    static const char fills[] = "|~.!9o\x80";
    const lbs_foreign_member_t m[] = {
        member(0, "web1", "http://10.0.0.11:8000", "10.0.0.11", 8000)};
    char *text = malloc(65537);
    size_t i, k;
    double before = thread_us();

    for (i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        lbs_foreign_t word = word_of(spellings[i]);
        lbs_foreign_index_t *index = index_of(&word, m, 1);
        int found = 0;

        for (k = 0; k < sizeof(fills) - 1; k++) {
            memset(text, fills[k], 65536);
            text[65536] = '\0';
            found +=
                lbs_foreign_find(index, word.reader, lbs_slice_of(text)) != -1;
        }
        is_int(found, 0, "%s: nobody by 65536 bytes", spellings[i]);
    }
    ok(thread_us() - before < 2e6, "in %.0f us", thread_us() - before);
    free(text);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    haproxy();
    nginx();
    traefik();
    bigip();
    routes();
    the_first_of_two();
    several_addresses();
    words();
    long_values();
    apr_terminate();
    return done_testing();
}
