/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_foreign_route.c - mod_proxy_balancer and what it reads.
 *
 *     .web1                       ROUTEID of httpd's manual (mod_proxy)
 *     0123456789ABCDEF.web1       jvmRoute of Tomcat, mod_jk, WildFly
 *
 * The longest text behind a dot that is a member's route; a route may hold
 * dots. The value may also stand in the URL: /app;jsessionid=0123.web1
 */
#include "src/foreign/lbs_foreign_int.h"

#include "src/affinity/lbs_keys.h"

static void say_member(const lbs_foreign_member_t *member,
                       const lbs_foreign_sink_t *sink)
{
    lbs_foreign_say(sink, member->route);
}

static int next(lbs_slice_t value, lbs_slice_t *part)
{
    return lbs_key_route_next(value, part) == APR_SUCCESS;
}

const lbs_foreign_reader_t lbs_foreign_mod_proxy = {
    .word = "mod_proxy",
    .uses = LBS_FOREIGN_ROUTE | LBS_FOREIGN_PATH,
    .say = say_member,
    .next = next,
};

const lbs_foreign_reader_t lbs_foreign_jvmroute = {
    .word = "jvmroute",
    .uses = LBS_FOREIGN_ROUTE | LBS_FOREIGN_PATH,
    .say = say_member,
    .next = next,
};
