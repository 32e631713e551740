/* SPDX-License-Identifier: Apache-2.0 */
#include "src/evidence/lbs_cause.h"
#include "t/unit/tap.h"

static void a_handlers_number_is_a_word(void)
{
    static const struct {
        int status;
        lbs_said_t said;
    } rows[] = {
        {0, LBS_SAID_DONE},        {-1, LBS_SAID_DONE},
        {-2, LBS_SAID_DONE},       {-3, LBS_SAID_DONE},
        {-102, LBS_SAID_NOTHING},  {-4, LBS_SAID_NOTHING},
        {1, LBS_SAID_NOTHING},     {104, LBS_SAID_ANSWER},
        {200, LBS_SAID_ANSWER},    {304, LBS_SAID_ANSWER},
        {400, LBS_SAID_REFUSED},   {408, LBS_SAID_REFUSED},
        {499, LBS_SAID_REFUSED},   {500, LBS_SAID_FAILED},
        {501, LBS_SAID_REFUSED},   {502, LBS_SAID_FAILED},
        {503, LBS_SAID_503},       {504, LBS_SAID_504},
        {599, LBS_SAID_FAILED},    {600, LBS_SAID_NOTHING},
        {20014, LBS_SAID_NOTHING},
    };
    unsigned i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_int((int)lbs_cause_said(rows[i].status), (int)rows[i].said,
               "status %d", rows[i].status);
    }
}

static lbs_cause_t of(lbs_facts_t facts)
{
    return lbs_cause_find(&facts);
}

/* docs/design.md has the same rows. */
static void each_end_has_its_cause(void)
{
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_DONE, .answered = 1}),
           LBS_CAUSE_NONE, "answered");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_ANSWER, .sent = 1}),
           LBS_CAUSE_NONE, "httpd says the rest of a CGI's answer");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_NOTHING, .unread = 1}),
           LBS_CAUSE_CLIENT, "a body that could not be read");
    is_int((int)of((lbs_facts_t){
               .said = LBS_SAID_FAILED, .unread = 1, .sent = 1, .lost = 1}),
           LBS_CAUSE_CLIENT, "whatever else happened");
    is_int((int)of((lbs_facts_t){
               .said = LBS_SAID_NOTHING, .answered = 1, .cut = 1}),
           LBS_CAUSE_BODY, "an answer that broke off");
    is_int((int)of((lbs_facts_t){
               .said = LBS_SAID_NOTHING, .answered = 1, .cut = 1, .quiet = 1}),
           LBS_CAUSE_QUIET, "one that fell silent");
    is_int((int)of((lbs_facts_t){
               .said = LBS_SAID_NOTHING, .answered = 1, .cut = 1, .slow = 1}),
           LBS_CAUSE_CLIENT, "one that the client took too slowly");
    is_int((int)of((lbs_facts_t){
               .said = LBS_SAID_503, .answered = 1, .cut = 1, .gone = 1}),
           LBS_CAUSE_NONE, "one that the client did not want to the end");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_503}), LBS_CAUSE_CONNECT,
           "no connection");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_503, .exhausted = 1}),
           LBS_CAUSE_FULL, "no connection to be had");
    is_int(
        (int)of((lbs_facts_t){
            .said = LBS_SAID_FAILED, .sent = 1, .unshaken = 1, .watched = 1}),
        LBS_CAUSE_CONNECT, "no TLS");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_FAILED,
                                 .sent = 1,
                                 .unprocessed = 1,
                                 .watched = 1}),
           LBS_CAUSE_UNTAKEN, "a stream that was refused");
    is_int((int)of((lbs_facts_t){
               .said = LBS_SAID_FAILED, .sent = 1, .seen = 1, .watched = 1}),
           LBS_CAUSE_STALE, "a kept connection that ended");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_FAILED,
                                 .sent = 1,
                                 .seen = 1,
                                 .fresh = 1,
                                 .watched = 1}),
           LBS_CAUSE_RESET, "a new one that ended");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_503, .sent = 1}),
           LBS_CAUSE_RESET, "one that nobody sees");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_504, .sent = 1}),
           LBS_CAUSE_TIMEOUT, "no answer in time");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_503, .sent = 1, .quiet = 1}),
           LBS_CAUSE_TIMEOUT, "the same, said otherwise");
    is_int(
        (int)of((lbs_facts_t){
            .said = LBS_SAID_FAILED, .sent = 1, .received = 1, .watched = 1}),
        LBS_CAUSE_GARBAGE, "no HTTP");
    is_int((int)of((lbs_facts_t){
               .said = LBS_SAID_FAILED, .sent = 1, .received = 1, .quiet = 1}),
           LBS_CAUSE_QUIET, "half a head, then silence");
    is_int((int)of((lbs_facts_t){
               .said = LBS_SAID_FAILED, .sent = 1, .received = 1, .limit = 1}),
           LBS_CAUSE_REFUSED, "a head too large for httpd");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_REFUSED, .sent = 1}),
           LBS_CAUSE_REFUSED, "a request that a handler refuses");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_FAILED, .rejected = 1}),
           LBS_CAUSE_REFUSED, "before it connected");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_NOTHING, .sent = 1}),
           LBS_CAUSE_REFUSED, "a filter of httpd's");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_DONE, .discarded = 1}),
           LBS_CAUSE_STATUS, "a status that is repeated");
    is_int((int)of(
               (lbs_facts_t){.said = LBS_SAID_504, .abandoned = 1, .sent = 1}),
           LBS_CAUSE_STALL, "a member that hangs");
    is_int(
        (int)of((lbs_facts_t){.said = LBS_SAID_FAILED, .gone = 1, .sent = 1}),
        LBS_CAUSE_CLIENT, "a client that hung up");
    is_int((int)of((lbs_facts_t){.said = LBS_SAID_DONE, .gone = 1, .sent = 1}),
           LBS_CAUSE_CLIENT, "and the handler thought that all was well");
    is_int(
        (int)of((lbs_facts_t){.said = LBS_SAID_DONE, .gone = 1, .tunnel = 1}),
        LBS_CAUSE_NONE, "a tunnel ends so");
}

