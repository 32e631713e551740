/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_store_upkeep.c - see lbs_store_upkeep.h. */
#include "src/httpd/store/lbs_store_upkeep.h"

#include <stdlib.h>

#include "src/base/lbs_hex.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/store/lbs_store_call.h"
#include "src/httpd/store/lbs_store_int.h"
#include "src/sharing/lbs_board.h"
#include "src/table/lbs_ongoing.h"

#define EVERY apr_time_from_msec(200) /* boards are read so often */
#define BOARD_EXPIRES apr_time_from_sec(60)

/* No source of a configuration is spelled so. */
#define BOARD_SOURCE " board"

/* What this process remembers of the board of one pool. */
typedef struct board_t {
    lbs_board_view_t view[LBS_SECRET_MAX]; /* under each secret's name */
    apr_uint64_t noted[LBS_BOARD_OWN];     /* by us, at the last writing */
    apr_uint32_t noted_count;
    apr_time_t noted_at;
} board_t;

/* Of the process that ticks. boards is only used by the thread that has been
 * given the work, of which there is one. */
static struct {
    lbs_atomic32_t busy;
    apr_time_t begun_at;
    board_t *boards; /* one per pool, in the order of lbs_pools_all() */
} upkeep;

/* One pool's board under one secret. */
typedef struct look_t {
    const lbs_pool_t *pool;
    board_t *board;
    apr_size_t secret;
    apr_time_t now;
    apr_pool_t *memory;
} look_t;

/* The board --------------------------------------------------------------- */

/* Pools of one name share a board also within a server, as those of the http
 * and of the https host of a site: each writes under a name of its own. */
static apr_uint32_t server_of(const lbs_pool_t *pool)
{
    const lbs_registry_t *registry = lbs_runtime()->registry;
    lbs_clock_t started = lbs_registry_started(registry);
    apr_uint64_t words[3] = {(apr_uint64_t)started.wall,
                             (apr_uint64_t)started.mono, pool->slot};

    return (apr_uint32_t)lbs_hash_bytes(lbs_registry_table_key(registry),
                                        words, sizeof(words));
}

static apr_status_t call_board(const look_t *look, lbs_store_op_t op,
                               const char *name, unsigned char *value)
{
    lbs_store_call_t what = {
        .op = op,
        .name = name,
        .value = value,
        .len = LBS_BOARD_LEN,
        .expiry = apr_time_now() + BOARD_EXPIRES,
    };

    return lbs_store_call_here(look->pool->store, &what, look->memory);
}

static void name_board(const look_t *look,
                       char name[LBS_STORE_RECORD_NAME_LEN + 1])
{
    lbs_store_record_name(&lbs_store_secrets()->secret[look->secret],
                          look->pool->token_pool, BOARD_SOURCE, "", 0, name);
}

/* Another server moves sessions away from a member. */
static void note_left(void *baton, apr_uint64_t member_id)
{
    const look_t *look = baton;
    apr_size_t i;

    for (i = 0; i < look->pool->count; i++) {
        const lbs_member_t *m = look->pool->member[i];

        if (member_id == LBS_BOARD_ANY || m->token_id == member_id) {
            lbs_atomic_store64_relaxed(&m->record->left_at,
                                       (apr_uint64_t)look->now);
        }
    }
}

static void read_board(look_t *look)
{
    unsigned char value[LBS_BOARD_LEN];
    char name[LBS_STORE_RECORD_NAME_LEN + 1];
    lbs_board_t board = {.count = 0};

    name_board(look, name);
    if (call_board(look, LBS_STORE_GET, name, value) == APR_SUCCESS
        && lbs_board_decode(&lbs_store_secrets()->secret[look->secret], name,
                            value, sizeof(value), &board)
               == APR_SUCCESS) {
        lbs_board_hear(&look->board->view[look->secret], server_of(look->pool),
                       &board, look->now, note_left, look);
    }
}

/* Sessions leave a member that is closed to them, those that are away do not
 * go home to one on trial; and one left it lately. */
static int is_left(const lbs_member_t *m, apr_time_t now)
{
    apr_time_t moved_at =
        (apr_time_t)lbs_atomic_load64_relaxed(&m->record->moved_at);

    return (lbs_gauge_flags(m->gauge) & (LBS_F_CLOSED | LBS_F_HALF_OPEN)) != 0
           || (moved_at != 0 && now - moved_at < LBS_BOARD_LASTS);
}

static apr_uint32_t collect(const look_t *look,
                            apr_uint64_t own[LBS_BOARD_OWN])
{
    const lbs_pool_t *pool = look->pool;
    apr_uint32_t count = 0;
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        if (!lbs_pools_is_there(pool, i)
            || !is_left(pool->member[i], look->now)) {
            continue;
        }
        if (count == LBS_BOARD_OWN) {
            own[0] = LBS_BOARD_ANY;
            return 1;
        }
        own[count++] = pool->member[i]->token_id;
    }
    return count;
}

