/* SPDX-License-Identifier: Apache-2.0 */
/* slow.c - a slow disk: loaded before libc into an httpd, it makes every
 * flush of a file take as long as stands in the file LBS_SLOW (milliseconds, a
 * decimal number). Without the file they take no longer than they do.
 */
#include <dlfcn.h>
#include <time.h>

#include "t/preload/told.h"

typedef int flush_t(int);

static int flush(const char *name, int fd)
{
    char text[LBS_TOLD_LEN];
    long ms = lbs_told("LBS_SLOW", text) ? atol(text) : 0;
    struct timespec nap = {ms / 1000, ms % 1000 * 1000000};
    flush_t *real;

    while (ms > 0 && nanosleep(&nap, &nap) != 0) {
    }
    /* ISO C has no cast from an object to a function. */
    *(void **)&real = dlsym(RTLD_NEXT, name);
    return real(fd);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
    return flush("fsync", fd);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    return flush("fdatasync", fd);
}