#define FACTS 21

static lbs_facts_t facts_of(unsigned said, unsigned bits)
{
    lbs_facts_t f = {.said = (lbs_said_t)said};

    f.gone = bits & 1;
    f.unread = bits >> 1 & 1;
    f.answered = bits >> 2 & 1;
    f.cut = bits >> 3 & 1;
    f.discarded = bits >> 4 & 1;
    f.tunnel = bits >> 5 & 1;
    f.limit = bits >> 6 & 1;
    f.watched = bits >> 7 & 1;
    f.seen = bits >> 8 & 1;
    f.fresh = bits >> 9 & 1;
    f.sent = bits >> 10 & 1;
    f.received = bits >> 11 & 1;
    f.lost = bits >> 12 & 1;
    f.unshaken = bits >> 13 & 1;
    f.mistrusted = bits >> 14 & 1;
    f.abandoned = bits >> 15 & 1;
    f.unprocessed = bits >> 16 & 1;
    f.quiet = bits >> 17 & 1;
    f.exhausted = bits >> 18 & 1;
    f.rejected = bits >> 19 & 1;
    f.slow = bits >> 20 & 1;
    return f;
}

/* What must never be, whatever comes together. */
static const char *wrong(const lbs_facts_t *f, lbs_cause_t cause)
{
    int blamed = lbs_cause_is_failure(cause) || cause == LBS_CAUSE_CONNECT;
    int whole = f->answered && !f->cut;

    if ((int)cause < (int)LBS_CAUSE_NONE || cause > LBS_CAUSE_CLIENT) {
        return "it has no cause";
    }
    if (f->unread && !whole && cause != LBS_CAUSE_CLIENT
        && !(f->answered && f->gone)) {
        return "an unread body is the client's";
    }
    if (blamed && f->unread && !whole) {
        return "nobody is blamed for an unread body";
    }
    if (lbs_cause_is_unseen(cause) && f->sent && !f->unshaken
        && !f->unprocessed) {
        return "what was sent was seen";
    }
    if (lbs_cause_is_failure(cause) && f->gone) {
        return "nobody is blamed for a client that is gone";
    }
    if (lbs_cause_is_failure(cause) && f->limit && !f->answered) {
        return "nobody is blamed for httpd's limits";
    }
    if (lbs_cause_is_failure(cause) && f->quiet && f->received
        && !(f->lost && f->fresh)) {
        return "silence after the first byte is no failure";
    }
    if (cause == LBS_CAUSE_NONE && !f->answered && f->said != LBS_SAID_DONE
        && f->said != LBS_SAID_ANSWER) {
        return "an error is no answer";
    }
    if (cause == LBS_CAUSE_BODY && !f->answered) {
        return "what has not begun does not break off";
    }
    return NULL;
}

static void every_combination_has_one(void)
{
    unsigned said, bits;
    unsigned long looked = 0;
    const char *what = NULL;

    for (said = 0; said <= (unsigned)LBS_SAID_NOTHING && !what; said++) {
        for (bits = 0; bits < 1u << FACTS && !what; bits++) {
            lbs_facts_t f = facts_of(said, bits);

            what = wrong(&f, lbs_cause_find(&f));
            looked++;
            if (what != NULL) {
                diag("said %u facts %x: %s", said, bits, what);
            }
        }
    }
    ok(what == NULL, "%lu combinations", looked);
}

int main(void)
{
    a_handlers_number_is_a_word();
    each_end_has_its_cause();
    every_combination_has_one();
    return done_testing();
}
