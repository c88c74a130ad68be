/*
 * key_fuzz: what the gateway and its key holder read of one another. The first byte chooses: requests, which
 * are answered as the holder would, with real keys; replies; notes in either direction.
 */
#include <stdlib.h>

#include "base/log.h"
#include "keys/key_signer.h"
#include "keys/tls_sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Set 1: an Ed25519 and a P-256 key. Their numbers are known to all, and sign nothing but this. */
static struct key_sets *make_sets(void)
{
    static const uint8_t seed[32] = { 7 };
    static const uint8_t pkcs8[] = {
        0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
        0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27,
        0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20, 0,    0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    7,
    };
    const uint8_t *p = pkcs8;
    EVP_PKEY *keys[2] = { EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed)),
                          d2i_AutoPrivateKey(NULL, &p, sizeof(pkcs8)) };
    struct key_sets *sets = key_sets_new();
    if (keys[0] == NULL || keys[1] == NULL) {
        abort();
    }
    key_sets_add(sets, 1, keys, 2);
    EVP_PKEY_free(keys[0]);
    EVP_PKEY_free(keys[1]);
    return sets;
}

/* Nothing is signed but what a TLS server signs; and each request has one answer, in order. */
static void check_answers(struct slice in, struct buf *out)
{
    while (buf_len(out) > 0) {
        struct key_request request;
        struct key_reply reply;
        size_t asked, answered;
        if (key_read_request(in, &request, &asked) != KEY_WIRE_READY ||
            key_read_reply(buf_slice(out), &reply, &answered) != KEY_WIRE_READY ||
            reply.id != request.id ||
            (reply.signature.len > 0 &&
             (request.set != 1 || !tls_sign_is_ours(request.scheme, request.message)))) {
            abort();
        }
        in = (struct slice){ in.p + asked, in.len - asked };
        buf_consume(out, answered);
    }
}

static void fuzz_requests(struct slice in)
{
    static struct key_sets *sets;
    struct buf out;
    struct key_answers done;
    sets = sets == NULL ? make_sets() : sets;
    buf_init(&out, 1024 * 1024);
    do {
        done = key_signer_answer(sets, in, &out);
        check_answers(in, &out);
        in = (struct slice){ in.p + done.took, in.len - done.took };
    } while (done.took > 0 && !done.bad);
    buf_release(&out);
}

static void fuzz_replies(struct slice in)
{
    struct key_reply reply;
    size_t used;
    while (key_read_reply(in, &reply, &used) == KEY_WIRE_READY) {
        if (used > in.len || reply.signature.len > TLS_SIGN_MAX) {
            abort();
        }
        in = (struct slice){ in.p + used, in.len - used };
    }
}

static void fuzz_notes(struct slice in, bool to_holder)
{
    struct key_note note;
    size_t used;
    while (key_read_note(in, to_holder, &note, &used) == KEY_WIRE_READY) {
        struct buf again;
        buf_init(&again, KEY_NOTE_MAX);
        key_write_note(&again, &note);
        if (!slice_eq(buf_slice(&again), (struct slice){ in.p, used })) {
            abort();
        }
        buf_release(&again);
        in = (struct slice){ in.p + used, in.len - used };
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slice rest = { data + 1, size - 1 };
    switch (data[0] & 3) {
    case 0:
        fuzz_requests(rest);
        break;
    case 1:
        fuzz_replies(rest);
        break;
    default:
        fuzz_notes(rest, (data[0] & 1) != 0);
        break;
    }
    return 0;
}
