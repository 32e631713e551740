/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_restore.h"

#include <apr_strings.h>

#include "src/base/lbs_rand.h"
#include "src/state/lbs_bytes_int.h"
#include "src/table/lbs_validate.h"
#include "t/unit/state/saved.h"

#define HOUR APR_INT64_C(3600000000)
#define DAY (24 * HOUR)

static const apr_uint64_t random_secret = 0;

#define SECOND 1700000000u /* tokens are dated by the second */

static lbs_forgotten_t forgotten; /* by the administrator of file_of_abc() */

/* What an earlier run left: members abc, sessions 0 to 299, counters, and that
 * sessions 900 and 901 and all of member b are forgotten. */
static unsigned char *file_of_abc(apr_size_t *len, apr_uint32_t sessions)
{
    lbs_registry_t *reg = new_registry();
    lbs_snapshot_t from = {.reg = reg, .count = 1, .forgotten = &forgotten};
    lbs_clock_t now = moment(50 * HOUR, 0);
    lbs_table_t *table;
    apr_uint32_t i;

    name_all(reg, "abc");
    reconcile_all(reg, "abc", 100, &now);
    lbs_registry_commit(reg, &now);
    table = new_table(reg, 1000);
    from.tables[0] = table;
    bind_all(reg, table, "abc", 0, sessions, now.mono);
    for (i = 0; i < 5; i++) {
        lbs_pool_record_decided(lbs_registry_pool_record(reg, 0),
                                LBS_DECISION_MOVED, LBS_REASON_DRAINED,
                                now.mono);
    }
    memset(&forgotten, 0, sizeof(forgotten));
    lbs_forgotten_add_member(&forgotten, slots['b'], SECOND);
    lbs_forgotten_add_session(&forgotten, 900);
    lbs_forgotten_add_session(&forgotten, 901);
    return save(&from, &now, len);
}

static const char *refused(const unsigned char *bytes, apr_size_t len,
                           const lbs_clock_t *now, apr_uint64_t fingerprint)
{
    lbs_restore_t *restore = NULL;
    const char *why =
        lbs_restore_open(&restore, bytes, len, now, &fingerprint, 1, memory);

    if ((why == NULL) != (restore != NULL)) {
        bail_out("a view of what was refused, or none of what was not");
    }
    return why;
}

/* Start with the file: a registry that another run seeded, members in the
 * order given. */
static lbs_registry_t *start_with(lbs_restore_t *restore, const char *names,
                                  apr_uint32_t weight, const lbs_clock_t *now,
                                  const lbs_eject_conf_t *const *eject)
{
    static const lbs_registry_seed_t other = {
        {9, 9}, {"another key"}, "another secret"};
    void *block = new_block();
    lbs_registry_t *reg;
    lbs_restore_report_t report;

    (void)lbs_registry_format(block, block_size(), ROWS, &other);
    reg = open_block(block);
    name_all(reg, names);
    lbs_restore_registry(restore, reg, eject, &report);
    reconcile_all(reg, names, weight, now);
    lbs_registry_commit(reg, now);
    return reg;
}

static lbs_registry_t *start(lbs_restore_t *restore, const char *names,
                             apr_uint32_t weight, const lbs_clock_t *now)
{
    return start_with(restore, names, weight, now, no_ejection);
}

