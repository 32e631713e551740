/* SPDX-License-Identifier: Apache-2.0 */
/* forget.c - a jansson without memory for one member: loaded before it into an
 * httpd, it fails to write the object whose route stands in the file
 * LBS_FORGET, as it would if an allocation failed. Without the file it writes
 * everything.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int dump_t(const json_t *, json_dump_callback_t, void *, size_t);

static int is_forgotten(const char *route)
{
    const char *path = getenv("LBS_FORGET");
    char text[32] = "";
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0) {
        return 0;
    }
    if (read(fd, text, sizeof(text) - 1) < 0) {
        text[0] = '\0';
    }
    close(fd);
    return strcmp(text, route) == 0;
}

__attribute__((visibility("default"))) int json_dump_callback(
    const json_t *json, json_dump_callback_t callback, void *data,
    size_t flags)
{
    const char *route = json_string_value(json_object_get(json, "route"));
    dump_t *dump;

    if (route != NULL && is_forgotten(route)) {
        return -1;
    }
    /* ISO C has no cast from an object to a function. */
    *(void **)&dump = dlsym(RTLD_NEXT, "json_dump_callback");
    return dump(json, callback, data, flags);
}
