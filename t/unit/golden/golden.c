/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves this process, or must be the same on every server, is the same
 * on every machine: the files in t/golden, which `make ports` compares on
 * machines of another width and byte order.
 *
 *     build/t/unit/golden/golden --write     writes them anew
 *
 * After a change that makes servers or state files of two builds differ, and
 * only then; CHANGES has to say so.
 */
#include "src/affinity/lbs_token.h"
#include "src/pick/lbs_maglev.h"
#include "src/sharing/lbs_store_record.h"
#include "src/state/lbs_identity.h"
#include "t/unit/state/saved.h"

#define MOST 400000 /* bytes of one file */
#define SERVERS 7
#define SESSIONS 300

/* 1: a number is written as it stands in memory, which on some machines is not
 * how the files have it. Here only, to see that it is noticed. */
#ifndef LBS_GOLDEN_BROKEN
#define LBS_GOLDEN_BROKEN 0
#endif

typedef struct text_t {
    char at[MOST];
    size_t len;
} text_t;

static text_t made;
static text_t kept;
static int writes; /* --write */

TAP_PRINTF(1, 2) static void line(const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(made.at + made.len, MOST - made.len, fmt, args);
    va_end(args);
    if (n < 0 || made.len + (size_t)n + 2 > MOST) {
        bail_out("too long");
    }
    made.len += (size_t)n;
    made.at[made.len++] = '\n';
}

static void bytes_line(const unsigned char *bytes, size_t len)
{
    char hex[65];
    size_t i;

    for (i = 0; i < len; i++) {
        snprintf(hex + 2 * (i % 32), 3, "%02x", bytes[i]);
        if (i % 32 == 31 || i + 1 == len) {
            line("%s", hex);
        }
    }
}

static FILE *golden(const char *name, const char *mode)
{
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "t/golden/%s", name);
    file = fopen(path, mode);
    if (file == NULL) {
        bail_out("%s: run it in the root of the tree", path);
    }
    return file;
}

/* Compare what was made with the file, and forget it. */
static void is_golden(const char *name)
{
    FILE *file = golden(name, writes ? "w" : "r");
    int same = 1;

    if (writes) {
        same = fwrite(made.at, 1, made.len, file) == made.len;
    }
    else {
        kept.len = fread(kept.at, 1, MOST, file);
        same = kept.len == made.len && memcmp(kept.at, made.at, made.len) == 0;
    }
    same &= fclose(file) == 0;
    ok(same, "t/golden/%s: %lu bytes", name, (unsigned long)made.len);
    made.len = 0;
}

/* A number as bytes of a key. */
static void put64(unsigned char *to, apr_uint64_t n)
{
    int i;

#if LBS_GOLDEN_BROKEN
    memcpy(to, &n, sizeof(n));
    return;
#endif
    for (i = 0; i < 8; i++) {
        to[i] = (unsigned char)(n >> 8 * i);
    }
}

static void hashes(void)
{
    static const lbs_hash_key_t key = {"0123456789abcde"};
    unsigned char data[64];
    apr_uint64_t n;

    for (n = 0; n < 64; n++) {
        put64(data + n / 8 * 8, n * APR_UINT64_C(0x0123456789abcdef));
        line("%016" APR_UINT64_T_HEX_FMT " %016" APR_UINT64_T_HEX_FMT
             " %016" APR_UINT64_T_HEX_FMT,
             lbs_hash_mix(n), lbs_hash_bytes(&key, data, (apr_size_t)n),
             lbs_hash_two(&key, data, (apr_size_t)n / 2, data + n / 2,
                          (apr_size_t)(n - n / 2)));
    }
    is_golden("hashes");
}

static void identities(void)
{
    static const char *const host[] = {"www.example.com", "www", "a:8443"};
    static const char *const route[] = {"web1", "r2", NULL};
    int h, r;

    for (h = 0; h < 3; h++) {
        apr_uint64_t pool = lbs_identity_pool(host[h], "app");

        for (r = 0; r < 3; r++) {
            line("%s app %s %016" APR_UINT64_T_HEX_FMT
                 " %016" APR_UINT64_T_HEX_FMT,
                 host[h], route[r] != NULL ? route[r] : "-", pool,
                 lbs_identity_member(pool, route[r], "http://10.0.0.1:80"));
        }
    }
    is_golden("identities");
}

static void tokens(void)
{
    static const char text[] = "correct horse battery staple";
    lbs_secret_t secret;
    lbs_token_t token, back;
    char out[LBS_TOKEN_LEN + 1];
    apr_uint32_t i;
    int right = 0;

    if (lbs_secret_parse(&secret, text, sizeof(text) - 1) != NULL) {
        bail_out("no secret");
    }
    for (i = 0; i < 32; i++) {
        token = (lbs_token_t){1700000000 + i * 977, 1690000000 + i,
                              lbs_hash_mix(i), lbs_hash_mix(i + 100)};
        lbs_token_sign(out, &token, &secret, lbs_hash_mix(i % 3));
        line("%s", out);
        right += lbs_token_verify(&back, out, LBS_TOKEN_LEN, &secret,
                                  lbs_hash_mix(i % 3))
                     == APR_SUCCESS
                 && back.issued == token.issued
                 && back.created == token.created && back.sid == token.sid
                 && back.member == token.member;
    }
    is_int(right, 32, "tokens are read back");
    is_golden("tokens");
}

