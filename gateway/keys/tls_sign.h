/*
 * tls_sign: the signature that a TLS server makes in its handshake, and no other. Whoever has a key sign
 * through here can be asked for nothing else: no certificate, no request, no client's handshake.
 */
#ifndef COFRE_GATEWAY_TLS_SIGN_H
#define COFRE_GATEWAY_TLS_SIGN_H

#include <openssl/evp.h>

#include "base/slice.h"

enum {
    TLS_SIGN_MAX = 2048,         /* bytes of a signature: RSA of 16,384 bits */
    TLS_SIGN_MESSAGE_MAX = 1024, /* bytes to sign; what passes has fewer */
};

/*
 * tls_sign_is_ours says whether a server signs such a message under this scheme: TLS 1.3's
 * CertificateVerify (RFC 8446 §4.4.3) or TLS 1.2's ServerKeyExchange (RFC 8422 §5.4).
 */
bool tls_sign_is_ours(uint16_t scheme, struct slice message);

/*
 * tls_sign writes *len bytes. ERR_REFUSED for another message, or a scheme that is not the key's. Any
 * thread; the key may be used by several at once.
 */
MUST_CHECK enum err tls_sign(EVP_PKEY *key, uint16_t scheme, struct slice message,
                             uint8_t out[TLS_SIGN_MAX], size_t *len);

#endif
