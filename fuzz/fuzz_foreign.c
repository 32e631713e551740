/* SPDX-License-Identifier: Apache-2.0 */
/* A cookie of the former balancer: the parts that a reader finds lie within
 * it, are bounded in number, and name a member only if the reader's values say
 * so. `name LF value`; a name that is a word of LBStickyForeign is read, too.
 */
#include "src/foreign/lbs_foreign.h"

#include "fuzz/input.h"

#define MEMBERS 4

/* Who is named must be one whose values have such a part. */
typedef struct seen_t {
    lbs_slice_t part;
    int found;
} seen_t;

static void compare(void *baton, const char *value)
{
    seen_t *seen = baton;

    must(*value != '\0' && strlen(value) < 4096);
    seen->found |= lbs_slice_is(seen->part, value);
}

static const lbs_foreign_member_t *members(void)
{
    static const lbs_foreign_address_t v4 = {0, {10, 1, 1, 100}};
    static const lbs_foreign_address_t v6 = {
        1, {0x20, 1, 1, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x30}};
    static const lbs_foreign_member_t list[MEMBERS] = {
        {"web1", "http://10.1.1.100:8080", "http", "10.1.1.100", 8080, NULL,
         &v4, 1},
        {"a.b|c~d", "https://[2001:112::30]", "https", "2001:112::30", 443,
         NULL, &v6, 1},
        {"", "http://unknown/app", "http", "unknown", 80, NULL, NULL, 0},
        {"u", "http://u/", "http", "u", 80, "/run/app.sock", NULL, 0},
    };

    return list;
}

static int finds(apr_pool_t *pool, const lbs_foreign_reader_t *reader,
                 const lbs_foreign_member_t *member, const char *value)
{
    seen_t seen = {{NULL, 0}, 0};
    const lbs_foreign_sink_t sink = {pool, compare, &seen};
    size_t parts = 0;

    while (!seen.found && reader->next(lbs_slice_of(value), &seen.part)) {
        must(seen.part.n != 0 && input_holds(value, seen.part));
        must(++parts <= strlen(value));
        /* Longer parts are nobody's: the longest value has fewer bytes. */
        if (seen.part.n < 256) {
            reader->say(member, &sink);
        }
    }
    return seen.found;
}

static void check(apr_pool_t *pool, const char *word, const char *value)
{
    lbs_foreign_index_t *index = lbs_foreign_index_make(pool);
    lbs_foreign_t list[LBS_FOREIGN_MAX];
    int count = 0;
    int number, i;

    must(lbs_foreign_add(pool, word, list, &count) == NULL && count == 1);
    for (i = 0; i < MEMBERS; i++) {
        (void)lbs_foreign_index_add(index, list[0].reader, &members()[i], i);
    }
    number = lbs_foreign_find(index, list[0].reader, lbs_slice_of(value));
    must(number >= -1 && number < MEMBERS);
    if (number >= 0) {
        must(finds(pool, list[0].reader, &members()[number], value));
    }
    else if (strlen(value) < 128) {
        for (i = 0; i < MEMBERS; i++) {
            must(!finds(pool, list[0].reader, &members()[i], value));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"haproxy:a",   "nginx:a",
                                        "traefik:a",   "bigip:a",
                                        "mod_proxy:a", "jvmroute:a"};
    apr_pool_t *pool = input_pool();
    input_t in = input_open(data, size);
    lbs_foreign_t list[LBS_FOREIGN_MAX];
    int count = 0;
    size_t i;

    if (lbs_foreign_add(pool, in.name, list, &count) == NULL) {
        must(count == 1 && strlen(list[0].name) <= LBS_FOREIGN_NAME_MAX);
        must(strchr(list[0].spelling, ':') != NULL);
    }
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        check(pool, words[i], in.text);
    }
    input_close(&in);
    return 0;
}
