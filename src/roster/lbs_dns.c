/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_dns.c - see lbs_dns.h. */
#include "src/roster/lbs_dns.h"

#include <apr_strings.h>
#include <string.h>

#include "src/base/lbs_slice.h"

#define HEAD 12         /* bytes */
#define NAME_MOST 255   /* bytes on the wire */
#define LABEL_MOST 63   /* the same of a label */
#define ALIASES_MOST 16 /* one after the other */
#define JUMPS_MOST 64   /* pointers in one name */
#define CLASS_IN 1
#define TYPE_CNAME 5

enum { OK_CODE = 0, FAILS_CODE = 2, NO_NAME_CODE = 3, REFUSES_CODE = 5 };

/* A name as on the wire, in lower case and with nothing pointed to. */
typedef struct name_t {
    unsigned char bytes[NAME_MOST + 1];
    apr_size_t n;
} name_t;

typedef struct in_t {
    const unsigned char *bytes;
    apr_size_t n;
    apr_size_t at;
} in_t;

/* Of a record; its data lie in the message. */
typedef struct head_t {
    name_t owner;
    apr_uint32_t type;
    apr_uint32_t class;
    apr_uint32_t ttl;
    apr_size_t data;
    apr_size_t len;
} head_t;

/* Bytes ------------------------------------------------------------------ */

static apr_uint32_t number(const unsigned char *p, int bytes)
{
    apr_uint32_t value = 0;

    while (bytes-- > 0) {
        value = value << 8 | *p++;
    }
    return value;
}

/* @return 1; 0: the message ends before */
static int take(in_t *in, int bytes, apr_uint32_t *value)
{
    if (in->n - in->at < (apr_size_t)bytes) {
        return 0;
    }
    *value = number(in->bytes + in->at, bytes);
    in->at += (apr_size_t)bytes;
    return 1;
}

static int add_label(name_t *name, const unsigned char *label, apr_size_t n)
{
    apr_size_t i;

    if (name->n + n + 2 > NAME_MOST) {
        return 0;
    }
    name->bytes[name->n++] = (unsigned char)n;
    for (i = 0; i < n; i++) {
        name->bytes[name->n++] =
            (unsigned char)lbs_slice_lower((char)label[i]);
    }
    return 1;
}

/* A pointer leads to before the name, and each one to before the last. */
static int take_name(in_t *in, name_t *name)
{
    apr_size_t at = in->at, least = in->at, end = 0;
    int jumps = 0;

    name->n = 0;
    for (;;) {
        apr_size_t n, to;

        if (at >= in->n) {
            return 0;
        }
        n = in->bytes[at];
        if (n > LABEL_MOST) {
            if ((n & 0xc0) != 0xc0 || at + 1 >= in->n) {
                return 0;
            }
            to = (n & 0x3f) << 8 | in->bytes[at + 1];
            end = end != 0 ? end : at + 2;
            if (to >= least || ++jumps > JUMPS_MOST) {
                return 0;
            }
            at = least = to;
            continue;
        }
        if (n == 0) {
            name->bytes[name->n++] = 0;
            in->at = end != 0 ? end : at + 1;
            return 1;
        }
        if (at + 1 + n > in->n || !add_label(name, in->bytes + at + 1, n)) {
            return 0;
        }
        at += 1 + n;
    }
}

static int same(const name_t *a, const name_t *b)
{
    return a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

static int take_head(in_t *in, head_t *head)
{
    apr_uint32_t len;

    if (!take_name(in, &head->owner) || !take(in, 2, &head->type)
        || !take(in, 2, &head->class) || !take(in, 4, &head->ttl)
        || !take(in, 2, &len) || in->n - in->at < len) {
        return 0;
    }
    if (head->ttl > 0x7fffffff) {
        head->ttl = 0; /* RFC 2181, 8 */
    }
    head->data = in->at;
    head->len = len;
    in->at += len;
    return 1;
}

/* Names as text ---------------------------------------------------------- */

static int is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* @return NULL: it is no name of a host */
static const char *text_of(const name_t *name, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, name->n + 1);
    apr_size_t at = 0, n = 0, i;

    while (name->bytes[at] != 0) {
        for (i = 1; i <= name->bytes[at]; i++) {
            char c = (char)name->bytes[at + i];

            if (!is_plain(c)) {
                return NULL;
            }
            text[n++] = c;
        }
        at += 1u + name->bytes[at];
        text[n++] = '.';
    }
    text[n > 1 ? n - 1 : n] = '\0';
    return n > 0 ? text : ".";
}

