/* SPDX-License-Identifier: Apache-2.0 */
/* saved.h - a registry with members, sessions and changes, to be saved. */
#ifndef LBS_STATE_SAVED_H
#define LBS_STATE_SAVED_H

#include "src/base/lbs_hash.h"
#include "src/state/lbs_admin.h"
#include "src/state/lbs_record_int.h"
#include "src/state/lbs_restore.h"
#include "src/state/lbs_snapshot.h"
#include "t/unit/state/fixture.h"

#define IDLE APR_INT64_C(3600000000) /* an hour */
#define WALL APR_INT64_C(1700000000000000)

/* Ejection is off in every pool. */
TAP_FUNC const lbs_eject_conf_t *no_ejection[LBS_REGISTRY_POOLS];

static apr_uint32_t slots[256]; /* by route, of the last configure_all() */

/* A moment on both clocks; the monotonic one began elsewhere. */
TAP_FUNC lbs_clock_t moment(apr_time_t mono, apr_time_t wall)
{
    lbs_clock_t clock = {mono, WALL + wall};

    return clock;
}

/* Name members, and let sessions be bound to them. */
TAP_FUNC void name_all(lbs_registry_t *reg, const char *names)
{
    apr_uint32_t pool;

    lbs_registry_begin(reg);
    pool = pool_of(reg, "www", "app");
    for (; *names != '\0'; names++) {
        char route[2] = {*names, '\0'};
        apr_uint32_t slot = member_of(reg, pool, route, "http://w");

        slots[(unsigned char)*names] = slot;
        lbs_registry_slots(reg)->quantum_us[slot] = lbs_table_quantum(IDLE, 0);
    }
}

TAP_FUNC void reconcile_all(lbs_registry_t *reg, const char *names,
                            apr_uint32_t weight, const lbs_clock_t *now)
{
    lbs_admin_values_t file = {0, weight};

    for (; *names != '\0'; names++) {
        lbs_admin_reconcile(reg, slots[(unsigned char)*names], &file, now);
    }
}

TAP_FUNC lbs_table_t *new_table(lbs_registry_t *reg, apr_uint32_t sessions)
{
    apr_size_t bytes = lbs_table_bytes(sessions);
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    lbs_table_t *table = NULL;

    if (block == MAP_FAILED
        || lbs_table_format(block, bytes, sessions) != APR_SUCCESS
        || lbs_table_open(&table, block, bytes, lbs_registry_slots(reg),
                          memory)
               != APR_SUCCESS) {
        bail_out("no table");
    }
    lbs_table_mark_changes(
        table, apr_pcalloc(memory, lbs_table_marks_bytes(sessions)));
    return table;
}

/* The key of session number n, by the registry's own hash. */
TAP_FUNC apr_uint64_t key_of(const lbs_registry_t *reg, apr_uint32_t n)
{
    return lbs_hash_bytes(lbs_registry_table_key(reg), &n, sizeof(n));
}

/* Bind sessions first to last - 1, in turn to the members named. */
TAP_FUNC void bind_all(lbs_registry_t *reg, lbs_table_t *table,
                       const char *names, apr_uint32_t first,
                       apr_uint32_t last, apr_time_t now)
{
    apr_uint32_t n;

    for (n = first; n < last; n++) {
        unsigned char name = (unsigned char)names[n % strlen(names)];

        if (lbs_table_bind(table, key_of(reg, n), slots[name], now, IDLE, NULL)
            != APR_SUCCESS) {
            bail_out("session %u is not bound", n);
        }
    }
}

/* @return how many of the sessions are with the member they were bound to */
TAP_FUNC int count_right(lbs_registry_t *reg, lbs_table_t *table,
                         const char *names, apr_uint32_t first,
                         apr_uint32_t last, apr_time_t now)
{
    lbs_table_hit_t hit;
    int right = 0;
    apr_uint32_t n;

    for (n = first; n < last; n++) {
        unsigned char name = (unsigned char)names[n % strlen(names)];

        right +=
            lbs_table_find(table, key_of(reg, n), now, &hit) == APR_SUCCESS
            && hit.slot == slots[name];
    }
    return right;
}

