/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_shared.c - see lbs_shared.h. */
#include "src/httpd/shared/lbs_shared.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_config.h>

#include "mod_lbsticky.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_kept.h"
#include "src/httpd/shared/lbs_shm.h"
#include "src/state/lbs_registry.h"
#include "src/table/lbs_first.h"

/* State that processes share beside the registry. */
typedef struct lbs_shared_notes_t {
    lbs_atomic64_t saved_at; /* Unix microseconds of the state file; 0: none */
    lbs_forgotten_t forgotten;
    lbs_busy_t busy[LBS_REGISTRY_POOLS]; /* by slot of the pool */
    /* Tokens that another secret signed, by slot of the pool. */
    lbs_recent_count_t foreign[LBS_REGISTRY_POOLS];
    lbs_recent_most_t ahead; /* seconds: tokens dated in the future */
    lbs_lease_t tick;        /* of the process that ticks */
    lbs_atomic64_t own_name_at[LBS_REGISTRY_POOLS]; /* last warning LBS3500 */
    lbs_atomic64_t upgrade_at[LBS_REGISTRY_POOLS];  /* last warning LBS3501 */
    lbs_atomic64_t circle_at[LBS_REGISTRY_POOLS];   /* last warning LBS3502 */
    lbs_atomic64_t control_at[LBS_REGISTRY_POOLS];  /* of LBS1204, LBS1205 */
    lbs_atomic64_t claim_at[LBS_REGISTRY_POOLS];    /* of LBS1206 */
    lbs_recent_count_t upgrades_lost[LBS_REGISTRY_POOLS];
    lbs_recent_count_t circles[LBS_REGISTRY_POOLS];
    lbs_ongoing_t ongoing;
    lbs_atomic64_t roster_version;
    lbs_roster_t rosters[LBS_REGISTRY_POOLS]; /* by slot of the pool */
    lbs_wish_ring_t wishes;
} lbs_shared_notes_t;

/* Another build of the module, loaded by a reload, makes blocks of its own and
 * reads their contents from the state file. Their name is this and a hash of
 * how they are laid out. */
#define RETAINED "mod_lbsticky " LBSTICKY_VERSION

/* A sum of the headers that say so, from the Makefile: structures may change
 * and keep their size. */
#ifndef LBS_LAYOUT
#define LBS_LAYOUT 0
#endif
#define TEXT_OF(number) #number
#define LAYOUT_TEXT(number) "lbs layout " TEXT_OF(number)

#define MIN_CHILDREN 1024 /* rows, if the MPM may not have more than half */

static void complain(apr_status_t rv, server_rec *s, const char *what,
                     apr_size_t bytes, const char *directive)
{
    ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                 LBSNO(1000) "no memory for the %s: wanted %" APR_SIZE_T_FMT
                             " bytes of shared memory; write a smaller number "
                             "into %s, or let the system give more (memory, "
                             "ulimit -v, vm.overcommit_memory)",
                 what, bytes, directive);
}

static apr_status_t share(void **base, apr_size_t bytes, apr_pool_t *pool,
                          server_rec *s, const char *what,
                          const char *directive)
{
    apr_status_t rv = lbs_shm_create(base, bytes, pool);

    if (rv != APR_SUCCESS) {
        complain(rv, s, what, bytes, directive);
    }
    return rv;
}

