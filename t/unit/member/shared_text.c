/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "src/member/lbs_shared_text.h"
#include "t/unit/member/step.h"

#define WRITES 30000

static lbs_shared_text_t *note;
static lbs_atomic32_t written;

static void one_text(void)
{
    char text[LBS_SHARED_TEXT_LEN];
    char line[300];

    memset(note, 0, sizeof(*note));
    is_int(lbs_shared_text_get(note, text), APR_SUCCESS, "a new note reads");
    is_str(text, "", "as nothing");
    lbs_shared_text_set(note, "HTTP 200");
    (void)lbs_shared_text_get(note, text);
    is_str(text, "HTTP 200", "a reader gets the text that was written");
    lbs_shared_text_set(note, "a\r\nb\x7f\xc3\xa9");
    (void)lbs_shared_text_get(note, text);
    is_str(text, "a??b?\xc3\xa9", "control characters are not passed on");
    memset(line, 'z', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    lbs_shared_text_set(note, line);
    (void)lbs_shared_text_get(note, text);
    is_int(strlen(text), LBS_SHARED_TEXT_LEN - 1,
           "a text that does not fit is cut");
    lbs_shared_text_set(note, "");
    (void)lbs_shared_text_get(note, text);
    is_str(text, "", "emptied");
}

/* Texts of one letter: any mixture shows. */
static void *writer(void *unused)
{
    char line[LBS_SHARED_TEXT_LEN] = "";
    int i;

    for (i = 0; i < WRITES; i++) {
        memset(line, 'a' + i % 26,
               (size_t)(1 + i % (LBS_SHARED_TEXT_LEN - 1)));
        line[1 + i % (LBS_SHARED_TEXT_LEN - 1)] = '\0';
        lbs_shared_text_set(note, line);
    }
    lbs_atomic_store32_release(&written, 1);
    return unused;
}

static void readers_see_no_torn_text(void)
{
    char text[LBS_SHARED_TEXT_LEN];
    pthread_t thread;
    int torn = 0;
    int reads = 0;

    memset(note, 0, sizeof(*note));
    pthread_create(&thread, NULL, writer, NULL);
    while (!lbs_atomic_load32_acquire(&written)) {
        if (lbs_shared_text_get(note, text) == APR_SUCCESS) {
            torn += strspn(text, (char[]){text[0], '\0'}) != strlen(text);
            reads++;
        }
    }
    pthread_join(thread, NULL);
    is_int(torn, 0, "%d reads beside a busy writer, none torn", reads);
}

static void write_new(void *unused)
{
    (void)unused;
    lbs_shared_text_set(note, "connect: Connection refused");
}

static int old_or_new(void *unused)
{
    char text[LBS_SHARED_TEXT_LEN];

    (void)unused;
    return lbs_shared_text_get(note, text) == APR_SUCCESS
           && (strcmp(text, "HTTP 200") == 0
               || strcmp(text, "connect: Connection refused") == 0);
}

static void writer_killed_at_every_instruction(void)
{
    long steps;
    int bad;

    memset(note, 0, sizeof(*note));
    lbs_shared_text_set(note, "HTTP 200");
    steps = step_each(write_new, NULL, note, sizeof(*note), old_or_new, NULL,
                      &bad);
    ok(bad == 0,
       "a writer killed at any of %ld instructions leaves the old "
       "text or the new one%s",
       steps, steps == STEP_DENIED ? " # SKIP no ptrace" : "");
}

int main(void)
{
    note = step_shared(sizeof(*note));
    one_text();
    readers_see_no_torn_text();
    writer_killed_at_every_instruction();
    return done_testing();
}
