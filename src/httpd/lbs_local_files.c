/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_local_files.c - see lbs_local_files.h. */
#include "src/httpd/lbs_local_files.h"

#include <apr_file_info.h>
#include <string.h>

#include "src/httpd/lbs_local_here.h"

/* .git, .htpasswd, .env: no name like these is ever looked for. */
static int is_hidden(const char *path)
{
    return strstr(path, "/.") != NULL;
}

/* A handler that the translation chose (ScriptAlias, WSGIScriptAlias) makes
 * its file a program, not something to be read. */
static int is_file(const request_rec *r)
{
    apr_finfo_t info;

    return r->handler == NULL && !is_hidden(r->uri)
           && apr_stat(&info, r->filename, APR_FINFO_TYPE, r->pool)
                  == APR_SUCCESS
           && info.filetype == APR_REG;
}

int lbs_local_files_map(request_rec *r)
{
    lbs_local_here_t undo;

    if (r->method_number != M_GET || is_hidden(r->uri)) {
        return 0;
    }
    if (lbs_local_here_map(r, &undo) == OK && is_file(r)) {
        return 1;
    }
    lbs_local_here_undo(r, &undo);
    return 0;
}
