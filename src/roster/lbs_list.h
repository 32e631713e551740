/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_list.h - a text that lists members, one a line:
 *
 *     # comment
 *     http://10.0.0.11:8000
 *     http://[fd00::11]:8000  loadfactor=2 lbset=1 route=web2
 *
 * The list is taken whole or not at all: half of a file that is just being
 * written would look like one in which members are missing.
 *
 * Pure: bytes in memory.
 */
#ifndef LBS_LIST_H
#define LBS_LIST_H

#include <apr.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "src/base/lbs_net.h"

#define LBS_LIST_BYTES 262144 /* at most */
#define LBS_LIST_MEMBERS 4096
#define LBS_LIST_URL_LEN 639
#define LBS_LIST_LBSET_MAX 99 /* as mod_proxy has it */

typedef struct lbs_list_member_t {
    const char *url;     /* as mod_proxy names a worker */
    const char *route;   /* "": none */
    apr_uint32_t weight; /* 1/100 */
    apr_uint32_t lbset;
    lbs_net_t net;
    int by_name; /* the URL's host is a name: these are its addresses, the
                    least first; net is that or, if it has none, all zero */
    const lbs_net_t *nets;
    int nets_count;
} lbs_list_member_t;

/* The parts of a URL that the pool's first BalancerMember settles. */
typedef struct lbs_list_model_t {
    const char *scheme; /* lower case */
    const char *path;   /* behind host and port, "" or "/..." */
} lbs_list_model_t;

typedef struct lbs_list_wrong_t {
    apr_uint32_t line;  /* from 1 */
    const char *wanted; /* there */
} lbs_list_wrong_t;

/**
 * Read the URL of a member.
 *
 * @param m  out, on success: url and net
 * @return NULL; or what was wanted
 */
const char *lbs_list_read_url(const char *text, const lbs_list_model_t *model,
                              apr_pool_t *pool, lbs_list_member_t *m);

/**
 * The URL of a member as mod_proxy names a worker: without the scheme's usual
 * port.
 *
 * @param host  in brackets if it is an address of version 6
 * @param port  0: the usual one
 */
const char *lbs_list_url(apr_pool_t *pool, const lbs_list_model_t *model,
                         const char *host, apr_uint32_t port);

/** @return a URL with an address for its host */
const char *lbs_list_place(apr_pool_t *pool, const char *url,
                           const lbs_net_t *net);

/** An address as the host of a URL: one of version 6 in brackets. */
const char *lbs_list_host(apr_pool_t *pool, const lbs_net_t *net);

/**
 * Read a list. Of members that are named twice the first counts.
 *
 * Cost: quadratic in the members.
 *
 * @param text   n bytes
 * @param model  whose scheme and path each member must have
 * @param list   out, on success: of lbs_list_member_t, from pool
 * @param wrong  out, else
 * @return 1; 0: a line is wrong
 */
int lbs_list_read(const char *text, apr_size_t n,
                  const lbs_list_model_t *model, apr_pool_t *pool,
                  apr_array_header_t **list, lbs_list_wrong_t *wrong);

#endif
