/* SPDX-License-Identifier: Apache-2.0 */
/* A sample is one word:
 *
 *     p99 15 | p50 15 | errors 15 | requests 15 | 0 0 0 | known 1
 *
 * A number of 15 bits is exponent 5 | mantissa 10, with the leading 1 left
 * out from exponent 1 on: exact below 2048, then right within 1/1024.
 */
#include "src/state/lbs_ring.h"

#include <string.h>

#define KNOWN APR_UINT64_C(1)
#define BITS 15
#define MANTISSA 10
#define LEADING (APR_UINT64_C(1) << MANTISSA)
#define FIELD(word, n) ((word) >> (4 + BITS * (n)) & ((1u << BITS) - 1))

static apr_uint64_t pack(apr_uint64_t value)
{
    apr_uint64_t exponent = 0;

    if (value >= LEADING) {
        exponent = (apr_uint64_t)(63 - __builtin_clzll(value)) - MANTISSA + 1;
        value = value >> (exponent - 1) & (LEADING - 1);
    }
    return exponent > 31 ? (1u << BITS) - 1 : exponent << MANTISSA | value;
}

static apr_uint64_t unpack(apr_uint64_t packed)
{
    apr_uint64_t exponent = packed >> MANTISSA;
    apr_uint64_t mantissa = packed & (LEADING - 1);

    return exponent == 0 ? mantissa : (mantissa | LEADING) << (exponent - 1);
}

static apr_uint64_t word_of(const lbs_ring_sample_t *sample)
{
    return sample->known == 0 ? 0
                              : KNOWN | pack(sample->requests) << 4
                                    | pack(sample->errors) << (4 + BITS)
                                    | pack(sample->p50_us) << (4 + 2 * BITS)
                                    | pack(sample->p99_us) << (4 + 3 * BITS);
}

static lbs_ring_sample_t sample_of(apr_uint64_t word)
{
    lbs_ring_sample_t sample = {0, 0, 0, 0, 0};

    if ((word & KNOWN) != 0) {
        sample.known = 1;
        sample.requests = unpack(FIELD(word, 0));
        sample.errors = unpack(FIELD(word, 1));
        sample.p50_us = unpack(FIELD(word, 2));
        sample.p99_us = unpack(FIELD(word, 3));
    }
    return sample;
}

/* Of five minutes: how much there was, the median weighted by the requests it
 * stands for, and the worst 99th percentile. */
static lbs_ring_sample_t fold(const lbs_ring_t *ring)
{
    lbs_ring_sample_t all = {0, 0, 0, 0, 0};
    double weighted = 0;
    int i;

    for (i = 0; i < LBS_RING_SHORT; i++) {
        lbs_ring_sample_t one =
            sample_of(lbs_atomic_load64_relaxed(&ring->recent[i]));

        all.known |= one.known;
        all.requests += one.requests;
        all.errors += one.errors;
        weighted += (double)one.p50_us * (double)one.requests;
        all.p99_us = one.p99_us > all.p99_us ? one.p99_us : all.p99_us;
    }
    if (all.requests != 0) {
        all.p50_us = (apr_uint64_t)(weighted / (double)all.requests);
    }
    return all;
}

static void put(lbs_ring_t *ring, apr_uint64_t step,
                const lbs_ring_sample_t *sample)
{
    lbs_atomic_store64_relaxed(&ring->recent[step % LBS_RING_SHORT],
                               word_of(sample));
    if (step % LBS_RING_FOLD == LBS_RING_FOLD - 1) {
        lbs_ring_sample_t all = fold(ring);

        lbs_atomic_store64_relaxed(
            &ring->day[step / LBS_RING_FOLD % LBS_RING_LONG], word_of(&all));
    }
}

/* Steps that nobody counted; one day of them empties both rings. */
static void skip(lbs_ring_t *ring, apr_uint64_t from, apr_uint64_t to)
{
    static const lbs_ring_sample_t unknown = {0, 0, 0, 0, 0};
    const apr_uint64_t day = LBS_RING_LONG * LBS_RING_FOLD;

    if (to - from > day) {
        from = to - day;
    }
    for (; from < to; from++) {
        put(ring, from, &unknown);
    }
}