/* Save into memory of the pool. */
TAP_FUNC unsigned char *save(const lbs_snapshot_t *from,
                             const lbs_clock_t *now, apr_size_t *len)
{
    apr_size_t room = lbs_snapshot_room(from);
    unsigned char *bytes = apr_palloc(memory, room);

    if (lbs_snapshot_encode(from, now, bytes, room, len) != APR_SUCCESS) {
        bail_out("not saved");
    }
    return bytes;
}

TAP_FUNC lbs_restore_t *open_saved(const unsigned char *bytes, apr_size_t len,
                                   const lbs_clock_t *now)
{
    static const apr_uint64_t random_secret = 0;
    lbs_restore_t *restore = NULL;
    const char *why =
        lbs_restore_open(&restore, bytes, len, now, &random_secret, 1, memory);

    if (why != NULL) {
        bail_out("not opened: %s", why);
    }
    return restore;
}

/* The records of a section as another version has them. */
TAP_FUNC void code_section(lbs_reader_t *r, lbs_writer_t *w,
                           const lbs_record_dims_t *dims, int members)
{
    lbs_codec_t in = {NULL, r, &lbs_record_dims};
    lbs_codec_t out = {w, NULL, dims};
    unsigned char *head = lbs_writer_take(w, 16); /* tag, length, count */
    apr_size_t start = w->len - 4;
    apr_uint32_t count;

    memcpy(head, lbs_reader_take(r, 16), 16);
    for (count = lbs_bytes_get32(head + 12); count > 0; count--) {
        if (members) {
            lbs_saved_member_t member;

            lbs_record_code_member(&in, &member);
            lbs_record_code_member(&out, &member);
        }
        else {
            lbs_saved_pool_t pool;

            lbs_record_code_pool(&in, &pool);
            lbs_record_code_pool(&out, &pool);
        }
    }
    lbs_bytes_put64(head + 4, w->len - start);
}

/* The file as it was written before: in version 1 there was no "dims"; the
 * first ones of version 2 knew nothing of readers, nor of downtime. */
TAP_FUNC apr_size_t as_before(unsigned char *bytes, apr_size_t len,
                              int version)
{
    static unsigned char old[65536];
    apr_size_t dims = 12 + 4 * LBS_RECORD_DIMS;
    lbs_record_dims_t had = lbs_record_dims;
    lbs_reader_t r = {bytes + LBS_RESTORE_HEAD, len - LBS_RESTORE_HEAD, 0};
    lbs_writer_t w = {old, sizeof(old), 0};
    const unsigned char *head = lbs_reader_take(&r, dims);
    int i;

    had.readers = 0;
    had.counts = lbs_record_dims_v1.counts;
    if (version > 1) {
        memcpy(lbs_writer_take(&w, dims - 4), head, dims - 4);
        lbs_bytes_put64(old + 4, 4 * LBS_RECORD_DIMS_LEAST);
        lbs_bytes_put32(old + 12 + 3 * 4, had.counts);
    }
    for (i = 0; i < 2; i++) {
        code_section(&r, &w, version > 1 ? &had : &lbs_record_dims_v1, i);
    }
    len -= (apr_size_t)(r.at - bytes) - LBS_RESTORE_HEAD;
    memmove(bytes + LBS_RESTORE_HEAD + w.len, r.at, len - LBS_RESTORE_HEAD);
    memcpy(bytes + LBS_RESTORE_HEAD, old, w.len);
    len += w.len;
    bytes[8] = (unsigned char)version;
    lbs_bytes_put64(bytes + 16, len);
    lbs_snapshot_seal(bytes, len);
    return len;
}

#endif
