/* SPDX-License-Identifier: Apache-2.0 */
/* A value, numbers in little endian:
 *
 *     byte 0   version    1
 *     byte 1   zero       7 bytes
 *     byte 8   notes      8
 *     byte 16  note       16 each: member id, stamp; unused ones are zero
 *     byte 528 MAC        16, over the name and bytes 0 to 527
 */
#include "src/sharing/lbs_board.h"

#include <string.h>

#include "src/base/lbs_bytes.h"
#include "src/sharing/lbs_store_record_int.h"

#define VERSION 1
#define HEAD_LEN 16
#define NOTE_LEN 16
#define SIGNED_LEN (HEAD_LEN + NOTE_LEN * LBS_BOARD_NOTES)

_Static_assert(LBS_BOARD_LEN == SIGNED_LEN + LBS_STORE_RECORD_MAC_LEN,
               "layout");

/* The value -------------------------------------------------------------- */

void lbs_board_encode(const lbs_store_record_secret_t *secret,
                      const char *name, const lbs_board_t *board,
                      unsigned char value[LBS_BOARD_LEN])
{
    unsigned char *at = value + HEAD_LEN;
    apr_uint32_t i;

    memset(value, 0, SIGNED_LEN);
    value[0] = VERSION;
    lbs_bytes_put64(value + 8, board->count);
    for (i = 0; i < board->count; i++, at += NOTE_LEN) {
        lbs_bytes_put64(at, board->note[i].member_id);
        lbs_bytes_put64(at + 8, board->note[i].stamp);
    }
    lbs_store_record_sign(secret, name, value, SIGNED_LEN, value + SIGNED_LEN);
}

apr_status_t lbs_board_decode(const lbs_store_record_secret_t *secret,
                              const char *name, const void *value,
                              apr_size_t len, lbs_board_t *board)
{
    const unsigned char *bytes = value;
    const unsigned char *at = bytes + HEAD_LEN;
    apr_uint32_t i;

    if (len != LBS_BOARD_LEN || bytes[0] != VERSION
        || lbs_bytes_get64(bytes + 8) > LBS_BOARD_NOTES) {
        return APR_EINVAL;
    }
    if (!lbs_store_record_is_signed(secret, name, bytes, SIGNED_LEN,
                                    bytes + SIGNED_LEN)) {
        return APR_EGENERAL;
    }
    board->count = (apr_uint32_t)lbs_bytes_get64(bytes + 8);
    for (i = 0; i < board->count; i++, at += NOTE_LEN) {
        board->note[i].member_id = lbs_bytes_get64(at);
        board->note[i].stamp = lbs_bytes_get64(at + 8);
    }
    return APR_SUCCESS;
}

/* Notes ------------------------------------------------------------------ */

static apr_uint32_t server_of(apr_uint64_t stamp)
{
    return (apr_uint32_t)stamp;
}

/* The place of a note's server: its own, else a free one, else the one that
 * was silent for longest. */
static apr_uint32_t place_of(const lbs_board_view_t *view, apr_uint64_t stamp)
{
    apr_uint32_t oldest = 0;
    apr_uint32_t i;

    for (i = 0; i < LBS_BOARD_SERVERS; i++) {
        apr_uint64_t there = view->server[i].stamp;

        if (there != 0 && server_of(there) == server_of(stamp)) {
            return i;
        }
        if (view->server[i].at < view->server[oldest].at) {
            oldest = i;
        }
    }
    return oldest;
}

/* Turns count up and wrap. */
static int is_newer(apr_uint64_t stamp, apr_uint64_t than)
{
    return server_of(stamp) != server_of(than)
           || (apr_int32_t)((apr_uint32_t)(stamp >> 32)
                            - (apr_uint32_t)(than >> 32))
                  > 0;
}

void lbs_board_hear(lbs_board_view_t *view, apr_uint32_t server,
                    const lbs_board_t *board, apr_time_t now, lbs_board_fn *fn,
                    void *baton)
{
    apr_uint32_t i;

    view->heard.count = 0;
    for (i = 0; i < board->count; i++) {
        const lbs_board_note_t *note = &board->note[i];
        apr_uint32_t at = place_of(view, note->stamp);

        if (server_of(note->stamp) == server) {
            continue;
        }
        if (is_newer(note->stamp, view->server[at].stamp)) {
            view->server[at].stamp = note->stamp;
            view->server[at].at = now;
        }
        if (view->server[at].stamp == note->stamp) {
            view->heard.note[view->heard.count++] = *note;
        }
        if (view->server[at].stamp == note->stamp
            && view->server[at].at == now) {
            fn(baton, note->member_id);
        }
    }
}

void lbs_board_compose(const lbs_board_view_t *view, apr_uint32_t server,
                       apr_uint32_t turn, const apr_uint64_t *own,
                       apr_uint32_t count, apr_time_t now, lbs_board_t *board)
{
    apr_uint64_t stamp = (apr_uint64_t)turn << 32 | server;
    apr_uint32_t i;

    board->count = 0;
    for (i = 0; i < count && i < LBS_BOARD_OWN; i++) {
        board->note[board->count++] = (lbs_board_note_t){
            .member_id = own[i],
            .stamp = stamp,
        };
    }
    for (i = 0; i < view->heard.count && board->count < LBS_BOARD_NOTES; i++) {
        const lbs_board_note_t *note = &view->heard.note[i];
        apr_uint32_t at = place_of(view, note->stamp);

        if (view->server[at].stamp == note->stamp
            && now - view->server[at].at < LBS_BOARD_LASTS) {
            board->note[board->count++] = *note;
        }
    }
}
