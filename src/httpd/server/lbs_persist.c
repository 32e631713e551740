/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist.c - see lbs_persist.h. */
#include "src/httpd/server/lbs_persist.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/httpd/config/lbs_config.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/server/lbs_persist_write.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_restore.h"

/* Between two writings. Half of what is promised, because a writing takes
 * time, too; one that takes long is followed by as long a pause. */
#define PERIOD apr_time_from_sec(5)

/* The thread that writes while httpd runs; in the parent, one per
 * configuration. The lock protects `begun` and `stop`; what is the writer's is
 * the thread's while there is one, and the parent's main thread's otherwise.
 */
static struct {
    pid_t parent;
    const lbs_main_conf_t *conf;
    int runs;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int begun;
    int stop;
    lbs_atomic32_t result; /* apr_status_t of the last writing */
    int failing;           /* it was logged */
    /* The writer's. */
    apr_pool_t *memory;
    apr_time_t began; /* monotonic: the last writing */
    apr_interval_time_t took;
    apr_uint64_t activity; /* what had happened by the last good one */
    int quiet;             /* nothing between the last two of them */
} writer;

/* Reading -------------------------------------------------------------------
 */

static void fingerprint_all(const lbs_main_conf_t *conf,
                            apr_uint64_t out[LBS_SECRET_MAX], int *count)
{
    apr_size_t i;

    if (conf->secret_source == LBS_SECRET_RANDOM) {
        out[0] = 0;
        *count = 1;
        return;
    }
    for (i = 0; i < conf->secret->count; i++) {
        out[i] = lbs_snapshot_fingerprint(&conf->secret->keys[i].master);
    }
    *count = (int)conf->secret->count;
}

/* What lies there: its bytes, or why they are none of ours. */
typedef struct found_t {
    unsigned char *bytes;
    apr_size_t len;
    const char *refusal;
} found_t;

static apr_status_t free_bytes(void *bytes)
{
    free(bytes);
    return APR_SUCCESS;
}

/* Not from the pool: where that has no room httpd ends. */
static apr_status_t make_bytes(found_t *found, apr_uint64_t len,
                               apr_pool_t *pool)
{
    found->bytes = len < APR_SIZE_MAX ? malloc((size_t)len + 1) : NULL;
    if (found->bytes == NULL) {
        return APR_ENOMEM;
    }
    apr_pool_cleanup_register(pool, found->bytes, free_bytes,
                              apr_pool_cleanup_null);
    found->len = (apr_size_t)len;
    return APR_SUCCESS;
}

static apr_status_t read_open(apr_file_t *file, apr_uint64_t len,
                              found_t *found, apr_pool_t *pool)
{
    unsigned char head[LBS_RESTORE_HEAD];
    apr_size_t have = len < sizeof(head) ? (apr_size_t)len : sizeof(head);
    apr_status_t rv =
        have == 0 ? APR_SUCCESS : apr_file_read_full(file, head, have, NULL);

    if (rv == APR_SUCCESS) {
        found->refusal = lbs_restore_head(head, have, len);
    }
    if (rv != APR_SUCCESS || found->refusal != NULL) {
        return rv;
    }
    rv = make_bytes(found, len, pool);
    if (rv == APR_SUCCESS) {
        memcpy(found->bytes, head, have);
        rv = apr_file_read_full(file, found->bytes + have, found->len - have,
                                NULL);
    }
    return rv;
}

/* Who can write it can choose the secret that cookies are signed with, and
 * some directories are everybody's. */
static const char *check_owner(const apr_finfo_t *info)
{
    if (info->user != geteuid() && info->user != 0) {
        return "it belongs to another user";
    }
    if ((info->protection & (APR_FPROT_GWRITE | APR_FPROT_WWRITE)) != 0) {
        return "others than its owner may write to it";
    }
    return NULL;
}

