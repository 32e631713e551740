/* SPDX-License-Identifier: Apache-2.0 */
/* outline.c - what is written down is read again; what is none is refused. */
#include "src/preview/lbs_outline.h"

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "t/unit/tap.h"

static apr_pool_t *memory;

static lbs_outline_t *an_outline(void)
{
    lbs_outline_t *outline = lbs_outline_create(memory);
    lbs_outline_pool_t *pool;
    lbs_outline_member_t *m;

    APR_ARRAY_PUSH(outline->secrets, apr_uint64_t) = 7;
    APR_ARRAY_PUSH(outline->secrets, apr_uint64_t) = APR_UINT64_MAX;
    pool = lbs_outline_add_pool(outline, "www:80", "app");
    pool->cookie = "LB";
    lbs_outline_add_source(pool, "cookie");
    lbs_outline_add_source(pool, "session=sid");
    lbs_outline_add_source(pool, "cookie");
    m = apr_array_push(pool->members);
    *m = (lbs_outline_member_t){
        .route = "r1", .url = "http://a", .quantum_us = 1024};
    m = apr_array_push(pool->members);
    *m = (lbs_outline_member_t){.route = "",
                                .url = "http://b",
                                .quantum_us = 2048,
                                .removed = 1,
                                .found = 1,
                                .address = "10.0.0.7",
                                .found_by = 3,
                                .named_by = 9,
                                .leave_us = 77,
                                .lease_us = 0,
                                .lbset = 7};
    pool = lbs_outline_add_pool(outline, "old:80", "gone");
    pool->removed = 1;
    return outline;
}

static void test_round(void)
{
    apr_size_t len;
    const unsigned char *bytes =
        lbs_outline_encode(an_outline(), &len, memory);
    lbs_outline_t *read = lbs_outline_decode(bytes, len, memory);
    const lbs_outline_pool_t *pool;
    const lbs_outline_member_t *m;

    ok(read != NULL, "it is read");
    is_int(read->secrets->nelts, 2, "both secrets");
    ok(lbs_outline_verifies(read, APR_UINT64_MAX)
           && lbs_outline_verifies(read, 7),
       "as they were");
    ok(!lbs_outline_verifies(read, 8), "and no other");
    is_int(read->pools->nelts, 2, "both pools");
    pool = &LBS_OUTLINE_AT(read->pools, 0, lbs_outline_pool_t);
    is_str(pool->vhost, "www:80", "its virtual host");
    is_str(pool->name, "app", "its name");
    is_str(pool->cookie, "LB", "its cookie");
    is_int(pool->sources->nelts, 2, "a source counts once");
    ok(lbs_outline_has_source(pool, "session=sid")
           && !lbs_outline_has_source(pool, "session=si"),
       "by its whole spelling");
    ok(!pool->removed, "it is configured");
    m = &LBS_OUTLINE_AT(pool->members, 1, lbs_outline_member_t);
    is_str(m->route, "", "a member without a route");
    is_str(m->url, "http://b", "its URL");
    ok(m->found && strcmp(m->address, "10.0.0.7") == 0 && m->found_by == 3
           && m->lbset == 7,
       "found by a source");
    ok(m->named_by == 9 && m->leave_us == 77 && m->lease_us == 0,
       "named by two, leaving");
    ok(m->quantum_us == 2048 && m->removed, "its clock, and that it is gone");
    pool = &LBS_OUTLINE_AT(read->pools, 1, lbs_outline_pool_t);
    ok(pool->removed && pool->sources->nelts == 0, "a pool that is gone");
}

static int is_read(const char *bytes, apr_size_t len)
{
    return lbs_outline_decode((const unsigned char *)bytes, len, memory)
           != NULL;
}

#define READ(text) is_read(text, sizeof(text) - 1)

static void test_none(void)
{
    apr_size_t len, cut;
    const unsigned char *bytes =
        lbs_outline_encode(an_outline(), &len, memory);
    int wrong = 0;

    ok(READ(""), "nothing is an empty one");
    ok(READ("Vwww\0Napp\0"), "a pool");
    ok(READ("Vwww\0Zfuture\0Napp\0"), "an unknown entry is passed over");
    ok(!READ("Vwww"), "no end");
    ok(!READ("Vwww\0\0"), "an entry without a letter");
    ok(!READ("Napp\0"), "a name without its pool");
    ok(!READ("Rr1\0"), "a member without its pool");
    ok(!READ("Vwww\0Uhttp://a\0"), "a URL without its member");
    ok(!READ("Vwww\0Rr\0Vwww\0Uhttp://a\0"), "or behind the next pool");
    for (cut = 0; cut < len; cut++) {
        /* A cut between entries leaves a shorter outline. */
        wrong += cut > 0 && bytes[cut - 1] != '\0'
                 && lbs_outline_decode(bytes, cut, memory) != NULL;
    }
    is_int(wrong, 0, "no cut within an entry is read");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    test_round();
    test_none();
    return done_testing();
}
