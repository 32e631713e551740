/* SPDX-License-Identifier: Apache-2.0 */
#include "src/view/lbs_assets.h"
#include "t/unit/tap.h"

#include <stdio.h>

/* The file as it lies in the tree, in `text`; its length, or -1. */
static long read_file(const char *name, char *text, size_t room)
{
    char path[100];
    FILE *file;
    size_t n;

    (void)snprintf(path, sizeof(path), "src/view/assets/%s", name);
    file = fopen(path, "rb");
    if (file == NULL) {
        return -1;
    }
    n = fread(text, 1, room, file);
    (void)fclose(file);
    return (long)n;
}

static void one(const char *name, const char *type)
{
    static char text[1 << 20];
    const lbs_asset_t *asset = lbs_asset_find(name);
    long n = read_file(name, text, sizeof(text));

    ok(asset != NULL, "%s is there", name);
    if (asset == NULL) {
        return;
    }
    is_str(asset->type, type, "%s has its type", name);
    is_int(asset->end - asset->data, n, "%s has its length", name);
    ok(n > 0 && memcmp(asset->data, text, (size_t)n) == 0,
       "%s is compiled in byte for byte", name);
}

int main(void)
{
    one("app.js", "text/javascript; charset=utf-8");
    one("icon.svg", "image/svg+xml");
    one("signs.svg", "image/svg+xml");
    one("style.css", "text/css; charset=utf-8");
    one("parts.css", "text/css; charset=utf-8");
    ok(lbs_asset_find("app.js2") == NULL, "a longer name is another file");
    ok(lbs_asset_find("app.j") == NULL, "so is a shorter one");
    ok(lbs_asset_find("") == NULL, "an empty name is none");
    return done_testing();
}
