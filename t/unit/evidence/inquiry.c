/* SPDX-License-Identifier: Apache-2.0 */
#include "src/evidence/lbs_inquiry.h"
#include "t/unit/tap.h"

#define SEC APR_UINT64_C(1000000)

static lbs_inquiry_t inquiry;
static apr_uint64_t now;

static void start(void)
{
    memset(&inquiry, 0, sizeof(inquiry));
    now = 1000 * SEC;
}

static int is_due(int suspected)
{
    return lbs_inquiry_is_due(&inquiry, suspected, 0, now);
}

static apr_uint32_t ask(lbs_inquiry_found_t found)
{
    lbs_inquiry_asked(&inquiry, 0, now);
    now += LBS_INQUIRY_APART_US;
    return lbs_inquiry_heard(&inquiry, found, 0, now);
}

static apr_uint32_t control(lbs_inquiry_found_t found)
{
    apr_uint32_t number = lbs_inquiry_control(&inquiry);

    return lbs_inquiry_controlled(&inquiry, number, found, 0, now);
}

static void the_well_are_left_in_peace(void)
{
    start();
    is_int(is_due(0), 0, "no suspect, no question");
    is_int(is_due(1), 1, "a suspect is asked at once");
    is_int(ask(LBS_INQUIRY_WELL), 0, "it answers well");
    is_int(is_due(1), 0, "and has its rest");
    now += LBS_INQUIRY_REST_US;
    is_int(is_due(1), 1, "afterwards it may be asked again");
    is_int(ask(LBS_INQUIRY_NOTHING), 0, "no answer is no 5xx");
    is_int(is_due(1), 0, "and ends it as well");
}

static void the_control(void)
{
    start();
    is_int(lbs_inquiry_wants_control(&inquiry), 0, "nothing to compare");
    is_int(ask(LBS_INQUIRY_ERROR), 0, "a 5xx counts not yet");
    is_int(lbs_inquiry_wants_control(&inquiry), 1, "a control is wanted");
    is_int(ask(LBS_INQUIRY_ERROR), 0, "nor does the second");
    is_int(control(LBS_INQUIRY_WELL), 2, "both do when the control is well");
    is_int(lbs_inquiry_wants_control(&inquiry), 0, "one control is enough");
    is_int(ask(LBS_INQUIRY_ERROR), 1, "from then on each counts at once");

    start();
    (void)ask(LBS_INQUIRY_ERROR);
    is_int(control(LBS_INQUIRY_ERROR), 0, "all answer the probe with 5xx");
    is_int(is_due(1), 0, "the inquiry is over");
    start();
    (void)ask(LBS_INQUIRY_ERROR);
    is_int(control(LBS_INQUIRY_NOTHING), 0, "nor does a silent control tell");
    is_int(is_due(1), 0, "the inquiry is over, too");
}

static void a_late_control(void)
{
    apr_uint32_t number;

    start();
    (void)ask(LBS_INQUIRY_ERROR);
    number = lbs_inquiry_control(&inquiry);
    (void)ask(LBS_INQUIRY_WELL);
    now += LBS_INQUIRY_REST_US;
    (void)is_due(1);
    (void)ask(LBS_INQUIRY_ERROR);
    is_int(lbs_inquiry_controlled(&inquiry, number, LBS_INQUIRY_WELL, 0, now),
           0, "the control of a former inquiry says nothing in this one");
}

static void it_is_bounded(void)
{
    int asked = 0;
    int i;

    start();
    for (i = 0; i < 10000; i++) {
        now += 1000;
        if (is_due(1)) {
            asked++;
            lbs_inquiry_asked(&inquiry, (apr_uint64_t)i, now);
            (void)lbs_inquiry_heard(&inquiry, LBS_INQUIRY_ERROR, 0, now);
            if (lbs_inquiry_wants_control(&inquiry)) {
                (void)control(LBS_INQUIRY_WELL);
            }
        }
    }
    ok(asked >= 100 && asked <= 200, "some %d probes in ten seconds", asked);

    start();
    (void)ask(LBS_INQUIRY_ERROR);
    is_int(is_due(0), 0,
           "a member that is no suspect any more is asked no more");
    is_int((int)inquiry.asked, 0, "and the inquiry is over");
    is_int(lbs_inquiry_heard(&inquiry, LBS_INQUIRY_ERROR, 0, now), 0,
           "a question under way then does not count");
}

int main(void)
{
    the_well_are_left_in_peace();
    the_control();
    a_late_control();
    it_is_bounded();
    return done_testing();
}
