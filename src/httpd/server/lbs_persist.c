/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist.c - see lbs_persist.h. */
#include "src/httpd/server/lbs_persist.h"

#include <string.h>
#include <unistd.h>

#include "src/httpd/config/lbs_config.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/server/lbs_persist_read.h"
#include "src/httpd/server/lbs_persist_thread.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_kept.h"
#include "src/httpd/shared/lbs_runtime.h"

/* The main thread's. */
static struct {
    pid_t parent;
    server_rec *server; /* NULL: nothing is written */
    lbs_persist_thread_t *thread;
    int failing; /* it was logged */
    int ending;  /* httpd ends, it is no reload */
} state;

static const char *path_of(server_rec *s)
{
    return lbs_config_of(s)->main->persist;
}

static void tell_outcome(const lbs_persist_outcome_t *outcome, server_rec *s)
{
    lbs_clock_t now = lbs_clock_both();

    if (outcome->taken) {
        ap_log_error(
            APLOG_MARK, APLOG_NOTICE, 0, s,
            LBSNO(1700) "state file %s of %" APR_TIME_T_FMT
                        " s ago was read: %u members, %" APR_UINT64_T_FMT
                        " sessions%s",
            path_of(s), apr_time_sec(outcome->elapsed), outcome->members,
            outcome->sessions,
            outcome->cut == 0 ? ""
                              : "; httpd ended while it wrote the last of it, "
                                "which is left out");
    }
    if (outcome->refusal != NULL) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, outcome->rv, s,
            LBSNO(1701) "state file %s refused: %s; httpd starts without "
                        "it and keeps it as %s: look at it there, or "
                        "remove it",
            path_of(s), outcome->refusal, outcome->aside);
        lbs_registry_tell(lbs_runtime()->registry, &now, LBS_REGISTRY_NONE,
                          LBS_REGISTRY_NONE, LBS_EVENT_STATE_FILE,
                          outcome->refusal);
    }
}

apr_status_t lbs_persist_load(server_rec *main_server, apr_pool_t *ptemp)
{
    lbs_persist_outcome_t outcome;
    apr_status_t rv;

    if (path_of(main_server) == NULL || !lbs_runtime()->shared->fresh) {
        return APR_SUCCESS;
    }
    /* Another build of this module may have left a thread that writes it. */
    if (!lbs_persist_thread_await()) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, main_server,
            LBSNO(1705) "state file %s: the configuration before still "
                        "writes it after ten seconds, so what is read may "
                        "be older; look at what keeps its disk busy",
            path_of(main_server));
    }
    rv = lbs_persist_read(main_server, &outcome, ptemp);
    tell_outcome(&outcome, main_server);
    return rv;
}

/* Say when it begins to fail, and when that is over. */
static void report(apr_status_t rv)
{
    lbs_clock_t now = lbs_clock_both();

    if (rv == APR_EAGAIN || (rv != APR_SUCCESS) == state.failing) {
        return;
    }
    state.failing = rv != APR_SUCCESS;
    if (state.failing) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, rv, state.server,
            LBSNO(1702) "state file %s cannot be written, so a stop and "
                        "start would lose learned sessions; make room on "
                        "its disk, make its directory, or write another "
                        "file into LBStickyPersist",
            path_of(state.server));
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, state.server,
                     LBSNO(1703) "state file %s is written again",
                     path_of(state.server));
    }
    lbs_registry_tell(lbs_runtime()->registry, &now, LBS_REGISTRY_NONE,
                      LBS_REGISTRY_NONE, LBS_EVENT_STATE_FILE,
                      state.failing ? "cannot be written" : "written again");
}

/* The life of a configuration --------------------------------------------- */

/* Runs before any pool of httpd's is destroyed: at its end, and never at a
 * reload. */
static apr_status_t note_end(void *unused)
{
    (void)unused;
    state.ending = 1;
    return APR_SUCCESS;
}

static void end(void)
{
    apr_status_t rv = lbs_persist_thread_end(state.thread);

    if (APR_STATUS_IS_TIMEUP(rv)) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, state.server,
            LBSNO(1706) "state file %s takes too long for a stop: what is "
                        "in it now will be read at the next start; look "
                        "at what keeps its disk busy",
            path_of(state.server));
        return;
    }
    report(rv);
}

/* The configuration ends: a graceful restart, or a stop after all children
 * are gone. A child inherits this cleanup and must not act on it. */
static apr_status_t leave(void *server)
{
    server_rec *s = server;

    if (getpid() != state.parent) {
        return APR_SUCCESS;
    }
    apr_pool_cleanup_kill(s->process->pool, &state, note_end);
    if (state.thread != NULL && state.ending) {
        end();
    }
    else if (state.thread != NULL) {
        lbs_persist_thread_leave(state.thread);
    }
    memset(&state, 0, sizeof(state));
    return APR_SUCCESS;
}

void lbs_persist_start(apr_pool_t *pconf, server_rec *main_server)
{
    const lbs_main_conf_t *conf = lbs_config_of(main_server)->main;
    int is_reload = lbs_kept()->started;
    apr_status_t rv;

    lbs_kept()->started = 1;
    memset(&state, 0, sizeof(state));
    lbs_persist_thread_reap();
    if (conf->persist == NULL) {
        return;
    }
    state.parent = getpid();
    state.server = main_server;
    rv = lbs_persist_thread_start(&state.thread, conf);
    if (rv != APR_SUCCESS) {
        state.thread = NULL;
        ap_log_error(
            APLOG_MARK, APLOG_ERR, rv, main_server,
            LBSNO(1704) "state file %s: the system gives no thread to "
                        "write it, so a stop or a crash loses what it "
                        "would hold; raise the limit of processes (ulimit "
                        "-u, TasksMax) and reload httpd",
            path_of(main_server));
    }
    else if (!is_reload) {
        lbs_persist_thread_first(state.thread);
        report(lbs_persist_thread_result(state.thread));
    }
    apr_pool_pre_cleanup_register(main_server->process->pool, &state,
                                  note_end);
    apr_pool_pre_cleanup_register(pconf, main_server, leave);
}

int lbs_persist_monitor(apr_pool_t *pool, server_rec *main_server)
{
    (void)pool;
    (void)main_server;
    if (lbs_runtime() != NULL && state.thread != NULL) {
        report(lbs_persist_thread_result(state.thread));
        lbs_persist_thread_reap();
    }
    return OK;
}