int lbs_dns_is_name(const char *text, apr_size_t n)
{
    apr_size_t i, label = 0;

    if (n > 0 && text[n - 1] == '.') {
        n--;
    }
    for (i = 0; i < n; i++) {
        if (text[i] == '.' ? label == 0 : !is_plain(text[i])) {
            return 0;
        }
        label = text[i] == '.' ? 0 : label + 1;
        if (label > LABEL_MOST) {
            return 0;
        }
    }
    return n > 0 && n <= 253 && label > 0;
}

/* Records ---------------------------------------------------------------- */

static int net_of(const in_t *in, const head_t *head, lbs_net_t *net)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                             0, 0, 0, 0, 0xff, 0xff};

    if (head->type == LBS_DNS_A && head->len == 4) {
        memcpy(net->byte, mapped, 12);
        memcpy(net->byte + 12, in->bytes + head->data, 4);
        return 1;
    }
    if (head->type == LBS_DNS_AAAA && head->len == 16) {
        memcpy(net->byte, in->bytes + head->data, 16);
        return 1;
    }
    return 0;
}

static int service_of(const in_t *in, const head_t *head,
                      lbs_dns_record_t *record, apr_pool_t *pool)
{
    in_t data = {in->bytes, in->n, head->data};
    name_t target;

    if (head->len < 7 || !take(&data, 2, &record->priority)
        || !take(&data, 2, &record->weight) || !take(&data, 2, &record->port)
        || !take_name(&data, &target) || data.at != head->data + head->len) {
        return 0;
    }
    record->target = text_of(&target, pool);
    return record->target != NULL;
}

static int is_known(const apr_array_header_t *records,
                    const lbs_dns_record_t *one)
{
    int i;

    for (i = 0; i < records->nelts; i++) {
        const lbs_dns_record_t *r = LBS_DNS_AT(records, i, lbs_dns_record_t);

        if (memcmp(&r->net, &one->net, sizeof(r->net)) == 0
            && r->port == one->port
            && (one->target == NULL || strcmp(r->target, one->target) == 0)) {
            return 1;
        }
    }
    return 0;
}

/* Records of the name asked for, whatever else it is called. */
typedef struct want_t {
    lbs_dns_type_t type;
    name_t name; /* the last alias so far */
    int answers;
    apr_size_t from; /* of the message: where the answers begin */
} want_t;

/* Follow aliases, in whatever order they stand. @return 0: it is garbled */
static int follow_aliases(in_t *in, want_t *want, lbs_dns_reply_t *reply)
{
    int i, steps, found = 1;

    for (steps = 0; found && steps <= ALIASES_MOST; steps++) {
        in->at = want->from;
        found = 0;
        for (i = 0; i < want->answers && !found; i++) {
            head_t head;
            in_t data;
            name_t to;

            if (!take_head(in, &head)) {
                return 0;
            }
            if (head.type != TYPE_CNAME || head.class != CLASS_IN
                || !same(&head.owner, &want->name)) {
                continue;
            }
            data = (in_t){in->bytes, in->n, head.data};
            if (!take_name(&data, &to)) {
                return 0;
            }
            want->name = to;
            reply->ttl = head.ttl < reply->ttl ? head.ttl : reply->ttl;
            found = 1;
        }
    }
    return !found;
}

static int take_answers(in_t *in, const want_t *want, lbs_dns_reply_t *reply,
                        apr_pool_t *pool)
{
    int i;

    in->at = want->from;
    for (i = 0; i < want->answers; i++) {
        lbs_dns_record_t record = {.target = NULL};
        head_t head;

        if (!take_head(in, &head)) {
            return 0;
        }
        if (head.type != (apr_uint32_t)want->type || head.class != CLASS_IN
            || !same(&head.owner, &want->name)) {
            continue;
        }
        if (want->type == LBS_DNS_SRV ? !service_of(in, &head, &record, pool)
                                      : !net_of(in, &head, &record.net)) {
            return 0;
        }
        reply->ttl = head.ttl < reply->ttl ? head.ttl : reply->ttl;
        if (!is_known(reply->records, &record)) {
            *(lbs_dns_record_t *)apr_array_push(reply->records) = record;
        }
    }
    return 1;
}

/* Addresses that the server adds to a service. What is wrong here is not
 * needed. */
static void take_more(in_t *in, int count, lbs_dns_reply_t *reply,
                      apr_pool_t *pool)
{
    for (; count > 0; count--) {
        lbs_dns_more_t more;
        head_t head;

        if (!take_head(in, &head)) {
            return;
        }
        if (head.class == CLASS_IN && net_of(in, &head, &more.net)) {
            more.type = (lbs_dns_type_t)head.type;
            more.ttl = head.ttl;
            more.name = text_of(&head.owner, pool);
            if (more.name != NULL) {
                *(lbs_dns_more_t *)apr_array_push(reply->more) = more;
            }
        }
    }
}

