/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - a registry to test with, in memory that a fork shares. */
#ifndef LBS_STATE_FIXTURE_H
#define LBS_STATE_FIXTURE_H

#include <sys/mman.h>

#include <apr_general.h>

#include "src/state/lbs_registry.h"
#include "t/unit/tap.h"

#define ROWS 5

static apr_pool_t *memory;
static const lbs_registry_seed_t seed = {
    {1000, 1700000000000000}, {"table key"}, "a random secret"};

TAP_FUNC apr_size_t block_size(void)
{
    apr_size_t bytes = 0;

    if (lbs_registry_bytes(ROWS, &bytes) != APR_SUCCESS) {
        bail_out("no size");
    }
    return bytes;
}

/* With addresses of 32 bits there is no room for all blocks of a test: the
 * oldest goes. No test uses so many at a time. */
#define BLOCKS_AT_A_TIME 20

TAP_FUNC void *new_block(void)
{
    static void *kept[BLOCKS_AT_A_TIME];
    static int made;
    void **place = &kept[made++ % BLOCKS_AT_A_TIME];

    if (sizeof(void *) < 8 && *place != NULL) {
        (void)munmap(*place, block_size());
    }
    *place = mmap(NULL, block_size(), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (*place == MAP_FAILED) {
        bail_out("no memory");
    }
    return *place;
}

TAP_FUNC lbs_registry_t *open_block(void *block)
{
    lbs_registry_t *reg = NULL;

    if (lbs_registry_open(&reg, block, block_size(), ROWS, memory)
        != APR_SUCCESS) {
        bail_out("cannot open");
    }
    return reg;
}

TAP_FUNC lbs_registry_t *new_registry(void)
{
    void *block = new_block();

    if (lbs_registry_format(block, block_size(), ROWS, &seed) != APR_SUCCESS) {
        bail_out("cannot format");
    }
    return open_block(block);
}

TAP_FUNC lbs_clock_t at(apr_time_t mono)
{
    lbs_clock_t clock = {mono, 1700000000000000 + mono};

    return clock;
}

TAP_FUNC apr_uint32_t pool_of(lbs_registry_t *reg, const char *vhost,
                              const char *name)
{
    apr_uint32_t slot = LBS_REGISTRY_NONE;

    if (lbs_registry_pool(reg, vhost, name, &slot, NULL) != APR_SUCCESS) {
        bail_out("no pool %s %s", vhost, name);
    }
    return slot;
}

TAP_FUNC apr_uint32_t member_of(lbs_registry_t *reg, apr_uint32_t pool,
                                const char *route, const char *url)
{
    apr_uint32_t slot = LBS_REGISTRY_NONE;

    if (lbs_registry_member(reg, pool, route, url, &slot, NULL)
        != APR_SUCCESS) {
        bail_out("no member at %s", url);
    }
    return slot;
}

TAP_FUNC int count_members(const lbs_registry_t *reg, apr_uint32_t pool)
{
    apr_uint32_t slot = LBS_REGISTRY_NONE;
    int n = 0;

    while ((slot = lbs_registry_next_member(reg, pool, slot))
           != LBS_REGISTRY_NONE) {
        n++;
    }
    return n;
}

TAP_FUNC int removed(const lbs_registry_t *reg, apr_uint32_t slot)
{
    return (lbs_gauge_flags(&lbs_registry_gauges(reg)[slot]) & LBS_F_REMOVED)
           != 0;
}

/* Configure w1..wn in the order given, as "http://wN". */
TAP_FUNC void configure(lbs_registry_t *reg, const char *names, apr_time_t now,
                        apr_uint32_t *slots)
{
    lbs_clock_t clock = at(now);
    apr_uint32_t pool;

    lbs_registry_begin(reg);
    pool = pool_of(reg, "www", "app");
    for (; *names != '\0'; names++) {
        char route[2] = {*names, '\0'};
        char url[16];

        snprintf(url, sizeof(url), "http://w%c", *names);
        slots[(unsigned char)*names] = member_of(reg, pool, route, url);
    }
    lbs_registry_commit(reg, &clock);
}

#endif
