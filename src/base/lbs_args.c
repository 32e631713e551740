/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_args.c - see lbs_args.h. */
#include "src/base/lbs_args.h"

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "src/base/lbs_text.h"

/* The other words that a value may be, for the sentence. */
static const char *or_words(lbs_arg_kind_t kind)
{
    switch (kind) {
    case LBS_ARG_DURATION_OFF:
        return ", or off";
    case LBS_ARG_DURATION_AUTO:
    case LBS_ARG_STATUSES_AUTO:
        return ", auto or off";
    default:
        return "";
    }
}

/* @param edge  the least or the greatest that is taken */
static const char *want_bound(apr_pool_t *pool, const lbs_arg_t *arg,
                              const char *which, apr_int64_t edge)
{
    char text[LBS_TEXT_DURATION_LEN];

    lbs_text_duration_write(text, edge);
    return apr_pstrcat(pool, "a duration of at ", which, " ", text,
                       or_words(arg->kind), NULL);
}

static const char *check_bounds(apr_pool_t *pool, const lbs_arg_t *arg,
                                apr_int64_t usec)
{
    if (usec < arg->min) {
        return want_bound(pool, arg, "least", arg->min);
    }
    if (arg->max != 0 && usec > arg->max) {
        return want_bound(pool, arg, "most", arg->max);
    }
    return NULL;
}

static const char *read_duration(apr_pool_t *pool, const char *value,
                                 const lbs_arg_t *arg, apr_int64_t *out)
{
    const char *wanted;
    apr_int64_t usec;

    if (arg->kind != LBS_ARG_DURATION && apr_cstr_casecmp(value, "off") == 0) {
        *out = 0;
        return NULL;
    }
    if (arg->kind == LBS_ARG_DURATION_AUTO
        && apr_cstr_casecmp(value, "auto") == 0) {
        *out = -1;
        return NULL;
    }
    wanted = lbs_text_duration(value, &usec);
    if (wanted != NULL) {
        return apr_pstrcat(pool, wanted, or_words(arg->kind), NULL);
    }
    wanted = check_bounds(pool, arg, usec);
    if (wanted == NULL) {
        *out = usec;
    }
    return wanted;
}

static const char *read_range(apr_pool_t *pool, const char *value,
                              const lbs_arg_t *arg, apr_int64_t *out)
{
    apr_int64_t from, to;
    const char *wanted = lbs_text_durations(value, &from, &to);

    if (wanted == NULL) {
        wanted = check_bounds(pool, arg, from);
    }
    if (wanted == NULL) {
        wanted = check_bounds(pool, arg, to);
    }
    if (wanted == NULL) {
        out[0] = from;
        out[1] = to;
    }
    return wanted;
}

static const char *read_uint(apr_pool_t *pool, const char *value,
                             const lbs_arg_t *arg, apr_uint32_t *out)
{
    int may_be_auto = arg->kind == LBS_ARG_UINT_AUTO;
    apr_uint64_t number;

    if (may_be_auto && apr_cstr_casecmp(value, "auto") == 0) {
        *out = APR_UINT32_MAX;
        return NULL;
    }
    if (lbs_text_uint(value, (apr_uint64_t)arg->min, (apr_uint64_t)arg->max,
                      &number)
        != NULL) {
        return apr_psprintf(pool,
                            "a whole number from %" APR_INT64_T_FMT
                            " to %" APR_INT64_T_FMT "%s",
                            arg->min, arg->max,
                            may_be_auto ? ", or auto" : "");
    }
    *out = (apr_uint32_t)number;
    return NULL;
}

static const char *read_centi(apr_pool_t *pool, const char *value,
                              const lbs_arg_t *arg, apr_uint32_t *out)
{
    if (lbs_text_centi(value, (apr_uint32_t)arg->min, (apr_uint32_t)arg->max,
                       out)
        != NULL) {
        return apr_psprintf(pool,
                            "a number from %d.%02d to %d.%02d with at most "
                            "two decimals",
                            (int)arg->min / 100, (int)arg->min % 100,
                            (int)arg->max / 100, (int)arg->max % 100);
    }
    return NULL;
}

