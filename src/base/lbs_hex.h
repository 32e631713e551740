/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hex.h - numbers as lower case hex digits, of a fixed width. */
#ifndef LBS_HEX_H
#define LBS_HEX_H

#include <apr.h>

/** Write the lowest digits of a number; no byte behind them. */
static inline void lbs_hex_put(char *to, int digits, apr_uint64_t value)
{
    while (digits-- > 0) {
        to[digits] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

/**
 * Read digits. Reads none behind the first that is wrong.
 *
 * @param digits  16 at most
 * @param value   out; written only when all are good
 * @return 1; 0: one is no lower case hex digit
 */
static inline int lbs_hex_get(const char *from, int digits,
                              apr_uint64_t *value)
{
    apr_uint64_t found = 0;

    for (; digits > 0; digits--, from++) {
        if (*from >= '0' && *from <= '9') {
            found = found << 4 | (apr_uint64_t)(*from - '0');
        }
        else if (*from >= 'a' && *from <= 'f') {
            found = found << 4 | (apr_uint64_t)(*from - 'a' + 10);
        }
        else {
            return 0;
        }
    }
    *value = found;
    return 1;
}

#endif
