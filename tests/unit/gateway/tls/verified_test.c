/*
 * verified_test: who comes with the same chain is the same peer, by certificate or by ticket, as long as
 * that verification is fresh and of this trust.
 */
#include "test.h"

#include <string.h>

#include "tls/tls_verified.h"

enum { NOW = 1000, UNTIL = 2000, GENERATION = 7 };

/* peer_with makes one whose chain's hash begins with these two bytes. */
static struct peer *peer_with(uint8_t first, uint8_t second)
{
    static const struct trust_step step;
    struct buf record;
    struct peer p = { .kind = IDENTITY_CN,
                      .not_after = UNTIL,
                      .trusted_until = UNTIL,
                      .fresh_until = UNTIL,
                      .chain = { 0, 0, first, second },
                      .path = { .count = 1, .steps = &step },
                      .identity = SLICE("cn:a") };
    buf_init(&record, 1024);
    peer_encode(&record, &p);
    struct peer *copy = peer_decode(buf_slice(&record));
    assert_non_null(copy);
    buf_release(&record);
    return copy;
}

static void test_shared(void **state)
{
    (void)state;
    struct tls_verified *v = tls_verified_new();
    struct peer *a = tls_verified_share(v, GENERATION, peer_with(1, 0), NOW);
    struct peer *b = tls_verified_share(v, GENERATION, peer_with(1, 0), NOW);
    struct peer *other = tls_verified_share(v, GENERATION, peer_with(2, 0), NOW);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, other);
    assert_int_equal(a->refs, 3); /* both, and the table */
    assert_ptr_equal(tls_verified_find(v, GENERATION, a->chain, UNTIL), a);
    assert_null(tls_verified_find(v, GENERATION, a->chain, UNTIL + 1));
    assert_null(tls_verified_find(v, GENERATION + 1, a->chain, NOW));

    /* Under another trust, and when it is stale, it is another one. */
    struct peer *later = tls_verified_share(v, GENERATION + 1, peer_with(1, 0), NOW);
    assert_ptr_not_equal(a, later);
    tls_verified_free(v);
    assert_int_equal(a->refs, 2);
    peer_unref(a);
    peer_unref(b);
    peer_unref(other);
    peer_unref(later);
}

/* More chains than a set has room for: the oldest gives way, nobody else is lost. */
static void test_bounded(void **state)
{
    (void)state;
    struct tls_verified *v = tls_verified_new();
    for (uint8_t i = 0; i < 6; i++) {
        peer_unref(tls_verified_share(v, GENERATION, peer_with(i, i), NOW));
    }
    for (uint8_t i = 0; i < 6; i++) {
        const uint8_t hash[32] = { 0, 0, i, i };
        assert_int_equal(tls_verified_find(v, GENERATION, hash, NOW) != NULL, i >= 2);
    }
    tls_verified_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_shared),
                                        cmocka_unit_test(test_bounded) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
