/*
 * gateway_fuzz: what the gateway parses itself of X.509 and tickets. The first byte chooses: a certificate's
 * names, a whole chain against an empty trust, a ticket's record, or a ticket's plain text.
 */
#include <stdlib.h>

#include <openssl/pool.h>

#include "ticket.h"
#include "tls_trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct identity_order order = {
    .kinds = { IDENTITY_URI, IDENTITY_DNS, IDENTITY_EMAIL, IDENTITY_CN },
    .count = 4,
};

static void fuzz_names(struct slice der)
{
    const uint8_t *p = der.p;
    const struct trust_path no_path = { .count = 0 };
    const char *why;
    X509 *cert = d2i_X509(NULL, &p, (long)der.len);
    if (cert != NULL) {
        struct peer *peer = peer_from_certificate(cert, &order, &no_path, &why);
        if (peer != NULL && (peer->identity.len == 0 || !slice_is_text(peer->identity))) {
            abort();
        }
        peer_unref(peer);
    }
    X509_free(cert);
}

static void fuzz_chain(struct slice der)
{
    static struct tls_trust *trust;
    static const struct gateway_options none;
    struct load_error error;
    struct refusal why;
    if (trust == NULL) {
        struct material *nothing;
        if (material_read(&none, &nothing, &error) != ERR_OK ||
            tls_trust_load(&none, nothing, &trust, &error) != ERR_OK) {
            abort();
        }
        material_free(nothing);
    }
    STACK_OF(CRYPTO_BUFFER) *chain = sk_CRYPTO_BUFFER_new_null();
    sk_CRYPTO_BUFFER_push(chain, CRYPTO_BUFFER_new(der.p, der.len, NULL));
    if (tls_trust_verify(trust, &order, chain, 1800000000, &why) != NULL) {
        abort(); /* nobody is trusted here */
    }
    sk_CRYPTO_BUFFER_pop_free(chain, CRYPTO_BUFFER_free);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slice rest = { data + 1, size - 1 };
    struct slice session;
    switch (data[0] & 3) {
    case 0:
        fuzz_names(rest);
        break;
    case 1:
        fuzz_chain(rest);
        break;
    case 2:
        peer_unref(peer_decode(rest));
        break;
    default:
        peer_unref(ticket_parse(rest, 0, 0, &session));
        break;
    }
    return 0;
}
