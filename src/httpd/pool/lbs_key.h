/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_key.h - one source's key in a request, and its session. */
#ifndef LBS_KEY_H
#define LBS_KEY_H

#include <apr.h>
#include <apr_time.h>

/* Is a session away from home, LBStickyFailback? */
enum {
    LBS_KEY_UNASKED = 0, /* the store was not asked, or does not answer */
    LBS_KEY_HOME,
    LBS_KEY_AWAY
};

typedef struct lbs_key_t {
    int present;         /* the visitor shows a value that can be learned */
    int known;           /* the table has it, or the store */
    int endless;         /* known, but not when LBStickyTimeout max= ends it,
                            which came in force later */
    apr_uint64_t hash;   /* as the table knows it */
    int slot;            /* the member it names; -1: none */
    int other;           /* another one, that an older word names; -1: none */
    int left;            /* other is the word of this server's table, and
                            another server has moved the session since */
    int away;            /* with is_away: the member, -1: none of ours */
    int is_away;         /* LBS_KEY_*: what the store says of it */
    apr_time_t expires;  /* when known; on the monotonic clock */
    const char *name;    /* in LBStickyStore; NULL: it is not stored */
    apr_uint64_t stored; /* Unix seconds: when it began, as the store, which
                            knows it, says; 0: the store was not asked, or
                            does not know it */
} lbs_key_t;

#endif
