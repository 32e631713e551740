/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_record_int.h"

#include <string.h>

#include "src/state/lbs_admin.h"

/* A file says how many of these it has. They may grow, at their ends. */
const lbs_record_dims_t lbs_record_dims = {
    LBS_DECISIONS, LBS_REASONS,        LBS_SEAT_FIELDS,
    LBS_COUNTS,    LBS_LATENCY_BOUNDS, LBS_POOL_READERS};
const lbs_record_dims_t lbs_record_dims_v1 = {6, 12, 2, 13, 14, 0};

_Static_assert(LBS_DECISIONS >= 6 && LBS_REASONS >= 12 && LBS_SEAT_FIELDS >= 2
                   && LBS_COUNTS >= 13 && LBS_DECISIONS <= LBS_RECORD_DIM_MOST
                   && LBS_REASONS <= LBS_RECORD_DIM_MOST
                   && LBS_SEAT_FIELDS <= LBS_RECORD_DIM_MOST
                   && LBS_COUNTS <= LBS_RECORD_DIM_MOST
                   && LBS_LATENCY_BOUNDS <= LBS_RECORD_DIM_MOST
                   && LBS_POOL_READERS <= LBS_RECORD_DIM_MOST,
               "what a state file can say");

/* Records and bytes ------------------------------------------------------ */

static void code32(const lbs_codec_t *codec, apr_uint32_t *value)
{
    if (codec->writer != NULL) {
        lbs_writer_add32(codec->writer, *value);
    }
    else {
        *value = lbs_reader_get32(codec->reader);
    }
}

static void code64(const lbs_codec_t *codec, apr_uint64_t *value)
{
    if (codec->writer != NULL) {
        lbs_writer_add64(codec->writer, *value);
    }
    else {
        *value = lbs_reader_get64(codec->reader);
    }
}

/* The i-th of numbers of which there are `ours` here, in a record that may
 * have more of them. */
static void code_one(const lbs_codec_t *codec, apr_uint64_t *values,
                     apr_uint32_t i, apr_uint32_t ours)
{
    apr_uint64_t unknown = 0;

    code64(codec, i < ours ? &values[i] : &unknown);
}

static void code_readers(const lbs_codec_t *codec, lbs_saved_pool_t *record)
{
    apr_uint64_t unknown = 0;
    apr_uint32_t i;

    for (i = 0; i < codec->dims->readers; i++) {
        int known = i < LBS_POOL_READERS;

        code64(codec, known ? &record->readers[i].id : &unknown);
        code64(codec, known ? &record->readers[i].used : &unknown);
        code64(codec, known ? &record->readers[i].last : &unknown);
    }
}

void lbs_record_code_pool(const lbs_codec_t *codec, lbs_saved_pool_t *record)
{
    apr_uint64_t unknown[LBS_REASONS] = {0};
    apr_uint32_t d, r;

    if (codec->reader != NULL) {
        memset(record, 0, sizeof(*record)); /* a file may have less */
    }
    code64(codec, &record->id);
    for (d = 0; d < codec->dims->decisions; d++) {
        for (r = 0; r < codec->dims->reasons; r++) {
            code_one(codec, d < LBS_DECISIONS ? record->decisions[d] : unknown,
                     r, LBS_REASONS);
        }
    }
    code64(codec, &record->requests);
    code64(codec, &record->retries);
    code64(codec, &record->retries_denied);
    code_readers(codec, record);
}

static void code_latency(const lbs_codec_t *codec,
                         lbs_latency_total_t *latency)
{
    int ours = codec->dims->bounds == LBS_LATENCY_BOUNDS;
    apr_uint64_t sum = latency->sum_us;
    apr_uint32_t i;

    for (i = 0; i <= codec->dims->bounds; i++) {
        code_one(codec, latency->le, i, ours ? LBS_LATENCY_BOUNDS + 1 : 0);
    }
    code64(codec, &sum);
    latency->sum_us = ours ? sum : 0;
}

static void code_counted(const lbs_codec_t *codec, lbs_member_saved_t *counted)
{
    apr_uint32_t i;

    for (i = 0; i < codec->dims->counts; i++) {
        code_one(codec, counted->counts, i, LBS_COUNTS);
    }
    code_latency(codec, &counted->latency);
    code64(codec, &counted->eject.left_us);
    code64(codec, &counted->eject.count);
    code32(codec, &counted->eject.level);
    code32(codec, &counted->eject.out);
}

