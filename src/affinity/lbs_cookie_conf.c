/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_cookie_conf.h"

#include <apr_cstr.h>
#include <apr_strings.h>

#include "src/affinity/lbs_cookie.h"
#include "src/base/lbs_text.h"

#define WANT_KEY                                                              \
    "name=, path=, domain=, samesite=, secure=, httponly=, partitioned=, "    \
    "maxage=, nocache=, strip= or first="
#define WANT_NAME                                                             \
    "a cookie name of 1 to 255 characters out of A-Z a-z 0-9 "                \
    "! # $ % & ' * + - . ^ _ ` | ~"
#define WANT_PATH                                                             \
    "a path of 1 to 1024 characters that begins with a slash, without "       \
    "blanks, semicolons, control and non-ASCII characters"
#define WANT_DOMAIN                                                           \
    "a domain of at most 253 letters, digits, dashes and dots, or off"
#define WANT_SAMESITE "lax, strict, none or off"
#define WANT_SECURE "auto, on or off"
#define WANT_MAXAGE "session or a duration of at least 1s, such as 30d"
#define WANT_FIRST "off or a duration such as 10s"

static const char *set_name(lbs_cookie_conf_t *conf, const char *value)
{
    lbs_slice_t name = lbs_slice_of(value);

    if (name.n > LBS_COOKIE_NAME_MAX || !lbs_cookie_is_name(name)) {
        return WANT_NAME;
    }
    conf->name = value;
    return NULL;
}

static const char *set_path(lbs_cookie_conf_t *conf, const char *value)
{
    apr_size_t i;

    if (value[0] != '/') {
        return WANT_PATH;
    }
    for (i = 0; value[i] != '\0'; i++) {
        if (i == LBS_COOKIE_PATH_MAX || value[i] <= ' ' || value[i] > '~'
            || value[i] == ';') {
            return WANT_PATH;
        }
    }
    conf->path = value;
    return NULL;
}

static int is_domain_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static const char *set_domain(lbs_cookie_conf_t *conf, const char *value)
{
    apr_size_t i;
    int named = 0; /* anything but dots */

    if (apr_cstr_casecmp(value, "off") == 0) {
        conf->domain = NULL;
        return NULL;
    }
    for (i = 0; value[i] != '\0'; i++) {
        if (i == LBS_COOKIE_DOMAIN_MAX || !is_domain_char(value[i])) {
            return WANT_DOMAIN;
        }
        named |= value[i] != '.';
    }
    if (!named) {
        return WANT_DOMAIN;
    }
    conf->domain = value;
    return NULL;
}

static const char *set_samesite(lbs_cookie_conf_t *conf, const char *value)
{
    static const char *const words[] = {"lax", "strict", "none", "off"};
    static const lbs_samesite_e meanings[] = {
        LBS_SAMESITE_LAX, LBS_SAMESITE_STRICT, LBS_SAMESITE_NONE,
        LBS_SAMESITE_OFF};
    int i;

    for (i = 0; i < 4; i++) {
        if (apr_cstr_casecmp(value, words[i]) == 0) {
            conf->samesite = meanings[i];
            return NULL;
        }
    }
    return WANT_SAMESITE;
}

static const char *set_secure(lbs_cookie_conf_t *conf, const char *value)
{
    int on;

    if (apr_cstr_casecmp(value, "auto") == 0) {
        conf->secure = LBS_SECURE_AUTO;
        return NULL;
    }
    if (lbs_text_switch(value, &on) != NULL) {
        return WANT_SECURE;
    }
    conf->secure = on ? LBS_SECURE_ON : LBS_SECURE_OFF;
    return NULL;
}

static const char *set_httponly(lbs_cookie_conf_t *conf, const char *value)
{
    return lbs_text_switch(value, &conf->httponly);
}

static const char *set_partitioned(lbs_cookie_conf_t *conf, const char *value)
{
    return lbs_text_switch(value, &conf->partitioned);
}

static const char *set_nocache(lbs_cookie_conf_t *conf, const char *value)
{
    return lbs_text_switch(value, &conf->nocache);
}

