/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_outline.h - a configuration, as far as known sessions depend on it.
 *
 * The state file holds the outline of the configuration that wrote it. So
 * `httpd -t`, which knows the next configuration only, can tell what a reload
 * would change: which pools and members there are, which sources name
 * sessions, which secrets verify. No secret is in it, only fingerprints.
 *
 * Written down it is a row of entries, each a letter and a text that ends with
 * NUL; letters that a reader does not know are passed over.
 */
#ifndef LBS_OUTLINE_H
#define LBS_OUTLINE_H

#include <apr.h>
#include <apr_pools.h>
#include <apr_tables.h>

/* An element of an array, which APR aligns for any type; APR_ARRAY_IDX casts a
 * char pointer, and clang warns of that. */
#define LBS_OUTLINE_AT(array, i, type) (((type *)(void *)(array)->elts)[i])

typedef struct lbs_outline_member_t {
    const char *route; /* "": it has none */
    const char *url;
    apr_uint64_t quantum_us; /* of its sessions, see lbs_table_quantum() */
    int removed;             /* no longer configured, sessions may name it */
    int found;               /* by LBStickyDiscover */
    apr_uint32_t lbset;      /* of a found one */
    const char *address;     /* of one whose URL has a name; "" */
    apr_uint32_t found_by;   /* the number of its source, below 256 */
    apr_uint32_t named_by;   /* a bit for each kind of source that names it */
    apr_uint64_t leave_us;   /* until its sessions end; 0: it does not leave */
    apr_uint64_t lease_us;   /* that it has each time; 0: none */
} lbs_outline_member_t;

typedef struct lbs_outline_pool_t {
    const char *vhost; /* ServerName:port */
    const char *name;
    int removed;
    const char *cookie;          /* name of the module's own; "": not known */
    apr_array_header_t *sources; /* const char *, as LBSticky has them */
    apr_array_header_t *members; /* lbs_outline_member_t */
    apr_array_header_t *barred;  /* apr_uint64_t: ids of members that an
                                    operator has removed */
} lbs_outline_pool_t;

typedef struct lbs_outline_t {
    apr_array_header_t *secrets; /* apr_uint64_t fingerprints, the one that
                                    signs first */
    apr_array_header_t *pools;   /* lbs_outline_pool_t */
} lbs_outline_t;

/** @return an empty one; all of it lives as long as pool */
lbs_outline_t *lbs_outline_create(apr_pool_t *pool);

/** Add a pool without sources and members. The texts are not copied.
 * @return it; valid until the next one is added */
lbs_outline_pool_t *lbs_outline_add_pool(lbs_outline_t *outline,
                                         const char *vhost, const char *name);

/** Add a source, unless the pool has it, or 64 others. The text is not
 * copied. */
void lbs_outline_add_source(lbs_outline_pool_t *pool, const char *spelling);

/** @return 1 when the pool has the source */
int lbs_outline_has_source(const lbs_outline_pool_t *pool,
                           const char *spelling);

/** @return 1 when the secret is one of those that verify */
int lbs_outline_verifies(const lbs_outline_t *outline, apr_uint64_t secret);

/** Write it down. @param len  out: bytes. @return from pool */
const unsigned char *lbs_outline_encode(const lbs_outline_t *outline,
                                        apr_size_t *len, apr_pool_t *pool);

/**
 * Read what was written down. Nothing in it is believed unchecked.
 *
 * @param bytes  len of them; must outlive the outline
 * @return NULL: this is none
 */
lbs_outline_t *lbs_outline_decode(const unsigned char *bytes, apr_size_t len,
                                  apr_pool_t *pool);

#endif
