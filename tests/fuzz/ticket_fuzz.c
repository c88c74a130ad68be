/*
 * ticket_fuzz: tickets as they come, what was sealed in one, a peer's record, and a path as text. What is
 * taken must come back the same. The first byte chooses.
 */
#include <stdlib.h>

#include "tls/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void fuzz_sealed(struct slice plain)
{
    struct slice session;
    struct peer *peer = ticket_parse(plain, 0, 0, &session);
    must(peer == NULL || (session.len <= plain.len && peer->fresh_until >= 0));
    peer_unref(peer);
}

static void fuzz_ticket(struct ticket_keys *keys, struct slice ticket)
{
    uint8_t out[512];
    size_t len = 0;
    must(ticket_open(keys, 0, 0, ticket, out, &len, sizeof(out)) == NULL); /* nobody sealed it */
}

/* A record that is taken is sealed and opened again, with the rest of the bytes as the session. */
static void fuzz_record(struct ticket_keys *keys, struct slice record)
{
    struct peer *peer = peer_decode(record);
    if (peer == NULL) {
        return;
    }
    struct buf again;
    size_t cap = ticket_overhead(peer) + record.len, sealed, len;
    uint8_t *ticket = malloc(cap), *session = malloc(record.len);
    buf_init(&again, 1 << 20);
    peer_encode(&again, peer);
    must(buf_len(&again) == peer_encoded_len(peer) && slice_eq(buf_slice(&again), record));
    must(ticket_seal(keys, 7, peer, record, ticket, &sealed, cap));
    struct peer *twin = ticket_open(keys, 7, peer->fresh_until, (struct slice){ ticket, sealed },
                                    session, &len, record.len);
    must(twin != NULL && slice_eq((struct slice){ session, len }, record));
    peer_unref(twin);
    peer_unref(peer);
    buf_release(&again);
    free(ticket);
    free(session);
}

static void fuzz_path(struct slice text)
{
    struct trust_step steps[TRUST_PATH_MAX];
    struct trust_path path;
    struct buf again;
    if (trust_path_parse(text, steps, &path) == ERR_OK) {
        buf_init(&again, TRUST_PATH_TEXT);
        trust_path_text(&path, &again);
        must(slice_eq(buf_slice(&again), text));
        buf_release(&again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ticket_keys *keys;
    if (keys == NULL) {
        keys = ticket_keys_new();
    }
    if (size == 0) {
        return 0;
    }
    struct slice rest = { data + 1, size - 1 };
    switch (data[0] & 3) {
    case 0:
        fuzz_sealed(rest);
        break;
    case 1:
        fuzz_ticket(keys, rest);
        break;
    case 2:
        fuzz_record(keys, rest);
        break;
    default:
        fuzz_path(rest);
        break;
    }
    return 0;
}