void lbs_record_code_member(const lbs_codec_t *codec,
                            lbs_saved_member_t *record)
{
    apr_uint32_t unknown = 0;
    apr_uint32_t field;

    if (codec->reader != NULL) {
        memset(record, 0, sizeof(*record));
    }
    code64(codec, &record->id);
    code32(codec, &record->slot);
    code64(codec, &record->quantum_us);
    code32(codec, &record->overrides);
    for (field = 0; field < codec->dims->fields; field++) {
        int known = field < LBS_SEAT_FIELDS;

        code32(codec, known ? &record->file[field] : &unknown);
        code32(codec, known ? &record->value[field] : &unknown);
    }
    code32(codec, &record->closed);
    code64(codec, &record->drain_since);
    code64(codec, &record->drain_left);
    code64(codec, &record->drain_idle);
    code_counted(codec, &record->counted);
}

/* What can be ------------------------------------------------------------ */

int lbs_record_pool_is_sound(const lbs_saved_pool_t *record)
{
    return record->id != 0;
}

static int values_are_sound(const apr_uint32_t *values)
{
    return (values[LBS_ADMIN_STATE] & ~LBS_ADMIN_FLAGS) == 0
           && values[LBS_ADMIN_WEIGHT] <= LBS_ADMIN_WEIGHT_MAX;
}

static int counts_are_sound(const lbs_member_saved_t *counted)
{
    int i;

    for (i = 0; i < LBS_LATENCY_BOUNDS; i++) {
        if (counted->latency.le[i] > counted->latency.le[i + 1]) {
            return 0;
        }
    }
    return counted->eject.out <= 1
           && counted->eject.left_us < APR_INT64_MAX / 2;
}

int lbs_record_member_is_sound(const lbs_saved_member_t *record)
{
    return record->id != 0 && record->slot < LBS_REGISTRY_MEMBERS
           && record->overrides < 1u << LBS_SEAT_FIELDS
           && values_are_sound(record->file) && values_are_sound(record->value)
           && record->closed
                  <= (LBS_SAVED_DRAINED | LBS_SAVED_DOWN | LBS_SAVED_TOLD)
           && record->drain_since < APR_INT64_MAX / 2
           && record->drain_left < APR_INT64_MAX / 2
           && record->drain_idle < APR_INT64_MAX / 2
           && counts_are_sound(&record->counted);
}

/* Records and shared memory ---------------------------------------------- */

void lbs_record_take_pool(lbs_saved_pool_t *record, const lbs_registry_t *reg,
                          apr_uint32_t slot)
{
    const lbs_pool_record_t *pool = &reg->pools[slot];
    int d, r;

    record->id = lbs_atomic_load64_relaxed(&reg->pool_ids[slot]);
    for (d = 0; d < LBS_DECISIONS; d++) {
        for (r = 0; r < LBS_REASONS; r++) {
            record->decisions[d][r] =
                lbs_atomic_load64_relaxed(&pool->decisions[d][r]);
        }
    }
    record->requests = lbs_atomic_load64_relaxed(&pool->requests);
    record->retries = lbs_atomic_load64_relaxed(&pool->retries);
    record->retries_denied = lbs_atomic_load64_relaxed(&pool->retries_denied);
    for (r = 0; r < LBS_POOL_READERS; r++) {
        const lbs_reader_use_t *use = &pool->readers[r];

        record->readers[r].id = lbs_atomic_load64_relaxed(&use->id);
        record->readers[r].used = lbs_atomic_load64_relaxed(&use->used);
        record->readers[r].last = lbs_atomic_load64_relaxed(&use->last);
    }
}

void lbs_record_give_pool(const lbs_saved_pool_t *record,
                          const lbs_registry_t *reg, apr_uint32_t slot)
{
    lbs_pool_record_t *pool = &reg->pools[slot];
    int d, r;

    for (d = 0; d < LBS_DECISIONS; d++) {
        for (r = 0; r < LBS_REASONS; r++) {
            lbs_atomic_store64_relaxed(&pool->decisions[d][r],
                                       record->decisions[d][r]);
        }
    }
    lbs_atomic_store64_relaxed(&pool->requests, record->requests);
    lbs_atomic_store64_relaxed(&pool->retries, record->retries);
    lbs_atomic_store64_relaxed(&pool->retries_denied, record->retries_denied);
    for (r = 0; r < LBS_POOL_READERS; r++) {
        lbs_reader_use_t *use = &pool->readers[r];

        lbs_atomic_store64_relaxed(&use->id, record->readers[r].id);
        lbs_atomic_store64_relaxed(&use->used, record->readers[r].used);
        lbs_atomic_store64_relaxed(&use->last, record->readers[r].last);
    }
}

/* A deadline on the monotonic clock means nothing after a restart: the time
 * that is left of it is kept. Plus 1, because a deadline that is over is still
 * one. */
static apr_uint64_t left_of(apr_uint64_t deadline, apr_time_t now)
{
    if (deadline == 0) {
        return 0;
    }
    return deadline > (apr_uint64_t)now ? deadline - (apr_uint64_t)now + 1 : 1;
}

