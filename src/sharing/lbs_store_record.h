/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_store_record.h - a session as it is kept in a store that servers share.
 *
 * A store (any socache provider) holds names and values. The name is a keyed
 * hash: a reader of the store learns neither addresses nor session ids. The
 * value names a member by identity, never by number, and carries a MAC over
 * itself and its name: a writer without the secret can drop sessions, but can
 * neither make one, nor give one visitor's record to another. Every server
 * with the same secret reads and writes the same bytes.
 *
 * Pure: encodes and decodes, does no I/O.
 */
#ifndef LBS_STORE_RECORD_H
#define LBS_STORE_RECORD_H

#include <apr.h>
#include <apr_errno.h>

#include "src/base/lbs_hash.h"

#define LBS_STORE_RECORD_NAME_LEN 32  /* characters, without the NUL */
#define LBS_STORE_RECORD_VALUE_LEN 48 /* bytes */

/* Keys derived from one secret; plain data, copy it freely. */
typedef struct lbs_store_record_secret_t {
    lbs_hash_key_t name[2];
    lbs_hash_key_t mac[2];
} lbs_store_record_secret_t;

typedef struct lbs_store_record_t {
    apr_uint64_t member_id; /* identity, see lbs_registry.h; never 0 */
    apr_uint64_t created;   /* Unix seconds: when the session began */
    apr_uint64_t expires;   /* Unix seconds: from here on it is gone */
} lbs_store_record_t;

/**
 * Derive the keys for names and values.
 *
 * @param out     the caller's
 * @param master  the secret that the servers share, already hashed to a key
 */
void lbs_store_record_secret(lbs_store_record_secret_t *out,
                             const lbs_hash_key_t *master);

/**
 * The name under which a session is stored.
 *
 * @param pool_id  identity of the pool: one key in two pools has two names
 * @param source   the source as configured, for example "session=sid": the
 *                 same text from two sources has two names
 * @param key      the key's bytes, any length
 * @param name     out: LBS_STORE_RECORD_NAME_LEN hex digits and a NUL
 */
void lbs_store_record_name(const lbs_store_record_secret_t *secret,
                           apr_uint64_t pool_id, const char *source,
                           const void *key, apr_size_t len,
                           char name[LBS_STORE_RECORD_NAME_LEN + 1]);

/**
 * Make of a session's name that of the record beside its own, which says where
 * it is while it is away from home. The same again makes the first name.
 *
 * @param name  as lbs_store_record_name() made it
 */
void lbs_store_record_beside(char name[LBS_STORE_RECORD_NAME_LEN + 1]);

/**
 * Write the value of a session.
 *
 * @param name   as lbs_store_record_name() made it: the value fits this name
 * only
 * @param value  out: LBS_STORE_RECORD_VALUE_LEN bytes
 */
void lbs_store_record_encode(const lbs_store_record_secret_t *secret,
                             const char *name,
                             const lbs_store_record_t *record,
                             unsigned char value[LBS_STORE_RECORD_VALUE_LEN]);

/**
 * Read the value of a session.
 *
 * @param value   what the store gave, any len bytes
 * @param now     Unix seconds
 * @param record  out: written only on APR_SUCCESS
 * @return APR_SUCCESS; APR_TIMEUP: over, a session that expired; APR_EINVAL:
 *         no value of this version; APR_EGENERAL: not made with this secret,
 *         or for another name: try an older secret, else treat it as never
 *         seen
 */
apr_status_t lbs_store_record_decode(const lbs_store_record_secret_t *secret,
                                     const char *name, const void *value,
                                     apr_size_t len, apr_uint64_t now,
                                     lbs_store_record_t *record);

#endif
