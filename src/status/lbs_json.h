/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_json.h - the state as JSON. Keys are never renamed, only added. */
#ifndef LBS_JSON_H
#define LBS_JSON_H

#include "src/status/lbs_out.h"
#include "src/status/lbs_view.h"

/**
 * Write the whole state as one object, events in order of time. Cost: linear
 * in members.
 *
 * @param out  opened with LBS_OUT_JSON
 */
void lbs_json_write(lbs_out_t *out, const lbs_view_t *view);

/** Write one member's object, as it stands in the state, and a newline. */
void lbs_json_write_member(lbs_out_t *out, const lbs_view_member_t *member);

#endif
