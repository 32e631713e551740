/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_trail.h"

#include <stdio.h>
#include <string.h>

#include "t/unit/tap.h"

static const lbs_hash_key_t key = {"a key of servers"};
static const lbs_hash_key_t other_key = {"another of them."};

static const lbs_trail_about_t about = {7, "GET", "/a/b?c=d/e"};

#define NOW 1700000000u

static int here(const char *text, const lbs_trail_about_t *to)
{
    return lbs_trail_has(text, &key, to, NOW);
}

static void a_server_knows_its_own_tag(void)
{
    char text[LBS_TRAIL_MAX + 1];

    lbs_trail_extend(text, NULL, &key, &about, NOW);
    is_int(strlen(text), LBS_TRAIL_TAG, "one tag");
    ok(here(text, &about), "is known");
    ok(!lbs_trail_has(text, &other_key, &about, NOW), "to this server only");
    ok(!here("", &about), "nothing is no tag");
    ok(!here(NULL, &about), "nor is no field");
    is_str(text, "6553f1007a56422ef95ee1e9", "the same on every machine");
}

static void a_tag_is_good_for_its_request(void)
{
    char text[LBS_TRAIL_MAX + 1];
    lbs_trail_about_t to = about;

    lbs_trail_extend(text, NULL, &key, &about, NOW);
    to.target = "/more/of/a/b?c=d/e";
    ok(here(text, &to), "a ring may add a path");
    to.target = "/b?c=d/e";
    ok(here(text, &to), "or take one away");
    to.target = "/a/b?c=d/f";
    ok(!here(text, &to), "another query");
    to.target = "/a/x?c=d/e";
    ok(!here(text, &to), "another name");
    to = about;
    to.method = "POST";
    ok(!here(text, &to), "another method");
    to = about;
    to.pool = 8;
    ok(!here(text, &to), "another pool");
}

static void a_tag_ages(void)
{
    char text[LBS_TRAIL_MAX + 1];

    lbs_trail_extend(text, NULL, &key, &about, NOW);
#define AT(now) lbs_trail_has(text, &key, &about, now)
    ok(AT(NOW + LBS_TRAIL_AGE), "a minute later");
    ok(!AT(NOW + LBS_TRAIL_AGE + 1), "and a second");
    ok(AT(NOW - LBS_TRAIL_AGE), "a clock behind");
    ok(!AT(NOW - LBS_TRAIL_AGE - 1), "and a second");
#undef AT
    text[7] = text[7] == '0' ? '1' : '0';
    ok(!here(text, &about), "its date is signed");
}

static void tags_of_others_are_passed_on(void)
{
    char one[LBS_TRAIL_MAX + 1], all[LBS_TRAIL_MAX + 1];
    int i;

    lbs_trail_extend(one, NULL, &key, &about, NOW);
    for (i = 1; i < LBS_TRAIL_TAGS; i++) {
        lbs_trail_extend(all, one, &other_key, &about, NOW + (unsigned)i);
        memcpy(one, all, sizeof(one));
    }
    is_int(strlen(all), LBS_TRAIL_MAX, "as many as there may be");
    ok(here(all, &about), "and the first is known");
    lbs_trail_extend(one, all, &other_key, &about, NOW);
    is_int(strlen(one), LBS_TRAIL_MAX, "one more");
    ok(!here(one, &about), "takes the place of the first");
}

static void nothing_else_is_passed_on(void)
{
    static const char *const junk[] = {"3-",
                                       "x",
                                       ",,, ,",
                                       "6553F10000112233445566FF",
                                       "6553f1000011223344556677889900",
                                       "6553f10000112233445566",
                                       "6553f100/0112233445566778",
                                       "1-6553f100-\x80\xff\t"};
    char text[LBS_TRAIL_MAX + 1], before[LBS_TRAIL_MAX + 100];
    apr_size_t i;
    int wrong = 0;

    for (i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        lbs_trail_extend(text, junk[i], &key, &about, NOW);
        wrong += strlen(text) != LBS_TRAIL_TAG;
        (void)snprintf(before, sizeof(before), "%s, %s", text, junk[i]);
        wrong += !here(before, &about);
        lbs_trail_extend(text, before, &key, &about, NOW);
        wrong += strlen(text) != 2 * LBS_TRAIL_TAG + 1;
    }
    is_int(wrong, 0, "text that is no tag is left out");
}

int main(void)
{
    a_server_knows_its_own_tag();
    a_tag_is_good_for_its_request();
    a_tag_ages();
    tags_of_others_are_passed_on();
    nothing_else_is_passed_on();
    return done_testing();
}
