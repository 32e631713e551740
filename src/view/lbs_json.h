/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_json.h - the state as JSON. Keys are never renamed, only added. */
#ifndef LBS_JSON_H
#define LBS_JSON_H

#include <jansson.h>

#include "src/view/lbs_out.h"
#include "src/view/lbs_view.h"

/**
 * Write a value, and give up the reference to it.
 *
 * @param value  an object or array; NULL, or no memory to write it: the
 *               document fails with APR_ENOMEM
 * @param flags  jansson's own, such as JSON_COMPACT; JSON_EMBED only with
 *               what is not empty
 */
void lbs_json_dump(lbs_out_t *out, json_t *value, size_t flags);

/**
 * Write the whole state as one object, events in order of time. Cost: linear
 * in members; memory: that of one member.
 *
 * @param out  opened with any way of escaping: jansson has its own
 */
void lbs_json_write(lbs_out_t *out, const lbs_view_t *view);

/** Write one member's object, as it stands in the state, and a newline. */
void lbs_json_write_member(lbs_out_t *out, const lbs_view_member_t *member);

#endif
