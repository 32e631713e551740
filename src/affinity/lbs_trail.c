/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_trail.c - see lbs_trail.h. */
#include "src/affinity/lbs_trail.h"

#include <string.h>

#include "src/base/lbs_bytes.h"
#include "src/base/lbs_hex.h"

#define TIME_LEN 8
#define MAC_LEN 16

_Static_assert(TIME_LEN + MAC_LEN == LBS_TRAIL_TAG, "layout");

/* From behind the last slash of the path: file name and query. */
static const char *end_of(const char *target)
{
    apr_size_t n = target != NULL ? strcspn(target, "?") : 0;

    while (n > 0 && target[n - 1] != '/') {
        n--;
    }
    return target != NULL ? target + n : "";
}

static apr_uint64_t sign(const lbs_hash_key_t *master,
                         const lbs_trail_about_t *about, apr_uint32_t made)
{
    const char *method = about->method != NULL ? about->method : "";
    const char *end = end_of(about->target);
    unsigned char head[16];
    lbs_hash_key_t key;

    lbs_hash_derive(&key, master, "trail");
    lbs_bytes_put64(head, about->pool);
    lbs_bytes_put64(head + 8, made);
    lbs_bytes_put64(head + 8, lbs_hash_two(&key, head, sizeof(head), method,
                                           strlen(method)));
    return lbs_hash_two(&key, head, sizeof(head), end, strlen(end));
}

typedef struct tag_t {
    apr_uint32_t made;
    apr_uint64_t mac;
} tag_t;

static int read_tag(const char *text, tag_t *tag)
{
    apr_uint64_t made;

    if (!lbs_hex_get(text, TIME_LEN, &made)
        || !lbs_hex_get(text + TIME_LEN, MAC_LEN, &tag->mac)) {
        return 0;
    }
    tag->made = (apr_uint32_t)made;
    return 1;
}

/* The last tags of a trail.
 * @return how many; the i-th of all that were there is tags[i % max] */
static apr_size_t read_tags(const char *text, tag_t *tags, apr_size_t max)
{
    static const char between[] = ", \t";
    apr_size_t count = 0;

    while (text != NULL && *(text += strspn(text, between)) != '\0') {
        apr_size_t n = strcspn(text, between);

        if (n == LBS_TRAIL_TAG && read_tag(text, &tags[count % max])) {
            count++;
        }
        text += n;
    }
    return count;
}

static char *put_tag(char *to, const tag_t *tag)
{
    lbs_hex_put(to, TIME_LEN, tag->made);
    lbs_hex_put(to + TIME_LEN, MAC_LEN, tag->mac);
    return to + LBS_TRAIL_TAG;
}

void lbs_trail_extend(char out[LBS_TRAIL_MAX + 1], const char *before,
                      const lbs_hash_key_t *key,
                      const lbs_trail_about_t *about, apr_uint32_t now)
{
    enum { KEPT = LBS_TRAIL_TAGS - 1 };
    tag_t tags[KEPT], own = {now, sign(key, about, now)};
    apr_size_t count = read_tags(before, tags, KEPT);
    apr_size_t i = count > KEPT ? count - KEPT : 0;

    for (; i < count; i++) {
        out = put_tag(out, &tags[i % KEPT]);
        *out++ = ',';
    }
    out = put_tag(out, &own);
    *out = '\0';
}

int lbs_trail_has(const char *text, const lbs_hash_key_t *key,
                  const lbs_trail_about_t *about, apr_uint32_t now)
{
    tag_t tags[LBS_TRAIL_TAGS];
    apr_size_t count = read_tags(text, tags, LBS_TRAIL_TAGS);
    apr_size_t i;

    for (i = 0; i < count && i < LBS_TRAIL_TAGS; i++) {
        apr_uint32_t made = tags[i].made;

        if ((now - made <= LBS_TRAIL_AGE || made - now <= LBS_TRAIL_AGE)
            && sign(key, about, made) == tags[i].mac) {
            return 1;
        }
    }
    return 0;
}
