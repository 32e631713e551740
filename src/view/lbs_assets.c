/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_assets.c - the files that the page needs beside itself.
 *
 * The assembler puts the files in as they are; the C language of today has no
 * way to say that. Their paths are from the root of the sources, where the
 * compiler is started.
 */
#include "src/view/lbs_assets.h"

#include <string.h>

#include <apr.h>

/* Hidden, so that other modules do not see them, but not local: with
 * link-time optimization this text and the table below may part ways. */
#define ASSET(from, to, file)                                                 \
    __asm__(".pushsection .rodata\n"                                          \
            ".globl " #from "\n.hidden " #from "\n"                           \
            ".globl " #to "\n.hidden " #to "\n" #from ":\n"                   \
            ".incbin \"src/view/assets/" file "\"\n" #to ":\n"                \
            ".popsection\n");                                                 \
    extern const char from[], to[]

ASSET(lbs_asset_app, lbs_asset_app_end, "app.js");
ASSET(lbs_asset_icon, lbs_asset_icon_end, "icon.svg");
ASSET(lbs_asset_parts, lbs_asset_parts_end, "parts.css");
ASSET(lbs_asset_signs, lbs_asset_signs_end, "signs.svg");
ASSET(lbs_asset_style, lbs_asset_style_end, "style.css");

static const lbs_asset_t assets[] = {
    {"app.js", "text/javascript; charset=utf-8", lbs_asset_app,
     lbs_asset_app_end},
    {"icon.svg", "image/svg+xml", lbs_asset_icon, lbs_asset_icon_end},
    {"parts.css", "text/css; charset=utf-8", lbs_asset_parts,
     lbs_asset_parts_end},
    {"signs.svg", "image/svg+xml", lbs_asset_signs, lbs_asset_signs_end},
    {"style.css", "text/css; charset=utf-8", lbs_asset_style,
     lbs_asset_style_end},
};

const lbs_asset_t *lbs_asset_find(const char *name)
{
    apr_size_t i;

    for (i = 0; i < sizeof(assets) / sizeof(*assets); i++) {
        if (strcmp(assets[i].name, name) == 0) {
            return &assets[i];
        }
    }
    return NULL;
}
