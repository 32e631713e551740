/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_fields.c - see lbs_fields.h. */
#include "src/httpd/decide/lbs_fields.h"

#include "src/httpd/decide/lbs_asked.h"
#include "src/httpd/decide/lbs_sessions.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

#define TELL_EVERY apr_time_from_sec(60)

/* Bytes of a field's name in a message. */
#define NAME_SHOWN 40

/* From the member ---------------------------------------------------------
 */

static const char *first_of(const apr_table_t *headers)
{
    const apr_array_header_t *all = apr_table_elts(headers);
    int i;

    for (i = 0; i < all->nelts; i++) {
        const char *name = APR_ARRAY_IDX(all, i, apr_table_entry_t).key;

        if ((*name | 0x20) == 'l' && lbs_control_is_field(name)) {
            return name;
        }
    }
    return NULL;
}

void lbs_fields_strip(apr_table_t *headers)
{
    const char *name;

    while ((name = first_of(headers)) != NULL) {
        apr_table_unset(headers, name);
    }
}

static int add_field(void *control, const char *name, const char *value)
{
    if (lbs_control_is_field(name)) {
        lbs_control_add(control, name, value);
    }
    return 1;
}

static void tell(request_rec *r, const lbs_pool_t *pool, int member,
                 const char *field)
{
    const char *name = pool->member[member]->name;

    if (!lbs_clock_once(&lbs_runtime()->notes.control_at[pool->slot],
                        TELL_EVERY)) {
        return;
    }
    if (*pool->set.control) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      LBSNO(1205) "pool %s: member %s answers with a field "
                                  "%.*s that does not count: wanted is one "
                                  "LBSticky-Release: 1, LBSticky-Move: any or "
                                  "a route, LBSticky-Hold: a duration, each "
                                  "at most once",
                      pool->name, name, NAME_SHOWN, field);
    }
    else {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      LBSNO(1204) "pool %s: member %s answers with the field "
                                  "%.*s, which is ignored: write "
                                  "LBStickyControl on if its application may "
                                  "say where its sessions go",
                      pool->name, name, NAME_SHOWN, field);
    }
}

void lbs_fields_take(request_rec *r, const lbs_pool_t *pool, int member,
                     lbs_control_t *control)
{
    const char *name = first_of(r->headers_out);

    memset(control, 0, sizeof(*control));
    if (name == NULL) {
        name = first_of(r->err_headers_out);
    }
    if (name == NULL) {
        return;
    }
    if (*pool->set.control) {
        apr_table_do(add_field, control, r->headers_out, NULL);
        apr_table_do(add_field, control, r->err_headers_out, NULL);
        name = control->wrong;
    }
    if (name != NULL) {
        tell(r, pool, member, name);
    }
    lbs_fields_strip(r->headers_out);
    lbs_fields_strip(r->err_headers_out);
}

/* To the table ------------------------------------------------------------ */

static void release(const lbs_pool_t *pool, lbs_visit_t *visit, int index,
                    apr_time_t now)
{
    lbs_key_t *key = &visit->key[index];

    if (key->hash != 0) {
        lbs_sessions_end(pool, key, &visit->wait);
    }
    if (pool->set.sticky->source[index].kind == LBS_SOURCE_COOKIE
        && visit->has_token) {
        lbs_asked_release(pool, key->hash, now);
    }
    key->present = 0;
}

/* The member of a route; LBS_NO_MEMBER: any, or no member has it. */
static int member_of(const lbs_pool_t *pool, lbs_slice_t route)
{
    const lbs_member_t *m;

    if (route.n == 0) {
        return LBS_NO_MEMBER;
    }
    m = apr_hash_get(pool->by_route, route.p, (apr_ssize_t)route.n);
    return m != NULL ? (int)m->index : LBS_NO_MEMBER;
}

void lbs_fields_note(const lbs_pool_t *pool, lbs_visit_t *visit, int member,
                     const lbs_control_t *control, apr_time_t now)
{
    int to = control->moves ? member_of(pool, control->route) : LBS_NO_MEMBER;
    int i;

    for (i = 0; i < pool->set.sticky->count; i++) {
        apr_uint64_t hash = visit->key[i].hash;

        if (control->releases) {
            release(pool, visit, i, now);
        }
        else if (control->moves) {
            lbs_asked_move(pool, hash, member, to, now);
        }
        else if (control->holds) {
            lbs_asked_hold(pool, hash, control->hold, now);
        }
    }
}

/* To the next member ------------------------------------------------------ */

/* Its route, else its URL; of a member that is gone, as the registry still
 * knows it. */
static const char *label_of(const lbs_pool_t *pool, const lbs_visit_t *visit,
                            const lbs_choice_t *choice)
{
    lbs_registry_member_info_t info;
    const lbs_member_t *m;
    int slot;

    if (choice->from != LBS_NO_MEMBER) {
        m = pool->member[choice->from];
        return *m->route ? m->route : m->name;
    }
    slot = choice->source >= 0 ? visit->key[choice->source].slot : -1;
    if (slot < 0
        || lbs_registry_member_info(lbs_runtime()->registry,
                                    (apr_uint32_t)slot, &info)
               != APR_SUCCESS) {
        return NULL;
    }
    return *info.route ? info.route : info.url;
}

void lbs_fields_tell(request_rec *r, const lbs_pool_t *pool,
                     const lbs_visit_t *visit, const lbs_choice_t *choice)
{
    const char *from;

    if (!*pool->set.control || choice->decision != LBS_DECISION_MOVED
        || choice->from == choice->member) {
        return;
    }
    from = label_of(pool, visit, choice);
    if (from != NULL) {
        apr_table_setn(
            r->headers_in, LBS_CONTROL_MOVED,
            lbs_control_moved(r->pool, from, lbs_reason_name(choice->reason)));
    }
}

void lbs_fields_refused(request_rec *r, const lbs_pool_t *pool,
                        const char *name)
{
    if (APLOGrinfo(r)
        && lbs_clock_once(&lbs_runtime()->notes.claim_at[pool->slot],
                          TELL_EVERY)) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      LBSNO(1206) "pool %s: a client's field %.*s is taken "
                                  "out: names that begin with LBSticky- are "
                                  "this module's; let the client use another",
                      pool->name, NAME_SHOWN, name);
    }
}
