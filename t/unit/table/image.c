/* SPDX-License-Identifier: Apache-2.0 */
#include "src/table/lbs_image.h"

#include <pthread.h>

#include "t/unit/table/fixture.h"

#define SESSIONS 1000

static apr_uint64_t *words;
static apr_uint64_t count;
static lbs_image_origin_t origin;

static void save(const lbs_table_t *table, const lbs_table_slots_t *slots,
                 apr_time_t now)
{
    apr_uint32_t i;

    count = lbs_image_words(table);
    words = apr_pcalloc(pool, (apr_size_t)count * sizeof(*words));
    if (lbs_image_export(table, 0, words, count / 3) != APR_SUCCESS
        || lbs_image_export(table, count / 3, words + count / 3,
                            count - count / 3)
               != APR_SUCCESS) {
        bail_out("cannot export");
    }
    origin.now = now;
    for (i = 0; i < LBS_TABLE_SLOTS; i++) {
        origin.quantum_us[i] =
            lbs_atomic_load64_acquire(&slots->quantum_us[i]);
        origin.slot[i] = (apr_uint16_t)i;
    }
}

/* Words into a table that was just made, and sessions of them. */
static apr_status_t load(lbs_table_t *table, apr_time_t now,
                         lbs_image_report_t *report)
{
    apr_status_t rv = lbs_image_import(table, 0, words, count);

    if (rv == APR_SUCCESS) {
        lbs_image_adopt(table, &origin, now, report);
    }
    return rv;
}

static void test_round_trip(void)
{
    lbs_table_slots_t *slots = make_slots(8);
    lbs_table_slots_t *later = make_slots(8);
    lbs_table_t *table = make_table(SESSIONS, slots);
    lbs_table_t *again = make_table(SESSIONS, later);
    lbs_image_report_t report = {0};
    apr_time_t now = 77 * SECOND; /* the new clock: the machine was started */
    int wrong = 0;
    apr_uint64_t n;

    for (n = 0; n < 700; n++) {
        lbs_table_bind(table, key_of(n), 1 + (apr_uint32_t)n % 4, START, IDLE,
                       NULL);
    }
    save(table, slots, START + IDLE / 2);
    lbs_atomic_store64_release(&later->quantum_us[5],
                               lbs_table_quantum(10 * IDLE, 0));
    origin.slot[2] = 5;              /* moved, and has another unit now */
    origin.slot[3] = LBS_TABLE_NONE; /* removed from the configuration */
    origin.slot[4] = 7;
    lbs_atomic_store64_release(&later->quantum_us[7], 0); /* not in use */
    is_int(load(again, now, &report), APR_SUCCESS, "import");
    is_int(report.kept, 350, "all that have a slot are kept");
    is_int(report.gone, 350, "those of slots that are gone are not");
    is_int(report.damaged + report.expired, 0, "none is damaged");
    for (n = 0; n < 700; n++) {
        lbs_table_hit_t hit = {0, 0, 0};
        apr_status_t rv = lbs_table_find(again, key_of(n), now, &hit);

        wrong += n % 4 == 0 && (rv != APR_SUCCESS || hit.slot != 1);
        wrong += n % 4 == 1 && (rv != APR_SUCCESS || hit.slot != 5);
        wrong += n % 4 > 1 && rv != APR_NOTFOUND;
        wrong += n % 4 < 2
                 && (hit.expires_us < now + IDLE / 2
                     || hit.expires_us > now + IDLE / 2 + 12 * IDLE / 256);
    }
    is_int(wrong, 0, "each with its owner and the time it had left");
    is_sound(again, now, "after the import");
}

static void test_time_passes(void)
{
    lbs_table_slots_t *slots = make_slots(8);
    lbs_table_t *table = make_table(SESSIONS, slots);
    lbs_image_report_t report = {0};
    apr_uint64_t n;

    for (n = 0; n < 100; n++) {
        lbs_table_bind(table, key_of(n), 1, n < 40 ? START : START + IDLE / 2,
                       IDLE, NULL);
    }
    save(table, slots, START + IDLE + IDLE / 4);
    (void)load(make_table(SESSIONS, make_slots(8)), 0, &report);
    is_int(report.expired, 40,
           "sessions that ended while the server was down are gone");
    is_int(report.kept, 60, "the rest is not");
}

static void test_bounds(void)
{
    lbs_table_t *table = make_table(SESSIONS, make_slots(8));
    apr_uint64_t all = lbs_image_words(table);
    apr_uint64_t word = 0;

    is_int(lbs_image_export(table, all, &word, 1), APR_EINVAL,
           "no word behind the last");
    is_int(lbs_image_export(table, APR_UINT64_MAX, &word, 2), APR_EINVAL,
           "nor round the corner");
    is_int(lbs_image_import(table, all - 1, &word, 2), APR_EINVAL, "nor in");
    is_int(lbs_image_import(table, all, &word, 0), APR_SUCCESS,
           "none is fine");
    is_int(lbs_image_word(table, all), 0, "and there is none to read");
}

