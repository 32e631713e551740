/* SPDX-License-Identifier: Apache-2.0 */
/* forget.c - a jansson without memory for one member: loaded before it into an
 * httpd, it fails to write the object whose route stands in the file
 * LBS_FORGET, as it would if an allocation failed. Without the file it writes
 * everything.
 */
#include <dlfcn.h>
#include <jansson.h>
#include <string.h>

#include "t/preload/told.h"

typedef size_t dumpb_t(const json_t *, char *, size_t, size_t);

static int is_forgotten(const char *route)
{
    char text[LBS_TOLD_LEN];

    return lbs_told("LBS_FORGET", text) && strcmp(text, route) == 0;
}

__attribute__((visibility("default"))) size_t json_dumpb(const json_t *json,
                                                         char *buffer,
                                                         size_t size,
                                                         size_t flags)
{
    const char *route = json_string_value(json_object_get(json, "route"));
    dumpb_t *dumpb;

    if (route != NULL && is_forgotten(route)) {
        return 0;
    }
    /* ISO C has no cast from an object to a function. */
    *(void **)&dumpb = dlsym(RTLD_NEXT, "json_dumpb");
    return dumpb(json, buffer, size, flags);
}
