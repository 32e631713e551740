/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_journal.h"

#include "src/base/lbs_rand.h"
#include "src/state/lbs_block_int.h"
#include "src/table/lbs_sweep.h"
#include "src/table/lbs_validate.h"
#include "t/unit/state/saved.h"

#define SESSIONS 2000
#define KEYS 2500
#define ROUNDS 40

static const apr_uint64_t random_secret = 0;

/* A file that grows, as the writer's does. */
typedef struct growing_t {
    lbs_journal_t *journal;
    lbs_snapshot_t from;
    unsigned char *bytes;
    apr_size_t len;
    apr_size_t image;
    int changes;
} growing_t;

static void begin_file(growing_t *file, const lbs_clock_t *now)
{
    apr_size_t room = lbs_snapshot_room(&file->from) + 4 * LBS_JOURNAL_ROOM;

    file->bytes = malloc(room);
    file->from.open = 1;
    lbs_journal_create(&file->journal, memory);
    if (lbs_snapshot_encode(&file->from, now, file->bytes,
                            lbs_snapshot_room(&file->from), &file->len)
        != APR_SUCCESS) {
        bail_out("no image");
    }
    file->image = file->len;
    lbs_journal_begin(file->journal, file->bytes, file->len);
}

/* @return how much was written */
static apr_size_t follow(growing_t *file, const lbs_clock_t *now)
{
    apr_size_t all = 0;
    apr_size_t len;
    apr_status_t rv;

    do {
        rv = lbs_journal_encode(file->journal, &file->from, now,
                                file->bytes + file->len, LBS_JOURNAL_ROOM,
                                &len);
        file->len += len;
        file->changes += len != 0;
        all += len;
    } while (rv == APR_INCOMPLETE);
    return all;
}

/* Start with the first bytes of it. */
static lbs_registry_t *start_with(const growing_t *file, apr_size_t len,
                                  const char *names, const lbs_clock_t *now,
                                  lbs_table_t **table,
                                  lbs_restore_info_t *info)
{
    lbs_restore_t *restore = open_saved(file->bytes, len, now);
    lbs_registry_t *reg = new_registry();
    lbs_image_report_t image = {0};
    lbs_restore_report_t report;

    lbs_restore_info(restore, info);
    name_all(reg, names);
    lbs_restore_registry(restore, reg, no_ejection, &report);
    reconcile_all(reg, names, 100, now);
    lbs_registry_commit(reg, now);
    *table = new_table(reg, SESSIONS);
    if (lbs_restore_table(restore, 0, *table, &image) != APR_SUCCESS) {
        bail_out("no table");
    }
    return reg;
}

/* How many keys are not where they are in the table that was saved. */
static int differ(lbs_registry_t *reg, lbs_table_t *table,
                  const apr_uint32_t *slots_then, lbs_registry_t *again,
                  lbs_table_t *copy, apr_time_t then, apr_time_t now)
{
    int differs = 0;
    apr_uint32_t n;

    for (n = 0; n < KEYS; n++) {
        lbs_table_hit_t a = {0}, b = {0};
        apr_status_t was = lbs_table_find(table, key_of(reg, n), then, &a);
        apr_status_t is = lbs_table_find(copy, key_of(again, n), now, &b);

        differs +=
            (was == APR_SUCCESS) != (is == APR_SUCCESS)
            || (was == APR_SUCCESS
                && (slots_then[a.slot] != b.slot
                    || llabs((a.expires_us - then) - (b.expires_us - now))
                           > IDLE / 64));
    }
    return differs;
}

static void work(lbs_registry_t *reg, lbs_table_t *table, lbs_rand_t *rand,
                 apr_time_t now)
{
    int i;

    for (i = 0; i < 60; i++) {
        apr_uint32_t n = lbs_rand_below(rand, KEYS);

        if (lbs_rand_below(rand, 4) == 0) {
            (void)lbs_table_forget(table, key_of(reg, n), now, NULL);
        }
        else {
            (void)lbs_table_bind(table, key_of(reg, n),
                                 slots['a' + lbs_rand_below(rand, 3)], now,
                                 IDLE, NULL);
        }
    }
}