/* Random words, and good ones with a bit wrong or twice: whatever comes in,
 * the table is sound and works. */
static void test_damage(void)
{
    lbs_table_slots_t *slots = make_slots(8);
    lbs_table_t *table = make_table(SESSIONS, slots);
    lbs_image_report_t report = {0};
    lbs_rand_t rand = {9};
    lbs_table_hit_t hit;
    int failed = 0;
    apr_uint64_t n;

    for (n = 0; n < 900; n++) {
        lbs_table_bind(table, key_of(n), 1 + (apr_uint32_t)n % 4, START, IDLE,
                       NULL);
    }
    save(table, slots, START);
    for (n = 0; n + 1 < count; n++) {
        switch (lbs_rand_below(&rand, 4)) {
        case 0:
            words[n] = lbs_rand_next(&rand);
            break;
        case 1:
            words[n] ^= APR_UINT64_C(1) << lbs_rand_below(&rand, 64);
            break;
        case 2:
            words[n + 1] = words[n];
            break;
        default:
            break;
        }
    }
    origin.slot[6] = 9999; /* of a damaged directory */
    table = make_table(SESSIONS, make_slots(8));
    (void)load(table, START, &report);
    ok(report.damaged > 100, "damage is seen");
    is_sound(table, START, "whatever came in");
    is_int(report.kept, lbs_table_count(table), "the sessions kept are there");
    for (n = 0; n < 2000; n++) {
        failed += lbs_table_bind(table, key_of(n), 1, START, IDLE, &hit)
                  != APR_SUCCESS;
        failed += lbs_table_find(table, key_of(n), START, &hit) != APR_SUCCESS;
    }
    is_int(failed, 0, "and works");
    is_sound(table, START, "after that");
}

static void test_half_inserts_stay_behind(void)
{
    lbs_table_slots_t *slots = make_slots(8);
    lbs_table_t *table = make_table(SESSIONS, slots);
    int seen = 0;
    apr_uint64_t n;

    lbs_atomic_store64_release(
        &table->words[11],
        lbs_word_tentative(APR_UINT64_C(5) << 32, START, 1));
    save(table, slots, START);
    for (n = 0; n < count; n++) {
        seen += words[n] != 0;
    }
    is_int(seen, 0, "half an insert is not exported");
}

/* Take what changed since into words, as a file does. @return how many */
static int follow(const lbs_table_t *table)
{
    apr_uint64_t from = 0;
    apr_uint64_t first, map;
    int changes = 0;
    int bit;

    while ((map = lbs_image_changed(table, from, &first)) != 0) {
        for (bit = 0; bit < 64; bit++) {
            if ((map >> bit & 1) != 0) {
                words[first + (apr_uint64_t)bit] =
                    lbs_image_word(table, first + (apr_uint64_t)bit);
                changes++;
            }
        }
        from = first + 64;
    }
    return changes;
}

static int differences(const lbs_table_t *table)
{
    apr_uint64_t n;
    int differ = 0;

    for (n = 0; n < count; n++) {
        differ += words[n] != lbs_image_word(table, n);
    }
    return differ;
}

/* Everything that can happen to a word is marked: the words that are followed
 * are always those of the table. */
static void test_changes(void)
{
    lbs_table_slots_t *slots = make_slots(8);
    lbs_table_t *table = make_table(SESSIONS, slots);
    lbs_rand_t rand = {11};
    lbs_sweep_t *sweep;
    lbs_table_hit_t hit;
    apr_time_t now = START;
    int round, n, differ = 0;

    lbs_sweep_create(&sweep, table, pool);
    lbs_image_begin(table);
    save(table, slots, START);
    for (round = 0; round < 200; round++) {
        for (n = 0; n < 50; n++) {
            apr_uint64_t key = key_of(lbs_rand_below(&rand, 3000));
            apr_uint32_t slot = 1 + lbs_rand_below(&rand, 5);

            switch (lbs_rand_below(&rand, 6)) {
            case 0:
                (void)lbs_table_forget(table, key, now, NULL);
                break;
            case 1:
                (void)lbs_table_claim(table, key, slot, now, IDLE, &hit);
                break;
            case 2:
                (void)lbs_table_renew(table, key, now, IDLE, &hit);
                break;
            default:
                (void)lbs_table_bind(table, key, slot, now, IDLE, NULL);
                break;
            }
        }
        now += IDLE / 40;
        (void)lbs_sweep_run(sweep, 11, now, NULL, NULL, NULL);
        if (round % 20 == 7) {
            (void)lbs_sweep_requantise(
                table, 1 + lbs_rand_below(&rand, 5),
                lbs_table_quantum(IDLE, round % 40 == 7 ? 9000 * IDLE : 0),
                now);
        }
        (void)follow(table);
        differ += differences(table);
    }
    is_int(differ, 0, "200 times: what was followed is what is there");
    is_int(follow(table), 0, "and nothing more is marked");
    lbs_table_bind(table, key_of(1), 1, now, IDLE, NULL);
    is_int(follow(table), 1, "one insert is one change");
    lbs_table_find(table, key_of(1), now, &hit);
    is_int(follow(table), 0, "a look is none");
}

