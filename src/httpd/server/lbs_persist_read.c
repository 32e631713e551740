/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_read.c - see lbs_persist_read.h. */
#include "src/httpd/server/lbs_persist_read.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/httpd/config/lbs_config.h"
#include "src/httpd/discover/lbs_discover.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_restore.h"

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

/* The file: its bytes, or why they are refused. */
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

/* A user who can write the file can choose the secret that signs cookies, and
 * some directories are writable for all. */
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

apr_status_t lbs_persist_restore(server_rec *s, lbs_restore_t *from,
                                 lbs_persist_outcome_t *outcome,
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
    lbs_restore_forgotten(from, rt->notes.forgotten);
    for (i = 0; i < info.tables; i++) {
        (void)lbs_restore_table(from, i, rt->tables[i], &sessions);
    }
    rv = lbs_runtime_fit_tables(s);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    outcome->taken = 1;
    outcome->elapsed = info.elapsed;
    outcome->cut = info.cut;
    outcome->members = report.members;
    outcome->sessions = sessions.kept;
    return APR_SUCCESS;
}

/* The file is not what it should be, or there is no room for what it holds. */
static void refuse(const char *path, const found_t *found,
                   lbs_persist_outcome_t *outcome, apr_pool_t *ptemp)
{
    outcome->refusal =
        found->refusal != NULL ? found->refusal : "it cannot be read";
    outcome->aside = apr_pstrcat(ptemp, path, ".refused", NULL);
    (void)apr_file_rename(path, outcome->aside, ptemp);
}

/* Members that were found have slots before their sessions need them. */
static void recall(const lbs_restore_t *from, apr_pool_t *ptemp)
{
    apr_size_t len;
    const unsigned char *bytes = lbs_restore_outline(from, &len);
    const lbs_outline_t *outline =
        len != 0 ? lbs_outline_decode(bytes, len, ptemp) : NULL;

    if (outline != NULL) {
        lbs_discover_recall(outline, ptemp);
    }
}

/* What was read, into shared memory. @return as lbs_persist_read() */
static apr_status_t take(found_t *found, server_rec *s,
                         lbs_persist_outcome_t *outcome, apr_pool_t *ptemp)
{
    const lbs_main_conf_t *conf = lbs_config_of(s)->main;
    lbs_clock_t now = lbs_clock_both();
    apr_uint64_t fingerprints[LBS_SECRET_MAX];
    lbs_restore_t *from;
    int count;

    fingerprint_all(conf, fingerprints, &count);
    found->refusal = lbs_restore_open(&from, found->bytes, found->len, &now,
                                      fingerprints, count, ptemp);
    if (found->refusal != NULL) {
        return APR_SUCCESS;
    }
    recall(from, ptemp);
    outcome->rv = lbs_persist_restore(s, from, outcome, ptemp);
    if (outcome->rv == APR_SUCCESS) {
        return APR_SUCCESS;
    }
    found->refusal = "there is no memory for its sessions";
    return lbs_runtime_empty_tables(s);
}

apr_status_t lbs_persist_read(server_rec *main_server,
                              lbs_persist_outcome_t *outcome,
                              apr_pool_t *ptemp)
{
    const char *path = lbs_config_of(main_server)->main->persist;
    found_t found = {NULL, 0, NULL};
    apr_status_t started = APR_SUCCESS;

    memset(outcome, 0, sizeof(*outcome));
    outcome->rv = read_file(path, &found, ptemp);
    if (APR_STATUS_IS_ENOENT(outcome->rv)
        || APR_STATUS_IS_ENOTDIR(outcome->rv)) {
        return APR_SUCCESS; /* the first start; writing will tell what is
                               wrong */
    }
    if (outcome->rv == APR_SUCCESS && found.refusal == NULL) {
        started = take(&found, main_server, outcome, ptemp);
    }
    if (outcome->rv != APR_SUCCESS || found.refusal != NULL) {
        outcome->taken = 0;
        refuse(path, &found, outcome, ptemp);
    }
    return started;
}

/* A look ------------------------------------------------------------------ */

int lbs_persist_look(server_rec *main_server, lbs_restore_t **restore,
                     lbs_persist_outcome_t *outcome, apr_pool_t *ptemp)
{
    const char *path = lbs_config_of(main_server)->main->persist;
    lbs_clock_t now = lbs_clock_both();
    found_t found = {NULL, 0, NULL};

    memset(outcome, 0, sizeof(*outcome));
    outcome->rv = read_file(path, &found, ptemp);
    if (outcome->rv == APR_SUCCESS && found.refusal == NULL) {
        found.refusal = lbs_restore_open(restore, found.bytes, found.len, &now,
                                         NULL, 0, ptemp);
    }
    outcome->refusal = found.refusal;
    return outcome->rv == APR_SUCCESS && found.refusal == NULL;
}

int lbs_persist_takes(server_rec *main_server, const lbs_restore_t *restore)
{
    apr_uint64_t fingerprints[LBS_SECRET_MAX];
    int count;

    fingerprint_all(lbs_config_of(main_server)->main, fingerprints, &count);
    return lbs_restore_secret(restore, fingerprints, count);
}
