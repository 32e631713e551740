/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist.c - see lbs_persist.h. */
#include "src/httpd/lbs_persist.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/httpd/lbs_config.h"
#include "src/httpd/lbs_log.h"
#include "src/httpd/lbs_pools.h"
#include "src/httpd/lbs_runtime.h"
#include "src/state/lbs_restore.h"
#include "src/state/lbs_snapshot.h"

/* httpd's parent asks every ten seconds, and more often while children die.
 * When it will ask next nobody knows, so what is due is written at once, but
 * writing takes at most a tenth of the parent's time. */
#define SHARE 10
#define FILE_MODE (APR_FPROT_UREAD | APR_FPROT_UWRITE)

/* What the parent remembers of writing; per configuration. */
static struct {
    pid_t parent;
    apr_time_t tried_at;      /* monotonic */
    apr_interval_time_t took; /* the last writing */
    apr_uint64_t activity;    /* what had happened by the last good writing */
    int quiet;                /* nothing between the last two of them */
    int failing;              /* it was logged */
} writing;

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

static apr_status_t read_file(const char *path, unsigned char **bytes,
                              apr_size_t *len, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_file_t *file;
    apr_status_t rv = apr_file_open(&file, path, APR_READ | APR_BINARY,
                                    APR_OS_DEFAULT, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_file_info_get(&info, APR_FINFO_SIZE, file);
    if (rv == APR_SUCCESS) {
        *len = (apr_size_t)info.size;
        *bytes = apr_palloc(pool, *len + 1);
        rv = *len == 0 ? APR_SUCCESS
                       : apr_file_read_full(file, *bytes, *len, len);
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
        const lbs_hpool_t *p = APR_ARRAY_IDX(all, i, lbs_hpool_t *);

        eject[p->slot] = p->set.eject->on ? &p->eject_conf : NULL;
    }
    return eject;
}

/* Instead of the table there is: one for each that was saved, as they were. */
static apr_status_t make_room(const lbs_restore_info_t *info, server_rec *s)
{
    lbs_shared_t *shared = lbs_runtime()->shared;
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (info->tables == 0) {
        return APR_SUCCESS;
    }
    lbs_shared_drop_table(shared, 0);
    for (i = info->tables - 1; i >= 0 && rv == APR_SUCCESS; i--) {
        rv = lbs_shared_add_table(shared, info->sessions[i], s);
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
    rv = make_room(&info, s);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    lbs_restore_registry(from, rt->registry, find_ejection(ptemp), &report);
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

void lbs_persist_load(server_rec *main_server, apr_pool_t *ptemp)
{
    const lbs_main_conf_t *conf = lbs_config_of(main_server)->main;
    lbs_clock_t now = lbs_runtime_clock();
    apr_uint64_t fingerprints[LBS_SECRET_MAX];
    const char *refusal = NULL;
    unsigned char *bytes;
    lbs_restore_t *from;
    apr_size_t len;
    apr_status_t rv;
    int count;

    if (conf->persist == NULL || !lbs_runtime()->shared->fresh) {
        return;
    }
    rv = read_file(conf->persist, &bytes, &len, ptemp);
    if (APR_STATUS_IS_ENOENT(rv) || APR_STATUS_IS_ENOTDIR(rv)) {
        return; /* the first start; writing will tell what is wrong */
    }
    if (rv == APR_SUCCESS) {
        fingerprint_all(conf, fingerprints, &count);
        refusal = lbs_restore_open(&from, bytes, len, &now, fingerprints,
                                   count, ptemp);
        if (refusal == NULL) {
            rv = restore(from, main_server, ptemp);
        }
    }
    if (rv != APR_SUCCESS || refusal != NULL) {
        const char *aside =
            apr_pstrcat(ptemp, conf->persist, ".refused", NULL);

        (void)apr_file_rename(conf->persist, aside, ptemp);
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, main_server,
                     LBSNO(1701) "state file %s refused: %s; starting without "
                                 "it, it is kept as %s",
                     conf->persist,
                     refusal != NULL ? refusal : "it cannot be read", aside);
        lbs_registry_tell(lbs_runtime()->registry, &now, LBS_REGISTRY_NONE,
                          LBS_REGISTRY_NONE, LBS_EVENT_STATE_FILE,
                          refusal != NULL ? refusal : "it cannot be read");
    }
}

/* Writing -------------------------------------------------------------------
 */

static apr_status_t encode(unsigned char **bytes, apr_size_t *len,
                           const lbs_main_conf_t *conf)
{
    const lbs_runtime_t *rt = lbs_runtime();
    lbs_clock_t now = lbs_runtime_clock();
    lbs_snapshot_t snapshot = {.reg = rt->registry, .count = rt->table_count};
    apr_size_t room;
    apr_status_t rv;
    int i;

    for (i = 0; i < rt->table_count; i++) {
        snapshot.tables[i] = rt->tables[i];
    }
    if (conf->secret_source == LBS_SECRET_GIVEN) {
        snapshot.fingerprint =
            lbs_snapshot_fingerprint(&conf->secret->keys[0].master);
    }
    room = lbs_snapshot_room(&snapshot);
    /* Not from a pool: it is large and given back at once. */
    *bytes = malloc(room);
    if (*bytes == NULL) {
        return APR_ENOMEM;
    }
    rv = lbs_snapshot_encode(&snapshot, &now, *bytes, room, len);
    if (rv != APR_SUCCESS) {
        free(*bytes);
    }
    return rv;
}

/* A rename is only on the disk when the directory is. */
static void flush_directory(const char *path, apr_pool_t *pool)
{
    const char *slash = strrchr(path, '/');
    apr_file_t *dir;

    if (slash != NULL
        && apr_file_open(
               &dir, apr_pstrmemdup(pool, path, (apr_size_t)(slash - path)),
               APR_READ, APR_OS_DEFAULT, pool)
               == APR_SUCCESS) {
        (void)apr_file_sync(dir);
        (void)apr_file_close(dir);
    }
}

static apr_status_t replace_file(const char *path, const unsigned char *bytes,
                                 apr_size_t len, apr_pool_t *pool)
{
    const char *temporary = apr_pstrcat(pool, path, ".new", NULL);
    apr_file_t *file;
    apr_status_t rv;

    (void)apr_file_remove(temporary, pool);
    rv = apr_file_open(&file, temporary,
                       APR_WRITE | APR_CREATE | APR_EXCL | APR_BINARY,
                       FILE_MODE, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_file_write_full(file, bytes, len, NULL);
    if (rv == APR_SUCCESS) {
        rv = apr_file_sync(file);
    }
    if (rv != APR_SUCCESS) {
        (void)apr_file_close(file);
        (void)apr_file_remove(temporary, pool);
        return rv;
    }
    rv = apr_file_close(file);
    if (rv == APR_SUCCESS) {
        rv = apr_file_rename(temporary, path, pool);
    }
    if (rv == APR_SUCCESS) {
        flush_directory(path, pool);
    }
    return rv;
}

static void report(server_rec *s, const char *path, apr_status_t rv)
{
    lbs_clock_t now = lbs_runtime_clock();

    if (rv == APR_SUCCESS) {
        lbs_atomic_store64_relaxed(&lbs_runtime()->shared->notes->saved_at,
                                   (apr_uint64_t)now.wall);
    }
    if ((rv != APR_SUCCESS) == writing.failing) {
        return;
    }
    writing.failing = rv != APR_SUCCESS;
    if (writing.failing) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s,
                     LBSNO(1702) "state file %s cannot be written: learned "
                                 "sessions will not survive a full restart; "
                                 "make its directory, or write another file "
                                 "into LBStickyPersist",
                     path);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     LBSNO(1703) "state file %s is written again", path);
    }
    lbs_registry_tell(lbs_runtime()->registry, &now, LBS_REGISTRY_NONE,
                      LBS_REGISTRY_NONE, LBS_EVENT_STATE_FILE,
                      writing.failing ? "cannot be written" : "written again");
}