static apr_status_t read_file(const char *path, found_t *found,
                              apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_file_t *file;
    apr_status_t rv = apr_stat(&info, path, APR_FINFO_TYPE, pool);

    if (rv == APR_SUCCESS && info.filetype != APR_REG) {
        rv = APR_EINVAL; /* opening a pipe would wait for a writer */
    }
    if (rv == APR_SUCCESS) {
        rv = apr_file_open(&file, path, APR_READ | APR_BINARY, APR_OS_DEFAULT,
                           pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_file_info_get(
        &info, APR_FINFO_SIZE | APR_FINFO_USER | APR_FINFO_PROT, file);
    if (rv == APR_SUCCESS) {
        found->refusal = check_owner(&info);
    }
    if (rv == APR_SUCCESS && found->refusal == NULL) {
        rv = read_open(file, (apr_uint64_t)info.size, found, pool);
    }
    (void)apr_file_close(file);
    return rv;
}

/* Ejection of each pool, by slot, as the restored members need it. */
static const lbs_eject_conf_t **find_ejection(apr_pool_t *pool)
{
    const apr_array_header_t *all = lbs_pools_all();
    const lbs_eject_conf_t **eject =
        apr_pcalloc(pool, sizeof(*eject) * LBS_REGISTRY_POOLS);
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *p = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        eject[p->slot] = p->set.eject->on ? &p->eject_conf : NULL;
    }
    return eject;
}

/* Instead of the table there is: one for each that was saved, as they were. */
static apr_status_t make_room(const lbs_restore_info_t *info)
{
    lbs_shared_t *shared = lbs_runtime()->shared;
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (info->tables == 0) {
        return APR_SUCCESS;
    }
    lbs_shared_drop_table(shared, 0);
    for (i = info->tables - 1; i >= 0 && rv == APR_SUCCESS; i--) {
        rv = lbs_shared_add_table(shared, info->sessions[i]);
    }
    return rv == APR_SUCCESS ? lbs_runtime_open_tables() : rv;
}

static apr_status_t restore(lbs_restore_t *from, server_rec *s,
                            apr_pool_t *ptemp)
{
    lbs_runtime_t *rt = lbs_runtime();
    lbs_image_report_t sessions = {0};
    lbs_restore_report_t report = {0};
    lbs_restore_info_t info;
    apr_status_t rv;
    int i;

    lbs_restore_info(from, &info);
    rv = make_room(&info);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    lbs_restore_registry(from, rt->registry, find_ejection(ptemp), &report);
    lbs_restore_forgotten(from, &rt->shared->notes->forgotten);
    for (i = 0; i < info.tables; i++) {
        (void)lbs_restore_table(from, i, rt->tables[i], &sessions);
    }
    rv = lbs_runtime_fit_tables(s);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                 LBSNO(1700) "state file, %" APR_TIME_T_FMT
                             " s old: %u members, %" APR_UINT64_T_FMT
                             " sessions",
                 apr_time_sec(info.elapsed), report.members, sessions.kept);
    return APR_SUCCESS;
}

/* The file is not what it should be, or there is no room for what it holds. */
static void refuse(const char *path, const found_t *found, apr_status_t rv,
                   server_rec *s, apr_pool_t *ptemp)
{
    const char *why =
        found->refusal != NULL ? found->refusal : "it cannot be read";
    const char *aside = apr_pstrcat(ptemp, path, ".refused", NULL);
    lbs_clock_t now = lbs_runtime_clock();

    (void)apr_file_rename(path, aside, ptemp);
    ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s,
                 LBSNO(1701) "state file %s refused: %s; starting without "
                             "it, it is kept as %s",
                 path, why, aside);
    lbs_registry_tell(lbs_runtime()->registry, &now, LBS_REGISTRY_NONE,
                      LBS_REGISTRY_NONE, LBS_EVENT_STATE_FILE, why);
}

/* What was read, into shared memory. @return as lbs_persist_load() */
static apr_status_t take(found_t *found, server_rec *s, apr_pool_t *ptemp,
                         apr_status_t *rv)
{
    const lbs_main_conf_t *conf = lbs_config_of(s)->main;
    lbs_clock_t now = lbs_runtime_clock();
    apr_uint64_t fingerprints[LBS_SECRET_MAX];
    lbs_restore_t *from;
    int count;

    fingerprint_all(conf, fingerprints, &count);
    found->refusal = lbs_restore_open(&from, found->bytes, found->len, &now,
                                      fingerprints, count, ptemp);
    if (found->refusal != NULL) {
        return APR_SUCCESS;
    }
    *rv = restore(from, s, ptemp);
    if (*rv == APR_SUCCESS) {
        return APR_SUCCESS;
    }
    found->refusal = "there is no memory for its sessions";
    return lbs_runtime_empty_tables(s);
}

apr_status_t lbs_persist_load(server_rec *main_server, apr_pool_t *ptemp)
{
    const char *path = lbs_config_of(main_server)->main->persist;
    found_t found = {NULL, 0, NULL};
    apr_status_t started = APR_SUCCESS;
    apr_status_t rv;

    if (path == NULL || !lbs_runtime()->shared->fresh) {
        return APR_SUCCESS;
    }
    rv = read_file(path, &found, ptemp);
    if (APR_STATUS_IS_ENOENT(rv) || APR_STATUS_IS_ENOTDIR(rv)) {
        return APR_SUCCESS; /* the first start; writing will tell what is
                               wrong */
    }
    if (rv == APR_SUCCESS && found.refusal == NULL) {
        started = take(&found, main_server, ptemp, &rv);
    }
    if (rv != APR_SUCCESS || found.refusal != NULL) {
        refuse(path, &found, rv, main_server, ptemp);
    }
    return started;
}

/* Writing -------------------------------------------------------------------
 */

static void save(void)
{
    apr_uint64_t activity = lbs_persist_write_activity();
    apr_status_t rv;

    writer.began = lbs_runtime_now();
    rv = lbs_persist_write_file(writer.conf, writer.memory);
    apr_pool_clear(writer.memory);
    if (rv == APR_SUCCESS) {
        writer.quiet = writer.activity == activity;
        writer.activity = activity;
    }
    writer.took = lbs_runtime_now() - writer.began;
    lbs_atomic_store32_relaxed(&writer.result, (apr_uint32_t)rv);
}

