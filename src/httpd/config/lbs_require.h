/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_require.h - the modules that this one needs. */
#ifndef LBS_REQUIRE_H
#define LBS_REQUIRE_H

#include <httpd.h>

/**
 * Are the modules loaded that the configuration needs? Checked only where
 * LBSticky has a value other than `off`. Each missing module is logged with
 * the LoadModule line to add.
 *
 * Called in pre_config: all LoadModule lines are read then, wherever they
 * stand, and no directive of a missing module has been refused yet.
 *
 * @return OK; or an HTTP status, and httpd must not start
 */
int lbs_require_modules(apr_pool_t *ptemp);

/** @return 1 when the configuration that was read says LBSticky anywhere,
 * and more than `off` */
int lbs_require_is_used(void);

#endif
