/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_outlook.c - see lbs_outlook.h. */
#include "src/preview/lbs_outlook.h"

#include <apr_strings.h>
#include <string.h>

#include "src/preview/lbs_outline.h"

#define WIDTH 72 /* of sentences, without what they are indented by */

lbs_outlook_t *lbs_outlook_create(apr_pool_t *pool)
{
    lbs_outlook_t *outlook = apr_pcalloc(pool, sizeof(*outlook));

    outlook->pools = apr_array_make(pool, 8, sizeof(lbs_outlook_pool_t *));
    outlook->notes = apr_array_make(pool, 4, sizeof(const char *));
    outlook->unknown = apr_array_make(pool, 8, sizeof(const char *));
    return outlook;
}

lbs_outlook_pool_t *lbs_outlook_add_pool(lbs_outlook_t *outlook,
                                         const char *vhost, const char *name)
{
    apr_pool_t *memory = outlook->pools->pool;
    lbs_outlook_pool_t *pool = apr_pcalloc(memory, sizeof(*pool));

    pool->vhost = vhost;
    pool->name = name;
    pool->rows = apr_array_make(memory, 8, sizeof(lbs_outlook_row_t *));
    pool->notes = apr_array_make(memory, 2, sizeof(const char *));
    APR_ARRAY_PUSH(outlook->pools, lbs_outlook_pool_t *) = pool;
    return pool;
}

lbs_outlook_row_t *lbs_outlook_add_row(lbs_outlook_pool_t *pool,
                                       const char *member)
{
    lbs_outlook_row_t *row = apr_pcalloc(pool->rows->pool, sizeof(*row));

    row->member = member;
    APR_ARRAY_PUSH(pool->rows, lbs_outlook_row_t *) = row;
    return row;
}

void lbs_outlook_say(apr_array_header_t *list, const char *sentence)
{
    APR_ARRAY_PUSH(list, const char *) = sentence;
}

/* Sums -------------------------------------------------------------------- */

static apr_uint64_t moving(const lbs_outlook_row_t *row)
{
    apr_uint64_t sum = row->anew + row->refused;
    int reason;

    for (reason = 0; reason < LBS_REASONS; reason++) {
        sum += row->moved[reason];
    }
    return sum;
}

static apr_uint64_t sessions(const lbs_outlook_row_t *row)
{
    return row->stay + row->wait + moving(row);
}

/* Those that move whatever is written into the configuration. */
static apr_uint64_t moving_anyway(const lbs_outlook_row_t *row)
{
    return row->moved[LBS_REASON_DOWN] + row->moved[LBS_REASON_EJECTED]
           + row->moved[LBS_REASON_DRAINED]
           + (row->was_gone ? row->moved[LBS_REASON_REMOVED] + row->anew : 0);
}

typedef apr_uint64_t count_fn(const lbs_outlook_row_t *row);

static apr_uint64_t sum_up(const lbs_outlook_t *outlook, count_fn *count)
{
    apr_uint64_t sum = 0;
    int i, k;

    for (i = 0; i < outlook->pools->nelts; i++) {
        const apr_array_header_t *rows =
            LBS_OUTLINE_AT(outlook->pools, i, lbs_outlook_pool_t *)->rows;

        for (k = 0; k < rows->nelts; k++) {
            sum += count(LBS_OUTLINE_AT(rows, k, lbs_outlook_row_t *));
        }
    }
    return sum;
}

/* Writing ----------------------------------------------------------------- */

typedef struct page_t {
    apr_array_header_t *lines; /* const char *, pieces of the page */
    apr_pool_t *pool;
} page_t;

static void add(const page_t *page, const char *piece)
{
    APR_ARRAY_PUSH(page->lines, const char *) = piece;
}

/* A sentence, broken between words. */
static void add_sentence(const page_t *page, const char *text)
{
    const char *indent = "    ";
    apr_size_t left = strlen(text);

    while (left > WIDTH) {
        apr_size_t n = WIDTH;

        while (n > 0 && text[n] != ' ') {
            n--;
        }
        if (n == 0) {
            n = strcspn(text, " ");
        }
        add(page, apr_psprintf(page->pool, "%s%.*s\n", indent, (int)n, text));
        n += text[n] == ' ';
        text += n;
        left -= n;
        indent = "      ";
    }
    if (left > 0) {
        add(page, apr_psprintf(page->pool, "%s%s\n", indent, text));
    }
}

static void add_sentences(const page_t *page, const apr_array_header_t *list)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        add_sentence(page, LBS_OUTLINE_AT(list, i, const char *));
    }
}

static const char *join(const page_t *page, const char *a, const char *b)
{
    return *a == '\0' ? b : apr_pstrcat(page->pool, a, ", ", b, NULL);
}

