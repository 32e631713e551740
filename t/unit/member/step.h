/* SPDX-License-Identifier: Apache-2.0 */
/* step.h - stop a process after each single instruction.
 *
 * Every crash test here asks the same question: whatever instruction a child
 * dies at, can the others go on? This runs a function in a child under
 * ptrace, one instruction at a time. A child that is stopped for good is as
 * good as killed: between two steps the test may do what survivors would do
 * and look whether all is well; then the shared memory is put back and the
 * child goes on. No instruction is left out, and no luck is needed.
 */
#ifndef LBS_STEP_H
#define LBS_STEP_H

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t/unit/tap.h"

/* Instrumented code has too many instructions to stop at each. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STEP_STRIDE 29
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STEP_STRIDE 29
#endif
#endif
#ifndef STEP_STRIDE
#define STEP_STRIDE 1
#endif

#define STEP_DENIED (-1L) /* this machine does not let us trace */

/** Memory of zeros that survives the children that share it. */
TAP_FUNC void *step_shared(size_t bytes)
{
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (block == MAP_FAILED) {
        bail_out("mmap: %s", strerror(errno));
    }
    return block;
}

/* Start fn(arg) in a child that stops before it. @return its pid, or -1 */
TAP_FUNC pid_t step_start(void (*fn)(void *), void *arg)
{
    int status;
    pid_t pid;

    fflush(stdout);
    if (getenv("LBS_UNTRACED") != NULL) {
        return -1; /* an emulator steps through itself */
    }
    pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(77);
        }
        raise(SIGTRAP);
        fn(arg);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
        return -1;
    }
    return pid;
}

/* One instruction. @return 1 when the child is stopped again, 0 when gone */
TAP_FUNC int step_once(pid_t pid)
{
    int status;

    return ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0
           && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
}

TAP_FUNC void step_end(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}

/** Run fn(arg) in a child for n instructions, then kill -9. */
TAP_FUNC void step_kill(void (*fn)(void *), void *arg, long n)
{
    pid_t pid = step_start(fn, arg);

    while (pid > 0 && n-- > 0) {
        if (!step_once(pid)) {
            return;
        }
    }
    if (pid > 0) {
        step_end(pid);
    }
}

/**
 * Run fn(arg) in a child; before each instruction ask well(what), which may
 * change the shared memory: that is put back before the child goes on.
 *
 * @param mem   what both share, of size bytes
 * @param bad   out: how many times well() said 0
 * @return instructions of the child, or STEP_DENIED
 */
TAP_FUNC long step_each(void (*fn)(void *), void *arg, void *mem, size_t size,
                        int (*well)(void *), void *what, int *bad)
{
    void *before = malloc(size);
    pid_t pid = step_start(fn, arg);
    long steps = 0;

    *bad = 0;
    if (pid < 0 || before == NULL) {
        free(before);
        return STEP_DENIED;
    }
    do {
        if (steps % STEP_STRIDE == 0) {
            memcpy(before, mem, size);
            *bad += !well(what);
            memcpy(mem, before, size);
        }
        steps++;
    } while (step_once(pid));
    free(before);
    return steps;
}

/**
 * Run fn(arg) in a child for n instructions, let others work meanwhile, then
 * let the child go on to its end.
 *
 * @return 1; 0: fn ended within n instructions; STEP_DENIED
 */
TAP_FUNC long step_between(void (*fn)(void *), void *arg, long n,
                           void (*others)(void *), void *what)
{
    pid_t pid = step_start(fn, arg);
    int status;

    if (pid < 0) {
        return STEP_DENIED;
    }
    for (; n > 0; n--) {
        if (!step_once(pid)) {
            return 0;
        }
    }
    others(what);
    if (ptrace(PTRACE_CONT, pid, NULL, NULL) != 0
        || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        step_end(pid);
        return STEP_DENIED;
    }
    return 1;
}

#endif
