/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_fd.c - see lbs_persist_fd.h. */
#include "src/httpd/server/lbs_persist_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two threads may write: one that a reload left behind, and its successor. */
#define MOST 8

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int held[MOST]; /* descriptor + 1; protected by lock */

static void before_fork(void)
{
    (void)pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    (void)pthread_mutex_unlock(&lock);
}

static void in_child(void)
{
    int i;

    for (i = 0; i < MOST; i++) {
        if (held[i] != 0) {
            (void)close(held[i] - 1);
            held[i] = 0;
        }
    }
    (void)pthread_mutex_unlock(&lock);
}

/* The C library forgets these when it unloads this module. */
static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork, in_child);
}

/* @return the entry that holds this value; NULL. Lock held */
static int *find(int value)
{
    int i;

    for (i = 0; i < MOST; i++) {
        if (held[i] == value) {
            return &held[i];
        }
    }
    return NULL;
}

int lbs_persist_fd_open(const char *path, int flags)
{
    int *entry;
    int fd = -1;

    (void)pthread_once(&once, watch_forks);
    (void)pthread_mutex_lock(&lock);
    entry = find(0);
    if (entry == NULL) {
        errno = EMFILE;
    }
    else {
        fd = open(path, flags | O_CLOEXEC, S_IRUSR | S_IWUSR);
        *entry = fd + 1;
    }
    (void)pthread_mutex_unlock(&lock);
    return fd;
}

int lbs_persist_fd_close(int fd)
{
    int *entry;
    int rv;

    (void)pthread_mutex_lock(&lock);
    entry = find(fd + 1);
    if (entry != NULL) {
        *entry = 0;
    }
    rv = close(fd);
    (void)pthread_mutex_unlock(&lock);
    return rv;
}

int lbs_persist_fd_is(int fd, const char *path, apr_size_t size)
{
    struct stat of_fd, of_path;

    return fstat(fd, &of_fd) == 0 && stat(path, &of_path) == 0
           && of_fd.st_dev == of_path.st_dev && of_fd.st_ino == of_path.st_ino
           && of_fd.st_size == (off_t)size;
}
