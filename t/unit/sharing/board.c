/* SPDX-License-Identifier: Apache-2.0 */
#include "src/sharing/lbs_board.h"

#include "src/base/lbs_rand.h"
#include "t/unit/tap.h"

#define NOW APR_INT64_C(5000000000)
#define SECOND APR_INT64_C(1000000)
#define US 1u
#define THEM 2u
#define THIRD 3u

static const lbs_hash_key_t master = {"a shared secret"};

/* The value --------------------------------------------------------------- */

static lbs_board_t of(apr_uint64_t member, apr_uint32_t turn,
                      apr_uint32_t server)
{
    lbs_board_t board = {.count = 1};

    board.note[0].member_id = member;
    board.note[0].stamp = (apr_uint64_t)turn << 32 | server;
    return board;
}

static void another_server_reads_it(void)
{
    lbs_store_record_secret_t secret;
    unsigned char value[LBS_BOARD_LEN];
    lbs_board_t board = of(77, 5, US), got = {.count = 9};
    size_t i, taken = 0;

    lbs_store_record_secret(&secret, &master);
    lbs_board_encode(&secret, "name", &board, value);
    is_int(lbs_board_decode(&secret, "name", value, sizeof(value), &got),
           APR_SUCCESS, "a board is read by its name");
    is_int(got.count, 1, "with its note");
    is_int(got.note[0].member_id, 77, "of the member");
    is_int(lbs_board_decode(&secret, "eman", value, sizeof(value), &got),
           APR_EGENERAL, "under another name it is refused");
    is_int(lbs_board_decode(&secret, "name", value, sizeof(value) - 1, &got),
           APR_EINVAL, "as is half of it");
    for (i = 0; i < sizeof(value); i++) {
        value[i] ^= 1;
        taken += lbs_board_decode(&secret, "name", value, sizeof(value), &got)
                 == APR_SUCCESS;
        value[i] ^= 1;
    }
    is_int(taken, 0, "and with any byte changed");
}

/* Notes ------------------------------------------------------------------- */

static int told;

static void tell(void *baton, apr_uint64_t member_id)
{
    (void)baton;
    (void)member_id;
    told++;
}

static int hear(lbs_board_view_t *view, const lbs_board_t *board,
                apr_time_t now)
{
    told = 0;
    lbs_board_hear(view, US, board, now, tell, NULL);
    return told;
}

static void a_note_is_news_once(void)
{
    lbs_board_view_t view = {.heard = {.count = 0}};
    lbs_board_t first = of(77, 5, THEM), second = of(77, 6, THEM);
    lbs_board_t own = of(77, 9, US), none = {.count = 0};

    is_int(hear(&view, &first, NOW), 1, "a note of another server is news");
    is_int(hear(&view, &first, NOW + 1), 0, "once");
    is_int(hear(&view, &second, NOW + 2), 1, "until it is written again");
    is_int(hear(&view, &none, NOW + 3), 0, "nothing is no news");
    is_int(hear(&view, &second, NOW + 4), 0,
           "nor is a copy that comes back later");
    is_int(hear(&view, &first, NOW + 5), 0, "nor an older one");
    is_int(hear(&view, &own, NOW + 6), 0, "nor an own one");
}

static void notes_of_others_are_written_along(void)
{
    static const apr_uint64_t mine[LBS_BOARD_OWN + 1] = {11};
    lbs_board_view_t view = {.heard = {.count = 0}};
    lbs_board_t theirs = of(77, 5, THEM), out;

    hear(&view, &theirs, NOW);
    lbs_board_compose(&view, US, 3, mine, 1, NOW + SECOND, &out);
    is_int(out.count, 2, "an own note and theirs");
    is_int(out.note[0].member_id, 11, "the own one first");
    is_int(out.note[1].stamp, theirs.note[0].stamp, "theirs as it was");
    lbs_board_compose(&view, US, 4, mine, 1, NOW + LBS_BOARD_LASTS, &out);
    is_int(out.count, 1, "which they have not written again for long");
    lbs_board_compose(&view, US, 5, mine, LBS_BOARD_OWN + 1, NOW, &out);
    is_int(out.count, LBS_BOARD_OWN + 1u, "no more than there is room for");
}

static void the_walk_of_turns_wraps(void)
{
    lbs_board_view_t view = {.heard = {.count = 0}};
    lbs_board_t last = of(77, APR_UINT32_MAX, THEM), next = of(77, 0, THEM);

    hear(&view, &last, NOW);
    is_int(hear(&view, &next, NOW + 1), 1, "the turn after the last is newer");
}

static void more_servers_than_are_told_apart(void)
{
    lbs_board_view_t view = {.heard = {.count = 0}};
    int news = 0;
    apr_uint32_t i;

    for (i = 0; i < 3 * LBS_BOARD_SERVERS; i++) {
        lbs_board_t board = of(i, 1, 100 + i);

        news += hear(&view, &board, NOW + i);
    }
    is_int(news, 3 * LBS_BOARD_SERVERS, "the one silent for longest goes");
}

/* Two servers ------------------------------------------------------------- */

/* A model of sessions at two servers that share a store: each has its own
 * table and its own opinion of the members, which changes at random. Requests
 * come to either; boards are read and written five times a second, sometimes
 * at the same moment. When opinions rest, each session is in one place. */
#define MEMBERS 4
#define SESSIONS 40
#define UNIT 1048576 /* microseconds, of an idle time of two hours */
#define TICK (SECOND / 5)

