/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_control.h - what a member's answer says of its visitor's session
 * (LBStickyControl), and what the session's next member is told.
 *
 *     LBSticky-Release: 1        the session ends
 *     LBSticky-Move: any         the next request goes elsewhere
 *     LBSticky-Move: ROUTE       the same, to that member if it is open
 *     LBSticky-Hold: DURATION    not moved so long but for a good reason
 *     LBSticky-Moved: from=ROUTE; reason=WORD    in a request
 *
 * A field counts when it is there once and can be read whole; of a field that
 * is there twice nothing is known. Of different ones Release beats Move, which
 * beats Hold.
 */
#ifndef LBS_CONTROL_H
#define LBS_CONTROL_H

#include <apr_pools.h>

#include "src/base/lbs_slice.h"

#define LBS_CONTROL_MOVED "LBSticky-Moved"

#define LBS_CONTROL_VALUE_MAX 128 /* bytes of a value that is read */

typedef struct lbs_control_t {
    int releases;
    int moves;
    lbs_slice_t route; /* with moves; empty: any other member */
    int holds;
    apr_int64_t hold;  /* microseconds; 0: a hold is over */
    unsigned seen;     /* which fields were there, private */
    const char *wrong; /* the first field that does not count; NULL: all do */
} lbs_control_t;

/** Does a field's name begin with LBSticky-, in any case? '_' is taken for
 * '-', as applications do that get their header as variables. */
int lbs_control_is_field(const char *name);

/**
 * Read one field.
 *
 * Cost: linear in LBS_CONTROL_VALUE_MAX.
 *
 * @param control  zeroed before the first field of an answer
 * @param name     one for which lbs_control_is_field() holds; must outlive
 *                 control, as must value
 */
void lbs_control_add(lbs_control_t *control, const char *name,
                     const char *value);

/**
 * Write the value of LBSticky-Moved.
 *
 * @param pool    owns the result
 * @param from    the member's route, or its URL, which is put between quotes
 * @param reason  a word
 */
const char *lbs_control_moved(apr_pool_t *pool, const char *from,
                              const char *reason);

#endif