/* A number that changes when anything worth saving has happened. */
static apr_uint64_t find_activity(void)
{
    lbs_registry_t *registry = lbs_runtime()->registry;
    apr_uint64_t sum = lbs_events_count(lbs_registry_events(registry));
    apr_uint32_t slot = LBS_REGISTRY_NONE;

    while ((slot = lbs_registry_next_pool(registry, slot))
           != LBS_REGISTRY_NONE) {
        sum += lbs_atomic_load64_relaxed(
            &lbs_registry_pool_record(registry, slot)->requests);
    }
    return sum;
}

static void save(server_rec *s, apr_pool_t *pool)
{
    const lbs_main_conf_t *conf = lbs_config_of(s)->main;
    apr_time_t began = lbs_runtime_now();
    apr_uint64_t activity = find_activity();
    unsigned char *bytes;
    apr_size_t len;
    apr_status_t rv = encode(&bytes, &len, conf);

    if (rv == APR_SUCCESS) {
        rv = replace_file(conf->persist, bytes, len, pool);
        free(bytes);
    }
    if (rv == APR_SUCCESS) {
        writing.quiet = writing.activity == activity;
        writing.activity = activity;
    }
    report(s, conf->persist, rv);
    writing.tried_at = lbs_runtime_now();
    writing.took = writing.tried_at - began;
}

/* The configuration ends: a graceful restart, or a stop after all children
 * are gone. A child inherits this cleanup and must not act on it. */
static apr_status_t save_at_end(void *baton)
{
    server_rec *s = baton;
    apr_pool_t *pool;

    if (getpid() == writing.parent
        && apr_pool_create(&pool, s->process->pool) == APR_SUCCESS) {
        save(s, pool);
        apr_pool_destroy(pool);
    }
    return APR_SUCCESS;
}

void lbs_persist_start(apr_pool_t *pconf, server_rec *main_server)
{
    apr_pool_t *pool;

    memset(&writing, 0, sizeof(writing));
    writing.parent = getpid();
    if (lbs_config_of(main_server)->main->persist == NULL) {
        return;
    }
    apr_pool_create(&pool, pconf);
    save(main_server, pool);
    apr_pool_destroy(pool);
    apr_pool_pre_cleanup_register(pconf, main_server, save_at_end);
}

/* A request is counted before its session is bound: what was bound a moment
 * after the last writing shows in no number, hence one more than seems due. */
static int is_due(void)
{
    return lbs_runtime_now() - writing.tried_at >= SHARE * writing.took
           && !(writing.quiet && find_activity() == writing.activity);
}

int lbs_persist_monitor(apr_pool_t *pool, server_rec *main_server)
{
    apr_pool_t *own;

    if (lbs_runtime() == NULL
        || lbs_config_of(main_server)->main->persist == NULL || !is_due()) {
        return OK;
    }
    apr_pool_create(&own, pool);
    save(main_server, own);
    apr_pool_destroy(own);
    return OK;
}
