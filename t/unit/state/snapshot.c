/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_snapshot.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/lbs_rand.h"
#include "src/table/lbs_validate.h"
#include "t/unit/state/saved.h"

static void fingerprints(void)
{
    static const lbs_hash_key_t a = {"one secret"}, b = {"another"};

    ok(lbs_snapshot_fingerprint(&a) == lbs_snapshot_fingerprint(&a),
       "a secret has one fingerprint");
    ok(lbs_snapshot_fingerprint(&a) != lbs_snapshot_fingerprint(&b),
       "another one has another");
    ok(lbs_snapshot_fingerprint(&a) != 0, "0 means random");
}

static void needs_its_room(void)
{
    lbs_registry_t *reg = new_registry();
    lbs_snapshot_t from = {.reg = reg, .count = 1};
    lbs_clock_t now = moment(1000, 0);
    lbs_table_t *table;
    unsigned char *bytes;
    apr_size_t len = 0, i, short_of = 0, seven = 7;

    name_all(reg, "abc");
    lbs_registry_commit(reg, &now);
    table = new_table(reg, 100);
    from.tables[0] = table;
    bind_all(reg, table, "abc", 0, 10, 1000);
    bytes = save(&from, &now, &len);
    ok(len > 0 && len <= lbs_snapshot_room(&from), "it fits its room: %d",
       (int)len);
    for (i = 0; i < len; i++) {
        short_of +=
            lbs_snapshot_encode(&from, &now, bytes, i, &seven) == APR_ENOSPC;
    }
    is_int(short_of, len, "with any less it is refused");
    is_int(seven, 7, "and says no length");
    is_int(lbs_snapshot_encode(&from, &now, bytes, len, &seven), APR_SUCCESS,
           "exactly enough is enough");
    is_int(seven, len, "and is used up");
}

static void only_what_is_there_is_written(void)
{
    lbs_registry_t *reg = new_registry();
    lbs_table_t *table;
    lbs_snapshot_t from = {.reg = reg, .count = 1};
    lbs_clock_t now = moment(1000, 0);
    apr_size_t empty, full;

    name_all(reg, "abc");
    lbs_registry_commit(reg, &now);
    table = new_table(reg, 100000);
    from.tables[0] = table;
    (void)save(&from, &now, &empty);
    bind_all(reg, table, "abc", 0, 1000, 1000);
    (void)save(&from, &now, &full);
    is_int(full - empty, 1000 * 8, "a session takes eight bytes");
    ok(empty < lbs_table_bytes(100000) / 40, "an empty table takes few: %d",
       (int)empty);
}

/* With it, without it, and in a file that changes follow. */
static void the_outline_comes_back(void)
{
    static const unsigned char outline[] = "Vwww\0Napp";
    static const apr_uint64_t other = 8;
    static const apr_uint64_t its = 9;
    lbs_registry_t *reg = new_registry();
    lbs_snapshot_t from = {.reg = reg, .count = 0, .fingerprint = its};
    lbs_clock_t now = moment(1000, 0);
    lbs_restore_t *restore = NULL;
    const unsigned char *found;
    apr_size_t len, n, room;
    unsigned char *bytes = save(&from, &now, &len);

    ok(lbs_restore_open(&restore, bytes, len, &now, NULL, 0, memory) == NULL,
       "a file of whatever secret is opened");
    (void)lbs_restore_outline(restore, &n);
    is_int(n, 0, "no outline");
    ok(lbs_restore_secret(restore, &its, 1)
           && !lbs_restore_secret(restore, &other, 1),
       "whose it is can be asked");
    from.outline = outline;
    from.outline_len = sizeof(outline);
    from.open = 1;
    room = lbs_snapshot_room(&from);
    bytes = save(&from, &now, &n);
    is_int(n, len + 12 + sizeof(outline), "what the outline takes");
    ok(n <= room, "it has room");
    ok(lbs_restore_open(&restore, bytes, n, &now, NULL, 0, memory) == NULL,
       "such a file is read");
    found = lbs_restore_outline(restore, &n);
    ok(n == sizeof(outline) && memcmp(found, outline, n) == 0,
       "the outline is the same");
}

/* Others bind and forget while the file is written. What comes out is a sound
 * table with every session that nobody touched; one that was forgotten and
 * bound again meanwhile may be in the file twice, and is taken once. */
static void written_while_others_work(void)
{
    lbs_registry_t *reg = new_registry();
    lbs_table_t *table, *copy;
    lbs_snapshot_t from = {.reg = reg, .count = 1};
    lbs_clock_t now = moment(1000, 0);
    lbs_rand_t rand = {3};
    int round, whole = 0, status;
    pid_t child;

    name_all(reg, "abc");
    lbs_registry_commit(reg, &now);
    table = new_table(reg, 4000);
    from.tables[0] = table;
    bind_all(reg, table, "abc", 0, 1000, 1000);
    child = fork();
    if (child == 0) {
        for (round = 0; round < 30000000; round++) {
            apr_uint32_t n = 10000 + lbs_rand_below(&rand, 500);

            if (lbs_rand_below(&rand, 3) == 0) {
                (void)lbs_table_forget(table, key_of(reg, n), 1000, NULL);
            }
            else {
                (void)lbs_table_bind(table, key_of(reg, n), slots['a' + n % 3],
                                     1000, IDLE, NULL);
            }
        }
        _exit(0);
    }
    for (round = 0; round < 50; round++) {
        apr_size_t len = 0;
        unsigned char *bytes = save(&from, &now, &len);
        lbs_restore_t *restore = open_saved(bytes, len, &now);
        lbs_registry_t *other = new_registry();
        lbs_restore_report_t report;
        lbs_image_report_t image = {0};
        lbs_validate_report_t valid;

        name_all(other, "abc");
        copy = new_table(other, 4000);
        lbs_restore_registry(restore, other, no_ejection, &report);
        (void)lbs_restore_table(restore, 0, copy, &image);
        whole += lbs_validate_table(copy, 1000, &valid, memory) == APR_SUCCESS
                 && count_right(other, copy, "abc", 0, 1000, 1000) == 1000;
    }
    is_int(whole, 50, "fifty files written meanwhile are whole");
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    ok(WIFSIGNALED(status), "others were at work until the end");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    fingerprints();
    needs_its_room();
    only_what_is_there_is_written();
    the_outline_comes_back();
    written_while_others_work();
    apr_terminate();
    return done_testing();
}
