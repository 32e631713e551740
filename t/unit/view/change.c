/* SPDX-License-Identifier: Apache-2.0 */
#include "src/view/lbs_change.h"
#include "t/unit/view/sample.h"

static const char *check(apr_pool_t *pool, const char *text,
                         lbs_change_t *change)
{
    lbs_form_t form;
    const char *wrong = lbs_form_parse(&form, pool, text, strlen(text));

    if (wrong != NULL) {
        bail_out("%s", wrong);
    }
    return lbs_change_check(pool, &form, change);
}

static void good(apr_pool_t *pool)
{
    lbs_change_t change;

    ok(check(pool, "pool=app&member=web1&action=drain&deadline=10min&idle=90",
             &change)
           == NULL,
       "a drain");
    is_int(change.action, LBS_CHANGE_DRAIN, "the action");
    is_int(change.deadline, APR_INT64_C(600000000), "the deadline");
    is_int(change.idle, APR_INT64_C(90000000), "the idle time");
    is_str(change.member, "web1", "the member");
    ok(change.vhost == NULL && change.nonce == NULL, "what is not said");
    ok(check(pool, "pool=a&member=b&action=weight&weight=0.25", &change)
           == NULL,
       "a weight");
    is_int(change.weight_centi, 25, "in hundredths");
    ok(check(pool, "pool=a&member=b&action=drain&weight=&deadline=", &change)
           == NULL,
       "empty fields are as if not there");
    is_int(change.deadline, -1, "no deadline");
    ok(check(pool, "pool=a&member=b&action=forget&key=ip:127.0.0.1", &change)
           == NULL,
       "a key to forget");
    is_str(change.key, "ip:127.0.0.1", "the key");
    ok(check(pool, "pool=a&member=b&action=forget&key=&cookie=&nonce=0",
             &change)
           == NULL,
       "a page's form has both fields, also when all are meant");
}

static void bad(apr_pool_t *pool)
{
    static const char *const rows[] = {
        "",
        "pool=a&member=b",
        "action=drain",
        "action=drain&pool=a",
        "action=drain&pool=&member=b",
        "action=drain&member=b",
        "pool=a&member=b&action=",
        "pool=a&member=b&action=Drain",
        "pool=a&member=b&action=drain%0a",
        "pool=a&member=b&action=explode",
        "pool=a&member=b&action=weight",
        "pool=a&member=b&action=weight&weight=",
        "pool=a&member=b&action=weight&weight=-1",
        "pool=a&member=b&action=weight&weight=100.01",
        "pool=a&member=b&action=weight&weight=1.005",
        "pool=a&member=b&action=weight&weight=1e1",
        "pool=a&member=b&action=weight&weight=+1",
        "pool=a&member=b&action=weight&weight=18446744073709551617",
        "pool=a&member=b&action=drain&deadline=-1",
        "pool=a&member=b&action=drain&deadline=10x",
        "pool=a&member=b&action=drain&deadline=1e9",
        "pool=a&member=b&action=drain&idle=99999999999999999999",
        "pool=a&member=b&action=drain&weight=1",
        "pool=a&member=b&action=enable&deadline=1s",
        "pool=a&member=b&action=enable&colour=red",
        "pool=a&member=b&action=forget&key=ip:1&cookie=x",
        "pool=a&member=b&action=forget&key=",
        "pool=a&member=b&action=forget&cookie=",
        "pool=a&member=b&action=forget&key=&cookie=",
    };
    lbs_change_t change;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        ok(check(pool, rows[i], &change) != NULL, "refused: '%s'", rows[i]);
    }
    ok(strncmp(check(pool, "pool=a&member=b&action=weight&weight=1x", &change),
               "weight is 1x, wanted is ", 24)
           == 0,
       "the sentence names field, value and what was wanted");
}

static lbs_view_t *two_hosts(apr_pool_t *pool)
{
    lbs_view_t *view = sample_view(pool, 2, 0);
    lbs_view_pool_t *pools = apr_pcalloc(pool, 3 * sizeof(*pools));

    pools[0] = pools[1] = pools[2] = view->pools[0];
    pools[0].vhost = "a.example:80";
    pools[0].may_change = 1;
    pools[1].vhost = "b.example:80";
    pools[2].name = "only";
    pools[2].may_change = 1;
    view->pools = pools;
    view->pools_count = 3;
    return view;
}

static void finding(apr_pool_t *pool)
{
    static const struct {
        const char *text;
        int status;
        const char *name;
    } rows[] = {
        {"pool=only&member=web2&action=enable", 200, "by route"},
        {"pool=only&member=http://10.0.0.2:8000&action=enable", 200, "by URL"},
        {"pool=only&member=0000000000000abd&action=enable", 200, "by id"},
        {"pool=only&member=web3&action=enable", 404, "no such member"},
        {"pool=none&member=web1&action=enable", 404, "no such pool"},
        {"pool=only&vhost=x&member=web1&action=enable", 404,
         "no such virtual host"},
        {"pool=app&member=web1&action=enable", 400,
         "two virtual hosts have it"},
        {"pool=app&vhost=a.example:80&member=web1&action=enable", 200,
         "the pool of the host that was named"},
        {"pool=app&vhost=b.example:80&member=web1&action=enable", 403,
         "a pool that may not be changed from here"},
    };
    lbs_view_t *view = two_hosts(pool);
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const lbs_view_member_t *member = NULL;
        const lbs_view_pool_t *in = NULL;
        const char *wrong = NULL;
        lbs_change_t change;

        ok(check(pool, rows[i].text, &change) == NULL, "a good form");
        is_int(lbs_change_find(pool, &change, view, &in, &member, &wrong),
               rows[i].status, "%s", rows[i].name);
        ok((rows[i].status == 200) == (member != NULL)
               && (rows[i].status == 200) == (wrong == NULL),
           "a member or a sentence");
        if (rows[i].status == 400) {
            ok(strstr(wrong, "a.example:80") != NULL
                   && strstr(wrong, "b.example:80") != NULL,
               "the sentence names the virtual hosts");
        }
    }
}

int main(void)
{
    apr_pool_t *pool = sample_memory();

    good(pool);
    bad(pool);
    finding(pool);
    return done_testing();
}