static void by_identity_not_by_position(void)
{
    apr_size_t len;
    unsigned char *bytes = file_of_abc(&len, 300);
    lbs_clock_t now = moment(7, HOUR / 2);
    lbs_restore_t *restore = open_saved(bytes, len, &now);
    lbs_restore_info_t info;
    lbs_registry_t *reg;
    lbs_table_t *table;
    lbs_image_report_t image = {0};
    lbs_validate_report_t valid;

    lbs_restore_info(restore, &info);
    ok(info.saved == WALL && info.elapsed == HOUR / 2, "half an hour ago");
    ok(info.pools == 1 && info.members == 3, "one pool, three members");
    ok(info.tables == 1 && info.sessions[0] == 1000, "one table");

    reg = start(restore, "xcab", 100, &now);
    table = new_table(reg, 1000);
    is_int(lbs_restore_table(restore, 0, table, &image), APR_SUCCESS,
           "the sessions go into a table of the same size");
    is_int(image.kept, 300, "all of them");
    is_int(count_right(reg, table, "abc", 0, 300, now.mono), 300,
           "each to its member, whatever its number is now");
    is_int(lbs_validate_table(table, now.mono, &valid, memory), APR_SUCCESS,
           "the table is sound");
    is_int(lbs_table_sessions(lbs_registry_slots(reg), slots['x']), 0,
           "the new member has none");
    is_int(lbs_pool_record_count(lbs_registry_pool_record(reg, 0),
                                 LBS_DECISION_MOVED, LBS_REASON_DRAINED),
           5, "the pool's counters are there");
    is_mem(lbs_registry_secret(reg), seed.secret, LBS_REGISTRY_SECRET_LEN,
           "the random secret is that of the file");
    is_int(count_right(reg, table, "abc", 0, 300, now.mono + HOUR / 2 - 1),
           300, "a session still has the rest of its hour");
    is_int(count_right(reg, table, "abc", 0, 300,
                       now.mono + HOUR / 2 + HOUR / 100),
           0, "and no more: nothing outlives its time");
}

static void removed_members_are_forgotten(void)
{
    apr_size_t len;
    unsigned char *bytes = file_of_abc(&len, 300);
    lbs_clock_t now = moment(7, 0);
    lbs_restore_t *restore = open_saved(bytes, len, &now);
    lbs_registry_t *reg = start(restore, "c", 100, &now);
    lbs_table_t *table = new_table(reg, 1000);
    lbs_image_report_t image = {0};

    (void)lbs_restore_table(restore, 0, table, &image);
    ok(image.kept == 100 && image.gone == 200,
       "sessions of members that are not configured go");
    slots['a'] = slots['b'] = APR_UINT32_MAX;
    is_int(count_right(reg, table, "abc", 0, 300, now.mono), 100,
           "nobody else gets them");
}

static void forgotten_stays_forgotten(void)
{
    apr_size_t len;
    unsigned char *bytes = file_of_abc(&len, 30);
    lbs_clock_t now = moment(7, 0);
    lbs_restore_t *restore = open_saved(bytes, len, &now);
    static lbs_forgotten_t found, none;

    (void)start(restore, "xcba", 100, &now);
    lbs_restore_forgotten(restore, &found);
    ok(lbs_forgotten_has(&found, slots['b'], SECOND, 1),
       "tokens of a member, whatever its number is now");
    ok(!lbs_forgotten_has(&found, slots['b'], SECOND + 1, 1),
       "not younger ones");
    ok(!lbs_forgotten_has(&found, slots['a'], 1, 1)
           && !lbs_forgotten_has(&found, slots['c'], 1, 1)
           && !lbs_forgotten_has(&found, slots['x'], 1, 1),
       "nor any of others");
    ok(lbs_forgotten_has(&found, slots['a'], SECOND + 9, 900)
           && lbs_forgotten_has(&found, slots['a'], SECOND + 9, 901),
       "single sessions");
    is_int(lbs_forgotten_session(&found, LBS_FORGOTTEN_SESSIONS - 1), 901,
           "the youngest is that still");

    restore = open_saved(bytes, len, &now);
    (void)start(restore, "ac", 100, &now);
    memset(&found, 0, sizeof(found));
    lbs_restore_forgotten(restore, &found);
    ok(memcmp(found.until, none.until, sizeof(none.until)) == 0,
       "of a member that is not configured nothing is left");
}

static void more_than_can_be_forgotten(void)
{
    static const struct {
        apr_uint32_t at;
        apr_uint32_t value;
        const char *what;
    } cases[] = {
        {0, LBS_TABLE_SLOTS + 1, "more members than there can be"},
        {0, 0, "fewer than stand there"},
        {4, LBS_TABLE_SLOTS, "a member that cannot be"},
        {12, LBS_FORGOTTEN_SESSIONS + 1, "more sessions than there is room"},
        {12, 1, "fewer than stand there"},
    };
    apr_size_t len, at, i;
    unsigned char *bytes = file_of_abc(&len, 30);
    lbs_clock_t now = moment(7, 0);

    for (at = 0; memcmp(bytes + at, "forg", 4) != 0; at++) {
    }
    at += 12; /* to what the section holds */
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char *copy = apr_pmemdup(memory, bytes, len);

        lbs_bytes_put32(copy + at + cases[i].at, cases[i].value);
        lbs_snapshot_seal(copy, len);
        is_str(refused(copy, len, &now, 0),
               "it is damaged: what it says cannot be", "%s", cases[i].what);
    }
}

