/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_form.h - fields of a form or a query string.
 *
 * application/x-www-form-urlencoded as browsers and curl send it. Strict,
 * because it changes servers: a broken escape, a NUL, a field without a name
 * or one that comes twice is refused, not guessed at.
 */
#ifndef LBS_FORM_H
#define LBS_FORM_H

#include <apr_errno.h>
#include <apr_pools.h>

#define LBS_FORM_BYTES 65536 /* most that a form may have */
#define LBS_FORM_FIELDS 32   /* likewise */

typedef struct lbs_form_field_t {
    const char *name; /* decoded */
    const char *value;
} lbs_form_field_t;

typedef struct lbs_form_t {
    int count;
    lbs_form_field_t fields[LBS_FORM_FIELDS];
} lbs_form_t;

/**
 * Take a form apart. Cost: linear in len; memory: at most twice len and the
 * table of fields.
 *
 * @param data  any bytes; copied where needed
 * @param form  out: the caller's; all strings live in the pool
 * @return NULL; else what is wrong, a phrase like "the field x comes twice";
 *         form is then not to be used
 */
const char *lbs_form_parse(lbs_form_t *form, apr_pool_t *pool,
                           const char *data, apr_size_t len);

/** @return the value of a field, NULL when the form does not have it */
const char *lbs_form_get(const lbs_form_t *form, const char *name);

#endif