/* Say when it begins to fail, and when that is over. */
static void report(server_rec *s)
{
    apr_status_t rv = (apr_status_t)lbs_atomic_load32_relaxed(&writer.result);
    lbs_clock_t now = lbs_runtime_clock();

    if ((rv != APR_SUCCESS) == writer.failing) {
        return;
    }
    writer.failing = rv != APR_SUCCESS;
    if (writer.failing) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s,
                     LBSNO(1702) "state file %s cannot be written: learned "
                                 "sessions will not survive a full restart; "
                                 "make its directory, or write another file "
                                 "into LBStickyPersist",
                     writer.conf->persist);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     LBSNO(1703) "state file %s is written again",
                     writer.conf->persist);
    }
    lbs_registry_tell(lbs_runtime()->registry, &now, LBS_REGISTRY_NONE,
                      LBS_REGISTRY_NONE, LBS_EVENT_STATE_FILE,
                      writer.failing ? "cannot be written" : "written again");
}

/* The thread ------------------------------------------------------------- */

/* Something happened since what is in the file, or may have: a request is
 * counted before its session is bound, so one writing more than seems due. */
static int is_due(void)
{
    return !(writer.quiet && writer.activity == lbs_persist_write_activity());
}

/* Sleep until the next beat, or until somebody wants an end. Lock held. */
static void sleep_until(apr_time_t at)
{
    struct timespec until = {.tv_sec = (time_t)apr_time_sec(at),
                             .tv_nsec = (long)apr_time_usec(at) * 1000};

    while (!writer.stop && lbs_runtime_now() < at) {
        (void)pthread_cond_timedwait(&writer.wake, &writer.lock, &until);
    }
}

static void *write_on(void *unused)
{
    apr_time_t beat = writer.began;

    (void)unused;
    (void)pthread_mutex_lock(&writer.lock);
    writer.begun = 1;
    (void)pthread_cond_signal(&writer.wake);
    while (!writer.stop) {
        sleep_until(beat
                    + (2 * writer.took > PERIOD ? 2 * writer.took : PERIOD));
        beat = lbs_runtime_now();
        if (!writer.stop && is_due()) {
            (void)pthread_mutex_unlock(&writer.lock);
            save();
            (void)pthread_mutex_lock(&writer.lock);
        }
    }
    (void)pthread_mutex_unlock(&writer.lock);
    return NULL;
}

/* httpd's signals are its main thread's. The parent forks next, and a thread
 * that begins allocates: in libraries that do not see to their locks in a
 * fork, as the sanitizers', a child would find one held for ever. So this
 * waits until the thread is there; later it uses the pool it has. */
static int create_thread(void)
{
    sigset_t all, before;
    int failed;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&writer.thread, NULL, write_on, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_mutex_lock(&writer.lock);
    while (!failed && !writer.begun) {
        (void)pthread_cond_wait(&writer.wake, &writer.lock);
    }
    (void)pthread_mutex_unlock(&writer.lock);
    return failed;
}

static void start_thread(server_rec *s)
{
    pthread_condattr_t attr;
    int failed;

    (void)pthread_mutex_init(&writer.lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&writer.wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    failed = create_thread();
    writer.runs = !failed;
    if (failed) {
        ap_log_error(APLOG_MARK, APLOG_ERR, failed, s,
                     LBSNO(1704) "no thread for the state file: it is written "
                                 "at a reload and at a stop only, and a crash "
                                 "loses what came after them");
    }
}

static void stop_thread(void)
{
    if (writer.runs) {
        (void)pthread_mutex_lock(&writer.lock);
        writer.stop = 1;
        (void)pthread_cond_signal(&writer.wake);
        (void)pthread_mutex_unlock(&writer.lock);
        (void)pthread_join(writer.thread, NULL);
        writer.runs = 0;
    }
    (void)pthread_cond_destroy(&writer.wake);
    (void)pthread_mutex_destroy(&writer.lock);
}

/* The life of a configuration --------------------------------------------- */

/* The configuration ends: a graceful restart, or a stop after all children
 * are gone. A child inherits this cleanup and must not act on it. */
static apr_status_t save_at_end(void *main_server)
{
    if (getpid() == writer.parent) {
        stop_thread();
        save();
        report(main_server);
        apr_pool_destroy(writer.memory);
        writer.conf = NULL;
    }
    return APR_SUCCESS;
}

void lbs_persist_start(apr_pool_t *pconf, server_rec *main_server)
{
    const lbs_main_conf_t *conf = lbs_config_of(main_server)->main;

    memset(&writer, 0, sizeof(writer));
    if (conf->persist == NULL) {
        return;
    }
    apr_pool_create_unmanaged_ex(&writer.memory, NULL, NULL);
    writer.parent = getpid();
    writer.conf = conf;
    save();
    report(main_server);
    start_thread(main_server);
    apr_pool_pre_cleanup_register(pconf, main_server, save_at_end);
}

int lbs_persist_monitor(apr_pool_t *pool, server_rec *main_server)
{
    (void)pool;
    if (lbs_runtime() != NULL && writer.conf != NULL) {
        report(main_server);
    }
    return OK;
}