static lbs_atomic32_t at_work;

static void *keep_binding(void *data)
{
    lbs_table_t *table = data;
    lbs_rand_t rand = {5};
    int n;

    for (n = 0; n < 500000; n++) {
        apr_uint64_t key = key_of(lbs_rand_below(&rand, 1500));

        if (lbs_rand_below(&rand, 3) == 0) {
            (void)lbs_table_forget(table, key, START, NULL);
        }
        else {
            (void)lbs_table_bind(table, key, 1 + lbs_rand_below(&rand, 5),
                                 START, IDLE, NULL);
        }
    }
    lbs_atomic_sub32_relaxed(&at_work, 1);
    return NULL;
}

static void test_changes_while_others_work(void)
{
    lbs_table_slots_t *slots = make_slots(8);
    lbs_table_t *table = make_table(SESSIONS, slots);
    pthread_t thread[2];
    int i, taken = 0;

    lbs_image_begin(table);
    save(table, slots, START);
    lbs_atomic_store32_relaxed(&at_work, 2);
    for (i = 0; i < 2; i++) {
        if (pthread_create(&thread[i], NULL, keep_binding, table) != 0) {
            bail_out("no thread");
        }
    }
    while (lbs_atomic_load32_relaxed(&at_work) != 0) {
        taken += follow(table);
    }
    for (i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }
    (void)follow(table);
    ok(taken > 1000, "changes were taken while others made them: %d", taken);
    is_int(differences(table), 0, "and none was missed");
}

/* A session that is twice among the words is once in the table. */
static void test_twins(void)
{
    lbs_table_slots_t *slots = make_slots(8);
    lbs_table_t *table = make_table(SESSIONS, slots);
    int alone = 0, twice = 0, wrong = 0;
    apr_uint64_t n;

    for (n = 0; n < 600; n++) {
        lbs_table_bind(table, key_of(n), 1, START, IDLE, NULL);
    }
    save(table, slots, START);
    for (n = 0; n < 600; n++) {
        lbs_place_t place = lbs_place_of(table, key_of(n));
        apr_uint64_t word = 0;
        int at = lbs_place_find(&place, &word);
        int other = (int)((n * 5 + 3) % LBS_PAIR);
        apr_uint64_t to =
            (apr_uint64_t)(lbs_place_word(&place, other) - table->words);

        if (other != at && words[to] == 0) {
            words[to] = (word & ~(LBS_WORD_TAG | LBS_WORD_ALT))
                        | lbs_place_want(&place, other);
            twice++;
        }
        else {
            alone++;
        }
    }
    for (n = 0; n < 2; n++) {
        lbs_image_report_t report = {0};
        lbs_table_t *again = make_table(SESSIONS, make_slots(8));
        lbs_table_hit_t hit;
        apr_uint64_t k;

        (void)load(again, START, &report);
        is_sound(again, START, "with twins in the file");
        is_int(report.damaged, twice, "each twin is left out");
        for (k = 0; k < 600; k++) {
            wrong +=
                lbs_table_find(again, key_of(k), START, &hit) != APR_SUCCESS;
        }
    }
    is_int(wrong, 0, "and its session is there");
    ok(alone > 50 && twice > 50, "%d alone, %d twice", alone, twice);
}

/* More words than sessions, as earlier versions saved. */
static void test_surplus(void)
{
    apr_uint32_t expiry = lbs_expiry_at(
        START, IDLE, lbs_quantum_shift(lbs_table_quantum(IDLE, 0)));
    lbs_table_t *table = make_table(SESSIONS, make_slots(8));
    lbs_image_report_t report = {0};
    int lost = 0;
    apr_uint64_t n;

    save(table, make_slots(8), START);
    for (n = 0; n < count; n++) {
        words[n] =
            (n + 1) << 32 | lbs_word_load(1, expiry, n % 4) | LBS_WORD_VALID;
    }
    (void)load(table, START, &report);
    is_int(report.kept, SESSIONS, "as many as the table holds are kept");
    is_int(report.surplus, count - SESSIONS, "the others are not");
    is_int(lbs_table_count(table), SESSIONS, "indeed");
    for (n = 3; n < count; n += 4) {
        lost += lbs_image_word(table, n) == 0;
    }
    is_int(lost, 0, "all that were in use for some time stay");
}

int main(void)
{
    fixture_start();
    test_round_trip();
    test_time_passes();
    test_bounds();
    test_damage();
    test_half_inserts_stay_behind();
    test_changes();
    test_changes_while_others_work();
    test_twins();
    test_surplus();
    return done_testing();
}