static void old_files(void)
{
    static const struct {
        apr_time_t age;
        apr_uint64_t kept;
        const char *what;
    } cases[] = {
        {-HOUR, 300, "written by a clock that was an hour ahead"},
        {HOUR - 1, 300, "almost an hour old"},
        {HOUR + HOUR / 64, 0, "more than idle old"},
        {30 * HOUR, 0, "thirty times idle"},
        {64 * HOUR, 0, "where the expiry clock has gone half round"},
        {100 * HOUR, 0, "farther than it can tell"},
        {128 * HOUR, 0, "once round"},
        {128 * HOUR + HOUR / 2, 0, "a little more than once"},
        {10000 * DAY, 0, "twenty-seven years"},
    };
    apr_size_t len, i;
    unsigned char *bytes = file_of_abc(&len, 300);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lbs_clock_t now = moment(7, cases[i].age);
        lbs_restore_t *restore = open_saved(bytes, len, &now);
        lbs_registry_t *reg = start(restore, "abc", 100, &now);
        lbs_image_report_t image = {0};

        (void)lbs_restore_table(restore, 0, new_table(reg, 1000), &image);
        is_int(image.kept, cases[i].kept, "sessions of a file %s",
               cases[i].what);
    }
}

static void operators_changes_survive(void)
{
    lbs_registry_t *reg = new_registry();
    lbs_snapshot_t from = {.reg = reg, .count = 0};
    lbs_clock_t then = moment(50 * HOUR, 0), now = moment(7, HOUR);
    lbs_admin_change_t drain = {
        .action = LBS_ADMIN_DRAIN, .deadline = 3 * HOUR, .idle = HOUR};
    lbs_admin_change_t weigh = {.action = LBS_ADMIN_SET_WEIGHT, .weight = 250};
    lbs_admin_drain_t found;
    apr_size_t len;
    unsigned char *bytes;
    lbs_gauge_t *gauge;

    name_all(reg, "ab");
    reconcile_all(reg, "ab", 100, &then);
    lbs_registry_commit(reg, &then);
    (void)lbs_admin_apply(reg, slots['a'], &drain, &then);
    (void)lbs_admin_apply(reg, slots['a'], &weigh, &then);
    bytes = save(&from, &then, &len);

    reg = start(open_saved(bytes, len, &now), "ba", 100, &now);
    gauge = &lbs_registry_gauges(reg)[slots['a']];
    is_int(lbs_gauge_flags(gauge), LBS_F_DRAIN, "drained stays drained");
    is_int(gauge->weight, 250, "the weight stays");
    is_int(lbs_admin_overrides(reg, slots['a']), 3, "both are overrides");
    lbs_admin_drain(reg, slots['a'], &found);
    is_int(found.since, then.wall, "draining since then");
    is_int(found.deadline, now.mono + 2 * HOUR, "two hours are left");
    is_int(found.idle, HOUR, "a session that is idle for an hour moves");
    is_int(lbs_registry_gauges(reg)[slots['b']].weight, 100,
           "the other member is as in the file");
    is_int(lbs_gauge_flags(&lbs_registry_gauges(reg)[slots['b']]), 0,
           "in both");

    reg = start(open_saved(bytes, len, &now), "ab", 300, &now);
    gauge = &lbs_registry_gauges(reg)[slots['a']];
    is_int(gauge->weight, 300, "an edited weight wins over a saved override");
    is_int(lbs_gauge_flags(gauge), LBS_F_DRAIN, "in that field only");

    now = moment(7, 5 * HOUR);
    reg = start(open_saved(bytes, len, &now), "ab", 100, &now);
    lbs_admin_drain(reg, slots['a'], &found);
    is_int(found.deadline, 7, "a deadline that passed meanwhile is over");
}

static lbs_eject_conf_t conf = {
    3, 100, 10000000, 60000000, 60000000, LBS_STALL_AUTO, 0};
static const lbs_eject_conf_t *ejects[LBS_REGISTRY_POOLS] = {&conf};