static int skip(in_t *in, int count)
{
    head_t head;

    while (count-- > 0) {
        if (!take_head(in, &head)) {
            return 0;
        }
    }
    return 1;
}

/* The whole -------------------------------------------------------------- */

static lbs_roster_said_t said_by(const unsigned char *bytes, apr_size_t n)
{
    if (n < HEAD || (bytes[2] & 0x80) == 0) {
        return LBS_ROSTER_GARBLED;
    }
    if ((bytes[2] & 0x02) != 0) {
        return LBS_ROSTER_CUT;
    }
    switch (bytes[3] & 0x0f) {
    case OK_CODE:
        return LBS_ROSTER_GOOD;
    case NO_NAME_CODE:
        return LBS_ROSTER_NO_NAME;
    case REFUSES_CODE:
        return LBS_ROSTER_REFUSES;
    default:
        return LBS_ROSTER_FAILS;
    }
}

static int read_body(in_t *in, want_t *want, lbs_dns_reply_t *reply,
                     apr_pool_t *pool)
{
    apr_uint32_t questions = number(in->bytes + 4, 2);
    apr_uint32_t others = number(in->bytes + 8, 2);
    apr_uint32_t unused;

    want->answers = (int)number(in->bytes + 6, 2);
    in->at = HEAD;
    if (questions != 1 || want->answers > LBS_DNS_RECORDS
        || !take_name(in, &want->name) || !take(in, 4, &unused)) {
        return 0;
    }
    want->from = in->at;
    if (!follow_aliases(in, want, reply)
        || !take_answers(in, want, reply, pool)) {
        return 0;
    }
    if (want->type == LBS_DNS_SRV && skip(in, (int)others)) {
        take_more(in, (int)number(in->bytes + 10, 2), reply, pool);
    }
    return 1;
}

lbs_dns_reply_t lbs_dns_read(const unsigned char *bytes, apr_size_t n,
                             lbs_dns_type_t type, apr_pool_t *pool)
{
    lbs_dns_reply_t reply = {.said = said_by(bytes, n), .ttl = 0x7fffffff};
    in_t in = {bytes, n, 0};
    want_t want = {.type = type};

    reply.records = apr_array_make(pool, 8, sizeof(lbs_dns_record_t));
    reply.more = apr_array_make(pool, 8, sizeof(lbs_dns_more_t));
    if (reply.said != LBS_ROSTER_GOOD) {
        return reply;
    }
    if (!read_body(&in, &want, &reply, pool)) {
        reply.said = LBS_ROSTER_GARBLED;
    }
    else if (reply.records->nelts == 0) {
        reply.said = LBS_ROSTER_NO_DATA;
    }
    return reply;
}

/* A hosts file ----------------------------------------------------------- */

static int is_same_host(lbs_slice_t word, lbs_slice_t name)
{
    if (name.n > 0 && name.p[name.n - 1] == '.') {
        name.n--;
    }
    return lbs_slice_caseeq(word, name);
}

/* @return 1 when the line gives the name an address of the type */
static int read_hosts_line(lbs_slice_t line, const char *name,
                           lbs_dns_type_t type, lbs_net_t *net)
{
    const char *end = line.p + line.n, *p = line.p;
    int words = 0, named = 0;

    while (p < end && *p != '#') {
        const char *word = p;

        while (p < end && *p != ' ' && *p != '\t' && *p != '\r' && *p != '#') {
            p++;
        }
        if (p > word && words++ == 0) {
            if (!lbs_net_read(word, (apr_size_t)(p - word), net)
                || lbs_net_is_v4(net) != (type == LBS_DNS_A)) {
                return 0;
            }
        }
        else if (p > word) {
            named |= is_same_host((lbs_slice_t){word, (size_t)(p - word)},
                                  lbs_slice_of(name));
        }
        p += p < end && *p != '#';
    }
    return named;
}

int lbs_dns_hosts(const char *text, const char *name, lbs_dns_type_t type,
                  apr_pool_t *pool, lbs_dns_reply_t *reply)
{
    lbs_dns_record_t record = {.target = NULL};

    *reply = (lbs_dns_reply_t){.said = LBS_ROSTER_GOOD, .ttl = 0x7fffffff};
    reply->records = apr_array_make(pool, 4, sizeof(lbs_dns_record_t));
    reply->more = apr_array_make(pool, 1, sizeof(lbs_dns_more_t));
    while (type != LBS_DNS_SRV && *text != '\0') {
        apr_size_t n = strcspn(text, "\n");

        if (read_hosts_line((lbs_slice_t){text, n}, name, type, &record.net)
            && !is_known(reply->records, &record)) {
            *(lbs_dns_record_t *)apr_array_push(reply->records) = record;
        }
        text += n + (text[n] == '\n');
    }
    return reply->records->nelts > 0;
}
