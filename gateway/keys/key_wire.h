/*
 * key_wire: what the gateway and its key holder say to one another, as bytes (README.md, "The private
 * keys"). Both are of one build; still each reads the other as hostile: every length is bounded, a
 * message is whole or it is not there. Numbers are little-endian.
 *
 *     request   u16 length · u16 scheme · u32 set · u16 pair · u64 id · message       worker → signer
 *     reply     u16 length · u64 id · signature; length 0: refused                    signer → worker
 *     note      u32 length · u8 type · u8 asked · u32 set · body                main loop ↔ holder
 */
#ifndef COFRE_GATEWAY_KEY_WIRE_H
#define COFRE_GATEWAY_KEY_WIRE_H

#include "base/buf.h"

enum {
    KEY_REQUEST_HEAD = 18,
    KEY_REQUEST_MAX = KEY_REQUEST_HEAD + 1024, /* TLS_SIGN_MESSAGE_MAX */
    KEY_REPLY_HEAD = 10,
    KEY_REPLY_MAX = KEY_REPLY_HEAD + 2048, /* TLS_SIGN_MAX */
    KEY_NOTE_HEAD = 10,
    KEY_NOTE_MAX = KEY_NOTE_HEAD + 256 * 1024 * 1024, /* all files of a set, revocation lists too */
};

/* A private key is named by the set that it was read with and its place among --cert/--key. */
struct key_request {
    uint64_t id;
    uint32_t set;
    uint16_t pair;
    uint16_t scheme; /* SignatureScheme */
    struct slice message;
};

struct key_reply {
    uint64_t id;
    struct slice signature; /* empty: refused */
};

/*
 * type           direction    meaning, and body
 * KEY_MATERIAL   to gateway   the files of a set, without private keys; to be answered by one of the next two
 * KEY_TAKEN      to holder    the set is in use now; empty
 * KEY_BAD        to holder    it is not: text, why
 * KEY_NOTHING    to gateway   there is not even a first set, and the holder ends: text, why
 * KEY_RELOAD     to holder    somebody asked to have the files read; empty
 * KEY_DROP       to holder    nobody signs under this set any more; empty
 */
enum key_note_type { KEY_MATERIAL = 1, KEY_TAKEN, KEY_BAD, KEY_NOTHING, KEY_RELOAD, KEY_DROP };

struct key_note {
    enum key_note_type type;
    bool asked; /* KEY_MATERIAL: for a KEY_RELOAD, and so to be answered in the log */
    uint32_t set;
    struct slice body;
};

enum key_wire_status { KEY_WIRE_NEED_MORE, KEY_WIRE_READY, KEY_WIRE_BAD };

/*
 * key_read_* read one message from the front of `in`; *used is its size. Slices point into `in`.
 * key_read_note reads what comes to the gateway, or with to_holder what comes to the holder.
 */
enum key_wire_status key_read_request(struct slice in, struct key_request *out, size_t *used);
enum key_wire_status key_read_reply(struct slice in, struct key_reply *out, size_t *used);
enum key_wire_status key_read_note(struct slice in, bool to_holder, struct key_note *out,
                                   size_t *used);

/* key_write_* append one; what passes the bounds above is never read, so it is not written. */
void key_write_request(struct buf *out, const struct key_request *r);
void key_write_reply(struct buf *out, const struct key_reply *r);
void key_write_note(struct buf *out, const struct key_note *n);

#endif
