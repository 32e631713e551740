/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_thread.c - see lbs_persist_thread.h.
 *
 * A configuration's thread reads shared memory, which goes with the
 * configuration, and waits for the disk, which may take any time. Its phase
 * says which of the two it does, and the main thread waits for the first only.
 * A thread that is left behind with the second uses nothing but its own memory
 * and the code of this module, which therefore stays loaded.
 */
#include "src/httpd/server/lbs_persist_thread.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "src/httpd/server/lbs_persist_write.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_kept.h"

/* Between two writings. Half of what is promised, because a writing takes
 * time, too; one that takes long is followed by as long a pause. */
#define PERIOD apr_time_from_sec(5)

/* A writing under way at a reload is waited for so long: most disks are done
 * by then, and the module need not stay loaded. */
#define LEAVE_MOST apr_time_from_msec(20)

/* A stop waits so long. */
#define END_MOST apr_time_from_sec(10)

#define TURN_NAP apr_time_from_msec(20)
#define TURN_MOST apr_time_from_sec(10) /* then it is said */

typedef enum stop_t { GO_ON, LEAVE, END } stop_t;

typedef enum phase_t {
    IDLE,
    READING, /* shared memory */
    WRITING, /* to the disk */
    OVER
} phase_t;

struct lbs_persist_thread_t {
    apr_pool_t *memory; /* all this is in it */
    lbs_persist_file_t *file;
    lbs_kept_t *kept;
    pthread_t thread;
    pthread_mutex_t lock; /* protects phase and stop */
    pthread_cond_t wake;  /* for the thread */
    pthread_cond_t told;  /* for the main thread */
    int begun;
    phase_t phase;
    stop_t stop;
    lbs_atomic32_t give_up; /* images are not wanted any more */
    lbs_atomic32_t result;  /* apr_status_t of the last writing */
    lbs_atomic32_t *is_over;
    int complete; /* there is a file of the configuration before */
    /* The thread's. */
    apr_interval_time_t took;
    apr_uint64_t activity; /* what had happened by the last good one */
    int quiet;             /* nothing between the last two of them */
};

/* Waiting ---------------------------------------------------------------- */

/* Wait for a word until then. Lock held. @return 0: the time is over */
static int wait_until(lbs_persist_thread_t *t, pthread_cond_t *cond,
                      apr_time_t at)
{
    struct timespec until = {.tv_sec = (time_t)apr_time_sec(at),
                             .tv_nsec = (long)apr_time_usec(at) * 1000};

    return lbs_clock_now() < at
           && pthread_cond_timedwait(cond, &t->lock, &until) == 0;
}

static void tell_phase(lbs_persist_thread_t *t, phase_t phase)
{
    t->phase = phase;
    (void)pthread_cond_broadcast(&t->told);
}

/* Sleep until the next beat, or until the thread is told to end. Lock held. */
static void sleep_until(lbs_persist_thread_t *t, apr_time_t at)
{
    while (t->stop == GO_ON && lbs_clock_now() < at) {
        (void)wait_until(t, &t->wake, at);
    }
}

/* Only one thread writes the file: one that was left behind goes on first.
 * Lock held. @return 0: the thread is told to end before its turn comes */
static int take_turn(lbs_persist_thread_t *t)
{
    apr_time_t begun = lbs_clock_now();
    apr_uint32_t nobody = 0;

    while (!lbs_atomic_cas32(&t->kept->disk, &nobody, 1)) {
        nobody = 0;
        if (t->stop == LEAVE) {
            return 0;
        }
        if (lbs_clock_now() - begun > TURN_MOST) {
            lbs_atomic_store32_relaxed(&t->result, APR_TIMEUP);
        }
        (void)wait_until(t, &t->wake, lbs_clock_now() + TURN_NAP);
    }
    return 1;
}

/* Writing ---------------------------------------------------------------- */

/* Both steps, once. Lock held, but not meanwhile. */
static apr_status_t write_part(lbs_persist_thread_t *t, int last, int flush,
                               int *more)
{
    apr_status_t rv;

    tell_phase(t, READING);
    (void)pthread_mutex_unlock(&t->lock);
    rv = lbs_persist_file_read(t->file, last, &t->give_up);
    (void)pthread_mutex_lock(&t->lock);
    *more = rv == APR_INCOMPLETE;
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE) {
        return rv;
    }
    tell_phase(t, WRITING);
    (void)pthread_mutex_unlock(&t->lock);
    rv = lbs_persist_file_write(t->file, flush);
    (void)pthread_mutex_lock(&t->lock);
    return rv;
}

/* An image, or all that has changed. Lock held, but not meanwhile. Where a
 * reload came while the disk was waited for, the main thread does not wait any
 * more: then shared memory must not be read again. */
static apr_status_t write_all(lbs_persist_thread_t *t, int last, int flush)
{
    apr_status_t rv;
    int more;

    do {
        rv = write_part(t, last, flush, &more);
    } while (rv == APR_SUCCESS && more && t->stop != LEAVE);
    return rv;
}

