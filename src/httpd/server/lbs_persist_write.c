/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_write.c - see lbs_persist_write.h. */
#include "src/httpd/server/lbs_persist_write.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <string.h>
#include <sys/mman.h>

#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_snapshot.h"

#define FILE_MODE (APR_FPROT_UREAD | APR_FPROT_UWRITE)

/* Memory for one writing: it is large, most of it is never touched, and it is
 * given back at once. A child that is forked meanwhile does not get it. */
static unsigned char *take_room(apr_size_t room)
{
    void *bytes = mmap(NULL, room, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (bytes == MAP_FAILED) {
        return NULL;
    }
#ifdef MADV_DONTFORK
    (void)madvise(bytes, room, MADV_DONTFORK);
#endif
    return bytes;
}

static void describe(lbs_snapshot_t *snapshot, const lbs_main_conf_t *conf)
{
    const lbs_runtime_t *rt = lbs_runtime();
    int i;

    memset(snapshot, 0, sizeof(*snapshot));
    snapshot->reg = rt->registry;
    snapshot->forgotten = &rt->shared->notes->forgotten;
    snapshot->count = rt->table_count;
    for (i = 0; i < rt->table_count; i++) {
        snapshot->tables[i] = rt->tables[i];
    }
    if (conf->secret_source == LBS_SECRET_GIVEN) {
        snapshot->fingerprint =
            lbs_snapshot_fingerprint(&conf->secret->keys[0].master);
    }
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

apr_status_t lbs_persist_write_file(const lbs_main_conf_t *conf,
                                    apr_pool_t *pool)
{
    lbs_clock_t now = lbs_runtime_clock();
    lbs_snapshot_t snapshot;
    unsigned char *bytes;
    apr_size_t room, len;
    apr_status_t rv;

    describe(&snapshot, conf);
    room = lbs_snapshot_room(&snapshot);
    bytes = take_room(room);
    if (bytes == NULL) {
        return APR_ENOMEM;
    }
    rv = lbs_snapshot_encode(&snapshot, &now, bytes, room, &len);
    if (rv == APR_SUCCESS) {
        rv = replace_file(conf->persist, bytes, len, pool);
    }
    (void)munmap(bytes, room);
    if (rv == APR_SUCCESS) {
        lbs_atomic_store64_relaxed(&lbs_runtime()->shared->notes->saved_at,
                                   (apr_uint64_t)now.wall);
    }
    return rv;
}

/* What was counted of one member. */
static apr_uint64_t count_member(const lbs_member_record_t *member)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < LBS_COUNTS; i++) {
        sum += lbs_atomic_load64_relaxed(&member->counts[i]);
    }
    return sum;
}

apr_uint64_t lbs_persist_write_activity(void)
{
    const lbs_registry_t *registry = lbs_runtime()->registry;
    apr_uint64_t sum =
        lbs_events_count(lbs_registry_events(registry))
        + lbs_forgotten_count(&lbs_runtime()->shared->notes->forgotten);
    apr_uint32_t slot = LBS_REGISTRY_NONE;

    while ((slot = lbs_registry_next_pool(registry, slot))
           != LBS_REGISTRY_NONE) {
        sum += lbs_atomic_load64_relaxed(
            &lbs_registry_pool_record(registry, slot)->requests);
    }
    slot = LBS_REGISTRY_NONE;
    while ((slot = lbs_registry_next_member(registry, LBS_REGISTRY_NONE, slot))
           != LBS_REGISTRY_NONE) {
        sum += count_member(lbs_registry_member_record(registry, slot));
    }
    return sum;
}
