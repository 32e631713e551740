/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pools.h - the governed pools as one configuration has them.
 *
 * Built by the parent in post_config from mod_proxy's balancers and this
 * module's directives, inherited by the children, read-only afterwards. State
 * that changes at run time lives in shared memory behind the pointers.
 *
 * A pool with LBStickyDiscover has places for members that come and go, behind
 * those of the configuration. Its lbs_pool_t as configured shows all of these
 * vacant; lbs_present.h has the pool as it is now, with the same indexes for
 * the same members.
 */
#ifndef LBS_POOLS_H
#define LBS_POOLS_H

#include <apr_hash.h>
#include <httpd.h>

#include "src/affinity/lbs_setcookie.h"
#include "src/base/lbs_hash.h"
#include "src/httpd/config/lbs_settings.h"
#include "src/httpd/proxy/lbs_worker.h"
#include "src/member/lbs_eject.h"
#include "src/member/lbs_gauge.h"
#include "src/member/lbs_member_record.h"
#include "src/pick/lbs_pick.h"
#include "src/pick/lbs_plan.h"
#include "src/state/lbs_registry.h"
#include "src/roster/lbs_roster.h"

#define LBS_NO_MEMBER (-1)

/* URL of the pseudo-member that owns the words of LBStickyTimeout max=. It is
 * no URL of a member, and views leave it out. */
#define LBS_POOLS_MAX_URL "max:"

/* The same of the words of LBStickyControl. */
#define LBS_POOLS_ASKED_URL "control:"

/* The same of the one that stands on vacant places. */
#define LBS_POOLS_VACANT_URL "vacant:"

/* Idle times are kept for this many connections per member; further ones share
 * the last entry. */
#define LBS_POOLS_DEPTHS 32

/* What is due of a member in a tick: bits of lbs_pool_t.due. */
#define LBS_POOLS_DUE_FOLLOW 1u /* what others may have changed */
#define LBS_POOLS_DUE_TICK 2u   /* time, answers, failures */

typedef struct lbs_member_t {
    proxy_worker *worker;  /* NULL: nobody, the place is vacant */
    apr_size_t index;      /* in its pool, as long as it is there */
    const char *found;     /* by this source of LBStickyDiscover; "": it is
                              configured */
    const char *name;      /* its URL */
    const char *place;     /* the same; of one whose URL has a name that is
                              looked up, with its address */
    lbs_slice_t plain;     /* this where it is canonical, else empty */
    const char *route;     /* "" when it has none */
    apr_uint32_t slot;     /* in the registry, and in the words of the table */
    apr_uint64_t token_id; /* in cookies: the same on every server */
    lbs_gauge_t *gauge;
    lbs_member_record_t *record;
    const lbs_roster_seat_t *seat; /* NULL: it is configured */
    apr_uint32_t turn;             /* with seat: lbs_roster_is_past() */
    int own;     /* it is this httpd, with LBStickyLocal self */
    int created; /* this configuration pass found it new, or back again */
    /* mod_proxy's connections of this process: the one given back last is
     * taken next. busy counts those in use; used_at[n] is when one was given
     * back that left n, which is the one that is taken when n are in use. */
    lbs_atomic32_t busy;
    lbs_atomic64_t used_at[LBS_POOLS_DEPTHS]; /* monotonic */
} lbs_member_t;

/* What the process that ticks keeps of a pool. */
typedef struct lbs_pool_live_t {
    apr_int64_t stall_us; /* LBStickyEject stall=, as it is in force */
    int seats;            /* in mod_proxy's memory */
} lbs_pool_live_t;