/* Book what was counted since the beginning of step `from` on the steps up to
 * `to`; the last one gets what cannot be divided. */
static void book(lbs_ring_t *ring, const lbs_ring_totals_t *totals,
                 apr_uint64_t from, apr_uint64_t to)
{
    apr_uint64_t requests =
        totals->requests - lbs_atomic_load64_relaxed(&ring->requests);
    apr_uint64_t errors =
        totals->errors - lbs_atomic_load64_relaxed(&ring->errors);
    apr_uint64_t steps = to - from;
    lbs_ring_sample_t each = {1, requests / steps, errors / steps,
                              totals->p50_us, totals->p99_us};

    for (; from + 1 < to; from++) {
        put(ring, from, &each);
    }
    each.requests += requests % steps;
    each.errors += errors % steps;
    put(ring, from, &each);
}

void lbs_ring_feed(lbs_ring_t *ring, const lbs_ring_totals_t *totals,
                   apr_time_t now)
{
    apr_uint64_t step = (apr_uint64_t)(now / LBS_RING_STEP);
    apr_uint64_t next = lbs_atomic_load64_relaxed(&ring->next);
    int again = totals->requests < lbs_atomic_load64_relaxed(&ring->requests)
                || totals->errors < lbs_atomic_load64_relaxed(&ring->errors);

    if (next != 0 && step <= next) {
        return;
    }
    if (next != 0 && (again || step - next > LBS_RING_SHORT)) {
        skip(ring, next, step);
    }
    else if (next != 0) {
        book(ring, totals, next, step);
    }
    lbs_atomic_store64_relaxed(&ring->requests, totals->requests);
    lbs_atomic_store64_relaxed(&ring->errors, totals->errors);
    lbs_atomic_store64_relaxed(&ring->next, step);
}

/* Reading ---------------------------------------------------------------- */

/* Samples number end - count to end - 1 of a ring in which those before
 * `next` were written. */
static void read_last(const lbs_atomic64_t *words, apr_uint64_t count,
                      apr_uint64_t end, apr_uint64_t next,
                      lbs_ring_sample_t *samples)
{
    apr_uint64_t i;

    for (i = 0; i < count; i++) {
        apr_uint64_t number = end - count + i;
        /* A number below the first wraps to one far above the last. */
        int written = number < next && next - number <= count;

        samples[i] = sample_of(
            written ? lbs_atomic_load64_relaxed(&words[number % count]) : 0);
    }
}

/* Where to end: at the last step booked, as long as a process books; it may be
 * a step behind the reader. */
static apr_uint64_t end_of(apr_uint64_t next, apr_uint64_t now)
{
    return next + 1 >= now && next != 0 ? next : now;
}

apr_time_t lbs_ring_recent(const lbs_ring_t *ring, apr_time_t now,
                           lbs_ring_sample_t *samples)
{
    apr_uint64_t next = lbs_atomic_load64_relaxed(&ring->next);
    apr_uint64_t end = end_of(next, (apr_uint64_t)(now / LBS_RING_STEP));

    read_last(ring->recent, LBS_RING_SHORT, end, next, samples);
    return (apr_time_t)end * LBS_RING_STEP;
}

apr_time_t lbs_ring_day(const lbs_ring_t *ring, apr_time_t now,
                        lbs_ring_sample_t *samples)
{
    apr_uint64_t next = lbs_atomic_load64_relaxed(&ring->next);
    apr_uint64_t end = end_of(next, (apr_uint64_t)(now / LBS_RING_STEP));

    next /= LBS_RING_FOLD;
    end /= LBS_RING_FOLD;
    read_last(ring->day, LBS_RING_LONG, end, next, samples);
    return (apr_time_t)end * LBS_RING_FOLD * LBS_RING_STEP;
}
