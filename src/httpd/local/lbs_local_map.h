/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_local_map.h - map a request that ProxyPass took to this httpd's own
 * files and handlers.
 *
 * By the time map_to_storage runs, mod_proxy has written proxy:balancer://...
 * into the request. Here that is taken back, and the URL is translated once
 * more as if there were no ProxyPass. The result may be kept, and then the
 * core's own map_to_storage walks the directories as for any request; or it is
 * undone, and the request goes to the pool as if nothing had been.
 */
#ifndef LBS_LOCAL_MAP_H
#define LBS_LOCAL_MAP_H

#include <httpd.h>

/* The request as it was; for lbs_local_map_undo(). */
typedef struct lbs_local_map_t {
    request_rec before;
} lbs_local_map_t;

/**
 * Is the URL that a member would be sent the URL that the client sent? If a
 * ProxyPass with a path or a rewriting is between them, a member's answer and
 * this httpd's file for the client's URL are two things.
 */
int lbs_local_map_is_same(const request_rec *r);

/**
 * Translate the URL without mod_proxy.
 *
 * Cost: copies of three tables and a run of the translate_name hooks.
 *
 * @param undo  out: always filled
 * @return OK: r->filename and r->handler are those of this httpd; DECLINED:
 *         another rule sends it to a proxy all the same; or the HTTP status
 *         that a rule of this server answers, a redirect for example. Unless
 *         that answer is wanted, lbs_local_map_undo() is due after all but OK
 */
int lbs_local_map_map(request_rec *r, lbs_local_map_t *undo);

/** Put the request back as mod_proxy had it. */
void lbs_local_map_undo(request_rec *r, const lbs_local_map_t *undo);

#endif