static int word_index(const char *const *words, const char *p, apr_size_t n)
{
    int i;

    for (i = 0; words[i] != NULL; i++) {
        if (strlen(words[i]) == n && apr_cstr_casecmpn(words[i], p, n) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *list_words(apr_pool_t *pool, const char *lead,
                              const char *const *words, const char *glue)
{
    const char *text = lead;
    int i;

    for (i = 0; words[i] != NULL; i++) {
        text = apr_pstrcat(pool, text, i == 0 ? "" : glue, words[i], NULL);
    }
    return text;
}

static const char *read_word(apr_pool_t *pool, const char *value,
                             const lbs_arg_t *arg, apr_uint32_t *out)
{
    int i = word_index(arg->words, value, strlen(value));

    if (i < 0) {
        return list_words(pool, "one of ", arg->words, ", ");
    }
    *out = (apr_uint32_t)i;
    return NULL;
}

static const char *read_words(apr_pool_t *pool, const char *value,
                              const lbs_arg_t *arg, apr_uint32_t *out)
{
    apr_uint32_t set = 0;
    const char *p = value;

    for (;;) {
        apr_size_t n = strcspn(p, ",");
        int i = word_index(arg->words, p, n);

        if (i < 0) {
            return list_words(pool, "a comma list of ", arg->words, ",");
        }
        set |= 1u << i;
        if (p[n] == '\0') {
            break;
        }
        p += n + 1;
    }
    *out = set;
    return NULL;
}

static const char *read_text(apr_pool_t *pool, const char *value,
                             const char **out)
{
    const char *p;

    for (p = value; *p != '\0'; p++) {
        if (apr_iscntrl(*p)) {
            return "a text without control characters";
        }
    }
    if (p == value) {
        return "a value";
    }
    *out = apr_pstrdup(pool, value);
    return NULL;
}

static const char *read_statuses(apr_pool_t *pool, const char *value,
                                 lbs_statuses_auto_t *out)
{
    lbs_statuses_auto_t read = {.is_auto = 0};
    const char *wanted = NULL;

    if (apr_cstr_casecmp(value, "auto") == 0) {
        read.is_auto = 1;
    }
    else if (apr_cstr_casecmp(value, "off") != 0) {
        wanted = lbs_text_statuses(value, &read.listed);
    }
    if (wanted != NULL) {
        return apr_pstrcat(pool, wanted, or_words(LBS_ARG_STATUSES_AUTO),
                           NULL);
    }
    *out = read;
    return NULL;
}

static const char *read_value(apr_pool_t *pool, const char *value,
                              const lbs_arg_t *arg, void *field)
{
    switch (arg->kind) {
    case LBS_ARG_DURATION:
    case LBS_ARG_DURATION_OFF:
    case LBS_ARG_DURATION_AUTO:
        return read_duration(pool, value, arg, field);
    case LBS_ARG_RANGE:
        return read_range(pool, value, arg, field);
    case LBS_ARG_SWITCH:
        return lbs_text_switch(value, field);
    case LBS_ARG_SIZE:
        return lbs_text_size(value, field);
    case LBS_ARG_UINT:
    case LBS_ARG_UINT_AUTO:
        return read_uint(pool, value, arg, field);
    case LBS_ARG_PERCENT:
        return lbs_text_percent(value, field);
    case LBS_ARG_CENTI:
        return read_centi(pool, value, arg, field);
    case LBS_ARG_STATUSES:
        return lbs_text_statuses(value, field);
    case LBS_ARG_STATUSES_AUTO:
        return read_statuses(pool, value, field);
    case LBS_ARG_WORDS:
        return read_words(pool, value, arg, field);
    case LBS_ARG_WORD:
        return read_word(pool, value, arg, field);
    case LBS_ARG_TEXT:
        return read_text(pool, value, field);
    }
    return "another kind of value";
}

static const lbs_arg_t *find_key(const lbs_arg_t *table, const char *word,
                                 const char *equals, unsigned *index)
{
    apr_size_t n = (apr_size_t)(equals - word);

    for (*index = 0; table[*index].key != NULL; ++*index) {
        if (strlen(table[*index].key) == n
            && apr_cstr_casecmpn(table[*index].key, word, n) == 0) {
            return &table[*index];
        }
    }
    return NULL;
}

static const char *list_keys(apr_pool_t *pool, const lbs_arg_t *table)
{
    const char *text = "";
    int i;

    for (i = 0; table[i].key != NULL; i++) {
        text = apr_pstrcat(pool, text, i == 0 ? "" : ", ", table[i].key, "=",
                           NULL);
    }
    return text;
}

const char *lbs_args_read(apr_pool_t *pool, const char *directive,
                          const lbs_arg_t *table, int argc,
                          const char *const *argv, void *into)
{
    apr_uint32_t given = 0;
    int i;

    for (i = 0; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        const lbs_arg_t *arg = NULL;
        const char *wanted;
        unsigned index = 0;

        if (equals != NULL) {
            arg = find_key(table, argv[i], equals, &index);
        }
        if (arg == NULL) {
            return apr_psprintf(pool,
                                "%s: \"%s\" is not known here; wanted "
                                "key=value with %s",
                                directive, argv[i], list_keys(pool, table));
        }
        if (given & (1u << index)) {
            return apr_psprintf(pool, "%s: \"%s\" comes twice; write it once",
                                directive, arg->key);
        }
        given |= 1u << index;
        wanted = read_value(pool, equals + 1, arg, (char *)into + arg->offset);
        if (wanted != NULL) {
            return apr_psprintf(pool, "%s: \"%s\": %s wants %s", directive,
                                argv[i], arg->key, wanted);
        }
    }
    return NULL;
}
