/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_present.c - see lbs_present.h.
 *
 * The heads of turns are never freed: a reader adds its pin to a head first
 * and looks then whether that turn is still in force. If not, it takes the pin
 * back and has touched nothing but the count. The side that gives back looks
 * at the pins of turns that are not in force; both orders are total, so of a
 * pin and the change that it missed one sees the other. A head that is used
 * again is of the turn in force then, and a pin on it is one of that turn.
 */
#include "src/httpd/pool/lbs_present.h"

#include <http_config.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "src/httpd/pool/lbs_pools_int.h"
#include "src/httpd/pool/lbs_present_int.h"
#include "src/httpd/shared/lbs_runtime.h"

typedef struct lbs_turn_t {
    lbs_atomic32_t pins;
    lbs_present_turn_t is; /* all zero: the head is free */
    struct lbs_turn_t *next;
} lbs_turn_t;

static _Atomic(lbs_turn_t *) in_force; /* NULL: that of the configuration */
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

/* Of the thread that has the lock. */
static lbs_turn_t *heads;
static int is_child;

static apr_uint64_t version_now(void)
{
    return lbs_atomic_load64_acquire(lbs_runtime()->notes.roster_version);
}

/* Giving back ------------------------------------------------------------ */

static void reclaim(void)
{
    const lbs_turn_t *now =
        atomic_load_explicit(&in_force, memory_order_relaxed);
    lbs_turn_t *turn;

    for (turn = heads; turn != NULL; turn = turn->next) {
        if (turn != now && turn->is.memory != NULL
            && atomic_load_explicit(&turn->pins, memory_order_seq_cst) == 0) {
            lbs_present_unmake(&turn->is);
        }
    }
}

static lbs_turn_t *free_head(void)
{
    lbs_turn_t *turn = heads;

    while (turn != NULL && turn->is.memory != NULL) {
        turn = turn->next;
    }
    if (turn == NULL) {
        turn = calloc(1, sizeof(*turn));
        if (turn != NULL) {
            turn->next = heads;
            heads = turn;
        }
    }
    return turn;
}

/* Changing --------------------------------------------------------------- */

static int is_behind(const lbs_turn_t *turn)
{
    apr_uint64_t version = version_now();

    return version != (turn != NULL ? turn->is.version : 0);
}

/* Where there is no memory for another head the turn in force stays. */
static void change(void)
{
    lbs_turn_t *turn;

    (void)pthread_mutex_lock(&changing);
    if (is_behind(atomic_load_explicit(&in_force, memory_order_relaxed))) {
        turn = free_head();
        if (turn != NULL) {
            lbs_present_make(&turn->is, version_now(), is_child);
            atomic_store_explicit(&in_force, turn, memory_order_seq_cst);
        }
    }
    reclaim();
    (void)pthread_mutex_unlock(&changing);
}

/* Pins ------------------------------------------------------------------- */

static void unpin(lbs_turn_t *turn)
{
    atomic_fetch_sub_explicit(&turn->pins, 1, memory_order_seq_cst);
}

/* @return the turn in force; NULL: that of the configuration, which needs no
 * pin */
static lbs_turn_t *pin_in_force(void)
{
    lbs_turn_t *turn;

    for (;;) {
        turn = atomic_load_explicit(&in_force, memory_order_seq_cst);
        if (turn == NULL) {
            return NULL;
        }
        atomic_fetch_add_explicit(&turn->pins, 1, memory_order_seq_cst);
        if (atomic_load_explicit(&in_force, memory_order_seq_cst) == turn) {
            return turn;
        }
        unpin(turn);
    }
}

/* Whether a turn is behind is asked once it is pinned: another thread may be
 * making a new turn in a head that is not, and the version there is not that
 * of the turn in force. */
static lbs_turn_t *pin(void)
{
    lbs_turn_t *turn;

    if (!lbs_pools_have_roster()) {
        return NULL;
    }
    turn = pin_in_force();
    if (is_behind(turn)) {
        if (turn != NULL) {
            unpin(turn);
        }
        change();
        turn = pin_in_force();
    }
    return turn;
}

lbs_present_hold_t lbs_present_hold(void)
{
    lbs_present_hold_t hold = {.turn = pin()};

    hold.before =
        lbs_pools_show(hold.turn != NULL ? &hold.turn->is.pools : NULL);
    return hold;
}

void lbs_present_unhold(lbs_present_hold_t hold)
{
    if (hold.turn != NULL) {
        unpin(hold.turn);
    }
}

void lbs_present_release(lbs_present_hold_t hold)
{
    (void)lbs_pools_show(hold.before);
    lbs_present_unhold(hold);
}

void lbs_present_follow(void)
{
    if (lbs_pools_have_roster()
        && (version_now() != 0
            || atomic_load_explicit(&in_force, memory_order_relaxed)
                   != NULL)) {
        change();
    }
}

/* Requests --------------------------------------------------------------- */

#define PIN "lbsticky pin"

static apr_status_t let_go(void *turn)
{
    unpin(turn);
    return APR_SUCCESS;
}

/* Error pages, includes and redirects belong to the request that the client
 * sent. */
static const request_rec *first_of(const request_rec *r)
{
    const request_rec *before;

    while ((before = r->prev != NULL ? r->prev : r->main) != NULL) {
        r = before;
    }
    return r;
}

lbs_pool_t *lbs_present_pinned(request_rec *r, const lbs_pool_t *pool)
{
    apr_pool_t *memory = first_of(r)->pool;
    void *found = NULL;
    lbs_turn_t *turn;

    (void)apr_pool_userdata_get(&found, PIN, memory);
    turn = found;
    if (turn == NULL && (turn = pin()) != NULL) {
        (void)apr_pool_userdata_setn(turn, PIN, let_go, memory);
    }
    return APR_ARRAY_IDX(turn != NULL ? turn->is.pools.all
                                      : lbs_pools_configured()->all,
                         pool->number, lbs_pool_t *);
}

/* Processes -------------------------------------------------------------- */

/* Give back all turns, while nobody uses any. */
static void forget(void)
{
    lbs_turn_t *turn;

    atomic_store_explicit(&in_force, NULL, memory_order_seq_cst);
    for (turn = heads; turn != NULL; turn = turn->next) {
        if (turn->is.memory != NULL) {
            lbs_present_unmake(&turn->is);
        }
        atomic_store_explicit(&turn->pins, 0, memory_order_relaxed);
    }
}

static apr_status_t end(void *unused)
{
    (void)unused;
    forget();
    return APR_SUCCESS;
}

void lbs_present_start(apr_pool_t *pconf)
{
    apr_pool_pre_cleanup_register(pconf, NULL, end);
}

void lbs_present_child(void)
{
    forget();
    is_child = 1;
}