/* Three failures eject member a. */
static void eject(lbs_registry_t *reg, const lbs_clock_t *now)
{
    lbs_member_record_t *member = lbs_registry_member_record(reg, slots['a']);
    lbs_gauge_t *gauge = &lbs_registry_gauges(reg)[slots['a']];
    lbs_eject_on_t on = {&member->eject, gauge,
                         &lbs_registry_pool_record(reg, 0)->eject, &conf};
    lbs_eject_attempt_t attempt = {(apr_uint64_t)now->mono, 0, 0};
    lbs_eject_why_t why;
    int i;

    lbs_eject_recount(on.pool, 2, 2, 0);
    for (i = 0; i < 3; i++) {
        lbs_member_record_sent(member, (apr_uint64_t)now->mono);
        lbs_member_record_failed(member, gauge, LBS_FAIL_CONNECT, 5000000,
                                 (apr_uint64_t)now->mono);
        (void)lbs_eject_failed(&on, &attempt, (apr_uint64_t)now->mono, &why);
    }
    lbs_member_record_answered(member, gauge, 204, 7000, 7000,
                               (apr_uint64_t)now->mono);
    lbs_member_record_bytes(member, 100, 200);
}

static void counters_and_ejection_survive(void)
{
    lbs_registry_t *reg = new_registry();
    lbs_snapshot_t from = {.reg = reg, .count = 0};
    lbs_clock_t then = moment(50 * HOUR, 0), now = moment(7, 20000000);
    lbs_member_record_view_t view;
    lbs_member_record_t *member;
    apr_size_t len;
    unsigned char *bytes;

    name_all(reg, "ab");
    reconcile_all(reg, "ab", 100, &then);
    lbs_registry_commit(reg, &then);
    eject(reg, &then);
    is_int(lbs_gauge_flags(&lbs_registry_gauges(reg)[slots['a']])
               & LBS_F_EJECTED,
           LBS_F_EJECTED, "a member is ejected for a minute");
    bytes = save(&from, &then, &len);

    reg = start_with(open_saved(bytes, len, &now), "ba", 100, &now, ejects);
    member = lbs_registry_member_record(reg, slots['a']);
    lbs_member_record_view(member, &lbs_registry_gauges(reg)[slots['a']],
                           (apr_uint64_t)now.mono, &view);
    ok(view.requests == 3 && view.failures == 3
           && view.failures_by[LBS_FAIL_CONNECT] == 3,
       "its requests and failures");
    ok(view.responses[1] == 1 && view.bytes_in == 100 && view.bytes_out == 200,
       "its answers and bytes");
    is_int(view.latency.sum_us, 7000, "its times");
    is_int(view.state, LBS_STATE_EJECTED, "twenty seconds later it is held");
    is_int(view.eject_until, 7 + 40000000, "for forty more");
    is_int(view.eject_count, 1, "for the first time");

    now = moment(7, 2 * HOUR);
    reg = start_with(open_saved(bytes, len, &now), "ba", 100, &now, ejects);
    is_int(
        lbs_eject_until(&lbs_registry_member_record(reg, slots['a'])->eject),
        7, "two hours later the hold is over");
    reg = start(open_saved(bytes, len, &now), "ba", 100, &now);
    is_int(lbs_gauge_flags(&lbs_registry_gauges(reg)[slots['a']]), 0,
           "without LBStickyEject it is not held");
}

static void not_ours(void)
{
    apr_size_t len;
    unsigned char *bytes = file_of_abc(&len, 30);
    unsigned char *copy = apr_pmemdup(memory, bytes, len + 1);
    lbs_clock_t now = moment(7, 0);

    is_str(refused(bytes, len, &now, 0), NULL, "ours");
    is_str(refused((const unsigned char *)"", 0, &now, 0),
           "it is not a state file of this module", "an empty file");
    is_str(refused((const unsigned char *)"LBSTATE\n", 8, &now, 0),
           "it is truncated", "a file of its first line");
    is_str(refused(bytes, len, &now, 4711),
           "it belongs to another LBStickySecret", "another secret");
    is_str(refused(copy, len + 1, &now, 0),
           "it is truncated or has something at its end", "one byte more");
    copy[8] = 3;
    lbs_snapshot_seal(copy, len);
    is_str(refused(copy, len, &now, 0),
           "it was written by a later version of this module", "version 3");
    copy[8] = 0;
    lbs_snapshot_seal(copy, len);
    is_str(refused(copy, len, &now, 0),
           "it was written by a version of this module that is too old",
           "version 0");
    now = moment(7, -DAY - 1);
    is_str(refused(bytes, len, &now, 0),
           "it comes from the future: the clock was set back",
           "more than a day ahead");
    now = moment(7, -DAY);
    is_str(refused(bytes, len, &now, 0), NULL, "a day ahead is taken");
}

