/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_table.c - the block, views of it, and look-ups. Inserts, which are
 * where two processes can get into each other's way, are in
 * lbs_table_bind.c; how a word is laid out is in lbs_table_int.h. */
#include "src/table/lbs_table.h"

#include <string.h>

#include "src/base/lbs_hash.h"
#include "src/table/lbs_table_int.h"

#define MAGIC APR_UINT64_C(0x6c62737461626c65) /* "lbstable" */
#define VERSION 3

/* How often a word may change under a look-up before it takes what it sees. */
#define ROUNDS 4

/* Sessions per word a table is sized for: above it, live sessions start to
 * be evicted (bench/sim_evict.c). */
#define LOAD_NUM 3
#define LOAD_DEN 5

static apr_uint64_t buckets_for(apr_uint32_t sessions)
{
    apr_uint64_t words =
        ((apr_uint64_t)sessions * LOAD_DEN + LOAD_NUM - 1) / LOAD_NUM;

    return (words + LBS_PAIR - 1) / LBS_PAIR * 2;
}

apr_uint64_t lbs_table_words(apr_uint32_t sessions)
{
    return buckets_for(sessions) * LBS_LINE;
}

static apr_uint64_t check_of(const lbs_table_head_t *head)
{
    apr_uint64_t sum = lbs_hash_mix(head->magic ^ head->version);

    sum = lbs_hash_mix(sum ^ head->sessions);
    return lbs_hash_mix(sum ^ head->buckets);
}

static int aligned(const void *block)
{
    return ((apr_uintptr_t)block & (LBS_TABLE_ALIGN - 1)) == 0;
}

apr_size_t lbs_table_bytes(apr_uint32_t sessions)
{
    apr_uint64_t bytes =
        sizeof(lbs_table_head_t) + buckets_for(sessions) * LBS_TABLE_ALIGN;

    if (sessions == 0 || bytes > APR_SIZE_MAX) {
        return 0;
    }
    return (apr_size_t)bytes;
}

apr_status_t lbs_table_format(void *block, apr_size_t len,
                              apr_uint32_t sessions)
{
    apr_size_t need = lbs_table_bytes(sessions);
    lbs_table_head_t *head = block;

    if (need == 0 || len < need || !aligned(block)) {
        return APR_EINVAL;
    }
    memset(block, 0, need);
    head->magic = MAGIC;
    head->version = VERSION;
    head->sessions = sessions;
    head->buckets = buckets_for(sessions);
    head->check = check_of(head);
    return APR_SUCCESS;
}

apr_status_t lbs_table_open(lbs_table_t **table, void *block, apr_size_t len,
                            lbs_table_slots_t *slots, apr_pool_t *pool)
{
    lbs_table_head_t *head = block;
    lbs_table_t *view;

    if (!aligned(block)) {
        return APR_EINVAL;
    }
    if (len < sizeof(*head) || head->magic != MAGIC || head->version != VERSION
        || head->check != check_of(head) || head->sessions == 0
        || head->buckets != buckets_for(head->sessions)
        || lbs_table_bytes(head->sessions) > len) {
        return APR_EGENERAL;
    }
    view = apr_pcalloc(pool, sizeof(*view));
    view->head = head;
    view->words = (lbs_atomic64_t *)(head + 1);
    view->slots = slots;
    view->buckets = head->buckets;
    view->sessions = head->sessions;
    *table = view;
    return APR_SUCCESS;
}

apr_size_t lbs_table_marks_bytes(apr_uint32_t sessions)
{
    return (apr_size_t)((lbs_table_words(sessions) + 63) / 64
                        * sizeof(lbs_atomic64_t));
}

void lbs_table_mark_changes(lbs_table_t *table, void *marks)
{
    table->marks = marks;
}

apr_status_t lbs_table_chain(lbs_table_t *table, lbs_table_t *older,
                             apr_time_t move_after)
{
    const lbs_table_t *view;
    int length = 0;

    if (table->older != NULL || older->slots != table->slots) {
        return APR_EINVAL;
    }
    for (view = older; view != NULL; view = view->older) {
        if (view->head == table->head || ++length > LBS_TABLE_CHAIN) {
            return APR_EINVAL;
        }
    }
    table->older = older;
    table->move_after = move_after;
    return APR_SUCCESS;
}

apr_uint64_t lbs_table_quantum(apr_interval_time_t idle_us,
                               apr_interval_time_t longest_us)
{
    apr_uint64_t fine = idle_us < 256 ? 1 : (apr_uint64_t)idle_us / 256;
    apr_uint64_t coarse =
        longest_us <= idle_us
            ? 1
            : (apr_uint64_t)longest_us / (LBS_EXPIRY_AHEAD - 2) * 2 + 2;
    apr_uint64_t quantum = fine > coarse ? fine : coarse;

    return APR_UINT64_C(1) << lbs_quantum_shift(quantum);
}

