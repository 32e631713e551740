/* SPDX-License-Identifier: Apache-2.0 */
/* key=value arguments: each kind read and refused, with a sentence that names
 * directive, argument and what was wanted. */
#include <apr_general.h>
#include <stddef.h>

#include "src/base/lbs_args.h"
#include "src/base/lbs_text.h"
#include "t/unit/tap.h"

typedef struct all_t {
    apr_int64_t idle;
    apr_int64_t max;
    apr_int64_t stall;
    apr_int64_t hold[2];
    int host;
    apr_uint64_t body;
    apr_uint32_t tries;
    apr_uint32_t bound;
    apr_uint32_t cap;
    lbs_statuses_t status;
    apr_uint32_t on;
    apr_uint32_t mode;
    const char *path;
    lbs_statuses_auto_t eject;
} all_t;

static const char *const words[] = {"connect", "reset", "timeout", NULL};

#define AT(field) offsetof(all_t, field)

static const lbs_arg_t table[] = {
    {"idle", LBS_ARG_DURATION, AT(idle), 1000000, 60000000, NULL},
    {"max", LBS_ARG_DURATION_OFF, AT(max), 0, 0, NULL},
    {"stall", LBS_ARG_DURATION_AUTO, AT(stall), 0, 0, NULL},
    {"hold", LBS_ARG_RANGE, AT(hold), 1000, 60000000, NULL},
    {"host", LBS_ARG_SWITCH, AT(host), 0, 0, NULL},
    {"body", LBS_ARG_SIZE, AT(body), 0, 0, NULL},
    {"tries", LBS_ARG_UINT, AT(tries), 1, 9, NULL},
    {"bound", LBS_ARG_CENTI, AT(bound), 105, 400, NULL},
    {"cap", LBS_ARG_PERCENT, AT(cap), 0, 0, NULL},
    {"status", LBS_ARG_STATUSES, AT(status), 0, 0, NULL},
    {"eject", LBS_ARG_STATUSES_AUTO, AT(eject), 0, 0, NULL},
    {"on", LBS_ARG_WORDS, AT(on), 0, 0, words},
    {"mode", LBS_ARG_WORD, AT(mode), 0, 0, words},
    {"path", LBS_ARG_TEXT, AT(path), 0, 0, NULL},
    {NULL, LBS_ARG_TEXT, 0, 0, 0, NULL},
};

static apr_pool_t *pool;

static const char *read_one(const char *arg, all_t *all)
{
    memset(all, 0, sizeof(*all));
    return lbs_args_read(pool, "Dir", table, 1, &arg, all);
}

static void test_good(void)
{
    static const char *const args[] = {"idle=30s",   "max=off",
                                       "stall=auto", "hold=1s-60s",
                                       "host=off",   "body=64k",
                                       "tries=9",    "bound=1.25",
                                       "status=503", "on=timeout,connect",
                                       "mode=reset", "path=/x",
                                       "cap=50%"};
    all_t all = {.host = 1, .max = 7};

    is_str(lbs_args_read(pool, "Dir", table, 13, args, &all), NULL,
           "one of each kind");
    is_int(all.idle, 30000000, "duration");
    is_int(all.max, 0, "off");
    is_int(all.stall, -1, "auto");
    ok(all.hold[0] == 1000000 && all.hold[1] == 60000000, "range");
    is_int(all.host, 0, "switch");
    is_int((long)all.body, 65536, "size");
    is_int(all.tries, 9, "number");
    is_int(all.bound, 125, "hundredths");
    ok(lbs_statuses_has(&all.status, 503), "statuses");
    is_int(all.on, 5, "words");
    is_int(all.mode, 1, "word");
    is_str(all.path, "/x", "text");
    is_int(all.cap, 50, "percent");
}

/* httpd's own directives are not particular about case either. */
static void test_case(void)
{
    all_t all;

    ok(read_one("Idle=30S", &all) == NULL && all.idle == 30000000, "a key");
    ok(read_one("max=OFF", &all) == NULL && all.max == 0, "off");
    ok(read_one("stall=Auto", &all) == NULL && all.stall == -1, "auto");
    ok(read_one("host=On", &all) == NULL && all.host == 1, "a switch");
    ok(read_one("on=Reset,TIMEOUT", &all) == NULL && all.on == 6, "words");
    ok(read_one("path=/X", &all) == NULL && strcmp(all.path, "/X") == 0,
       "but a text stays as it is");
}

static void test_statuses_auto(void)
{
    all_t all;

    ok(read_one("eject=Auto", &all) == NULL && all.eject.is_auto == 1
           && !lbs_statuses_has(&all.eject.listed, 500),
       "statuses left to the module");
    ok(read_one("eject=502-504", &all) == NULL && all.eject.is_auto == 0
           && lbs_statuses_has(&all.eject.listed, 503),
       "statuses that are listed");
    ok(read_one("eject=off", &all) == NULL && all.eject.is_auto == 0
           && !lbs_statuses_has(&all.eject.listed, 503),
       "no statuses");
}

static void test_bad(void)
{
    static const struct {
        const char *arg, *wanted;
    } bad[] = {
        {"idle=10x", "idle wants"},
        {"idle=0", "a duration of at least 1s"},
        {"idle=61s", "a duration of at most 1min"},
        {"idle=off", "idle wants"},
        {"idle", "not known here"},
        {"eject=5", ", auto or off"},
        {"=3", "not known here"},
        {"idl=3", "idle=, max="},
        {"idlee=3", "not known here"},
        {"max=auto", "(at most 3650d), or off"},
        {"stall=x", "(at most 3650d), auto or off"},
        {"hold=0-1s", "at least 1ms"},
        {"hold=1s-2min", "at most 1min"},
        {"hold=5s-1s", "hold wants"},
        {"hold=1s-", "hold wants"},
        {"host=1", "host wants"},
        {"tries=0", "from 1 to 9"},
        {"tries=10", "from 1 to 9"},
        {"tries=1e0", "from 1 to 9"},
        {"tries= 1", "from 1 to 9"},
        {"tries=18446744073709551617", "from 1 to 9"},
        {"bound=4.01", "from 1.05 to 4.00"},
        {"bound=1.04", "from 1.05 to 4.00"},
        {"bound=x", "from 1.05 to 4.00"},
        {"cap=101", "from 0 to 100"},
        {"cap=50%%", "from 0 to 100"},
        {"status=99", "status wants"},
        {"on=", "connect,reset"},
        {"on=connect,", "connect,reset"},
        {"on=con", "connect,reset"},
        {"mode=x", "one of connect, reset"},
        {"path=", "a value"},
        {"path=a\tb", "control characters"},
    };
    all_t all;
    unsigned i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *error = read_one(bad[i].arg, &all);

        ok(error != NULL && strncmp(error, "Dir: ", 5) == 0
               && strstr(error, bad[i].wanted) != NULL,
           "%s: %s", bad[i].arg, error != NULL ? error : "accepted");
    }
}

static void test_twice(void)
{
    static const char *const args[] = {"tries=1", "tries=1"};
    all_t all;

    ok(strstr(lbs_args_read(pool, "Dir", table, 2, args, &all), "comes twice")
           != NULL,
       "a key that comes twice");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_good();
    test_case();
    test_statuses_auto();
    test_bad();
    test_twice();
    return done_testing();
}
