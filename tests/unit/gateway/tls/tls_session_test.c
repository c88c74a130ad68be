/*
 * tls_session_test: handshakes whose signature comes from elsewhere and later. A client of BoringSSL's own
 * on the other side; the signer is what the test makes of it.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "certificates.h"
#include "keys/key_lease.h"
#include "tls/tls_session.h"
#include "keys/tls_sign.h"

enum { ID = 4711, SET = 9 };

struct fixture {
    EVP_PKEY *key;
    X509 *cert; /* of both sides: pinned here, and not looked at there */
    char path[32];
    struct gateway_options options;
    struct ticket_keys *tickets;
    struct key_lease *lease;
    struct tls_context *context;
    struct tls_engine *engine;
    /* What was asked for last. */
    unsigned asked;
    bool unable;
    struct key_request request;
    uint8_t message[TLS_SIGN_MESSAGE_MAX];
};

static bool ask(void *arg, const struct key_request *request)
{
    struct fixture *f = arg;
    if (f->unable) {
        return false;
    }
    f->asked++;
    f->request = *request;
    memcpy(f->message, request->message.p, request->message.len);
    f->request.message.p = f->message;
    return true;
}

/* A context as the gateway has it: from material that crossed the socket without its private keys. */
static struct tls_context *load_public(struct fixture *f)
{
    static const char *paths[1];
    struct load_error why;
    struct material *whole, *public;
    struct tls_context *context;
    struct buf bytes;
    paths[0] = f->path;
    f->options = (struct gateway_options){ .cert = { paths, 1 }, .client_pin = { paths, 1 } };
    assert_int_equal(identity_order_parse("cn", &f->options.identity_order), ERR_OK);
    assert_int_equal(material_read(&f->options, &whole, &why), ERR_OK);
    buf_init(&bytes, 1024 * 1024);
    material_encode(whole, &bytes);
    assert_int_equal(material_decode(&f->options, buf_slice(&bytes), &public), ERR_OK);
    material_set_lease(public, f->lease);
    assert_int_equal(tls_context_load(&f->options, public, f->tickets, NULL, &context, &why),
                     ERR_OK);
    buf_release(&bytes);
    material_free(whole);
    material_free(public);
    return context;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->key = make_key();
    f->cert = make_certificate(&(struct wish){ .cn = "alice" }, f->key);
    snprintf(f->path, sizeof(f->path), "/tmp/cofre-session-XXXXXX");
    FILE *file = fdopen(mkstemp(f->path), "w");
    assert_true(PEM_write_X509(file, f->cert));
    assert_true(PEM_write_PrivateKey(file, f->key, NULL, NULL, 0, NULL, NULL));
    fclose(file);
    f->tickets = ticket_keys_new();
    f->lease = key_lease_new(SET);
    f->context = load_public(f);
    f->engine = tls_engine_new();
    tls_engine_use(f->engine, f->context);
    tls_engine_set_signer(f->engine, (struct tls_signer){ ask, f });
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    tls_engine_free(f->engine);
    tls_context_unref(f->context);
    assert_true(key_lease_is_last(f->lease)); /* whatever happened, nobody holds the set any more */
    key_lease_unref(f->lease);
    ticket_keys_free(f->tickets);
    X509_free(f->cert);
    EVP_PKEY_free(f->key);
    free(f);
    return 0;
}

/* The client. */

static SSL *client_new(const struct fixture *f, uint16_t version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    assert_true(SSL_CTX_set_min_proto_version(ctx, version) &&
                SSL_CTX_set_max_proto_version(ctx, version));
    assert_true(SSL_CTX_use_certificate(ctx, f->cert) && SSL_CTX_use_PrivateKey(ctx, f->key));
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_connect_state(ssl);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
    return ssl;
}

/* client_step lets the client go on and moves what it wrote to `out`. */
static bool client_step(SSL *ssl, struct buf *out)
{
    const uint8_t *p;
    size_t len;
    bool done = SSL_do_handshake(ssl) == 1;
    ERR_clear_error();
    if (BIO_mem_contents(SSL_get_wbio(ssl), &p, &len)) {
        buf_append(out, p, len);
        BIO_reset(SSL_get_wbio(ssl));
    }
    return done;
}

static void to_client(const struct fixture *f, SSL *ssl)
{
    struct buf *out = tls_engine_out(f->engine);
    if (buf_len(out) > 0) {
        BIO_write(SSL_get_rbio(ssl), buf_slice(out).p, (int)buf_len(out));
        buf_clear(out);
    }
}

static enum tls_status feed(const struct fixture *f, struct tls_session *s, struct buf *bytes)
{
    tls_engine_feed(f->engine, buf_slice(bytes));
    enum tls_status status = tls_session_handshake(f->engine, s);
    buf_clear(bytes); /* as a worker's read buffer: nobody keeps a pointer into it */
    memset(bytes->p, 0xee, bytes->cap);
    return status;
}

static struct slice signature_of(const struct fixture *f, uint8_t out[TLS_SIGN_MAX])
{
    size_t len;
    assert_int_equal(tls_sign(f->key, f->request.scheme, f->request.message, out, &len), ERR_OK);
    return (struct slice){ out, len };
}

static void begin(const struct fixture *f, uint16_t version, SSL **ssl, struct tls_session **s,
                  struct buf *bytes)
{
    buf_init(bytes, 64 * 1024);
    *ssl = client_new(f, version);
    *s = tls_session_new(f->engine, ID);
    client_step(*ssl, bytes);
}

