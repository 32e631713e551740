/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_write.c - see lbs_persist_write.h. */
#include "src/httpd/server/lbs_persist_write.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/httpd/server/lbs_persist_fd.h"
#include "src/httpd/server/lbs_persist_outline.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_journal.h"
#include "src/state/lbs_snapshot.h"

/* Behind a small image so much may follow before there is another one. */
#define FOLLOW_LEAST ((apr_size_t)1 << 20)

typedef enum wrote_t { NOTHING, IMAGE, CHANGES } wrote_t;

struct lbs_persist_file_t {
    const char *path;
    const char *temporary;
    const char *directory;
    lbs_snapshot_t from;
    lbs_journal_t *journal;
    lbs_atomic64_t *saved_at;             /* shared memory */
    const lbs_atomic64_t *roster_version; /* the same */
    int fd;               /* of the file; -1: none, or not to be used */
    apr_size_t image;     /* bytes of it that are the image */
    apr_size_t followed;  /* bytes behind it */
    apr_pool_t *memory;   /* of the outline */
    apr_uint64_t rosters; /* the version of them that it has */
    /* Between the two steps. */
    wrote_t wrote;
    unsigned char *bytes;
    apr_size_t room;
    apr_size_t len;
    apr_time_t wall;
};

/* Preparing -------------------------------------------------------------- */

