/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wishes.c - see lbs_wishes.h. */
#include "src/httpd/shared/lbs_wishes.h"

#include <apr_strings.h>

#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

#define NAP apr_time_from_msec(5)

static void refuse(lbs_wish_answer_t *answer, const char *text)
{
    *answer = (lbs_wish_answer_t){.status = 503};
    apr_cpystrn(answer->text, text, sizeof(answer->text));
}

void lbs_wishes_ask(const lbs_wish_t *wish, lbs_wish_answer_t *answer)
{
    lbs_wish_ring_t *ring = lbs_runtime()->notes.wishes;
    apr_time_t until = lbs_clock_now() + LBS_WISHES_WAIT;
    lbs_wish_state_t state = LBS_WISH_WAITS;
    lbs_wish_ticket_t ticket;

    if (!lbs_wish_put(ring, wish, lbs_clock_now(), &ticket)) {
        refuse(answer, "too many changes are asked for at once: try again");
        return;
    }
    while ((state = lbs_wish_look(ring, &ticket, answer)) == LBS_WISH_WAITS
           && lbs_clock_now() < until) {
        apr_sleep(NAP);
    }
    if (state == LBS_WISH_ANSWERED) {
        return;
    }
    if (state == LBS_WISH_WAITS && lbs_wish_withdraw(ring, &ticket)) {
        refuse(answer, "nothing was changed: no process had time for it "
                       "within a second; try again");
    }
    else if (lbs_wish_look(ring, &ticket, answer) != LBS_WISH_ANSWERED) {
        refuse(answer, "it is not known whether it was done: the process that "
                       "did it ended; look, and try again");
    }
}
