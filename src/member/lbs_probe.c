/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_probe.c - see lbs_probe.h.
 *
 * Only the claim's holder writes the times; it releases the claim last. A
 * result may also come from a check (lbs_probe_note()): two at once may mix
 * their times, and both are results of this member at this moment.
 */
#include "src/member/lbs_probe.h"

#include "src/base/lbs_hash.h"

#define TOKEN_OF(claim) ((apr_uint32_t)((claim) >> 32))
#define BEGAN_MS_OF(claim) ((apr_uint32_t)(claim))

static apr_uint32_t ms32(apr_uint64_t us)
{
    return (apr_uint32_t)(us / 1000);
}

/* Wraps every 49 days; a claim lives for seconds. */
static int is_lost(apr_uint64_t claim, apr_uint64_t now)
{
    apr_uint32_t age = ms32(now) - BEGAN_MS_OF(claim);

    return age < 0x80000000u
           && age > (LBS_PROBE_TIMEOUT_US + LBS_PROBE_GRACE_US) / 1000;
}

/* A quarter of the time early, at the most: several balancers, or members,
 * whose probes began together, do not stay together. */
static int is_due(const lbs_probe_t *probe, apr_uint64_t now)
{
    apr_uint64_t every =
        (apr_uint64_t)lbs_atomic_load32_relaxed(&probe->every_ms) * 1000;
    apr_uint64_t asked = lbs_atomic_load64_relaxed(&probe->asked_at);

    return every != 0
           && now >= asked + every - lbs_hash_mix(asked) % (every / 4 + 1);
}

void lbs_probe_set_kind(lbs_probe_t *probe, lbs_probe_kind_t kind)
{
    lbs_atomic_store32_relaxed(&probe->kind, (apr_uint32_t)kind);
}

void lbs_probe_want(lbs_probe_t *probe, apr_int64_t every_us)
{
    apr_uint32_t every = (apr_uint32_t)(every_us / 1000);

    if (every_us != 0 && every == 0) {
        every = 1;
    }
    if (lbs_atomic_load32_relaxed(&probe->every_ms) != every) {
        lbs_atomic_store32_relaxed(&probe->every_ms, every);
    }
}

/* @return APR_SUCCESS: it is claimed; APR_EBUSY */
static apr_status_t claim(lbs_probe_t *probe, apr_uint64_t mine,
                          apr_uint64_t now)
{
    apr_uint64_t seen = lbs_atomic_load64_acquire(&probe->claim);

    return (seen == 0 || is_lost(seen, now))
                   && lbs_atomic_cas64(&probe->claim, &seen, mine)
               ? APR_SUCCESS
               : APR_EBUSY;
}

static apr_uint64_t claim_of(apr_uint32_t token, apr_uint64_t now)
{
    return ((apr_uint64_t)token << 32) | ms32(now);
}

apr_status_t lbs_probe_begin_at_once(lbs_probe_t *probe, apr_uint32_t token,
                                     apr_uint64_t now, apr_uint64_t *ticket)
{
    apr_uint64_t mine = claim_of(token, now);
    apr_status_t rv = claim(probe, mine, now);

    if (rv == APR_SUCCESS) {
        lbs_atomic_store64_relaxed(&probe->asked_at, now);
        *ticket = mine;
    }
    return rv;
}

apr_status_t lbs_probe_begin(lbs_probe_t *probe, apr_uint32_t token,
                             apr_uint64_t now, apr_uint64_t *ticket)
{
    apr_uint64_t mine = claim_of(token, now);
    apr_status_t rv;

    if (!is_due(probe, now)) {
        return APR_EAGAIN;
    }
    rv = claim(probe, mine, now);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* Another process may have made a whole probe meanwhile. */
    if (!is_due(probe, now)) {
        lbs_probe_drop(probe, mine);
        return APR_EAGAIN;
    }
    lbs_atomic_store64_relaxed(&probe->asked_at, now);
    *ticket = mine;
    return APR_SUCCESS;
}

void lbs_probe_heard(lbs_probe_t *probe, lbs_gauge_t *gauge, apr_uint64_t now)
{
    lbs_atomic_store64_relaxed(&probe->alive_at, now);
    if (lbs_atomic_load64_relaxed(&gauge->doubt_until) != 0) {
        lbs_atomic_store64_relaxed(&gauge->doubt_until, 0);
    }
}

void lbs_probe_note(lbs_probe_t *probe, lbs_probe_found_t found,
                    apr_uint64_t began, apr_uint64_t now)
{
    lbs_atomic_store32_relaxed(&probe->found, (apr_uint32_t)found);
    lbs_atomic_store64_relaxed(&probe->began_at, began);
    lbs_atomic_store64_release(&probe->found_at, now);
}

void lbs_probe_end(lbs_probe_t *probe, apr_uint64_t ticket,
                   lbs_probe_found_t found, apr_uint64_t now)
{
    if (lbs_atomic_load64_acquire(&probe->claim) != ticket) {
        return;
    }
    lbs_probe_note(probe, found, lbs_atomic_load64_relaxed(&probe->asked_at),
                   now);
    lbs_probe_drop(probe, ticket);
}

void lbs_probe_drop(lbs_probe_t *probe, apr_uint64_t ticket)
{
    (void)lbs_atomic_cas64(&probe->claim, &ticket, 0); /* lost meanwhile */
}

void lbs_probe_abandon(lbs_probe_t *probe, apr_uint32_t token)
{
    apr_uint64_t seen = lbs_atomic_load64_acquire(&probe->claim);

    if (seen != 0 && TOKEN_OF(seen) == token) {
        /* The probe was given back: the member was not asked. */
        lbs_atomic_store64_relaxed(&probe->asked_at, 0);
        lbs_probe_drop(probe, seen);
    }
}

void lbs_probe_view(const lbs_probe_t *probe, lbs_probe_view_t *view)
{
    view->found_at = lbs_atomic_load64_acquire(&probe->found_at);
    view->began_at = lbs_atomic_load64_relaxed(&probe->began_at);
    view->found = (lbs_probe_found_t)lbs_atomic_load32_relaxed(&probe->found);
    view->kind = (lbs_probe_kind_t)lbs_atomic_load32_relaxed(&probe->kind);
    view->asked_at = lbs_atomic_load64_relaxed(&probe->asked_at);
    view->alive_at = lbs_atomic_load64_relaxed(&probe->alive_at);
}
