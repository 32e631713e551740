/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_local_files.h - LBStickyLocal files: requests that match a file of this
 * httpd are served from it, all others go to the pool.
 *
 * Only GET and HEAD, only regular files, only where no name begins with a
 * dot, be it in the URL or in the file that it is mapped to. Whether a file
 * may be seen is up to <Directory>: a file that is there and denied is denied,
 * never asked for elsewhere.
 */
#ifndef LBS_LOCAL_FILES_H
#define LBS_LOCAL_FILES_H

#include <httpd.h>

/**
 * Is there a file for the URL of this request, which ProxyPass took?
 *
 * Cost: one translation and one stat for a GET or HEAD; if there is a file,
 * they take the place of those that would follow.
 *
 * @return 1: the request is mapped to the file now; 0: nothing was changed
 */
int lbs_local_files_map(request_rec *r);

#endif
