/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_words.h - directives that are lists of words: LBSticky and
 * LBStickyForeign. */
#ifndef LBS_WORDS_H
#define LBS_WORDS_H

#include <httpd.h>
#include <http_config.h>

#include "src/httpd/config/lbs_settings.h"

/**
 * Read the arguments of LBSticky.
 *
 * @param set  zeroed; out
 * @return NULL; or the sentence that refuses
 */
const char *lbs_words_sticky(cmd_parms *cmd, int argc, char *const argv[],
                             lbs_set_sticky_t *set);

/** The same for LBStickyRegister, without `off`. @param set  the defaults;
 * out */
const char *lbs_words_register(cmd_parms *cmd, int argc, char *const argv[],
                               lbs_set_register_t *set);

/** The same for LBStickyDiscover. @param set  the defaults; out */
const char *lbs_words_discover(cmd_parms *cmd, int argc, char *const argv[],
                               lbs_set_discover_t *set);

/** The same for LBStickyForeign. */
const char *lbs_words_foreign(cmd_parms *cmd, int argc, char *const argv[],
                              lbs_set_foreign_t *set);

#endif
