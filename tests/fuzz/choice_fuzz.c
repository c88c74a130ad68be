/*
 * choice_fuzz: what tls_choice reads of a ClientHello. The input is a length and SNI, a length and the
 * suites, and then the extensions, whose own frames BoringSSL has checked before.
 */
#include <stdlib.h>

#include "certificates.h"
#include "tls/tls_choice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tls_pair pairs[2];
static struct tls_choice *choice;
static SSL *ssl;

static void make_pair(struct tls_pair *p, const char *san)
{
    uint8_t *der = NULL;
    p->key = make_key();
    X509 *cert = make_certificate(&(struct wish){ .cn = "a", .san = san }, p->key);
    int len = i2d_X509(cert, &der);
    if (len <= 0) {
        abort();
    }
    p->chain[p->chain_len++] = CRYPTO_BUFFER_new(der, (size_t)len, NULL);
    OPENSSL_free(der);
    X509_free(cert);
}

static void prepare(void)
{
    make_pair(&pairs[0], "DNS:a.test,DNS:*.b.test");
    make_pair(&pairs[1], "DNS:*.a.test,IP:10.0.0.1");
    choice = tls_choice_new(pairs, ARRAY_SIZE(pairs));
    ssl = SSL_new(SSL_CTX_new(TLS_with_buffers_method()));
}

static struct slice take(struct slice *rest)
{
    size_t len = rest->len == 0 ? 0 : rest->p[0];
    size_t skip = rest->len == 0 ? 0 : 1;
    struct slice s = { rest->p + skip, len < rest->len - skip ? len : rest->len - skip };
    *rest = (struct slice){ s.p + s.len, rest->len - skip - s.len };
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (choice == NULL) {
        prepare();
    }
    struct slice rest = { data, size };
    struct slice name = take(&rest);
    struct slice suites = take(&rest);
    SSL_CLIENT_HELLO hello = { .ssl = ssl,
                               .cipher_suites = suites.p,
                               .cipher_suites_len = suites.len,
                               .extensions = rest.p,
                               .extensions_len = rest.len };
    const struct tls_pair *found = tls_choice_find(choice, name, &hello);
    if (found != &pairs[0] && found != &pairs[1]) {
        abort();
    }
    return 0;
}