typedef struct entry_t {
    int member; /* -1: unknown */
    apr_time_t used;
} entry_t;

typedef struct server_t {
    apr_uint32_t id;
    int open[MEMBERS];
    apr_time_t moved_at[MEMBERS], left_at[MEMBERS];
    entry_t table[SESSIONS];
    lbs_board_view_t view;
    apr_time_t now; /* of the tick, for note_left() */
} server_t;

static struct {
    server_t server[2];
    int store[SESSIONS]; /* -1: none */
    lbs_board_t board;
    apr_time_t now;
    lbs_rand_t rand;
} world;

static apr_uint32_t below(apr_uint32_t n)
{
    return lbs_rand_below(&world.rand, n);
}

static void note_left(void *baton, apr_uint64_t member_id)
{
    server_t *s = baton;

    s->left_at[member_id - 1] = s->now;
}

static lbs_board_t read_board(server_t *s)
{
    apr_uint64_t own[LBS_BOARD_OWN];
    apr_uint32_t count = 0;
    lbs_board_t next;
    int m;

    s->now = world.now;
    lbs_board_hear(&s->view, s->id, &world.board, world.now, note_left, s);
    for (m = 0; m < MEMBERS; m++) {
        if (!s->open[m]
            || (s->moved_at[m] != 0
                && world.now - s->moved_at[m] < LBS_BOARD_LASTS)) {
            own[count++] = (apr_uint64_t)m + 1;
        }
    }
    lbs_board_compose(&s->view, s->id, (apr_uint32_t)(world.now / 1000), own,
                      count, world.now, &next);
    return next;
}

static void tick(void)
{
    apr_uint32_t first = below(2);
    lbs_board_t one = read_board(&world.server[first]);
    lbs_board_t two;

    if (below(4) != 0) {
        world.board = one; /* else both have read before either writes */
    }
    two = read_board(&world.server[1 - first]);
    world.board = two;
    world.now += TICK;
}

static int pick(const server_t *s, int avoid)
{
    int at = (int)below(MEMBERS);
    int i;

    for (i = 0; i < 2 * MEMBERS; i++, at = (at + 1) % MEMBERS) {
        if (s->open[at] && (at != avoid || i >= MEMBERS)) {
            return at;
        }
    }
    return avoid;
}

/* One request, as src/httpd/decide handles it. */
static int visit(server_t *s, int n)
{
    entry_t *e = &s->table[n];
    int own = e->member, member = own, other = -1;
    /* As the table tells it. */
    apr_time_t used = e->used + (apr_time_t)below(UNIT);

    if (own < 0
        || (lbs_board_is_old(used, s->left_at[own], UNIT) || !s->open[own])) {
        if (world.store[n] >= 0 && world.store[n] != own) {
            other = own;
            member = world.store[n];
        }
    }
    if (member < 0 || !s->open[member]) {
        int to = pick(s, other);

        if (member >= 0) {
            s->moved_at[member] = world.now;
        }
        member = to;
    }
    if (member != (other >= 0 ? world.store[n] : own)) {
        world.store[n] = member;
    }
    e->member = member;
    e->used = world.now;
    return member;
}

static void change_opinions(void)
{
    server_t *s = &world.server[below(2)];
    int m = 1 + (int)below(MEMBERS - 1); /* one is open to both */

    s->open[m] = !s->open[m];
}

static void begin(apr_uint64_t seed)
{
    int i;

    memset(&world, 0, sizeof(world));
    world.rand.state = seed;
    world.now = NOW;
    for (i = 0; i < SESSIONS; i++) {
        world.store[i] = -1;
        world.server[0].table[i].member = -1;
        world.server[1].table[i].member = -1;
    }
    for (i = 0; i < 2; i++) {
        world.server[i].id = (apr_uint32_t)i + 1;
        memset(world.server[i].open, 1, sizeof(world.server[i].open));
    }
}

/* @return sessions that are not in one place when opinions rest */
static int run(apr_uint64_t seed)
{
    int restless = 0;
    int i;

    begin(seed);
    for (i = 0; i < 2000; i++) {
        if (below(40) == 0) {
            change_opinions();
        }
        if (below(3) == 0) {
            tick();
        }
        (void)visit(&world.server[below(2)], (int)below(SESSIONS));
    }
    for (i = 0; i < 20; i++) { /* four seconds */
        tick();
        (void)visit(&world.server[below(2)], (int)below(SESSIONS));
    }
    for (i = 0; i < SESSIONS; i++) {
        int moves = 0, at, round;

        /* The first visits to both may move it, to where both can be. */
        (void)visit(&world.server[0], i);
        (void)visit(&world.server[1], i);
        (void)visit(&world.server[0], i);
        at = visit(&world.server[1], i);
        for (round = 0; round < 6; round++) {
            moves += visit(&world.server[round % 2], i) != at;
        }
        restless += moves != 0;
    }
    return restless;
}

static void sessions_come_to_rest(void)
{
    int restless = 0;
    apr_uint64_t seed;

    for (seed = 1; seed <= 300; seed++) {
        restless += run(seed);
    }
    is_int(restless, 0, "300 runs: each session comes to rest in one place");
}

int main(void)
{
    another_server_reads_it();
    a_note_is_news_once();
    notes_of_others_are_written_along();
    the_walk_of_turns_wraps();
    more_servers_than_are_told_apart();
    sessions_come_to_rest();
    return done_testing();
}
