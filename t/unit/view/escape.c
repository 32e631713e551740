/* SPDX-License-Identifier: Apache-2.0 */
#include "src/view/lbs_escape.h"
#include "t/unit/view/sample.h"

static void documents(apr_pool_t *pool)
{
    static const struct {
        lbs_out_escape_t how;
        const char *in, *out, *name;
    } rows[] = {
        {LBS_OUT_HTML, "\"><script>&'", "&quot;&gt;&lt;script&gt;&amp;&#39;",
         "HTML leaves no way out of an attribute or an element"},
        {LBS_OUT_HTML, "a\nb\tc\x7f\x1b[2J", "a b c  [2J",
         "control characters are blanks in HTML"},
        {LBS_OUT_LABEL, "a\\b\"c\nd<e>", "a\\\\b\\\"c\\nd<e>",
         "a label keeps its quotes, newlines and backslashes"},
        {LBS_OUT_PLAIN, "a\r\nLBS1: forged", "a  LBS1: forged",
         "plain text stays on its line"},
        {LBS_OUT_PLAIN, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x91\x8d",
         "gr\xc3\xbc\xc3\x9f \xf0\x9f\x91\x8d", "UTF-8 stays"},
        {LBS_OUT_HTML, "a\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd",
         "other bytes are replaced, also the half of one at the end"},
        {LBS_OUT_HTML, "\xc3<", "\xef\xbf\xbd&lt;",
         "a broken sequence does not swallow the next byte"},
        {LBS_OUT_PLAIN, "\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd",
         "overlong forms are no UTF-8"},
        {LBS_OUT_PLAIN, "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
         "surrogates are none"},
        {LBS_OUT_PLAIN, "\xf4\x90\x80\x80",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
         "nothing above U+10FFFF"},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        is_str(lbs_escape_text(pool, rows[i].how, rows[i].in), rows[i].out,
               "%s", rows[i].name);
    }
    is_str(lbs_escape_text(pool, LBS_OUT_HTML, NULL), "", "NULL is nothing");
}

static void for_json(apr_pool_t *pool)
{
    const char *good = "gr\xc3\xbc\xc3\x9f\n";

    ok(lbs_escape_utf8(pool, good) == good, "UTF-8 is not copied");
    is_str(lbs_escape_utf8(pool, "\xff"
                                 "a\xe2\x82"),
           "\xef\xbf\xbd"
           "a\xef\xbf\xbd\xef\xbf\xbd",
           "broken UTF-8 is mended");
    is_str(lbs_escape_utf8(pool, NULL), "", "NULL is nothing");
}

static void links(apr_pool_t *pool)
{
    is_str(lbs_escape_url(pool, "a-b_c.d~9"), "a-b_c.d~9",
           "plain text has no escapes");
    is_str(lbs_escape_url(pool, " &=+%\"<\n\xff"),
           "%20%26%3D%2B%25%22%3C%0A%FF", "all else has");
}

/* Every string of two bytes: what comes out is UTF-8 without control
 * characters, and mending it again changes nothing. */
static void all_pairs(apr_pool_t *pool)
{
    int a, b, bad = 0;

    for (a = 1; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            char in[3] = {(char)a, (char)b, '\0'};
            const char *out = lbs_escape_text(pool, LBS_OUT_PLAIN, in);
            const char *at;

            bad += lbs_escape_utf8(pool, out) != out;
            for (at = out; *at != '\0'; at++) {
                bad += (unsigned char)*at < 0x20;
            }
        }
        apr_pool_clear(pool);
    }
    is_int(bad, 0, "no two bytes get through that should not");
}

int main(void)
{
    apr_pool_t *pool = sample_memory();

    documents(pool);
    for_json(pool);
    links(pool);
    all_pairs(pool);
    return done_testing();
}
