/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_settings.c - the documented defaults, and how levels merge. */
#include "src/httpd/config/lbs_settings.h"

#define MS(n) ((apr_int64_t)(n)*1000)
#define SECONDS(n) MS((n)*1000)

/* 200-399: bit c % 32 of word c / 32. */
#define STATUSES_200_399                                                      \
    {                                                                         \
        {                                                                     \
            0, 0, 0, 0, 0, 0, 0xffffff00u, ~0u, ~0u, ~0u, ~0u, ~0u, 0xffffu   \
        }                                                                     \
    }

static const int on = 1;
static const int off = 0;
static const apr_int64_t slowstart = SECONDS(10);
static const lbs_set_sticky_t sticky = {.on = 0};
static const lbs_set_method_t method = {.method = LBS_PICK_LEAST_LOAD};
static const lbs_set_timeout_t timeout = {.idle = SECONDS(7200)};
static const lbs_set_failback_t failback = {.mode = LBS_FAILBACK_STAY};
static const lbs_set_retry_t retry = {
    .on = 1,
    .tries = 2,
    .causes = LBS_RETRY_CONNECT | LBS_RETRY_RESET,
    .budget = 20,
    .body = 64 * 1024,
};
static const lbs_set_eject_t eject = {
    .on = 1,
    .failures = 3,
    .window = SECONDS(10),
    .hold = {SECONDS(1), SECONDS(60)},
    .cap = 50,
    .stall = LBS_STALL_AUTO,
    .status = {.is_auto = 1},
};
static const lbs_set_check_t check = {
    .path = NULL,
    .interval = SECONDS(5),
    .timeout = SECONDS(2),
    .rise = 2,
    .fall = 3,
    .expect = STATUSES_200_399,
    .expect_text = "200-399",
};
static const lbs_set_limit_t limit = {.wait = SECONDS(5)};
static const lbs_set_local_t local = {.files = 0};
static const lbs_set_forward_t forward = {.host = 1, .proto = 1};
static const lbs_set_foreign_t foreign = {.count = 0};
static const lbs_set_store_t store = {.timeout = MS(100)};
static const lbs_set_discover_t discover = {
    .interval = SECONDS(5),
    .hold = SECONDS(30),
    .leave = SECONDS(600),
    .join = -1,
    .min = 1,
    .allow = {.private_ones = 1},
    .allow_text = "private",
};

static const lbs_set_register_t registers = {.lease = SECONDS(30)};

static const lbs_settings_t defaults = {
    .sticky = &sticky,
    .method = &method,
    .timeout = &timeout,
    .cookie = &lbs_cookie_defaults,
    .failover = &on,
    .failback = &failback,
    .retry = &retry,
    .eject = &eject,
    .check = &check,
    .panic = &on,
    .slowstart = &slowstart,
    .limit = &limit,
    .local = &local,
    .forward = &forward,
    .foreign = &foreign,
    .control = &off,
    .store = &store,
    .discover = &discover,
    .registers = &registers,
    .admin = &off,
};

const lbs_settings_t *lbs_settings_defaults(void)
{
    return &defaults;
}

#define CHOOSE(field)                                                         \
    out->field = inner->field != NULL ? inner->field : outer->field

void lbs_settings_merge(lbs_settings_t *out, const lbs_settings_t *inner,
                        const lbs_settings_t *outer)
{
    CHOOSE(sticky);
    CHOOSE(method);
    CHOOSE(timeout);
    CHOOSE(cookie);
    CHOOSE(failover);
    CHOOSE(failback);
    CHOOSE(retry);
    CHOOSE(eject);
    CHOOSE(check);
    CHOOSE(panic);
    CHOOSE(slowstart);
    CHOOSE(limit);
    CHOOSE(local);
    CHOOSE(forward);
    CHOOSE(foreign);
    CHOOSE(control);
    CHOOSE(store);
    CHOOSE(discover);
    CHOOSE(registers);
    CHOOSE(admin);
}

int lbs_settings_has_source(const lbs_set_sticky_t *set,
                            lbs_source_kind_e kind)
{
    int i;

    for (i = 0; i < set->count; i++) {
        if (set->source[i].kind == kind) {
            return 1;
        }
    }
    return 0;
}