static void what_is_read_is_what_was_there(void)
{
    static apr_uint32_t map[LBS_TABLE_SLOTS];
    lbs_registry_t *reg = new_registry(), *again;
    lbs_clock_t now = moment(50 * IDLE, 0);
    growing_t file = {.from = {.reg = reg, .count = 1}};
    lbs_table_t *table, *copy;
    lbs_rand_t rand = {3};
    lbs_restore_info_t info;
    lbs_validate_report_t valid;
    apr_uint32_t then[3];
    int round, i, wrong = 0, unsound = 0, counted = 0, changes = 0;

    name_all(reg, "abc");
    reconcile_all(reg, "abc", 100, &now);
    lbs_registry_commit(reg, &now);
    table = new_table(reg, SESSIONS);
    file.from.tables[0] = table;
    bind_all(reg, table, "abc", 0, 1000, now.mono);
    begin_file(&file, &now);
    for (round = 0; round < ROUNDS; round++) {
        now.mono += IDLE / 60;
        now.wall += IDLE / 60;
        work(reg, table, &rand, now.mono);
        lbs_pool_record_decided(lbs_registry_pool_record(reg, 0),
                                LBS_DECISION_MOVED, LBS_REASON_DRAINED,
                                now.mono);
        for (i = 0; i < 3; i++) {
            then[i] = slots['a' + i];
        }
        (void)follow(&file, &now);
        if (round % 5 != 4) {
            continue;
        }
        {
            lbs_clock_t later = moment(7, now.wall - WALL);

            again = start_with(&file, file.len, "xcab", &later, &copy, &info);
            for (i = 0; i < 3; i++) {
                map[then[i]] = slots['a' + i];
            }
            wrong += differ(reg, table, map, again, copy, now.mono, 7);
            unsound +=
                lbs_validate_table(copy, 7, &valid, memory) != APR_SUCCESS;
            counted += (int)lbs_pool_record_count(
                           lbs_registry_pool_record(again, 0),
                           LBS_DECISION_MOVED, LBS_REASON_DRAINED)
                       == round + 1;
            changes += (int)info.changes == file.changes && info.cut == 0
                       && info.elapsed == 0;
        }
        for (i = 0; i < 3; i++) {
            slots['a' + i] = then[i];
        }
    }
    is_int(wrong, 0, "eight times: every session is where it was");
    is_int(unsound, 0, "in a sound table");
    is_int(counted, ROUNDS / 5, "counters are the last ones");
    is_int(changes, ROUNDS / 5, "of all changes");
    is_int(follow(&file, &now), 0, "where nothing happens nothing is written");
    bind_all(reg, table, "abc", KEYS, KEYS + 1, now.mono);
    i = (int)follow(&file, &now);
    ok(i > 0 && i < 80, "a session takes few bytes: %d", i);
    free(file.bytes);
}

static int taken(const growing_t *file, apr_size_t len, const lbs_clock_t *now,
                 apr_pool_t *scratch, lbs_restore_info_t *info)
{
    lbs_restore_t *restore;
    unsigned char *cut = malloc(len + 1); /* so that ASan sees its end */
    int yes;

    memcpy(cut, file->bytes, len);
    yes = lbs_restore_open(&restore, cut, len, now, &random_secret, 1, scratch)
          == NULL;
    if (yes) {
        lbs_restore_info(restore, info);
    }
    free(cut);
    apr_pool_clear(scratch);
    return yes;
}

