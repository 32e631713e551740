/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_cookie_conf.h - LBStickyCookie: settings of the module's cookie.
 *
 * Setters return NULL on success, else a phrase that says what was wanted;
 * the settings are then as they were.
 */
#ifndef LBS_COOKIE_CONF_H
#define LBS_COOKIE_CONF_H

#include <apr_pools.h>

#include "src/base/lbs_slice.h"

/* Longer names would crowd out the value: browsers take 4096 bytes for both
 * together. Longer paths and domains they ignore or cannot resolve. */
#define LBS_COOKIE_NAME_MAX 255   /* bytes */
#define LBS_COOKIE_PATH_MAX 1024  /* bytes */
#define LBS_COOKIE_DOMAIN_MAX 253 /* bytes */

typedef enum lbs_samesite_e {
    LBS_SAMESITE_LAX,
    LBS_SAMESITE_STRICT,
    LBS_SAMESITE_NONE,
    LBS_SAMESITE_OFF /* no attribute: the browser decides */
} lbs_samesite_e;

typedef enum lbs_secure_e {
    LBS_SECURE_AUTO, /* as the client's side of the connection is */
    LBS_SECURE_ON,
    LBS_SECURE_OFF
} lbs_secure_e;

/* A plain value: copy it for each pool that inherits it. */
typedef struct lbs_cookie_conf_t {
    const char *name;   /* NULL until set: use lbs_cookie_name_for() */
    const char *path;   /* NULL: no attribute */
    const char *domain; /* NULL: no attribute */
    lbs_samesite_e samesite;
    lbs_secure_e secure;
    int httponly;
    int partitioned;
    int nocache;        /* add Cache-Control to answers that set it */
    int strip;          /* hide it from the members */
    apr_int64_t maxage; /* seconds; 0: until the browser is closed */
    apr_int64_t first;  /* microseconds; 0: off */
} lbs_cookie_conf_t;

/* Every setting as documented for a configuration that says nothing. */
extern const lbs_cookie_conf_t lbs_cookie_defaults;

/**
 * Apply one argument of the directive.
 *
 * @param pool  owns the strings of conf
 * @param arg   `key=value`, the key in any case; not kept
 */
const char *lbs_cookie_conf_set(apr_pool_t *pool, lbs_cookie_conf_t *conf,
                                const char *arg);

/**
 * Look for settings that no browser takes together. Call it when all of a
 * directive's arguments are applied.
 */
const char *lbs_cookie_conf_check(const lbs_cookie_conf_t *conf);

/**
 * Does the cookie carry Secure?
 *
 * @param https  is the client's side of the connection https?
 */
int lbs_cookie_conf_is_secure(const lbs_cookie_conf_t *conf, int https);

/**
 * The default name: LBSTICKY_ and the pool's name in lower case, with `_`
 * for every byte that a cookie's name cannot hold. Never shortened.
 */
const char *lbs_cookie_name_for(apr_pool_t *pool, const char *balancer);

#endif
