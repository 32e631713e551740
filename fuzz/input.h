/* SPDX-License-Identifier: Apache-2.0 */
/* input.h - what the fuzz targets share: an input as C strings in blocks of
 * exactly their size, and a check that crashes.
 */
#ifndef LBS_FUZZ_INPUT_H
#define LBS_FUZZ_INPUT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>

#include "src/base/lbs_slice.h"

/* The entry of a target; libFuzzer and replay.c declare it themselves. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Crash unless it holds: the fuzzer keeps the input. */
#define must(what) ((what) ? (void)0 : abort())

/* `name LF text`, or only a text. */
typedef struct input_t {
    char *name; /* "LB" if the input has none */
    char *text;
} input_t;

static inline char *input_string(const uint8_t *data, size_t size)
{
    char *s = malloc(size + 1);

    must(s != NULL);
    if (size > 0) {
        memcpy(s, data, size);
    }
    s[size] = '\0';
    return s;
}

static inline input_t input_open(const uint8_t *data, size_t size)
{
    const uint8_t *lf = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t n = lf != NULL ? (size_t)(lf - data) : 0;
    input_t in;

    in.name = lf != NULL ? input_string(data, n)
                         : input_string((const uint8_t *)"LB", 2);
    in.text = lf != NULL ? input_string(lf + 1, size - n - 1)
                         : input_string(data, size);
    return in;
}

static inline void input_close(input_t *in)
{
    free(in->name);
    free(in->text);
}

/** A pool that is empty again for each input. */
static inline apr_pool_t *input_pool(void)
{
    static apr_pool_t *pool;

    if (pool == NULL) {
        must(apr_initialize() == APR_SUCCESS);
        must(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    }
    apr_pool_clear(pool);
    return pool;
}

/** Does the slice lie within the string? */
static inline int input_holds(const char *text, lbs_slice_t slice)
{
    return slice.n == 0
           || (slice.p >= text && slice.p + slice.n <= text + strlen(text));
}

#endif
