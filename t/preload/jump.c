/* SPDX-License-Identifier: Apache-2.0 */
/* jump.c - a wall clock that jumps: loaded before libc into an httpd, it adds
 * to the time of day what stands in the file LBS_JUMP (seconds, a decimal
 * number), at every call. The monotonic clock is left alone, as it is when an
 * administrator sets the date.
 */
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

#include "t/preload/told.h"

typedef int gettime_t(clockid_t, struct timespec *);

static long offset(void)
{
    char text[LBS_TOLD_LEN];

    return lbs_told("LBS_JUMP", text) ? atol(text) : 0;
}

static int real(clockid_t clock, struct timespec *now)
{
    static gettime_t *gettime;

    if (gettime == NULL) {
        /* ISO C has no cast from an object to a function. */
        *(void **)&gettime = dlsym(RTLD_NEXT, "clock_gettime");
    }
    return gettime(clock, now);
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock,
                                                         struct timespec *now)
{
    int rv = real(clock, now);

    if (rv == 0
        && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += offset();
    }
    return rv;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *now,
                                                        void *zone)
{
    struct timespec t;
    int rv = clock_gettime(CLOCK_REALTIME, &t);

    (void)zone;
    now->tv_sec = t.tv_sec;
    now->tv_usec = t.tv_nsec / 1000;
    return rv;
}

__attribute__((visibility("default"))) time_t time(time_t *now)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    if (now != NULL) {
        *now = t.tv_sec;
    }
    return t.tv_sec;
}
