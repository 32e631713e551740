/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_identity.h"
#include "t/unit/tap.h"

/* Numbers made with an independent implementation: another byte order, word
 * size or compiler must give the same, or servers disagree. */
static void ids_are_the_same_everywhere(void)
{
    apr_uint64_t pool = lbs_identity_pool("www.example.com:80", "app");
    apr_uint64_t shop = lbs_identity_pool("shop.example.com:80", "app");

    ok(pool == APR_UINT64_C(0xdfa7469d7c8b7b74),
       "the pool's, 0x%" APR_UINT64_T_HEX_FMT, pool);
    ok(lbs_identity_member(pool, "web1", "http://10.0.0.11:8000")
           == APR_UINT64_C(0x17eaec7bf4944bff),
       "a member's with a route");
    ok(lbs_identity_member(pool, "", "http://10.0.0.11:8000")
           == APR_UINT64_C(0x6ea8ca55f3f7f209),
       "a member's without");
    ok(pool != shop, "two virtual hosts with a pool app share nothing");
    ok(pool == lbs_identity_pool("WWW.Example.com:80", "app"),
       "a server name is the same in any case");
    ok(lbs_identity_pool("ab", "c") != lbs_identity_pool("a", "bc"),
       "where one name ends and the next begins counts");
    ok(lbs_identity_member(pool, "x", "u")
           != lbs_identity_member(pool, NULL, "x"),
       "a route that reads like a URL is another member");
    ok(lbs_identity_member(pool, "web1", "u")
           != lbs_identity_member(shop, "web1", "u"),
       "one route in two pools is two members");
}

int main(void)
{
    ids_are_the_same_everywhere();
    return done_testing();
}