static void save(lbs_persist_thread_t *t)
{
    apr_uint64_t activity = lbs_persist_file_activity(t->file);
    apr_time_t began = lbs_clock_now();
    apr_status_t rv;

    if (!take_turn(t)) {
        return;
    }
    lbs_persist_file_look(t->file);
    rv = write_all(t, 0, 1);
    lbs_atomic_store32_release(&t->kept->disk, 0);
    if (rv == APR_SUCCESS) {
        t->quiet = t->activity == activity;
        t->activity = activity;
    }
    t->took = lbs_clock_now() - began;
    if (rv != APR_EINTR) {
        lbs_atomic_store32_relaxed(&t->result, (apr_uint32_t)rv);
    }
}

/* Something happened since what is in the file, or may have: a request is
 * counted before its session is bound, so one writing more than seems due. */
static int is_due(const lbs_persist_thread_t *t)
{
    return !(t->quiet && t->activity == lbs_persist_file_activity(t->file));
}

/* Write the changes since the last beat, for the next reader of the file: that
 * may be soon, if the new configuration is refused or another build of this
 * module is loaded. In the kernel's memory it survives this process. */
static void save_rest(lbs_persist_thread_t *t)
{
    if (!lbs_persist_file_follows(t->file) || !take_turn(t)) {
        return;
    }
    if (write_all(t, 0, 0) == APR_SUCCESS) {
        lbs_atomic_store64_relaxed(&t->kept->left,
                                   lbs_persist_file_name(t->file));
    }
    lbs_atomic_store32_release(&t->kept->disk, 0);
}

/* The last image takes its time on a slow disk, and a stop is not patient. */
static void save_last(lbs_persist_thread_t *t)
{
    apr_status_t rv;

    if (!take_turn(t)) {
        return;
    }
    if (lbs_persist_file_follows(t->file)) {
        (void)write_all(t, 0, 0);
    }
    rv = write_all(t, 1, 1);
    lbs_atomic_store32_release(&t->kept->disk, 0);
    lbs_atomic_store32_relaxed(&t->result, (apr_uint32_t)rv);
}

static void *write_on(void *data)
{
    lbs_persist_thread_t *t = data;
    apr_time_t beat = lbs_clock_now();
    int rested = 1;

    (void)pthread_mutex_lock(&t->lock);
    t->begun = 1;
    (void)pthread_cond_broadcast(&t->told);
    if (t->complete) {
        sleep_until(t, beat + PERIOD);
        beat = lbs_clock_now();
    }
    while (t->stop == GO_ON) {
        if (is_due(t)) {
            save(t);
            tell_phase(t, IDLE);
        }
        rested = t->stop == GO_ON;
        sleep_until(t, beat + (2 * t->took > PERIOD ? 2 * t->took : PERIOD));
        beat = lbs_clock_now();
    }
    if (t->stop == END) {
        save_last(t);
    }
    else if (rested) {
        save_rest(t);
    }
    lbs_persist_file_close(t->file);
    tell_phase(t, OVER);
    (void)pthread_mutex_unlock(&t->lock);
    if (t->is_over != NULL) {
        lbs_atomic_store32_release(t->is_over, 1);
    }
    return NULL;
}

/* Beginning -------------------------------------------------------------- */

static void init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

/* httpd's signals are its main thread's. The parent forks next, and a thread
 * that begins allocates: in libraries that do not see to their locks in a
 * fork, as the sanitizers', a child would find one held for ever. So this
 * waits until the thread is there; later it uses the pool it has. */
static int create(lbs_persist_thread_t *t)
{
    sigset_t all, before;
    int failed;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&t->thread, NULL, write_on, t);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_mutex_lock(&t->lock);
    while (!failed && !t->begun) {
        (void)pthread_cond_wait(&t->told, &t->lock);
    }
    (void)pthread_mutex_unlock(&t->lock);
    return failed;
}

apr_status_t lbs_persist_thread_start(lbs_persist_thread_t **thread,
                                      const lbs_main_conf_t *conf)
{
    lbs_persist_thread_t *t;
    apr_pool_t *memory;
    apr_status_t rv;

    apr_pool_create_unmanaged_ex(&memory, NULL, NULL);
    t = apr_pcalloc(memory, sizeof(*t));
    t->memory = memory;
    t->kept = lbs_kept();
    lbs_atomic_store32_relaxed(&t->result, APR_EAGAIN);
    rv = lbs_persist_file_create(&t->file, conf, memory);
    if (rv == APR_SUCCESS) {
        t->complete = lbs_atomic_load64_relaxed(&t->kept->left)
                      == lbs_persist_file_name(t->file);
        lbs_atomic_store64_relaxed(&t->kept->left, 0);
        (void)pthread_mutex_init(&t->lock, NULL);
        init_cond(&t->wake);
        init_cond(&t->told);
        rv = create(t);
    }
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(memory);
        return rv;
    }
    *thread = t;
    return APR_SUCCESS;
}

