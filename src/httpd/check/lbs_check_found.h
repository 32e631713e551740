/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check_found.h - seats of the members that LBStickyDiscover found.
 *
 * They belong to the thread that checks, which pins the turn whose members
 * they are (src/httpd/pool/lbs_present.h), and moves from turn to turn.
 */
#ifndef LBS_CHECK_FOUND_H
#define LBS_CHECK_FOUND_H

#include "src/httpd/check/lbs_check_seat.h"

/** Pin the turn in force. When the thread begins. */
void lbs_check_found_begin(void);

/**
 * Follow to the turn in force: members that came get seats in the rings of
 * their pools, those of members that are gone end.
 *
 * @param seats  lbs_check_seat_t *, of the configured members
 * @return errands that were given up
 */
int lbs_check_found_follow(const apr_array_header_t *seats, CURLM *multi);

/** End all. When the thread ends. */
void lbs_check_found_end(CURLM *multi);

/** @return how many there are */
int lbs_check_found_count(void);

/** @param memory  out: of the seat
 * @return the seat, i below lbs_check_found_count() */
lbs_check_seat_t *lbs_check_found_at(int i, apr_pool_t **memory);

#endif