static void the_version_before(int version)
{
    apr_size_t len;
    unsigned char *bytes = file_of_abc(&len, 300);
    lbs_clock_t now = moment(7, 0);
    lbs_image_report_t image = {0};
    lbs_restore_t *restore;
    lbs_registry_t *reg;
    lbs_table_t *table;

    len = as_before(bytes, len, version);
    is_str(refused(bytes, len, &now, 0), NULL, "version %d is taken", version);
    restore = open_saved(bytes, len, &now);
    reg = start(restore, "cab", 100, &now);
    table = new_table(reg, 1000);
    (void)lbs_restore_table(restore, 0, table, &image);
    is_int(count_right(reg, table, "abc", 0, 300, now.mono), 300,
           "with all its sessions");
    is_int(lbs_pool_record_count(lbs_registry_pool_record(reg, 0),
                                 LBS_DECISION_MOVED, LBS_REASON_DRAINED),
           5, "and counters");
}

/* What is none of ours is not read to its end, however long it is. */
static void the_first_bytes_tell(void)
{
    static const unsigned char zeros[LBS_RESTORE_HEAD];
    apr_size_t len;
    unsigned char *bytes = file_of_abc(&len, 30);

    is_str(lbs_restore_head(bytes, LBS_RESTORE_HEAD, len), NULL, "a head");
    is_str(lbs_restore_head(bytes, LBS_RESTORE_HEAD, APR_UINT64_MAX),
           "it is truncated or has something at its end", "a longer file");
    is_str(lbs_restore_head(zeros, LBS_RESTORE_HEAD, APR_UINT64_MAX),
           "it is not a state file of this module", "zeros");
    is_str(lbs_restore_head(bytes, LBS_RESTORE_HEAD - 1, len),
           "it is truncated", "less than a head");
}

static void secrets_in_rotation(void)
{
    lbs_registry_t *reg = new_registry();
    lbs_snapshot_t from = {.reg = reg, .count = 0, .fingerprint = 55};
    lbs_clock_t now = moment(7, 0);
    static const apr_uint64_t known[] = {44, 55, 66};
    apr_size_t len;
    unsigned char *bytes = save(&from, &now, &len);
    lbs_restore_t *restore = NULL;

    ok(lbs_restore_open(&restore, bytes, len, &now, known, 3, memory) == NULL,
       "any known secret will do");
    ok(lbs_restore_open(&restore, bytes, len, &now, known, 1, memory) != NULL,
       "a forgotten one will not");
    ok(lbs_restore_open(&restore, bytes, len, &now, &random_secret, 1, memory)
           != NULL,
       "nor will random");
}

/* Refused or equal: a file that is damaged anywhere is never believed. */
static void every_byte_flipped_and_each_truncation(void)
{
    apr_size_t len, i;
    unsigned char *bytes = file_of_abc(&len, 30);
    lbs_clock_t now = moment(7, 0);
    apr_pool_t *scratch;
    int bit, taken = 0;
    lbs_restore_t *restore;

    apr_pool_create(&scratch, memory);
    for (i = 0; i < len; i++) {
        unsigned char *cut = malloc(i + 1); /* so that ASan sees its end */

        memcpy(cut, bytes, i);
        taken += lbs_restore_open(&restore, cut, i, &now, &random_secret, 1,
                                  scratch)
                 == NULL;
        free(cut);
        for (bit = 0; bit < 8; bit++) {
            bytes[i] ^= (unsigned char)(1 << bit);
            taken += lbs_restore_open(&restore, bytes, len, &now,
                                      &random_secret, 1, scratch)
                     == NULL;
            bytes[i] ^= (unsigned char)(1 << bit);
        }
        apr_pool_clear(scratch);
    }
    is_int(taken, 0, "none of %d damaged files is taken", (int)len * 9);
    is_str(refused(bytes, len, &now, 0), NULL, "the undamaged one is");
}