apr_interval_time_t lbs_table_unit(const lbs_table_slots_t *slots,
                                   apr_uint32_t slot)
{
    return (apr_interval_time_t)(lbs_atomic_load64_relaxed(
                                     &slots->quantum_us[slot])
                                 & ~(LBS_QUANTUM_HOLD | LBS_QUANTUM_TURN));
}

apr_uint64_t lbs_table_sessions(const lbs_table_slots_t *slots,
                                apr_uint32_t slot)
{
    apr_uint64_t count = lbs_atomic_load64_relaxed(&slots->sessions[slot]);

    /* Below zero when a process died between binding and counting. */
    return count >> 63 != 0 ? 0 : count;
}

void lbs_table_stats(const lbs_table_t *table, lbs_table_stats_t *stats)
{
    const lbs_table_t *view;
    apr_uint32_t slot;

    memset(stats, 0, sizeof(*stats));
    stats->sessions = table->sessions;
    for (slot = 0; slot < LBS_TABLE_SLOTS; slot++) {
        stats->entries += lbs_table_sessions(table->slots, slot);
    }
    for (view = table; view != NULL; view = view->older) {
        lbs_table_head_t *head = view->head;

        stats->bytes += lbs_table_bytes(view->sessions);
        stats->evicted_unseen +=
            lbs_atomic_load64_relaxed(&head->evicted_unseen);
        stats->evicted_seen += lbs_atomic_load64_relaxed(&head->evicted_seen);
        stats->expired += lbs_atomic_load64_relaxed(&head->expired);
    }
}

apr_uint64_t lbs_table_count(const lbs_table_t *table)
{
    apr_uint64_t words = table->buckets * LBS_LINE;
    apr_uint64_t count = 0;
    apr_uint64_t i;

    for (i = 0; i < words; i++) {
        count += lbs_atomic_load64_relaxed(&table->words[i]) & LBS_WORD_VALID;
    }
    return count;
}

static apr_status_t find_in(const lbs_table_t *table, apr_uint64_t key,
                            apr_time_t now, lbs_table_hit_t *hit)
{
    lbs_place_t place = lbs_place_of(table, key);
    apr_uint64_t word;

    __builtin_prefetch(place.line[1]);
    if (lbs_place_find(&place, &word) >= 0) {
        switch (lbs_word_read(table, word, now, hit)) {
        case LBS_WORD_LIVE:
            return APR_SUCCESS;
        case LBS_WORD_EXPIRED:
            return APR_TIMEUP;
        case LBS_WORD_DEAD:
            return APR_NOTFOUND;
        }
    }
    return APR_INCOMPLETE; /* look further */
}

apr_status_t lbs_table_find(const lbs_table_t *table, apr_uint64_t key,
                            apr_time_t now, lbs_table_hit_t *hit)
{
    const lbs_table_t *view;
    apr_status_t rv = APR_INCOMPLETE;

    for (view = table; rv == APR_INCOMPLETE && view != NULL;
         view = view->older) {
        rv = find_in(view, key, now, hit);
    }
    /* The session may have moved to the newer table meanwhile. It is copied
     * first and then taken away, so a look-up that missed both finds the copy
     * now. */
    if (rv == APR_INCOMPLETE && table->older != NULL) {
        rv = find_in(table, key, now, hit);
    }
    return rv == APR_INCOMPLETE ? APR_NOTFOUND : rv;
}

int lbs_table_drop_word(const lbs_table_t *table, lbs_atomic64_t *at,
                        apr_uint64_t word)
{
    lbs_atomic_add64_relaxed(&table->head->changes, 1);
    if (!lbs_atomic_cas64_total(at, &word, 0)) {
        return 0;
    }
    lbs_table_mark(table, at);
    lbs_atomic_sub64_relaxed(&table->head->live, 1);
    lbs_atomic_sub64_relaxed(&table->slots->sessions[lbs_word_slot(word)], 1);
    return 1;
}