static void write_board(const look_t *look)
{
    board_t *board = look->board;
    unsigned char value[LBS_BOARD_LEN];
    char name[LBS_STORE_RECORD_NAME_LEN + 1];
    apr_uint64_t own[LBS_BOARD_OWN] = {0};
    apr_uint32_t count = collect(look, own);
    int is_same = count == board->noted_count
                  && memcmp(own, board->noted, count * sizeof(*own)) == 0;
    lbs_board_t next;

    if (is_same
        && (count == 0 || look->now - board->noted_at < LBS_BOARD_EVERY)) {
        return;
    }
    board->noted_count = count;
    board->noted_at = look->now;
    memcpy(board->noted, own, sizeof(own));
    lbs_board_compose(&board->view[0], server_of(look->pool),
                      (apr_uint32_t)(look->now / 1000), own, count, look->now,
                      &next);
    name_board(look, name);
    lbs_board_encode(&lbs_store_secrets()->secret[0], name, &next, value);
    (void)call_board(look, LBS_STORE_PUT, name, value);
}

/* Servers with an older secret write under another name: each is read, the
 * first is written. */
static void look_at_board(const lbs_pool_t *pool, board_t *board,
                          apr_time_t now, apr_pool_t *memory)
{
    look_t look = {.pool = pool, .board = board, .now = now, .memory = memory};
    apr_size_t i;

    for (i = lbs_store_secrets()->count; i > 0; i--) {
        look.secret = i - 1;
        read_board(&look);
    }
    write_board(&look);
}

/* Sessions in use --------------------------------------------------------- */

/* Read a record and write it again, with a later end. What is not there is not
 * made: it was forgotten. */
static void extend(const lbs_pool_t *pool, const char *name,
                   apr_pool_t *memory)
{
    const lbs_store_secrets_t *secrets = lbs_store_secrets();
    apr_int64_t idle = pool->set.timeout->idle;
    apr_time_t now = apr_time_now();
    unsigned char value[LBS_STORE_RECORD_VALUE_LEN];
    lbs_store_record_t record;
    lbs_store_call_t what = {
        .op = LBS_STORE_GET,
        .name = name,
        .value = value,
        .len = sizeof(value),
        .expiry = now + idle + idle / 2,
    };
    apr_size_t i;

    if (lbs_store_call_here(pool->store, &what, memory) != APR_SUCCESS) {
        return;
    }
    for (i = 0; i < secrets->count; i++) {
        if (lbs_store_record_decode(&secrets->secret[i], name, value,
                                    sizeof(value),
                                    (apr_uint64_t)apr_time_sec(now), &record)
            == APR_SUCCESS) {
            record.expires = (apr_uint64_t)apr_time_sec(what.expiry) + 1;
            lbs_store_record_encode(&secrets->secret[i], name, &record, value);
            what.op = LBS_STORE_PUT;
            (void)lbs_store_call_here(pool->store, &what, memory);
            return;
        }
    }
}

static void extend_named(void *baton, apr_uint32_t slot,
                         const apr_uint64_t words[LBS_ONGOING_NAME_WORDS])
{
    const lbs_pool_t *pool = lbs_pools_of_slot(slot);
    char name[LBS_STORE_RECORD_NAME_LEN + 1];

    if (pool == NULL || pool->store == NULL) {
        return;
    }
    lbs_hex_put(name, 16, words[0]);
    lbs_hex_put(name + 16, 16, words[1]);
    name[LBS_STORE_RECORD_NAME_LEN] = '\0';
    extend(pool, name, baton);
    if (pool->set.failback->mode != LBS_FAILBACK_STAY) {
        lbs_store_record_beside(name);
        extend(pool, name, baton);
    }
}

/* All of it --------------------------------------------------------------- */

static void work(void *baton, apr_pool_t *memory)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    (void)baton;
    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        if (pool->store != NULL) {
            look_at_board(pool, &upkeep.boards[i], lbs_clock_now(), memory);
            apr_pool_clear(memory);
        }
    }
    lbs_ongoing_each_name(lbs_runtime()->notes.ongoing, lbs_clock_now(),
                          extend_named, memory);
    lbs_atomic_store32_release(&upkeep.busy, 0);
}

static int has_store(void)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        if (APR_ARRAY_IDX(all, i, lbs_pool_t *)->store != NULL) {
            return 1;
        }
    }
    return 0;
}

void lbs_store_upkeep_tick(apr_time_t now)
{
    apr_uint32_t idle = 0;

    if (now - upkeep.begun_at < EVERY || !has_store()) {
        return;
    }
    if (upkeep.boards == NULL) {
        upkeep.boards =
            calloc((apr_size_t)lbs_pools_all()->nelts, sizeof(board_t));
    }
    if (upkeep.boards == NULL || !lbs_atomic_cas32(&upkeep.busy, &idle, 1)) {
        return;
    }
    upkeep.begun_at = now;
    if (lbs_store_call_later(work, NULL) != APR_SUCCESS) {
        lbs_atomic_store32_relaxed(&upkeep.busy, 0);
    }
}