static const char *why_of(const page_t *page, const lbs_outlook_row_t *row)
{
    const char *why = row->is_new ? "new" : "";
    int reason;

    if (row->anew != 0) {
        why = join(page, why, row->lost);
    }
    if (row->refused != 0) {
        why = join(page, why, "refused");
    }
    for (reason = 0; reason < LBS_REASONS; reason++) {
        if (row->moved[reason] != 0) {
            why = join(page, why, lbs_reason_name((lbs_reason_t)reason));
        }
    }
    if (row->drains) {
        why = join(page, why, "drains");
        why = row->left == 0
                  ? why
                  : apr_psprintf(
                      page->pool, "%s, %" APR_TIME_T_FMT " s are left", why,
                      apr_time_sec(row->left + APR_USEC_PER_SEC - 1));
    }
    if (row->was_gone) {
        why = apr_pstrcat(page->pool, *why != '\0' ? why : "removed",
                          " already", NULL);
    }
    return why;
}

#define NUMBER "%9" APR_UINT64_T_FMT
#define COUNTS NUMBER NUMBER NUMBER NUMBER

static void add_row(const page_t *page, int width, const char *member,
                    const lbs_outlook_row_t *row)
{
    const char *why = why_of(page, row);

    add(page, apr_psprintf(page->pool, "    %-*s  " COUNTS "%s%s\n", width,
                           member, sessions(row), row->stay, moving(row),
                           row->wait, *why != '\0' ? "  " : "", why));
}

static int width_of(const lbs_outlook_pool_t *pool)
{
    apr_size_t width = strlen("member");
    int i;

    for (i = 0; i < pool->rows->nelts; i++) {
        apr_size_t n =
            strlen(LBS_OUTLINE_AT(pool->rows, i, lbs_outlook_row_t *)->member);

        width = n > width ? n : width;
    }
    return (int)width;
}

static void add_pool(const page_t *page, const lbs_outlook_pool_t *pool)
{
    int width = width_of(pool);
    lbs_outlook_row_t all;
    int i;

    memset(&all, 0, sizeof(all));
    add(page, apr_psprintf(page->pool, "\nbalancer://%s of %s\n", pool->name,
                           pool->vhost));
    add(page, apr_psprintf(page->pool, "    %-*s  %9s%9s%9s%9s  why\n", width,
                           "member", "sessions", "stay", "move", "wait"));
    for (i = 0; i < pool->rows->nelts; i++) {
        const lbs_outlook_row_t *row =
            LBS_OUTLINE_AT(pool->rows, i, lbs_outlook_row_t *);

        add_row(page, width, row->member, row);
        all.stay += row->stay;
        all.wait += row->wait;
        all.anew += moving(row);
    }
    all.lost = "";
    add_row(page, width, "all", &all);
    add_sentences(page, pool->notes);
}

static void add_end(const page_t *page, const lbs_outlook_t *outlook)
{
    apr_uint64_t anyway = sum_up(outlook, moving_anyway);

    if (anyway != 0) {
        lbs_outlook_say(
            outlook->notes,
            apr_psprintf(page->pool,
                         "%" APR_UINT64_T_FMT " of the sessions that would "
                         "move would do so without any change, too: their "
                         "members are down, ejected, drained or removed "
                         "already",
                         anyway));
    }
    if (outlook->notes->nelts != 0) {
        add(page, "\nAll of it\n");
        add_sentences(page, outlook->notes);
    }
    add(page, "\nWhat httpd -t cannot know\n");
    add_sentences(page, outlook->unknown);
    add(page, apr_psprintf(page->pool,
                           "\n%" APR_UINT64_T_FMT " sessions would move.\n",
                           sum_up(outlook, moving)));
}

const char *lbs_outlook_text(const lbs_outlook_t *outlook, apr_pool_t *pool)
{
    page_t page = {apr_array_make(pool, 64, sizeof(const char *)), pool};
    int i;

    add(&page, apr_psprintf(pool,
                            "Preview of a reload, with the sessions of %s,\n"
                            "written %" APR_TIME_T_FMT " s ago\n",
                            outlook->path, apr_time_sec(outlook->age)));
    for (i = 0; i < outlook->pools->nelts; i++) {
        add_pool(&page,
                 LBS_OUTLINE_AT(outlook->pools, i, lbs_outlook_pool_t *));
    }
    add_end(&page, outlook);
    return apr_array_pstrcat(pool, page.lines, '\0');
}

const char *lbs_outlook_text_unknown(const char *reason, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "It is not known how many sessions would move: ",
                       reason, "\n", NULL);
}
