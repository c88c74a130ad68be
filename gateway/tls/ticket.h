/*
 * ticket: our own sealing of TLS session tickets (DESIGN §5.6). A ticket holds who the client is
 * and under which trust it was verified, since BoringSSL's server does not verify again on
 * resumption. The keys are made here, never leave the process and are shared by all workers.
 *
 *     u8 version · 16 bytes key name · 12 bytes nonce · sealed { u64 generation, u16 length, peer, session }
 */
#ifndef COFRE_GATEWAY_TICKET_H
#define COFRE_GATEWAY_TICKET_H

#include "trust/peer.h"

enum {
    TICKET_LIFETIME_S = 2 * 3600, /* also of a session that is renewed by resuming */
    TICKET_ROTATE_S = 3600,       /* a new key so often; two former ones still open tickets */
};

struct ticket_keys;

struct ticket_keys *ticket_keys_new(void);
void ticket_keys_free(struct ticket_keys *keys);

/* ticket_keys_rotate makes a new current key and forgets the oldest. Any thread. */
void ticket_keys_rotate(struct ticket_keys *keys);

/* ticket_overhead bounds what ticket_seal adds to the session's bytes. */
size_t ticket_overhead(const struct peer *peer);

/* ticket_seal writes at most max_out bytes; false when they do not suffice or sealing failed. */
bool ticket_seal(struct ticket_keys *keys, uint64_t generation, const struct peer *peer,
                 struct slice session, uint8_t *out, size_t *out_len, size_t max_out);

/*
 * ticket_open returns the peer and writes the session's bytes, or returns NULL for a ticket that is
 * not ours, was sealed under another trust generation, or is past the peer's fresh_until: ignore it.
 */
struct peer *ticket_open(struct ticket_keys *keys, uint64_t generation, int64_t now,
                         struct slice ticket, uint8_t *out, size_t *out_len, size_t max_out);

/* ticket_parse splits what was sealed; every length is checked. For ticket_open and its tests. */
struct peer *ticket_parse(struct slice plain, uint64_t generation, int64_t now,
                          struct slice *session);

#endif