static void test_the_signature_comes_later(void **state)
{
    struct fixture *f = *state;
    static const uint16_t versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        SSL *ssl;
        struct tls_session *s;
        struct buf bytes;
        uint8_t signature[TLS_SIGN_MAX];
        f->asked = 0;
        begin(f, versions[i], &ssl, &s, &bytes);
        assert_int_equal(feed(f, s, &bytes), TLS_WANT_SIGNATURE);
        assert_int_equal(f->asked, 1);
        assert_int_equal(f->request.id, ID);
        assert_int_equal(f->request.set, SET);
        assert_int_equal(f->request.pair, 0);
        assert_int_equal(buf_len(tls_engine_out(f->engine)), 0);

        enum tls_status status = tls_session_signed(f->engine, s, signature_of(f, signature));
        for (int round = 0; round < 3 && status == TLS_WANT_READ; round++) {
            to_client(f, ssl);
            client_step(ssl, &bytes);
            status = feed(f, s, &bytes);
        }
        assert_int_equal(status, TLS_DONE);
        to_client(f, ssl);
        assert_true(client_step(ssl, &bytes));
        assert_int_equal(f->asked, 1);
        struct peer *peer = tls_session_take_peer(s);
        assert_true(slice_eq(peer->identity, SLICE("cn:alice")));
        peer_unref(peer);
        tls_session_free(s);
        SSL_free(ssl);
        buf_release(&bytes);
    }
}

/* What came along with the ClientHello is not lost: the sign that it was read is what it does. */
static void test_what_came_meanwhile_is_kept(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const uint8_t *bytes;
        size_t len;
        enum tls_status then;
    } rows[] = {
        { (const uint8_t *)"\x14\x03\x03\x00\x01\x01", 6,
          TLS_WANT_READ }, /* allowed: RFC 8446 §5 */
        { (const uint8_t *)"\x17\x03\x03\x00\x01\x01", 6, TLS_FAILED },
        { (const uint8_t *)"GET / HTTP/1.1\r\n", 16, TLS_FAILED },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SSL *ssl;
        struct tls_session *s;
        struct buf bytes;
        uint8_t signature[TLS_SIGN_MAX];
        begin(f, TLS1_3_VERSION, &ssl, &s, &bytes);
        buf_append(&bytes, rows[i].bytes, rows[i].len);
        assert_int_equal(feed(f, s, &bytes), TLS_WANT_SIGNATURE);
        assert_int_equal(tls_session_signed(f->engine, s, signature_of(f, signature)),
                         rows[i].then);
        if (rows[i].then == TLS_WANT_READ) {
            to_client(f, ssl);
            client_step(ssl, &bytes);
            assert_int_equal(feed(f, s, &bytes), TLS_DONE);
        }
        tls_session_free(s);
        SSL_free(ssl);
        buf_clear(tls_engine_out(f->engine));
        buf_release(&bytes);
    }
}

static void test_refused_or_wrong(void **state)
{
    struct fixture *f = *state;
    static const uint16_t versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        SSL *ssl;
        struct tls_session *s;
        struct buf bytes;
        begin(f, versions[i], &ssl, &s, &bytes);
        assert_int_equal(feed(f, s, &bytes), TLS_WANT_SIGNATURE);
        assert_int_equal(tls_session_signed(f->engine, s, SLICE("")), TLS_FAILED);
        assert_string_equal(tls_session_failure(s).reason, "our key holder did not sign");
        tls_session_free(s);
        SSL_free(ssl);
        buf_clear(tls_engine_out(f->engine));
        buf_release(&bytes);

        /* A wrong signature is for the client to find. */
        begin(f, versions[i], &ssl, &s, &bytes);
        assert_int_equal(feed(f, s, &bytes), TLS_WANT_SIGNATURE);
        assert_int_equal(tls_session_signed(f->engine, s, SLICE("no signature")), TLS_WANT_READ);
        to_client(f, ssl);
        assert_false(client_step(ssl, &bytes));
        assert_int_equal(feed(f, s, &bytes), TLS_FAILED);
        tls_session_free(s);
        SSL_free(ssl);
        buf_clear(tls_engine_out(f->engine));
        buf_release(&bytes);
    }
}

static void test_nobody_to_ask(void **state)
{
    struct fixture *f = *state;
    SSL *ssl;
    struct tls_session *s;
    struct buf bytes;
    f->unable = true;
    begin(f, TLS1_3_VERSION, &ssl, &s, &bytes);
    assert_int_equal(feed(f, s, &bytes), TLS_FAILED);
    assert_string_equal(tls_session_failure(s).reason, "our key holder did not sign");
    tls_session_free(s);
    SSL_free(ssl);
    buf_release(&bytes);
}

/* The client left: its session goes while the signature is under way, the others' do not mind. */
static void test_gone_while_it_waits(void **state)
{
    struct fixture *f = *state;
    SSL *ssl;
    struct tls_session *s;
    struct buf bytes;
    begin(f, TLS1_3_VERSION, &ssl, &s, &bytes);
    buf_append(&bytes, "more", 4);
    assert_int_equal(feed(f, s, &bytes), TLS_WANT_SIGNATURE);
    tls_session_free(s);
    SSL_free(ssl);
    buf_release(&bytes);
    buf_clear(tls_engine_out(f->engine));
    test_the_signature_comes_later(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_signature_comes_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_came_meanwhile_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_or_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_to_ask, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_while_it_waits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
