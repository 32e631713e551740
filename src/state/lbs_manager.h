/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_manager.h - keeping step with mod_proxy's own record of a member.
 *
 * balancer-manager changes mod_proxy's record without notice, so one process
 * looks at the record at every tick. It must not mistake this module's change,
 * not yet written there, for one made there; nor believe a value that stands
 * there for a moment while a restart copies the configuration over it. So it
 * remembers the value that was written last, and another value counts when it
 * is found twice.
 */
#ifndef LBS_MANAGER_H
#define LBS_MANAGER_H

#include "src/state/lbs_admin.h"

/**
 * Compare, and take over a change made in balancer-manager: through
 * lbs_admin_apply(), so it becomes an override and an event. One process, at
 * every tick.
 *
 * @param shown  the values in mod_proxy's record now
 * @param want  out, when 1 is returned: the values it should have
 * @return 1: write *want into the record, then call lbs_manager_wrote();
 *         0: nothing to do
 */
int lbs_manager_follow(lbs_registry_t *reg, apr_uint32_t slot,
                       const lbs_admin_values_t *shown, const lbs_clock_t *now,
                       lbs_admin_values_t *want);

/**
 * These values were just written into mod_proxy's record, by
 * lbs_manager_follow()'s order or after lbs_admin_reconcile().
 */
void lbs_manager_wrote(lbs_registry_t *reg, apr_uint32_t slot,
                       const lbs_admin_values_t *values);

#endif