static apr_uint64_t deadline_of(apr_uint64_t left, apr_time_t now,
                                apr_interval_time_t elapsed)
{
    apr_uint64_t gone = (apr_uint64_t)elapsed;

    if (left == 0) {
        return 0;
    }
    return (apr_uint64_t)now + (left > gone + 1 ? left - 1 - gone : 0);
}

void lbs_record_take_member(lbs_saved_member_t *record,
                            const lbs_registry_t *reg, apr_uint32_t slot,
                            const lbs_clock_t *now)
{
    const lbs_member_seat_t *seat = &reg->seats[slot];
    const lbs_gauge_t *gauge = &reg->gauges[slot];
    apr_uint32_t flags = lbs_atomic_load32_relaxed(&gauge->flags);
    int field;

    memset(record, 0, sizeof(*record));
    record->id = lbs_atomic_load64_relaxed(&reg->member_ids[slot]);
    record->slot = slot;
    record->quantum_us = (apr_uint64_t)lbs_table_unit(reg->slots, slot);
    record->overrides = lbs_atomic_load32_relaxed(&seat->overrides);
    for (field = 0; field < LBS_SEAT_FIELDS; field++) {
        record->file[field] = lbs_atomic_load32_relaxed(&seat->file[field]);
    }
    record->value[LBS_ADMIN_STATE] = flags & LBS_ADMIN_FLAGS;
    record->value[LBS_ADMIN_WEIGHT] =
        lbs_atomic_load32_relaxed(&gauge->weight);
    record->closed =
        ((flags & LBS_F_DRAINED) != 0 ? LBS_SAVED_DRAINED : 0)
        | ((flags & LBS_F_DOWN) != 0 ? LBS_SAVED_DOWN : 0)
        | (lbs_atomic_load32_relaxed(&seat->drain_told) != 0 ? LBS_SAVED_TOLD
                                                             : 0);
    record->drain_since = lbs_atomic_load64_relaxed(&seat->drain_since);
    record->drain_left =
        left_of(lbs_atomic_load64_relaxed(&seat->drain_deadline), now->mono);
    record->drain_idle = lbs_atomic_load64_relaxed(&seat->drain_idle);
    lbs_member_record_save(&reg->members[slot], (apr_uint64_t)now->mono,
                           &record->counted);
}

static void give_values(const lbs_saved_member_t *record,
                        lbs_member_seat_t *seat, lbs_gauge_t *gauge)
{
    apr_uint32_t flags = record->value[LBS_ADMIN_STATE];
    int field;

    flags |= (record->closed & LBS_SAVED_DRAINED) != 0 ? LBS_F_DRAINED : 0;
    flags |= (record->closed & LBS_SAVED_DOWN) != 0 ? LBS_F_DOWN : 0;
    lbs_atomic_store32_relaxed(&seat->overrides, record->overrides);
    for (field = 0; field < LBS_SEAT_FIELDS; field++) {
        lbs_atomic_store32_relaxed(&seat->file[field], record->file[field]);
    }
    (void)lbs_gauge_clear(gauge, LBS_ADMIN_FLAGS | LBS_F_DRAINED | LBS_F_DOWN);
    (void)lbs_gauge_set(gauge, flags);
    lbs_atomic_store32_relaxed(&gauge->weight,
                               record->value[LBS_ADMIN_WEIGHT]);
}

static void give_drain(const lbs_saved_member_t *record,
                       lbs_member_seat_t *seat, apr_time_t now,
                       apr_interval_time_t elapsed)
{
    lbs_atomic_store64_relaxed(&seat->drain_since, record->drain_since);
    lbs_atomic_store64_relaxed(&seat->drain_deadline,
                               deadline_of(record->drain_left, now, elapsed));
    lbs_atomic_store64_relaxed(&seat->drain_idle, record->drain_idle);
    lbs_atomic_store32_relaxed(&seat->drain_told,
                               (record->closed & LBS_SAVED_TOLD) != 0);
}

void lbs_record_give_member(const lbs_saved_member_t *record,
                            const lbs_registry_t *reg, apr_uint32_t slot,
                            const lbs_clock_t *now,
                            apr_interval_time_t elapsed,
                            const lbs_eject_conf_t *eject)
{
    lbs_member_seat_t *seat = &reg->seats[slot];
    lbs_member_record_t *member = &reg->members[slot];
    lbs_member_saved_t counted = record->counted;
    apr_uint32_t pool = lbs_atomic_load32_relaxed(&seat->pool_slot);
    lbs_eject_on_t on = {&member->eject, &reg->gauges[slot],
                         &reg->pools[pool].eject, eject};

    give_values(record, seat, &reg->gauges[slot]);
    give_drain(record, seat, now->mono, elapsed);
    counted.eject.left_us -= counted.eject.left_us < (apr_uint64_t)elapsed
                                 ? counted.eject.left_us
                                 : (apr_uint64_t)elapsed;
    lbs_member_record_load(member, &on, &counted, (apr_uint64_t)now->mono);
}
