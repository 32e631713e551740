/* SPDX-License-Identifier: Apache-2.0 */
/* tap.h - just enough of the Test Anything Protocol for the unit tests.
 *
 * One test program is one translation unit, so everything here is static.
 * The asserting functions may be called from the main thread only; threads
 * of a test report through memory that the main thread looks at after
 * joining them.
 *
 *     int main(void)
 *     {
 *         ok(1 + 1 == 2, "sums");
 *         is_int(6 * 7, 42, "products");
 *         is_str("a", "a", "letters");
 *         return done_testing();
 *     }
 */
#ifndef LBS_TAP_H
#define LBS_TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TAP_FUNC __attribute__((unused)) static
#define TAP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

static int tap_count;   /* assertions made */
static int tap_failed;  /* of these, the failed ones */
static int tap_planned; /* promised by plan(), 0 without */

/** Processor time of this thread in microseconds: a busy machine does not look
 * like slow code. */
TAP_FUNC double thread_us(void)
{
    struct timespec at;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec * 1e-3;
}

/** Print one comment line; prove shows it next to a failure. */
TAP_FUNC TAP_PRINTF(1, 2) void diag(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("# ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

/** Announce the number of assertions; done_testing() checks it. */
TAP_FUNC void plan(int count)
{
    tap_planned = count;
    printf("1..%d\n", count);
}

TAP_FUNC TAP_PRINTF(2, 0) int tap_report(int good, const char *fmt,
                                         va_list args)
{
    tap_count++;
    tap_failed += !good;
    printf("%sok %d - ", good ? "" : "not ", tap_count);
    vprintf(fmt, args);
    putchar('\n');
    /* A crash later on must not swallow what was found until here. */
    fflush(stdout);
    return good;
}

/** Pass when cond is true; returns cond, so that a caller can give up. */
TAP_FUNC TAP_PRINTF(4, 5) int tap_ok(int cond, const char *file, int line,
                                     const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    tap_report(cond, fmt, args);
    va_end(args);
    if (!cond) {
        diag("failed at %s:%d", file, line);
    }
    return cond;
}

#define ok(cond, ...) tap_ok((cond) != 0, __FILE__, __LINE__, __VA_ARGS__)

/** Two integers of any type up to 64 bits, shown in decimal. */
TAP_FUNC TAP_PRINTF(5, 6) int tap_int(long long got, long long want,
                                      const char *file, int line,
                                      const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    tap_report(got == want, fmt, args);
    va_end(args);
    if (got != want) {
        diag("failed at %s:%d: got %lld, want %lld", file, line, got, want);
    }
    return got == want;
}

#define is_int(got, want, ...)                                                \
    tap_int((long long)(got), (long long)(want), __FILE__, __LINE__,          \
            __VA_ARGS__)

/** Two strings; NULL equals NULL only. */
TAP_FUNC TAP_PRINTF(5, 6) int tap_str(const char *got, const char *want,
                                      const char *file, int line,
                                      const char *fmt, ...)
{
    int same = got && want ? strcmp(got, want) == 0 : got == want;
    va_list args;

    va_start(args, fmt);
    tap_report(same, fmt, args);
    va_end(args);
    if (!same) {
        diag("failed at %s:%d: got '%s', want '%s'", file, line,
             got ? got : "(null)", want ? want : "(null)");
    }
    return same;
}

#define is_str(got, want, ...)                                                \
    tap_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)

/** Two blocks of len bytes; the first difference is shown. */
TAP_FUNC TAP_PRINTF(6, 7) int tap_mem(const void *got, const void *want,
                                      size_t len, const char *file, int line,
                                      const char *fmt, ...)
{
    const unsigned char *a = got;
    const unsigned char *b = want;
    size_t at = 0;
    va_list args;

    while (at < len && a[at] == b[at]) {
        at++;
    }
    va_start(args, fmt);
    tap_report(at == len, fmt, args);
    va_end(args);
    if (at < len) {
        diag("failed at %s:%d: byte %zu is 0x%02x, want 0x%02x", file, line,
             at, a[at], b[at]);
    }
    return at == len;
}

#define is_mem(got, want, len, ...)                                           \
    tap_mem((got), (want), (len), __FILE__, __LINE__, __VA_ARGS__)

/** A double within +-slack of what is wanted. */
TAP_FUNC TAP_PRINTF(6, 7) int tap_near(double got, double want, double slack,
                                       const char *file, int line,
                                       const char *fmt, ...)
{
    int near = got >= want - slack && got <= want + slack;
    va_list args;

    va_start(args, fmt);
    tap_report(near, fmt, args);
    va_end(args);
    if (!near) {
        diag("failed at %s:%d: got %g, want %g +- %g", file, line, got, want,
             slack);
    }
    return near;
}

#define is_near(got, want, slack, ...)                                        \
    tap_near((got), (want), (slack), __FILE__, __LINE__, __VA_ARGS__)

/** Stop here: nothing after this point can be tested. */
TAP_FUNC __attribute__((noreturn))
TAP_PRINTF(1, 2) void bail_out(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("Bail out! ", stdout);
    vprintf(fmt, args);
    putchar('\n');
    va_end(args);
    exit(255);
}

/** Write the plan if there was none; the value is main's exit status. */
TAP_FUNC int done_testing(void)
{
    if (tap_planned == 0) {
        printf("1..%d\n", tap_count);
    }
    else if (tap_planned != tap_count) {
        diag("planned %d assertions, made %d", tap_planned, tap_count);
        return 1;
    }
    /* A test that asserts nothing proves nothing. */
    return tap_failed > 0 || tap_count == 0;
}

#endif
