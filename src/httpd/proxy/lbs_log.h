/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_log.h - how this module logs.
 *
 * Every message has a number of its own: LBSNO(1203) puts "LBS1203: " before
 * the text, and docs/messages.md explains it. src/httpd has 1000 to 1999 and
 * 3000 to 3999, src/status 2000 to 2999, a block of 100 for each file.
 */
#ifndef LBS_LOG_H
#define LBS_LOG_H

#include <httpd.h>
#include <http_log.h>

APLOG_USE_MODULE(lbsticky);

#define LBSNO(n) "LBS" #n ": "

#endif
