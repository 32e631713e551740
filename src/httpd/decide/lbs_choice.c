/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_choice.c - see lbs_choice.h. */
#include "src/httpd/decide/lbs_choice.h"

/* The list is full: from now on a set tells which members were tried. */
static void make_set(lbs_choice_t *choice, apr_size_t count,
                     apr_pool_t *memory)
{
    unsigned i;

    choice->tried_set = apr_pcalloc(memory, LBS_BITS_SIZE(count));
    for (i = 0; i < choice->ntried; i++) {
        lbs_bits_add(choice->tried_set, choice->tried[i]);
    }
}

void lbs_choice_try(lbs_choice_t *choice, int member, apr_size_t count,
                    apr_pool_t *memory)
{
    if (lbs_choice_tried(choice, member)) {
        return;
    }
    if (choice->ntried == LBS_CHOICE_LISTED) {
        make_set(choice, count, memory);
    }
    if (choice->tried_set != NULL) {
        lbs_bits_add(choice->tried_set, (apr_uint32_t)member);
    }
    else {
        choice->tried[choice->ntried] = (apr_uint16_t)member;
    }
    choice->ntried++;
}

void lbs_choice_untry(lbs_choice_t *choice, int member)
{
    choice->ntried--;
    if (choice->tried_set != NULL) {
        lbs_bits_remove(choice->tried_set, (apr_uint32_t)member);
    }
}
