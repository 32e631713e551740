/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_in.h - filters on what comes from a member. They see the first byte
 * and the heads of an answer, say the 100 that the member does not say, and
 * break off waiting for a member that was found to hang.
 */
#ifndef LBS_WIRE_IN_H
#define LBS_WIRE_IN_H

#include <util_filter.h>

/** Have this called, with the attempt's baton, at the blank line after each
 * head of an answer, interim ones too: mod_proxy has taken in the head, and
 * has done nothing with it yet. Once, in register_hooks. */
void lbs_wire_in_on_head(void (*on_head)(void *baton));

/** Filter function; f->ctx is an lbs_connection_t. Above TLS; without TLS it
 * does what lbs_wire_in_wait() does, too. */
apr_status_t lbs_wire_in(ap_filter_t *f, apr_bucket_brigade *bb,
                         ap_input_mode_t mode, apr_read_type_e block,
                         apr_off_t bytes);

/** Filter function; f->ctx is an lbs_connection_t. Beneath TLS, which cannot
 * be interrupted while it reads a record. */
apr_status_t lbs_wire_in_wait(ap_filter_t *f, apr_bucket_brigade *bb,
                              ap_input_mode_t mode, apr_read_type_e block,
                              apr_off_t bytes);

#endif