int lbs_table_has_twin(const lbs_table_t *table, apr_uint64_t index,
                       apr_uint64_t word)
{
    const apr_uint64_t mask = LBS_WORD_TAG | LBS_WORD_ALT | LBS_WORD_VALID;
    apr_uint64_t bucket = index / LBS_LINE;
    apr_uint64_t other = lbs_other_bucket(table, word >> 32, bucket);
    int i;

    for (i = 0; i < LBS_LINE; i++) {
        apr_uint64_t near = bucket * LBS_LINE + (apr_uint64_t)i;
        apr_uint64_t far = other * LBS_LINE + (apr_uint64_t)i;
        apr_uint64_t here = lbs_atomic_load64_relaxed(&table->words[near]);
        apr_uint64_t there = lbs_atomic_load64_relaxed(&table->words[far]);

        if ((near != index && ((here ^ word) & mask) == 0)
            || ((there ^ word ^ LBS_WORD_ALT) & mask) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Use the session of a word. @return APR_EAGAIN: the word changed meanwhile;
 * else as lbs_table_renew() */
static apr_status_t touch(const lbs_table_t *table, lbs_atomic64_t *at,
                          apr_uint64_t word, apr_time_t now,
                          apr_interval_time_t idle, lbs_table_hit_t *hit)
{
    apr_uint64_t next;
    lbs_life_t life;

    switch (lbs_word_left(table, word, now, &life)) {
    case LBS_WORD_DEAD:
        return APR_NOTFOUND;
    case LBS_WORD_EXPIRED:
        if (!lbs_table_drop_word(table, at, word)) {
            return APR_EAGAIN;
        }
        lbs_atomic_add64_relaxed(&table->head->expired, 1);
        lbs_word_tell(word, now, &life, hit);
        return APR_TIMEUP;
    case LBS_WORD_LIVE:
        break;
    }
    next = (word & ~(LBS_WORD_EXPIRY | LBS_WORD_SEEN))
           | lbs_word_load(
               0, lbs_expiry_at(now, idle, life.shift) | life.turn,
               lbs_word_used(word, now, idle,
                             lbs_expiry_time(now, life.left, life.shift)));
    /* While its slot is converted a stray is left to the conversion, which
     * knows its end. */
    if (next != word && !(life.stray && life.held)) {
        if (!lbs_atomic_cas64_total(at, &word, next)) {
            return APR_EAGAIN;
        }
        lbs_table_mark(table, at);
        word = next;
        life.left = lbs_expiry_left(lbs_word_expiry(word), now, life.shift);
    }
    lbs_word_tell(word, now, &life, hit);
    return APR_SUCCESS;
}

static apr_status_t renew_in(const lbs_table_t *table, apr_uint64_t key,
                             apr_time_t now, apr_interval_time_t idle,
                             lbs_table_hit_t *hit)
{
    lbs_place_t place = lbs_place_of(table, key);
    int round;

    __builtin_prefetch(place.line[1]);
    for (round = 0; round < ROUNDS; round++) {
        apr_uint64_t word;
        apr_status_t rv;
        int i = lbs_place_find(&place, &word);

        if (i < 0) {
            return APR_NOTFOUND;
        }
        rv = touch(table, lbs_place_word(&place, i), word, now, idle, hit);
        if (rv != APR_EAGAIN) {
            return rv;
        }
    }
    return lbs_table_find(table, key, now, hit); /* others just renewed it */
}

apr_status_t lbs_table_renew(lbs_table_t *table, apr_uint64_t key,
                             apr_time_t now, apr_interval_time_t idle_us,
                             lbs_table_hit_t *hit)
{
    apr_status_t rv = renew_in(table, key, now, idle_us, hit);

    if (rv == APR_NOTFOUND && table->older != NULL) {
        rv = renew_in(lbs_table_settle(table, key, now), key, now, idle_us,
                      hit);
    }
    return rv;
}

static apr_status_t forget_in(const lbs_table_t *table, apr_uint64_t key,
                              apr_time_t now, lbs_table_hit_t *hit)
{
    lbs_place_t place = lbs_place_of(table, key);
    apr_status_t rv = APR_NOTFOUND;
    int round;

    /* Requests under way can keep the session alive for a few rounds only;
     * after that it is a new session. */
    for (round = 0; round < ROUNDS * LBS_PAIR; round++) {
        apr_uint64_t word;
        int i = lbs_place_find(&place, &word);

        if (i < 0) {
            break;
        }
        if (lbs_table_drop_word(table, lbs_place_word(&place, i), word)) {
            lbs_word_state_t state = lbs_word_read(table, word, now, hit);

            if (state == LBS_WORD_LIVE) {
                rv = APR_SUCCESS;
            }
            else if (state == LBS_WORD_EXPIRED) {
                lbs_atomic_add64_relaxed(&table->head->expired, 1);
            }
            break;
        }
    }
    return rv;
}

apr_status_t lbs_table_forget(lbs_table_t *table, apr_uint64_t key,
                              apr_time_t now, lbs_table_hit_t *hit)
{
    const lbs_table_t *view;
    lbs_table_hit_t was;
    lbs_table_hit_t first = {0};
    apr_status_t rv = APR_NOTFOUND;

    for (view = table; view != NULL; view = view->older) {
        if (forget_in(view, key, now, &was) == APR_SUCCESS
            && rv != APR_SUCCESS) {
            first = was;
            rv = APR_SUCCESS;
        }
    }
    if (rv == APR_SUCCESS && hit != NULL) {
        *hit = first;
    }
    return rv;
}