static apr_status_t open_views(lbs_snapshot_t *from, apr_pool_t *pool)
{
    const lbs_shared_t *shared = lbs_runtime()->shared;
    lbs_registry_t *reg;
    lbs_table_t *table;
    int i;
    apr_status_t rv =
        lbs_registry_open(&reg, shared->registry, shared->registry_bytes,
                          shared->children, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    from->reg = reg;
    for (i = 0; i < lbs_runtime()->table_count && rv == APR_SUCCESS; i++) {
        rv = lbs_table_open(&table, shared->table[i].base,
                            shared->table[i].bytes, lbs_registry_slots(reg),
                            pool);
        if (rv == APR_SUCCESS) {
            lbs_table_mark_changes(table, shared->table[i].marks);
            from->tables[from->count++] = table;
        }
    }
    from->forgotten = lbs_runtime()->notes.forgotten;
    return rv;
}

/* Members that are found later are in it, too. While the configuration is
 * there: in the main thread, or while that waits for step one. */
static void outline(lbs_persist_file_t *file)
{
    file->rosters =
        lbs_atomic_load64_acquire(lbs_runtime()->notes.roster_version);
    apr_pool_clear(file->memory);
    file->from.outline =
        lbs_outline_encode(lbs_persist_outline(file->memory),
                           &file->from.outline_len, file->memory);
}

static int is_outlined(const lbs_persist_file_t *file)
{
    return file->rosters == lbs_atomic_load64_acquire(file->roster_version);
}

apr_status_t lbs_persist_file_create(lbs_persist_file_t **file,
                                     const lbs_main_conf_t *conf,
                                     apr_pool_t *pool)
{
    lbs_persist_file_t *made = apr_pcalloc(pool, sizeof(*made));
    const char *slash = strrchr(conf->persist, '/');
    apr_status_t rv = open_views(&made->from, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    made->path = apr_pstrdup(pool, conf->persist);
    made->temporary = apr_pstrcat(pool, conf->persist, ".new", NULL);
    made->directory =
        slash == NULL
            ? "."
            : apr_pstrmemdup(pool, conf->persist,
                             (apr_size_t)(slash - conf->persist) + 1);
    if (conf->secret_source == LBS_SECRET_GIVEN) {
        made->from.fingerprint =
            lbs_snapshot_fingerprint(&conf->secret->keys[0].master);
    }
    apr_pool_create(&made->memory, pool);
    made->roster_version = lbs_runtime()->notes.roster_version;
    outline(made);
    lbs_journal_create(&made->journal, pool);
    made->saved_at = lbs_runtime()->notes.saved_at;
    made->fd = -1;
    *file = made;
    return APR_SUCCESS;
}

static apr_status_t create(const char *temporary, int *fd)
{
    (void)unlink(temporary);
    *fd =
        lbs_persist_fd_open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
    return *fd < 0 ? errno : APR_SUCCESS;
}

apr_uint64_t lbs_persist_file_name(const lbs_persist_file_t *file)
{
    static const lbs_hash_key_t key = {"lbs state path"};

    return lbs_hash_two(&key, file->path, strlen(file->path) + 1,
                        file->from.outline, file->from.outline_len)
           | 1;
}

/* Step one --------------------------------------------------------------- */

/* Memory for one writing: it is large, most of it is never touched, and it is
 * given back at once. A child that is forked meanwhile does not get it. */
static int take_room(lbs_persist_file_t *file, apr_size_t room)
{
    void *bytes = mmap(NULL, room, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (bytes == MAP_FAILED) {
        return 0;
    }
#ifdef MADV_DONTFORK
    (void)madvise(bytes, room, MADV_DONTFORK);
#endif
    file->bytes = bytes;
    file->room = room;
    return 1;
}

static void give_room(lbs_persist_file_t *file)
{
    (void)munmap(file->bytes, file->room);
    file->wrote = NOTHING;
}

int lbs_persist_file_follows(const lbs_persist_file_t *file)
{
    apr_size_t most = file->image > FOLLOW_LEAST ? file->image : FOLLOW_LEAST;

    return file->fd >= 0 && file->followed < most;
}

void lbs_persist_file_look(lbs_persist_file_t *file)
{
    if (file->fd >= 0
        && (!is_outlined(file)
            || !lbs_persist_fd_is(file->fd, file->path,
                                  file->image + file->followed))) {
        lbs_persist_file_close(file);
    }
}

apr_status_t lbs_persist_file_read(lbs_persist_file_t *file, int last,
                                   const lbs_atomic32_t *give_up)
{
    lbs_clock_t now = lbs_clock_both();
    int follows = !last && lbs_persist_file_follows(file);
    apr_status_t rv;

    file->from.open = !last;
    file->from.give_up = give_up;
    if (!take_room(file, follows ? LBS_JOURNAL_ROOM
                                 : lbs_snapshot_room(&file->from))) {
        return APR_ENOMEM;
    }
    file->wall = now.wall;
    file->wrote = follows ? CHANGES : IMAGE;
    if (follows) {
        return lbs_journal_encode(file->journal, &file->from, &now,
                                  file->bytes, file->room, &file->len);
    }
    if (!is_outlined(file)) {
        outline(file);
    }
    /* The marks are taken: whatever happens now, changes cannot follow what
     * was written before. */
    lbs_persist_file_close(file);
    rv = lbs_snapshot_encode(&file->from, &now, file->bytes, file->room,
                             &file->len);
    if (rv == APR_SUCCESS) {
        lbs_journal_begin(file->journal, file->bytes, file->len);
    }
    else {
        give_room(file);
    }
    return rv;
}

/* Step two --------------------------------------------------------------- */

static apr_status_t put(int fd, const unsigned char *bytes, apr_size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, bytes, len);

        if (wrote < 0 && errno != EINTR) {
            return errno;
        }
        if (wrote > 0) {
            bytes += wrote;
            len -= (apr_size_t)wrote;
        }
    }
    return APR_SUCCESS;
}

/* A rename is only on the disk when the directory is. */
static void flush_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

static apr_status_t replace(lbs_persist_file_t *file)
{
    int fd;
    apr_status_t rv = create(file->temporary, &fd);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = put(fd, file->bytes, file->len);
    if (rv == APR_SUCCESS && fsync(fd) != 0) {
        rv = errno;
    }
    if (rv == APR_SUCCESS && rename(file->temporary, file->path) != 0) {
        rv = errno;
    }
    if (rv != APR_SUCCESS) {
        (void)lbs_persist_fd_close(fd);
        (void)unlink(file->temporary);
        return rv;
    }
    flush_directory(file->directory);
    file->fd = fd;
    file->image = file->len;
    file->followed = 0;
    return APR_SUCCESS;
}

static apr_status_t append(lbs_persist_file_t *file, int flush)
{
    apr_status_t rv = put(file->fd, file->bytes, file->len);

    if (rv == APR_SUCCESS && flush && fdatasync(file->fd) != 0) {
        rv = errno;
    }
    if (rv == APR_SUCCESS) {
        file->followed += file->len;
    }
    else {
        /* It may be there in part, which ends what can be read. */
        lbs_persist_file_close(file);
    }
    return rv;
}

apr_status_t lbs_persist_file_write(lbs_persist_file_t *file, int flush)
{
    apr_status_t rv = APR_SUCCESS;

    if (file->wrote == IMAGE) {
        rv = replace(file);
        if (!file->from.open) {
            lbs_persist_file_close(file);
        }
    }
    else if (file->len > 0) {
        rv = append(file, flush);
    }
    else {
        (void)futimens(file->fd, NULL); /* it says how things are now */
    }
    give_room(file);
    if (rv == APR_SUCCESS) {
        lbs_atomic_store64_relaxed(file->saved_at, (apr_uint64_t)file->wall);
    }
    return rv;
}

void lbs_persist_file_close(lbs_persist_file_t *file)
{
    if (file->fd >= 0) {
        (void)lbs_persist_fd_close(file->fd);
        file->fd = -1;
    }
}

/* Is there anything to write? --------------------------------------------- */

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

apr_uint64_t lbs_persist_file_activity(const lbs_persist_file_t *file)
{
    const lbs_registry_t *registry = file->from.reg;
    apr_uint64_t sum = lbs_events_count(lbs_registry_events(registry))
                       + lbs_forgotten_count(file->from.forgotten);
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