static void a_small_file(growing_t *file, lbs_registry_t *reg,
                         lbs_clock_t *now, apr_size_t *ends, int count)
{
    lbs_table_t *table;
    int i;

    name_all(reg, "abc");
    reconcile_all(reg, "abc", 100, now);
    lbs_registry_commit(reg, now);
    table = new_table(reg, 100);
    file->from.reg = reg;
    file->from.count = 1;
    file->from.tables[0] = table;
    begin_file(file, now);
    for (i = 0; i < count; i++) {
        ends[i] = file->len;
        now->mono += 1000000;
        now->wall += 1000000;
        bind_all(reg, table, "abc", (apr_uint32_t)i * 5,
                 (apr_uint32_t)i * 5 + 5, now->mono);
        (void)follow(file, now);
    }
    ends[count] = file->len;
}

/* A crash while a change is written, and damage in it. */
static void what_is_not_whole_is_not_read(void)
{
    lbs_registry_t *reg = new_registry();
    lbs_clock_t now = moment(50 * IDLE, 0);
    growing_t file = {.bytes = NULL};
    lbs_restore_info_t info;
    apr_pool_t *scratch;
    apr_size_t ends[5], at;
    int cut = 0, flipped = 0, image = 0, whole;

    apr_pool_create(&scratch, memory);
    a_small_file(&file, reg, &now, ends, 4);
    for (at = 0; at < file.image; at++) {
        image += taken(&file, at, &now, scratch, &info);
    }
    is_int(image, 0, "no part of an image is taken");
    for (; at <= file.len; at++) {
        for (whole = 0; whole < 4 && ends[whole + 1] <= at; whole++) {
        }
        cut += taken(&file, at, &now, scratch, &info)
               && (int)info.changes == whole && info.cut == at - ends[whole]
               && info.elapsed == (4 - whole) * 1000000;
    }
    is_int(cut, file.len - file.image + 1,
           "cut anywhere behind it, the changes that are whole are taken");
    for (at = file.image; at < file.len; at++) {
        for (whole = 0; ends[whole + 1] <= at; whole++) {
        }
        file.bytes[at] ^= (unsigned char)(1 << at % 8);
        flipped += taken(&file, file.len, &now, scratch, &info)
                   && (int)info.changes == whole;
        file.bytes[at] ^= (unsigned char)(1 << at % 8);
    }
    is_int(flipped, file.len - file.image,
           "a flipped bit anywhere: those before it");
    /* A change of another file, and one left out. */
    memmove(file.bytes + ends[1], file.bytes + ends[2], ends[4] - ends[2]);
    ok(taken(&file, file.len - (ends[2] - ends[1]), &now, scratch, &info)
           && info.changes == 1,
       "no change follows another than the one it was written behind");
    free(file.bytes);
}

static void an_image_that_is_closed(void)
{
    lbs_registry_t *reg = new_registry();
    lbs_clock_t now = moment(50 * IDLE, 0);
    growing_t file = {.bytes = NULL};
    lbs_restore_t *restore;
    apr_size_t ends[2], len;
    unsigned char *bytes;

    a_small_file(&file, reg, &now, ends, 1);
    file.from.open = 0;
    bytes = save(&file.from, &now, &len);
    memmove(file.bytes + len, file.bytes + ends[0], ends[1] - ends[0]);
    memcpy(file.bytes, bytes, len);
    is_str(lbs_restore_open(&restore, file.bytes, len + ends[1] - ends[0],
                            &now, &random_secret, 1, memory),
           "it is truncated or has something at its end",
           "nothing follows one that is closed");
    free(file.bytes);
}

static void given_up(void)
{
    lbs_registry_t *reg = new_registry();
    lbs_clock_t now = moment(50 * IDLE, 0);
    lbs_atomic32_t give_up = 1;
    lbs_snapshot_t from = {.reg = reg, .count = 1, .give_up = &give_up};
    unsigned char *bytes;
    apr_size_t len = 7;

    name_all(reg, "abc");
    lbs_registry_commit(reg, &now);
    from.tables[0] = new_table(reg, 100000);
    bytes = apr_palloc(memory, lbs_snapshot_room(&from));
    is_int(lbs_snapshot_encode(&from, &now, bytes, lbs_snapshot_room(&from),
                               &len),
           APR_EINTR, "an image is given up when asked");
    is_int(len, 7, "and says no length");
}

