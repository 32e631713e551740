/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_record_int.h - one pool's or member's part of a state file.
 *
 * Two steps each way: shared memory <-> plain record <-> bytes. The second
 * step is one function for both directions, so that reading and writing agree.
 */
#ifndef LBS_RECORD_INT_H
#define LBS_RECORD_INT_H

#include "src/state/lbs_block_int.h"
#include "src/state/lbs_bytes_int.h"

/* The record of a pool. */
typedef struct lbs_saved_pool_t {
    apr_uint64_t id;
    apr_uint64_t decisions[LBS_DECISIONS][LBS_REASONS];
    apr_uint64_t requests;
    apr_uint64_t retries;
    apr_uint64_t retries_denied;
    struct {
        apr_uint64_t id;
        apr_uint64_t used;
        apr_uint64_t last; /* Unix seconds */
    } readers[LBS_POOL_READERS];
} lbs_saved_pool_t;

/* A member's state beside its operator's overrides. */
#define LBS_SAVED_DRAINED 1u /* its drain was over */
#define LBS_SAVED_DOWN 2u    /* its check failed */
#define LBS_SAVED_TOLD 4u    /* the event "drained" was written */

/* The record of a member. */
typedef struct lbs_saved_member_t {
    apr_uint64_t id;
    apr_uint32_t slot; /* its number in the words of this file */
    apr_uint64_t quantum_us;
    apr_uint32_t overrides;
    apr_uint32_t file[LBS_SEAT_FIELDS];  /* the values in the configuration */
    apr_uint32_t value[LBS_SEAT_FIELDS]; /* the values in force */
    apr_uint32_t closed;                 /* LBS_SAVED_* */
    apr_uint64_t drain_since;            /* Unix microseconds */
    apr_uint64_t drain_left;             /* until the deadline, plus 1 */
    apr_uint64_t drain_idle;
    lbs_member_saved_t counted;
} lbs_saved_member_t;

/* How many of each a record has. Their kinds are numbered in enums that only
 * grow at the end, so a file of another version is read as far as both know
 * them. */
typedef struct lbs_record_dims_t {
    apr_uint32_t decisions;
    apr_uint32_t reasons;
    apr_uint32_t fields;
    apr_uint32_t counts;
    apr_uint32_t bounds;  /* of the histogram; others than ours are not read */
    apr_uint32_t readers; /* of LBStickyForeign; the first files had none */
} lbs_record_dims_t;

#define LBS_RECORD_DIMS 6       /* numbers in there */
#define LBS_RECORD_DIMS_LEAST 5 /* that a file has */
#define LBS_RECORD_DIM_MOST 64u /* what a file may claim */

extern const lbs_record_dims_t lbs_record_dims;    /* of what is written */
extern const lbs_record_dims_t lbs_record_dims_v1; /* of version 1 */

/* Either of writer and reader is NULL. */
typedef struct lbs_codec_t {
    lbs_writer_t *writer;
    lbs_reader_t *reader;
    const lbs_record_dims_t *dims; /* lbs_record_dims for a writer */
} lbs_codec_t;

/** Write the record, or read into it; a short reader says so itself. */
void lbs_record_code_pool(const lbs_codec_t *codec, lbs_saved_pool_t *record);

/** Write the record, or read into it; a short reader says so itself. */
void lbs_record_code_member(const lbs_codec_t *codec,
                            lbs_saved_member_t *record);

/** @return 1 when a pool can look like this */
int lbs_record_pool_is_sound(const lbs_saved_pool_t *record);

/** @return 1 when a member can look like this */
int lbs_record_member_is_sound(const lbs_saved_member_t *record);

/** Copy a taken slot's state while others change it: each number is right. */
void lbs_record_take_pool(lbs_saved_pool_t *record, const lbs_registry_t *reg,
                          apr_uint32_t slot);

/** Copy a taken slot's state while others change it: each number is right. */
void lbs_record_take_member(lbs_saved_member_t *record,
                            const lbs_registry_t *reg, apr_uint32_t slot,
                            const lbs_clock_t *now);

/** Give a slot the state in a record; nobody else uses it yet. */
void lbs_record_give_pool(const lbs_saved_pool_t *record,
                          const lbs_registry_t *reg, apr_uint32_t slot);

/**
 * Give a slot the state in a record; nobody else uses it yet.
 *
 * @param elapsed  microseconds since the record was taken
 * @param eject    of its pool; NULL: ejection is off
 */
void lbs_record_give_member(const lbs_saved_member_t *record,
                            const lbs_registry_t *reg, apr_uint32_t slot,
                            const lbs_clock_t *now,
                            apr_interval_time_t elapsed,
                            const lbs_eject_conf_t *eject);

#endif