static const char *set_strip(lbs_cookie_conf_t *conf, const char *value)
{
    return lbs_text_switch(value, &conf->strip);
}

static const char *set_maxage(lbs_cookie_conf_t *conf, const char *value)
{
    apr_int64_t usec;

    if (apr_cstr_casecmp(value, "session") == 0) {
        conf->maxage = 0;
        return NULL;
    }
    /* Max-Age counts seconds, and 0 of them would delete the cookie. */
    if (lbs_text_duration(value, &usec) != NULL || usec < LBS_TEXT_SECOND) {
        return WANT_MAXAGE;
    }
    conf->maxage = usec / LBS_TEXT_SECOND;
    return NULL;
}

static const char *set_first(lbs_cookie_conf_t *conf, const char *value)
{
    if (apr_cstr_casecmp(value, "off") == 0) {
        conf->first = 0;
        return NULL;
    }
    return lbs_text_duration(value, &conf->first) != NULL ? WANT_FIRST : NULL;
}

static const struct {
    const char *key;
    const char *(*set)(lbs_cookie_conf_t *conf, const char *value);
} settings[] = {
    {"name", set_name},
    {"path", set_path},
    {"domain", set_domain},
    {"samesite", set_samesite},
    {"secure", set_secure},
    {"httponly", set_httponly},
    {"partitioned", set_partitioned},
    {"maxage", set_maxage},
    {"nocache", set_nocache},
    {"strip", set_strip},
    {"first", set_first},
};

const lbs_cookie_conf_t lbs_cookie_defaults = {
    .path = "/",
    .samesite = LBS_SAMESITE_LAX,
    .secure = LBS_SECURE_AUTO,
    .httponly = 1,
    .nocache = 1,
    .strip = 1,
    .first = 10 * LBS_TEXT_SECOND,
};

const char *lbs_cookie_conf_set(apr_pool_t *pool, lbs_cookie_conf_t *conf,
                                const char *arg)
{
    lbs_slice_t key;
    const char *value;
    apr_size_t i;

    if (lbs_text_keyval(arg, &key, &value) != NULL) {
        return WANT_KEY;
    }
    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (lbs_slice_caseeq(key, lbs_slice_of(settings[i].key))) {
            return settings[i].set(conf, apr_pstrdup(pool, value));
        }
    }
    return WANT_KEY;
}

static int has_prefix(const lbs_cookie_conf_t *conf, const char *prefix)
{
    apr_size_t n = strlen(prefix);

    /* Browsers compare without regard to case. */
    return conf->name != NULL && apr_cstr_casecmpn(conf->name, prefix, n) == 0;
}

/* Browsers drop a cookie that has one of these without Secure. */
static int needs_secure(const lbs_cookie_conf_t *conf)
{
    return conf->samesite == LBS_SAMESITE_NONE || conf->partitioned
           || has_prefix(conf, "__Secure-") || has_prefix(conf, "__Host-");
}

const char *lbs_cookie_conf_check(const lbs_cookie_conf_t *conf)
{
    if (conf->secure == LBS_SECURE_OFF && needs_secure(conf)) {
        return "secure=auto or secure=on with samesite=none, partitioned=on "
               "and names that begin with __Secure- or __Host-";
    }
    if (has_prefix(conf, "__Host-")
        && (conf->domain != NULL || conf->path == NULL
            || strcmp(conf->path, "/") != 0)) {
        return "path=/ and no domain= with a name that begins with __Host-";
    }
    return NULL;
}

int lbs_cookie_conf_is_secure(const lbs_cookie_conf_t *conf, int https)
{
    return conf->secure == LBS_SECURE_ON || needs_secure(conf)
           || (conf->secure == LBS_SECURE_AUTO && https);
}

const char *lbs_cookie_name_for(apr_pool_t *pool, const char *balancer)
{
    char *name = apr_pstrcat(pool, "LBSTICKY_", balancer, NULL);
    char *p;

    for (p = name + sizeof("LBSTICKY_") - 1; *p != '\0'; p++) {
        *p = lbs_slice_lower(*p);
        if (!lbs_cookie_is_name(lbs_slice_span(p, p + 1))) {
            *p = '_';
        }
    }
    return name;
}