/* Members come, go, and one gets the slot of another. */
static void slots_change_hands(void)
{
    lbs_registry_t *reg = new_registry(), *again;
    lbs_clock_t now = moment(50 * IDLE, 0), later;
    growing_t file = {.from = {.reg = reg, .count = 1}};
    lbs_table_t *table, *copy;
    lbs_restore_info_t info;
    lbs_sweep_t *sweep;
    apr_uint32_t freed;

    name_all(reg, "ab");
    reconcile_all(reg, "ab", 100, &now);
    lbs_registry_commit(reg, &now);
    table = new_table(reg, SESSIONS);
    file.from.tables[0] = table;
    bind_all(reg, table, "ab", 0, 100, now.mono);
    begin_file(&file, &now);
    freed = slots['a'];
    name_all(reg, "b");
    reconcile_all(reg, "b", 100, &now);
    lbs_registry_commit(reg, &now);
    (void)follow(&file, &now);
    /* What lbs_reclaim_slots() does at the end. */
    lbs_registry_slots(reg)->quantum_us[freed] = 0;
    lbs_sweep_create(&sweep, table, memory);
    (void)lbs_sweep_run(sweep, 0, now.mono, NULL, NULL, NULL);
    reg->seats[freed].seat.state = LBS_SEAT_FREE;
    reg->member_ids[freed] = 0;
    (void)follow(&file, &now);
    name_all(reg, "bd");
    reconcile_all(reg, "bd", 100, &now);
    lbs_registry_commit(reg, &now);
    is_int(slots['d'], freed, "one member has the slot of another");
    bind_all(reg, table, "d", 200, 250, now.mono);
    (void)follow(&file, &now);

    later = moment(7, 0);
    again = start_with(&file, file.len, "abd", &later, &copy, &info);
    is_int(count_right(again, copy, "d", 200, 250, 7), 50,
           "its sessions are its own");
    is_int(lbs_table_sessions(lbs_registry_slots(again), slots['a']), 0,
           "the former member has none");
    is_int(lbs_table_sessions(lbs_registry_slots(again), slots['b']), 50,
           "others have theirs");
    free(file.bytes);
}

/* More than fits goes into several. */
static void many_changes(void)
{
    lbs_registry_t *reg = new_registry(), *again;
    lbs_clock_t now = moment(50 * IDLE, 0), later = moment(7, 0);
    growing_t file = {.from = {.reg = reg, .count = 1}};
    lbs_table_t *table, *copy;
    lbs_restore_t *restore;
    lbs_image_report_t image = {0};
    lbs_restore_report_t report;
    apr_uint32_t big = 1500000;

    name_all(reg, "ab");
    reconcile_all(reg, "ab", 100, &now);
    lbs_registry_commit(reg, &now);
    table = new_table(reg, big);
    file.from.tables[0] = table;
    begin_file(&file, &now);
    bind_all(reg, table, "ab", 0, big - 1000, now.mono);
    (void)follow(&file, &now);
    ok(file.changes > 1 && file.changes < 4, "%d changes", file.changes);

    restore = open_saved(file.bytes, file.len, &later);
    again = new_registry();
    name_all(again, "ba");
    lbs_restore_registry(restore, again, no_ejection, &report);
    copy = new_table(again, big);
    (void)lbs_restore_table(restore, 0, copy, &image);
    is_int(count_right(again, copy, "ab", 0, big - 1000, 7), (int)big - 1000,
           "with all sessions");
    free(file.bytes);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    what_is_read_is_what_was_there();
    what_is_not_whole_is_not_read();
    an_image_that_is_closed();
    given_up();
    slots_change_hands();
    many_changes();
    apr_terminate();
    return done_testing();
}
