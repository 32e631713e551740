/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_dns.h - LBStickyDiscover dns and srv, looked up.
 *
 * All names of a source are asked in one round, whose answers the ticks take
 * as they come: nothing waits. The round after a good one begins when the
 * shortest life of its records is over; after one that failed, with growing
 * distances. Neither is longer than interval=.
 */
#ifndef LBS_DISCOVER_DNS_H
#define LBS_DISCOVER_DNS_H

#include "src/httpd/discover/lbs_discover_from.h"

/** Another process ticks: rounds that are under way are given up. */
void lbs_discover_dns_begin(apr_pool_t *memory);

/** At every tick. @return 1: a round is over. @param answer  out, then */
int lbs_discover_dns_poll(const lbs_discover_from_t *from, apr_time_t now,
                          apr_pool_t *memory, lbs_discover_answer_t *answer);

#endif