typedef struct lbs_pool_t {
    const char *name;         /* lower case, without balancer:// */
    const char *vhost;        /* of the server that defines it: name:port */
    const server_rec *server; /* the server that defines it */
    proxy_balancer *balancer;
    struct lbs_section_t *section; /* merged once; NULL: for each request */
    lbs_settings_t set;            /* the settings in force, no pointer NULL */
    int failover;    /* LBStickyFailover, or nofailover= where that is unset */
    int max_members; /* maxattempts= + 1; 0: as many as there are */
    apr_uint32_t slot; /* in the registry */
    lbs_pool_record_t *record;
    int decides; /* 1: of the pools with these members its LBStickyEject and
                    LBStickySlowStart hold, see lbs_common.h */
    lbs_eject_conf_t eject_conf;
    lbs_pool_live_t *live;
    lbs_statuses_t eject_status; /* LBStickyEject's and failonstatus= */
    apr_uint64_t token_pool;     /* binds a cookie to this pool */
    lbs_hash_head_t key_head[LBS_SOURCE_MAX]; /* hashed before the key */
    apr_uint64_t first_prefix; /* the same for clients without a cookie */
    lbs_slice_t cookie_name;
    lbs_setcookie_frame_t cookie[2]; /* ours: without Secure, and with it */
    int max_slot; /* pseudo-member of LBStickyTimeout max=; -1: none */
    lbs_member_record_t *max_record; /* its; since: when max= came in force, on
                                        the table's clock; 0: long ago */
    int asked_slot;                  /* and of LBStickyControl; -1: off */
    int number;                      /* in lbs_pools_all() */
    proxy_worker *model;       /* first BalancerMember: parameters of members
                                  that are found */
    apr_array_header_t *names; /* proxy_worker *: BalancerMembers whose hosts
                                  are names that LBStickyDiscover dns looks up;
                                  they are no members */
    apr_size_t configured;     /* members of the configuration */
    apr_size_t count;          /* and places for others */
    lbs_member_t **member;     /* count of them, by index */
    lbs_gauge_t **gauges;      /* of the members: close together, for walks */
    unsigned char *due;        /* what is due of each member in this tick, see
                                  lbs_health.h; of the process that ticks */
    apr_uint64_t *errors;      /* of each, when it was last due; likewise */
    const apr_uint16_t *member_at; /* slot -> index + 1, of any pool */
    lbs_roster_t *roster; /* LBStickyDiscover: the others; NULL: it is off */
    int own_early; /* one is this httpd, and may be chosen before mapping */
    apr_hash_t *by_route;                /* route -> lbs_member_t */
    apr_hash_t *by_token_id;             /* 8 bytes -> lbs_member_t */
    struct lbs_store_t *store;           /* LBStickyStore; NULL: off */
    const struct lbs_readers_t *readers; /* LBStickyForeign; NULL: off */
    lbs_plan_t *plan;
    lbs_pick_pool_t pick;
} lbs_pool_t;

/**
 * The table's key is known, once a state file was read: hash the part that is
 * the same for all keys of a source. Parent, in post_config, after
 * lbs_pools_build_all().
 */
void lbs_pools_take_key(void);

/** Pool of a server by its name, or NULL when it is not governed. */
lbs_pool_t *lbs_pools_find(const server_rec *s, const char *name);

/** The same by balancer://name/path, in any case. NULL also for other URLs. */
lbs_pool_t *lbs_pools_of_url(const server_rec *s, const char *url);

/** All pools, each once, in the order of the configuration: as they are
 * configured, or for a thread that holds them (lbs_present.h) as they are. */
const apr_array_header_t *lbs_pools_all(void); /* of lbs_pool_t * */

/** The pool that owns a slot; of virtual hosts that share it, the first. NULL:
 * none does. Cost: linear in the pools. */
const lbs_pool_t *lbs_pools_of_slot(apr_uint32_t slot);

/** Index of the member that owns a slot in this pool; LBS_NO_MEMBER. */
int lbs_pools_member_at(const lbs_pool_t *pool, apr_uint32_t slot);

/** The same pool among lbs_pools_all(). */
const lbs_pool_t *lbs_pools_same(const lbs_pool_t *pool);

/** @return 1 when a member has this place */
static inline int lbs_pools_is_there(const lbs_pool_t *pool, apr_size_t index)
{
    return pool->member[index]->worker != NULL;
}

#endif
