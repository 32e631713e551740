/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_foreign.h - the cookies of the balancer that stood here before.
 *
 * Another balancer's cookie names the server that has the visitor's session.
 * A reader knows how one product writes its cookie: of a member it says every
 * value by which that product may have named it, and of a cookie the parts
 * that may be such a value. The values of all members are written down once,
 * while the configuration is read; a request costs one look-up per part.
 *
 * None of these cookies is signed: what they say is a client's word.
 */
#ifndef LBS_FOREIGN_H
#define LBS_FOREIGN_H

#include <apr_network_io.h>
#include <apr_pools.h>

#include "src/base/lbs_slice.h"

#define LBS_FOREIGN_MAX 8        /* readers of one pool */
#define LBS_FOREIGN_NAME_MAX 255 /* bytes of a cookie's name */

typedef struct lbs_foreign_address_t {
    int is_v6;
    unsigned char bytes[16]; /* network order; of IPv4 the first four */
} lbs_foreign_address_t;

/* A member as the former balancer saw it. No text is NULL but socket. */
typedef struct lbs_foreign_member_t {
    const char *route; /* "" when it has none */
    const char *url;   /* as configured: http://10.0.0.11:8000 */
    const char *scheme;
    const char *host; /* IPv6 without brackets */
    apr_port_t port;
    const char *socket; /* path of a unix: member; NULL: TCP */
    const lbs_foreign_address_t *address; /* what host stands for */
    apr_size_t addresses;
} lbs_foreign_member_t;

/* Gets the values that name one member. */
typedef struct lbs_foreign_sink_t {
    apr_pool_t *pool; /* for the values; lives as long as what takes them */
    void (*take)(void *baton, const char *value); /* not copied */
    void *baton;
} lbs_foreign_sink_t;

/* What a reader has to know of a member. */
#define LBS_FOREIGN_ROUTE 1u   /* its route= */
#define LBS_FOREIGN_ADDRESS 2u /* its addresses: the host is resolved */
#define LBS_FOREIGN_PATH                                                      \
    4u /* the value may stand in the URL, too, as                             \
          ;NAME=value or ;name=value */

/* One per product. */
typedef struct lbs_foreign_reader_t {
    const char *word;  /* in LBStickyForeign */
    apr_uint32_t uses; /* LBS_FOREIGN_* */

    /** Hand over the values by which the product names this member; none if
     * the product cannot name such a member. */
    void (*say)(const lbs_foreign_member_t *member,
                const lbs_foreign_sink_t *sink);

    /**
     * The next part of a cookie's value that may name a member.
     *
     * @param part  in: n is 0, or what the call before gave; out: the next
     * @return 1; 0: there are no more
     */
    int (*next)(lbs_slice_t value, lbs_slice_t *part);
} lbs_foreign_reader_t;

/* One word of LBStickyForeign. */
typedef struct lbs_foreign_t {
    const lbs_foreign_reader_t *reader;
    const char *name;       /* of the cookie */
    const char *lower_name; /* in lower case, for LBS_FOREIGN_PATH */
    const char *spelling;   /* for people and JSON: `haproxy:SRV` */
} lbs_foreign_t;

/**
 * Read one word, READER:NAME, and put it at the end of a list. The caller has
 * dealt with `off`.
 *
 * @param pool   owns the strings
 * @param arg    not kept
 * @param list   room for LBS_FOREIGN_MAX words
 * @param count  in and out: words in list
 * @return NULL, or a phrase that says what was wanted; list unchanged
 */
const char *lbs_foreign_add(apr_pool_t *pool, const char *arg,
                            lbs_foreign_t *list, int *count);

/* The values of all members of a pool, as one reader writes them. */
typedef struct lbs_foreign_index_t lbs_foreign_index_t;

/** Make an empty index. @param pool  owns it */
lbs_foreign_index_t *lbs_foreign_index_make(apr_pool_t *pool);

/**
 * Write down what names a member. Of two members with one value, the first
 * keeps it.
 *
 * @param number  of the member; lbs_foreign_find() gives it back
 * @return values that name it and were free
 */
int lbs_foreign_index_add(lbs_foreign_index_t *index,
                          const lbs_foreign_reader_t *reader,
                          const lbs_foreign_member_t *member, int number);

/**
 * Which member does a cookie name? Cost: linear in the value.
 *
 * @return its number; -1: none
 */
int lbs_foreign_find(const lbs_foreign_index_t *index,
                     const lbs_foreign_reader_t *reader, lbs_slice_t value);

#endif
