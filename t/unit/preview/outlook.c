/* SPDX-License-Identifier: Apache-2.0 */
/* outlook.c - sums, and the page that is written. */
#include "src/preview/lbs_outlook.h"

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "t/unit/tap.h"

static apr_pool_t *memory;

static lbs_outlook_t *an_outlook(void)
{
    lbs_outlook_t *outlook = lbs_outlook_create(memory);
    lbs_outlook_pool_t *pool = lbs_outlook_add_pool(outlook, "www:80", "app");
    lbs_outlook_row_t *row = lbs_outlook_add_row(pool, "web1");

    outlook->path = "/run/state";
    outlook->age = APR_INT64_C(3999999);
    row->stay = 1200;
    row->moved[LBS_REASON_DRAINED] = 1;
    row = lbs_outlook_add_row(pool, "web2-long");
    row->wait = 30;
    row->drains = 1;
    row->left = APR_INT64_C(59000001);
    row = lbs_outlook_add_row(pool, "web3");
    row->lost = "secret";
    row->anew = 7;
    row->was_gone = 1;
    row = lbs_outlook_add_row(pool, "web4");
    row->is_new = 1;
    row = lbs_outlook_add_row(pool, "web5");
    row->refused = 2;
    row->moved[LBS_REASON_DOWN] = 3;
    lbs_outlook_say(pool->notes,
                    "a sentence that goes on for more than the seventy-two "
                    "columns that there are, and ends");
    lbs_outlook_say(outlook->unknown, "much");
    return outlook;
}

static const char expected[] =
    "Preview of a reload, with the sessions of /run/state,\n"
    "written 3 s ago\n"
    "\n"
    "balancer://app of www:80\n"
    "    member      sessions     stay     move     wait  why\n"
    "    web1            1201     1200        1        0  drained\n"
    "    web2-long         30        0        0       30  drains, 60 s are "
    "left\n"
    "    web3               7        0        7        0  secret already\n"
    "    web4               0        0        0        0  new\n"
    "    web5               5        0        5        0  refused, down\n"
    "    all             1243     1200       13       30\n"
    "    a sentence that goes on for more than the seventy-two columns that "
    "there\n"
    "      are, and ends\n"
    "\n"
    "All of it\n"
    "    11 of the sessions that would move would do so without any change, "
    "too:\n"
    "      their members are down, ejected, drained or removed already\n"
    "\n"
    "What httpd -t cannot know\n"
    "    much\n"
    "\n"
    "13 sessions would move.\n";

static void test_words(void)
{
    lbs_outlook_t *outlook = lbs_outlook_create(memory);
    char word[101];

    memset(word, 'x', 100);
    word[100] = '\0';
    outlook->path = "";
    lbs_outlook_say(outlook->unknown, word);
    lbs_outlook_say(outlook->unknown, apr_pstrcat(memory, word, " y", NULL));
    ok(strstr(lbs_outlook_text(outlook, memory), "xx\n      y\n") != NULL,
       "a word longer than a line has one to itself");
    is_str(lbs_outlook_text_unknown("no file", memory),
           "It is not known how many sessions would move: no file\n",
           "where nothing is known");
}

int main(void)
{
    lbs_outlook_t *outlook;

    apr_initialize();
    apr_pool_create(&memory, NULL);
    outlook = an_outlook();
    is_str(lbs_outlook_text(outlook, memory), expected, "the page");
    test_words();
    return done_testing();
}
