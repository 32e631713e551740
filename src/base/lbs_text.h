/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_text.h - numbers, durations and lists as an administrator writes them.
 *
 * Every parser takes the whole string or nothing: no blanks around it, no
 * sign, no exponent, no text behind the number, no value that does not fit.
 * It returns NULL on success, else a phrase that completes the sentence "the
 * value is X, wanted is ..."; out parameters are then as they were.
 * Units and words are read without regard to case, as httpd does.
 */
#ifndef LBS_TEXT_H
#define LBS_TEXT_H

#include <apr.h>
#include <apr_pools.h>

#include "src/base/lbs_slice.h"

#define LBS_TEXT_SECOND APR_INT64_C(1000000) /* microseconds */

/* The longest duration that may be written: ten years, in microseconds. */
#define LBS_TEXT_DURATION_MAX (APR_INT64_C(3650) * 86400 * LBS_TEXT_SECOND)

#define LBS_TEXT_DURATION_LEN 24 /* bytes of a written duration, with NUL */

/* Which HTTP statuses are meant: one bit for each from 100 to 599. */
typedef struct lbs_statuses_t {
    apr_uint32_t bits[19]; /* bit c % 32 of word c / 32 stands for status c */
} lbs_statuses_t;

/* Statuses that are listed, or left to the module. */
typedef struct lbs_statuses_auto_t {
    lbs_statuses_t listed;
    int is_auto; /* 1: nothing is listed */
} lbs_statuses_auto_t;

/**
 * A number with one of the units ms, s, min, h, d; without unit, seconds. Zero
 * is a duration; a caller that cannot use it refuses it.
 *
 * @param usec  out: microseconds, at most LBS_TEXT_DURATION_MAX
 */
const char *lbs_text_duration(const char *s, apr_int64_t *usec);

/**
 * Two durations with a dash between them, the shorter one first: `1s-60s`.
 * One alone stands for both ends.
 *
 * @param min, max  out: microseconds, 0 <= min <= max
 */
const char *lbs_text_durations(const char *s, apr_int64_t *min,
                               apr_int64_t *max);

/**
 * Write a duration as lbs_text_duration() reads it, in the largest unit that
 * is exact: `90min`, not `5400s`.
 *
 * @param out   LBS_TEXT_DURATION_LEN bytes
 * @param usec  whole milliseconds; a rest is cut off
 */
void lbs_text_duration_write(char *out, apr_int64_t usec);

/** A whole number from min to max, digits only. */
const char *lbs_text_uint(const char *s, apr_uint64_t min, apr_uint64_t max,
                          apr_uint64_t *u);

/** A number of bytes, or with k or m behind it of 1024 or 1024 * 1024. */
const char *lbs_text_size(const char *s, apr_uint64_t *bytes);

/**
 * A number with up to two decimals, at least one digit on each side of the
 * point. Never passes through floating point: 1.05 is exactly 105.
 *
 * @param min, max, centi  in hundredths
 */
const char *lbs_text_centi(const char *s, apr_uint32_t min, apr_uint32_t max,
                           apr_uint32_t *centi);

/** A whole number from 0 to 100, with or without a percent sign. */
const char *lbs_text_percent(const char *s, apr_uint32_t *percent);

/**
 * How many letters two names differ by: those to be changed, added or left out
 * (Levenshtein). For finding the name that was meant.
 *
 * Cost: the product of the lengths. Names above 64 bytes are never alike.
 */
unsigned lbs_text_distance(const char *a, const char *b);

/** `on` or `off`; out: 1 or 0. */
const char *lbs_text_switch(const char *s, int *on);

/**
 * Statuses, ranges and classes, separated by commas: `200-399,404,5xx`.
 *
 * @param set  out: exactly the statuses listed
 */
const char *lbs_text_statuses(const char *s, lbs_statuses_t *set);

/**
 * Write a set as lbs_text_statuses() reads it, as few ranges as it takes.
 *
 * @return allocated from pool; "" for the empty set
 */
const char *lbs_statuses_write(apr_pool_t *pool, const lbs_statuses_t *set);

/** Is the status in the set? Any int may be asked for. */
int lbs_statuses_has(const lbs_statuses_t *set, int status);

/** Add one status; others than 100 to 599 are ignored. */
void lbs_statuses_add(lbs_statuses_t *set, int status);

/**
 * Split `key=value` at the first equals sign.
 *
 * @param key    out: at least one byte
 * @param value  out: the rest, into arg; may be empty
 */
const char *lbs_text_keyval(const char *arg, lbs_slice_t *key,
                            const char **value);

#endif
