/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_control.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <string.h>

#include "t/unit/tap.h"

static apr_pool_t *pool;

static lbs_control_t of(const char *name, const char *value)
{
    lbs_control_t control = {.releases = 0};

    lbs_control_add(&control, name, value);
    return control;
}

static void names(void)
{
    ok(lbs_control_is_field("LBSticky-Move"), "a field of ours");
    ok(lbs_control_is_field("lbsticky-"), "in lower case, nothing behind it");
    ok(lbs_control_is_field("LBSTICKY_MOVE"), "as a variable");
    ok(!lbs_control_is_field("LBSticky"), "too short");
    ok(!lbs_control_is_field("LBStickyMove"), "no dash");
    ok(!lbs_control_is_field(""), "nothing");
}

static void values(void)
{
    static const struct {
        const char *name, *value;
        int counts;
    } row[] = {
        {"LBSticky-Release", "1", 1},
        {"lbsticky-RELEASE", " 1\t", 1},
        {"LBSticky-Release", "", 0},
        {"LBSticky-Release", "0", 0},
        {"LBSticky-Release", "11", 0},
        {"LBSticky-Release", "true", 0},
        {"LBSticky-Move", "any", 1},
        {"LBSticky-Move", "ANY", 1},
        {"LBSticky-Move", "web1", 1},
        {"LBSticky-Move", "w;e\"b.1", 1},
        {"LBSticky-Move", "", 0},
        {"LBSticky-Move", "  ", 0},
        {"LBSticky-Move", "a b", 0},
        {"LBSticky-Move", "a\x01", 0},
        {"LBSticky-Move", "a\x7f", 0},
        {"LBSticky-Hold", "10s", 1},
        {"LBSticky-Hold", "500ms", 1},
        {"LBSticky-Hold", "0", 1},
        {"LBSticky-Hold", "7", 1},
        {"LBSticky-Hold", "-1", 0},
        {"LBSticky-Hold", "1.5s", 0},
        {"LBSticky-Hold", "", 0},
        {"LBSticky-Hold", "soon", 0},
        {"LBSticky-Hold", "99999999999999999999s", 0},
        {"LBSticky-Moved", "from=a; reason=b", 0},
        {"LBSticky_Move", "any", 0},
        {"LBSticky-", "1", 0},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(row) / sizeof(*row); i++) {
        lbs_control_t c = of(row[i].name, row[i].value);

        ok((c.wrong == NULL) == row[i].counts
               && (c.releases || c.moves || c.holds) == row[i].counts,
           "%s: %s", row[i].name, row[i].value);
    }
    is_int((long)of("LBSticky-Hold", "2min").hold, 120000000, "microseconds");
    is_int((long)of("LBSticky-Move", "any").route.n, 0, "any has no route");
    ok(lbs_slice_is(of("LBSticky-Move", " web2 ").route, "web2"), "a route");
}

static void lengths(void)
{
    char text[LBS_CONTROL_VALUE_MAX + 2];

    memset(text, 'x', sizeof(text));
    text[LBS_CONTROL_VALUE_MAX] = '\0';
    ok(of("LBSticky-Move", text).moves, "as long as may be");
    text[LBS_CONTROL_VALUE_MAX] = 'x';
    text[LBS_CONTROL_VALUE_MAX + 1] = '\0';
    ok(!of("LBSticky-Move", text).moves, "too long");
}

static void repeated(void)
{
    lbs_control_t c = of("LBSticky-Move", "web1");

    lbs_control_add(&c, "LBSticky-Hold", "1s");
    ok(c.moves && c.holds && c.wrong == NULL, "different fields");
    lbs_control_add(&c, "lbsticky-move", "web1");
    ok(!c.moves && c.holds && c.wrong != NULL, "one that is there twice");
    lbs_control_add(&c, "LBSticky-Move", "web1");
    ok(!c.moves, "or three times");
}

static void moved(void)
{
    is_str(lbs_control_moved(pool, "web1", "down"), "from=web1; reason=down",
           "a route");
    is_str(lbs_control_moved(pool, "http://10.0.0.1:80", "asked"),
           "from=\"http://10.0.0.1:80\"; reason=asked", "a URL");
    is_str(lbs_control_moved(pool, "a\"\\\r\nb", "down"),
           "from=\"a\\\"\\\\b\"; reason=down", "characters that end a field");
    is_str(lbs_control_moved(pool, "", "down"), "from=\"\"; reason=down",
           "nothing");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    names();
    values();
    lengths();
    repeated();
    moved();
    apr_pool_destroy(pool);
    return done_testing();
}
