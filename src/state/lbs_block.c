/* SPDX-License-Identifier: Apache-2.0 */
/* The block that a registry lies in: where its parts are, making and checking
 * it. */
#include "src/state/lbs_block_int.h"

#include <stddef.h>
#include <string.h>

#define VERSION 1
#define PAGE 4096

static const unsigned char magic[8] = {'L', 'B', 'S', 'R', 'E', 'G', 'I', 0};

/* Not a secret: the checks find damage and other builds, not forgers. */
static const lbs_hash_key_t check_key = {"lbs block check"};

typedef enum part_t {
    PART_HEAD,
    PART_POOL_IDS,
    PART_MEMBER_IDS,
    PART_POOL_SEATS,
    PART_POOLS,
    PART_GAUGES,
    PART_SLOTS,
    PART_MEMBERS,
    PART_SEATS,
    PART_EVENTS,
    PART_POOL_RINGS,
    PART_RINGS,
    PART_ROWS,
    PARTS
} part_t;

typedef struct layout_t {
    apr_uint64_t len[PARTS]; /* bytes, before rounding up to pages */
    apr_uint64_t at[PARTS];
    apr_uint64_t bytes;
} layout_t;

_Static_assert(sizeof(lbs_registry_head_t) <= PAGE, "the head is one page");
_Static_assert(sizeof(lbs_pool_record_t) % 64 == 0,
               "pools do not share lines");

static void lay_out(layout_t *layout, apr_uint32_t rows)
{
    apr_uint64_t at = 0;
    int i;

    layout->len[PART_HEAD] = sizeof(lbs_registry_head_t);
    layout->len[PART_POOL_IDS] = LBS_REGISTRY_POOLS * sizeof(lbs_atomic64_t);
    layout->len[PART_MEMBER_IDS] =
        LBS_REGISTRY_MEMBERS * sizeof(lbs_atomic64_t);
    layout->len[PART_POOL_SEATS] =
        LBS_REGISTRY_POOLS * sizeof(lbs_pool_seat_t);
    layout->len[PART_POOLS] = LBS_REGISTRY_POOLS * sizeof(lbs_pool_record_t);
    layout->len[PART_GAUGES] = LBS_REGISTRY_MEMBERS * sizeof(lbs_gauge_t);
    layout->len[PART_SEATS] = LBS_REGISTRY_MEMBERS * sizeof(lbs_member_seat_t);
    layout->len[PART_SLOTS] = sizeof(lbs_table_slots_t);
    layout->len[PART_MEMBERS] =
        LBS_REGISTRY_MEMBERS * sizeof(lbs_member_record_t);
    layout->len[PART_EVENTS] = lbs_events_bytes();
    layout->len[PART_POOL_RINGS] = LBS_REGISTRY_POOLS * sizeof(lbs_ring_t);
    layout->len[PART_RINGS] = LBS_REGISTRY_MEMBERS * sizeof(lbs_ring_t);
    layout->len[PART_ROWS] = lbs_rows_bytes(rows, LBS_REGISTRY_MEMBERS);
    for (i = 0; i < PARTS; i++) {
        layout->at[i] = at;
        at += (layout->len[i] + PAGE - 1) / PAGE * PAGE;
    }
    layout->bytes = at;
}

static apr_uint64_t shape_of(const layout_t *layout)
{
    return lbs_hash_bytes(&check_key, layout, sizeof(*layout));
}

apr_uint64_t lbs_registry_layout(void)
{
    layout_t layout;

    lay_out(&layout, LBS_ROWS_MAX);
    return shape_of(&layout) ^ VERSION;
}

static apr_uint64_t check_of(const lbs_registry_head_t *head)
{
    return lbs_hash_bytes(&check_key, head,
                          offsetof(lbs_registry_head_t, check));
}

apr_status_t lbs_block_bytes(apr_uint32_t rows, apr_size_t *bytes)
{
    layout_t layout;

    lay_out(&layout, rows);
    if (layout.len[PART_ROWS] == 0 || layout.bytes > APR_SIZE_MAX / 2) {
        return APR_EINVAL;
    }
    *bytes = (apr_size_t)layout.bytes;
    return APR_SUCCESS;
}

static int fits(const void *block, apr_size_t bytes, apr_uint32_t rows)
{
    apr_size_t want;

    return lbs_block_bytes(rows, &want) == APR_SUCCESS && bytes >= want
           && (apr_uintptr_t)block % PAGE == 0;
}

apr_status_t lbs_block_format(void *block, apr_size_t bytes, apr_uint32_t rows,
                              const lbs_registry_seed_t *seed)
{
    lbs_registry_head_t *head = block;
    layout_t layout;

    if (!fits(block, bytes, rows)) {
        return APR_EINVAL;
    }
    lay_out(&layout, rows);
    memcpy(head->magic, magic, sizeof(magic));
    head->version = VERSION;
    head->rows = rows;
    head->bytes = layout.bytes;
    head->shape = shape_of(&layout);
    head->started = seed->started;
    head->table_key = seed->table_key;
    memcpy(head->secret, seed->secret, sizeof(head->secret));
    head->check = check_of(head);
    return APR_SUCCESS;
}

apr_status_t lbs_block_view(lbs_registry_t *view, void *block,
                            apr_size_t bytes, apr_uint32_t rows)
{
    lbs_registry_head_t *head = block;
    unsigned char *base = block;
    layout_t layout;

    if (!fits(block, bytes, rows)) {
        return APR_EINVAL;
    }
    lay_out(&layout, rows);
    if (memcmp(head->magic, magic, sizeof(magic)) != 0
        || head->version != VERSION || head->rows != rows
        || head->bytes != layout.bytes || head->shape != shape_of(&layout)
        || head->check != check_of(head)) {
        return APR_EINVAL;
    }
    view->head = head;
    view->pool_ids = (void *)(base + layout.at[PART_POOL_IDS]);
    view->member_ids = (void *)(base + layout.at[PART_MEMBER_IDS]);
    view->pool_seats = (void *)(base + layout.at[PART_POOL_SEATS]);
    view->pools = (void *)(base + layout.at[PART_POOLS]);
    view->gauges = (void *)(base + layout.at[PART_GAUGES]);
    view->seats = (void *)(base + layout.at[PART_SEATS]);
    view->members = (void *)(base + layout.at[PART_MEMBERS]);
    view->slots = (void *)(base + layout.at[PART_SLOTS]);
    view->events = (void *)(base + layout.at[PART_EVENTS]);
    view->pool_rings = (void *)(base + layout.at[PART_POOL_RINGS]);
    view->rings = (void *)(base + layout.at[PART_RINGS]);
    lbs_rows_open(&view->rows, base + layout.at[PART_ROWS], rows,
                  LBS_REGISTRY_MEMBERS);
    return APR_SUCCESS;
}

void lbs_block_set_keys(lbs_registry_head_t *head,
                        const lbs_hash_key_t *table_key,
                        const unsigned char *secret)
{
    head->table_key = *table_key;
    memcpy(head->secret, secret, sizeof(head->secret));
    head->check = check_of(head);
}
