/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_local_files.c - see lbs_local_files.h. */
#include "src/httpd/local/lbs_local_files.h"

#include <http_core.h>
#include <http_request.h>
#include <string.h>

#include "src/httpd/local/lbs_local_map.h"

/* .git, .htpasswd, .env: no name like these is ever looked for. */
static int is_hidden(const char *path)
{
    return strstr(path, "/.") != NULL;
}

/* Does a name below the folder that the URL was mapped to begin with a dot?
 * The administrator chose what stands before: DocumentRoot, the second word
 * of Alias. A pattern (AliasMatch, RewriteRule) says nowhere where its folder
 * ends, so there all names count that are not DocumentRoot's. */
static int is_hidden_file(request_rec *r)
{
    const char *root = ap_context_document_root(r);
    apr_size_t n = root != NULL ? strlen(root) : 0;

    if (n == 0 || strncmp(r->filename, root, n) != 0) {
        return is_hidden(r->filename);
    }
    /* Alias "/x/" "/a/." makes /a/.env of /x/env. */
    while (n > 0 && r->filename[n] != '/') {
        n--;
    }
    return is_hidden(r->filename + n);
}

/* Asked as the core's walk over directories asks, which takes r->finfo for
 * the answer to the same question. It asks about a path without dots in it:
 * behind a symbolic link the two may be different files.
 *
 * A handler that the translation chose (ScriptAlias, WSGIScriptAlias) makes
 * its file a program, not something to be read. */
static int is_file(request_rec *r)
{
    apr_finfo_t info;

    if (r->handler != NULL || is_hidden(r->uri) || is_hidden_file(r)
        || ap_run_dirwalk_stat(&info, r, APR_FINFO_MIN) != APR_SUCCESS
        || info.filetype != APR_REG) {
        return 0;
    }
    if (!is_hidden(r->filename)) {
        r->finfo = info;
    }
    return 1;
}

int lbs_local_files_map(request_rec *r)
{
    lbs_local_map_t undo;

    if (r->method_number != M_GET || is_hidden(r->uri)) {
        return 0;
    }
    if (lbs_local_map_map(r, &undo) == OK && is_file(r)) {
        return 1;
    }
    lbs_local_map_undo(r, &undo);
    return 0;
}
