/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_choice.c - see lbs_choice.h. */
#include "src/httpd/decide/lbs_choice.h"

static void mark(unsigned char *set, int member)
{
    set[member / 8] = (unsigned char)(set[member / 8] | 1u << member % 8);
}

/* The list is full: from now on a set tells which members were tried. */
static void make_set(lbs_choice_t *choice, apr_size_t count,
                     apr_pool_t *memory)
{
    unsigned i;

    choice->tried_set = apr_pcalloc(memory, count / 8 + 1);
    for (i = 0; i < choice->ntried; i++) {
        mark(choice->tried_set, choice->tried[i]);
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
        mark(choice->tried_set, member);
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
        choice->tried_set[member / 8] =
            (unsigned char)(choice->tried_set[member / 8]
                            & ~(1u << member % 8));
    }
}
