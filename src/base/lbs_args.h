/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_args.h - a directive's key=value arguments, checked against a table.
 *
 * Every directive that takes keys describes them in one static table; this
 * file turns the words of the administrator into a filled struct, or into one
 * sentence that names the word, what was wanted and what to write instead.
 * Keys and words are read without regard to case, as httpd does.
 */
#ifndef LBS_ARGS_H
#define LBS_ARGS_H

#include <apr.h>
#include <apr_pools.h>

typedef enum lbs_arg_kind_t {
    LBS_ARG_DURATION,      /* apr_int64_t, microseconds */
    LBS_ARG_DURATION_OFF,  /* the same; `off` is 0 */
    LBS_ARG_DURATION_AUTO, /* the same; `off` is 0, `auto` is -1 */
    LBS_ARG_RANGE,         /* two apr_int64_t, microseconds: MIN-MAX */
    LBS_ARG_SWITCH,        /* int: `on` is 1, `off` is 0 */
    LBS_ARG_SIZE,          /* apr_uint64_t, bytes */
    LBS_ARG_UINT,          /* apr_uint32_t from min to max */
    LBS_ARG_UINT_AUTO,     /* the same; `auto` is APR_UINT32_MAX */
    LBS_ARG_PERCENT,       /* apr_uint32_t from 0 to 100, `%` or not */
    LBS_ARG_CENTI, /* apr_uint32_t, hundredths, from min to max hundredths */
    LBS_ARG_STATUSES,      /* lbs_statuses_t */
    LBS_ARG_STATUSES_AUTO, /* lbs_statuses_auto_t; `off`, `auto` */
    LBS_ARG_WORDS,         /* apr_uint32_t: bit i for words[i]; a comma list */
    LBS_ARG_WORD,          /* apr_uint32_t: the index of one of words[] */
    LBS_ARG_TEXT           /* const char *, not empty, no control characters */
} lbs_arg_kind_t;

typedef struct lbs_arg_t {
    const char *key; /* NULL ends a table */
    lbs_arg_kind_t kind;
    apr_size_t offset;        /* of the field in the struct that is filled */
    apr_int64_t min;          /* least value, in the field's unit */
    apr_int64_t max;          /* greatest value; 0: none */
    const char *const *words; /* NULL-terminated, for WORDS and WORD */
} lbs_arg_t;

/**
 * Read the arguments of a directive into a struct.
 *
 * Cost: arguments times keys; called while the configuration is read.
 *
 * @param pool  for values that are kept and for the sentence
 * @param directive  its name, for the sentence
 * @param table  the keys it knows, at most 32, ended by a NULL key
 * @param argc  number of arguments, 1 or more
 * @param argv  `key=value` words
 * @param into  the struct; keys not given keep what it holds
 * @return NULL; or what is wrong, naming directive, argument and remedy. The
 *         struct may then be half filled: throw it away.
 */
const char *lbs_args_read(apr_pool_t *pool, const char *directive,
                          const lbs_arg_t *table, int argc,
                          const char *const *argv, void *into);

#endif
