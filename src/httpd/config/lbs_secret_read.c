/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_secret_read.c - see lbs_secret_read.h. */
#include "src/httpd/config/lbs_secret_read.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <httpd.h>
#include <http_config.h>
#include <signal.h>
#include <string.h>

#define COMMAND_TIME apr_time_from_sec(10)
#define LOOK_AGAIN apr_time_from_msec(5) /* has the command ended? */

static const char *failed(apr_pool_t *pool, const char *wanted,
                          apr_status_t rv)
{
    char text[120];

    return apr_psprintf(pool, "%s (%s)", wanted,
                        apr_strerror(rv, text, sizeof(text)));
}

/* One byte more than a secret may have: if it is read, the secret is too
 * long. */
#define ROOM (LBS_SECRET_TEXT_MAX + 1)

static const char *read_file(apr_pool_t *pool, apr_pool_t *temp,
                             const char *path, char *text, apr_size_t *len)
{
    const char *full = ap_server_root_relative(temp, path);
    apr_file_t *file;
    apr_status_t rv = full == NULL ? APR_EBADPATH
                                   : apr_file_open(&file, full, APR_READ,
                                                   APR_OS_DEFAULT, temp);

    if (rv == APR_SUCCESS) {
        rv = apr_file_read_full(file, text, ROOM, len);
        (void)apr_file_close(file);
    }
    return rv == APR_SUCCESS || rv == APR_EOF
               ? NULL
               : failed(pool, "a file that can be read", rv);
}

static apr_status_t run(apr_pool_t *temp, const char *command,
                        apr_proc_t *process)
{
    apr_procattr_t *attr;
    char **argv;
    apr_status_t rv = apr_tokenize_to_argv(command, &argv, temp);

    if (rv == APR_SUCCESS && argv[0] == NULL) {
        rv = APR_EINVAL;
    }
    if (rv == APR_SUCCESS) {
        rv = apr_procattr_create(&attr, temp);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_procattr_io_set(attr, APR_NO_PIPE, APR_FULL_BLOCK,
                                 APR_NO_PIPE);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_procattr_cmdtype_set(attr, APR_PROGRAM_ENV);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_proc_create(process, argv[0], (const char *const *)argv, NULL,
                             attr, temp);
    }
    return rv;
}

/* All output of a command; a command that never stops printing has the same
 * time-out as others. @return APR_SUCCESS; APR_TIMEUP; else as
 * apr_file_read() */
static apr_status_t read_output(apr_file_t *out, apr_time_t until, char *text,
                                apr_size_t *len)
{
    apr_status_t rv = APR_SUCCESS;

    *len = 0;
    while (rv == APR_SUCCESS && *len < ROOM) {
        apr_interval_time_t left = until - apr_time_now();
        apr_size_t n = ROOM - *len;

        if (left <= 0) {
            return APR_TIMEUP;
        }
        (void)apr_file_pipe_timeout_set(out, left);
        rv = apr_file_read(out, text + *len, &n);
        *len += rv == APR_SUCCESS ? n : 0;
    }
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

/* It may have closed its output and still not end: that is no success either.
 * @return APR_CHILD_DONE; APR_TIMEUP: killed; else as apr_proc_wait() */
static apr_status_t wait_for(apr_proc_t *process, apr_time_t until, int *code,
                             apr_exit_why_e *why)
{
    apr_status_t rv;

    while ((rv = apr_proc_wait(process, code, why, APR_NOWAIT))
           == APR_CHILD_NOTDONE) {
        if (apr_time_now() > until) {
            (void)apr_proc_kill(process, SIGKILL);
            (void)apr_proc_wait(process, code, why, APR_WAIT);
            return APR_TIMEUP;
        }
        apr_sleep(LOOK_AGAIN);
    }
    return rv;
}

static const char *read_command(apr_pool_t *pool, apr_pool_t *temp,
                                const char *command, char *text,
                                apr_size_t *len)
{
    static const char wanted[] = "a command that prints the secret and exits "
                                 "with 0 within ten seconds";
    apr_time_t until = apr_time_now() + COMMAND_TIME;
    apr_proc_t process;
    apr_exit_why_e why;
    apr_status_t rv = run(temp, command, &process);
    int code = 0;

    if (rv != APR_SUCCESS) {
        return failed(pool, wanted, rv);
    }
    rv = read_output(process.out, until, text, len);
    (void)apr_file_close(process.out);
    if (rv != APR_SUCCESS) {
        (void)wait_for(&process, 0, &code, &why);
        return failed(pool, wanted, rv);
    }
    rv = wait_for(&process, until, &code, &why);
    if (rv == APR_TIMEUP) {
        return failed(pool, wanted, rv);
    }
    if (rv != APR_CHILD_DONE || !APR_PROC_CHECK_EXIT(why) || code != 0) {
        return apr_psprintf(pool, "%s; it ended with %d", wanted, code);
    }
    return NULL;
}

const char *lbs_secret_read(apr_pool_t *pool, apr_pool_t *temp,
                            const char *from, const lbs_secret_t **secret)
{
    char *text = apr_palloc(temp, ROOM);
    lbs_secret_t *parsed = apr_palloc(pool, sizeof(*parsed));
    apr_size_t len = 0;
    const char *wanted;

    if (strncmp(from, "file:", 5) == 0) {
        wanted = read_file(pool, temp, from + 5, text, &len);
    }
    else if (strncmp(from, "exec:", 5) == 0) {
        wanted = read_command(pool, temp, from + 5, text, &len);
    }
    else {
        return "random, file:PATH or exec:COMMAND";
    }
    if (wanted == NULL) {
        wanted = lbs_secret_parse(parsed, text, len);
    }
    if (wanted == NULL) {
        *secret = parsed;
    }
    return wanted;
}
