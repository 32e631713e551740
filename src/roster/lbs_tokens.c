/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_tokens.c - see lbs_tokens.h. */
#include "src/roster/lbs_tokens.h"

#include <apr_strings.h>
#include <string.h>

static const char *read_line(char *line, lbs_token_line_t *to)
{
    char *state = NULL;
    const char *more, *last;

    line[strcspn(line, "#\r")] = '\0';
    to->text = apr_strtok(line, " \t", &state);
    if (to->text == NULL) {
        return NULL;
    }
    more = apr_strtok(NULL, " \t", &state);
    last = apr_strtok(NULL, " \t", &state);
    if (strlen(to->text) < LBS_TOKENS_LEN_MIN
        || strlen(to->text) > LBS_TOKENS_LEN_MAX) {
        return "a file with tokens of 16 to 256 bytes, one a line";
    }
    to->pool = NULL;
    if (more != NULL && strncmp(more, "pool=", 5) == 0 && more[5] != '\0') {
        to->pool = more + 5;
    }
    return last != NULL || (more != NULL && to->pool == NULL)
               ? "a file with nothing but pool=NAME behind a token"
               : NULL;
}

const char *lbs_tokens_read(char *text, lbs_tokens_t *tokens)
{
    const char *wanted = NULL;
    char *state = NULL;
    char *line;

    tokens->count = 0;
    for (line = apr_strtok(text, "\n", &state); line != NULL && wanted == NULL;
         line = apr_strtok(NULL, "\n", &state)) {
        lbs_token_line_t read = {NULL, NULL};

        wanted = read_line(line, &read);
        if (read.text != NULL && wanted == NULL) {
            if (tokens->count == LBS_TOKENS_MOST) {
                return "a file with at most 32 tokens";
            }
            tokens->line[tokens->count++] = read;
        }
    }
    return wanted == NULL && tokens->count == 0 ? "a file with a token in it"
                                                : wanted;
}

/* @return 0: they are the same */
static unsigned differ(const char *token, const char *given, apr_size_t len)
{
    apr_size_t own = strlen(token);
    unsigned diff = own != len;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        diff |= (unsigned)(token[i < own ? i : 0] ^ given[i]);
    }
    return diff;
}

int lbs_tokens_has(const lbs_tokens_t *tokens, const char *given,
                   const char *pool)
{
    apr_size_t len = strlen(given);
    int i, found = 0;

    if (len > LBS_TOKENS_LEN_MAX) {
        return 0;
    }
    for (i = 0; i < tokens->count; i++) {
        const lbs_token_line_t *line = &tokens->line[i];

        found |= differ(line->text, given, len) == 0
                 && (line->pool == NULL || strcmp(line->pool, pool) == 0);
    }
    return found;
}
