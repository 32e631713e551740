/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of an answer for LBStickyControl, a line each: what is read lies
 * within the values, and a field that is there twice does not count. */
#include "src/affinity/lbs_control.h"

#include "fuzz/input.h"

static void check(const lbs_control_t *control, const char *text, size_t n)
{
    must(!control->moves
         || (control->route.n <= LBS_CONTROL_VALUE_MAX
             && (control->route.n == 0
                 || (control->route.p >= text
                     && control->route.p + control->route.n <= text + n))));
    must(!control->holds || control->hold >= 0);
    must(control->releases == 0 || control->releases == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = input_string(data, size);
    size_t n = strlen(text);
    lbs_control_t control = {.releases = 0};
    char *line = text, *next, *colon;

    for (; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        colon = strchr(line, ':');
        if (colon == NULL) {
            continue;
        }
        *colon = '\0';
        if (lbs_control_is_field(line)) {
            lbs_control_t before = control;

            lbs_control_add(&control, line, colon + 1);
            must(control.wrong != NULL || control.seen != before.seen);
        }
        must(
            strpbrk(lbs_control_moved(input_pool(), colon + 1, "down"), "\r\n")
            == NULL);
    }
    check(&control, text, n);
    free(text);
    return 0;
}
