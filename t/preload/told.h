/* SPDX-License-Identifier: Apache-2.0 */
/* told.h - what a test tells a library that it loaded into an httpd: a few
 * bytes in a file whose name stands in the environment.
 */
#ifndef LBS_TOLD_H
#define LBS_TOLD_H

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define LBS_TOLD_LEN 32

/** Read it anew. @return 1; 0: there is no file, and text is not written */
static inline int lbs_told(const char *variable, char text[LBS_TOLD_LEN])
{
    const char *path = getenv(variable);
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t len;

    if (fd < 0) {
        return 0;
    }
    len = read(fd, text, LBS_TOLD_LEN - 1);
    text[len > 0 ? len : 0] = '\0';
    (void)close(fd);
    return 1;
}

#endif
