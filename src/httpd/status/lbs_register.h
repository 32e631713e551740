/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_register.h - /register: members announce themselves. */
#ifndef LBS_REGISTER_H
#define LBS_REGISTER_H

#include <httpd.h>

/** Serve /register. @return for the handler to return */
int lbs_register_serve(request_rec *r);

#endif
