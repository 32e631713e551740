/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_plain.h - URLs that mod_proxy's canonicalising leaves as they are.
 *
 * For http and https mod_proxy encodes every byte of a path but those that
 * stand for themselves, writes the host in lower case and leaves out the
 * scheme's own port. Most paths and members' URLs are so already.
 */
#ifndef LBS_PLAIN_H
#define LBS_PLAIN_H

#include <apr.h>

/** @return how many bytes at the begin of a path stand for themselves */
apr_size_t lbs_plain_span(const char *path);

/**
 * Is a member's URL canonical?
 *
 * @return its length; 0: it is not, or its scheme is another
 */
apr_size_t lbs_plain_url(const char *url);

#endif
