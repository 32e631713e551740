/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_shared_text.c - two copies and a count.
 *
 * The words are atomics so that a reader may look at a copy that is being
 * overwritten: it then sees a mixture, but not undefined behaviour, and the
 * count tells.
 */
#include "src/member/lbs_shared_text.h"

#include <string.h>

#define WORDS (LBS_SHARED_TEXT_LEN / 8)
#define READS 8 /* rewritten copies before a reader gives up */

void lbs_shared_text_set(lbs_shared_text_t *note, const char *text)
{
    apr_uint64_t next = lbs_atomic_load64_relaxed(&note->count) + 1;
    apr_uint64_t words[WORDS] = {0};
    char *bytes = (char *)words;
    int i;

    for (i = 0; i + 1 < LBS_SHARED_TEXT_LEN && text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];

        bytes[i] = c < 0x20 || c == 0x7f ? '?' : text[i];
    }
    /* Readers of the copy about to be written still expect the last count;
     * they must not find our words under it. */
    atomic_thread_fence(memory_order_release);
    for (i = 0; i < WORDS; i++) {
        lbs_atomic_store64_relaxed(&note->words[next & 1][i], words[i]);
    }
    lbs_atomic_store64_release(&note->count, next);
}

apr_status_t lbs_shared_text_get(const lbs_shared_text_t *note, char *text)
{
    apr_uint64_t words[WORDS];
    int read;
    int i;

    for (read = 0; read < READS; read++) {
        apr_uint64_t count = lbs_atomic_load64_acquire(&note->count);

        /* Acquire: a word of a later text brings along the count before it,
         * so the second look at the count cannot miss that. */
        for (i = 0; i < WORDS; i++) {
            words[i] = lbs_atomic_load64_acquire(&note->words[count & 1][i]);
        }
        if (lbs_atomic_load64_relaxed(&note->count) == count) {
            memcpy(text, words, LBS_SHARED_TEXT_LEN);
            text[LBS_SHARED_TEXT_LEN - 1] = '\0';
            return APR_SUCCESS;
        }
    }
    text[0] = '\0';
    return APR_EAGAIN;
}
