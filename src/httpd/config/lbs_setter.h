/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_setter.h - shared by the setters of all directives: the sentence that
 * refuses, and the place where a value is hung.
 *
 * httpd prints the sentence below "Syntax error on line N of FILE:"; it names
 * the directive, the value and the values allowed.
 */
#ifndef LBS_SETTER_H
#define LBS_SETTER_H

#include <httpd.h>
#include <http_config.h>

#include "src/base/lbs_args.h"

/**
 * The sentence that refuses a value.
 *
 * @param value  the value written; "" when there was none
 * @param wanted  completes "wanted ..."
 */
const char *lbs_setter_wants(cmd_parms *cmd, const char *value,
                             const char *wanted);

/**
 * Where the directive stands, for checks that need the whole configuration:
 * httpd names the line only when a setter refuses.
 *
 * @return "line N of FILE", from the configuration's pool
 */
const char *lbs_setter_where(const cmd_parms *cmd);

/** @return 1 when the only argument is this word, in any case */
int lbs_setter_is_only(int argc, char *const argv[], const char *word);

/**
 * Read key=value arguments; without any, the row's own help is the sentence.
 *
 * @param table, into  as for lbs_args_read()
 * @return NULL; or the sentence
 */
const char *lbs_setter_read(cmd_parms *cmd, const lbs_arg_t *table, int argc,
                            char *const argv[], void *into);

/**
 * Read the only argument `on` or `off`.
 *
 * @param set  out: 1 or 0, allocated from the configuration's pool
 * @return NULL; or the sentence
 */
const char *lbs_setter_switch(cmd_parms *cmd, int argc, char *const argv[],
                              int **set);

/**
 * Hang a setter's struct where the directive stands: in the settings of the
 * <Proxy "balancer://..."> section, else of the server; there in the field
 * whose offset the directive's row has as its data.
 *
 * @param error  of the setter so far: passed through, nothing is hung
 * @return NULL; or the sentence: also for a section of any other kind
 */
const char *lbs_setter_hang(cmd_parms *cmd, const char *error,
                            const void *value);

/** @return NULL in the main server; in a virtual host, the sentence */
const char *lbs_setter_main_only(cmd_parms *cmd);

#endif