/* Every slot of the table, in short: a sum over runs of 128 of them. */
static void maglev_of(const lbs_maglev_set_t *set)
{
    static apr_uint16_t table[LBS_MAGLEV_SLOTS];
    static apr_uint16_t turn[LBS_MAGLEV_SLOTS];
    lbs_sequence_item_t list[SERVERS];
    apr_uint32_t place[SERVERS];
    apr_uint32_t room[SERVERS];
    lbs_maglev_work_t work = {list, place, room, turn};
    apr_uint64_t sum = 0;
    apr_uint32_t i;

    lbs_maglev_build(table, set, &work);
    for (i = 0; i < LBS_MAGLEV_SLOTS; i++) {
        sum = lbs_hash_mix(sum ^ table[i]);
        if (i % 128 == 127 || i + 1 == LBS_MAGLEV_SLOTS) {
            line("%5u %u %016" APR_UINT64_T_HEX_FMT, i, table[i], sum);
        }
    }
}

static void maglev(void)
{
    apr_uint64_t identity[SERVERS];
    apr_uint32_t weight[SERVERS];
    apr_uint16_t rank[SERVERS];
    lbs_maglev_set_t set = {identity, weight, rank, SERVERS};
    apr_uint32_t i;

    for (i = 0; i < SERVERS; i++) {
        identity[i] = APR_UINT64_C(0x1111111111111111) * (2 * i + 1);
        weight[i] = 100 + 30 * (i % 3);
        rank[i] = (apr_uint16_t)i;
    }
    maglev_of(&set);
    set.n = 3;
    maglev_of(&set);
    is_golden("maglev");
}

static void store_records(void)
{
    static const lbs_hash_key_t master = {"a master key 16"};
    lbs_store_record_secret_t secret;
    char name[LBS_STORE_RECORD_NAME_LEN + 1];
    unsigned char key[8];
    apr_uint64_t i;

    lbs_store_record_secret(&secret, &master);
    for (i = 0; i < 16; i++) {
        lbs_store_record_t record;
        unsigned char value[LBS_STORE_RECORD_VALUE_LEN];

        memset(&record, 0, sizeof(record));
        record.member_id = lbs_hash_mix(i);
        record.created = 1700000000 + i;
        record.expires = 1700001000 + i;
        put64(key, i * 12345);
        lbs_store_record_name(&secret, lbs_hash_mix(9), "session", key, 8,
                              name);
        lbs_store_record_encode(&secret, name, &record, value);
        line("%s", name);
        bytes_line(value, sizeof(value));
    }
    is_golden("store");
}

/* State files ------------------------------------------------------------- */

static const char members[] = "abcde";

static apr_uint64_t session(apr_uint32_t n)
{
    return lbs_hash_mix(n + 1000);
}

static lbs_table_t *full_table(lbs_registry_t *reg)
{
    lbs_table_t *table = new_table(reg, 1000);
    apr_uint32_t n;

    for (n = 0; n < SESSIONS; n++) {
        unsigned char name = (unsigned char)members[n % 5];

        (void)lbs_table_bind(table, session(n), slots[name],
                             1000000 + (apr_time_t)n * 1000, IDLE, NULL);
    }
    return table;
}

static void state_written(void)
{
    static const lbs_admin_change_t drain = {
        .action = LBS_ADMIN_DRAIN, .deadline = 7200000000, .reason = "golden"};
    lbs_registry_t *reg = new_registry();
    lbs_snapshot_t from = {.reg = reg, .count = 1, .fingerprint = 7};
    lbs_clock_t now = moment(2000000, 0);
    unsigned char *bytes;
    apr_size_t len;

    name_all(reg, members);
    lbs_registry_commit(reg, &now);
    reconcile_all(reg, members, 150, &now);
    (void)lbs_admin_apply(reg, slots['b'], &drain, &now);
    from.tables[0] = full_table(reg);
    bytes = save(&from, &now, &len);
    bytes_line(bytes, len);
    is_golden("state");
}

static size_t read_hex(const char *name, unsigned char *bytes)
{
    FILE *file = golden(name, "r");
    unsigned int byte;
    size_t len = 0;

    while (len < MOST / 2 && fscanf(file, "%2x", &byte) == 1) {
        bytes[len++] = (unsigned char)byte;
    }
    (void)fclose(file);
    return len;
}

/* A file of another machine is taken over whole. */
static void state_read(void)
{
    static unsigned char bytes[MOST / 2];
    static const apr_uint64_t its = 7;
    lbs_registry_t *reg = new_registry();
    lbs_clock_t now = moment(5000000, 10000000);
    size_t len = read_hex("state", bytes);
    lbs_restore_t *restore = NULL;
    lbs_restore_report_t report;
    lbs_image_report_t image = {0};
    lbs_table_t *table;
    lbs_table_hit_t hit;
    int right = 0;
    apr_uint32_t n;

    is_str(lbs_restore_open(&restore, bytes, len, &now, &its, 1, memory), NULL,
           "the state file is read");
    name_all(reg, "edcba");
    lbs_restore_registry(restore, reg, no_ejection, &report);
    lbs_registry_commit(reg, &now);
    reconcile_all(reg, members, 150, &now);
    table = new_table(reg, 1000);
    is_int(lbs_restore_table(restore, 0, table, &image), APR_SUCCESS,
           "its table fits");
    for (n = 0; n < SESSIONS; n++) {
        right +=
            lbs_table_find(table, session(n), now.mono, &hit) == APR_SUCCESS
            && hit.slot == slots[(unsigned char)members[n % 5]];
    }
    is_int(right, SESSIONS, "all sessions are where they were");
    ok((lbs_registry_gauges(reg)[slots['b']].flags & LBS_F_DRAIN) != 0,
       "and the operator's drain is kept");
}

int main(int argc, const char *const *argv)
{
    writes = argc > 1 && strcmp(argv[1], "--write") == 0;
    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&memory, NULL);
    hashes();
    identities();
    tokens();
    maglev();
    store_records();
    state_written();
    state_read();
    return done_testing();
}
