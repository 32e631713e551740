/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_file.c - see lbs_discover_file.h. */
#include "src/httpd/discover/lbs_discover_file.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <string.h>

#include "src/base/lbs_hash.h"

#define LOOK_EVERY apr_time_from_sec(1) /* has the file changed? */

/* Of the process that ticks, per pool and source. */
typedef struct watch_t {
    apr_uint64_t mark; /* of the file when it was read last */
    apr_time_t looked_at;
    apr_time_t read_at;
} watch_t;

static watch_t (*watches)[LBS_ROSTER_SOURCES]; /* by slot of the pool */

void lbs_discover_file_begin(apr_pool_t *memory)
{
    apr_size_t bytes = sizeof(*watches) * LBS_REGISTRY_POOLS;

    if (watches == NULL) {
        watches = apr_palloc(memory, bytes);
    }
    memset(watches, 0, bytes);
}

/* Tells one state of the file from the next. */
static apr_uint64_t mark_of(const char *path, apr_pool_t *memory)
{
    apr_finfo_t info;

    if (apr_stat(&info, path,
                 APR_FINFO_MTIME | APR_FINFO_SIZE | APR_FINFO_INODE, memory)
        != APR_SUCCESS) {
        return 0;
    }
    return lbs_hash_mix((apr_uint64_t)info.mtime)
           ^ lbs_hash_mix((apr_uint64_t)info.size * 2 + 1)
           ^ lbs_hash_mix((apr_uint64_t)info.inode * 3 + 2);
}

static apr_status_t read_all(const char *path, char *bytes, apr_size_t room,
                             apr_size_t *len, apr_pool_t *memory)
{
    apr_finfo_t info;
    apr_file_t *file;
    apr_status_t rv = apr_stat(&info, path, APR_FINFO_TYPE, memory);

    if (rv == APR_SUCCESS && info.filetype != APR_REG) {
        rv = APR_EINVAL;
    }
    if (rv == APR_SUCCESS) {
        rv = apr_file_open(&file, path, APR_READ | APR_BINARY, APR_OS_DEFAULT,
                           memory);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_file_read_full(file, bytes, room, len);
    (void)apr_file_close(file);
    return APR_STATUS_IS_EOF(rv) ? APR_SUCCESS : rv;
}

static void read_list(const lbs_discover_from_t *from, apr_pool_t *memory,
                      lbs_discover_answer_t *answer)
{
    const lbs_list_model_t model = lbs_discover_model(from->pool->model);
    char *bytes = apr_palloc(memory, LBS_LIST_BYTES + 1);
    apr_size_t len = 0;

    answer->rv = read_all(lbs_discover_finder(from)->what, bytes,
                          LBS_LIST_BYTES + 1, &len, memory);
    if (answer->rv != APR_SUCCESS) {
        answer->said = LBS_ROSTER_UNREADABLE;
    }
    else if (len > LBS_LIST_BYTES) {
        answer->said = LBS_ROSTER_TOO_LARGE;
    }
    else if (!lbs_list_read(bytes, len, &model, memory, &answer->list,
                            &answer->wrong)) {
        answer->said = LBS_ROSTER_WRONG;
    }
    else {
        answer->said =
            answer->list->nelts > 0 ? LBS_ROSTER_GOOD : LBS_ROSTER_EMPTY;
    }
}

void lbs_discover_file_read(const lbs_discover_from_t *from, apr_time_t now,
                            apr_pool_t *memory, lbs_discover_answer_t *answer)
{
    watch_t *watch = &watches[from->pool->slot][from->source];

    watch->mark = mark_of(lbs_discover_finder(from)->what, memory);
    watch->read_at = now;
    *answer = (lbs_discover_answer_t){
        .next_at = now + from->pool->set.discover->interval};
    read_list(from, memory, answer);
}

int lbs_discover_file_poll(const lbs_discover_from_t *from, apr_time_t now,
                           apr_pool_t *memory, lbs_discover_answer_t *answer)
{
    watch_t *watch = &watches[from->pool->slot][from->source];

    if (now - watch->looked_at < LOOK_EVERY && watch->looked_at != 0) {
        return 0;
    }
    watch->looked_at = now;
    if (watch->read_at != 0
        && now - watch->read_at < from->pool->set.discover->interval
        && watch->mark == mark_of(lbs_discover_finder(from)->what, memory)) {
        return 0;
    }
    lbs_discover_file_read(from, now, memory, answer);
    return 1;
}
