/*
 * ticket_test: what is sealed comes back, and nothing else: not under another generation, not after
 * the certificate's end, not with a bit flipped, not when the keys have moved on.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "tls/ticket.h"

enum { NOW = 1000, UNTIL = 2000, GENERATION = 7 };

static struct peer *sample(void)
{
    static const struct trust_step steps[] = { { { "leaf" }, { "leaf's" } },
                                               { { "ca" }, { "its" } } };
    struct buf b;
    struct peer p = { .kind = IDENTITY_CN,
                      .not_after = UNTIL + 5,
                      .trusted_until = UNTIL + 1,
                      .fresh_until = UNTIL,
                      .fingerprint = { 1, 2, 3 },
                      .chain = { 4, 5, 6 },
                      .path = { .count = 2, .steps = steps },
                      .identity = SLICE("cn:alice"),
                      .issuer = SLICE("CN=CA"),
                      .serial = SLICE("0a") };
    buf_init(&b, 1024);
    peer_encode(&b, &p);
    assert_int_equal(buf_len(&b), peer_encoded_len(&p));
    struct peer *copy = peer_decode(buf_slice(&b));
    assert_non_null(copy);
    buf_release(&b);
    return copy;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct ticket_keys *keys = ticket_keys_new();
    struct peer *p = sample();
    uint8_t ticket[512], session[512];
    size_t ticket_len, session_len;
    assert_true(sizeof("session") - 1 + ticket_overhead(p) <= sizeof(ticket));
    assert_true(ticket_seal(keys, GENERATION, p, SLICE("session"), ticket, &ticket_len,
                            sizeof("session") - 1 + ticket_overhead(p)));
    struct slice t = { ticket, ticket_len };

    struct peer *back =
        ticket_open(keys, GENERATION, NOW, t, session, &session_len, sizeof(session));
    assert_non_null(back);
    assert_true(slice_eq((struct slice){ session, session_len }, SLICE("session")));
    assert_true(slice_eq(back->identity, SLICE("cn:alice")));
    assert_true(slice_eq(back->issuer, SLICE("CN=CA")));
    assert_memory_equal(back->fingerprint, p->fingerprint, 32);
    assert_memory_equal(back->chain, p->chain, 32);
    assert_int_equal(back->not_after, UNTIL + 5);
    assert_int_equal(back->trusted_until, UNTIL + 1);
    assert_int_equal(back->fresh_until, UNTIL);
    assert_int_equal(back->path.count, 2);
    assert_false(back->path.pinned);
    assert_memory_equal(back->path.steps, p->path.steps, 2 * sizeof(struct trust_step));
    peer_unref(back);

    assert_null(ticket_open(keys, GENERATION + 1, NOW, t, session, &session_len, sizeof(session)));
    assert_null(
        ticket_open(keys, GENERATION, UNTIL + 1, t, session, &session_len, sizeof(session)));
    assert_null(ticket_open(keys, GENERATION, NOW, t, session, &session_len, 3));
    for (size_t i = 0; i < ticket_len; i++) {
        ticket[i] ^= 1;
        assert_null(ticket_open(keys, GENERATION, NOW, t, session, &session_len, sizeof(session)));
        ticket[i] ^= 1;
        struct slice cut = { ticket, i };
        assert_null(
            ticket_open(keys, GENERATION, NOW, cut, session, &session_len, sizeof(session)));
    }
    for (int i = 0; i < 3; i++) {
        back = ticket_open(keys, GENERATION, NOW, t, session, &session_len, sizeof(session));
        assert_non_null(back);
        peer_unref(back);
        ticket_keys_rotate(keys);
    }
    assert_null(ticket_open(keys, GENERATION, NOW, t, session, &session_len, sizeof(session)));
    peer_unref(p);
    ticket_keys_free(keys);
}

static void test_other_process_cannot_open(void **state)
{
    (void)state;
    struct ticket_keys *ours = ticket_keys_new(), *theirs = ticket_keys_new();
    struct peer *p = sample();
    uint8_t ticket[512], session[512];
    size_t ticket_len, session_len;
    assert_true(ticket_seal(ours, 1, p, SLICE("s"), ticket, &ticket_len, sizeof(ticket)));
    assert_null(ticket_open(theirs, 1, NOW, (struct slice){ ticket, ticket_len }, session,
                            &session_len, sizeof(session)));
    assert_false(ticket_seal(ours, 1, p, SLICE("s"), ticket, &ticket_len, 40));
    peer_unref(p);
    ticket_keys_free(ours);
    ticket_keys_free(theirs);
}

static void test_records_cut_or_long(void **state)
{
    (void)state;
    struct peer *p = sample();
    struct buf b;
    buf_init(&b, 1024);
    peer_encode(&b, p);
    for (size_t i = 0; i < buf_len(&b); i++) {
        assert_null(peer_decode((struct slice){ b.p, i }));
    }
    for (size_t at = 88; at < 96; at++) { /* kind, pinned, steps, and what must be zero */
        uint8_t good = b.p[at];
        b.p[at] = 0xff;
        assert_null(peer_decode(buf_slice(&b)));
        b.p[at] = good;
    }
    buf_append(&b, "x", 1);
    assert_null(peer_decode(buf_slice(&b)));
    buf_release(&b);
    peer_unref(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_other_process_cannot_open),
        cmocka_unit_test(test_records_cut_or_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
