/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_args.c - see lbs_args.h. */
#include "src/base/lbs_args.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "src/base/lbs_text.h"

static const char *read_duration(const char *value, const lbs_arg_t *arg,
                                 apr_int64_t *out)
{
    const char *wanted;
    apr_int64_t usec;

    if (arg->kind != LBS_ARG_DURATION && strcmp(value, "off") == 0) {
        *out = 0;
        return NULL;
    }
    if (arg->kind == LBS_ARG_DURATION_AUTO && strcmp(value, "auto") == 0) {
        *out = -1;
        return NULL;
    }
    wanted = lbs_text_duration(value, &usec);
    if (wanted != NULL) {
        return wanted;
    }
    if (usec < arg->min) {
        return "a longer duration";
    }
    if (arg->max != 0 && usec > arg->max) {
        return "a shorter duration";
    }
    *out = usec;
    return NULL;
}

static int word_index(const char *const *words, const char *p, apr_size_t n)
{
    int i;

    for (i = 0; words[i] != NULL; i++) {
        if (strlen(words[i]) == n && memcmp(words[i], p, n) == 0) {
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

static const char *read_value(apr_pool_t *pool, const char *value,
                              const lbs_arg_t *arg, void *field)
{
    switch (arg->kind) {
    case LBS_ARG_DURATION:
    case LBS_ARG_DURATION_OFF:
    case LBS_ARG_DURATION_AUTO:
        return read_duration(value, arg, field);
    case LBS_ARG_RANGE:
        return lbs_text_durations(value, field, (apr_int64_t *)field + 1);
    case LBS_ARG_SWITCH:
        return lbs_text_switch(value, field);
    case LBS_ARG_SIZE:
        return lbs_text_size(value, field);
    case LBS_ARG_UINT: {
        apr_uint64_t number;
        const char *wanted = lbs_text_uint(value, (apr_uint64_t)arg->min,
                                           (apr_uint64_t)arg->max, &number);

        if (wanted == NULL) {
            *(apr_uint32_t *)field = (apr_uint32_t)number;
            return NULL;
        }
        return apr_psprintf(pool,
                            "a whole number from %" APR_INT64_T_FMT
                            " to %" APR_INT64_T_FMT,
                            arg->min, arg->max);
    }
    case LBS_ARG_CENTI:
        return lbs_text_centi(value, (apr_uint32_t)arg->min,
                              (apr_uint32_t)arg->max, field);
    case LBS_ARG_STATUSES:
        return lbs_text_statuses(value, field);
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
            && memcmp(table[*index].key, word, n) == 0) {
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