void lbs_persist_thread_first(lbs_persist_thread_t *thread)
{
    apr_time_t until = lbs_clock_now() + END_MOST;

    (void)pthread_mutex_lock(&thread->lock);
    while (lbs_persist_thread_result(thread) == APR_EAGAIN
           && lbs_clock_now() < until) {
        (void)wait_until(thread, &thread->told, until);
    }
    (void)pthread_mutex_unlock(&thread->lock);
}

apr_status_t lbs_persist_thread_result(const lbs_persist_thread_t *thread)
{
    return (apr_status_t)lbs_atomic_load32_relaxed(&thread->result);
}

/* Ending ----------------------------------------------------------------- */

/* One that is over. */
static void join(pthread_t thread, apr_pool_t *memory)
{
    (void)pthread_join(thread, NULL);
    apr_pool_destroy(memory);
}

/* Keep this module loaded. @return NULL: it cannot be told which it is */
static void *hold_module(void)
{
    Dl_info info;

    return dladdr((void *)(apr_uintptr_t)hold_module, &info) != 0
               ? dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD)
               : NULL;
}

static lbs_kept_thread_t *find_entry(lbs_kept_t *kept)
{
    int i;

    for (i = 0; i < LBS_KEPT_THREADS; i++) {
        if (!kept->threads[i].used) {
            return &kept->threads[i];
        }
    }
    return NULL;
}

/* It waits for the disk, and a later reload joins it. Lock held. */
static void leave_behind(lbs_persist_thread_t *t)
{
    lbs_kept_thread_t *entry = find_entry(t->kept);
    void *module = hold_module();

    if (entry == NULL) {
        (void)pthread_detach(t->thread); /* the module is loaded for ever */
        return;
    }
    memset(entry, 0, sizeof(*entry));
    entry->used = 1;
    entry->thread = t->thread;
    entry->module = module;
    entry->pool = t->memory;
    t->is_over = &entry->is_over;
}

/* @return 1: the thread is over; 0: it was left behind. Gives up the lock */
static int finish(lbs_persist_thread_t *t)
{
    int over = t->phase == OVER;

    if (!over) {
        leave_behind(t);
    }
    (void)pthread_mutex_unlock(&t->lock);
    if (over) {
        join(t->thread, t->memory);
    }
    return over;
}

void lbs_persist_thread_leave(lbs_persist_thread_t *thread)
{
    apr_time_t until;

    lbs_atomic_store32_relaxed(&thread->give_up, 1);
    (void)pthread_mutex_lock(&thread->lock);
    thread->stop = LEAVE;
    (void)pthread_cond_broadcast(&thread->wake);
    while (thread->phase == IDLE || thread->phase == READING) {
        (void)pthread_cond_wait(&thread->told, &thread->lock);
    }
    until = lbs_clock_now() + LEAVE_MOST;
    while (thread->phase != OVER && wait_until(thread, &thread->told, until)) {
    }
    (void)finish(thread);
}

apr_status_t lbs_persist_thread_end(lbs_persist_thread_t *thread)
{
    apr_time_t until = lbs_clock_now() + END_MOST;
    apr_status_t rv;

    (void)pthread_mutex_lock(&thread->lock);
    thread->stop = END;
    (void)pthread_cond_broadcast(&thread->wake);
    while (thread->phase != OVER && lbs_clock_now() < until) {
        (void)wait_until(thread, &thread->told, until);
    }
    rv =
        thread->phase == OVER ? lbs_persist_thread_result(thread) : APR_TIMEUP;
    /* Reading shared memory is a matter of milliseconds. */
    lbs_atomic_store32_relaxed(&thread->give_up, 1);
    while (thread->phase == READING) {
        (void)pthread_cond_wait(&thread->told, &thread->lock);
    }
    (void)finish(thread);
    return rv;
}

int lbs_persist_thread_await(void)
{
    apr_time_t until = lbs_clock_now() + END_MOST;
    lbs_kept_t *kept = lbs_kept();

    while (lbs_atomic_load32_relaxed(&kept->disk) != 0
           && lbs_clock_now() < until) {
        apr_sleep(TURN_NAP);
    }
    return lbs_atomic_load32_relaxed(&kept->disk) == 0;
}

void lbs_persist_thread_reap(void)
{
    lbs_kept_t *kept = lbs_kept();
    int i;

    for (i = 0; i < LBS_KEPT_THREADS; i++) {
        lbs_kept_thread_t *entry = &kept->threads[i];

        if (entry->used && lbs_atomic_load32_relaxed(&entry->is_over) != 0) {
            join(entry->thread, entry->pool);
            if (entry->module != NULL) {
                (void)dlclose(entry->module);
            }
            entry->used = 0;
        }
    }
}
