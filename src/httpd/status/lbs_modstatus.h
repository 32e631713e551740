/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_modstatus.h - a section of mod_status's page, and its ?auto form. */
#ifndef LBS_MODSTATUS_H
#define LBS_MODSTATUS_H

/** Hook into mod_status, whether it is loaded or not. */
void lbs_modstatus_register(void);

#endif
