/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_fd.h - descriptors of the state file, which no child gets.
 *
 * httpd's parent forks while its thread writes. A child that had the thread's
 * descriptor could write what the parent reads at the next start, as root.
 * What is opened here is closed in every process that is forked, before it
 * does anything else, and by every program that is run.
 */
#ifndef LBS_PERSIST_FD_H
#define LBS_PERSIST_FD_H

#include <apr.h>

/** open(), mode 0600. A fork waits for it. @return -1: errno says why */
int lbs_persist_fd_open(const char *path, int flags);

/** close() what the above opened. @return as close() */
int lbs_persist_fd_close(int fd);

/** @return 1 when this descriptor's file is the one of that name and so long
 */
int lbs_persist_fd_is(int fd, const char *path, apr_size_t size);

#endif
