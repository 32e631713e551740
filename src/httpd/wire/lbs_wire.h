/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire.h - puts this module's filters on the connections that mod_proxy
 * opens for its attempts, and reads what scheme modules write into the error
 * log about those that it opens where no filter sees them.
 */
#ifndef LBS_WIRE_H
#define LBS_WIRE_H

/** Register the filters and the hooks. Once, in register_hooks. */
void lbs_wire_register(void);

#endif
