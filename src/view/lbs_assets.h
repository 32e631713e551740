/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_assets.h - the files that the page needs beside itself.
 *
 * They are compiled in from src/view/assets, so the module is one file and
 * page, style and script are always of the same version.
 */
#ifndef LBS_ASSETS_H
#define LBS_ASSETS_H

typedef struct lbs_asset_t {
    const char *name; /* "app.js" */
    const char *type; /* for Content-Type */
    const char *data;
    const char *end; /* behind the last byte */
} lbs_asset_t;

/** @return the file of that name; NULL when there is none */
const lbs_asset_t *lbs_asset_find(const char *name);

#endif
