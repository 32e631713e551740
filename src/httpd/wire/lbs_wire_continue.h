/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_continue.h - the 100 that a member does not say.
 *
 * Whoever expects a 100 sends its body after a while without one, too (RFC
 * 9110, 10.1.1); mod_proxy would wait for it as long as for an answer.
 */
#ifndef LBS_WIRE_CONTINUE_H
#define LBS_WIRE_CONTINUE_H

#include <util_filter.h>

/**
 * Say the 100 in the member's place, when a second has passed since the head
 * was sent. Waits for that second, or for the member.
 *
 * Called in an input filter above TLS whose f->ctx is an lbs_connection_t,
 * with this thread's attempt under way, before anything is read.
 *
 * @return 1: bb holds what the member is made to say; 0: read on
 */
int lbs_wire_continue_say(ap_filter_t *f, apr_bucket_brigade *bb,
                          ap_input_mode_t mode, apr_read_type_e block);

#endif
