/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_form.c - the forms of /admin, and the queries of the page. */
#include <stdio.h>

#include "fuzz/input.h"
#include "src/view/lbs_change.h"
#include "src/view/lbs_escape.h"
#include "src/view/lbs_form.h"
#include "src/view/lbs_query.h"

/* What was taken apart and is put together again is the same form. */
static void round_trip(apr_pool_t *pool, const lbs_form_t *form)
{
    lbs_form_t again;
    char *text = apr_palloc(pool, 4 * LBS_FORM_BYTES);
    char *at = text;
    int i;

    for (i = 0; i < form->count; i++) {
        const char *name = lbs_escape_url(pool, form->fields[i].name);
        const char *value = lbs_escape_url(pool, form->fields[i].value);

        at += sprintf(at, "%s%s=%s", i > 0 ? "&" : "", name, value);
    }
    if (at - text > LBS_FORM_BYTES) {
        return;
    }
    must(lbs_form_parse(&again, pool, text, (apr_size_t)(at - text)) == NULL);
    must(again.count == form->count);
    for (i = 0; i < form->count; i++) {
        must(strcmp(form->fields[i].name, again.fields[i].name) == 0);
        must(strcmp(form->fields[i].value, again.fields[i].value) == 0);
    }
}

/* Every link the page writes says the same as the query it was made of. */
static void same_link(apr_pool_t *pool, const lbs_form_t *form)
{
    lbs_query_t query, again;
    lbs_form_t second;
    const char *link;

    lbs_query_read(&query, form);
    link = lbs_query_link(pool, &query);
    link += *link == '?';
    if (strlen(link) > LBS_FORM_BYTES) {
        return;
    }
    must(lbs_form_parse(&second, pool, link, strlen(link)) == NULL);
    lbs_query_read(&again, &second);
    must(query.sort == again.sort && query.page == again.page);
    must(query.state == again.state && query.span == again.span);
    must(strcmp(query.find, again.find) == 0);
    must(strcmp(lbs_query_link(pool, &again), lbs_query_link(pool, &query))
         == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = input_pool();
    lbs_change_t change;
    lbs_form_t form;

    if (lbs_form_parse(&form, pool, (const char *)data, size) == NULL) {
        round_trip(pool, &form);
        same_link(pool, &form);
        if (lbs_change_check(pool, &form, &change) == NULL) {
            must(change.weight_centi <= 10000);
            must(change.pool[0] != '\0' && change.member[0] != '\0');
        }
    }
    return 0;
}