static apr_status_t make_registry(lbs_shared_t *shared, lbs_clock_t now,
                                  server_rec *s)
{
    lbs_registry_seed_t seed;
    int children = 0;
    apr_status_t rv;

    (void)ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &children);
    /* Two generations live side by side during a graceful restart. */
    shared->children = children > MIN_CHILDREN / 2 ? 2 * (apr_uint32_t)children
                                                   : MIN_CHILDREN;
    rv = lbs_registry_bytes(shared->children, &shared->registry_bytes);
    if (rv == APR_SUCCESS) {
        rv = share(&shared->registry, shared->registry_bytes, s->process->pool,
                   s, "members", "ServerLimit");
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    seed.started = now;
    rv = apr_generate_random_bytes(seed.table_key.bytes,
                                   sizeof(seed.table_key.bytes));
    if (rv == APR_SUCCESS) {
        rv = apr_generate_random_bytes(seed.secret, sizeof(seed.secret));
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return lbs_registry_format(shared->registry, shared->registry_bytes,
                               shared->children, &seed);
}

static apr_uint64_t layout(void)
{
    static const lbs_hash_key_t key = {"lbs layout key"};
    static const char text[] = RETAINED;
    static const char sum[] = LAYOUT_TEXT(LBS_LAYOUT);
    apr_uint64_t sizes[] = {
        sizeof(lbs_shared_t),  sizeof(lbs_shared_notes_t),
        LBS_FIRST_WORDS,       lbs_registry_layout(),
        lbs_table_bytes(1000), lbs_hash_bytes(&key, sum, sizeof(sum))};

    return lbs_hash_two(&key, text, sizeof(text), sizes, sizeof(sizes));
}

static lbs_shared_t *find_retained(apr_uint64_t of)
{
    char name[sizeof(RETAINED) + 18];
    lbs_shared_t *shared;

    apr_snprintf(name, sizeof(name), "%s %016" APR_UINT64_T_HEX_FMT, RETAINED,
                 of);
    shared = ap_retained_data_get(name);
    return shared != NULL ? shared
                          : ap_retained_data_create(name, sizeof(*shared));
}

/* Blocks that are not those in use: another build had its own meanwhile.
 * Children keep their mappings; the parent does not give back a block that a
 * thread of its own may still read. */
static void forget_blocks(lbs_shared_t *shared)
{
    while (shared->table[0].pool != NULL) {
        lbs_shared_drop_table(shared, 0);
    }
    memset(shared, 0, sizeof(*shared));
}

static apr_status_t make_blocks(lbs_shared_t *shared, lbs_clock_t now,
                                server_rec *s)
{
    apr_pool_t *pool = s->process->pool;
    void *first, *notes;
    apr_status_t rv = share(&first, LBS_FIRST_WORDS * sizeof(*shared->first),
                            pool, s, "first picks", "LBStickyTable sessions=");

    if (rv == APR_SUCCESS) {
        rv = share(&notes, sizeof(*shared->notes), pool, s, "notes",
                   "LBStickyTable sessions=");
    }
    if (rv == APR_SUCCESS) {
        shared->first = first;
        shared->notes = notes;
        rv = make_registry(shared, now, s);
    }
    return rv;
}

apr_status_t lbs_shared_find(lbs_shared_t **found, lbs_clock_t now,
                             server_rec *main_server)
{
    apr_uint64_t mine = layout();
    lbs_kept_t *kept = lbs_kept();
    lbs_shared_t *shared = find_retained(mine);
    apr_status_t rv = APR_SUCCESS;

    if (kept->owner != mine) {
        forget_blocks(shared);
    }
    shared->fresh = shared->registry == NULL;
    if (shared->fresh) {
        rv = make_blocks(shared, now, main_server);
    }
    if (rv == APR_SUCCESS) {
        kept->owner = mine;
        *found = shared;
    }
    return rv;
}

apr_status_t lbs_shared_renew(lbs_shared_t *shared, lbs_clock_t now,
                              server_rec *main_server)
{
    forget_blocks(shared);
    shared->fresh = 1;
    return make_blocks(shared, now, main_server);
}

void lbs_shared_notes(const lbs_shared_t *shared, lbs_notes_t *notes)
{
    lbs_shared_notes_t *at = shared->notes;

    *notes = (lbs_notes_t){
        .saved_at = &at->saved_at,
        .forgotten = &at->forgotten,
        .busy = at->busy,
        .foreign = at->foreign,
        .ahead = &at->ahead,
        .tick = &at->tick,
        .own_name_at = at->own_name_at,
        .upgrade_at = at->upgrade_at,
        .circle_at = at->circle_at,
        .control_at = at->control_at,
        .claim_at = at->claim_at,
        .upgrades_lost = at->upgrades_lost,
        .circles = at->circles,
        .ongoing = &at->ongoing,
        .roster_version = &at->roster_version,
        .rosters = at->rosters,
        .wishes = &at->wishes,
    };
}

/* Tables ----------------------------------------------------------------- */

void lbs_shared_drop_table(lbs_shared_t *shared, int i)
{
    apr_pool_destroy(shared->table[i].pool);
    memmove(&shared->table[i], &shared->table[i + 1],
            (size_t)(LBS_SHARED_TABLES - 1 - i) * sizeof(shared->table[0]));
    memset(&shared->table[LBS_SHARED_TABLES - 1], 0, sizeof(shared->table[0]));
}

static apr_status_t make_table(lbs_shared_table_t *table,
                               apr_uint32_t sessions)
{
    apr_status_t rv;

    table->sessions = sessions;
    table->bytes = lbs_table_bytes(sessions);
    if (table->bytes == 0) {
        return APR_ENOMEM;
    }
    /* Not below the process's pool: at the end that destroys this one and
     * then pconf, which saves the table's sessions. */
    apr_pool_create(&table->pool, NULL);
    rv = lbs_shm_create(&table->base, table->bytes, table->pool);
    if (rv == APR_SUCCESS) {
        rv = lbs_shm_create(&table->marks, lbs_table_marks_bytes(sessions),
                            table->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = lbs_table_format(table->base, table->bytes, sessions);
    }
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(table->pool);
    }
    return rv;
}

apr_status_t lbs_shared_add_table(lbs_shared_t *shared, apr_uint32_t sessions)
{
    lbs_shared_table_t fresh;
    apr_status_t rv;

    if (shared->table[LBS_SHARED_TABLES - 1].pool != NULL) {
        return APR_ENOSPC;
    }
    rv = make_table(&fresh, sessions);
    if (rv == APR_SUCCESS) {
        memmove(&shared->table[1], &shared->table[0],
                LBS_TABLE_CHAIN * sizeof(shared->table[0]));
        shared->table[0] = fresh;
    }
    return rv;
}

/* A size that was in use before has its table still, with sessions in it. */
static int bring_to_front(lbs_shared_t *shared, apr_uint32_t sessions)
{
    lbs_shared_table_t found;
    int i;

    for (i = 0; i < LBS_SHARED_TABLES; i++) {
        found = shared->table[i];
        if (found.pool != NULL && found.sessions == sessions) {
            memmove(&shared->table[1], &shared->table[0],
                    (size_t)i * sizeof(shared->table[0]));
            shared->table[0] = found;
            return 1;
        }
    }
    return 0;
}

/* There is no table at all. */
static void refuse(apr_status_t rv, apr_uint32_t sessions, server_rec *s)
{
    apr_size_t bytes = lbs_table_bytes(sessions);

    if (bytes == 0) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     LBSNO(1001) "LBStickyTable sessions=%u is more than "
                                 "this machine can address; write a smaller "
                                 "number",
                     sessions);
        return;
    }
    complain(rv, s, "session table", bytes, "LBStickyTable sessions=");
}

/* There is a table of another size: the new size can wait, sessions must not
 * be lost. */
static void put_off(apr_status_t rv, apr_uint32_t sessions, apr_uint32_t stays,
                    server_rec *s)
{
    int full = rv == APR_ENOSPC;

    ap_log_error(APLOG_MARK, APLOG_WARNING, full ? 0 : rv, s,
                 LBSNO(1004) "LBStickyTable sessions=%u has to wait, it stays "
                             "%u: %s",
                 sessions, stays,
                 full ? "older tables still hold sessions; reload again when "
                        "they were used"
                      : "there is no memory for it; write a smaller number");
}

apr_status_t lbs_shared_want_table(lbs_shared_t *shared, apr_uint32_t sessions,
                                   server_rec *main_server)
{
    apr_status_t rv;

    if (bring_to_front(shared, sessions)) {
        return APR_SUCCESS;
    }
    rv = lbs_shared_add_table(shared, sessions);
    if (rv != APR_SUCCESS && shared->table[0].pool != NULL) {
        put_off(rv, sessions, shared->table[0].sessions, main_server);
        rv = APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        refuse(rv, sessions, main_server);
    }
    return rv;
}
