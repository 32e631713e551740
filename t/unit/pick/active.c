/* SPDX-License-Identifier: Apache-2.0 */
/* The rule itself, case by case; t/unit/pick/pick.c tries all subsets. */
#include "src/pick/lbs_active.h"

#include "t/unit/tap.h"

#define U LBS_ACTIVE_USABLE
#define SPARE LBS_ACTIVE_SPARE
#define STANDBY LBS_ACTIVE_STANDBY
#define TRIAL LBS_ACTIVE_TRIAL
#define GONE LBS_ACTIVE_GONE

static const apr_uint16_t member[] = {0, 1, 2, 3, 4, 5};
static const apr_uint32_t lbset[] = {0, 0, 0, 0, 2, 2};

static const lbs_active_order_t order = {member, lbset, 6};

/* @return the chosen as digits in the order in which they were chosen */
static const char *chosen(const unsigned char *state)
{
    static char text[8];
    apr_uint16_t index[6];
    apr_uint32_t n = lbs_active_choose(index, &order, state);
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        text[i] = (char)('0' + index[i]);
    }
    text[n] = '\0';
    return text;
}

/* @return those at home as digits */
static const char *homes(const unsigned char *state)
{
    static char text[8];
    unsigned char home[6];
    int n = 0;
    int i;

    lbs_active_homes(home, &order, state);
    for (i = 0; i < 6; i++) {
        if (home[i]) {
            text[n++] = (char)('0' + i);
        }
    }
    text[n] = '\0';
    return text;
}

#define CHOSEN(want, what, ...)                                               \
    is_str(chosen((const unsigned char[6]){__VA_ARGS__}), want, what)
#define HOMES(want, what, ...)                                                \
    is_str(homes((const unsigned char[6]){__VA_ARGS__}), want, what)

int main(void)
{
    CHOSEN("012", "a spare waits while all are usable", U, U, U, U | SPARE, U,
           U);
    CHOSEN("013", "a spare replaces one that is not", U, U, 0, U | SPARE, U,
           U);
    CHOSEN("02", "one spare for one, the first of two", U, 0, U | SPARE,
           U | SPARE, U, U);
    CHOSEN("23", "two for two", 0, 0, U | SPARE, U | SPARE, U, U);
    CHOSEN("03", "not a spare that is down itself", U, 0, SPARE, U | SPARE, U,
           U);
    CHOSEN("0123", "a half-open member still needs its spare", U, U | TRIAL, U,
           U | SPARE, U, U);
    CHOSEN("3", "a standby serves when nobody else does", 0, 0, SPARE,
           U | STANDBY, U, U);
    CHOSEN("0", "and not before", U, 0, 0, U | STANDBY, U, U);
    CHOSEN("3", "a member that is spare and standby is a spare", U * 0, 0, 0,
           U | STANDBY | SPARE, U, U);
    CHOSEN("45", "the next lbset when the first is empty", 0, 0, SPARE,
           STANDBY, U, U);
    CHOSEN("45", "a pool of spares has nobody to replace", U | SPARE,
           U | SPARE, U | SPARE, U | SPARE, U, U);
    CHOSEN("", "nobody", 0, 0, 0, 0, 0, 0);

    HOMES("0123", "all ordinary members, down or not, are homes", 0, U, 0, 0,
          U, U);
    HOMES("012", "a spare is none", U, U, U, U | SPARE, U, U);
    HOMES("45", "nor is a standby; the next lbset", SPARE, STANDBY, SPARE,
          SPARE, 0, U);
    HOMES("012345", "if nobody is ordinary, all are", SPARE, STANDBY, SPARE,
          SPARE, SPARE, STANDBY);
    HOMES("023", "a member that is no longer configured is not active", U,
          GONE, U, U, U, U);
    return done_testing();
}
