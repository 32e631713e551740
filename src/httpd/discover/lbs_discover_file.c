/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_file.c - see lbs_discover_file.h. */
#include "src/httpd/discover/lbs_discover_file.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <string.h>

#include "src/base/lbs_hash.h"

apr_uint64_t lbs_discover_file_mark(const char *path, apr_pool_t *memory)
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

/* The first BalancerMember of the pool is the model of all lines. */
static lbs_list_model_t model_of(const lbs_pool_t *pool)
{
    const lbs_member_t *first = pool->member[0];
    const char *host = strstr(first->name, "://");
    lbs_list_model_t model = {.scheme = lbs_worker_place(first->worker).scheme,
                              .path = ""};

    if (host != NULL) {
        host += strlen("://");
        model.path = host + strcspn(host, "/");
    }
    return model;
}

void lbs_discover_file_read(const lbs_pool_t *pool, apr_pool_t *memory,
                            lbs_discover_answer_t *answer)
{
    const lbs_list_model_t model = model_of(pool);
    char *bytes = apr_palloc(memory, LBS_LIST_BYTES + 1);
    apr_size_t len = 0;

    memset(answer, 0, sizeof(*answer));
    answer->rv = read_all(pool->set.discover->file, bytes, LBS_LIST_BYTES + 1,
                          &len, memory);
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