/* The check only finds accidents. What a forger seals may be nonsense, but
 * the table and the members stay sound. */
static void sealed_nonsense(void)
{
    apr_size_t len;
    unsigned char *bytes = file_of_abc(&len, 30);
    unsigned char *copy = apr_palloc(memory, len);
    lbs_clock_t now = moment(7, 0);
    lbs_rand_t rand = {5};
    int round, unsound = 0, opened = 0;

    for (round = 0; round < 2000; round++) {
        lbs_restore_t *restore = NULL;
        lbs_image_report_t image = {0};
        lbs_validate_report_t valid;
        lbs_registry_t *reg;
        lbs_table_t *table;
        int i;

        memcpy(copy, bytes, len);
        for (i = 0; i < 3; i++) {
            copy[lbs_rand_below(&rand, (apr_uint32_t)len)] =
                (unsigned char)lbs_rand_next(&rand);
        }
        lbs_snapshot_seal(copy, len);
        if (lbs_restore_open(&restore, copy, len, &now, &random_secret, 1,
                             memory)
            != NULL) {
            continue;
        }
        if (opened++ > 100) {
            break;
        }
        reg = start(restore, "abc", 100, &now);
        table = new_table(reg, 1000);
        (void)lbs_restore_table(restore, 0, table, &image);
        lbs_restore_forgotten(restore, &forgotten);
        unsound +=
            lbs_validate_table(table, now.mono, &valid, memory) != APR_SUCCESS;
        unsound += (lbs_gauge_flags(&lbs_registry_gauges(reg)[slots['a']])
                    & ~(LBS_ADMIN_FLAGS | LBS_F_DRAINED))
                   != 0;
    }
    ok(opened > 100, "more than a hundred forged files were read");
    is_int(unsound, 0, "and left nothing unsound");
}

static void a_chain_of_tables(void)
{
    lbs_registry_t *reg = new_registry();
    lbs_snapshot_t from = {.reg = reg, .count = 2};
    lbs_clock_t then = moment(50 * HOUR, 0), now = moment(7, 0);
    lbs_table_t *newer, *older;
    apr_size_t len;
    unsigned char *bytes;
    lbs_restore_t *restore;
    lbs_restore_info_t info;
    lbs_image_report_t image = {0};

    name_all(reg, "ab");
    older = new_table(reg, 500);
    newer = new_table(reg, 2000);
    bind_all(reg, older, "ab", 0, 100, then.mono);
    (void)lbs_table_chain(newer, older, then.mono + HOUR);
    bind_all(reg, newer, "ab", 100, 300, then.mono);
    lbs_registry_commit(reg, &then);
    from.tables[0] = newer;
    from.tables[1] = older;
    bytes = save(&from, &then, &len);

    restore = open_saved(bytes, len, &now);
    lbs_restore_info(restore, &info);
    ok(info.tables == 2 && info.sessions[0] == 2000 && info.sessions[1] == 500,
       "two tables, the newest first");
    reg = start(restore, "ba", 100, &now);
    newer = new_table(reg, 2000);
    older = new_table(reg, 500);
    is_int(lbs_restore_table(restore, 0, older, &image), APR_EINVAL,
           "a table of another size is refused");
    is_int(lbs_restore_table(restore, 2, older, &image), APR_EINVAL,
           "and a number that there is not");
    is_int(lbs_restore_table(restore, -1, older, &image), APR_EINVAL,
           "on either side");
    (void)lbs_restore_table(restore, 0, newer, &image);
    (void)lbs_restore_table(restore, 1, older, &image);
    (void)lbs_table_chain(newer, older, now.mono + HOUR);
    is_int(count_right(reg, newer, "ab", 0, 300, now.mono), 300,
           "all sessions are found through the chain");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    by_identity_not_by_position();
    removed_members_are_forgotten();
    forgotten_stays_forgotten();
    more_than_can_be_forgotten();
    old_files();
    operators_changes_survive();
    counters_and_ejection_survive();
    not_ours();
    the_first_bytes_tell();
    the_version_before(1);
    the_version_before(2);
    secrets_in_rotation();
    every_byte_flipped_and_each_truncation();
    sealed_nonsense();
    a_chain_of_tables();
    apr_terminate();
    return done_testing();
}
