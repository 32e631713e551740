/* SPDX-License-Identifier: Apache-2.0 */
#include "src/table/lbs_image.h"

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
    is_int(lbs_image_import(again, 0, words, count, &origin, now, &report),
           APR_SUCCESS, "import");
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
    lbs_image_import(make_table(SESSIONS, make_slots(8)), 0, words, count,
                     &origin, 0, &report);
    is_int(report.expired, 40, "what ended while the server was down is gone");
    is_int(report.kept, 60, "the rest is not");
}

static void test_bounds(void)
{
    lbs_table_t *table = make_table(SESSIONS, make_slots(8));
    lbs_image_report_t report = {0};
    apr_uint64_t all = lbs_image_words(table);
    apr_uint64_t word = 0;

    is_int(lbs_image_export(table, all, &word, 1), APR_EINVAL,
           "no word behind the last");
    is_int(lbs_image_export(table, APR_UINT64_MAX, &word, 2), APR_EINVAL,
           "nor round the corner");
    is_int(lbs_image_import(table, all - 1, &word, 2, &origin, 0, &report),
           APR_EINVAL, "nor in");
    is_int(lbs_image_import(table, all, &word, 0, &origin, 0, &report),
           APR_SUCCESS, "none is fine");
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
    lbs_image_import(table, 0, words, count, &origin, START, &report);
    ok(report.damaged > 100, "damage is seen");
    is_sound(table, START, "whatever came in");
    is_int(report.kept, lbs_table_count(table), "what was kept is there");
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

int main(void)
{
    fixture_start();
    test_round_trip();
    test_time_passes();
    test_bounds();
    test_damage();
    test_half_inserts_stay_behind();
    return done_testing();
}
