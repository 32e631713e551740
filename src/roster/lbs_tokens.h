/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_tokens.h - the tokens with which members register.
 *
 *     # comment
 *     a1b2c3d4e5f60718293a4b5c6d7e8f90
 *     0f1e2d3c4b5a69788796a5b4c3d2e1f0 pool=app
 */
#ifndef LBS_TOKENS_H
#define LBS_TOKENS_H

#include <apr.h>

#define LBS_TOKENS_MOST 32
#define LBS_TOKENS_LEN_MIN 16 /* bytes of a token */
#define LBS_TOKENS_LEN_MAX 256

typedef struct lbs_token_line_t {
    const char *text;
    const char *pool; /* NULL: of all pools */
} lbs_token_line_t;

typedef struct lbs_tokens_t {
    int count;
    lbs_token_line_t line[LBS_TOKENS_MOST];
} lbs_tokens_t;

/**
 * Read the lines of a file.
 *
 * @param text    ends with a NUL; is taken apart, and must live as long
 * @param tokens  out
 * @return NULL; or what was wanted
 */
const char *lbs_tokens_read(char *text, lbs_tokens_t *tokens);

/**
 * Is this one of the tokens, and of the pool? All are compared, byte by byte:
 * the time it takes depends on the given one alone.
 *
 * @return 1: it is
 */
int lbs_tokens_has(const lbs_tokens_t *tokens, const char *given,
                   const char *pool);

#endif
